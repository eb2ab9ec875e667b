# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest
from cli_testing import BoxThatStays

from siam_tracker_ros.core import registry
from siam_tracker_ros.frames import VideoSink


@pytest.fixture
def created(monkeypatch):
    """Put a double in place of every model; the list collects what create_tracker was asked for."""
    asked = []

    def create_tracker(name, **options):
        asked.append({"name": name, **options})
        return BoxThatStays()

    monkeypatch.setattr(registry, "create_tracker", create_tracker)
    return asked


@pytest.fixture
def video(tmp_path):
    path = tmp_path / "clip.avi"
    with VideoSink(path, fps=10) as sink:
        for level in range(30):
            sink.write(np.full((48, 64, 3), level, np.uint8))
    return path


@pytest.fixture
def sequences(tmp_path):
    for name in ("bike", "walk"):
        (tmp_path / "data" / name / "img").mkdir(parents=True)
        for i in range(4):
            cv2.imwrite(str(tmp_path / "data" / name / "img" / f"{i}.png"), np.zeros((48, 64, 3), np.uint8))
        (tmp_path / "data" / name / "groundtruth.txt").write_text("10,8,20,16\n" * 4)
    return tmp_path / "data"
