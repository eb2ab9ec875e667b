# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From an Observation to the messages about it, with the message classes of ROS or of a bag's library.

Each function takes `types`, an object with the message classes as attributes, and a std_msgs/Header.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from siam_tracker_ros.control.target_motion import TargetEstimate
from siam_tracker_ros.core.session import Observation

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
    _fill_bbox(detection.bbox, observation.box_cxcywht(rotated))
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
    size_wh: tuple[int, int] | None = None,
    is_heartbeat: bool = False,
) -> Any:
    """Return the TrackerStatus of one frame of a size, or a heartbeat after it; see the message for its fields.

    Args:
        types, header: see the module.
        observation: what the frame says of the target.
        target_id: its name.
        skipped: frames that were dropped before this one.
        latency_ns: from the frame's stamp to publishing.
        size_wh: width and height of the frame; None if it was not looked at.
        is_heartbeat: whether it repeats what was known, as no frame has come.
    """
    width, height = (0, 0) if size_wh is None else size_wh
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
        is_heartbeat=is_heartbeat,
        image_width=width,
        image_height=height,
    )


def make_target(
    types: Any,
    header: Any,
    observation: Observation,
    target_id: str,
    estimate: TargetEstimate,
    latency_ns: int,
    rotated: bool = False,
) -> Any:
    """Return the Target of one frame.

    Args:
        types, header: see the module.
        observation: what the frame says of the target.
        target_id: its name.
        estimate: what is known of its direction and motion.
        latency_ns: from the frame's stamp to publishing.
        rotated: see make_detection.
    """
    target = types.Target(
        header=header,
        target_id=target_id,
        state=int(observation.state),
        confidence=float(observation.confidence),
        age=observation.age,
        latency=make_duration(types, latency_ns),
        prediction=make_duration(types, estimate.lead_ns),
        is_metric=estimate.is_metric,
        image_velocity_covariance=np.ravel(estimate.image_velocity_covariance).astype(np.float64),
        angular_width=float(estimate.angular_size[0]),
        angular_height=float(estimate.angular_size[1]),
        angular_velocity_covariance=np.ravel(estimate.angular_velocity_covariance).astype(np.float64),
    )
    _fill_bbox(target.bbox, np.concatenate([estimate.center_xy, observation.box_cxcywht(rotated)[2:]]))
    target.image_velocity.x, target.image_velocity.y = estimate.image_velocity.tolist()
    fill_xyz(target.ray, estimate.ray)
    fill_xyz(target.angular_velocity, estimate.angular_velocity)
    return target


def fill_xyz(msg: Any, vector: np.ndarray) -> Any:
    """Fill a Vector3 or Point from an array (3,) and return it."""
    msg.x, msg.y, msg.z = (float(value) for value in vector)
    return msg


def _fill_bbox(bbox: Any, box_cxcywht: np.ndarray) -> None:
    """Fill a BoundingBox2D from a box (5,); vision_msgs counts theta counter-clockwise on the screen."""
    x, y, bbox.size_x, bbox.size_y, clockwise = (float(value) for value in box_cxcywht)
    bbox.center.position.x, bbox.center.position.y = x, y
    bbox.center.theta = -clockwise + 0.0  # an upright box has 0, not -0


def make_duration(types: Any, nanoseconds: int) -> Any:
    """Return a Duration, clamped to the range of the message."""
    seconds, rest = divmod(nanoseconds, NANOSECONDS)
    return types.Duration(sec=max(-_DURATION_LIMIT, min(seconds, _DURATION_LIMIT - 1)), nanosec=rest)
