# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The probability that a box is right, and the files that it is calibrated by."""

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siam_tracker_ros import WeightsError, create_tracker, list_models
from siam_tracker_ros.core.confidence import EVIDENCE, STANDINGS, Calibration, Logistic, calibration_path, logit
from siam_tracker_ros.methods.lite.network import LiteNetwork
from siam_tracker_ros.weights.checkpoint import save_weights

OWN = Calibration(
    Logistic(-1.5, {"score": 2.0, "drop": -0.5}),
    Logistic(-2.0, {"score": 1.0}),
    Logistic(0.25, {"likeness": 3.0}),
    losses={"bf16": -0.0012, "int8": 0.25},
)
SHIPPED = {
    model.name: Calibration.read(calibration_path(model.shipped_weights, model.name))
    for model in list_models()
    if model.name in ("lite", "lite_online")
}
SHIPPED_FOR_OTHERS = {name: dataclasses.replace(shipped, losses={}) for name, shipped in SHIPPED.items()}
PARTS = ", ".join(f'"{standing}": {{"bias": 0, "factors": {{}}}}' for standing in STANDINGS)


@pytest.mark.parametrize(
    "score, expected",
    [
        (-math.inf, math.log(0.001 / 0.999)),
        (0.0, math.log(0.001 / 0.999)),
        (0.001, math.log(0.001 / 0.999)),
        (0.5, 0.0),
        (0.9, math.log(9)),
        (1.0, math.log(999)),
        (7.0, math.log(999)),
    ],
)
def test_logit_is_the_logarithm_of_odds_within_bounds(score, expected):
    assert logit(score) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    "logistic, evidence, expected",
    [
        (Logistic(-math.inf, {}), {}, 0.0),
        (Logistic(1e300, {"score": 1e300}), {"score": 1e300}, 1.0),
        (Logistic(0.0, {}), {"score": 3.0}, 0.5),
        (Logistic(math.log(3), {}), {}, 0.75),
        (Logistic(1.0, {"score": 2.0, "rival": -4.0}), {"score": 0.5, "rival": 0.5, "drop": 9.0}, 0.5),
        (Logistic(0.0, {"score": 1.0}), {"score": math.log(9)}, 0.9),
    ],
)
def test_a_logistic_adds_factors_times_evidence(logistic, evidence, expected):
    assert logistic(evidence) == pytest.approx(expected, abs=1e-12)


@given(st.floats(0.001, 0.999))
def test_without_a_file_the_confidence_is_the_score(score):
    for standing in STANDINGS:
        assert Calibration().confidence({"score": logit(score)}, standing) == pytest.approx(score)


def test_evidence_that_a_factor_needs_has_to_be_there():
    with pytest.raises(KeyError, match="likeness"):
        OWN.found({"score": 1.0})


@pytest.mark.parametrize(
    "content, words",
    [
        (b"", "JSONDecodeError"),
        (b"{", "JSONDecodeError"),
        (b"\xff\xfe\x00", "UnicodeDecodeError"),
        (b"null", "TypeError"),
        (b"[]", "TypeError"),
        (b"{}", "KeyError: 'tracked'"),
        (b'{"tracked": {"bias": 0, "factors": {}}}', "KeyError: 'doubted'"),
        (b'{"tracked": {"bias": 0}, "doubted": 0, "found": 0}', "KeyError: 'factors'"),
        (b'{"tracked": {"bias": 0, "factors": ["score"]}, "doubted": 0, "found": 0}', "AttributeError"),
        (b'{"tracked": {"bias": 0, "factors": {"score": "much"}}, "doubted": 0, "found": 0}', "ValueError"),
        (b'{"tracked": {"bias": NaN, "factors": {}}, "doubted": 0, "found": 0}', "expected finite ones"),
        (b'{"tracked": {"bias": 0, "factors": {"score": 1e999}}, "doubted": 0, "found": 0}', "expected finite ones"),
        (
            b'{"tracked": {"bias": 0, "factors": {"skore": 1}}, "doubted": 0, "found": 0}',
            "'skore'.*expected finite ones of drop, fi",
        ),
        (
            b'{"tracked": {"bias": 0, "factors": {"found": 1}}, "doubted": 0, "found": 0}',
            "'found'.*expected finite ones",
        ),
        (f'{{{PARTS}, "losses": [0.1]}}'.encode(), "AttributeError"),
        (f'{{{PARTS}, "losses": {{"bf16": "none"}}}}'.encode(), "ValueError"),
        (f'{{{PARTS}, "losses": {{"bf16": null}}}}'.encode(), "TypeError"),
        (f'{{{PARTS}, "losses": {{"int8": NaN}}}}'.encode(), "losses are .*nan.*expected finite ones of bf16, int8"),
        (f'{{{PARTS}, "losses": {{"int4": 0.1}}}}'.encode(), "losses are .*'int4'.*expected finite ones"),
    ],
)
def test_a_file_that_is_no_calibration_is_refused_with_its_name(tmp_path, content, words):
    path = tmp_path / "own.json"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=rf"(?s)own\.json is no calibration.*{words}.*make it again") as refusal:
        Calibration.read(path)
    assert "siam-tracker calibrate" in str(refusal.value)


