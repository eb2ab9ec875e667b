# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0

import os
import subprocess
import sys
import types
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from siam_tracker_ros import cli, list_models
from siam_tracker_ros.cli.model_tables import setting_meanings
from siam_tracker_ros.cli.tables import format_table
from siam_tracker_ros.core.tracker import TrackResult
from siam_tracker_ros.errors import InvalidSettingError, WeightsError
from siam_tracker_ros.evaluation.bench import TURN_FRAMES, OpenCvTracker, time_in_turns
from siam_tracker_ros.evaluation.sequences import read_results
from siam_tracker_ros.frames import VideoSink, open_frames
from siam_tracker_ros.geometry import check_box_xywh, cxcywht_to_corners

COMMANDS = ("track", "eval", "bench", "train", "models")
BOX = (10.0, 8.0, 20.0, 16.0)


class BoxThatStays:
    """A test double: the target never moves, and from frame `lost_from` on its score is 0.

    With `masked`, its left half is its mask, and a rotated box is around it.
    """

    def __init__(self, lost_from=1000, masked=False):
        self.lost_from = lost_from
        self.masked = masked

    def init(self, image_bgr, box_xywh):
        self.box, self.frame = check_box_xywh(box_xywh, image_bgr.shape[1::-1]), 0

    def track(self, image_bgr):
        self.frame += 1
        mask = polygon = None
        if self.masked:
            x, y, w, h = self.box.astype(int)
            mask = np.zeros(image_bgr.shape[:2], bool)
            mask[y : y + h, x : x + w // 2] = True
            polygon = cxcywht_to_corners([x + w / 2, y + h / 2, w, h, 0.3])
        return TrackResult(self.box, 0.0 if self.frame >= self.lost_from else 0.9, mask, polygon)


@pytest.fixture
def created(monkeypatch):
    """Put a double in place of every model; the list collects what create_tracker was asked for."""
    asked = []

    def create_tracker(name, **options):
        asked.append({"name": name, **options})
        return BoxThatStays()

    monkeypatch.setattr(cli, "create_tracker", create_tracker)
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


def run(*arguments):
    """Exit status of one command line, whether `main` returns it or argparse leaves with it."""
    try:
        return cli.main([str(argument) for argument in arguments])
    except SystemExit as stop:
        return stop.code


@pytest.mark.parametrize(
    "arguments, words",
    [
        ([], "required: COMMAND"),
        (["fly"], "invalid choice: 'fly'"),
        (["track"], "required: VIDEO|DIR|CAMERA, --box"),
        (["track", "clip.mp4"], "required: --box"),
        (["track", "clip.mp4", "--box", "1,2,3"], "'1,2,3' is not a box, expected x,y,w,h"),
        (["track", "clip.mp4", "--box", "1,2,3,four"], "'1,2,3,four' is not a box"),
        (["track", "clip.mp4", "--box", "1,2,3,4", "--threads", "0"], "'0' is not a whole number above 0"),
        (
            ["track", "clip.mp4", "--box", "1,2,3,4", "--colour", "red"],
            "unrecognized arguments: --colour red",
        ),
        (["track", "missing.mp4", "--box", "1,2,3,4"], "missing.mp4 does not exist"),
        (["eval", "missing"], "missing is not a folder"),
        (["train", "missing.yaml"], "missing.yaml cannot be read"),
        (["train", "missing.yaml", "--set", "steps"], "'steps' is not a setting, expected NAME=VALUE"),
        (["train", "missing.yaml", "--set", "pairs={"], "is not a YAML value"),
        (["bench", "--baselines", "yolo"], "baseline is 'yolo', expected one of csrt, kcf, mil"),
        (["bench", "--models", "siamfoo"], 'model is "siamfoo", expected one of lite'),
        (["bench", "--seconds", "0"], "'0' is not a whole number above 0"),
        (["models", "siamfoo"], 'model is "siamfoo", expected one of lite'),
        (["bench", "--frames", "-3"], "'-3' is not a whole number above 0"),
    ],
)
def test_an_error_is_one_line_on_standard_error_and_status_2(arguments, words, created, capsys):
    assert run(*arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err and err.count("\n") == 1 and err.startswith("siam-tracker")


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--box", "10,8,0,16"], "expected at least 1 x 1"),
        (["--box=-50,8,20,16"], "lies outside the 64 x 48 image"),
        (["--box", "nan,8,20,16"], "not finite"),
        (["--box", "10,8,20,16", "--output", "out.gif"], "does not name a video file"),
        (["--box", "10,8,20,16", "--output", "missing/out.mp4"], "missing does not exist"),
        (["--box", "10,8,20,16", "--results", "missing/out.txt"], "missing does not exist"),
        (["--box", "10,8,20,16", "--results", "."], "Is a directory"),
        (["--box", "10,8,20,16", "--output", "clip.avi"], "both read and written"),
        (["--box", "10,8,20,16", "--results", "clip.avi"], "both read and written"),
        (["--box", "10,8,20,16", "--masks", "masks", "--model", "ocean"], "model ocean has no masks to write"),
        (["--box", "10,8,20,16", "--masks", "masks", "--model", "siamfoo"], 'model is "siamfoo", expected one of'),
        (["--box", "10,8,20,16", "--set", "lr"], "'lr' is not a setting, expected NAME=VALUE"),
        (["--box", "10,8,20,16", "--set", "device=cpu"], "--set device is not for settings of the model; use --device"),
    ],
)
def test_track_refuses_what_it_cannot_do_and_keeps_the_input(arguments, words, created, video, capsys, monkeypatch):
    monkeypatch.chdir(video.parent)
    before = video.read_bytes()
    assert run("track", video, *arguments) == 2
    assert words in capsys.readouterr().err
    assert video.read_bytes() == before


