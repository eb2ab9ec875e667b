# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Targets that a person marks on ~/init_roi and ~/init_point."""

import math
import threading

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import PointStamped
from node_doubles import SIDE, SquareTracker, TurnedSquareTracker, scene
from ros_testing import (
    DEADLINE,
    FRAME_ID,
    Operator,
    graph_fixture,  # noqa: F401
    init_request,
    parameter_overrides,
)
from sensor_msgs.msg import RegionOfInterest
from siam_tracker_ros.msg import TrackerStatus
from siam_tracker_ros.srv import InitTracker
from std_msgs.msg import Header

from siam_tracker_ros.node.tracker_node import TrackerNode

CENTER = (80.0, 60.0)


class Marking:
    """A tracker node with a double, and an operator who marks targets on topics."""

    def __init__(self, graph, tracker_class=TurnedSquareTracker, **parameters):
        self.operator = Operator(graph)
        self.node = graph.add(
            TrackerNode(
                tracker_class,
                context=graph.context,
                use_global_arguments=False,
                parameter_overrides=parameter_overrides(**{"diagnostics_period": 0.1} | parameters),
            )
        )
        self._publishers = {
            RegionOfInterest: self.operator.create_publisher(RegionOfInterest, "tracker/init_roi", 10),
            PointStamped: self.operator.create_publisher(PointStamped, "tracker/init_point", 10),
        }
        self.operator.wait_for_camera_link()
        self.operator.wait(
            lambda: all(publisher.get_subscription_count() for publisher in self._publishers.values()), "the node"
        )

    def mark(self, msg):
        self._publishers[type(msg)].publish(msg)

    def wait_for(self, **expected):
        """Wait until the newest diagnostics of the tracker have these values; return all of them."""

        def newest():
            for array in reversed(self.operator.received("diagnostics")):
                (status,) = (status for status in array.status if status.name == "tracker: tracker")
                values = {value.key: value.value for value in status.values}
                return values if values.items() >= expected.items() else None
            return None

        return self.operator.wait(newest, f"{expected} in the newest diagnostics")

    def init_point(self, center, size=(0.0, 0.0), **fields):
        """Call the service ~/init_point."""
        return self.operator.call(InitTracker, "init_point", init_request(center, size, **fields))


@pytest.fixture
def marking(graph):
    return Marking(graph)


def region(x, y, width, height, do_rectify=False):
    return RegionOfInterest(x_offset=x, y_offset=y, width=width, height=height, do_rectify=do_rectify)


def point(x, y, z=0.0, **header):
    msg = PointStamped(header=Header(**header))
    msg.point.x, msg.point.y, msg.point.z = x, y, z
    return msg


def box_of(detection):
    center = detection.bbox.center.position
    return center.x, center.y, detection.bbox.size_x, detection.bbox.size_y


@pytest.mark.parametrize(
    "roi, size",
    [(region(60, 50, 40, 24), (40, 24)), (region(0, 0, 160, 120), (160, 120)), (region(159, 119, 9, 8), (9, 8))],
)
def test_a_region_starts_a_target_on_the_newest_image(marking, roi, size):
    operator = marking.operator
    for _ in range(2):
        operator.frame(scene(CENTER))
    marking.mark(roi)
    marking.wait_for(marks="1", marks_used="1", marks_refused="0", state="TRACKING", target_id="target_1")
    status, (detection,) = operator.frame(scene((90, 60)))
    assert status.age == 1 and box_of(detection) == (90, 60, *size)
    (line,) = operator.wait(lambda: operator.logged("that was marked"), "the log")
    assert line.startswith(f"target 'target_1' is held, from the box of {size[0]} x {size[1]} pixels around (")


def test_a_point_starts_a_target_on_its_image_and_the_tracker_catches_up(marking):
    operator = marking.operator
    headers = [operator.frame(scene((20 + 4 * i, 60)))[0].header for i in range(6)]
    header = headers[2]
    marking.mark(point(33.0, 52.0, stamp=header.stamp, frame_id=header.frame_id))  # on the square of that image alone
    marking.wait_for(marks_used="1", state="TRACKING")
    status, (detection,) = operator.frame(scene((60, 60)))
    assert status.age > 1 and box_of(detection) == (60, 60, SIDE, SIDE), "the size is that of the mask"


@pytest.mark.parametrize("tracker_class", [SquareTracker, TurnedSquareTracker])
def test_without_a_mask_the_box_is_a_square_of_the_last_target_or_of_the_parameter(graph, tracker_class):
    marking = Marking(graph, tracker_class, point_square=0.25)
    operator = marking.operator
    operator.frame(scene(CENTER))
    answer = marking.init_point((30.0, 40.0))
    assert answer.success
    assert answer.message == "target 'target_1' is held in the box of 30 x 30 pixels around (30, 40)"
    assert operator.set_parameters(point_square=0.5).successful
    assert operator.init(CENTER, size=(40.0, 10.0)).success
    operator.frame(scene(CENTER))
    assert "box of 20 x 20 pixels around (30, 40)" in marking.init_point((30.0, 40.0)).message


