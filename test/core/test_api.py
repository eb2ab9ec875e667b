# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import subprocess
import sys

import numpy as np
import pytest
import torch

import siam_tracker_ros
from siam_tracker_ros import InvalidSettingError, WeightsError, create_tracker, list_models
from siam_tracker_ros.core.registry import find_model
from siam_tracker_ros.core.running import check_precision
from siam_tracker_ros.methods.lite.network import LiteNetwork
from siam_tracker_ros.weights.checkpoint import save_weights

IMAGE = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)


def answer(tracker):
    tracker.init(IMAGE, (40, 30, 30, 20))
    result = tracker.track(IMAGE)
    return np.append(result.box_xywh, result.score)


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"model": "siamfoo"}, "model is 'siamfoo', expected one of lite"),
        ({"preset": "vot1999"}, "preset of lite is 'vot1999'"),
        ({"device": "tpu"}, "device is 'tpu'"),
        ({"device": "cpu:1"}, "device is 'cpu:1'"),
        ({"device": "cuda:99"}, "CUDA devices"),
        ({"precision": "int8"}, "precision is 'int8'"),
        ({"precision": "fp16", "device": "cpu"}, "needs CUDA"),
        ({"runtime": "tensorrt"}, "runtime is 'tensorrt', expected one of auto, torch, onnx"),
        ({"window": 0.3}, "lite: unknown setting window; known are penalty_k, window_influence, lr"),
        ({"lr": "fast"}, "lite: lr is 'fast', expected a number"),
        ({"lr": float("nan")}, "lite: lr is nan, expected 0 to 1"),
        ({"lr": True}, "lite: lr is True, expected a number"),
        ({"window_influence": 1.5}, "lite: window_influence is 1.5, expected 0 to 1"),
    ],
)
def test_unknown_settings_are_refused_with_what_is_known(arguments, words):
    with pytest.raises(InvalidSettingError) as refusal:
        create_tracker(**{"model": "lite", "weights": "random", **arguments})
    assert words in str(refusal.value)


@pytest.mark.parametrize(
    "precision, device, words",
    [("fp16", "cuda:0", "which this model cannot run in"), ("bf16", "cuda:0", "it is for a CPU; use auto or fp16")],
)
def test_a_precision_that_cannot_be_is_refused(precision, device, words):
    with pytest.raises(InvalidSettingError, match=words):
        check_precision(precision, device, find_model("ocean"))


@pytest.mark.parametrize(
    "model", [model for model in list_models() if model.shipped_weights is None], ids=lambda model: model.name
)
def test_a_model_without_weights_says_where_to_get_them_and_how_to_do_without(model):
    with pytest.raises(WeightsError) as refusal:
        create_tracker(model.name)
    assert f"no weights come with {model.name}; " in str(refusal.value) and model.published in str(refusal.value)
    assert "give its path as weights" in str(refusal.value) and '"random"' in str(refusal.value)


@pytest.mark.parametrize(
    "name, content, words",
    [
        ("absent.safetensors", None, "no weights file"),
        ("empty.pth", b"", "is empty"),
        ("noise.safetensors", b"not a tensor in sight" * 9, "is none of .pth"),
        ("weights.zip", b"PK", "damaged"),
    ],
)
def test_bad_weights_files_are_refused(tmp_path, name, content, words):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match=words):
        create_tracker("lite", weights=tmp_path / name)


def test_a_truncated_file_is_refused(tmp_path):
    whole = tmp_path / "whole.safetensors"
    save_weights(LiteNetwork(), whole)
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(whole.read_bytes()[:-1000])
    with pytest.raises(WeightsError, match="damaged"):
        create_tracker("lite", weights=cut)