@pytest.mark.parametrize("error", [InvalidSettingError("no such model"), WeightsError("no weights")])
def test_what_create_tracker_refuses_is_reported(error, video, capsys, monkeypatch):
    def refuse(*_, **__):
        raise error

    monkeypatch.setattr(cli, "create_tracker", refuse)
    assert run("track", video, "--box", "10,8,20,16") == 2
    assert capsys.readouterr().err == f"siam-tracker: error: {error}\n"


def test_track_prints_one_line_a_frame(created, video, capsys):
    assert run("track", video, "--box", "10,8,20,16") == 0
    out, err = capsys.readouterr()
    assert out == "10.000,8.000,20.000,16.000,1.000\n" + "10.000,8.000,20.000,16.000,0.900\n" * 29
    assert "30 frames, target lost in 0 of them" in err


def test_a_refused_box_leaves_older_results_as_they_are(created, video, tmp_path, capsys):
    results = tmp_path / "out.txt"
    results.write_text("older\n")
    assert run("track", video, "--box", "5000,5000,10,10", "--results", results) == 2
    assert results.read_text() == "older\n"


def test_track_writes_results_and_video(created, video, tmp_path, capsys):
    output, results = tmp_path / "out.mp4", tmp_path / "out.txt"
    assert run("track", video, "--box", "10,8,20,16", "--output", output, "--results", results) == 0
    assert capsys.readouterr().out == ""
    boxes, scores = read_results(results)
    assert boxes.shape == (30, 4) and scores[0] == 1
    with open_frames(output) as frames:
        assert frames.fps == pytest.approx(10)
        assert len(list(frames)) == 30


def test_track_gives_no_box_while_the_target_is_lost(video, tmp_path, monkeypatch):
    monkeypatch.setattr(cli, "create_tracker", lambda *_, **__: BoxThatStays(lost_from=5))
    results = tmp_path / "out.txt"
    assert run("track", video, "--box", "10,8,20,16", "--results", results, "--output", tmp_path / "out.avi") == 0
    boxes, scores = read_results(results)
    assert np.isfinite(boxes[:5]).all() and np.isnan(boxes[-5:]).all()
    assert (scores[5:] == 0).all()


def test_track_passes_the_options_on(created, video):
    options = [
        "--model",
        "x",
        "--weights",
        "w",
        "--preset",
        "p",
        "--device",
        "d",
        "--precision",
        "q",
        "--runtime",
        "r",
    ]
    assert run("track", video, "--box", "10 8 20 16", *options) == 0
    assert created == [{"name": "x", "weights": "w", "preset": "p", "device": "d", "precision": "q", "runtime": "r"}]


@pytest.fixture
def masked(monkeypatch):
    """Put a double with masks, whose target is lost from frame 20 on, in place of every model."""
    info = types.SimpleNamespace(name="masked", has_masks=True)
    monkeypatch.setattr(cli, "create_tracker", lambda *_, **__: BoxThatStays(lost_from=20, masked=True))
    monkeypatch.setattr(cli, "find_model", lambda name: info)


def test_track_writes_a_mask_for_every_frame_that_has_one(masked, video, tmp_path):
    folder = tmp_path / "new" / "masks"
    assert run("track", video, "--box", "10,8,20,16", "--masks", folder) == 0
    names = sorted(path.name for path in folder.iterdir())
    assert names[0] == "00001.png" and 20 <= len(names) < 29
    assert names == [f"{number:05d}.png" for number in range(1, len(names) + 1)]
    expected = np.zeros((48, 64), np.uint8)
    expected[8:24, 10:20] = 255
    for name in names:
        np.testing.assert_array_equal(cv2.imread(str(folder / name), cv2.IMREAD_UNCHANGED), expected)


