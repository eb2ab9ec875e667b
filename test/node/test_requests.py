# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What clients send, as it arrives: every field that cannot be what they meant is refused."""

import math
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rclpy.serialization import deserialize_message, serialize_message
from ros_testing import init_request, make_detection
from siam_tracker_ros.srv import InitTracker
from vision_msgs.msg import BoundingBox2D, Point2D, Pose2D

from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.geometry import check_box_xywh
from siam_tracker_ros.node.requests import (
    box_from_detection,
    box_from_request,
    check_detection,
    check_numbers,
    number_fault,
)

SIZE_WH = (160, 120)
CENTER = (80.0, 60.0)
NAN, INF = math.nan, math.inf
FIELDS = ["center.position.x", "center.position.y", "center.theta", "size_x", "size_y"]


def unchecked(value, field):
    """An InitTracker request with any value in a field of its bbox, as clients without checks send it."""
    bbox = BoundingBox2D(
        center=Pose2D(position=Point2D(x=80.0, y=60.0, check_fields=False), theta=0.0, check_fields=False),
        size_x=20.0,
        size_y=20.0,
        check_fields=False,
    )
    *way, last = field.split(".")
    owner = bbox
    for name in way:
        owner = getattr(owner, name)
    setattr(owner, last, value)
    return deserialize_message(serialize_message(InitTracker.Request(bbox=bbox)), InitTracker.Request)


@pytest.mark.skipif(not hasattr(BoundingBox2D(), "_check_fields"), reason="messages of ROS 2 Humble check always")
@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("value", [1, 20, 641, np.int64(20), np.uint8(200), np.float32(20.5), np.float32(-3), True])
def test_a_value_of_another_type_in_a_float_field_is_refused_with_the_cure(value, field):
    with pytest.raises(InvalidInputError, match=rf"bbox\.{field} is .*e-3.., expected .* write float\(\.\.\.\)"):
        check_numbers(unchecked(value, field))


@pytest.mark.skipif(not hasattr(BoundingBox2D(), "_check_fields"), reason="messages of ROS 2 Humble check always")
@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("value", [20.5, np.float64(20.5)])
def test_a_float_of_python_or_of_numpys_64_bits_is_taken(value, field):
    check_numbers(unchecked(value, field))


@pytest.mark.parametrize(
    "value, fault",
    [
        *((value, False) for value in (0.0, -0.0, 1.0, -1e300, sys.float_info.min, -sys.float_info.min)),
        *((value, False) for value in ("text", 0, 7, True, ["a"], None)),  # of parameters
        *((value, True) for value in (5e-324, -5e-324, 5.4e-315, 2.2250738585072e-308, NAN, INF, -INF)),
    ],
)
def test_numbers_that_nobody_means(value, fault):
    assert bool(number_fault("name", value)) is fault


def test_nanoseconds_of_a_second_or_more_are_refused():
    request = init_request(CENTER, (20.0, 20.0))
    request.header.stamp.nanosec = 10**9 - 1
    check_numbers(request)
    request.header.stamp.nanosec = 10**9
    with pytest.raises(InvalidInputError, match="header.stamp.nanosec is 1000000000, expected below 1000000000"):
        check_numbers(request)


@pytest.mark.parametrize(
    "fields, words",
    [
        (dict(center=CENTER, size=(-20.0, 20.0)), "size -20 x 20 pixels is too small, expected at least 1 x 1"),
        (dict(center=CENTER, size=(20.0, 0.0)), "size 20 x 0 pixels is too small"),
        (dict(center=CENTER, size=(0.0, 0.0)), "size 0 x 0 pixels is too small"),
        (dict(center=CENTER, size=(0.5, 0.5)), "size 0.5 x 0.5 pixels is too small"),
        (dict(center=(0.5, 0.5), size=(0.001, 0.1), normalized=True), "size 0.16 x 12 pixels is too small"),
        (dict(center=(0.5, 0.5), size=(0.1, 0.0), normalized=True), "size 16 x 0 pixels is too small"),
        (dict(center=(300.0, 60.0)), "centre (300, 60) and size 20 x 20 pixels lies outside the 160 x 120 image"),
        (dict(center=(-80.0, -60.0)), "lies outside"),
        (dict(center=(170.0, 60.0)), "lies outside"),
        (dict(center=(80.0, -10.0)), "lies outside"),
        (dict(center=(1e300, -1e300)), "lies outside"),
        (dict(center=(0.0, 0.0)), "was not filled in, expected the middle of the target; set bbox.center.position"),
        (dict(center=(0.0, 0.0), size=(0.0, 0.0)), "was not filled in"),
        (dict(center=(0.0, 0.0), size=(0.2, 0.2), normalized=True), "was not filled in"),
        (dict(center=CENTER, size=(160.5, 20.0)), "is larger than the 160 x 120 image, expected at most its sides"),
        (dict(center=CENTER, size=(20.0, 121.0)), "is larger than the 160 x 120 image"),
        (dict(center=CENTER, size=(1e300, 1e300)), "is larger than the 160 x 120 image"),
        (dict(center=CENTER, theta=0.1), "theta is 0.1 rad, expected 0; give the upright box"),
        (dict(center=CENTER, theta=-0.1), "theta is -0.1 rad, expected 0; give the upright box"),
        (dict(center=CENTER, normalized=True), "has normalized set, expected values in 0..1"),
        (dict(center=(0.5, 0.5), size=(0.1, -0.1), normalized=True), "has normalized set"),
        (dict(center=(0.5, 0.4), size=(0.3, 0.2)), "looks like fractions of the image, expected pixels"),
        (dict(center=(0.5, 0.5), size=(1.0, 1.0)), "set normalized to true (in Python True itself"),
        (dict(center=(-0.1, 0.5), size=(0.5, 0.5)), "looks like fractions of the image"),
    ],
)
def test_a_box_that_cannot_be_a_target_is_refused_in_the_words_of_a_bbox(fields, words):
    request = init_request(**{"size": (20.0, 20.0), **fields})
    check_numbers(request)
    with pytest.raises(InvalidInputError) as error:
        box_from_request(request, SIZE_WH)
    message = str(error.value)
    assert words in message and "expected" in message
    assert "x, y, width, height" not in message


