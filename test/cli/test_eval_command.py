# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import contextlib
import io
import json
import os
import re
import shutil

import cv2
import numpy as np
import pytest
from cli_testing import BoxThatStays, run, tables
from drawn_datasets import box_of, labels, write_davis
from full_disk import no_file_above

from siam_tracker_ros.core import registry
from siam_tracker_ros.core.confidence import Calibration
from siam_tracker_ros.core.tracker import TrackResult
from siam_tracker_ros.data.box_files import read_results


@pytest.fixture
def tracker(monkeypatch):
    """A double whose target has a mask, in place of every model."""
    double = BoxThatStays(masked=True)
    monkeypatch.setattr(registry, "create_tracker", lambda *_, **__: double)
    return double


def label_masks(sequences, value=255):
    for name in ("bike", "walk"):
        (sequences / name / "mask").mkdir()
        for i in range(4):
            mask = np.zeros((48, 64), np.uint8)
            mask[8:24, 10:20] = value
            cv2.imwrite(str(sequences / name / "mask" / f"{i}.png"), mask)


def test_eval_takes_settings(created, sequences):
    assert run("eval", sequences, "--set", "lr=0.5") == 0
    assert created[0]["lr"] == 0.5


def test_eval_prints_a_table_and_writes_results(created, sequences, tmp_path, capsys):
    assert run("eval", sequences, "--results", tmp_path / "results") == 0
    printed = tables(capsys.readouterr().out)
    assert [row[0] for row in printed["sequence"]] == ["bike", "walk", "mean of sequences"]
    assert printed["sequence"][-1][1:4] == ["6", "1.000", "0.952"]
    assert printed["mean IoU"] == [["lite_online", "2", "2", "1.000", "1.000 to 1.000"]]
    for name in ("bike", "walk"):
        assert read_results(tmp_path / "results" / f"{name}.txt")[0].shape == (4, 4)


@pytest.mark.parametrize("labelled, written", [(1, 1), (1, 255), (255, 1), (255, 255)])
def test_masks_are_read_and_written_with_either_value(tracker, sequences, tmp_path, capsys, labelled, written):
    label_masks(sequences, labelled)
    assert run("eval", sequences, "--results", tmp_path / "results", "--mask-value", written) == 0
    assert tables(capsys.readouterr().out)["sequence"][-1][5] == "1.000"
    paths = sorted((tmp_path / "results" / "walk" / "mask").iterdir())
    assert [path.name for path in paths] == ["1.png", "2.png", "3.png"]
    assert np.unique(cv2.imread(str(paths[0]), cv2.IMREAD_UNCHANGED)).tolist() == [0, written]


def test_masks_of_a_video_are_written_as_the_evaluator_of_davis_reads_them(tracker, tmp_path):
    """The numbers of the objects in one image per frame; in each the left half of a box that stays."""
    root = tmp_path / "DAVIS"
    write_davis(root)
    results, masks = tmp_path / "results", tmp_path / "masks"
    assert run("eval", root, "--results", results, "--masks", masks) == 0
    assert [path.name for path in masks.iterdir()] == ["dog"]
    paths = sorted((masks / "dog").iterdir())
    assert [path.name for path in paths] == [f"{frame:05d}.png" for frame in range(4)]
    for frame, path in enumerate(paths):
        expected = labels(0, (1, 2))
        for target in range(2):
            x, y, w, h = box_of(0, target)
            expected[y : y + h, x + (w if frame == 0 else w // 2) : x + w] = 0
        np.testing.assert_array_equal(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), expected)
    assert run("eval", root, "--results", results, "--masks", masks) == 2  # older masks stay as they are


def shift_first_box(folder, line):
    path = folder / "groundtruth.txt"
    path.write_text("\n".join([line, *path.read_text().splitlines()[1:]]) + "\n")


def spoil_first_mask(folder):
    label_masks(folder.parent)
    cv2.imwrite(str(folder / "mask" / "0.png"), np.zeros((5, 5), np.uint8))


FAULTS = [
    (lambda folder: shift_first_box(folder, "0,0,0,0"), "walk/groundtruth.txt: line 1 is no box"),
    (lambda folder: shift_first_box(folder, "90,90,20,20"), "walk, first frame .* lies outside the 64 x 48 image"),
    (lambda folder: shift_first_box(folder, "1,1,0.5,9"), "walk, first frame .* expected at least 1 x 1"),
    (lambda folder: (folder / "img" / "0.png").write_bytes(b""), r"\n  \S*walk/img/0\.png cannot be decoded"),
    (lambda folder: (folder / "img" / "3.png").unlink(), "walk: has 3 images in img and 4 in groundtruth.txt"),
    (spoil_first_mask, "walk, first frame .* its mask is 5 x 5 pixels, expected 64 x 48"),
]


@pytest.mark.parametrize("spoil, words", FAULTS)
def test_a_later_sequence_is_checked_before_the_first_is_run(sequences, tmp_path, monkeypatch, capsys, spoil, words):
    monkeypatch.setattr(registry, "create_tracker", lambda *_, **__: pytest.fail("the network was loaded"))
    spoil(sequences / "walk")
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "bike.txt").write_text("1,2,3,4,1\n")
    assert run("eval", sequences, "--results", tmp_path / "results") == 2
    assert re.search(words, capsys.readouterr().err)
    assert (tmp_path / "results" / "bike.txt").read_text() == "1,2,3,4,1\n"