def test_track_does_not_write_masks_over_the_images(masked, sequences, capsys):
    folder = sequences / "bike" / "img"
    assert run("track", folder, "--box", "10,8,20,16", "--masks", folder) == 2
    assert "both read and written" in capsys.readouterr().err


def test_a_mask_that_cannot_be_written_is_said(masked, video, tmp_path, capsys):
    folder = tmp_path / "masks"
    (folder / "00001.png").mkdir(parents=True)
    assert run("track", video, "--box", "10,8,20,16", "--masks", folder) == 2
    assert "00001.png cannot be written" in capsys.readouterr().err


def test_track_draws_mask_and_rotated_box(masked, tmp_path):
    source, output = tmp_path / "black.avi", tmp_path / "out.mp4"
    with VideoSink(source, fps=10) as sink:
        for _ in range(3):
            sink.write(np.zeros((480, 640, 3), np.uint8))
    assert run("track", source, "--box", "200,100,240,200", "--output", output) == 0
    with open_frames(output) as frames:
        first, second, _ = frames
    assert first[200, 260].max() < 30 < second[200, 260, 1], "the mask's left half is tinted green"
    assert second[200, 380].max() < 30, "its right half is not"
    right = cxcywht_to_corners([320, 200, 240, 200, 0.3])[1:3].mean(axis=0).astype(int)
    assert second[right[1] - 2 : right[1] + 3, right[0] - 2 : right[0] + 3, 1].max() > 100, "the rotated box"
    assert second[104:124, 436:444].max() < 30, "not the upright one"


def test_settings_reach_the_model(created, video):
    settings = ["--set", "lr=0.5", "--set", "penalty_k=1e-2", "--set", "kind=word"]
    assert run("track", video, "--box", "10 8 20 16", *settings) == 0
    assert {name: created[0][name] for name in ("lr", "penalty_k", "kind")} == {
        "lr": 0.5,
        "penalty_k": 0.01,
        "kind": "word",
    }


def test_eval_takes_settings(created, sequences):
    assert run("eval", sequences, "--set", "lr=0.5") == 0
    assert created[0]["lr"] == 0.5


def test_ctrl_c_keeps_what_was_written(video, tmp_path, monkeypatch, capsys):
    class Interrupted(BoxThatStays):
        def track(self, image_bgr):
            if self.frame == 7:
                raise KeyboardInterrupt
            return super().track(image_bgr)

    monkeypatch.setattr(cli, "create_tracker", lambda *_, **__: Interrupted())
    results, output = tmp_path / "out.txt", tmp_path / "out.avi"
    assert run("track", video, "--box", "10,8,20,16", "--results", results, "--output", output) == 130
    assert "Traceback" not in capsys.readouterr().err
    assert len(read_results(results)[0]) == 8
    with open_frames(output) as frames:
        assert len(list(frames)) == 8


def test_eval_prints_a_table_and_writes_results(created, sequences, tmp_path, capsys):
    assert run("eval", sequences, "--results", tmp_path / "results") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["bike", "walk", "mean"]
    assert lines[-1].split()[3:6] == ["6", "1.000", "0.952"]
    for name in ("bike", "walk"):
        assert read_results(tmp_path / "results" / f"{name}.txt")[0].shape == (4, 4)


