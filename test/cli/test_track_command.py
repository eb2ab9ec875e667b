# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import types

import cv2
import numpy as np
import pytest
from cli_testing import BoxThatStays, run
from damaged_videos import MotionJpeg
from drawn_datasets import WRITERS, box_of
from full_disk import no_file_above

from siam_tracker_ros import frames as frames_module
from siam_tracker_ros.core import registry
from siam_tracker_ros.data.box_files import read_results
from siam_tracker_ros.errors import InvalidSettingError
from siam_tracker_ros.frames import VideoSink, open_frames
from siam_tracker_ros.geometry import cxcywht_to_corners


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--box", "10,8,0,16"], "expected at least 1 x 1"),
        (["--box=-50,8,20,16"], "lies outside the 64 x 48 image"),
        (["--box", "nan,8,20,16"], "not finite"),
        (["--box", "10,8,20,16", "--output", "out.gif"], "does not name a video file"),
        (["--box", "10,8,20,16", "--output", "missing/out.mp4"], "missing does not exist"),
        (["--box", "10,8,20,16", "--results", "missing/out.txt"], "missing does not exist"),
        (["--box", "10,8,20,16", "--results", "."], "is a folder, expected the name of a file"),
        (["--box", "10,8,20,16", "--output", "."], "exists already; give another name for the bag"),
        (["--box", "10,8,20,16", "--output", "out.avi", "--results", "./out.avi"], "the video and for the results"),
        (["--box", "10,8,20,16", "--masks", ".", "--model", "siammask_base"], "has clip.avi in it already"),
        (["--box", "10,8,20,16", "--masks", "clip.avi/masks", "--model", "siammask_base"], "cannot be made"),
        (["--box", "10,8,20,16", "--output", "clip.avi"], "both read and written"),
        (["--box", "10,8,20,16", "--results", "clip.avi"], "both read and written"),
        (["--box", "10,8,20,16", "--masks", "masks", "--model", "ocean"], "model ocean has no masks to write"),
        (["--box", "10,8,20,16", "--masks", "masks", "--model", "siamfoo"], "model is 'siamfoo', expected one of"),
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


def test_track_prints_one_line_a_frame(created, video, capsys):
    assert run("track", video, "--box", "10,8,20,16") == 0
    out, err = capsys.readouterr()
    assert out == "10.000,8.000,20.000,16.000,1.000\n" + "10.000,8.000,20.000,16.000,0.900\n" * 29
    assert "30 frames, target lost in 0 of them" in err


def test_a_refused_box_leaves_older_results_as_they_are(created, video, tmp_path, capsys):
    results, output = tmp_path / "out.txt", tmp_path / "out.avi"
    results.write_text("older\n")
    output.write_text("older")
    arguments = ["--results", results, "--output", output]
    assert run("track", video, "--box", "5000,5000,10,10", *arguments) == 2
    assert (results.read_text(), output.read_text()) == ("older\n", "older")
    assert not list(tmp_path.glob("*.partial*")), "nothing was computed that could be kept"


