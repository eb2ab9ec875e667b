# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from siam_tracker_ros.core.confidence import Calibration
from siam_tracker_ros.core.monitor import TargetState
from siam_tracker_ros.core.tracker import TrackResult
from siam_tracker_ros.data.box_files import read_boxes, read_results, write_results
from siam_tracker_ros.data.labelled import read_videos
from siam_tracker_ros.errors import DatasetError, InvalidInputError
from siam_tracker_ros.evaluation.metrics import Scores, mask_iou, mean_scores, score_boxes
from siam_tracker_ros.evaluation.one_pass import Outputs, run_one_pass
from siam_tracker_ros.evaluation.results import read_run
from siam_tracker_ros.evaluation.tracker import SessionTracker

NAN = float("nan")
SCORER = Path(__file__).resolve().parents[3] / "shared" / "tools" / "score.py"


class ScriptedTracker:
    """A test double that gives prepared boxes, one a frame, whatever it sees."""

    def __init__(self, boxes_xywh, with_mask=False):
        self.boxes_xywh, self.with_mask = boxes_xywh, with_mask

    def init(self, image_bgr, box_xywh):
        self.remaining = iter(self.boxes_xywh)

    def track(self, image_bgr):
        box = np.array(next(self.remaining), dtype=np.float64)
        mask = None
        if self.with_mask:
            mask = np.zeros(image_bgr.shape[:2], bool)
            x, y, w, h = np.nan_to_num(box).astype(int)
            mask[y : y + h, x : x + w] = True
        return TrackResult(box, score=0.5, mask=mask)


def make_sequence(folder, truth_xywh, masks=False):
    (folder / "img").mkdir(parents=True)
    lines = []
    for i, box in enumerate(truth_xywh, start=1):
        image = np.zeros((48, 64, 3), np.uint8)
        cv2.imwrite(str(folder / "img" / f"{i:04d}.png"), image)
        lines.append(",".join(f"{value:.2f}" for value in box))
        if masks:
            (folder / "mask").mkdir(exist_ok=True)
            mask = np.zeros((48, 64), np.uint8)
            x, y, w, h = np.nan_to_num(box).astype(int)
            mask[y : y + h, x : x + w] = 255
            cv2.imwrite(str(folder / "mask" / f"{i:04d}.png"), mask)
    (folder / "groundtruth.txt").write_text("\n".join(lines) + "\n")
    return folder


@pytest.mark.parametrize(
    "text, boxes",
    [
        ("", np.empty((0, 4))),
        ("\n\n", np.empty((0, 4))),
        ("1,2,3,4", [[1, 2, 3, 4]]),
        ("1 2 3 4\n5\t6\t7\t8\n\n", [[1, 2, 3, 4], [5, 6, 7, 8]]),
        ("1, 2, 3, 4\r\nnan,nan,nan,nan\r\n", [[1, 2, 3, 4], [NAN] * 4]),
        ("1.5,-2,3e1,4\nNaN,NaN,NaN,NaN", [[1.5, -2, 30, 4], [NAN] * 4]),
    ],
)
def test_ground_truth_is_read(text, boxes, tmp_path):
    (tmp_path / "groundtruth.txt").write_text(text)
    np.testing.assert_array_equal(read_boxes(tmp_path / "groundtruth.txt"), np.asarray(boxes, float))


@pytest.mark.parametrize(
    "content, words",
    [
        (None, "boxes.txt does not exist"),
        (b"\xff\xfe\x00\x80", "boxes.txt cannot be read"),
        (b"1,2,3,4\n1,2,3\n", "boxes.txt, line 2: '1,2,3' has 3 fields, expected four numbers x,y,w,h"),
        (b"1,2,3,4\n\n5,6,7,8\n", "boxes.txt, line 2: '' has 0 fields"),
        (b"1,2,3,4,5,6,7,8\n", "boxes.txt, line 1: .* has 8 fields"),
        (b"1,2,3,4\nx,y,w,h\n", "boxes.txt, line 2: 'x,y,w,h' is not all numbers"),
        (b"1,2,,3,4\n5;6;7;8\n", "boxes.txt, line 2: '5;6;7;8' has 1 fields"),
    ],
)
def test_a_bad_ground_truth_is_refused_with_file_and_line(content, words, tmp_path):
    path = tmp_path / "boxes.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidInputError, match=words):
        read_boxes(path)


