# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the tests of the demo share."""

import re

import cv2
import pytest

from siam_tracker_ros.demo.scene import Scene

SUMMARY = re.compile(
    r"demo summary: mean_iou=(?P<mean_iou>nan|\d\.\d{3}) frames=(?P<frames>\d+) dropped=(?P<dropped>\d+) "
    r"latency_p50_ms=(?P<p50>nan|\d+\.\d) latency_p95_ms=(?P<p95>nan|\d+\.\d) "
    r"inference_ms=(?P<inference>nan|\d+\.\d) fps=(?P<fps>nan|\d+\.\d) "
    r"lost_after=(?P<lost_after>nan|inf|\d+) found_after=(?P<found_after>nan|inf|\d+) mistaken=(?P<mistaken>nan|\d+)"
)


@pytest.fixture(name="sequence")
def sequence_fixture(tmp_path):
    """The folder of images of a small labelled sequence of the scene, with one frame not labelled."""
    (tmp_path / "img").mkdir()
    lines = []
    for i, frame in enumerate(Scene(size_wh=(320, 240), frames=5)):
        cv2.imwrite(str(tmp_path / "img" / f"{i}.jpg"), frame.image_bgr)
        lines.append("nan,nan,nan,nan" if i == 3 else ",".join(f"{v:g}" for v in frame.box_xywh))
    (tmp_path / "groundtruth.txt").write_text("\n".join(lines) + "\n")
    return tmp_path / "img"
