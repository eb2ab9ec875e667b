# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The benchmark's program, with a peer that sees the targets of drawn sequences."""

import json

import cv2
import numpy as np
import pytest
from drawn_tracks import BLUE, GREEN, drawn_track
from pattern_tracker import TARGET, PatternTracker, box_at, draw

from benchmarks.lost_and_found import ABLATIONS, Ablation, SessionRunner, main
from siam_tracker_ros.core.tracker import TrackResult

PEER = f"{__name__}:SeesColor"
KINDS = ("replaced", "control", "covered", "scene")


class SeesColor:
    """A tracker that sees the pixels of its target's colour, and says where they were when there are none."""

    def init(self, image_bgr, box_xywh):
        x, y, w, h = np.round(box_xywh).astype(int)
        self.channel = int(image_bgr[y + h // 2, x + w // 2].argmax())
        self.box_xywh = np.array(box_xywh, float)

    def track(self, image_bgr):
        others = np.delete(image_bgr, self.channel, axis=2).max(axis=2)
        rows, columns = np.nonzero(image_bgr[..., self.channel] > others.astype(int) + 150)
        if len(rows) == 0:
            return TrackResult(self.box_xywh, score=0.1)
        x, y = columns.min(), rows.min()
        self.box_xywh = np.array([x, y, columns.max() + 1 - x, rows.max() + 1 - y], float)
        return TrackResult(self.box_xywh, score=0.9)


@pytest.fixture(scope="module")
def sequences(tmp_path_factory):
    """Three sequences as files: two that are labelled throughout, and one whose target is absent for a while."""
    root = tmp_path_factory.mktemp("sequences")
    for track in (
        drawn_track("red", frames=40),
        drawn_track("blue", frames=40, color_bgr=BLUE),
        drawn_track("sometimes", frames=40, color_bgr=GREEN, absent=range(10, 20)),
    ):
        (root / track.name / "img").mkdir(parents=True)
        for i in range(len(track)):
            cv2.imwrite(str(root / track.name / "img" / f"{i:04d}.png"), track.image_bgr(i))
        np.savetxt(root / track.name / "groundtruth.txt", track.boxes_xywh, "%g", ",")
    return root


def run(sequences, *arguments):
    return main([str(sequences), "--models", "--peer", PEER, "--count", "1", *map(str, arguments)])


def test_a_tracker_that_sees_all_has_perfect_figures(sequences, tmp_path, capsys):
    assert run(sequences, "--kinds", *KINDS, "--real", "--json", tmp_path / "out.json") == 0
    printed = capsys.readouterr().out
    lines = [line.split() for line in printed.splitlines()]
    assert [line[0] for line in lines if PEER in line and len(line) > 15] == ["all", *KINDS]
    figures = json.loads((tmp_path / "out.json").read_text())["figures"]
    assert list(figures) == ["all", *KINDS, "real"]
    ((name, own),) = figures["all"].items()
    assert name == f"{PEER} 0.90 0.90"
    assert (own["lost_10"], own["redetected_30"], own["false_lost"], own["wrong_frames"], own["auroc"]) == (
        1,
        1,
        0,
        0,
        1,
    )
    assert own["iou"] > 0.9 and own["calibration_error"] == pytest.approx(0.1)
    assert figures["replaced"][name]["redetected_30"] is None  # it does not return
    assert figures["real"][name]["f"] == figures["real"][name]["redetected_30"] == 1
    clips = json.loads((tmp_path / "out.json").read_text())["clips"]
    assert [clip["kind"] for clip in clips] == [*KINDS, "real"]
    assert clips[0]["outcomes"][name] == {"lost_delays": [0], "redetection_delays": [], "wrong_frames": 0}


@pytest.mark.parametrize("absent, departures", [("0" * 40, 0), ("0" * 15 + "1" * 5 + "0" * 20, 1)])
def test_real_sequences_say_where_the_target_is_absent(sequences, tmp_path, absent, departures):
    path = sequences / "sometimes" / "absent.txt"
    path.write_text("\n".join(absent))
    try:
        assert run(sequences, "--kinds", "replaced", "--real", "--json", tmp_path / "out.json") == 0
    finally:
        path.unlink()
    figures = json.loads((tmp_path / "out.json").read_text())["figures"]["real"]
    assert [own["departures"] for own in figures.values()] == [departures]


def test_clips_are_listed_and_missing_kinds_are_told(sequences, capsys):
    assert run(sequences, "--half", "1", "--list") == 0
    said = capsys.readouterr()
    assert "control-00  red" in said.out
    assert "scene: 0 of 1 clips, the sequences allow no more" in said.err


def test_a_timeline_is_drawn(sequences, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    assert run(sequences, "--kinds", "covered", "--timeline", "covered-00", tmp_path / "out.png") == 0
    height, width = cv2.imread(str(tmp_path / "out.png")).shape[:2]
    assert width > height > 100
    assert capsys.readouterr().out == ""


def test_parts_of_a_session_are_left_out_in_a_row_each(sequences, capsys):
    options = ["--kinds", "replaced", "--models", "lite", "--without", "memory", "calibration"]
    assert main([str(sequences), "--count", "1", *options]) == 0
    printed = capsys.readouterr().out
    assert all(f"lite without {part} " in printed for part in ("memory", "calibration"))


@pytest.mark.parametrize("part", ABLATIONS)
def test_a_part_is_left_out_of_its_own_session_alone(part):
    ablation = ABLATIONS[part]

    def values():
        return [getattr(owner, name) for owner, name, _ in ablation.replaced]

    class Spy(PatternTracker):
        def _match(self, image_bgr, target):
            self.seen = values()
            return super()._match(image_bgr, target)

    before, tracker = values(), Spy()
    calibration, image_bgr = tracker.calibration, draw(((60, 60), TARGET))
    runner = SessionRunner(tracker, ablation)
    runner.init(image_bgr, box_at((60, 60)))
    _, _, box_xywh = runner.step(image_bgr)
    np.testing.assert_allclose(box_xywh, box_at((60, 60)), atol=1)
    assert tracker.seen == [value for *_, value in ablation.replaced] and values() == before
    assert runner._session._monitor.settings == ablation.monitor_settings
    assert runner._session._search_settings == ablation.search_settings
    assert (tracker.calibration == calibration) == ablation.calibrated
    assert ablation != Ablation()


def test_a_part_that_is_not_known_is_refused(sequences, capsys):
    with pytest.raises(SystemExit, match="2"):
        run(sequences, "--kinds", "control", "--without", "eyes")
    assert (
        f"--without: invalid choice: 'eyes' (choose from {', '.join(map(repr, ABLATIONS))}" in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--timeline", "covered-99", "x.png"], "there is no clip to run; --list shows those that there are"),
        (["--peer", "no_such_module:create"], "--peer is no_such_module:create, expected MODULE:FACTORY"),
        (["--peer", "json"], "--peer is json, expected MODULE:FACTORY"),
        (["--weights", "lite"], "--weights is lite, expected MODEL=FILE"),
        (["--classes", "no/such/file.yaml"], "no/such/file.yaml cannot be read"),
    ],
)
def test_what_cannot_be_used_is_refused(sequences, arguments, message, capsys):
    assert run(sequences, "--kinds", "control", *arguments) == 2
    assert message in capsys.readouterr().err
