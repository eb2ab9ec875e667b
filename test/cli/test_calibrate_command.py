# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import dataclasses
import shutil

import cv2
import numpy as np
import pytest
from cli_testing import run
from drawn_tracks import BLUE, drawn_track

from siam_tracker_ros.core import registry
from siam_tracker_ros.core.confidence import Calibration, Logistic
from siam_tracker_ros.core.registry import find_model
from siam_tracker_ros.core.running import Running
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


def test_a_calibration_is_written_beside_the_weights(tracker, sequences, tmp_path, monkeypatch, capsys):
    parts = (2.6, {"score": 2.45}), (2.4, {"score": 1.3, "drop": -1.0}), (1.0, {"score": 0.6, "drop": -2.0})
    prior = Calibration(*(Logistic(*part) for part in parts))  # that of the package changes with its weights
    monkeypatch.setattr("siam_tracker_ros.evaluation.calibration.prior_calibration", lambda has_search: prior)
    weights = tmp_path / "own.safetensors"
    assert run("calibrate", sequences, "--weights", weights, "--clips", 2, "--no-precisions") == 0
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
    assert run("calibrate", sequences, "--clips", 1, "--rounds", 1, "--no-precisions", "--output", output) == 0
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
    command = "calibrate", sequences, "--clips", 1, "--no-precisions", "--output", tmp_path / "own.json"
    shown = []
    for absent in (None, [0] * 20 + [1] * 10):
        if absent is not None:
            np.savetxt(sequences / "blue" / "absent.txt", absent, "%d")
        assert run(*command) == 0
        shown.append(capsys.readouterr().out.splitlines()[2].split()[1])
    assert [int(count) for count in shown] == [99 + 29 + 1, 99 + 29 + 1 + 10]


class ShiftedInBfloat16(SeesRed):
    """In bfloat16 its boxes lie a pixel further to the right."""

    runtime = "openvino"

    def __init__(self, precision):
        super().__init__()
        self.precision = precision

    def init(self, image_bgr, box_xywh):
        self.target = self.start(image_bgr, box_xywh)

    def track(self, image_bgr):
        self.target, result = self.step(image_bgr, self.target)
        return dataclasses.replace(result, box_xywh=result.box_xywh + (self.precision == "bf16", 0, 0, 0))


@pytest.fixture
def narrow(tracker, monkeypatch):
    """A machine with bfloat16, and the trackers that are made of it, by their precisions."""
    monkeypatch.setattr("siam_tracker_ros.core.running.narrow_ways", lambda *_: [Running("openvino", "bf16")])
    monkeypatch.setattr(registry, "create_tracker", lambda *_, precision, **__: ShiftedInBfloat16(precision))


def test_what_a_precision_costs_is_written(narrow, sequences, tmp_path, capsys):
    output = tmp_path / "own.json"
    assert run("calibrate", sequences, "--clips", 1, "--rounds", 1, "--output", output) == 0
    said = capsys.readouterr().out
    rows = [line.split() for line in said.splitlines() if line.startswith(("fp32 ", "bf16 "))]
    assert [row[:2] for row in rows] == [["fp32", "openvino"], ["bf16", "openvino"]]
    # One of the two sequences is found; a box of 24 pixels that is one pixel off has an IoU of 23 / 25.
    assert float(rows[0][2]) == 0.5 and float(rows[1][3]) == pytest.approx(0.5 * 2 / 25, abs=1e-4)
    assert Calibration.read(output).losses == {"bf16": 0.04}
    assert "bf16: costs 0.0400 mean IoU, more than 0.005; precision auto does not take it" in said


@pytest.mark.parametrize("options", [["--no-precisions"], []])
def test_what_is_not_measured_keeps_its_loss(narrow, sequences, tmp_path, monkeypatch, capsys, options):
    before = Calibration(losses={"bf16": 0.001, "int8": 0.002})
    monkeypatch.setattr(registry, "create_tracker", lambda *_, precision, **__: _with(before, precision))
    output = tmp_path / "own.json"
    assert run("calibrate", sequences, "--clips", 1, "--rounds", 1, "--output", output, *options) == 0
    assert Calibration.read(output).losses == {"bf16": 0.001 if options else 0.04, "int8": 0.002}


def _with(calibration, precision):
    made = ShiftedInBfloat16(precision)
    made.calibration = calibration
    return made


def test_a_machine_without_narrow_precisions_says_so(narrow, sequences, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("siam_tracker_ros.core.running.narrow_ways", lambda *_: [])
    assert run("calibrate", sequences, "--clips", 1, "--rounds", 1, "--output", tmp_path / "own.json") == 0
    assert "no precision below float32 here whose loss could be measured" in capsys.readouterr().err
    assert Calibration.read(tmp_path / "own.json").losses == {}
