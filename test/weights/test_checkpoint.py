# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import os
import pickle
import sys
import warnings

import numpy as np
import pytest
import safetensors.torch
import torch

from siam_tracker_ros import WeightsError, create_tracker
from siam_tracker_ros.core.loading import read_network
from siam_tracker_ros.core.network import Network
from siam_tracker_ros.core.registry import find_model
from siam_tracker_ros.methods.lite.network import LiteNetwork
from siam_tracker_ros.weights.checkpoint import load_backbone_onnx, load_weights, read_weights, unwrap

STATE = {"head.weight": torch.arange(6.0).reshape(2, 3), "head.bias": torch.tensor([0.5, -1.0])}


def write_torch(content, path, zipped):
    torch.save(content, path, _use_new_zipfile_serialization=zipped)


WRITERS = {
    "torch": lambda state, path: write_torch(state, path, zipped=True),
    "torch before 1.6": lambda state, path: write_torch(state, path, zipped=False),
    "safetensors": lambda state, path: safetensors.torch.save_file(state, path),
    "npz": lambda state, path: np.savez(path, **{name: value.numpy() for name, value in state.items()}),
}


class RunsCode:
    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def check_state(state):
    assert state.keys() == STATE.keys()
    for name, value in STATE.items():
        np.testing.assert_array_equal(np.asarray(state[name]), value.numpy())


@pytest.mark.parametrize("kind", WRITERS)
def test_the_content_decides_the_format_not_the_name(tmp_path, kind):
    path = tmp_path / "weights.npz"
    WRITERS[kind](STATE, path)
    for name in ("a.pth", "b.model", "c"):
        check_state(read_weights(path.rename(tmp_path / name)))
        path = tmp_path / name


def behind(prefix, state):
    return {f"{prefix}{name}": value for name, value in state.items()}


MOMENTS = {"step": torch.tensor(3.0), "exp_avg": torch.zeros(2, 3), "exp_avg_sq": torch.zeros(2, 3)}
WRAPPINGS = {
    "state_dict": lambda state: {
        "epoch": 3, "arch": "Custom", "state_dict": state, "best_acc": 0.5, "anchor_cfg": {"scales": [8]}
    },
    "numbers of NumPy": lambda state: {"state_dict": state, "best_acc": np.float64(0.25), "epoch": np.int64(3)},
    "own training": lambda state: {"step": 7, "learner": behind("network.", state), "average": state, "optimizer": {}},
    "model": lambda state: {"model": state, "epoch": 3, "anchors": torch.zeros(5)},
    "net": lambda state: {"net": state, "net_type": "x", "constructor": None},
    "model_state_dict": lambda state: {
        "model_state_dict": state, "optimizer_state_dict": {"state": {0: MOMENTS}, "param_groups": [{"lr": 0.1}]}
    },
    "an optimizer that knows names": lambda state: {
        "module": state, "optimizer": {"state": {"head.weight": MOMENTS}}, "rng": {"torch": torch.zeros(9)}
    },
    "two levels": lambda state: {"meta": {"epoch": 1}, "checkpoint": {"model": state, "loss": torch.tensor(1.0)}},
    "module.": lambda state: behind("module.", state),
    "state_dict and module.": lambda state: {"state_dict": behind("module.", state)},
    "module.module.": lambda state: behind("module.module.", state),
    "_orig_mod.": lambda state: behind("_orig_mod.", state),
    "module._orig_mod.": lambda state: behind("module._orig_mod.", state),
    "_orig_mod.module.": lambda state: {"model": behind("_orig_mod.module.", state)},
    "a part that was compiled": lambda state: {
        name.replace(".", "._orig_mod.", 1): value for name, value in state.items()
    },
    "AveragedModel": lambda state: {"ema": {"n_averaged": torch.tensor(9), **behind("module.", state)}},
    "Fabric": lambda state: {"model": behind("_forward_module.", state), "step": 1},
}  # fmt: skip


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_checkpoints_of_training_are_unwrapped(tmp_path, wrapping, zipped):
    write_torch(WRAPPINGS[wrapping](STATE), tmp_path / "snapshot.pth", zipped)
    check_state(read_weights(tmp_path / "snapshot.pth"))


@pytest.mark.parametrize("wrap", [torch.nn.DataParallel, torch.optim.swa_utils.AveragedModel])
def test_what_pytorchs_own_wrappers_save_is_unwrapped(wrap):
    network = torch.nn.Sequential(torch.nn.Linear(2, 2))
    wrapped = wrap(torch.nn.Sequential(wrap(network)))
    assert unwrap(wrapped.state_dict(), "it").keys() == {f"0.{name}" for name in network.state_dict()}


