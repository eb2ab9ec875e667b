# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest
from cli_testing import BoxThatStays

from siam_tracker_ros.errors import InvalidSettingError
from siam_tracker_ros.evaluation.bench import TURN_FRAMES, OpenCvTracker, time_in_turns

BOX = (10.0, 8.0, 20.0, 16.0)


def test_every_tracker_sees_every_frame_once_and_in_order():
    class Recorder(BoxThatStays):
        def __init__(self):
            super().__init__()
            self.seen = []

        def track(self, image_bgr):
            self.seen.append(int(image_bgr[0, 0, 0]))
            return super().track(image_bgr)

    frames = [np.full((48, 64, 3), i, np.uint8) for i in range(2 * TURN_FRAMES + 4)]
    trackers = {"a": Recorder(), "b": Recorder(), "c": Recorder()}
    timings = time_in_turns(trackers, frames, BOX, warm_up=2)
    for name, tracker in trackers.items():
        assert tracker.seen == list(range(1, len(frames)))
        assert timings[name].track_ms.shape == (len(frames) - 3,)
        assert timings[name].boxes_xywh.shape == (len(frames) - 1, 4)
    with pytest.raises(InvalidSettingError, match="clip has 24 frames, expected at least 30"):
        time_in_turns(trackers, frames, BOX, warm_up=28)


def test_a_slow_tracker_gets_fewer_frames():
    class Slow(BoxThatStays):
        def track(self, image_bgr):
            clock.append(clock[-1] + 0.5)
            return super().track(image_bgr)

    clock = [0.0]
    frames = [np.zeros((48, 64, 3), np.uint8)] * 31
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("siam_tracker_ros.evaluation.bench.time.perf_counter", lambda: clock[-1])
        trackers = {"slow": Slow(), "fast": BoxThatStays()}
        seen = []
        timings = time_in_turns(trackers, frames, BOX, warm_up=20, on_frame=lambda: seen.append(1), limit_s=4.0)
    assert len(timings["slow"].boxes_xywh) == 8 and timings["slow"].track_ms.tolist() == [500.0] * 6
    assert len(timings["fast"].boxes_xywh) == 30 and len(timings["fast"].track_ms) == 10
    assert len(seen) == 60, "a progress bar counts the frames that are left out as well"


def test_a_baseline_that_opencv_lacks_is_named(monkeypatch):
    monkeypatch.delattr(cv2, "TrackerCSRT", raising=False)
    with pytest.raises(InvalidSettingError, match="csrt needs cv2.TrackerCSRT.*opencv-contrib"):
        OpenCvTracker("csrt")
