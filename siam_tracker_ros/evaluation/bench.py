# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How fast trackers are, timed in turns on the same frames: a busy machine slows all of them alike."""

import dataclasses
import math
import time

import cv2
import numpy as np

from siam_tracker_ros.core.tracker import TrackResult
from siam_tracker_ros.errors import InvalidSettingError

BASELINES = {"csrt": "TrackerCSRT", "kcf": "TrackerKCF", "mil": "TrackerMIL"}
TURN_FRAMES = 10
MAX_WARM_UP = 0.25  # share of the frames of a tracker that the time limit stopped


@dataclasses.dataclass(frozen=True, eq=False)
class Timing:
    """Time that a tracker took for each of its frames.

    Attributes:
        track_ms: float64 (N,), time inside `track`.
        boxes_xywh: float64 (N, 4), what it answered.
    """

    track_ms: np.ndarray
    boxes_xywh: np.ndarray

    @property
    def frames_per_s(self):
        return 1e3 / float(self.track_ms.mean())

    def percentile_ms(self, percent):
        return float(np.percentile(self.track_ms, percent))


class OpenCvTracker:
    """One of OpenCV's own trackers behind `init` and `track`; a lost target is NaN with score 0."""

    def __init__(self, name):
        if name not in BASELINES:
            raise InvalidSettingError(f"baseline is {name!r}, expected one of {', '.join(BASELINES)}")
        if not hasattr(cv2, BASELINES[name]):
            raise InvalidSettingError(
                f"baseline {name} needs cv2.{BASELINES[name]}, which OpenCV {cv2.__version__} here lacks; "
                "install opencv-contrib-python-headless in place of the OpenCV package that is installed"
            )
        self._create = getattr(cv2, BASELINES[name]).create

    def init(self, image_bgr, box_xywh):
        self._tracker = self._create()
        self._tracker.init(image_bgr, tuple(int(round(value)) for value in box_xywh))

    def track(self, image_bgr):
        found, box = self._tracker.update(image_bgr)
        return TrackResult(np.array(box if found else [np.nan] * 4, dtype=np.float64), score=float(found))


def time_in_turns(trackers, frames_bgr, box_xywh, warm_up=0, on_frame=lambda: None, limit_s=math.inf, rest_s=0.0):
    """Let several trackers follow the same target, ten frames each in turn.

    Args:
        trackers: mapping of name to a tracker with `init(image_bgr, box_xywh)` and `track(image_bgr)`.
        frames_bgr: list of frames, uint8 (H, W, 3).
        box_xywh: the target in the first frame.
        warm_up: number of frames after the first whose times are left out; of a tracker that the limit stops, at most
            a quarter of its frames.
        on_frame: called for every frame of every tracker.
        limit_s: a tracker that has taken so many seconds begins no further frame.
        rest_s: seconds of rest before each turn, in which threads of the tracker before it that still spin go to sleep.

    Returns:
        A dictionary of name to Timing, whose times begin after the warm-up and whose boxes begin at frame 1.
    """
    if len(frames_bgr) < warm_up + 2:
        raise InvalidSettingError(
            f"clip has {len(frames_bgr)} frames, expected at least {warm_up + 2} with {warm_up} to warm up"
        )
    order = list(trackers)
    times, boxes = ({name: [] for name in order} for _ in range(2))
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
        order.append(order.pop(0))  # nobody always comes after the same neighbour
    timings = {}
    for name in trackers:
        stopped = len(times[name]) < len(frames_bgr) - 1
        left_out = min(warm_up, int(MAX_WARM_UP * len(times[name]))) if stopped else warm_up
        timings[name] = Timing(np.array(times[name][left_out:]), np.array(boxes[name], dtype=np.float64))
    return timings