def test_results_come_back_as_they_were_written(tmp_path):
    boxes = np.array([[1, 2, 3, 4], [NAN] * 4, [-0.125, 7, 8, 9.5]])
    write_results(tmp_path / "new" / "folder" / "a.txt", boxes, [1, 0.25, 0.5])
    read, scores = read_results(tmp_path / "new" / "folder" / "a.txt")
    np.testing.assert_array_equal(read, boxes)
    np.testing.assert_array_equal(scores, [1, 0.25, 0.5])


def test_results_without_scores_have_unknown_scores(tmp_path):
    (tmp_path / "a.txt").write_text("1,2,3,4\n1,2,3,4,0.5\n")
    boxes, scores = read_results(tmp_path / "a.txt")
    assert boxes.shape == (2, 4)
    np.testing.assert_array_equal(scores, [NAN, 0.5])


def drop_an_image(folder):
    (folder / "img" / "0002.png").unlink()


def drop_a_mask(folder):
    (folder / "mask" / "0002.png").unlink()


def unlabel_the_first_frame(folder):
    (folder / "groundtruth.txt").write_text("nan,nan,nan,nan\n1,2,3,4\n1,2,3,4\n")


def empty_the_labels(folder):
    (folder / "groundtruth.txt").write_text("")


@pytest.mark.parametrize(
    "damage, words",
    [
        (drop_an_image, "has 2 images in img and 3 in groundtruth.txt"),
        (drop_a_mask, "has 3 images in img and 2 in mask"),
        (unlabel_the_first_frame, "groundtruth.txt: line 1 is no box, expected the first frame's box"),
        (empty_the_labels, "groundtruth.txt: line 1 is no box, expected the first frame's box"),
    ],
)
def test_a_sequence_that_does_not_fit_together_is_refused(damage, words, tmp_path):
    folder = make_sequence(tmp_path / "walk", [(1, 2, 3, 4)] * 3, masks=True)
    damage(folder)
    with pytest.raises(DatasetError, match=words):
        read_videos(folder)


def test_sequences_are_found_by_name_and_other_folders_are_passed_over(tmp_path):
    for name in ("walk", "bike"):
        make_sequence(tmp_path / name, [(1, 2, 3, 4)])
    (tmp_path / "notes").mkdir()
    assert [track.name for track in read_videos(tmp_path).tracks] == ["bike", "walk"]
    assert [track.name for track in read_videos(tmp_path / "walk").tracks] == ["walk"]
    with pytest.raises(InvalidInputError, match="has no sequence in it"):
        read_videos(tmp_path / "notes")
    with pytest.raises(InvalidInputError, match="is not a folder"):
        read_videos(tmp_path / "missing")


@pytest.mark.parametrize(
    "truth, predicted, expected",
    [
        ([[0, 0, 10, 10]], [[0, 0, 10, 10]], Scores(0, NAN, NAN, NAN)),
        ([[0, 0, 10, 10]] * 2, [[0, 0, 10, 10]] * 2, Scores(1, 1, 20 / 21, 1)),
        ([[0, 0, 10, 10]] * 2, [[9, 9, 9, 9], [NAN] * 4], Scores(1, 0, 0, 0)),
        (
            [[0, 0, 10, 10]] * 3,
            [[NAN] * 4, [0, 0, 10, 10], [0, 0, 10, 5]],
            Scores(2, 0.75, (20 + 10) / 42, 1),
        ),
        (
            [[0, 0, 10, 10], [NAN] * 4, [0, 0, 0, 10], [0, 0, 9, 9]],
            [[0, 0, 9, 9]] * 4,
            Scores(1, 1, 20 / 21, 1),
        ),
        ([[0, 0, 10, 10]] * 3, [[0, 0, 0, 0], [20, 0, 10, 10], [20.1, 0, 10, 10]], Scores(2, 0, 0, 0.5)),
    ],
)
def test_scores(truth, predicted, expected):
    scores = score_boxes(truth, predicted)
    assert scores.frames == expected.frames
    np.testing.assert_allclose(
        [scores.mean_iou, scores.auc, scores.precision20],
        [expected.mean_iou, expected.auc, expected.precision20],
        rtol=1e-12,
    )


@pytest.mark.parametrize("shape", [(3, 4), (2, 5), (8,), (0, 4)])
def test_predictions_of_another_shape_are_refused(shape):
    with pytest.raises(InvalidInputError, match="one box per frame"):
        score_boxes(np.ones((2, 4)), np.ones(shape))


