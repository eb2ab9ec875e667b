# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import os
import pickle

import numpy as np
import pytest
import safetensors.torch
import torch

from siam_tracker_ros import WeightsError, create_tracker
from siam_tracker_ros.core.registry import find_model
from siam_tracker_ros.methods.lite.network import LiteNetwork
from siam_tracker_ros.weights.checkpoint import load_backbone_onnx, read_weights

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


def behind_module(state):
    return {f"module.{name}": value for name, value in state.items()}


WRAPPINGS = [
    lambda state: {"epoch": 3, "arch": "Custom", "state_dict": state, "best_acc": 0.5, "anchor_cfg": {"scales": [8]}},
    lambda state: {"state_dict": behind_module(state)},
    lambda state: {"state_dict": state, "best_acc": np.float64(0.25), "epoch": np.int64(3)},
    lambda state: {"step": 7, "network": {}, "average": state, "optimizer": {}},
    behind_module,
]


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("wrap", WRAPPINGS)
def test_checkpoints_of_training_are_unwrapped(tmp_path, wrap, zipped):
    write_torch(wrap(STATE), tmp_path / "snapshot.pth", zipped)
    check_state(read_weights(tmp_path / "snapshot.pth"))


@pytest.mark.parametrize("kind", ["safetensors", "npz"])
def test_the_prefix_of_data_parallel_training_is_taken_off_in_every_format(tmp_path, kind):
    path = tmp_path / "weights.npz"
    WRITERS[kind](behind_module(STATE), path)
    check_state(read_weights(path))


@pytest.mark.parametrize("wrap", WRAPPINGS)
def test_mappings_are_unwrapped_as_files_are(wrap):
    network = find_model("lite").network_class.for_state({})
    made = create_tracker("lite", wrap(network.state_dict()), runtime="torch").network.state_dict()
    expected = create_tracker("lite", network.state_dict(), runtime="torch").network.state_dict()
    assert made.keys() == expected.keys()
    assert all(torch.equal(made[name], expected[name]) for name in expected)


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
