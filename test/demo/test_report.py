# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import math

import cv2
import numpy as np
import pytest
from demo_testing import SUMMARY

from siam_tracker_ros.core.monitor import TargetState
from siam_tracker_ros.demo.report import (
    LiveRun,
    Truth,
    annotate,
    figures,
    frame_ious,
    loss_starts,
    percentiles,
    write_plot,
)

NAN = math.nan
IDLE, TRACKING, UNCERTAIN, LOST = TargetState


def live_run(states, boxes=None, start=0):
    """A run at 10 Hz: None in `states` is a dropped frame; latency is 10 + index ms, inference 4 ms."""
    count = len(states)
    processed = np.array([state is not None for state in states], dtype=bool)
    boxes_xywh = np.full((count, 4), NAN) if boxes is None else np.array(boxes, dtype=np.float64)
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


def truth(boxes, visibility=None):
    known = Truth.from_boxes(boxes)
    return known if visibility is None else Truth(known.boxes_xywh, np.array(visibility, dtype=np.float64))


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
        "demo summary: mean_iou=nan frames=2 dropped=1 latency_p50_ms=nan latency_p95_ms=nan inference_ms=nan fps=nan"
    )
    assert SUMMARY.fullmatch(result.summary())


def test_frames_before_the_target_do_not_count():
    box = (0, 0, 10, 10)
    result = figures(live_run([None, None, None, TRACKING], [box] * 4, start=2), truth([box] * 4))
    assert (result.dropped, result.iou_frames) == (0, 1)


def test_labels_are_taken_to_be_in_view_where_they_are_known():
    known = Truth.from_boxes([(1, 2, 3, 4), (NAN,) * 4, (1, 2, 0, 4)])
    np.testing.assert_array_equal(known.visibility, [1, NAN, NAN])
    np.testing.assert_array_equal(known.boxes_xywh, [(1, 2, 3, 4), (NAN,) * 4, (NAN,) * 4])


@pytest.mark.parametrize("count", [1, 2, 9])
def test_plot_is_written(tmp_path, count):
    run = live_run([TRACKING, UNCERTAIN, LOST][:count] * 3, [(0, 0, 9, 9)] * min(count, 3) * 3)
    write_plot(tmp_path / "plot.png", run, truth([(NAN,) * 4] * len(run)))
    assert cv2.imread(str(tmp_path / "plot.png")).shape[1] > 500


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