def test_a_checkpoint_of_fabric_is_unwrapped(tmp_path):
    fabric = pytest.importorskip("lightning_fabric", reason="Fabric is not installed").Fabric(accelerator="cpu")
    network = torch.nn.Sequential(torch.nn.Linear(2, 2))
    network, optimizer = fabric.setup(network, torch.optim.Adam(network.parameters()))
    network(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    fabric.save(tmp_path / "fabric.ckpt", {"model": network, "optimizer": optimizer, "step": 1})
    assert read_weights(tmp_path / "fabric.ckpt").keys() == {"0.weight", "0.bias"}


@pytest.mark.parametrize(
    "content, words",
    [
        ({"model": STATE, "ema": STATE}, r"the weights of 2 networks \(model, ema\), expected one; .* of model"),
        ({"a": {"model": STATE, "ema": STATE}}, r"2 networks \(model, ema\)"),
        ({**STATE, "epoch": 3}, "holds 'epoch' with a int, .*; save the network's weights alone: torch.save"),
        ({**STATE, **behind("module.", STATE)}, "holds head.weight twice, as module.head.weight too"),
    ],
)
def test_a_checkpoint_that_leaves_a_choice_is_refused_with_what_to_save(tmp_path, content, words):
    torch.save(content, tmp_path / "snapshot.pth")
    with pytest.raises(WeightsError, match=words):
        read_weights(tmp_path / "snapshot.pth")


@pytest.mark.parametrize("kind", ["safetensors", "npz"])
def test_the_prefix_of_data_parallel_training_is_taken_off_in_every_format(tmp_path, kind):
    path = tmp_path / "weights.npz"
    WRITERS[kind](behind("module.", STATE), path)
    check_state(read_weights(path))


@pytest.fixture(scope="module")
def lite_state():
    return LiteNetwork().state_dict()


PARTS = {
    "plain": lambda state: state,
    "Lightning": lambda state: {"state_dict": behind("model.", state), "hyper_parameters": {"lr": 0.1}},
    "Lightning with a loss": lambda state: {
        "state_dict": {**behind("net.", state), "criterion.pos_weight": torch.ones(1)}
    },
    "a part of a part": lambda state: behind("tracker.network.", state),
    "a part in wrappers": lambda state: {"model": behind("module.model._orig_mod.", state)},
}


@pytest.mark.parametrize("wrapping", [*WRAPPINGS, *PARTS])
def test_mappings_are_unwrapped_as_files_are(lite_state, wrapping):
    wrap = {**WRAPPINGS, **PARTS}[wrapping]
    made, expected = (read_network(find_model("lite"), state).state_dict() for state in (wrap(lite_state), lite_state))
    assert made.keys() == expected.keys()
    assert all(torch.equal(made[name], expected[name]) for name in expected)


KINDS = {
    "bfloat16": lambda value: value.bfloat16(),
    "float64": lambda value: value.double(),
    "float8": lambda value: value.to(torch.float8_e4m3fn),
    "sparse": lambda value: value.to_sparse(),
    "array of the other byte order": lambda value: value.numpy().astype(">f4" if sys.byteorder == "little" else "<f4"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_weights_of_any_kind_are_loaded(kind):
    network, value = torch.nn.Linear(2, 2, bias=False), torch.tensor([[0.5, 0.0], [1.0, -2.0]])
    load_weights(network, {"weight": KINDS[kind](value)}, "it")
    assert torch.equal(network.weight, value)


@pytest.mark.parametrize(
    "value",
    [
        torch.tensor([[1.0, torch.nan]]),
        torch.tensor([[1e300, 1]], dtype=torch.float64),
        torch.empty(1, 2, device="meta"),
    ],
)
def test_weights_without_usable_values_are_refused(value):
    with pytest.raises(WeightsError, match=r"no values or some that are not finite in 1 tensors \(first: weight\)"):
        load_weights(torch.nn.Linear(2, 1, bias=False), {"weight": value}, "it")


def test_two_networks_in_one_module_leave_a_choice(lite_state):
    both = {**behind("student.", lite_state), **behind("teacher.", lite_state)}
    with pytest.raises(WeightsError, match=r"2 networks \(student, teacher\).*network.state_dict\(\) of student"):
        create_tracker("lite", both)


def test_a_network_that_is_held_by_another_packages_keeps_its_names():
    class Holder(Network):
        def __init__(self):
            super().__init__()
            self.model = torch.nn.Sequential(torch.nn.Linear(2, 2))

    assert Holder.own_state(Holder().state_dict(), "it").keys() == {"model.0.weight", "model.0.bias"}


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("kept", [1, 30, 200, -1, -40])
def test_every_truncated_file_is_called_damaged(tmp_path, kind, kept):
    path = tmp_path / "weights.npz"
    WRITERS[kind]({**STATE, "more": torch.randn(100)}, path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(WeightsError, match="damaged"):
        read_weights(path)


@pytest.mark.parametrize(
    "content, words",
    [
        (b"", "is empty; fetch it again"),
        (b"\0" * 64, "is none of .pth"),
        (b"<html>quota exceeded</html>", "is none of .pth"),
        (b"\x80", "damaged"),
        (b"\x80\x02" + b"\xff" * 50, "or is damaged"),
        (pickle.dumps([1, 2], protocol=2), "damaged"),
        (b"PK\x05\x06" + b"\0" * 18, "zip file without weights"),
        (b"\x08\x08\x12\x07pytorch", "is an ONNX graph, expected .pth"),
    ],
)
def test_what_is_no_weights_file_gets_its_sentence(tmp_path, content, words):
    (tmp_path / "weights.pth").write_bytes(content)
    with pytest.raises(WeightsError) as refusal:
        read_weights(tmp_path / "weights.pth")
    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("write", ["zip", "torch before 1.6", "pickle 2", "pickle 4"])
def test_code_in_a_file_is_refused_and_never_run(tmp_path, write):
    path, trace = tmp_path / "weights.pth", tmp_path / "it_ran"
    content = {"state_dict": STATE, "arch": RunsCode(f"touch {trace}")}
    if write.startswith("pickle"):
        path.write_bytes(pickle.dumps(content["arch"], protocol=int(write[-1])))
    else:
        write_torch(content, path, zipped=write == "zip")
    with pytest.raises(WeightsError, match="holds (a Python object .*system.*|Python objects.*) and not weights alone"):
        read_weights(path)
    assert not trace.exists()


def test_arrays_with_objects_are_refused(tmp_path):
    np.savez(tmp_path / "weights.npz", names=np.array([RunsCode("true")], dtype=object))
    with pytest.raises(WeightsError, match="damaged"):
        read_weights(tmp_path / "weights.npz")


def test_a_file_that_holds_no_names_is_refused(tmp_path):
    torch.save([torch.zeros(3)], tmp_path / "list.pth")
    with pytest.raises(WeightsError, match="holds a list, expected names with tensors"):
        read_weights(tmp_path / "list.pth")


def test_a_program_is_refused_with_what_to_save(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(torch.nn.Linear(2, 2)).save(tmp_path / "program.pt")
    with pytest.raises(WeightsError, match=r"TorchScript program.*torch.jit.load\('program.pt'\).state_dict\(\)"):
        read_weights(tmp_path / "program.pt")


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(WeightsError, match="is a folder, expected a file"):
        read_weights(tmp_path)


@pytest.mark.parametrize("name", ["", "__0_0.distcp"])
def test_a_distributed_checkpoint_is_refused_with_what_converts_it(tmp_path, name):
    for part in (".metadata", "__0_0.distcp"):
        (tmp_path / part).write_bytes(b"PK")
    with pytest.raises(WeightsError, match=f"format_utils dcp_to_torch {tmp_path} weights.pth"):
        read_weights(tmp_path / name)


def test_a_missing_file_is_named():
    with pytest.raises(WeightsError, match="no weights file nowhere.pth"):
        read_weights("nowhere.pth")


def test_onnx_backbone_is_checked(tmp_path):
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    graph = onnx.helper.make_graph([], "empty", [], [])
    path = tmp_path / "empty.onnx"
    onnx.save(onnx.helper.make_model(graph), str(path))
    with pytest.raises(WeightsError, match="0 convolutions"):
        load_backbone_onnx(LiteNetwork().backbone, path)
    path.write_bytes(b"no graph")
    for wrong in (path, tmp_path / "absent.onnx"):
        with pytest.raises(WeightsError, match=f"{wrong} cannot be read as an ONNX graph"):
            load_backbone_onnx(LiteNetwork().backbone, wrong)