def test_all_faults_are_told_at_once(created, sequences, capsys):
    for name in ("bike", "walk"):
        shift_first_box(sequences / name, "90,90,20,20")
    assert run("eval", sequences) == 2
    said = capsys.readouterr().err
    assert "2 problems" in said and "bike, first frame" in said and "walk, first frame" in said


def test_a_frame_that_breaks_off_costs_its_sequence_alone(created, sequences, tmp_path, capsys):
    (sequences / "bike" / "img" / "2.png").write_bytes(b"broken")
    assert run("eval", sequences, "--results", tmp_path / "results") == 2
    printed = capsys.readouterr()
    assert [row[0] for row in tables(printed.out)["sequence"]] == ["walk", "mean of sequences"]
    assert tables(printed.out)["mean IoU"] == [["lite_online", "1", "1", "1.000", "-"]]
    assert "1 of 2 sequences ended early" in printed.err and "2.png" in printed.err
    assert not (tmp_path / "results" / "bike.txt").exists()
    assert len(read_results(tmp_path / "results" / "walk.txt")[0]) == 4


@pytest.fixture
def stopped(tracker, sequences, tmp_path, monkeypatch, capsys):
    """Results of a run that Ctrl-C stopped in its second sequence."""
    label_masks(sequences)
    track, calls = tracker.track, []

    def stop(image_bgr):
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return track(image_bgr)

    monkeypatch.setattr(tracker, "track", stop)
    assert run("eval", sequences, "--results", tmp_path / "results", "--set", "lr=0.5") == 130
    assert [row[0] for row in tables(capsys.readouterr().out)["sequence"]] == ["bike", "mean of sequences"]
    return tmp_path / "results"


def test_a_stopped_run_goes_on(stopped, sequences, tmp_path, capsys):
    assert (stopped / "bike.txt").exists() and not (stopped / "walk.txt").exists()
    before = (stopped / "bike.txt").stat().st_mtime_ns
    assert run("eval", sequences, "--results", stopped, "--set", "lr=0.5", "--resume") == 0
    resumed = tables(capsys.readouterr().out)
    assert (stopped / "bike.txt").stat().st_mtime_ns == before
    assert run("eval", sequences, "--results", tmp_path / "whole", "--set", "lr=0.5") == 0
    whole = tables(capsys.readouterr().out)
    assert [row[:-1] for row in resumed["sequence"]] == [row[:-1] for row in whole["sequence"]]
    assert resumed["mean IoU"] == whole["mean IoU"]
    assert sorted(path.name for path in stopped.rglob("*")) == sorted(
        path.name for path in (tmp_path / "whole").rglob("*")
    )


