# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The node's messages: their classes, their boxes and stamps, and values formatted for people."""

import math
from types import SimpleNamespace

import numpy as np
from builtin_interfaces.msg import Duration, Time
from rclpy.clock import Clock
from std_msgs.msg import Header
from vision_msgs.msg import Detection2D, Detection2DArray, ObjectHypothesisWithPose

from siam_tracker_ros.errors import InvalidInputError, SiamTrackerError
from siam_tracker_ros.geometry import (
    check_box_xywh,
    cxcywh_to_xywh,
    normalized_to_pixels,
)
from siam_tracker_ros.msg import TrackerStatus
from siam_tracker_ros.result_messages import NANOSECONDS
from siam_tracker_ros.srv import InitTracker

RESULTS = SimpleNamespace(
    Detection2D=Detection2D,
    Detection2DArray=Detection2DArray,
    Duration=Duration,
    ObjectHypothesisWithPose=ObjectHypothesisWithPose,
    TrackerStatus=TrackerStatus,
)
"""The classes that `result_messages` makes messages of."""


def box_from_request(request: InitTracker.Request, size_wh: tuple[int, int]) -> np.ndarray:
    """Return the box of an InitTracker request as box_xywh in pixels of its image, float64 (4,).

    Args:
        request: the box is in pixels, or in fractions of the image's sides where `normalized` is set.
        size_wh: width and height of the image in pixels.

    Raises:
        InvalidInputError: the box is rotated, not finite, normalized but out of 0..1, under one pixel wide or high, or
            outside the image.
    """
    bbox = request.bbox
    if bbox.center.theta != 0.0:
        raise InvalidInputError(
            f"bbox.center.theta is {bbox.center.theta:g} rad, expected 0; give the upright box around the target"
        )
    box_cxcywh = np.array([bbox.center.position.x, bbox.center.position.y, bbox.size_x, bbox.size_y])
    if request.normalized:
        if not ((box_cxcywh >= 0) & (box_cxcywh <= 1)).all():  # false for NaN too
            shown = ", ".join(f"{value:g}" for value in box_cxcywh)
            raise InvalidInputError(
                f"bbox (centre x, centre y, width, height) is ({shown}) with normalized set, expected values "
                "in 0..1; divide by the image's width and height, or leave normalized unset for pixels"
            )
        box_cxcywh = normalized_to_pixels(box_cxcywh, size_wh)
    return check_box_xywh(cxcywh_to_xywh(box_cxcywh), size_wh)


def stamp_to_ns(stamp: Time) -> int:
    """Return a builtin_interfaces/Time in nanoseconds."""
    return stamp.sec * NANOSECONDS + stamp.nanosec


def ns_to_stamp(nanoseconds: int) -> Time:
    """Return nanoseconds as a builtin_interfaces/Time."""
    seconds, rest = divmod(nanoseconds, NANOSECONDS)
    return Time(sec=seconds, nanosec=rest)


def age_ns(clock: Clock, header: Header) -> int:
    """Return the time since a header's stamp in nanoseconds; negative for a stamp in the future."""
    return clock.now().nanoseconds - stamp_to_ns(header.stamp)


def format_stamp(stamp: Time) -> str:
    """Return a builtin_interfaces/Time in seconds, with nine decimals."""
    return f"{stamp.sec}.{stamp.nanosec:09d}"


def format_confidence(confidence: float) -> str:
    """Return a confidence with two decimals, "-" for NaN."""
    return "-" if math.isnan(confidence) else f"{confidence:.2f}"


def format_error(error: Exception) -> str:
    """Return the message of an error, with its type in front where this package does not raise it on purpose."""
    return str(error) if isinstance(error, SiamTrackerError) else f"{type(error).__name__}: {error}"