@pytest.mark.parametrize(
    "truth, predicted, expected",
    [
        ([[False, False]], [[False, False]], 1.0),
        ([[True, False]], [[False, False]], 0.0),
        ([[True, True]], [[True, False]], 0.5),
        ([[True]], [[True]], 1.0),
    ],
)
def test_mask_iou(truth, predicted, expected):
    assert mask_iou(np.array(truth), np.array(predicted)) == expected


def test_masks_of_other_sizes_are_refused():
    with pytest.raises(InvalidInputError, match="one size"):
        mask_iou(np.zeros((2, 1), bool), np.zeros((1, 2), bool))


def test_sequences_without_masks_leave_the_region_similarity_alone():
    assert mean_scores([Scores(1, 1, 1, 1, 0.5), Scores(1, 1, 1, 1)]).region == 0.5
    assert np.isnan(mean_scores([Scores(1, 1, 1, 1)]).region)


@pytest.mark.parametrize("odd", [Scores(0, NAN, NAN, NAN), Scores(0, NAN, NAN, NAN, 0.5)])
@pytest.mark.parametrize("first", [True, False])
def test_a_sequence_of_which_no_frame_counts_leaves_the_others_mean_alone(odd, first):
    whole = Scores(9, 0.6, 0.5, 0.75, 0.5)
    assert mean_scores([odd, whole] if first else [whole, odd]) == whole
    assert np.isnan(mean_scores([odd]).mean_iou)


def test_every_sequence_counts_the_same():
    mean = mean_scores([Scores(1, 1.0, 0.8, 1.0), Scores(99, 0.0, 0.2, 0.5)])
    assert (mean.frames, mean.mean_iou, mean.auc, mean.precision20) == (100, 0.5, 0.5, 0.75)


def test_one_pass_keeps_every_frame(tmp_path):
    make_sequence(tmp_path / "data" / "walk", [(1, 2, 10, 10)] * 4)
    tracker = ScriptedTracker([(1, 2, 10, 10), (NAN,) * 4, (1, 2, 10, 5)])
    (run,) = run_one_pass(tracker, read_videos(tmp_path / "data").tracks, Outputs(tmp_path / "results"))
    assert run.boxes_xywh.shape == (4, 4) and run.track_ms.shape == (3,)
    boxes, scores = read_results(tmp_path / "results" / "walk.txt")
    np.testing.assert_array_equal(boxes, [(1, 2, 10, 10), (1, 2, 10, 10), (NAN,) * 4, (1, 2, 10, 5)])
    np.testing.assert_array_equal(scores, [1, 0.5, 0.5, 0.5])
    assert run.scores.mean_iou == pytest.approx(0.5)
    assert not (tmp_path / "results" / "walk").exists()


def test_one_pass_without_a_results_folder_writes_nothing(tmp_path):
    make_sequence(tmp_path / "walk", [(1, 2, 10, 10)])
    before = sorted(tmp_path.rglob("*"))
    (run,) = run_one_pass(ScriptedTracker([]), read_videos(tmp_path).tracks)
    assert sorted(tmp_path.rglob("*")) == before
    assert run.scores.frames == 0


def test_a_frame_of_another_size_is_not_searched_and_said(tmp_path):
    make_sequence(tmp_path / "walk", [(1, 2, 10, 10)] * 4)
    path = tmp_path / "walk" / "img" / "0003.png"
    cv2.imwrite(str(path), cv2.imread(str(path))[:-4])
    (run,) = run_one_pass(ScriptedTracker([(1, 2, 10, 10)] * 2), read_videos(tmp_path).tracks)
    np.testing.assert_array_equal(run.boxes_xywh, [(1, 2, 10, 10), (1, 2, 10, 10), (NAN,) * 4, (1, 2, 10, 10)])
    assert run.confidences.tolist() == [1, 0.5, 0, 0.5] and len(run.track_ms) == 2
    assert run.scores.mean_iou == pytest.approx(2 / 3)
    (remark,) = run.remarks
    assert "walk, frame 2: image is" in remark and "as when the target was marked" in remark


def test_a_byte_order_mark_is_no_part_of_the_boxes(tmp_path):
    (tmp_path / "boxes.txt").write_bytes(b"\xef\xbb\xbf1,2,3,4\r\n5,6,7,8\r\n")
    np.testing.assert_array_equal(read_boxes(tmp_path / "boxes.txt"), [(1, 2, 3, 4), (5, 6, 7, 8)])