@pytest.mark.parametrize(
    "change, words",
    [
        (
            lambda folder: [],
            "are of model lite_online, settings {'lr': 0.5}, expected model lite_online, settings {'lr': 0.6}",
        ),
        (lambda folder: (folder / "run.json").unlink(), r"run\.json cannot be read"),
        (lambda folder: (folder / "run.json").write_text("{"), r"run\.json cannot be read"),
    ],
)
def test_results_of_another_run_are_not_mixed_in(stopped, sequences, capsys, change, words):
    change(stopped)
    assert run("eval", sequences, "--results", stopped, "--set", "lr=0.6", "--resume") == 2
    assert re.search(words, capsys.readouterr().err)
    assert (stopped / "bike.txt").exists()


def test_a_result_of_other_frames_is_refused(stopped, sequences, capsys):
    (stopped / "bike.txt").write_text("1,2,3,4,1\n")
    assert run("eval", sequences, "--results", stopped, "--set", "lr=0.5", "--resume") == 2
    assert "bike.txt has 1 lines, expected 4" in capsys.readouterr().err


def test_a_result_of_other_labels_is_refused(stopped, sequences, capsys):
    shift_first_box(sequences / "bike", "11,8,20,16")
    assert run("eval", sequences, "--results", stopped, "--set", "lr=0.5", "--resume") == 2
    assert "bike.txt begins with the box (10, 8, 20, 16), expected (11, 8, 20, 16)" in capsys.readouterr().err


def test_a_run_with_other_weights_or_another_range_does_not_go_on(tracker, sequences, tmp_path, capsys):
    weights = tmp_path / "own.pth"
    weights.write_bytes(b"first")
    command = "eval", sequences, "--results", tmp_path / "results", "--weights", weights
    assert run(*command) == 0 and run(*command, "--resume") == 0
    assert run(*command, "--resume", "--intensity-range", "0,4095") == 2
    weights.write_bytes(b"trained further")
    assert run(*command, "--resume") == 2
    said = capsys.readouterr().err
    assert "intensity_range (0, 4095)" in said and said.count("weights_sha256 ") == 4


def test_a_new_run_leaves_nothing_of_an_older_one(tracker, sequences, tmp_path):
    label_masks(sequences)
    results = tmp_path / "results"
    assert run("eval", sequences, "--results", results) == 0 and list(results.glob("*/mask/*.png"))
    tracker.masked = False
    assert run("eval", sequences, "--results", results) == 0
    assert not list(results.glob("*/mask/*.png")) and len(list(results.glob("*.txt"))) == 2


@pytest.mark.parametrize("place", ["mask", "labels"])
def test_no_label_is_taken_for_an_older_result(tracker, sequences, tmp_path, capsys, place):
    label_masks(sequences)
    results = sequences
    if place == "labels":
        results = tmp_path / "anno"
        results.mkdir()
        (results / "bike.txt").write_text("1,2,3,4\n")
    before = {path: path.read_bytes() for path in results.rglob("*") if path.is_file()}
    assert run("eval", sequences, "--results", results) == 2
    assert "is there, but no run.json of a run that wrote it" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in results.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    "options, words",
    [
        (["--resume"], "--resume goes on from results, but no --results DIR"),
        (["--compare", "absent"], "absent is not a folder"),
        (["--compare", ".", "--results", "."], "leave one of them out"),
        (["--compare", ".", "./"], "twice"),
        (["--compare", ".", "--session"], "there is nothing for --session"),
        (["--split", "val"], "has no splits"),
        (["--masks", "new"], "which is not given"),
        (["--frames", "60"], "--frames is of the starts that --every makes"),
        (["--every", "2", "--masks", "new", "--results", "new"], "--masks are of whole sequences"),
        (["--half", "A"], "has no sequence in half A"),
        (["--results", __file__], "cannot be made: File exists"),
        (["--report", __file__], "cannot be made: File exists"),
        (["--report", f"{__file__}/below"], "cannot be made: Not a directory"),
        (["--masks", "new", "--results", "new", "--model", "ocean"], "model ocean has no masks to write"),
    ],
)
def test_options_that_do_not_fit_are_refused(created, sequences, capsys, options, words):
    assert run("eval", sequences, *options) == 2
    assert words in capsys.readouterr().err
    assert not created


