# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import dataclasses
import itertools
import shutil

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from siam_tracker_ros import create_tracker
from siam_tracker_ros.core.confidence import APPEARANCE_EVIDENCE, STANDINGS, Calibration, Logistic, calibration_path
from siam_tracker_ros.core.registry import find_model
from siam_tracker_ros.core.tracker import TrackResult
from siam_tracker_ros.errors import InvalidInputError, WeightsError
from siam_tracker_ros.evaluation.calibration import (
    MAX_RUN_WEIGHT,
    RatedFrame,
    compare,
    fit,
    fit_logistic,
    prior_calibration,
    rate_frames,
)
from siam_tracker_ros.evaluation.reliability import Truth

NAN = float("nan")
SCORE = Logistic(0.0, {"score": 1.0})
OWN = Calibration(Logistic(1.25, {"score": 0.1 + 0.2}), SCORE, Logistic(-3, {"likeness": 1e-300, "rival": -7.5}))


def synthetic(truth, count, seed):
    """Frames whose evidence is normal, and whose boxes are right as often as a logistic regression says."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        evidence = {name: float(value) for name, value in zip(truth.factors, rng.normal(0, 1, len(truth.factors)))}
        yield RatedFrame(number, "tracked", evidence, bool(rng.random() < truth(evidence)))


def rated(right, standing="tracked", score=0.0):
    evidence = {"score": score, "drop": 0.0, "peak_ratio": 0.0}
    return [RatedFrame(number, standing, evidence, value) for number, value in enumerate(right)]


@pytest.mark.parametrize(
    "truth",
    [
        Logistic(0.5, {"score": 2.0}),
        Logistic(3.0, {"score": 1.5, "rival": -4.0}),
        Logistic(-1.0, {"score": 0.4, "likeness": 3.0, "drop": -1.0, "rival": -3.0, "peak_ratio": -0.5}),
    ],
)
def test_the_coefficients_of_synthetic_evidence_are_recovered(truth):
    prior = Logistic(2 * truth.bias, {name: 2 * factor for name, factor in truth.factors.items()})
    fitted = fit_logistic(list(synthetic(truth, 20000, seed=1)), prior)
    assert list(fitted.factors) == list(truth.factors)
    assert [fitted.bias, *fitted.factors.values()] == pytest.approx([truth.bias, *truth.factors.values()], abs=0.12)


def test_a_few_frames_change_the_prior_a_little_and_more_frames_more():
    prior = Logistic(2.0, {"score": 1.0})
    shifts = [abs(fit_logistic(rated([True, False] * count), prior).bias - prior.bias) for count in (1, 20, 2000)]
    assert 0 < shifts[0] < 0.3 < shifts[1] < shifts[2] < 2


def test_evidence_that_separates_all_frames_has_finite_factors():
    frames = rated([True] * 500, score=900.0) + rated([False] * 500, score=-900.0)
    fitted = fit_logistic(frames, SCORE)
    assert 0 < fitted.factors["score"] < 10 and fitted({"score": 900.0}) > 0.99


@pytest.mark.parametrize(
    "frames, kept",
    [
        (rated([True, False]), ("doubted", "found")),
        (rated([True, True]) + rated([True, False], "found"), ("tracked", "doubted")),
        (rated([False, True]) + rated([False], "found"), ("doubted", "found")),
        (rated([False, True]) + rated([True, False], "doubted"), ("found",)),
        (rated([False, True]) + rated([True, False], "doubted") + rated([True, False], "found"), ()),
    ],
)
def test_a_part_without_right_and_wrong_frames_stays(frames, kept):
    prior = prior_calibration(has_search=False)
    fitted = fit(frames, prior)
    assert fitted.kept == kept
    same = [part for part in STANDINGS if getattr(fitted.calibration, part) == getattr(prior, part)]
    assert same == list(kept)


@pytest.mark.parametrize("right", [[], [True], [False, False]])
def test_too_little_to_fit_is_refused(right):
    counts = f"{sum(right)} of {len(right)} tracked boxes and 0 of 0 doubted boxes and 0 of 0 found boxes"
    words = f"{counts} are right, expected right and wrong"
    with pytest.raises(InvalidInputError, match=words):
        fit(rated(right), prior_calibration(has_search=True))


@pytest.mark.parametrize(
    "has_search, tracked, found",
    [
        (True, ["score", "first_likeness", "rival"], ["score", "likeness", "first_likeness", "drop", "rival"]),
        (False, ["score"], ["score", "drop"]),
    ],
)
def test_the_prior_has_the_factors_of_the_method(has_search, tracked, found):
    prior = prior_calibration(has_search)
    assert [list(prior.tracked.factors), list(prior.found.factors)] == [tracked, found]
    assert bool(prior.doubted.factors.keys() & APPEARANCE_EVIDENCE) == has_search


def test_figures_after_a_fit_are_of_the_clips_left_out():
    truth = Logistic(-2.0, {"score": 2.0})
    frames = [*synthetic(truth, 4000, seed=2), *rated([True], "found")]
    own = Calibration(SCORE, SCORE, Logistic(5.0, {}))
    figures = compare(frames, before=Calibration(), prior=own)
    assert [figures[name].frames for name in ("all", *STANDINGS)] == [4001, 4000, 0, 1]
    before, after = figures["tracked"].calibration_error
    assert before > 0.25 and after < 0.08
    assert figures["tracked"].auroc[0] == pytest.approx(figures["tracked"].auroc[1], abs=1e-3)
    assert figures["found"].right == 1 and np.isnan(figures["found"].auroc).all()


class Scripted:
    """A tracker without search whose box stays, and whose scores are given; its target is the number of the frame."""

    tile_side = 0

    def __init__(self, scores):
        self.scores, self.calibration = scores, Calibration()

    def start(self, image_bgr, box_xywh):
        self.box_xywh = np.array(box_xywh, float)
        return 0

    def step(self, image_bgr, target, learn=True):
        return target + 1, TrackResult(self.box_xywh, self.scores[target])


class Still:
    """A clip whose target is seen ("v"), somewhere else ("w"), absent ("a") or not labelled ("n")."""

    BOXES = {"v": (4, 4, 8, 8), "w": (16, 16, 8, 8), "a": (NAN,) * 4, "n": (NAN,) * 4}

    def __init__(self, frames):
        boxes = np.array([self.BOXES[frame] for frame in frames], float)
        self.truth = Truth.of_labels(boxes, (32, 32), np.array([frame == "a" for frame in frames]))

    def images_bgr(self):
        return itertools.repeat(np.zeros((32, 32, 3), np.uint8), len(self.truth))


@pytest.mark.parametrize(
    "frames, scores, part_and_right",
    [
        ("v", "", ""),  # the first box is given
        ("vnn", "99", ""),
        ("vvwna", "9999", "TR TW TW"),
        ("vvaaaaaavv", "900000000", "TR TW TW DW DW DW DW FR FR"),  # boxes of a lost target are rated, too
    ],
)
def test_frames_are_rated_where_the_target_is_known(frames, scores, part_and_right):
    seen = rate_frames(Scripted([int(score) / 10 for score in scores]), [Still(frames)])
    shown = [frame.standing[0].upper() + ("R" if frame.right else "W") for frame in seen]
    assert " ".join(shown) == part_and_right


def test_a_long_wrong_run_counts_as_few_frames_and_right_ones_in_full():
    tracker = Scripted([0.9] * 60)
    seen = rate_frames(tracker, [Still("v" * 10 + "w" * 40 + "v" * 5), Still("vww")])
    assert [sum(f.weight for f in seen if (f.clip, f.right) == key) for key in [(0, False), (0, True), (1, False)]] == [
        pytest.approx(MAX_RUN_WEIGHT),
        14,
        2,
    ]


def test_each_frame_of_a_search_counts():
    seen = rate_frames(Scripted([0.9] + [0.0] * 30), [Still("vv" + "a" * 30)])
    assert [frame.weight for frame in seen if frame.standing != "tracked"] == [1] * 28


def test_a_calibration_is_read_as_it_was_written(tmp_path):
    OWN.write(tmp_path / "own.json")
    assert Calibration.read(tmp_path / "own.json") == OWN


DAMAGES = [
    b"",
    b"\xff\xfe",
    b"[]",
    b"{}",
    b'{"tracked": {"bias": 0, "factors": {}}}',
    b'{"tracked": {"bias": 0, "factors": []}, "doubted": 0, "found": 0}',
    b'{"tracked": {"bias": NaN, "factors": {}}, "doubted": 0, "found": 0}',
    b'{"tracked": {"bias": 0, "factors": {"size": 1}}, "doubted": 0, "found": 0}',
    b'{"tracked": {"bias": 0, "factors": {"score": null}}, "doubted": 0, "found": 0}',
]


@pytest.mark.parametrize("content", DAMAGES)
def test_a_damaged_calibration_is_refused(content, tmp_path):
    (tmp_path / "own.json").write_bytes(content)
    with pytest.raises(
        WeightsError, match=r"own\.json is no calibration .* make it again with `siam-tracker calibrate`"
    ):
        Calibration.read(tmp_path / "own.json")


def test_a_tracker_has_the_calibration_beside_its_weights(tmp_path):
    weights = tmp_path / "own.safetensors"
    shutil.copy(find_model("lite").shipped_weights, weights)
    path = calibration_path(weights, "lite")
    assert path == tmp_path / "own.safetensors.lite.calibration.json"

    def create(**options):
        return create_tracker("lite", device="cpu", runtime="torch", **options)

    shipped = create().calibration
    assert create(weights=weights).calibration == dataclasses.replace(shipped, losses={}), "not measured for these"
    OWN.write(path)
    assert create(weights=weights).calibration == OWN
    path.write_text('{"tracked": null}')
    with pytest.raises(WeightsError, match="is no calibration"):
        create(weights=weights)


@hypothesis.given(
    st.lists(st.tuples(st.floats(-7, 7), st.booleans()), min_size=2, max_size=40),
    st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=10),
)
def test_the_confidence_rises_with_the_score(frames, scores):
    evidence = [RatedFrame(i, "tracked", {"score": score}, right) for i, (score, right) in enumerate(frames)]
    fitted = fit_logistic(evidence, Logistic(4.9, {"score": 3.6}))
    hypothesis.assume(fitted.factors["score"] > 0)
    confidences = [fitted({"score": score}) for score in sorted(scores)]
    assert confidences == sorted(confidences) and 0 <= confidences[0] <= confidences[-1] <= 1


@pytest.mark.parametrize("standing, confidence", [("tracked", 0.881), ("doubted", 0.269), ("found", 0.018)])
def test_each_standing_is_judged_and_fitted_by_itself(standing, confidence):
    calibration = Calibration(SCORE, Logistic(-3, {"score": 1.0}), Logistic(-6, {"score": 1.0}))
    (frame,) = rated([True], standing, score=2.0)
    assert frame.confidence(calibration) == pytest.approx(confidence, abs=1e-3)
    others = [frame for other in STANDINGS for frame in rated([True, False], other)]
    before, after = (fit(frames, calibration).calibration for frames in (others, [*others, *[frame] * 50]))
    assert [part for part in STANDINGS if getattr(before, part) != getattr(after, part)] == [standing]
