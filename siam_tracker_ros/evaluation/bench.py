# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Speed of trackers, timed in turns on the same frames, so that a busy machine slows all of them alike."""

import dataclasses
import math
import time
from collections.abc import Callable, Mapping, Sequence

import cv2
import numpy as np

from siam_tracker_ros.core.tracker import TrackResult
from siam_tracker_ros.errors import InvalidSettingError
from siam_tracker_ros.evaluation.tracker import SequenceTracker

BASELINES = {"csrt": "TrackerCSRT", "kcf": "TrackerKCF", "mil": "TrackerMIL"}
TURN_FRAMES = 10
MAX_WARM_UP = 0.25  # share of the frames of a tracker that the time limit stopped; others have the full warm-up


@dataclasses.dataclass(frozen=True, eq=False)
class Timing:
    """Time that a tracker took for each frame.

    Attributes:
        track_ms: float64 (N,), time inside `track`.
        boxes_xywh: float64 (M, 4), the predicted boxes.
    """

    track_ms: np.ndarray
    boxes_xywh: np.ndarray

    @property
    def frames_per_s(self) -> float:
        """Mean frame rate."""
        return 1e3 / float(self.track_ms.mean())

    def percentile_ms(self, percent: float) -> float:
        """Time that this percentage of the frames, 0..100, did not exceed."""
        return float(np.percentile(self.track_ms, percent))


class OpenCvTracker:
    """One of OpenCV's own trackers as a SequenceTracker; a lost target is NaN with score 0.

    Args:
        name: one of BASELINES.

    Raises:
        InvalidSettingError: an unknown name, or a tracker that the installed OpenCV lacks.
    """

    def __init__(self, name: str) -> None:
        if name not in BASELINES:
            raise InvalidSettingError(f"baseline is {name!r}, expected one of {', '.join(BASELINES)}")
        if not hasattr(cv2, BASELINES[name]):
            raise InvalidSettingError(
                f"baseline {name} needs cv2.{BASELINES[name]}, which OpenCV {cv2.__version__} here lacks; "
                "install opencv-contrib-python-headless in place of the OpenCV package that is installed"
            )
        self._create = getattr(cv2, BASELINES[name]).create

    def init(self, image_bgr: np.ndarray, box_xywh: Sequence[float] | np.ndarray) -> None:
        """Start on the target in a box (4,), rounded to whole pixels."""
        self._tracker = self._create()
        self._tracker.init(image_bgr, tuple(int(round(value)) for value in box_xywh))

    def track(self, image_bgr: np.ndarray) -> TrackResult:
        """Find the target in the next frame."""
        found, box = self._tracker.update(image_bgr)
        return TrackResult(np.array(box if found else [np.nan] * 4, dtype=np.float64), score=float(found))


def time_in_turns(
    trackers: Mapping[str, SequenceTracker],
    frames_bgr: Sequence[np.ndarray],
    box_xywh: Sequence[float] | np.ndarray,
    warm_up: int = 0,
    on_frame: Callable[[], object] = lambda: None,
    limit_s: float = math.inf,
    rest_s: float = 0.0,
) -> dict[str, Timing]:
    """Let several trackers track the same target, in turns of ten frames.

    Args:
        trackers: mapping of name to tracker.
        frames_bgr: frames, uint8 (H, W, 3).
        box_xywh: the target in the first frame.
        warm_up: number of frames after the first whose times are left out; of a tracker that the limit stops, at most
            a quarter of its frames.
        on_frame: called for every frame of every tracker.
        limit_s: a tracker that has taken this many seconds begins no further frame.
        rest_s: seconds of rest before each turn, in which spinning threads of the previous tracker go to sleep.

    Returns:
        A dictionary of name to Timing. Its times begin after the warm-up, its boxes at frame 1.

    Raises:
        InvalidSettingError: there are too few frames for the warm-up.
    """
    if len(frames_bgr) < warm_up + 2:
        raise InvalidSettingError(
            f"clip has {len(frames_bgr)} frames, expected at least {warm_up + 2} for a warm-up of {warm_up}"
        )
    order = list(trackers)
    times: dict[str, list[float]] = {name: [] for name in order}
    boxes: dict[str, list[np.ndarray]] = {name: [] for name in order}
    spent_s = dict.fromkeys(order, 0.0)
    for tracker in trackers.values():
        tracker.init(frames_bgr[0], box_xywh)
    for begin in range(1, len(frames_bgr), TURN_FRAMES):
        for name in order:
            time.sleep(rest_s)
            for image_bgr in frames_bgr[begin : begin + TURN_FRAMES]:
                if spent_s[name] < limit_s:
                    start = time.perf_counter()
                    result = trackers[name].track(image_bgr)
                    took_s = time.perf_counter() - start
                    spent_s[name] += took_s
                    times[name].append(1e3 * took_s)
                    boxes[name].append(result.box_xywh)
                on_frame()
        order.append(order.pop(0))  # no tracker always runs after the same one
    timings = {}
    for name in trackers:
        stopped = len(times[name]) < len(frames_bgr) - 1
        left_out = min(warm_up, int(MAX_WARM_UP * len(times[name]))) if stopped else warm_up
        timings[name] = Timing(np.array(times[name][left_out:]), np.array(boxes[name], dtype=np.float64))
    return timings
