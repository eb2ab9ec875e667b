# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The values that clients send, in services, topics and parameters, checked field by field at the door."""

import math
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from geometry_msgs.msg import PointStamped
from sensor_msgs.msg import RegionOfInterest
from std_msgs.msg import Header
from vision_msgs.msg import BoundingBox2D, Detection2D

from siam_tracker_ros.core.monitor import TargetState
from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.geometry import cxcywh_to_xywh, cxcywht_to_cxcywh, normalized_to_pixels
from siam_tracker_ros.msg import Target
from siam_tracker_ros.node.messages import init_request
from siam_tracker_ros.result_messages import NANOSECONDS
from siam_tracker_ros.srv import InitTracker

_STATES = tuple(TargetState)
_RAY_TOLERANCE = 1e-3
_MAX_PREDICTION_S = 10


def number_fault(name: str, value: Any) -> str:
    """Return why a float cannot be what its client meant, "" where it can; values of other types can.

    ROS 2's messages in Python take any object for a float64 field and send eight bytes of it. They arrive as a number
    below the smallest normal one: 5e-324 for the integer 1, about 5e-315 for a numpy.float32; some as NaN.

    Args:
        name: name of the field or parameter, the beginning of the message.
        value: what has arrived.
    """
    if not isinstance(value, float) or value == 0 or sys.float_info.min <= abs(value) < math.inf:
        return ""
    return (
        f"{name} is {value:g}, expected a finite number that is 0 or of normal size; in Python write float(...) around "
        "the value, because an int or a numpy.float32 in this field is sent as another number"
    )


def box_from_request(request: InitTracker.Request, size_wh: tuple[int, int]) -> np.ndarray:
    """Return the box of an InitTracker request as box_xywh in pixels of its image, float64 (4,).

    Args:
        request: checked by `check_numbers`; the box is in pixels, or in fractions of the image's sides where
            `normalized` is set.
        size_wh: width and height of the image in pixels.

    Raises:
        InvalidInputError: the box is rotated, in fractions where it should be in pixels or the other way round, without
            its centre, under one pixel wide or high, larger than the image, or outside of it.
    """
    bbox = request.bbox
    if bbox.center.theta != 0:
        raise InvalidInputError(
            f"bbox.center.theta is {bbox.center.theta:g} rad, expected 0; give the upright box around the target"
        )
    box_cxcywh = _in_pixels(request, size_wh)
    _check_sides(box_cxcywh)
    _check_place(box_cxcywh, size_wh)
    return cxcywh_to_xywh(box_cxcywh)


def point_from_request(request: InitTracker.Request, size_wh: tuple[int, int]) -> np.ndarray:
    """Return the centre of an InitTracker request without a size in pixels of its image, float64 (2,).

    Args:
        request: as for `box_from_request`.
        size_wh: width and height of the image in pixels.

    Raises:
        InvalidInputError: there is a size, or the point is in fractions where it should be in pixels or the other way
            round, or missing; whether it lies in the image is not checked.
    """
    bbox = request.bbox
    if bbox.size_x != 0 or bbox.size_y != 0:
        raise InvalidInputError(
            f"bbox has the size {bbox.size_x:g} x {bbox.size_y:g}, expected 0 x 0, as the box around a point is to be "
            "found; call ~/init to start on a box"
        )
    return _in_pixels(request, size_wh)[:2]


def request_from_roi(roi: RegionOfInterest) -> InitTracker.Request:
    """Return the request for ~/init to start on a region of the newest image.

    Raises:
        InvalidInputError: the region is that of an image before it was rectified, or is empty.
    """
    shown = f"region of {roi.width} x {roi.height} pixels at ({roi.x_offset}, {roi.y_offset})"
    if roi.do_rectify:
        raise InvalidInputError(
            f"{shown} has do_rectify set, expected false; give the region in the pixels of the image that is tracked"
        )
    if 0 in (roi.width, roi.height):
        raise InvalidInputError(
            f"{shown} is empty, expected at least 1 x 1 pixels; 0 x 0 stands for the whole image in a camera_info, but "
            "that is no target"
        )
    return init_request(Header(), (roi.x_offset, roi.y_offset, roi.width, roi.height))


def request_from_point(msg: PointStamped) -> InitTracker.Request:
    """Return the request for ~/init_point to start at a point of an image.

    Raises:
        InvalidInputError: see `check_numbers`; or the point has a depth, which pixels do not have.
    """
    check_numbers(msg)
    if msg.point.z != 0:
        raise InvalidInputError(
            f"point.z is {msg.point.z:g}, expected 0; point.x and point.y are pixels of the image, not a place in space"
        )
    return init_request(msg.header, (msg.point.x, msg.point.y, 0, 0))


def box_from_detection(detection: Detection2D, size_wh: tuple[int, int]) -> np.ndarray:
    """Return the box of a Detection2D as box_xywh in pixels of its image, float64 (4,).

    Of a rotated box it is the upright box that holds it.

    Args:
        detection: checked by `check_detection`.
        size_wh: width and height of the image in pixels.

    Raises:
        InvalidInputError: the box is in fractions, without its centre, under one pixel wide or high, larger than the
            image, or outside of it.
    """
    box_cxcywh = _read_bbox(detection.bbox)
    if _looks_normalized(box_cxcywh):
        raise InvalidInputError(
            f"{_show(box_cxcywh)} looks like fractions of the image, expected pixels; multiply by the image's width "
            "and height"
        )
    _check_sides(box_cxcywh)
    clockwise = -detection.bbox.center.theta  # vision_msgs counts the other way
    box_cxcywh = cxcywht_to_cxcywh([*box_cxcywh, clockwise])
    _check_place(box_cxcywh, size_wh)
    return cxcywh_to_xywh(box_cxcywh)


