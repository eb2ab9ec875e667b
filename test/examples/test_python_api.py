# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import re

import numpy as np
import pytest
from example_modules import load_example

from siam_tracker_ros.frames import VideoSink
from siam_tracker_ros.geometry import iou_xywh

SIDE = 48
LINE = re.compile(r" *(\d+) (\w+) +confidence ([\d.]+)(?: box ([-\d.,]+))?")


@pytest.fixture
def clip(tmp_path):
    """A video of a patterned square that moves over a plain background and then is gone; its path and its boxes."""
    pattern = np.random.default_rng(0).integers(0, 255, (6, 6, 3), dtype=np.uint8)
    patch = np.kron(pattern, np.ones((SIDE // 6, SIDE // 6, 1), np.uint8))
    boxes = [(60 + 3 * number, 80, SIDE, SIDE) for number in range(8)]
    with VideoSink(tmp_path / "clip.mp4", fps=10) as sink:
        for x, y, *_ in boxes:
            image_bgr = np.full((240, 320, 3), 120, np.uint8)
            image_bgr[y : y + SIDE, x : x + SIDE] = patch
            sink.write(image_bgr)
        for _ in range(14):
            sink.write(np.full((240, 320, 3), 120, np.uint8))
    return tmp_path / "clip.mp4", boxes


def test_it_prints_the_box_of_each_frame_and_says_when_the_target_is_lost(clip, capsys):
    path, boxes = clip
    load_example("python_api").main([str(path), ",".join(str(value) for value in boxes[0])])
    lines = [LINE.fullmatch(line) for line in capsys.readouterr().out.splitlines()]
    assert [int(line[1]) for line in lines] == list(range(1, len(boxes) + 14))
    for line, box_xywh in zip(lines, boxes[1:]):
        assert line[2] == "TRACKING" and float(line[3]) > 0.3
        assert iou_xywh([float(value) for value in line[4].split(",")], box_xywh) > 0.7
    assert lines[-1][2] == "LOST" and lines[-1][4] is None