def test_a_sequence_whose_name_is_not_utf_8_is_evaluated(tmp_path):
    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    make_sequence(tmp_path / "made", [(1, 2, 10, 10)] * 3, masks=True)
    (tmp_path / "data").mkdir()
    (tmp_path / "made").rename(tmp_path / "data" / name)
    tracker = ScriptedTracker([(1, 2, 10, 10)] * 2, with_mask=True)
    (run,) = run_one_pass(tracker, read_videos(tmp_path / "data").tracks, Outputs(tmp_path / "results"))
    assert run.name == name and len(list((tmp_path / "results" / name / "mask").iterdir())) == 2
    assert len(read_results(tmp_path / "results" / f"{name}.txt")[0]) == 3


def test_stray_files_are_no_frames_and_no_masks(tmp_path):
    make_sequence(tmp_path / "walk", [(1, 2, 10, 10)] * 3, masks=True)
    for folder in ("img", "mask"):
        for name in (".DS_Store", "Thumbs.db", "._0001.png"):
            (tmp_path / "walk" / folder / name).write_bytes(b"\0\5\x16\7")
    (track,) = read_videos(tmp_path).tracks
    assert len(track) == len(track.masks.files.names) == 3
    list(run_one_pass(ScriptedTracker([(1, 2, 10, 10)] * 2, with_mask=True), [track]))


def test_16_bit_frames_share_one_stretch(tmp_path):
    make_sequence(tmp_path / "walk", [(1, 2, 10, 10)] * 3)
    rng = np.random.default_rng(0)
    for i, level in enumerate((7000, 7000, 7400), start=1):
        image = rng.integers(level, level + 1000, (48, 64)).astype(np.uint16)
        cv2.imwrite(str(tmp_path / "walk" / "img" / f"{i:04d}.png"), image)
    seen = []

    class Watching(ScriptedTracker):
        def track(self, image_bgr):
            seen.append(image_bgr.mean())
            return super().track(image_bgr)

    tracks = read_videos(tmp_path).tracks
    list(run_one_pass(Watching([(1, 2, 10, 10)] * 2), tracks, intensity_range=(7000, 9000)))
    assert seen[1] - seen[0] == pytest.approx(400 / 2000 * 255, abs=3)
    del seen[:]
    list(run_one_pass(Watching([(1, 2, 10, 10)] * 2), tracks))
    assert seen[1] - seen[0] > 40  # a stretch of each frame alone would make them equal


def test_a_frame_that_breaks_off_names_its_file(tmp_path):
    make_sequence(tmp_path / "walk", [(1, 2, 10, 10)] * 3)
    (tmp_path / "walk" / "img" / "0003.png").write_bytes(b"broken")
    runs = run_one_pass(
        ScriptedTracker([(1, 2, 3, 4)] * 2), read_videos(tmp_path).tracks, Outputs(tmp_path / "results")
    )
    with pytest.raises(InvalidInputError, match="0003.png cannot be"):
        list(runs)
    assert not (tmp_path / "results" / "walk.txt").exists()


