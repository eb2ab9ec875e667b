# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import dataclasses
import math

import cv2
import numpy as np
import pytest
from demo_testing import SUMMARY

from siam_tracker_ros.core.monitor import TargetState
from siam_tracker_ros.demo.report import (
    Absence,
    LiveRun,
    TrueFrame,
    Truth,
    absences,
    annotate,
    figures,
    frame_ious,
    loss_starts,
    mistaken_frames,
    percentiles,
    write_plot,
    write_video,
)
from siam_tracker_ros.frames import open_frames

INF, NAN = math.inf, math.nan
IDLE, TRACKING, UNCERTAIN, LOST = TargetState


def live_run(states, boxes=None, start=0):
    """A run at 10 Hz: None in `states` is a dropped frame; latency is 10 + index ms, inference 4 ms."""
    count = len(states)
    processed = np.array([state is not None for state in states], dtype=bool)
    boxes_xywh = np.full((count, 4), NAN) if boxes is None else np.array(boxes, dtype=np.float64).reshape(count, 4)
    held = processed & np.isfinite(boxes_xywh).all(axis=1)
    return LiveRun(
        stamps_ns=10**18 + np.arange(count, dtype=np.int64) * 10**8,
        start=start,
        processed=processed,
        states=np.array([IDLE if state is None else state for state in states], dtype=int),
        confidences=np.where(processed, 0.8, NAN),
        inference_ms=np.where(processed, 4.0, NAN),
        boxes_xywh=boxes_xywh,
        latencies_ms=np.where(held, 10.0 + np.arange(count), NAN),
    )


def truth(boxes, visibility=None, distractors=None):
    known = Truth.from_boxes(boxes)
    return Truth(
        known.boxes_xywh,
        known.visibility if visibility is None else np.array(visibility, dtype=np.float64),
        known.distractors_xywh if distractors is None else np.array(distractors, dtype=np.float64),
    )


@pytest.mark.parametrize(
    "values, expected",
    [
        ([], (NAN, NAN)),
        ([NAN, NAN], (NAN, NAN)),
        ([7], (7, 7)),
        ([NAN, 1, 2, 3, NAN], (2, 3)),
        (range(101), (50, 100)),
    ],
)
def test_percentiles(values, expected):
    np.testing.assert_array_equal(percentiles(list(values), (50, 100)), expected)


@pytest.mark.parametrize(
    "states, starts",
    [
        ([], []),
        ([None, None], []),
        ([TRACKING, UNCERTAIN, TRACKING], []),
        ([TRACKING, LOST, LOST, TRACKING, LOST], [1, 4]),
        ([LOST, LOST], [0]),
        ([TRACKING, LOST, None, LOST, TRACKING], [1]),
        ([None, LOST, UNCERTAIN, LOST], [1, 3]),
    ],
)
def test_loss_starts(states, starts):
    run = live_run(states)
    assert loss_starts(run.states, run.processed).tolist() == starts


@pytest.mark.parametrize(
    "state, box, true_box, visibility, iou",
    [
        (TRACKING, (0, 0, 10, 10), (0, 0, 10, 10), 1.0, 1.0),
        (TRACKING, (0, 0, 10, 10), (5, 0, 10, 10), 1.0, 1 / 3),
        (TRACKING, (0, 0, 10, 10), (0, 0, 10, 10), 0.5, 1.0),
        (TRACKING, (0, 0, 10, 10), (0, 0, 10, 10), 0.49, NAN),
        (TRACKING, (0, 0, 10, 10), (0, 0, 10, 10), NAN, NAN),
        (TRACKING, (0, 0, 10, 10), (NAN,) * 4, NAN, NAN),
        (LOST, (NAN,) * 4, (0, 0, 10, 10), 1.0, 0.0),
        (LOST, (NAN,) * 4, (0, 0, 10, 10), 0.0, NAN),
        (None, (NAN,) * 4, (0, 0, 10, 10), 1.0, NAN),
    ],
)
def test_iou_of_a_frame(state, box, true_box, visibility, iou):
    given = (0, 0, 10, 10)
    run = live_run([None, state], [given, box])
    ious = frame_ious(run, truth([given, true_box], [1.0, visibility]))
    np.testing.assert_allclose(ious, [NAN, iou])  # the frame in which the box was given never counts


