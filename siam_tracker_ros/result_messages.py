# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From an Observation to the messages about it, with the message classes of ROS or of a bag's library.

Each function takes `types`, an object with the message classes as attributes, and a std_msgs/Header.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from siam_tracker_ros.core.session import Observation
from siam_tracker_ros.geometry import corners_to_cxcywht, xywh_to_cxcywh

NANOSECONDS = 10**9
_DURATION_LIMIT = 2**31  # seconds; the message's field is int32


def make_detection(
    types: Any, header: Any, observation: Observation, target_id: str, class_id: str, rotated: bool = False
) -> Any:
    """Return the Detection2D of an Observation that has a box; the box is not clipped to the image.

    With `rotated`, the polygon of the Observation, if it has one, is the box: size_x and size_y along its own sides,
    center.theta in radians counter-clockwise on the screen as vision_msgs defines it, -pi/4..pi/4.
    """
    detection = types.Detection2D(header=header, id=target_id)
    result = types.ObjectHypothesisWithPose()
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


def make_detections(types: Any, header: Any, detections: Sequence[Any]) -> Any:
    """Return the Detection2DArray of one frame."""
    return types.Detection2DArray(header=header, detections=list(detections))


def make_status(
    types: Any,
    header: Any,
    observation: Observation,
    target_id: str,
    skipped: int,
    latency_ns: int,
    size_wh: tuple[int, int] = (0, 0),
) -> Any:
    """Return the TrackerStatus of one frame of `size_wh` pixels; `skipped` frames were dropped before it."""
    return types.TrackerStatus(
        header=header,
        state=int(observation.state),
        target_id=target_id,
        confidence=float(observation.confidence),
        peak_ratio=float(observation.peak_ratio),
        age=observation.age,
        frames_lost=observation.frames_lost,
        frames_skipped=skipped,
        updated=bool(observation.updated),
        latency=make_duration(types, latency_ns),
        inference_ms=observation.inference_ms,
        raw_score=float(observation.raw_score),
        candidates=observation.candidates,
        search_progress=float(observation.search_progress),
        redetections=observation.redetections,
        image_width=size_wh[0],
        image_height=size_wh[1],
    )


def make_duration(types: Any, nanoseconds: int) -> Any:
    """Return a Duration, clamped to the range of the message."""
    seconds, rest = divmod(nanoseconds, NANOSECONDS)
    return types.Duration(sec=max(-_DURATION_LIMIT, min(seconds, _DURATION_LIMIT - 1)), nanosec=rest)