def test_foreign_weights_name_the_keys(tmp_path):
    path = tmp_path / "foreign.safetensors"
    save_weights(torch.nn.Linear(3, 2), path)
    with pytest.raises(WeightsError, match=r"missing of \d+ \(first: .*unexpected.*bias, weight"):
        create_tracker("lite", weights=path)


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda state: state.update({1: torch.zeros(1)}), "holds 1 with a Tensor, expected names"),
        (lambda state: state.update({"box.bias": [0.0] * 4}), "holds 'box.bias' with a list"),
        (lambda state: state.pop("box.bias"), "1 missing"),
        (lambda state: state.update(extra=torch.zeros(1)), "1 unexpected"),
        (lambda state: state.update({"box.bias": torch.zeros(5)}), "1 differently shaped"),
        (lambda state: state.update({"box.bias": torch.full((4,), float("nan"))}), "not finite"),
    ],
)
def test_mappings_must_fit_key_for_key(change, words):
    state = LiteNetwork().state_dict()
    change(state)
    with pytest.raises(WeightsError, match=words):
        create_tracker("lite", weights=state)


def test_weights_of_a_wrong_kind_are_refused():
    with pytest.raises(WeightsError, match="weights is int"):
        create_tracker("lite", weights=7)


def test_path_mapping_and_arrays_give_the_same_tracker(tmp_path):
    torch.manual_seed(1)
    state = {name: value.half().float() for name, value in LiteNetwork().state_dict().items()}
    network = LiteNetwork()
    network.load_state_dict(state)
    path = tmp_path / "own.safetensors"
    save_weights(network, path)
    expected = answer(create_tracker("lite", weights=state, runtime="torch"))
    np.testing.assert_array_equal(answer(create_tracker("lite", weights=path, runtime="torch")), expected)
    np.testing.assert_array_equal(answer(create_tracker("lite", weights=str(path), runtime="torch")), expected)
    arrays = {name: value.numpy() for name, value in state.items()}
    np.testing.assert_array_equal(answer(create_tracker("lite", weights=arrays, runtime="torch")), expected)


def test_random_weights_are_the_same_every_time_and_leave_the_seed_alone():
    torch.manual_seed(5)
    expected_next = torch.rand(1)
    torch.manual_seed(5)
    first = answer(create_tracker("lite", weights="random", runtime="torch"))
    assert torch.rand(1) == expected_next
    np.testing.assert_array_equal(answer(create_tracker("lite", weights="random", runtime="torch")), first)


def test_the_default_model_ships_its_weights():
    default = list_models()[0]
    assert default.name == "lite_online"
    assert default.shipped_weights.stat().st_size <= 10_000_000
    assert create_tracker(runtime="torch").settings == create_tracker(default.name, runtime="torch").settings


def imports(module, other):
    code = f"import sys, {module}; print({other!r} in sys.modules)"
    return subprocess.check_output([sys.executable, "-c", code], text=True) == "True\n"


@pytest.mark.slow
@pytest.mark.parametrize("other", ["rclpy", "torchvision"])
def test_making_a_tracker_needs_no_ros_and_no_torchvision(other):
    assert not imports("siam_tracker_ros.core.registry", other)


@pytest.mark.slow
@pytest.mark.parametrize("module", ["demo.scene", "node.demo", "node.video_publisher", "core.session"])
def test_what_makes_no_tracker_needs_no_torch(module):
    if module.startswith("node."):
        pytest.importorskip("rclpy")
    assert not imports(f"siam_tracker_ros.{module}", "torch")


def test_every_public_name_is_there_and_another_is_refused():
    assert set(siam_tracker_ros.__all__) <= set(dir(siam_tracker_ros))
    for name in siam_tracker_ros.__all__:
        assert getattr(siam_tracker_ros, name).__name__ == name
    with pytest.raises(AttributeError, match="module 'siam_tracker_ros' has no attribute 'make_tracker'"):
        siam_tracker_ros.make_tracker()
    with pytest.raises(ImportError, match="make_tracker"):
        from siam_tracker_ros import make_tracker  # noqa: F401