def test_figures():
    box, off, none = (0, 0, 10, 10), (5, 0, 10, 10), (NAN,) * 4
    states = [None, TRACKING, None, TRACKING, LOST, LOST, TRACKING, LOST]
    boxes = [box, box, none, off, none, none, box, none]
    visibility = [1, 1, 1, 1, 0.2, 0, 1, 1]
    result = figures(live_run(states, boxes), truth([box] * 8, visibility))
    assert (result.frames, result.processed, result.dropped) == (8, 6, 1)
    assert (result.lost_in_view, result.lost_hidden) == (1, 1)
    assert result.iou_frames == 4
    assert result.mean_iou == pytest.approx((1 + 1 / 3 + 1 + 0) / 4)
    assert result.latency_ms[0] == pytest.approx(13)  # of 11, 13, 16
    assert result.overhead_ms[0] == pytest.approx(9)
    assert result.inference_ms == 4
    assert result.fps == pytest.approx(5 / 0.6)


def test_figures_of_nothing():
    result = figures(live_run([None, None]), truth([(NAN,) * 4] * 2))
    assert result.summary() == (
        "demo summary: mean_iou=nan frames=2 dropped=1 latency_p50_ms=nan latency_p95_ms=nan inference_ms=nan fps=nan "
        "lost_after=nan found_after=nan mistaken=nan"
    )
    assert SUMMARY.fullmatch(result.summary())


HERE, AWAY, NONE = (0, 0, 10, 10), (50, 50, 10, 10), (NAN,) * 4


@pytest.mark.parametrize(
    "states, boxes, visibility, expected",
    [
        ([], [], [], ()),
        ([None], [HERE], [1], ()),
        ([None, TRACKING, UNCERTAIN], [HERE] * 3, [1, 1, 0.2], ()),  # hidden in part is not absent
        ([None, TRACKING, LOST], [HERE, HERE, NONE], [1, NAN, NAN], ()),
        ([None, TRACKING], [HERE, HERE], [1, 0], (Absence(1, None, INF, NAN),)),
        ([None, LOST, LOST], [HERE, NONE, NONE], [1, 1, 0], (Absence(2, None, 0, NAN),)),
        # LOST only after the return, and then not found; TRACKING off the target does not count
        ([None, TRACKING, LOST, TRACKING], [HERE, HERE, NONE, AWAY], [1, 0, 1, 1], (Absence(1, 2, INF, INF),)),
        # dropped frames count as frames, but say nothing
        ([None, None, LOST, None, TRACKING], [HERE, NONE, NONE, NONE, HERE], [1, 0, 0, 1, 1], (Absence(1, 3, 1, 1),)),
        # it is back when half of it is in view, and on its way it is not absent a second time
        ([None, LOST, LOST, LOST, TRACKING], [HERE] + [NONE] * 3 + [HERE], [1, 0, 0.1, 0, 0.5], (Absence(1, 4, 0, 0),)),
        # an answer after the next absence is not one to the first
        (
            [None, LOST, UNCERTAIN, LOST, TRACKING],
            [HERE, NONE, HERE, NONE, HERE],
            [1, 0, 1, 0, 1],
            (Absence(1, 2, 0, INF), Absence(3, 4, 0, 0)),
        ),
    ],
)
def test_absences(states, boxes, visibility, expected):
    known = truth([HERE] * len(states), visibility)
    np.testing.assert_equal(
        [dataclasses.astuple(absence) for absence in absences(live_run(states, boxes), known)],
        [dataclasses.astuple(absence) for absence in expected],
    )


def test_absence_before_the_target_is_given_is_none():
    run = live_run([None, None, TRACKING], [NONE, HERE, HERE], start=1)
    assert absences(run, truth([HERE] * 3, [0, 1, 1])) == ()


@pytest.mark.parametrize(
    "state, box, true_box, distractors, mistaken",
    [
        (TRACKING, AWAY, HERE, [], False),
        (TRACKING, AWAY, HERE, [NONE], False),
        (TRACKING, AWAY, HERE, [NONE, AWAY], True),
        (TRACKING, AWAY, NONE, [AWAY], True),
        (UNCERTAIN, AWAY, HERE, [AWAY], False),  # a box that nobody is told to trust
        (LOST, NONE, HERE, [AWAY], False),
        (TRACKING, HERE, HERE, [HERE], False),  # both in one place: it is on the target
        (TRACKING, HERE, HERE, [(1, 0, 10, 10)], False),
        (TRACKING, (4, 0, 10, 10), HERE, [(2, 0, 10, 10)], True),
        (TRACKING, HERE, AWAY, [(6, 0, 10, 10)], False),  # on nothing at all
    ],
)
def test_mistaken_frames(state, box, true_box, distractors, mistaken):
    known = truth([true_box], distractors=np.reshape(distractors, (1, -1, 4)))
    assert mistaken_frames(live_run([state], [box]), known).tolist() == [mistaken]


