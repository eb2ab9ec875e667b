# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The choice among detections."""

import math

import pytest
from builtin_interfaces.msg import Time
from ros_testing import make_detection
from std_msgs.msg import Header
from vision_msgs.msg import Detection2DArray

from siam_tracker_ros.node.detections import best_detection, describe_detections

CENTER = (80.0, 60.0)
NAN = math.nan


def array(*hypotheses_of_each):
    """An array of detections named a, b, c and so on, with (class, score) pairs for each."""
    detections = [make_detection(CENTER, *pairs, id=name) for name, pairs in zip("abcdef", hypotheses_of_each)]
    return Detection2DArray(detections=detections)


@pytest.mark.parametrize(
    "hypotheses, class_id, min_score",
    [
        ((), "", 0.0),
        (([],), "", 0.5),  # a box without a score
        (([],), "person", 0.0),  # a box without a class
        (([("dog", 0.9)],), "person", 0.0),
        (([("Person", 0.9)],), "person", 0.0),
        (([("person", 0.49)], [("dog", 0.9)]), "person", 0.5),
        (([("dog", NAN)],), "person", 0.5),
    ],
)
def test_where_none_passes_there_is_none(hypotheses, class_id, min_score):
    assert best_detection(array(*hypotheses), class_id, min_score) is None


@pytest.mark.parametrize(
    "hypotheses, class_id, min_score, expected",
    [
        (([("dog", 0.9)], [("person", 0.6)], [("person", 0.8)]), "person", 0.5, ("c", "person", 0.8)),
        (([("dog", 0.9)], [("person", 0.6)], [("person", 0.8)]), "", 0.5, ("a", "dog", 0.9)),
        (([("a", 0.7)], [("b", 0.7)], [("c", 0.7)]), "", 0.7, ("a", "a", 0.7)),
        (([("dog", 0.9), ("person", 0.6)], [("person", 0.5)]), "person", 0.5, ("a", "person", 0.6)),
        (([],), "", 0.0, ("a", "", 0.0)),
        (([("person", NAN)], [("person", 0.6)], [("person", 5e-324)]), "person", 0.5, ("b", "person", 0.6)),
        (([("person", 0.4)], [("person", 5e-324)]), "person", 0.5, ("b", "person", 5e-324)),  # to be refused in words
    ],
)
def test_the_best_score_that_passes_is_taken(hypotheses, class_id, min_score, expected):
    detection = best_detection(array(*hypotheses), class_id, min_score)
    (result,) = detection.results
    assert (detection.id, result.hypothesis.class_id, result.hypothesis.score) == expected
    assert detection.bbox == make_detection(CENTER).bbox


NEW, OLD, NONE = Time(sec=7), Time(sec=5), Time()


@pytest.mark.parametrize(
    "own, of_all, expected",
    [
        ((NONE, ""), (NONE, ""), (NONE, "")),
        ((NONE, ""), (OLD, "left"), (OLD, "left")),
        ((NEW, "right"), (OLD, "left"), (NEW, "right")),
        ((NONE, "right"), (OLD, "left"), (OLD, "right")),
        ((NEW, ""), (OLD, "left"), (NEW, "left")),
    ],
)
def test_what_its_own_header_leaves_empty_is_that_of_the_array(own, of_all, expected):
    msg = array([("person", 0.9)])
    msg.header, msg.detections[0].header = (Header(stamp=stamp, frame_id=name) for stamp, name in (of_all, own))
    header = best_detection(msg, "", 0.0).header
    assert (header.stamp, header.frame_id) == expected


def test_a_message_is_described_by_its_first_hypotheses():
    assert describe_detections(array()) == ""
    assert describe_detections(array([("person", 0.912)], [("dog", 5e-324), ("", 0.0)])) == (
        "'person' 0.912, 'dog' 4.94e-324, '' 0"
    )
    assert describe_detections(array([("cup", 1.0)] * 7)).endswith(", 'cup' 1 and 2 more")
