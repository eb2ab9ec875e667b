# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which precisions "auto" tries: those that are measured to cost these weights hardly anything."""

import dataclasses

import pytest
import torch

from siam_tracker_ros import InvalidSettingError, WeightsError, create_tracker
from siam_tracker_ros.core import running
from siam_tracker_ros.core.confidence import Calibration, calibration_path
from siam_tracker_ros.core.registry import find_model
from siam_tracker_ros.core.running import Running, check_precision, graph_file_name, narrow_ways
from siam_tracker_ros.executors import choice
from siam_tracker_ros.executors.openvino import OpenVino
from siam_tracker_ros.methods.lite.network import LiteNetwork
from siam_tracker_ros.weights.checkpoint import save_weights

pytest.importorskip("onnxruntime")
pytest.importorskip("openvino")
pytestmark = pytest.mark.usefixtures("one_thread")

LITE = find_model("lite")
QUANTIZED = ("search", "refine", "segment")


@pytest.fixture
def tried(measured, monkeypatch):
    """Precisions that were tried, on a CPU with bfloat16, in place of the measurement; graphs are not run."""
    monkeypatch.setattr(OpenVino, "precisions", lambda self: ("fp32", "bf16"))
    monkeypatch.setattr(running, "graph_sources", lambda *_: {})
    monkeypatch.setattr(running, "_trial", lambda *_: lambda: None)
    seen = []

    def measure(trials):
        seen.append(sorted({Running.parse(name).precision for name in trials}))
        return {name: float("fp32" in name) for name in trials}

    monkeypatch.setattr(choice, "measure", measure)
    return seen


def own_weights(folder, losses, int8=False):
    """Weights with a calibration beside them, or None for none; a folder of graphs in int8, or a file."""
    weights = folder / "own"
    if int8:
        weights.mkdir()
        for name in LITE.tracker_class.graph_names:
            (weights / graph_file_name(LITE, name)).touch()
        for name in QUANTIZED:
            (weights / graph_file_name(LITE, name, precision="int8")).touch()
    else:
        save_weights(LiteNetwork(), weights)
    if losses is not None:
        Calibration(losses=losses).write(calibration_path(weights, "lite"))
    return weights


@pytest.mark.parametrize(
    "losses, int8, expected",
    [
        (None, False, ["fp32"]),
        ({}, False, ["fp32"]),
        ({"bf16": 0.0051}, False, ["fp32"]),
        ({"bf16": 0.005}, False, ["bf16", "fp32"]),
        ({"bf16": -0.3}, False, ["bf16", "fp32"]),
        ({"int8": 0.0}, False, ["fp32"]),  # there are no graphs in int8
        (None, True, ["fp32"]),
        ({"int8": 0.0051}, True, ["fp32"]),
        ({"int8": 0.005}, True, ["fp32", "int8"]),
        ({"int8": 0.0051, "bf16": 0.004}, True, ["bf16", "fp32"]),
        ({"int8": 0.002, "bf16": 0.004}, True, ["bf16", "fp32", "int8"]),
    ],
)
def test_auto_tries_what_costs_at_most_five_thousandths(tried, tmp_path, losses, int8, expected):
    create_tracker("lite", own_weights(tmp_path, losses, int8), device="cpu")
    assert tried == [expected]


@pytest.mark.parametrize(
    "weights, expected", [(None, ["bf16", "fp32"]), (LITE.shipped_weights, ["bf16", "fp32"]), ("random", ["fp32"])]
)
def test_the_loss_of_the_shipped_weights_holds_for_them_alone(tried, monkeypatch, weights, expected):
    shipped = calibration_path(LITE.shipped_weights, "lite")
    read = Calibration.read
    cheap = {shipped: dataclasses.replace(read(shipped), losses={"bf16": 0.004})}
    monkeypatch.setattr(Calibration, "read", lambda path: cheap.get(path) or read(path))
    create_tracker("lite", weights, device="cpu")
    assert tried == [expected]


def test_a_damaged_calibration_is_refused(tried, tmp_path):
    weights = own_weights(tmp_path, {})
    calibration_path(weights, "lite").write_text("damaged")
    with pytest.raises(WeightsError, match="own.lite.calibration.json is no calibration"):
        create_tracker("lite", weights, device="cpu")
    assert not tried


@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8"])
def test_what_is_asked_for_is_run_whatever_it_costs(tried, tmp_path, precision):
    weights = own_weights(tmp_path, {"bf16": 0.9, "int8": 0.9}, int8=True)
    tracker = create_tracker("lite", weights, device="cpu", runtime="openvino", precision=precision)
    assert (tracker.precision, tried) == (precision, [])


def test_a_choice_that_was_remembered_is_made_anew_when_the_losses_change(tried, tmp_path):
    weights = own_weights(tmp_path, None)
    chosen = []
    for losses in ({}, {"bf16": 0.001}, {"bf16": 0.02}, {"bf16": 0.001}):
        Calibration(losses=losses).write(calibration_path(weights, "lite"))
        chosen.append(create_tracker("lite", weights, device="cpu").precision)
    assert chosen == ["fp32", "bf16", "fp32", "bf16"]
    assert tried == [["fp32"], ["bf16", "fp32"]]


@pytest.mark.parametrize(
    "arguments, words",
    [
        (
            {},
            "'int8', which needs ONNX Runtime or OpenVINO, and as weights a folder that `siam-tracker export MODEL --p",
        ),
        ({"weights": "random"}, "'int8', which needs"),
        ({"runtime": "torch"}, "'int8', which needs"),
        ({"runtime": "onnx"}, "'int8', which needs"),
        ({"model": "siamrpn_alex", "weights": "random"}, "'int8', which needs"),
        ({"precision": "int4"}, "'int4', expected auto, fp32, fp16, bf16 or int8"),
    ],
)
def test_int8_is_refused_where_no_graph_is(arguments, words):
    with pytest.raises(InvalidSettingError, match=words):
        create_tracker(**{"model": "lite", "device": "cpu", "precision": "int8", **arguments})


def test_int8_is_for_a_cpu():
    with pytest.raises(InvalidSettingError, match="'int8' on device 'cuda', but it is for a CPU"):
        check_precision("int8", "cuda:0", LITE)


@pytest.mark.parametrize(
    "int8, runtime, expected",
    [
        (False, "auto", ["openvino in bf16"]),
        (False, "onnx", []),
        (False, "torch", []),
        (True, "auto", ["onnx in int8", "openvino in bf16", "openvino in int8"]),
        (True, "onnx", ["onnx in int8"]),
    ],
)
def test_the_ways_whose_loss_can_be_measured(tried, tmp_path, int8, runtime, expected):
    ways = narrow_ways(LITE, own_weights(tmp_path, None, int8), "cpu", runtime)
    assert [str(way) for way in ways] == expected


def test_openvinos_own_files_are_for_openvino(tried, tmp_path):
    weights = own_weights(tmp_path, None, int8=True)
    for path in weights.glob("*.onnx"):
        path.rename(path.with_suffix(".xml"))
    assert [str(way) for way in narrow_ways(LITE, weights, "cpu")] == ["openvino in bf16", "openvino in int8"]
    with pytest.raises(InvalidSettingError, match="for OpenVINO and the runtime is onnx"):
        create_tracker("lite", weights, device="cpu", runtime="onnx")


def test_there_is_nothing_narrow_to_measure_on_a_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert narrow_ways(LITE, None, "cuda") == []