def check_numbers(msg: Any) -> None:
    """Check every number in a message and in the messages in it.

    Raises:
        InvalidInputError: a float is not finite or subnormal, or the nanoseconds of a stamp make a second or more.
    """
    for name, value in _leaves(msg):
        if fault := number_fault(name, value):
            raise InvalidInputError(fault)
        if name.endswith("stamp.nanosec") and value >= NANOSECONDS:
            raise InvalidInputError(f"{name} is {value}, expected below {NANOSECONDS}; put whole seconds into sec")


def check_target(msg: Target) -> None:
    """Check what a follower reads of a Target.

    Raises:
        InvalidInputError: its state is none, its ray is neither a unit vector nor NaN, its height is no angle, or it is
            predicted for another time than soon after the image.
    """
    if msg.state not in _STATES:
        known = ", ".join(f"{state.value} ({state.name})" for state in _STATES)
        raise InvalidInputError(f"state is {msg.state}, expected one of {known}")
    ray = np.array([msg.ray.x, msg.ray.y, msg.ray.z])
    with np.errstate(all="ignore"):
        is_unit = abs(np.linalg.norm(ray) - 1) <= _RAY_TOLERANCE
    if not is_unit and not np.isnan(ray).all():
        raise InvalidInputError(
            "ray is ({:g}, {:g}, {:g}), expected a unit vector, or NaN where no direction is known".format(*ray)
        )
    height = msg.angular_height
    is_angle = 0 <= height <= math.pi and not number_fault("angular_height", height)
    if not is_angle and not math.isnan(height):
        raise InvalidInputError(f"angular_height is {height:g}, expected 0 to pi, or NaN where it is not known")
    if not 0 <= msg.prediction.sec < _MAX_PREDICTION_S:
        raise InvalidInputError(
            f"prediction is {msg.prediction.sec} s, expected 0 to {_MAX_PREDICTION_S}; check the publisher"
        )


def check_detection(detection: Detection2D) -> None:
    """Check every number in a Detection2D that a target is started by; the poses are not used.

    Raises:
        InvalidInputError: see `check_numbers`.
    """
    check_numbers(detection)
    for result in detection.results:
        if fault := number_fault("hypothesis.score", result.hypothesis.score):
            raise InvalidInputError(fault)


def _leaves(msg: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted name and the value of each plain field of a message."""
    for name in msg.get_fields_and_field_types():
        value = getattr(msg, name)
        if hasattr(value, "get_fields_and_field_types"):
            yield from _leaves(value, f"{place}{name}.")
        else:
            yield place + name, value


def _in_pixels(request: InitTracker.Request, size_wh: tuple[int, int]) -> np.ndarray:
    """Return the bbox of a request as box_cxcywh in pixels, float64 (4,), after a check of its unit."""
    box_cxcywh = _read_bbox(request.bbox)
    shown = _show(box_cxcywh)
    if request.normalized:
        if not ((box_cxcywh >= 0) & (box_cxcywh <= 1)).all():
            raise InvalidInputError(
                f"{shown} has normalized set, expected values in 0..1; divide by the image's width and height, or "
                "leave normalized unset for pixels"
            )
        return normalized_to_pixels(box_cxcywh, size_wh)
    if _looks_normalized(box_cxcywh):
        raise InvalidInputError(
            f"{shown} looks like fractions of the image, expected pixels as normalized is not set; set normalized to "
            "true (in Python True itself, because 1 and numpy.bool_ are sent as false), or multiply by the image's "
            "width and height"
        )
    return box_cxcywh


def _read_bbox(bbox: BoundingBox2D) -> np.ndarray:
    """Return centre and size of a bbox, float64 (4,), after a check that the centre was filled in."""
    box_cxcywh = np.array([bbox.center.position.x, bbox.center.position.y, bbox.size_x, bbox.size_y])
    if not box_cxcywh[:2].any():
        raise InvalidInputError(
            f"{_show(box_cxcywh)} has the centre of a bbox that was not filled in, expected the middle of the target; "
            "set bbox.center.position.x and y"
        )
    return box_cxcywh


def _show(box_cxcywh: np.ndarray) -> str:
    return "bbox with centre ({:g}, {:g}) and size {:g} x {:g}".format(*box_cxcywh)


def _looks_normalized(box_cxcywh: np.ndarray) -> bool:
    return bool((np.abs(box_cxcywh) <= 1).all() and (box_cxcywh[2:] >= 0).all())


def _check_sides(box_cxcywh: np.ndarray) -> None:
    """Check the smallest size of a box in pixels."""
    if (box_cxcywh[2:] < 1).any():
        raise InvalidInputError(
            f"{_show(box_cxcywh)} pixels is too small, expected at least 1 x 1; set bbox.size_x and size_y to the "
            "whole width and height"
        )


def _check_place(box_cxcywh: np.ndarray, size_wh: tuple[int, int]) -> None:
    """Check that a tracker can start on an upright box in pixels, in the words of a bbox: centre and size."""
    x, y, box_width, box_height = box_cxcywh
    width, height = size_wh
    shown = f"{_show(box_cxcywh)} pixels"
    if box_width > width or box_height > height:
        raise InvalidInputError(
            f"{shown} is larger than the {width} x {height} image, expected at most its sides; check that the box was "
            "drawn in this image, and cut off what lies outside"
        )
    if not (abs(x - width / 2) < (width + box_width) / 2 and abs(y - height / 2) < (height + box_height) / 2):
        raise InvalidInputError(
            f"{shown} lies outside the {width} x {height} image, expected an overlap; check that the box was drawn in "
            "this image, and that bbox.center is its middle, not a corner"
        )
