# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Conversion of observations to the node's messages, and values formatted for people."""

import math

import numpy as np
from builtin_interfaces.msg import Duration, Time
from rclpy.clock import Clock
from std_msgs.msg import Header
from vision_msgs.msg import Detection2D, Detection2DArray, ObjectHypothesisWithPose

from siam_tracker_ros.core.session import Observation
from siam_tracker_ros.errors import SiamTrackerError
from siam_tracker_ros.geometry import corners_to_cxcywht, xywh_to_cxcywh
from siam_tracker_ros.msg import TrackerStatus

NANOSECONDS = 10**9
_DURATION_LIMIT = 2**31  # seconds; the message's field is int32


def make_detection(
    header: Header, observation: Observation, target_id: str, class_id: str, rotated: bool = False
) -> Detection2D:
    """Return the Detection2D of an Observation that has a box; the box is not clipped to the image.

    With `rotated`, the polygon of the Observation, if it has one, is the box: size_x and size_y along its own sides,
    center.theta in radians counter-clockwise on the screen as vision_msgs defines it, -pi/4..pi/4.
    """
    detection = Detection2D(header=header, id=target_id)
    result = ObjectHypothesisWithPose()
    result.hypothesis.class_id = class_id
    result.hypothesis.score = float(observation.confidence)
    detection.results = [result]
    if rotated and observation.polygon is not None:
        x, y, width, height, clockwise = (float(value) for value in corners_to_cxcywht(observation.polygon))
        detection.bbox.center.theta = -clockwise
    else:
        x, y, width, height = (float(value) for value in xywh_to_cxcywh(np.asarray(observation.box_xywh)))
    detection.bbox.center.position.x, detection.bbox.center.position.y = x, y
    detection.bbox.size_x, detection.bbox.size_y = width, height
    return detection


def make_detections(header: Header, detection: Detection2D | None) -> Detection2DArray:
    """Return the Detection2DArray of one frame, empty without a detection."""
    return Detection2DArray(header=header, detections=[] if detection is None else [detection])


def make_status(
    header: Header, observation: Observation, target_id: str, skipped: int, latency_ns: int
) -> TrackerStatus:
    """Return the TrackerStatus of one frame; `skipped` frames were dropped before it."""
    return TrackerStatus(
        header=header,
        state=int(observation.state),
        target_id=target_id,
        confidence=float(observation.confidence),
        peak_ratio=float(observation.peak_ratio),
        age=observation.age,
        frames_lost=observation.frames_lost,
        frames_skipped=skipped,
        updated=bool(observation.updated),
        latency=make_duration(latency_ns),
        inference_ms=observation.inference_ms,
    )


def make_duration(nanoseconds: int) -> Duration:
    """Return a Duration, clamped to the range of the message."""
    seconds, rest = divmod(nanoseconds, NANOSECONDS)
    return Duration(sec=max(-_DURATION_LIMIT, min(seconds, _DURATION_LIMIT - 1)), nanosec=rest)


def stamp_to_ns(stamp: Time) -> int:
    """Return a builtin_interfaces/Time in nanoseconds."""
    return stamp.sec * NANOSECONDS + stamp.nanosec


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