def test_what_was_written_is_read(tmp_path):
    OWN.write(tmp_path / "own.json")
    assert Calibration.read(tmp_path / "own.json") == OWN
    assert [path.name for path in tmp_path.iterdir()] == ["own.json"]


def test_a_file_of_before_losses_were_measured_is_read(tmp_path):
    (tmp_path / "old.json").write_text(f"{{{PARTS}}}")
    assert Calibration.read(tmp_path / "old.json") == Calibration(*[Logistic(0.0, {})] * 3)


def test_a_calibration_is_kept_beside_its_weights(tmp_path):
    path = calibration_path(tmp_path / "my.best.pth", "lite_online")
    assert path == tmp_path / "my.best.pth.lite_online.calibration.json"


@pytest.mark.parametrize("name", ["lite", "lite_online"])
def test_the_shipped_calibrations_use_known_evidence_in_its_direction(name):
    signs = {"score": 1, "drop": -1, "peak_ratio": -1, "likeness": 1, "first_likeness": 1, "strangeness": -1}
    signs |= {"rival": -1}
    assert signs.keys() == EVIDENCE
    for part in (getattr(SHIPPED[name], standing) for standing in STANDINGS):
        assert part.factors and all(factor * signs[evidence] > 0 for evidence, factor in part.factors.items())


@pytest.fixture
def weights(tmp_path):
    save_weights(LiteNetwork(), tmp_path / "own.safetensors")
    return tmp_path / "own.safetensors"


@pytest.mark.parametrize(
    "files, model, expected",
    [
        ((), "lite", SHIPPED_FOR_OTHERS["lite"]),
        (("lite_online",), "lite", SHIPPED_FOR_OTHERS["lite"]),  # of the same weights, in another method
        (("lite",), "lite", OWN),
        (("lite", "lite_online"), "lite_online", OWN),
    ],
)
def test_a_file_beside_the_weights_counts_before_that_of_the_shipped_ones(weights, files, model, expected):
    for name in files:
        OWN.write(calibration_path(weights, name))
    assert create_tracker(model, weights=weights, runtime="torch").calibration == expected
    assert create_tracker(model, weights=str(weights), runtime="torch").calibration == expected


def test_a_damaged_file_beside_the_weights_is_refused(weights):
    calibration_path(weights, "lite").write_text("{}")
    with pytest.raises(WeightsError, match="own.safetensors.lite.calibration.json is no calibration"):
        create_tracker("lite", weights=weights, runtime="torch")


@pytest.mark.parametrize(
    "given_weights, expected",
    [
        (None, SHIPPED["lite"]),
        ("random", SHIPPED_FOR_OTHERS["lite"]),
        (LiteNetwork().state_dict(), SHIPPED_FOR_OTHERS["lite"]),
    ],
    ids=["none", "random", "mapping"],
)
def test_without_a_file_of_weights_the_calibration_is_that_of_the_shipped_ones(given_weights, expected):
    assert create_tracker("lite", weights=given_weights, runtime="torch").calibration == expected


def test_a_method_without_any_calibration_takes_its_scores_as_they_are():
    assert create_tracker("siamrpn_alex", weights="random", runtime="torch").calibration == Calibration()
