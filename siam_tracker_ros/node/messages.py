# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Between boxes and observations on the one side and the node's messages on the other."""

import math

import numpy as np
from builtin_interfaces.msg import Duration
from vision_msgs.msg import Detection2D, Detection2DArray, ObjectHypothesisWithPose

from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.geometry import (
    check_box_xywh,
    corners_to_cxcywht,
    cxcywh_to_xywh,
    normalized_to_pixels,
    xywh_to_cxcywh,
)
from siam_tracker_ros.msg import TrackerStatus

NANOSECONDS = 10**9
_DURATION_LIMIT = 2**31  # seconds in a message are int32


def box_from_request(request, size_wh):
    """Return the box of an InitTracker request as box_xywh in pixels of its image, float64 (4,).

    Raises:
        InvalidInputError: the box is rotated, not finite, out of 0..1 where it should be normalized, under one pixel
            wide or high, or off the image.
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


def make_detection(header, observation, target_id, class_id, rotated=False):
    """Return the Detection2D of an Observation that has a box; the box is not clipped to the image.

    Where `rotated` is set and the Observation has a polygon, the box is that one: size_x and size_y along its own
    sides, center.theta in radians from the image's x axis (right) towards its y axis (down), -pi/4..pi/4.
    """
    detection = Detection2D(header=header, id=target_id)
    result = ObjectHypothesisWithPose()
    result.hypothesis.class_id = class_id
    result.hypothesis.score = float(observation.confidence)
    detection.results = [result]
    if rotated and observation.polygon is not None:
        box_cxcywht = corners_to_cxcywht(observation.polygon)
    else:
        box_cxcywht = [*xywh_to_cxcywh(observation.box_xywh), 0.0]
    x, y, width, height, theta = (float(value) for value in box_cxcywht)
    detection.bbox.center.position.x, detection.bbox.center.position.y = x, y
    detection.bbox.center.theta = theta
    detection.bbox.size_x, detection.bbox.size_y = width, height
    return detection


def make_detections(header, detection):
    """Return the Detection2DArray of one frame; `detection` is a Detection2D or None."""
    return Detection2DArray(header=header, detections=[] if detection is None else [detection])


def make_status(header, observation, target_id, skipped, latency_ns):
    """Return the TrackerStatus of one frame."""
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


def make_duration(nanoseconds):
    """Return a Duration, at the ends of its range where the value lies outside."""
    seconds, rest = divmod(nanoseconds, NANOSECONDS)
    return Duration(sec=max(-_DURATION_LIMIT, min(seconds, _DURATION_LIMIT - 1)), nanosec=rest)


def stamp_to_ns(stamp):
    """Return a builtin_interfaces/Time in nanoseconds."""
    return stamp.sec * NANOSECONDS + stamp.nanosec


def format_stamp(stamp):
    """Return a builtin_interfaces/Time in seconds with all its digits."""
    return f"{stamp.sec}.{stamp.nanosec:09d}"


def format_confidence(confidence):
    """Return a confidence for people; '-' where there is none."""
    return "-" if math.isnan(confidence) else f"{confidence:.2f}"
