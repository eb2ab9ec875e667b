# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Figures of records that are written by hand: a letter per frame says what is to be seen and what the tracker says.

Truth: "v" in view, "a" absent, "?" in between, "n" without label; "V" in view, but far from where it was.
State: "T" TRACKING, "U" UNCERTAIN, "L" LOST, each with the box on the target; "t" and "u" with a box elsewhere.
"""

import dataclasses
import math
import subprocess
import sys

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from siam_tracker_ros.core.monitor import TargetState
from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.evaluation.reliability import (
    LONG_TERM_COLUMNS,
    RELIABILITY_COLUMNS,
    LongTerm,
    Record,
    Reliability,
    Truth,
    auroc,
    choose_thresholds,
    confidently_wrong,
    expected_calibration_error,
    f_score,
    frame_iou,
    longterm_row,
    lost_delays,
    precision_recall,
    rated_confidences,
    redetection_delays,
    reliability_row,
    return_places,
    summarize,
    summarize_longterm,
    thresholded,
    trackable,
)

NAN, INF = math.nan, math.inf
HERE, FAR, ASIDE = (40, 40, 10, 10), (80, 40, 10, 10), (10, 10, 10, 10)
STATES = {"T": TargetState.TRACKING, "U": TargetState.UNCERTAIN, "L": TargetState.LOST}


def make_truth(frames):
    boxes = {"n": (NAN,) * 4, "a": (NAN,) * 4, "V": FAR}
    return Truth(
        boxes_xywh=np.array([boxes.get(frame, HERE) for frame in frames], float),
        visible=np.array([{"v": 1.0, "V": 1.0, "?": 0.3, "a": 0.0, "n": NAN}[frame] for frame in frames]),
        absent=np.array([frame == "a" for frame in frames]),
        size_wh=(100, 100),
    )


def make_record(states, frames, confidence=0.5):
    boxes = []
    for state, frame in zip(states, frames):
        box = ASIDE if state in "tu" else FAR if frame == "V" else HERE
        boxes.append((NAN,) * 4 if state == "L" else box)
    return Record(
        states=np.array([STATES[state.upper()] for state in states]),
        confidences=np.full(len(states), confidence),
        boxes_xywh=np.array(boxes, float),
    )


def indices(flags):
    return np.flatnonzero(flags).tolist()


@pytest.mark.parametrize(
    "frames, departures",
    [
        ("n" * 5, []),
        ("v" * 5, []),
        ("a" * 5, []),  # it was never there
        ("v", []),
        ("vvv??", []),  # it only begins to go
        ("va", [(1, None, 2, None)]),
        ("vnnaannn", [(3, None, 8, None)]),
        ("vvaav", [(2, 4, 5, "near")]),
        ("vvaaV", [(2, 4, 5, "elsewhere")]),
        ("vv?aa?v", [(3, 6, 7, "near")]),
        ("vaavvaaVva", [(1, 3, 5, "near"), (5, 7, 9, "elsewhere"), (9, None, 10, None)]),
        ("aavav", [(3, 4, 5, "near")]),
    ],
)
def test_departures_are_found(frames, departures):
    assert [dataclasses.astuple(departure) for departure in make_truth(frames).departures] == departures


@pytest.mark.parametrize(
    "frames, states, delays",
    [
        ("vvvv", "TLLT", []),  # it never goes
        ("vvaa", "TTTT", [INF]),
        ("vvaa", "TTLL", [0]),  # on the very frame
        ("vvaa", "TLLL", [0]),  # LOST before, and still
        ("vvaa", "TTUL", [1]),
        ("vvaavv", "TTTTLL", [INF]),  # only when it is back
        ("vvaa?v", "TTTTLT", [2]),
        ("vavava", "TLTTTL", [0, INF, 0]),
    ],
)
def test_frames_until_lost_are_counted(frames, states, delays):
    assert lost_delays(make_record(states, frames), make_truth(frames)).tolist() == delays


@pytest.mark.parametrize(
    "frames, states, delays, places",
    [
        ("vvaa", "TTLL", [], []),  # no return
        ("vvaavv", "TTLLLL", [INF], ["near"]),
        ("vvaavv", "TTLLTT", [0], ["near"]),
        ("vvaavv", "TTLLtT", [1], ["near"]),  # TRACKING of something else
        ("vvaavv", "TTLLUU", [INF], ["near"]),  # the right box, but not sure
        ("vvaaVVaaVV", "TTLLLLLLTT", [INF, 0], ["elsewhere", "near"]),  # found only after it has gone again
    ],
)
def test_frames_until_redetection_are_counted(frames, states, delays, places):
    truth = make_truth(frames)
    assert redetection_delays(make_record(states, frames), truth).tolist() == delays
    assert return_places(truth) == places


@pytest.mark.parametrize(
    "frames, states, frames_held",
    [
        ("v", "T", []),  # the first frame is given
        ("nnnn", "TTTT", []),
        ("vvvv", "TTTT", [1, 2, 3]),
        ("vvvv", "TLLL", [1, 2, 3]),  # LOST though it had the target
        ("vvvv", "TtLL", []),  # it had lost the target before it said so
        ("vvvv", "TtTL", [2, 3]),
        ("vv?v", "TTTT", [1, 3]),
        ("vnvv", "TTLT", [2, 3]),
        ("vavvvv", "TLLUTU", [4, 5]),  # after an absence it has to be found first
        ("vavv", "TTTT", [2, 3]),
    ],
)
def test_a_frame_is_trackable_while_the_tracker_has_the_target(frames, states, frames_held):
    assert indices(trackable(make_record(states, frames), make_truth(frames))) == frames_held


@pytest.mark.parametrize(
    "frames, states, wrong",
    [
        ("nn??", "tttt", []),
        ("avv", "TtT", [1]),
        ("vvvv", "Tttu", [1, 2]),
        ("vaaa", "TTUL", [1]),
    ],
)
def test_tracking_of_nothing_or_something_else_is_confidently_wrong(frames, states, wrong):
    assert indices(confidently_wrong(make_record(states, frames), make_truth(frames))) == wrong


@pytest.mark.parametrize(
    "box_xywh, iou",
    [
        ((NAN,) * 4, 0),
        ((90, 40, 20, 10), 1),
        ((90, 40, 10, 10), 1),  # cut at the border
        ((90, 40, 30, 10), 1),  # continued beyond it, too far
        ((90, 40, 20, 20), 0.5),
        ((0, 0, 0, 0), 0),
    ],
)
def test_the_border_decides_no_overlap(box_xywh, iou):
    truth = Truth(np.array([(90, 40, 20, 10.0)]), np.array([0.5]), np.array([False]), (100, 100))
    record = Record(np.array([TargetState.TRACKING]), np.array([0.5]), np.array([box_xywh], float))
    assert frame_iou(record, truth).tolist() == [iou]


def test_a_record_of_another_length_is_refused():
    for figure in (frame_iou, trackable, confidently_wrong, precision_recall):
        with pytest.raises(InvalidInputError, match="record has 3 frames and the truth 4, expected one length"):
            figure(make_record("TTT", "vvv"), make_truth("vvvv"))


@pytest.mark.parametrize(
    "frames, states, right",
    [
        ("v", "T", []),
        ("nn?", "TTT", []),
        ("vvvv", "TTtL", [True, False]),  # a box that nobody sees is neither
        ("vaaa", "TTUL", [False] * 3),
    ],
)
def test_confidences_are_rated_where_it_is_known_what_is_right(frames, states, right):
    record = make_record(states, frames)
    confidences, rated = rated_confidences(record, make_truth(frames))
    assert rated.tolist() == right and confidences.tolist() == [0.5] * len(right)


@pytest.mark.parametrize(
    "confidences, right, error",
    [
        ([], [], NAN),
        ([0.5, 1.2], [1, 1], NAN),  # no probability
        ([-0.1], [0], NAN),
        ([1.0, 1.0], [1, 1], 0),
        ([0.0, 0.0], [0, 0], 0),
        ([1.0], [0], 1),
        ([0.7, 0.7], [1, 0], 0.2),  # mean 0.7, half of them right
        ([0.72, 0.78], [1, 0], 0.25),  # one bin
        ([0.68, 0.78], [1, 0], 0.55),  # two: (0.32 + 0.78) / 2
        ([0.1, 0.1, 0.1, 0.9], [0, 0, 1, 1], (0.7 + 0.1) / 4),
    ],
)
def test_the_calibration_error_is_as_computed_by_hand(confidences, right, error):
    computed = expected_calibration_error(np.array(confidences, float), np.array(right, bool))
    assert computed == pytest.approx(error, nan_ok=True)


@pytest.mark.parametrize(
    "confidences, right, area",
    [
        ([], [], NAN),
        ([0.1, 0.9], [1, 1], NAN),
        ([0.1, 0.9], [0, 0], NAN),
        ([0.1, 0.9], [0, 1], 1),
        ([0.1, 0.9], [1, 0], 0),
        ([0.5, 0.5], [1, 0], 0.5),
        ([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1], 0.75),
        ([3.0, 3.0, 5.0, -2.0], [1, 0, 1, 0], 3.5 / 4),
    ],
)
def test_the_area_under_the_curve_is_as_computed_by_hand(confidences, right, area):
    assert auroc(np.array(confidences, float), np.array(right, bool)) == pytest.approx(area, nan_ok=True)


@pytest.mark.parametrize(
    "frames, states, precision, recall",
    [
        ("vaa", "TLL", 1, NAN),  # neither boxes nor targets
        ("vvv", "TLL", 1, 0),
        ("vvv", "TTT", 1, 1),
        ("vvvv", "TTLL", 1, 1 / 3),
        ("vvaa", "TTTL", 1 / 2, 1),
        ("vvvaa", "TTtTL", 1 / 3, 1 / 2),
        ("vv?n", "TTTT", 1, 1),  # such frames count nowhere
    ],
)
def test_precision_and_recall_are_those_of_votlt(frames, states, precision, recall):
    assert precision_recall(make_record(states, frames), make_truth(frames)) == pytest.approx(
        (precision, recall), nan_ok=True
    )


@pytest.mark.parametrize("precision, recall, f", [(0, 0, 0), (1, 0, 0), (1, 1, 1), (0.5, 1, 2 / 3), (1, NAN, NAN)])
def test_f_is_the_harmonic_mean(precision, recall, f):
    assert f_score(precision, recall) == pytest.approx(f, nan_ok=True)


def test_figures_of_clips_are_pooled():
    clips = [
        ("v" * 10 + "a" * 40, "T" * 15 + "U" * 10 + "L" * 25),  # LOST after 15
        ("v" * 10 + "a" * 20 + "V" * 50, "T" * 14 + "L" * 56 + "T" * 10),  # LOST after 4, found after 40
        ("v" * 10 + "a" * 20 + "v" * 20, "T" * 50),  # never LOST, found at once
        ("v" * 21, "T" * 11 + "L" * 5 + "U" * 5),
    ]
    truths = [make_truth(frames) for frames, _ in clips]
    figures = summarize([make_record(states, frames) for frames, states in clips], truths)
    trackable_frames = 9 + (9 + 10) + (9 + 20) + 20
    in_view = 9 + (9 + 50) + (9 + 20) + 20
    boxes = in_view - 40 - 5  # on frames in view, all of them right
    assert figures == Reliability(
        clips=4,
        departures=3,
        returns=2,
        lost_10=1 / 3,
        lost_30=2 / 3,
        lost_delay=15,
        false_lost=5 / trackable_frames,
        false_uncertain=5 / trackable_frames,
        redetected_30=1 / 2,
        redetected_90=1,
        near_30=1,
        near_90=1,
        elsewhere_30=0,
        elsewhere_90=1,
        wrong_clips=2 / 4,  # four wrong frames are too few
        wrong_frames=(5 + 4 + 20) / (in_view + 40 + 20 + 20),
        calibration_error=pytest.approx(abs(0.5 - boxes / (boxes + 80))),
        auroc=0.5,
        iou=boxes / in_view,
    )


@pytest.mark.parametrize("delays, text", [("L", "0"), ("T", "never"), ("LT", "0"), ("LTT", "never"), ("", "-")])
def test_the_median_delay_is_one_of_the_delays(delays, text):
    records = [make_record("T" + state * 5, "vaaaaa") for state in delays]
    figures = summarize(records, [make_truth("vaaaaa")] * len(delays))
    assert dict(zip(RELIABILITY_COLUMNS, reliability_row("lite", figures)[1:]))["delay"] == text


@pytest.mark.parametrize("clips", [[], ["n" * 5]], ids=["no clips", "no labels"])
def test_what_is_not_known_is_not_a_number(clips):
    figures = summarize([make_record("TTTTT", frames) for frames in clips], [make_truth(frames) for frames in clips])
    row = reliability_row("lite", figures)
    assert row == ["lite", str(len(clips)), *["-"] * 11, "0" if clips else "-", *["-"] * 4]
    assert len(row) == len(RELIABILITY_COLUMNS) + 1


def test_longterm_figures_are_means_over_sequences():
    clips = [("vvaavv", "TTLLTT"), ("vvvaavvvvv", "TTTTTLLLLL")]
    truths = [Truth.of_labels(make_truth(frames).boxes_xywh, (100, 100)) for frames, _ in clips]
    figures = summarize_longterm([make_record(states, frames) for frames, states in clips], truths)
    precision, recall = (1 + 2 / 4) / 2, (1 + 2 / 7) / 2
    f, error = f_score(precision, recall), 5 / 9 - 0.5  # five right boxes and four absent frames
    expected = LongTerm(2, 2, 2, precision, recall, f, 1 / 2, 1 / 2, 0, 2 / 14, pytest.approx(error))
    assert figures == expected
    row = longterm_row("lite", figures)
    assert row == ["lite", "2", "2", "2", "0.750", "0.643", "0.692", "50", "50", "0", "14.3", f"{error:.3f}"]
    assert len(row) == len(LONG_TERM_COLUMNS) + 1


@pytest.mark.parametrize(
    "absent, departures, in_view",
    [
        (None, [(2, 5)], [0, 1, 5]),
        ("000000", [], [0, 1, 5]),
        ("000110", [(3, 5)], [0, 1, 5]),
        ("001100", [(2, 5)], [0, 1, 5]),
    ],
)
def test_a_frame_without_box_has_no_target_or_no_label(absent, departures, in_view):
    flags = None if absent is None else np.array([flag == "1" for flag in absent])
    truth = Truth.of_labels(make_truth("vvnnnv").boxes_xywh, (100, 100), flags)
    assert [(departure.gone, departure.back) for departure in truth.departures] == departures
    assert indices(truth.in_view) == in_view


def test_a_sequence_without_target_after_the_first_frame_leaves_the_others_mean_alone():
    truths = [Truth.of_labels(make_truth(frames).boxes_xywh, (100, 100)) for frames in ("vvvv", "vnnn")]
    figures = summarize_longterm([make_record("TTTL", "vvvv"), make_record("TTTT", "vnnn")], truths)
    assert (figures.precision, figures.recall) == (1, pytest.approx(2 / 3))


def test_longterm_figures_without_sequences_are_not_known():
    assert longterm_row("lite", summarize_longterm([], [])) == ["lite", "0", "0", "0", *["-"] * 8]


def test_thresholds_make_states_of_scores():
    record = make_record("TTTTtT", "vvvvvv")
    scores = np.array([0.0, NAN, 0.2, 0.4, 0.6, 0.6])
    boxes = np.where(np.arange(6)[:, None] == 5, NAN, record.boxes_xywh)  # the tracker says that it is lost
    judged = thresholded(Record(record.states, scores, boxes), 0.2, 0.5)
    assert judged.states.tolist() == [1, 3, 2, 2, 1, 3]  # the first frame is given
    assert judged.has_box.tolist() == [True, False, True, True, True, False]


def test_thresholds_are_chosen_where_they_tell_best():
    frames = "v" + "v" * 100 + "a" * 100
    record = make_record("T" * 201, frames)
    right, wrong = np.linspace(0.4, 0.9, 100), np.linspace(0.0, 0.6, 100)
    scores = np.concatenate([[1.0], right, wrong])
    min_uncertain, min_tracking = choose_thresholds(
        [Record(record.states, scores, record.boxes_xywh)], [make_truth(frames)], false_lost=0.02
    )
    assert min_uncertain == pytest.approx(0.4, abs=1e-9)  # where no right box is lost, and two thirds of the wrong are
    assert min_tracking == pytest.approx(np.quantile(right, 0.02))
    with pytest.raises(InvalidInputError, match="3 of 3 boxes are right, expected right and wrong ones"):
        choose_thresholds([make_record("TTTT", "vvvv")], [make_truth("vvvv")])


def test_neither_torch_nor_a_tracker_is_imported():
    code = (
        "import sys, siam_tracker_ros.evaluation.reliability;"
        "print([name for name in sys.modules if name == 'torch' or name.startswith('siam_tracker_ros.methods')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


rated_frames = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


@hypothesis.given(rated_frames)
def test_calibration_error_and_area_are_shares(rated):
    confidences, right = np.array([c for c, _ in rated]), np.array([r for _, r in rated])
    error, area = expected_calibration_error(confidences, right), auroc(confidences, right)
    assert 0 <= error <= 1
    assert error <= np.abs(confidences - right).mean() + 1e-9
    assert expected_calibration_error(right.astype(float), right) == 0
    if right.any() and not right.all():
        assert 0 <= area <= 1
        assert area + auroc(confidences, ~right) == pytest.approx(1)
        ranks = np.unique(confidences, return_inverse=True)[1]
        assert area == auroc(ranks, right)  # nothing but their order counts


@hypothesis.given(st.text("vV?an", min_size=1, max_size=60))
def test_a_perfect_record_has_perfect_figures(later):
    frames = "v" + later
    truth = make_truth(frames)
    states = "".join("L" if truth.absent[i] else "T" for i in range(len(frames)))
    record = make_record(states, frames)
    record = dataclasses.replace(record, confidences=np.where(truth.absent, 0.0, 1.0))
    figures = summarize([record], [truth])
    perfect = {"lost_10": 1, "lost_30": 1, "lost_delay": 0, "false_lost": 0, "false_uncertain": 0, "wrong_clips": 0}
    perfect |= {"wrong_frames": 0, "calibration_error": 0, "auroc": 1, "iou": 1}
    perfect |= dict.fromkeys(
        ["redetected_30", "redetected_90", "near_30", "near_90", "elsewhere_30", "elsewhere_90"], 1
    )
    for name, value in perfect.items():
        assert getattr(figures, name) == value or math.isnan(getattr(figures, name)), name
    precision, recall = precision_recall(record, truth)
    assert precision == 1 and (recall == 1 or math.isnan(recall))
