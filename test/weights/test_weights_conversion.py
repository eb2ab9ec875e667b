# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch

from siam_tracker_ros import WeightsError, create_tracker, list_models
from siam_tracker_ros.cli import main
from siam_tracker_ros.core.loading import identify
from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.methods.lite.network import LiteNetwork
from siam_tracker_ros.weights.checkpoint import read_weights
from siam_tracker_ros.weights.convert import convert_weights

pytestmark = pytest.mark.slow


@pytest.fixture
def checkpoint(tmp_path):
    torch.manual_seed(3)
    path = tmp_path / "checkpoint.pth"
    torch.save({"epoch": 1, "state_dict": LiteNetwork().state_dict()}, path)
    return path


@pytest.mark.parametrize("half, tolerance", [(False, 0), (True, 1e-3)])
def test_a_checkpoint_becomes_a_file_that_create_tracker_takes(checkpoint, tmp_path, half, tolerance):
    target = tmp_path / "lite.safetensors"
    assert [info.name for info in convert_weights(checkpoint, target, half=half)] == ["lite_online", "lite"]
    expected, written = read_weights(checkpoint), read_weights(target)
    assert expected.keys() == written.keys()
    for name, value in written.items():
        np.testing.assert_allclose(value.float(), expected[name].float(), rtol=tolerance, atol=tolerance)
    create_tracker("lite", weights=target, runtime="torch")


def test_the_command_says_what_was_written(checkpoint, tmp_path, capsys):
    assert main(["convert", str(checkpoint), str(tmp_path / "out.safetensors")]) == 0
    assert "out.safetensors: weights for lite" in capsys.readouterr().out


def test_a_file_that_is_read_is_not_written(tmp_path, capsys):
    path = tmp_path / "same.safetensors"
    path.write_bytes(b"x")
    assert main(["convert", str(path), str(path)]) == 2
    assert "both read and written" in capsys.readouterr().err
    assert path.read_bytes() == b"x"


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: {f"module.module.{name}": value for name, value in state.items()},
        lambda state: {"model": {f"_orig_mod.{name}": value for name, value in state.items()}, "epoch": 2},
        lambda state: {"state_dict": {f"net.{name}": value for name, value in state.items()}},
    ],
)
def test_the_model_of_a_wrapped_checkpoint_is_found(tmp_path, wrap):
    torch.save(wrap(LiteNetwork().state_dict()), tmp_path / "wrapped.pth")
    methods = convert_weights(tmp_path / "wrapped.pth", tmp_path / "lite.safetensors")
    assert [method.name for method in methods] == ["lite_online", "lite"]
    assert read_weights(tmp_path / "lite.safetensors").keys() == LiteNetwork().state_dict().keys()


@pytest.mark.parametrize(
    "content", [{"epoch": 3}, {"model": {}, "epoch": 3}, {"head.weight": torch.ones(2), "step": 1}]
)
def test_a_checkpoint_without_weights_alone_is_refused_with_what_to_save(tmp_path, content):
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match=r"torch\.save\(network\.state_dict\(\), FILE\)"):
        convert_weights(tmp_path / "other.pth", tmp_path / "out.safetensors")


@pytest.mark.parametrize(
    "target, error, words",
    [
        ("out.pth", InvalidInputError, "expected a name that ends in .safetensors"),
        ("nowhere/out.safetensors", InvalidInputError, "does not exist"),
    ],
)
def test_bad_targets_are_refused_before_anything_is_read(tmp_path, target, error, words):
    with pytest.raises(error, match=words):
        convert_weights("no such file", tmp_path / target)


def test_weights_of_no_model_are_refused(tmp_path):
    torch.save({"weight": torch.zeros(2), "bias": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match=r"looks like no model here \(2 keys, first: bias, weight\)"):
        convert_weights(tmp_path / "other.pth", tmp_path / "out.safetensors")


@pytest.mark.parametrize("info", list_models(), ids=lambda info: info.name)
def test_each_model_is_known_by_its_weights(info):
    with torch.device("meta"):
        state = info.network_class.for_state({}).state_dict()
    assert info in identify(state, "it")


def test_names_of_no_model_are_known_as_none():
    state = {f"{name}.other": value for name, value in LiteNetwork().state_dict().items()}
    assert identify(state, "it") == ()