@pytest.mark.parametrize(
    "fields, box_xywh",
    [
        (dict(center=CENTER), (70, 50, 20, 20)),
        (dict(center=CENTER, size=(160.0, 120.0)), (0, 0, 160, 120)),
        (dict(center=CENTER, size=(1.0, 1.0)), (79.5, 59.5, 1, 1)),
        (dict(center=(0.0, 60.0)), (-10, 50, 20, 20)),
        (dict(center=(169.0, 129.0)), (159, 119, 20, 20)),
        (dict(center=(1.5, 1.0), size=(1.0, 1.0)), (1, 0.5, 1, 1)),
        (dict(center=CENTER, theta=-0.0), (70, 50, 20, 20)),
        (dict(center=(0.5, 0.5), size=(0.125, 0.25), normalized=True), (70, 45, 20, 30)),
        (dict(center=(0.5, 0.5), size=(1.0, 1.0), normalized=True), (0, 0, 160, 120)),
        (dict(center=(0.0, 1.0), size=(0.5, 0.5), normalized=True), (-40, 90, 80, 60)),
    ],
)
def test_a_box_that_can_be_a_target_becomes_pixels(fields, box_xywh):
    request = init_request(**{"size": (20.0, 20.0), **fields})
    check_numbers(request)
    np.testing.assert_allclose(box_from_request(request, SIZE_WH), box_xywh)


COORDINATE = st.floats(-400, 400) | st.floats(allow_nan=False, allow_infinity=False) | st.floats(-1, 1)


@given(st.tuples(*[COORDINATE] * 4), st.booleans())
def test_what_is_taken_suits_every_tracker(box_cxcywh, normalized):
    request = init_request(box_cxcywh[:2], box_cxcywh[2:], normalized=normalized)
    try:
        check_numbers(request)
        box_xywh = box_from_request(request, SIZE_WH)
    except InvalidInputError:
        return
    check_box_xywh(box_xywh, SIZE_WH)
    assert (box_xywh[2:] <= SIZE_WH).all()


@pytest.mark.parametrize(
    "center, fields, words",
    [
        (CENTER, dict(size=(-20.0, 20.0)), "size -20 x 20 pixels is too small, expected at least 1 x 1"),
        (CENTER, dict(size=(-20.0, 60.0), theta=1.0), "size -20 x 60 pixels is too small"),
        (CENTER, dict(size=(0.5, 40.0), theta=1.0), "size 0.5 x 40 pixels is too small"),
        (CENTER, dict(size=(160.5, 20.0)), "is larger than the 160 x 120 image"),
        (CENTER, dict(size=(130.0, 20.0), theta=math.pi / 2), "size 20 x 130 pixels is larger than the 160 x 120"),
        ((170.0, 60.0), {}, "lies outside the 160 x 120 image"),
        ((0.0, 0.0), {}, "was not filled in"),
        ((0.5, 0.4), dict(size=(0.3, 0.2)), "looks like fractions of the image, expected pixels; multiply by"),
    ],
)
def test_a_detection_that_cannot_be_a_target_is_refused(center, fields, words):
    detection = make_detection(center, **fields)
    check_detection(detection)
    with pytest.raises(InvalidInputError, match="expected") as error:
        box_from_detection(detection, SIZE_WH)
    assert words in str(error.value) and "normalized" not in str(error.value)


@pytest.mark.parametrize(
    "size, theta, box_xywh",
    [
        ((20.0, 10.0), 0.0, (70, 55, 20, 10)),
        ((20.0, 10.0), math.pi / 2, (75, 50, 10, 20)),
        ((20.0, 10.0), -math.pi / 2, (75, 50, 10, 20)),
        ((20.0, 10.0), math.pi, (70, 55, 20, 10)),
        ((100.0, 20.0), math.pi * 40, (30, 50, 100, 20)),
        ((20.0, 20.0), math.pi / 4, (80 - 10 * 2**0.5, 60 - 10 * 2**0.5, 20 * 2**0.5, 20 * 2**0.5)),
    ],
)
def test_the_box_of_a_detection_holds_it_upright(size, theta, box_xywh):
    detection = make_detection(CENTER, size=size, theta=theta)
    check_detection(detection)
    np.testing.assert_allclose(box_from_detection(detection, SIZE_WH), box_xywh)


@pytest.mark.parametrize("score", [NAN, INF, 5e-324, 5.3e-315])
def test_a_score_that_no_detector_means_is_refused(score):
    with pytest.raises(InvalidInputError, match="hypothesis.score is .*, expected a finite number"):
        check_detection(make_detection(CENTER, ("person", 0.5), ("dog", score)))