@pytest.mark.parametrize(
    "mark, words",
    [
        (region(60, 50, 0, 0), "region of 0 x 0 pixels at (60, 50) is empty, expected at least 1 x 1"),
        (region(60, 50, 0, 20), "region of 0 x 20 pixels at (60, 50) is empty"),
        (region(60, 50, 20, 20, do_rectify=True), "has do_rectify set, expected false"),
        (region(0, 0, 161, 20), "larger than the 160 x 120 image"),
        (region(160, 0, 20, 20), "outside the 160 x 120 image"),
        (region(2**32 - 1, 0, 2**32 - 1, 1), "larger than the 160 x 120 image"),
        (point(*CENTER, 1.5), "point.z is 1.5, expected 0; point.x and point.y are pixels"),
        (point(math.nan, 60.0), "point.x is nan, expected a finite number"),
        (point(80.0, 5e-324), "point.y is 4.94066e-324"),
        (point(161.0, 60.0), "point (161, 60) lies outside the 160 x 120 image"),
        (point(80.0, -1.0), "point (80, -1) lies outside"),
        (point(0.5, 0.4), "looks like fractions of the image"),
        (point(0.0, 0.0), "was not filled in"),
        (point(*CENTER, frame_id="other"), f"'other', expected '{FRAME_ID}'"),
        (point(*CENTER, stamp=Time(sec=77)), "stamp 77.000000000 is kept"),
    ],
)
def test_a_mark_that_cannot_be_used_is_refused_counted_and_harms_nothing(marking, mark, words):
    operator = marking.operator
    operator.frame(scene(CENTER))
    assert operator.init(CENTER).success
    marking.mark(mark)
    assert words in marking.wait_for(marks_refused="1", marks_used="0")["last_mark_error"]
    warned = operator.diagnosis("tracker", lambda status: "1 marks refused, the last: " in status.message)
    assert warned.level == DiagnosticStatus.WARN and words in warned.message
    (line,) = operator.wait(lambda: operator.logged("mark refused: "), "the warning")
    assert words in line
    status, (detection,) = operator.frame(scene((90, 60)))
    assert (status.state, status.target_id, box_of(detection)[:2]) == (TrackerStatus.TRACKING, "target_1", (90, 60))


def test_of_a_flood_the_newest_of_each_topic_is_taken(marking):
    operator, worker = marking.operator, marking.node._worker
    operator.frame(scene(CENTER))
    gate = threading.Event()
    busy = worker.submit(gate.wait, DEADLINE)
    for number in range(1, 11):
        marking.mark(region(50, 40, 20, 20 + number))
        marking.mark(point(70.0 + number, 60.0))
        marking.wait_for(marks=str(2 * number))
    assert {type(msg) for msg in worker._starts.values()} == {RegionOfInterest, PointStamped} and not worker._jobs
    gate.set()
    assert busy.result(DEADLINE)
    marking.wait_for(marks_used="2", marks_refused="0")


def test_the_service_answers_for_a_point_in_fractions_too(marking):
    operator = marking.operator
    operator.frame(scene(CENTER))
    answer = marking.init_point((0.47, 0.53), normalized=True, target_id="cup", class_id="47")
    assert answer.success, answer.message
    assert answer.message == "target 'cup' is held in the box of 20 x 20 pixels around (80, 60)"
    _, (detection,) = operator.frame(scene(CENTER))
    assert (detection.id, detection.results[0].hypothesis.class_id, box_of(detection)) == (
        "cup",
        "47",
        (80, 60, 20, 20),
    )


@pytest.mark.parametrize(
    "fields, words",
    [
        (
            dict(center=CENTER, size=(20.0, 20.0)),
            "size 20 x 20, expected 0 x 0, as the box around a point is to be found",
        ),
        (dict(center=CENTER, size=(0.0, 20.0)), "size 0 x 20, expected 0 x 0"),
        (dict(center=CENTER, normalized=True), "has normalized set, expected values in 0..1"),
        (dict(center=(0.5, 0.5)), "looks like fractions of the image"),
        (dict(center=(np.nan, 0.5)), "bbox.center.position.x is nan"),
    ],
)
def test_the_service_refuses_what_is_no_point(marking, fields, words):
    marking.operator.frame(scene(CENTER))
    answer = marking.init_point(**fields)
    assert not answer.success and words in answer.message


def test_before_any_image_and_after_a_pause(marking):
    operator = marking.operator
    marking.mark(region(60, 50, 20, 20))
    assert "no image on /image is kept" in marking.wait_for(marks_refused="1")["last_mark_error"]
    operator.frame(scene(CENTER))
    assert operator.enable(False).success
    marking.mark(region(70, 50, 20, 20))
    marking.wait_for(marks_used="1", target_id="target_1")
    assert operator.enable(True).success
    assert operator.frame(scene(CENTER))[0].state == TrackerStatus.TRACKING


@pytest.mark.parametrize("class_id", ["target", "1"])
def test_every_detection_has_a_result_with_the_class_of_the_parameter(graph, class_id):
    marking = Marking(graph, class_id=class_id, max_targets=3)
    operator = marking.operator
    operator.frame(scene(CENTER))
    marking.mark(region(70, 50, 20, 20))
    marking.wait_for(marks_used="1")
    assert operator.init(CENTER, class_id="cup").success
    assert operator.set_parameters(class_id="7").successful
    assert operator.init(CENTER).success
    assert "class_id is empty" in operator.set_parameters(class_id="").reason
    header = operator.send(scene(CENTER))
    detections = operator.message("detections", header).detections
    results = [[result.hypothesis.class_id for result in detection.results] for detection in detections]
    assert results == [[class_id], ["cup"], ["7"]]
    first = operator.message("detection", header)
    assert [result.hypothesis.class_id for result in first.results] == [class_id]