class ToyNetwork(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = torch.nn.Conv2d(3, 4, 3)
        self.head = torch.nn.Conv2d(4, 1, 1)

    def forward(self, image):
        return self.head(self.backbone(image))


class ToyTracker(BoxThatStays):
    """A double with a network, for `bench`."""

    runtime = "abacus"

    def __init__(self):
        super().__init__()
        self.network = ToyNetwork()
        self.call = lambda function: function()

    def track(self, image_bgr):
        self.network(torch.zeros(1, 3, 9, 9))
        return super().track(image_bgr)


@pytest.fixture
def toys(monkeypatch):
    """Put two models in place of all; the list collects what create_tracker was asked for."""
    settings_class = types.SimpleNamespace(RANGES={"lr": (0.0, 1.0), "confidence_low": (0.0, 1.0)})
    tracker_class = types.SimpleNamespace(settings_class=settings_class)
    models = [
        types.SimpleNamespace(name=name, shipped_weights=weights, tracker_class=tracker_class)
        for name, weights in (("one", None), ("two", "w"))
    ]
    asked = []
    monkeypatch.setattr(cli, "list_models", lambda: models)
    monkeypatch.setattr(cli, "find_model", lambda name: next(model for model in models if model.name == name))
    monkeypatch.setattr(cli, "set_threads", lambda count: None)
    monkeypatch.setattr(cli, "BENCH_SIZE_WH", (160, 120))
    monkeypatch.setattr(cli, "create_tracker", lambda name, **given: asked.append((name, given)) or ToyTracker())
    return asked


@pytest.mark.parametrize(
    "given, names",
    [([], ["one"]), (["all"], ["one", "two"]), (["two", "all"], ["two", "one"]), (["two", "two"], ["two"])],
)
def test_bench_compares_with_the_first_model(toys, capsys, given, names):
    models = ["--models", *given] if given else []
    assert run("bench", "--frames", "3", "--baselines", "mil", *models) == 0
    out = capsys.readouterr().out
    assert out.startswith("160x120, 2 CPU threads, 3 frames after 20 to warm up, fewer where they take 20 s\n")
    rows = [line.split() for line in out.split("\n-", 1)[1].splitlines()[1:]]
    assert [row[0] for row in rows] == [*names, "mil"]
    assert rows[0][6] == "1.00" and rows[-1][7:] == ["-"] * 4
    assert [row[1] for row in rows] == ["abacus"] * len(names) + ["-"]
    for row in rows[:-1]:
        assert row[2] == "3"
        assert sum(float(share.removesuffix("%")) for share in row[7:]) == pytest.approx(100, abs=0.3)
    assert ("random weights" in out) == ("one" in names)
    expected = {"one": ("random", 0.0), "two": ("w", None)}
    assert {name: (given["weights"], given.get("confidence_low")) for name, given in toys} == {
        name: expected[name] for name in names
    }


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


@pytest.mark.parametrize("speaks", [True, False])
def test_train_passes_overrides_on(monkeypatch, capsys, speaks):
    loop = types.ModuleType("siam_tracker_ros.training.train")
    loop.train_from_config = lambda *args, **options: (args, options)
    loop.is_rank_zero = lambda: speaks
    monkeypatch.setitem(sys.modules, "siam_tracker_ros.training.train", loop)
    settings = {"steps": "20", "output": "runs/a", "rate": "1e-3", "teacher": "null", "sides": "[1, 2]"}
    given = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    assert run("train", "a.yaml", "--resume", *given) == 0
    overrides = {"steps": 20, "output": "runs/a", "rate": 0.001, "teacher": None, "sides": [1, 2]}
    expected = ((Path("a.yaml"),), {"resume": True, "overrides": overrides})
    assert capsys.readouterr().out == (f"{expected}\n" if speaks else "")


def test_models_are_listed(capsys):
    assert run("models") == 0
    out = capsys.readouterr().out
    for model in cli.list_models():
        for word in (model.name, model.description, model.checkpoint, model.published):
            assert word in out


@pytest.mark.parametrize("model", list_models(), ids=lambda model: model.name)
def test_all_that_is_known_of_a_model_is_told(model, capsys):
    assert run("models", model.name) == 0
    out = capsys.readouterr().out
    meanings = setting_meanings(model.tracker_class.settings_class)
    for name in model.tracker_class.settings_class.RANGES:
        assert f"\n  {name} = " in out
        assert meanings[name], "a setting is explained in its class's docstring"
    for name in model.presets:
        assert f"\n  {name}: " in out
    assert max(map(len, out.splitlines())) <= 200
    assert model.published in out


@pytest.mark.parametrize("arguments", [[], *([command] for command in COMMANDS)])
def test_every_help_has_an_example(arguments, capsys):
    assert run(*arguments, "--help") == 0
    assert "example: siam-tracker " in capsys.readouterr().out


@pytest.mark.parametrize(
    "rows, expected",
    [
        ([], "name  n\n----  -"),
        ([["a", "10"], ["long name", "2"]], "name        n\n---------  --\na          10\nlong name   2"),
    ],
)
def test_table(rows, expected):
    assert format_table(["name", "n"], rows) == expected


def in_a_process(*arguments, **options):
    """Run the command in a process of its own, without ROS or anything else on the path."""
    root = Path(__file__).resolve().parent.parent
    command = [sys.executable, "-m", "siam_tracker_ros", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment, **options)


def test_the_module_runs_as_a_command(tmp_path):
    (tmp_path / "clip.mp4").write_text("not a video")
    done = in_a_process("track", tmp_path / "clip.mp4", "--box", "1,2,3,4")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1 and "cannot be read as a video" in done.stderr


def test_a_camera_that_is_not_there_is_one_sentence():
    done = in_a_process("track", "97", "--box", "1,2,3,4")
    assert done.returncode == 2
    assert done.stderr.startswith("siam-tracker: error: camera 97 gives no picture") and done.stderr.count("\n") == 1
