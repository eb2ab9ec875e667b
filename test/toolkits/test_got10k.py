# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The adapter for got10k, under its real experiments."""

import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from siam_tracker_ros import create_tracker
from siam_tracker_ros.demo.scene import Scene
from siam_tracker_ros.evaluation.metrics import score_boxes
from siam_tracker_ros.geometry import one_based_to_xywh, xywh_to_one_based

pytest.importorskip("got10k", reason="got10k is not installed")

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
SIZE_WH = (320, 240)
SEQUENCES = {"one": 10, "two": 14}  # with their numbers of frames
HIDDEN = 3  # a frame whose label says that nothing of the target is visible


@pytest.fixture(scope="module")
def tracker():
    return create_tracker("lite", precision="fp32")


def write_sequence(folder, frames, seed):
    """Write a sequence as GOT-10k has them; return its images and boxes, x, y, w, h."""
    folder.mkdir(parents=True)
    scene = list(Scene(SIZE_WH, frames, seed))
    images_bgr = []
    for number, frame in enumerate(scene, start=1):
        path = str(folder / f"{number:08d}.jpg")
        cv2.imwrite(path, frame.image_bgr)
        images_bgr.append(cv2.imread(path))
    boxes = np.array([frame.box_xywh for frame in scene]).round(4)
    np.savetxt(folder / "groundtruth.txt", xywh_to_one_based(boxes), fmt="%.4f", delimiter=",")
    np.savetxt(folder / "absence.label", np.zeros(frames), fmt="%d")
    np.savetxt(folder / "cover.label", 8 * (np.arange(frames) != HIDDEN), fmt="%d")
    np.savetxt(folder / "cut_by_image.label", np.zeros(frames), fmt="%d")
    (folder / "meta_info.ini").write_text(f"[METAINFO]\nresolution: {SIZE_WH}\n")
    return images_bgr, boxes


def test_the_pages_example_gives_our_overlaps(tmp_path, monkeypatch, tracker, capsys):
    data = tmp_path / "data" / "GOT-10k" / "val"
    written = {name: write_sequence(data / name, frames, seed) for seed, (name, frames) in enumerate(SEQUENCES.items())}
    (data / "list.txt").write_text("\n".join(SEQUENCES) + "\n")
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"^```\n(from got10k.*?)^```", (ROOT / "docs" / "toolkits.md").read_text(), re.S | re.M)
    names = {}
    exec(example, names)
    performance = names["experiment"].report(["lite"])["lite"]
    ours = {}
    for name, (images_bgr, truth) in written.items():
        tracker.init(images_bgr[0], truth[0])
        boxes = np.array([truth[0], *(tracker.track(image_bgr).box_xywh for image_bgr in images_bgr[1:])])
        saved = np.loadtxt(tmp_path / "results" / "GOT-10k" / "lite" / name / f"{name}_001.txt", delimiter=",")
        np.testing.assert_allclose(one_based_to_xywh(saved), boxes, atol=0.02)
        truth[HIDDEN] = np.nan
        ours[name] = score_boxes(truth, one_based_to_xywh(saved))
        assert abs(performance["seq_wise"][name]["ao"] - ours[name].mean_iou) < 1e-6
        assert ours[name].mean_iou > 0.5
    pooled = np.average([s.mean_iou for s in ours.values()], weights=[s.frames for s in ours.values()])
    assert abs(performance["overall"]["ao"] - pooled) < 1e-6


@pytest.mark.parametrize("one_based, first_xy", [(True, (9, 19)), (False, (10, 20))])
def test_boxes_are_converted_there_and_back(one_based, first_xy):
    from PIL import Image

    from siam_tracker_ros.toolkits.got10k import Got10kTracker

    class Still:
        def init(self, image_bgr, box_xywh):
            self.image_bgr, self.box_xywh = image_bgr, box_xywh

        def track(self, image_bgr):
            return self

    still = Still()
    adapter = Got10kTracker(still, "still", one_based)
    assert (adapter.name, adapter.is_deterministic) == ("still", True)
    image = Image.new("RGB", (40, 30), (250, 100, 5))
    adapter.init(image, np.array([10, 20, 5, 6]))
    assert still.box_xywh.tolist() == [*first_xy, 5, 6]
    assert still.image_bgr.shape == (30, 40, 3)
    assert still.image_bgr[0, 0].tolist() == [5, 100, 250]
    assert adapter.update(image).tolist() == [10, 20, 5, 6]


def test_a_missing_toolkit_is_named():
    program = "import sys; sys.modules['got10k'] = None; import siam_tracker_ros.toolkits.got10k"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (
        'needs got10k, which is not installed; in the folder of this package run: pip install ".[toolkits]"'
        in ended.stderr
    )