def test_result_files_follow_the_rule_of_the_authors_and_are_what_is_scored(sequences, tmp_path, monkeypatch, capsys):
    class BoxThatLeaves(BoxThatStays):
        def track(self, image_bgr):
            self.box = self.box - (8, 0, 0, 0)
            return super().track(image_bgr)

    monkeypatch.setattr(registry, "create_tracker", lambda *_, **__: BoxThatLeaves())
    for model, corner in (("lite", -14), ("ocean", 0)):
        assert run("eval", sequences, "--model", model, "--results", tmp_path / model) == 0
        boxes, _ = read_results(tmp_path / model / "bike.txt")
        np.testing.assert_array_equal(boxes[:, 0], [10, 2, max(-6, corner), corner])
        np.testing.assert_array_equal(boxes[:, 2], 20)
        printed = capsys.readouterr().out
        assert run("eval", sequences, "--compare", tmp_path / model) == 0
        again = capsys.readouterr().out
        assert [line.split()[:6] for line in again.splitlines()] == [line.split()[:6] for line in printed.splitlines()]


@pytest.fixture
def compared(created, sequences, tmp_path):
    """Two folders of results: of a box that stays, and of none after the first."""
    assert run("eval", sequences, "--results", tmp_path / "results" / "stays") == 0
    shutil.copytree(tmp_path / "results" / "stays", tmp_path / "results" / "gives up")
    for name in ("bike", "walk"):
        lines = "10,8,20,16,1\n" + "nan,nan,nan,nan,0\n" * 3
        (tmp_path / "results" / "gives up" / f"{name}.txt").write_text(lines)
    return tmp_path / "results" / "stays", tmp_path / "results" / "gives up"


def test_results_are_compared_without_a_model(compared, sequences, monkeypatch, capsys):
    monkeypatch.setattr(registry, "create_tracker", lambda *_, **__: pytest.fail("the network was loaded"))
    capsys.readouterr()
    assert run("eval", sequences, "--compare", *compared) == 0
    printed = tables(capsys.readouterr().out)
    assert [row[:3] for row in printed["tracker"]] == [["stays", "6", "1.000"], ["gives up", "6", "0.000"]]
    assert printed["sequence"] == [["bike", "1.000", "0.000"], ["walk", "1.000", "0.000"]]
    assert [row[3] for row in printed["mean IoU"]] == ["1.000", "0.000"]
    verdict = ["2", "2", "-1.0000", "-1.0000 to -1.0000", "told from chance"]
    assert printed["difference"] == [["gives up - stays", *verdict]]


def test_missing_results_are_named_all_at_once(compared, sequences, capsys):
    for name in ("bike", "walk"):
        (compared[1] / f"{name}.txt").unlink()
    assert run("eval", sequences, "--compare", *compared) == 2
    said = capsys.readouterr().err
    assert "2 problems" in said and "gives up/bike.txt does not exist" in said and "gives up/walk.txt" in said


def test_a_report_has_figures_plots_and_a_page(compared, sequences, tmp_path):
    pytest.importorskip("matplotlib")
    assert run("eval", sequences, "--compare", *compared, "--report", tmp_path / "report") == 0
    figures = json.loads((tmp_path / "report" / "report.json").read_text())
    assert list(figures["trackers"]) == ["stays", "gives up"]
    stays, gives_up = figures["trackers"].values()
    assert stays["mean"] == {
        "frames": 6, "mean_iou": 1.0, "auc": pytest.approx(20 / 21), "precision20": 1.0, "region": None,
    }  # fmt: skip
    assert stays["success"] == [1.0] * 20 + [0.0] and stays["precision"] == [1.0] * 51
    assert gives_up["success"] == [0.0] * 21 and gives_up["precision"] == [0.0] * 51
    assert stays["sequences"]["bike"]["frames"] == 3 and stays["attributes"] == {}
    for name in ("success", "precision"):
        assert cv2.imread(str(tmp_path / "report" / f"{name}.png")).shape[2] == 3
    page = (tmp_path / "report" / "report.html").read_text()
    for part in ("gives up", "bike", "walk", "<polyline"):
        assert part in page
    assert page.count("data:image/png;base64,") == 2 and page.count("data:image/jpeg;base64,") == 2
    assert not re.search(r'(src|href)="(?!data:)', page)  # it needs no other file


