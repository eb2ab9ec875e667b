# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The choice of the detection that a target is started on."""

from builtin_interfaces.msg import Time
from std_msgs.msg import Header
from vision_msgs.msg import Detection2D, Detection2DArray, ObjectHypothesisWithPose

from siam_tracker_ros.errors import shown
from siam_tracker_ros.node.requests import number_fault


def best_detection(msg: Detection2DArray, class_id: str, min_score: float) -> Detection2D | None:
    """Return the detection with the best score, the first of several; None if none passes.

    If none passes and a score is a number that no detector means, its detection is returned, to be refused with the
    reason: scores that a Python program sends as numpy.float32 would otherwise be passed over without a word.

    Args:
        msg: what a detector found in one image.
        class_id: class that passes; empty: any.
        min_score: lowest score that passes. A detection without results has the score 0 and no class.

    Returns:
        A Detection2D with the one result that passed. What its own header leaves empty is that of the array.
    """
    passing, faulty = [], []
    for detection in msg.detections:
        for result in detection.results or [ObjectHypothesisWithPose()]:
            hypothesis = result.hypothesis
            if class_id not in ("", hypothesis.class_id):
                continue
            if number_fault("score", hypothesis.score):
                faulty.append((detection, result))
            elif hypothesis.score >= min_score:
                passing.append((detection, result))
    if not passing and not faulty:
        return None
    detection, result = max(passing, key=lambda found: found[1].hypothesis.score) if passing else faulty[0]
    own = detection.header
    header = Header(
        stamp=msg.header.stamp if own.stamp == Time() else own.stamp, frame_id=own.frame_id or msg.header.frame_id
    )
    return Detection2D(header=header, results=[result], bbox=detection.bbox, id=detection.id)


def describe_detections(msg: Detection2DArray, max_shown: int = 5) -> str:
    """Return classes and scores of the first hypotheses, as "'person' 0.91, 'dog' 0.3"."""
    hypotheses = [result.hypothesis for detection in msg.detections for result in detection.results]
    first = [f"{shown(hypothesis.class_id)} {hypothesis.score:.3g}" for hypothesis in hypotheses[:max_shown]]
    more = len(hypotheses) - len(first)
    return ", ".join(first) + (f" and {more} more" if more else "")
