# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The node's messages: their classes and stamps, requests, and values formatted for people."""

import math
from types import SimpleNamespace

import numpy as np
import numpy.typing as npt
from builtin_interfaces.msg import Duration, Time
from rclpy.clock import Clock
from std_msgs.msg import Header
from vision_msgs.msg import Detection2D, Detection2DArray, ObjectHypothesisWithPose

from siam_tracker_ros.errors import SiamTrackerError, is_out_of_memory, shortened
from siam_tracker_ros.geometry import xywh_to_cxcywh
from siam_tracker_ros.msg import Target, TrackerStatus
from siam_tracker_ros.result_messages import NANOSECONDS
from siam_tracker_ros.srv import InitTracker

_MAX_FOREIGN = 300  # characters of an error of another library

RESULTS = SimpleNamespace(
    Detection2D=Detection2D,
    Detection2DArray=Detection2DArray,
    Duration=Duration,
    ObjectHypothesisWithPose=ObjectHypothesisWithPose,
    Target=Target,
    TrackerStatus=TrackerStatus,
)
"""The classes that `result_messages` makes messages of."""


def init_request(header: Header | None, box_xywh: npt.ArrayLike, target_id: str = "") -> InitTracker.Request:
    """Return the request to start on a box, in pixels, in the image with a header."""
    request = InitTracker.Request(header=header, target_id=target_id)
    x, y, width, height = (float(v) for v in xywh_to_cxcywh(np.asarray(box_xywh, dtype=np.float64)))
    request.bbox.center.position.x, request.bbox.center.position.y = x, y
    request.bbox.size_x, request.bbox.size_y = width, height
    return request


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


def format_box(box_xywh: np.ndarray) -> str:
    """Return the size and the centre of a box, (4,) in pixels."""
    x, y, width, height = xywh_to_cxcywh(box_xywh)
    return f"the box of {width:.0f} x {height:.0f} pixels around ({x:.0f}, {y:.0f})"


def format_confidence(confidence: float) -> str:
    """Return a confidence with two decimals, "-" for NaN."""
    return "-" if math.isnan(confidence) else f"{confidence:.2f}"


def format_error(error: Exception) -> str:
    """Return the message of an error; where this package does not raise it on purpose, its type and its beginning."""
    if isinstance(error, SiamTrackerError):
        return str(error)
    text = f"{type(error).__name__}: {shortened(' '.join(str(error).split()), _MAX_FOREIGN)}".removesuffix(": ")
    if is_out_of_memory(error):
        text += "; no memory is left: end other programs, or lower frame_buffer_mb, max_targets or the images' size"
    return text
