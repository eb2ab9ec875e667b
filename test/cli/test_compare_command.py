# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
import re

import numpy as np
import pytest
from cli_testing import BoxThatStays, run, tables

from siam_tracker_ros.core import registry
from siam_tracker_ros.core.tracker import TrackResult

STARTS = "--every", "1", "--frames", "2"


class LowBox(BoxThatStays):
    """A box of the target's lower half: its IoU is 0.5."""

    def track(self, image_bgr):
        return TrackResult(self.box + np.multiply(self.box[3] / 2, (0, 1, 0, -1)), 0.9)


@pytest.fixture(params=[(), STARTS], ids=["one pass", "many starts"])
def runs(request, created, sequences, tmp_path, monkeypatch, capsys):
    """Results of a box that stays on its target, and of one that meets half of it."""
    command = "eval", sequences, *request.param, "--results"
    assert run(*command, tmp_path / "stays") == 0
    monkeypatch.setattr(registry, "create_tracker", lambda *_, **__: LowBox())
    assert run(*command, tmp_path / "low") == 0
    capsys.readouterr()
    return tmp_path / "stays", tmp_path / "low"


def change(folder, edit):
    """Apply a function to the scores in a folder of results."""
    path = folder / "scores.json"
    scores = json.loads(path.read_text())
    edit(scores)
    path.write_text(json.dumps(scores))


def test_sequences_are_paired(runs, capsys):
    assert run("compare", *runs, "--half", "both") == 0
    printed = tables(capsys.readouterr().out)
    starts = len(json.loads((runs[0] / "scores.json").read_text())["sequences"]["bike"])
    assert [row[0] for row in printed["sequence"]] == ["bike", "walk"]
    assert all(row[2:] == [str(starts), "1.000", "0.500", "-0.5000"] for row in printed["sequence"])
    whole, *halves = printed["difference"]
    interval = ["-0.5000", "-0.5000 to -0.5000", "told from chance"]
    assert whole == ["low - stays", "2", str(2 * starts), *interval]
    assert [row[0] for row in halves] == ["low - stays, half A", "low - stays, half B"]
    assert halves[1][1:] == whole[1:] and halves[0][1] == "0"  # bike and walk are both in B
    assert run("compare", *runs, "--half", "B") == 0
    assert tables(capsys.readouterr().out)["difference"] == [whole]
    assert run("compare", *runs, "--half", "A") == 2
    assert "no sequence in half A" in capsys.readouterr().err
    assert run("compare", runs[1] / "scores.json", runs[0]) == 0
    (back,) = tables(capsys.readouterr().out)["difference"]
    assert back[0] == "stays - scores.json" and back[3:] == ["+0.5000", "+0.5000 to +0.5000", "told from chance"]


def test_differences_in_both_directions_are_not_told_from_chance(runs, capsys):
    def swap(scores):
        for start in scores["sequences"]["bike"]:
            start["mean_iou"] = 1.0
        for start in scores["sequences"]["walk"]:
            start["mean_iou"] = 0.5

    change(runs[0], swap)
    change(
        runs[1], lambda scores: [start.update(mean_iou=0.75) for own in scores["sequences"].values() for start in own]
    )
    assert run("compare", *runs) == 0
    (whole,) = tables(capsys.readouterr().out)["difference"]
    assert whole[3:] == ["+0.0000", "-0.2500 to +0.2500", "not told from chance"]


def test_a_start_of_which_no_frame_counts_is_left_out(runs, capsys):
    for folder in runs:
        change(folder, lambda scores: [start.update(mean_iou=None) for start in scores["sequences"]["bike"]])
    assert run("compare", *runs) == 0
    printed = tables(capsys.readouterr().out)
    assert printed["sequence"][0][3:] == ["-", "-", "-"]
    assert printed["difference"][0][1] == "1" and printed["difference"][0][3:] == [
        "-0.5000",
        "-",
        "not told from chance",
    ]


def rename(scores):
    scores["sequences"]["bird"] = scores["sequences"].pop("walk")
    scores["halves"]["bird"] = "A"


@pytest.mark.parametrize(
    "edit, words",
    [
        (rename, "only the first run has walk; only the second run has bird"),
        (lambda scores: scores["sequences"].pop("bike"), "only the first run has bike; expected"),
        (lambda scores: scores["sequences"]["walk"].pop(), "other starts in walk; expected"),
        (lambda scores: scores["sequences"]["walk"][0].update(first=7), "other starts in walk; expected"),
        (lambda scores: scores["sequences"]["bike"][-1].update(labels="0"), "other labels in bike; expected"),
        (
            lambda scores: scores.update(starts={"every": 9, "frames": 60}),
            "a start at every 9 frames, 60 frames tracked after each",
        ),
    ],
)
def test_runs_that_do_not_pair_are_refused(runs, capsys, edit, words):
    change(runs[1], edit)
    assert run("compare", *runs) == 2
    said = capsys.readouterr().err
    assert "do not pair" in said and words in said and said.count("\n") == 1


def test_labels_that_changed_since_are_told(runs, sequences, tmp_path, capsys):
    path = sequences / "walk" / "groundtruth.txt"
    options = [] if (runs[0] / "walk.txt").exists() else STARTS
    for last, status in (("10,8,20,16.0000001", 0), ("10,8,20,16.01", 2)):
        path.write_text("10,8,20,16\n" * 3 + last + "\n")
        assert run("eval", sequences, *options, "--results", tmp_path / "again") == 0
        assert run("compare", runs[0], tmp_path / "again") == status
    assert "other labels in walk" in capsys.readouterr().err


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(b"\xff{"),
        lambda path: path.write_text("[]"),
        lambda path: path.write_text('{"starts": null, "halves": {}, "sequences": {"bike": []}}'),
        lambda path: path.write_text('{"starts": {"step": 1}, "halves": {}, "sequences": {}}'),
        lambda path: path.write_text('{"starts": null, "halves": {"a": "A"}, "sequences": {"a": [{"first": 0}]}}'),
        lambda path: path.write_text(re.sub('"mean_iou": [0-9.]+', '"mean_iou": "high"', path.read_text())),
    ],
)
def test_scores_that_cannot_be_read_are_refused(runs, capsys, spoil):
    spoil(runs[1] / "scores.json")
    assert run("compare", *runs) == 2
    said = capsys.readouterr().err
    assert (
        "low/scores.json cannot be read" in said
        and "siam-tracker eval --results writes; run it again with --resume" in said
    )


def test_a_run_without_scores_is_refused(runs, capsys):
    (runs[1] / "scores.json").unlink()
    assert run("compare", *runs) == 2
    assert "low/scores.json does not exist, expected the scores that" in capsys.readouterr().err


def test_a_run_is_not_compared_with_itself(runs, capsys):
    assert run("compare", runs[0], runs[0]) == 2
    assert "is given twice, expected two runs" in capsys.readouterr().err


def test_folders_of_the_same_name_are_told_apart_by_their_paths(runs, tmp_path, capsys):
    (tmp_path / "new").mkdir()
    (runs[1]).rename(tmp_path / "new" / "stays")
    assert run("compare", runs[0], tmp_path / "new" / "stays") == 0
    (row,) = tables(capsys.readouterr().out)["difference"]
    assert row[0] == f"{tmp_path}/new/stays - {runs[0]}"
