# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import shutil

import cv2
import numpy as np
import pytest
from cli_testing import run
from drawn_tracks import BLUE, drawn_track

from siam_tracker_ros.core import registry
from siam_tracker_ros.core.confidence import Calibration
from siam_tracker_ros.core.registry import find_model
from siam_tracker_ros.core.tracker import TrackResult
from siam_tracker_ros.evaluation.loss_clips import KINDS


class SeesRed:
    """A tracker without search that finds red pixels, or says of the corner that it is the target, with low scores."""

    tile_side = 0

    def __init__(self):
        self.calibration = Calibration()
        self.rng = np.random.default_rng(0)

    def start(self, image_bgr, box_xywh):
        return np.array(box_xywh, float)

    def step(self, image_bgr, target, learn=True):
        rows, columns = np.nonzero(image_bgr[..., 2] > image_bgr[..., :2].max(axis=2).astype(int) + 150)
        score = (0.15 if len(rows) else 0.05) + self.rng.uniform(-0.04, 0.04)
        if len(rows) == 0:
            return target, TrackResult(np.array([0, 0, 9, 9.0]), score)
        x, y = columns.min(), rows.min()
        box_xywh = np.array([x, y, columns.max() + 1 - x, rows.max() + 1 - y], float)
        return box_xywh, TrackResult(box_xywh, score)


@pytest.fixture
def sequences(tmp_path):
    """Two sequences as files; in one of them the target is not the red one."""
    for track in (drawn_track(frames=30, size_wh=(160, 120)), drawn_track("blue", 30, (24, 30), BLUE, (160, 120))):
        (tmp_path / "data" / track.name / "img").mkdir(parents=True)
        for i in range(len(track)):
            cv2.imwrite(str(tmp_path / "data" / track.name / "img" / f"{i:04d}.png"), track.image_bgr(i))
        np.savetxt(tmp_path / "data" / track.name / "groundtruth.txt", track.boxes_xywh, "%g", ",")
    return tmp_path / "data"


@pytest.fixture
def tracker(monkeypatch):
    double = SeesRed()
    monkeypatch.setattr(registry, "create_tracker", lambda *_, **__: double)
    monkeypatch.setattr("siam_tracker_ros.evaluation.loss_clips.KINDS", {"control": KINDS["control"][:1]})
    return double


def test_a_calibration_is_written_beside_the_weights(tracker, sequences, tmp_path, capsys):
    weights = tmp_path / "own.safetensors"
    assert run("calibrate", sequences, "--weights", weights, "--clips", 2) == 0
    written = tmp_path / "own.safetensors.lite_online.calibration.json"
    assert Calibration.read(written) == tracker.calibration
    said = capsys.readouterr()
    lines = [line.split() for line in said.out.splitlines()]
    assert [line[0] for line in lines[2:6]] == ["all", "tracked", "doubted", "found"]
    assert f"{written}:" in said.out and "  tracked: " in said.out
    frames, right, before, after = (float(field) for field in lines[2][1:5])
    assert frames == 2 * 99 + 2 * 29 and right == pytest.approx(0.5, abs=0.01)
    assert after < before


@pytest.mark.parametrize(
    "options, words",
    [
        ([], "the weights of lite_online are those in the package"),
        (["--weights", "random"], "the weights of lite_online are random"),
        (["--weights", find_model("lite").shipped_weights], "is in the package, where nothing is written"),
        (["--output", __file__ + "/below/it.json"], "cannot be made"),
        (["--output", "SEQUENCES"], "is a folder"),
        (["--model", "nothing"], "model is 'nothing'"),
    ],
)
def test_where_nothing_can_be_written_nothing_is_run(tracker, sequences, monkeypatch, capsys, options, words):
    monkeypatch.setattr(tracker, "start", lambda *_: pytest.fail("a clip was run"))
    options = [sequences if option == "SEQUENCES" else option for option in options]
    assert run("calibrate", sequences, *options) == 2
    assert words in capsys.readouterr().err


def test_other_places_and_one_round_can_be_chosen(tracker, sequences, tmp_path, capsys):
    output = tmp_path / "new" / "own.json"
    assert run("calibrate", sequences, "--clips", 1, "--rounds", 1, "--output", output) == 0
    assert list(Calibration.read(output).found.factors) == ["score", "drop"]


def test_sequences_that_are_all_right_are_refused(tracker, sequences, tmp_path, capsys):
    shutil.rmtree(sequences / "blue")
    assert run("calibrate", sequences, "--clips", 1, "--output", tmp_path / "own.json") == 2
    assert "expected right and wrong ones to tell apart" in capsys.readouterr().err
    assert not (tmp_path / "own.json").exists()


def test_a_gap_in_the_labels_is_no_loss(tracker, sequences, tmp_path, capsys):
    """The frames without box count as wrong where absence is labelled alone."""
    path = sequences / "blue" / "groundtruth.txt"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:2] + ["nan,nan,nan,nan"] * 28) + "\n")
    command = "calibrate", sequences, "--clips", 1, "--output", tmp_path / "own.json"
    shown = []
    for absent in (None, [0] * 20 + [1] * 10):
        if absent is not None:
            np.savetxt(sequences / "blue" / "absent.txt", absent, "%d")
        assert run(*command) == 0
        shown.append(capsys.readouterr().out.splitlines()[2].split()[1])
    assert [int(count) for count in shown] == [99 + 29 + 1, 99 + 29 + 1 + 10]