def test_figures_equal_the_reference_scorer(tmp_path):
    if not SCORER.exists():
        pytest.skip("the reference scorer is not beside this repository")
    rng = np.random.default_rng(0)
    for name, masks in (("plain", False), ("masked", True)):
        truth = np.column_stack([rng.uniform(0, 20, (30, 2)), rng.uniform(5, 25, (30, 2))])
        truth[[4, 9]] = NAN
        make_sequence(tmp_path / "data" / name, truth, masks=masks)
    tracks = read_videos(tmp_path / "data").tracks
    predicted = np.nan_to_num(truth[1:], nan=5.0) + rng.normal(0, 4, (29, 4))
    predicted[:, 2:] = np.abs(predicted[:, 2:])
    predicted[:, :2] = np.clip(predicted[:, :2], 0, 60)
    predicted[[2, 3]] = NAN
    runs = list(run_one_pass(ScriptedTracker(predicted, with_mask=True), tracks, Outputs(tmp_path / "results")))

    command = [
        sys.executable,
        SCORER,
        tmp_path / "data",
        tmp_path / "results",
        "--json",
        tmp_path / "scores.json",
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    reference = json.loads((tmp_path / "scores.json").read_text())
    scores = []
    for track, run in zip(tracks, runs, strict=True):
        expected = reference["sequences"][run.name]
        assert ("j_mean" in expected) == (run.name == "masked")
        assert run.scores.mean_iou == pytest.approx(expected["mean_iou"], rel=1e-12)
        assert run.scores.region == pytest.approx(expected.get("j_mean", NAN), nan_ok=True)
        scores.append(score_boxes(track.boxes_xywh, read_results(tmp_path / "results" / f"{run.name}.txt")[0]))
        assert scores[-1].frames == expected["frames"] == 27
        for figure in ("mean_iou", "auc", "precision20"):
            assert getattr(scores[-1], figure) == pytest.approx(expected[figure], rel=1e-12)
    for figure in ("mean_iou", "auc", "precision20"):
        assert getattr(mean_scores(scores), figure) == pytest.approx(reference["mean"][figure], rel=1e-12)


class Held:
    """A tracker whose box stays and whose scores are given, for a TargetSession; its target is the frame's number."""

    tile_side = 0

    def __init__(self, scores, with_mask=False):
        self.scores, self.with_mask, self.calibration = scores, with_mask, Calibration()

    def start(self, image_bgr, box_xywh):
        self.box_xywh = np.array(box_xywh, float)
        return 0

    def step(self, image_bgr, target, learn=True):
        mask = np.full(image_bgr.shape[:2], True) if self.with_mask else None
        return target + 1, TrackResult(self.box_xywh, self.scores[target], mask)


def run_session(folder, scores, results=None, **options):
    tracker = SessionTracker(Held(scores, **options))
    (run,) = run_one_pass(tracker, read_videos(folder).tracks, Outputs(results))
    return "".join(TargetState(state).name[0] for state in run.states.tolist()), run


def test_a_session_has_no_box_while_the_target_is_lost(tmp_path):
    folder = make_sequence(tmp_path / "walk", [(1, 2, 10, 10)] * 16)
    states, run = run_session(folder, [0.9] * 3 + [0.01] * 7 + [0.9] * 5, tmp_path / "results")
    assert states == "TTTT" + "TUUUULL" + "LUUUT"
    np.testing.assert_array_equal(np.isfinite(run.boxes_xywh).all(axis=1), [state != "L" for state in states])
    assert run.scores.mean_iou == pytest.approx(12 / 15)  # of a lost frame it is 0
    lines = (tmp_path / "results" / "walk.txt").read_text().splitlines()
    assert lines[9] == "nan,nan,nan,nan,0.010"
    again = read_run(tmp_path / "results", read_videos(folder).tracks[0])
    np.testing.assert_array_equal(again.states, run.states)
    np.testing.assert_array_equal(again.boxes_xywh, run.boxes_xywh)
    assert again.scores == run.scores


def test_a_session_loses_a_target_in_a_frame_of_another_size(tmp_path):
    folder = make_sequence(tmp_path / "walk", [(1, 2, 10, 10)] * 6)
    path = folder / "img" / "0003.png"
    cv2.imwrite(str(path), cv2.imread(str(path))[:-4])
    states, run = run_session(folder, [0.9] * 4)
    assert states == "TTLLUU" and run.confidences.tolist() == pytest.approx([1, 0.9, 0, 0.9, 0.9, 0.9])
    assert len(run.remarks) == 1


def test_masks_of_a_lost_target_are_empty(tmp_path):
    folder = make_sequence(tmp_path / "walk", [(0, 0, 64, 48)] * 9, masks=True)
    states, run = run_session(folder, [0.9] + [0.0] * 7, tmp_path / "results", with_mask=True)
    assert states == "TTTUUUULL" and run.region == pytest.approx(6 / 8)
    assert read_run(tmp_path / "results", read_videos(folder).tracks[0]).region == run.region


@pytest.mark.parametrize(
    "content, words",
    [
        ("", "has 0 states, expected 2 of IDLE, TRACKING, UNCERTAIN, LOST, one per frame"),
        ("TRACKING\n", "has 1 states, expected 2"),
        ("TRACKING\nGONE\n", "has the state 'GONE', expected 2"),
        (b"\xff\xfe", "has the state .*, expected 2"),
    ],
)
def test_states_that_do_not_fit_are_refused(content, words, tmp_path):
    folder = make_sequence(tmp_path / "walk", [(1, 2, 10, 10)] * 2)
    run_session(folder, [0.9], tmp_path / "results")
    path = tmp_path / "results" / "walk" / "states.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InvalidInputError, match=words):
        read_run(tmp_path / "results", read_videos(folder).tracks[0])