def test_absence_and_mistakes_are_reported():
    states = [None, TRACKING, UNCERTAIN, LOST, TRACKING, TRACKING, TRACKING, TRACKING]
    boxes = [HERE, HERE, HERE, NONE, AWAY, AWAY, HERE, HERE]
    known = truth([HERE, *[NONE] * 4, *[HERE] * 3], [1, 0, 0, 0, 0, 1, 1, 0], [[AWAY]] * 8)
    result = figures(live_run(states, boxes), known)
    assert (
        "absence   from frame 1 on; frames until LOST: 2, from the return until TRACKING on it: 1\n" in result.table()
    )
    assert "absence   from frame 7 on; frames until LOST: never, it did not return\n" in result.table()
    assert result.table().endswith("mistakes  2 frames TRACKING with the box on a look-alike")
    assert result.summary().endswith(" lost_after=inf found_after=1 mistaken=2")
    assert SUMMARY.fullmatch(result.summary())


def test_frames_before_the_target_do_not_count():
    box = (0, 0, 10, 10)
    result = figures(live_run([None, None, None, TRACKING], [box] * 4, start=2), truth([box] * 4))
    assert (result.dropped, result.iou_frames) == (0, 1)


def test_labels_are_taken_to_be_in_view_where_they_are_known():
    known = Truth.from_boxes([(1, 2, 3, 4), (NAN,) * 4, (1, 2, 0, 4)])
    np.testing.assert_array_equal(known.visibility, [1, NAN, NAN])
    assert known.distractors_xywh.shape == (3, 0, 4) and not known.absent.any()
    np.testing.assert_array_equal(known.boxes_xywh, [(1, 2, 3, 4), (NAN,) * 4, (NAN,) * 4])


@pytest.mark.parametrize("count", [1, 2, 9])
def test_plot_is_written(tmp_path, count):
    run = live_run([TRACKING, UNCERTAIN, LOST][:count] * 3, [(0, 0, 9, 9)] * min(count, 3) * 3)
    write_plot(tmp_path / "plot.png", run, truth([(NAN,) * 4] * len(run)))
    assert cv2.imread(str(tmp_path / "plot.png")).shape[1] > 500


def test_plot_shades_the_absence(tmp_path):
    """The darker shade is that of an absence, in all three panels."""
    run = live_run([TRACKING] * 9, [HERE] * 9)
    dark = {}
    for name, hidden in (("view", 1), ("part", 0.1), ("gone", 0)):
        write_plot(tmp_path / "plot.png", run, truth([HERE] * 9, [1, 1, 1, *[hidden] * 3, 1, 1, 1]))
        image = cv2.imread(str(tmp_path / "plot.png")).min(axis=2)
        dark[name] = [int(np.count_nonzero(part == 178)) for part in np.array_split(image, 3)]  # 255 less 30 %
    assert sum(dark["view"]) < 1000 and sum(dark["part"]) < 1000
    assert min(dark["gone"]) > 10000


@pytest.mark.parametrize("frames", [1, 2, 4])
def test_video_gives_the_truth_of_the_frames_that_there_are(tmp_path, frames):
    run = live_run([TRACKING] * 4, [HERE] * 4)
    known = [TrueFrame(np.zeros((48, 64, 3), np.uint8), np.array(HERE), 0.5, np.array([AWAY, NONE]))] * frames
    result = write_video(tmp_path / "a.mp4", 10, run, iter(known))
    with open_frames(tmp_path / "a.mp4") as written:
        assert len(list(written)) == frames
    np.testing.assert_array_equal(result.visibility, [0.5] * frames + [NAN] * (4 - frames))
    np.testing.assert_array_equal(result.boxes_xywh, [HERE] * frames + [NONE] * (4 - frames))
    np.testing.assert_array_equal(result.distractors_xywh, [[AWAY, NONE]] * frames + [[NONE, NONE]] * (4 - frames))


def test_annotation_shows_what_was_said():
    run = live_run([None, TRACKING, LOST, None], [(20, 20, 30, 30), (20, 20, 30, 30), (NAN,) * 4, (NAN,) * 4])
    pictures = []
    for index in range(4):
        image_bgr = np.zeros((120, 160, 3), np.uint8)
        annotate(image_bgr, run, index, np.array((90.0, 60, 20, 20)))
        assert (image_bgr[60:80, 88:92] > 150).all(axis=2).any(), "the truth is drawn in white"
        pictures.append(image_bgr)
    assert pictures[1][20:50, 19:21, 1].max() > 100 and pictures[2][30:50, 19:21].max() == 0
    assert not any((a == b).all() for a, b in zip(pictures, pictures[1:]))