def test_outputs_are_checked_before_the_network_is_loaded(created, video, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(frames_module.VIDEO_CODECS, ".avi", "none")
    assert run("track", video, "--box", "10,8,20,16", "--output", tmp_path / "out.avi") == 2
    assert "cannot be written as video" in capsys.readouterr().err
    assert created == []


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
    monkeypatch.setattr(registry, "create_tracker", lambda *_, **__: BoxThatStays(lost_from=5))
    results = tmp_path / "out.txt"
    assert run("track", video, "--box", "10,8,20,16", "--results", results, "--output", tmp_path / "out.avi") == 0
    boxes, scores = read_results(results)
    assert np.isfinite(boxes[:5]).all() and np.isnan(boxes[-5:]).all()
    assert (scores[5:] < 0.01).all()


def test_track_does_not_search_a_frame_of_another_size(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(registry, "create_tracker", lambda *_, **__: BoxThatStays())
    folder = tmp_path / "img"
    folder.mkdir()
    for number in range(20):
        shape = (30, 40, 3) if number in (10, 11) else (48, 64, 3)
        cv2.imwrite(str(folder / f"{number}.png"), np.full(shape, 90, np.uint8))
    results, output = tmp_path / "out.txt", tmp_path / "out.avi"
    assert run("track", folder, "--box", "10,8,20,16", "--results", results, "--output", output) == 0
    boxes, scores = read_results(results)
    found = np.isfinite(boxes).all(axis=1)
    assert found[:10].all() and not found[10:12].any() and found[-2:].all(), "it is found again"
    assert scores[10:12].tolist() == [0, 0] and (scores[12:] == 0.9).all()
    said = capsys.readouterr().err
    assert said.count("expected 64 x 48 as when the target was marked") == 1 and "frame 10: image is 40 x 30" in said
    with open_frames(output) as frames:
        assert [frame.shape for frame in frames] == [(48, 64, 3)] * 20


def test_track_says_what_it_could_not_decode(created, tmp_path, monkeypatch, capsys):
    video, results = MotionJpeg(tmp_path / "clip.avi", [90] * 6), tmp_path / "out.txt"
    assert run("track", video.damage([2]), "--box", "10,8,20,16", "--results", results) == 0
    assert "5 frames could be decoded, 1 could not and were skipped: 2 " in capsys.readouterr().err
    assert len(read_results(results)[0]) == 5
    results = tmp_path / "cut.txt"
    assert run("track", video.cut(3), "--box", "10,8,20,16", "--results", results) == 2
    assert "clip.avi was not read to its end, expected 6 frames" in capsys.readouterr().err
    assert len(read_results(results)[0]) == 3, "the results are kept"


def test_an_intensity_range_reaches_the_frames(created, tmp_path, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr("siam_tracker_ros.frames.IntensityStretch", lambda fixed: asked.append(fixed))
    for number in range(2):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((48, 64, 3), 90, np.uint8))
    assert run("track", tmp_path, "--box", "10,8,20,16", "--intensity-range", "7000,9000") == 0
    assert asked == [(7000, 9000)]
    assert run("track", tmp_path, "--box", "10,8,20,16", "--intensity-range", "9000") == 2
    assert "intensity range is '9000', expected auto, or the lowest and highest" in capsys.readouterr().err


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
    monkeypatch.setattr(registry, "create_tracker", lambda *_, **__: BoxThatStays(lost_from=20, masked=True))
    monkeypatch.setattr(registry, "find_model", lambda name: info)


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


@pytest.mark.parametrize("option", ["--results", "--output"])
def test_nothing_that_is_in_the_source_is_replaced(created, sequences, capsys, option):
    labels, tracked = sequences / "bike" / "groundtruth.txt", sequences / "bike" / "tracked.mp4"
    tracked.write_bytes(b"older")
    output = labels if option == "--results" else tracked
    before = output.read_bytes()
    assert run("track", sequences / "bike", option, output) == 2
    assert f"{output} is in {sequences / 'bike'} already, which is read" in capsys.readouterr().err
    assert output.read_bytes() == before and created == []
    assert run("track", sequences / "bike", "--box", "10,8,20,16", option, sequences / "bike" / "new.mp4") == 0


def test_a_mask_that_cannot_be_written_is_said(masked, video, tmp_path, capsys):
    with no_file_above(10):
        assert run("track", video, "--box", "10,8,20,16", "--masks", tmp_path / "masks") == 2
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


class StopsAtTheEighth(BoxThatStays):
    """Raises an error in the place of the eighth result."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def track(self, image_bgr):
        if self.frame == 7:
            raise self.error
        return super().track(image_bgr)


@pytest.mark.parametrize("error, status", [(KeyboardInterrupt(), 130), (InvalidSettingError("broken"), 2)])
@pytest.mark.parametrize("older", [False, True])
def test_what_was_computed_until_an_error_is_kept_and_so_is_what_is_older(
    error, status, older, video, tmp_path, monkeypatch, capsys, caplog
):
    monkeypatch.setattr(registry, "create_tracker", lambda *_, **__: StopsAtTheEighth(error))
    results, output = tmp_path / "out.txt", tmp_path / "out.avi"
    if older:
        results.write_text("older\n")
        output.write_text("older")
    assert run("track", video, "--box", "10,8,20,16", "--results", results, "--output", output) == status
    assert "Traceback" not in capsys.readouterr().err
    if older:
        assert (results.read_text(), output.read_text()) == ("older\n", "older")
        results, output = tmp_path / "out.partial.txt", tmp_path / "out.partial.avi"
        assert str(results) in caplog.text and str(output) in caplog.text
    assert len(read_results(results)[0]) == 8
    with open_frames(output) as frames:
        assert len(list(frames)) == 8


@pytest.mark.parametrize(
    "kind, part, target, box",
    [
        ("otb", "Car", [], box_of(0)),
        ("otb", "", [], box_of(0)),
        ("lasot", "cat/cat-1", [], box_of(0)),
        ("got10k", "train/GOT-10k_Train_000001", [], box_of(0)),
        ("vot", "late", ["--target", "late-b"], box_of(2, 1)),
        ("uav123", "", ["--target", "car6_2"], box_of(0)),
        ("davis", "", ["--target", "dog-2"], box_of(0, 1)),
        ("lasot", "cat/cat-1", ["--box", "5,6,20,10"], (5, 6, 20, 10)),
        ("got10k", "train/GOT-10k_Train_000001", ["--box", "5,6,20,10"], (5, 6, 20, 10)),
    ],
)
def test_a_sequence_of_a_data_set_is_tracked_from_its_first_label(created, tmp_path, capsys, kind, part, target, box):
    root = WRITERS[kind](tmp_path)
    assert run("track", root / part, *target) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == (2 if "late-b" in target else 4)
    assert [float(value) for value in lines[0].split(",")] == [*box, 1]


@pytest.mark.parametrize(
    "kind, part, options, words",
    [
        ("uav123", "", [], "has 3 targets, expected the name of one: bike1, car6_1, car6_2; got None"),
        ("uav123", "", ["--target", "car7"], "expected the name of one: bike1, car6_1, car6_2; got car7"),
        ("otb", "", ["--target", "none"], "expected the name of one"),
        ("otb", "Car/img", [], "Car/img is no labelled sequence, expected --box"),
        ("otb", "Car/img/0001.jpg", [], "0001.jpg is no labelled sequence, expected --box"),
    ],
)
def test_what_has_no_first_label_needs_a_box(created, tmp_path, capsys, kind, part, options, words):
    assert run("track", WRITERS[kind](tmp_path) / part, *options) == 2
    assert words in capsys.readouterr().err


def test_a_full_disk_leaves_older_results_as_they_are(created, video, tmp_path, capsys, caplog):
    results = tmp_path / "out.txt"
    results.write_text("older\n")
    with no_file_above(200):
        assert run("track", video, "--box", "10,8,20,16", "--results", results) == 2
    assert "out.txt cannot be written: File too large" in capsys.readouterr().err
    assert results.read_text() == "older\n"
    assert len(read_results(tmp_path / "out.partial.txt")[0]) == 6, "whole lines alone"


def test_ctrl_c_is_the_end_of_a_camera(video, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(registry, "create_tracker", lambda *_, **__: StopsAtTheEighth(KeyboardInterrupt()))
    camera = open_frames(video)
    camera.live = True
    monkeypatch.setattr(frames_module, "open_frames", lambda *_: camera)
    results = tmp_path / "out.txt"
    results.write_text("older\n")
    assert run("track", "0", "--box", "10,8,20,16", "--results", results) == 130
    assert len(read_results(results)[0]) == 8
    assert "8 frames" in capsys.readouterr().err


def test_results_go_to_a_device_as_they_come(created, video):
    assert run("track", video, "--box", "10,8,20,16", "--results", "/dev/null") == 0