def test_a_report_takes_any_names(compared, sequences, tmp_path, monkeypatch):
    """Formulas, what matplotlib leaves out of legends, HTML, bytes that are not UTF-8."""
    axes = pytest.importorskip("matplotlib.axes").Axes
    legends, legend = [], axes.legend
    monkeypatch.setattr(
        axes,
        "legend",
        lambda own, **options: legends.append(own.get_legend_handles_labels()[1]) or legend(own, **options),
    )
    odd = ["$a_{b$", "_today", '<i>&"', os.fsdecode(b"caf\xe9")]
    for name in odd[1:]:
        shutil.copytree(sequences / "bike", sequences / name)
        shutil.copy(compared[0] / "bike.txt", compared[0] / f"{name}.txt")
    for name in odd:
        shutil.copytree(compared[0], tmp_path / name)
    folders = [tmp_path / name for name in odd]
    with contextlib.redirect_stdout(io.StringIO()):  # pytest-xdist cannot send text that is not UTF-8 from a worker
        assert run("eval", sequences, "--compare", *folders, "--report", tmp_path / "report") == 0
    assert legends == [
        [f"{auc} {name}" for name in (r"\$a_{b\$", "_today", '<i>&"', "caf?")] for auc in ("0.952", "1.000")
    ]
    page = (tmp_path / "report" / "report.html").read_text("utf-8")
    assert "$a_{b$" in page and page.count("&lt;i&gt;&amp;&quot;") == 7 and '<i>&"' not in page and "caf?: mean" in page


def test_a_report_that_the_disk_has_no_room_for_leaves_the_older_one(compared, sequences, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    report = tmp_path / "report"
    assert run("eval", sequences, "--compare", *compared, "--report", report) == 0
    older = {path.name: path.read_bytes() for path in report.iterdir()}
    with no_file_above(100):
        assert run("eval", sequences, "--compare", compared[0], "--report", report) == 2
    assert f"{report}/report.json: File too large" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in report.iterdir()} == older


def test_attributes_are_scored_over_their_frames(created, tmp_path, capsys):
    place = tmp_path / "data" / "car"
    (place / "color").mkdir(parents=True)
    for i in range(4):
        cv2.imwrite(str(place / "color" / f"{i + 1:08d}.jpg"), np.zeros((48, 64, 3), np.uint8))
    (place / "groundtruth.txt").write_text("10,8,20,16\n10,8,20,16\n10,8,20,8\n10,8,20,8\n")
    (place / "occlusion.tag").write_text("0\n0\n1\n1\n")
    (place / "size_change.tag").write_text("0\n0\n0\n0\n")
    assert run("eval", tmp_path / "data") == 0
    printed = tables(capsys.readouterr().out)
    assert printed["sequence"][0][2] == f"{(1 + 0.5 + 0.5) / 3:.3f}"
    assert printed["AUC by attribute"] == [["occlusion", "1", f"{10 / 21:.3f}"], ["size change", "0", "-"]]
    # From the two starts, the frames with an occlusion are 1 of 2 and 2 of 2.
    assert run("eval", tmp_path / "data", "--every", "1", "--frames", "2") == 0
    assert tables(capsys.readouterr().out)["AUC by attribute"][0] == ["occlusion", "1", f"{10 / 21:.3f}"]


def test_a_report_without_matplotlib_is_refused_before_the_run(sequences, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert run("eval", sequences, "--report", tmp_path) == 2
    said = capsys.readouterr().err
    assert "--report needs matplotlib" in said and 'pip install ".[bench]"' in said


STARTS = "--every", "2", "--frames", "2"


@pytest.fixture
def moving(created, sequences):
    """Sequences of 6 frames, so that there are starts at 0, 2 and 4; the box stays, the target of `walk` moves once."""
    for name in ("bike", "walk"):
        for i in (4, 5):
            shutil.copy(sequences / name / "img" / "0.png", sequences / name / "img" / f"{i}.png")
        lines = ["10,8,20,16"] * 6 if name == "bike" else ["10,8,20,16", "10,8,20,8"] + ["40,30,20,16"] * 4
        (sequences / name / "groundtruth.txt").write_text("\n".join(lines) + "\n")
    return sequences


def test_many_starts_are_runs_of_their_own(moving, tmp_path, capsys):
    results = tmp_path / "results"
    assert run("eval", moving, *STARTS, "--half", "both", "--results", results) == 0
    printed = tables(capsys.readouterr().out)
    # From 0: IoU 0.5 and 0. From 2: 1 and 1. The mean over the starts, then over the sequences.
    assert [[*row[:4], row[-1]] for row in printed["sequence"]] == [
        ["bike", "2", "4", "1.000", "0 of 2"],
        ["walk", "2", "4", "0.625", "0 of 2"],
        ["mean of sequences", "4", "8", "0.812", "0 of 4"],
    ]
    names = [row[0] for row in printed["mean IoU"]]
    assert names == ["lite_online", "lite_online, half A", "lite_online, half B"]
    assert printed["mean IoU"][0][1:4] == ["2", "4", "0.812"]
    files = sorted(path.relative_to(results).as_posix() for path in results.rglob("*") if path.is_file())
    assert files == [
        "bike/000000.txt",
        "bike/000002.txt",
        "run.json",
        "scores.json",
        "walk/000000.txt",
        "walk/000002.txt",
    ]
    assert len(read_results(results / "walk" / "000002.txt")[0]) == 3
    scores = json.loads((results / "scores.json").read_text())
    assert scores["starts"] == {"every": 2, "frames": 2} and scores["mean"]["all"]["mean_iou"] == 0.8125
    assert [start["mean_iou"] for start in scores["sequences"]["walk"]] == [0.25, 1.0]
    assert run("eval", moving, *STARTS, "--compare", results) == 0
    again = tables(capsys.readouterr().out)
    assert [row[:6] for row in again["sequence"]] == [row[:6] for row in printed["sequence"]]


def test_a_stopped_run_goes_on_within_a_sequence(moving, tmp_path, monkeypatch, capsys):
    track, calls = BoxThatStays.track, []

    def stop(self, image_bgr):
        calls.append(1)
        if len(calls) == 7:
            raise KeyboardInterrupt
        return track(self, image_bgr)

    monkeypatch.setattr(BoxThatStays, "track", stop)
    command = "eval", moving, *STARTS, "--results", tmp_path / "results"
    assert run(*command) == 130
    assert tables(capsys.readouterr().out)["sequence"][1][:4] == ["walk", "1", "2", "0.250"]
    assert run(*command, "--resume") == 0
    assert len(calls) == 9  # the two frames of the last start
    assert tables(capsys.readouterr().out)["sequence"][1][:4] == ["walk", "2", "4", "0.625"]


@pytest.mark.parametrize(
    "before, after, words",
    [
        ([], STARTS, "are of one pass, expected --every 2 --frames 2"),
        (STARTS, [], "are of --every 2 --frames 2, expected one pass"),
        (STARTS, ["--every", "2"], "are of --every 2 --frames 2, expected --every 2 --frames 60"),
    ],
)
@pytest.mark.parametrize("again", ["--results", "--compare"])
def test_results_of_other_starts_are_not_mixed_in(moving, tmp_path, capsys, before, after, words, again):
    results = tmp_path / "results"
    assert run("eval", moving, *before, "--results", results) == 0
    written = {path: path.read_bytes() for path in results.rglob("*") if path.is_file()}
    assert run("eval", moving, *after, again, results) == 2
    assert words in capsys.readouterr().err
    assert {path: path.read_bytes() for path in results.rglob("*") if path.is_file()} == written


def test_a_half_is_run_alone(moving, tmp_path, capsys):
    shutil.copytree(moving / "bike", moving / "surfer 2")
    scores = {}
    for half in ("A", "B", "both"):
        assert run("eval", moving, "--half", half, "--results", tmp_path / half) == 0
        scores[half] = json.loads((tmp_path / half / "scores.json").read_text())
    a, b = (list(scores[half]["sequences"]) for half in "AB")
    assert a and b and sorted(a + b) == ["bike", "surfer 2", "walk"]
    assert scores["A"]["mean"]["A"] == scores["A"]["mean"]["all"] == scores["both"]["mean"]["A"]
    assert scores["B"]["mean"]["B"] == scores["both"]["mean"]["B"]
    assert scores["A"]["mean"]["B"] == {"sequences": 0, "starts": 0, "mean_iou": None, "interval": None}


def test_the_other_half_is_added_by_resuming(moving, tmp_path, monkeypatch):
    for name in ("surfer 2", "surfer 3"):
        shutil.copytree(moving / "bike", moving / name)
    calls, track = [], BoxThatStays.track
    monkeypatch.setattr(BoxThatStays, "track", lambda self, image_bgr: calls.append(1) or track(self, image_bgr))
    command = "eval", moving, *STARTS, "--results", tmp_path / "results"
    for half, more in (("A", []), ("both", ["--resume"])):
        assert run(*command, "--half", half, *more) == 0
    assert len(calls) == 4 * 2 * 2
    assert run(*command, "--half", "A", "--resume") == 0 and len(calls) == 4 * 2 * 2


def test_a_report_of_many_starts_has_a_section_per_sequence(moving, tmp_path):
    pytest.importorskip("matplotlib")
    assert run("eval", moving, *STARTS, "--half", "both", "--report", tmp_path / "report") == 0
    page = (tmp_path / "report" / "report.html").read_text()
    assert page.count('<section class="sequence">') == 2 and "after its worst start" in page
    assert "walk: mean IoU 0.625" in page and "lite_online, half A" in page
    (figures,) = json.loads((tmp_path / "report" / "report.json").read_text())["trackers"].values()
    assert figures["mean"]["mean_iou"] == figures["intervals"]["all"]["mean_iou"] == 0.8125
    assert figures["success"][10] == (1 + (0 + 1) / 2) / 2  # higher than 0.5
    assert [start["first"] for start in figures["sequences"]["walk"]["starts"]] == [0, 2]


class LosesIt:
    """A tracker whose box stays and whose score is low from the second frame on; its target is the frame's number."""

    tile_side = 0

    def __init__(self):
        self.calibration = Calibration()

    def start(self, image_bgr, box_xywh):
        self.box_xywh = np.array(box_xywh, float)
        return 0

    def step(self, image_bgr, target, learn=True):
        return target + 1, TrackResult(self.box_xywh, 0.9 if target == 0 else 0.01)


@pytest.fixture
def leaving(sequences, monkeypatch):
    """Sequences of 12 frames; the target of `walk` is absent from the third one on, that of `bike` only unlabelled."""
    monkeypatch.setattr(registry, "create_tracker", lambda *_, **__: LosesIt())
    for name in ("bike", "walk"):
        for i in range(4, 12):
            shutil.copy(sequences / name / "img" / "0.png", sequences / name / "img" / f"{i}.png")
        (sequences / name / "groundtruth.txt").write_text("10,8,20,16\n" * 2 + "nan,nan,nan,nan\n" * 10)
        (sequences / name / "absent.txt").write_text("0\n" * 2 + f"{int(name == 'walk')}\n" * 10)
    return sequences


def session_rows(printed):
    return [row[1:] for row in tables(printed)["session"]]


def test_a_session_has_figures_of_losses(leaving, tmp_path, capsys):
    results = tmp_path / "results"
    assert run("eval", leaving, "--session", "--results", results) == 0
    printed = capsys.readouterr().out
    rows = session_rows(printed)
    assert rows[0][:8] == ["1", "0", "0", "1.000", "1.000", "1.000", "-", "-"]  # gaps in labels are no losses
    wrong = 100 * 1 / 11  # TRACKING in the first of ten frames without target
    assert rows[1] == ["1", "1", "0", "0.167", "1.000", "0.286", "-", "-", "5", f"{wrong:.1f}", "0.018"]
    assert rows[2][:6] == ["2", "1", "0", "0.583", "1.000", "0.737"]
    lines = (results / "walk.txt").read_text().splitlines()
    assert lines[6:8] == ["10.000,8.000,20.000,16.000,0.010", "nan,nan,nan,nan,0.010"]
    assert (results / "walk" / "states.txt").read_text().split().count("LOST") == 5
    assert run("eval", leaving, "--session", "--results", results, "--resume") == 0
    assert session_rows(capsys.readouterr().out) == rows
    assert run("eval", leaving, "--compare", results) == 0
    assert session_rows(capsys.readouterr().out) == rows


def test_runs_with_sessions_and_without_are_not_mixed(leaving, created, tmp_path, monkeypatch, capsys):
    """Nor are those with another calibration, or whose states are gone."""
    without, results = tmp_path / "without", tmp_path / "results"
    assert run("eval", leaving, "--results", without) == 0
    assert "session" not in capsys.readouterr().out
    assert "session" not in json.loads((without / "run.json").read_text())
    assert run("eval", leaving, "--session", "--results", without, "--resume") == 2
    monkeypatch.setattr(registry, "create_tracker", lambda *_, **__: LosesIt())
    weights = tmp_path / "own.safetensors"
    weights.write_bytes(b"")
    command = "eval", leaving, "--results", results, "--weights", weights
    assert run(*command, "--session") == 0 and run(*command, "--session", "--resume") == 0
    assert run(*command, "--resume") == 2
    assert capsys.readouterr().err.count("expected model lite_online") == 2
    (results / "walk" / "states.txt").unlink()
    assert run(*command, "--session", "--resume") == 2
    assert "walk/states.txt is missing" in capsys.readouterr().err
    Calibration().write(tmp_path / "own.safetensors.lite_online.calibration.json")
    assert run(*command, "--session", "--resume") == 2
    assert "leave --resume out" in capsys.readouterr().err
    monkeypatch.setattr(registry, "create_tracker", lambda *_, **__: BoxThatStays())
    assert run(*command) == 0
    assert not list(results.rglob("states.txt"))


def test_each_start_has_a_session_of_its_own(leaving, tmp_path, capsys):
    for name in ("bike", "walk"):  # labelled up to the end, so that there are starts at 0 and 4
        (leaving / name / "groundtruth.txt").write_text("10,8,20,16\n" * 12)
    (leaving / "walk" / "absent.txt").write_text("0\n" * 12)
    results = tmp_path / "results"
    command = "eval", leaving, "--session", "--every", "4", "--frames", "7", "--results", results
    assert run(*command) == 0
    printed = capsys.readouterr().out
    assert [row[0] for row in session_rows(printed)] == ["2", "2", "4"]  # starts of each sequence, and of both
    for start in ("000000", "000004"):
        states = (results / "walk" / start / "states.txt").read_text().split()
        assert len(states) == 8 and states[:2] == ["TRACKING"] * 2 and states[-1] == "LOST"
    assert run(*command, "--resume") == 0
    assert session_rows(capsys.readouterr().out) == session_rows(printed)


def test_a_report_has_the_figures_of_sessions(leaving, tmp_path):
    pytest.importorskip("matplotlib")
    assert run("eval", leaving, "--session", "--report", tmp_path / "report") == 0
    (figures,) = json.loads((tmp_path / "report" / "report.json").read_text())["trackers"].values()
    assert figures["session"]["lost_delay"] == 5 and figures["session"]["redetected_30"] is None
    assert figures["sequences"]["walk"]["session"]["departures"] == 1
    page = (tmp_path / "report" / "report.html").read_text()
    assert "LOST delay" in page and "all sequences" in page
