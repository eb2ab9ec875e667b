# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reads and writes weights. Every mismatch fails loudly: how many keys, and the first of them."""

import contextlib
import os
import pathlib
import pickle
import re
import struct
import warnings
import zipfile
from collections.abc import Mapping

import numpy as np
import safetensors
import safetensors.torch
import torch

from siam_tracker_ros.errors import WeightsError
from siam_tracker_ros.extras import require
from siam_tracker_ros.weights.tensor_bundle import is_bundle, read_bundle

FORMATS = ".pth, .pt, .model, .safetensors, .npz or a TensorFlow checkpoint"
WRAPPERS = ("state_dict", "average")  # where training programs keep the weights inside of their checkpoints


def save_weights(network, path, dtype=torch.float16):
    """Write a network's weights as safetensors of a float type; a file of that name is replaced in one go."""
    path = pathlib.Path(path)
    state = {name: value.detach().cpu() for name, value in network.state_dict().items()}
    state = {
        name: (value.to(dtype) if value.is_floating_point() else value).contiguous() for name, value in state.items()
    }
    write_atomic(path, safetensors.torch.save(state))


def write_atomic(path, content):
    """Write a file so that, whatever happens, there is the old one or the new one, whole.

    Args:
        path: pathlib.Path.
        content: bytes.

    Raises:
        OSError: it cannot be written, as on a full disk; the old one is as it was.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        with open(partial, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    os.replace(partial, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the new name, too, is on the disk
    finally:
        os.close(folder)


def read_weights(path):
    """Read a weights file of any known format into a dictionary of name to tensor or array, names as in the file.

    The content decides, not the file's name. A checkpoint that holds more than weights is unwrapped, and the prefix
    `module.`, which data-parallel training leaves, is taken off. No code in a file is ever run.

    Raises:
        WeightsError: no such file, another format, a damaged file, or one that holds Python code.
    """
    path = pathlib.Path(path)
    if is_bundle(path):
        return read_bundle(path)
    return unwrap(_read_file(path), f"weights file {path}")


def _read_file(path):
    if not path.is_file():
        raise WeightsError(f"no weights file {path}; give the path of a {FORMATS}")
    if path.stat().st_size == 0:
        raise WeightsError(f"weights file {path} is empty; fetch it again")
    with open(path, "rb") as file:
        head = file.read(16)
    if head.startswith(b"PK"):
        return _read_zip(path)
    if head[8:9] == b"{":  # after the header's length
        return _read_safetensors(path)
    if head[:1] == b"\x80":  # how a pickle of protocol 2 and later begins
        return _read_torch(path)
    raise WeightsError(f"weights file {path} is none of {FORMATS}, or it is damaged; fetch it again")


def _damaged(path, error):
    reason = str(error).split("\n")[0]
    return WeightsError(f"weights file {path} is damaged ({reason}); fetch it again")


def _read_safetensors(path):
    try:
        return safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, OSError) as error:
        raise _damaged(path, error) from error


def _read_zip(path):
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        if any(name.endswith("data.pkl") for name in names):
            return _read_torch(path)
        if names and all(name.endswith(".npy") for name in names):
            with np.load(path, allow_pickle=False) as arrays:
                return {name: arrays[name] for name in arrays.files}
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise _damaged(path, error) from error
    raise WeightsError(f"weights file {path} is a zip file without weights in it; give the path of a {FORMATS}")


def _read_torch(path):
    try:
        with _plain_numbers_allowed(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of pickles that it did not write, and then refuses them
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL (\S+)", str(error))
        found = f"a Python object ({named[1]})" if named else "Python objects, or is damaged,"
        raise WeightsError(
            f"weights file {path} holds {found} and not weights alone; loading objects could run any code, so the file "
            "is refused; where you trust it, save its state dict alone and use that"
        ) from error
    except (RuntimeError, EOFError, OSError, LookupError, ValueError, TypeError, struct.error) as error:
        raise _damaged(path, error) from error
    return content


def _plain_numbers_allowed():
    """Numbers of NumPy, such as an accuracy, are no danger; torch before 2.5 cannot be told so and refuses them."""
    if not hasattr(torch.serialization, "safe_globals"):
        return contextlib.nullcontext()
    core = np.core if np.__version__.startswith("1.") else np._core
    scalars = (np.float16, np.float32, np.float64, np.int32, np.int64, np.bool_)
    dtypes = {type(np.dtype(scalar)) for scalar in scalars}
    names = [(core.multiarray.scalar, f"numpy.{folder}.multiarray.scalar") for folder in ("core", "_core")]
    return torch.serialization.safe_globals([*names, np.dtype, *dtypes, *scalars])


def unwrap(content, what):
    """The weights in the content of a checkpoint: without what else training keeps there, and without `module.`.

    Args:
        content: what a checkpoint holds.
        what: name of the source, for the message.

    Raises:
        WeightsError: the content is no mapping.
    """
    for wrapper in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping):
        raise WeightsError(f"{what} holds a {type(content).__name__}, expected names with tensors")
    return {name.removeprefix("module.") if isinstance(name, str) else name: value for name, value in content.items()}


def load_weights(network, state, what):
    """Load a mapping of tensors or arrays into a network, every key and shape matching.

    Args:
        network: torch module.
        state: mapping of key to tensor or array of any float type; batch counters may be missing.
        what: name of the source, for the message.

    Raises:
        WeightsError: keys missing, left over or of another shape; the network is unchanged.
    """
    expected = {name: value for name, value in network.state_dict().items() if not name.endswith("num_batches_tracked")}
    given = {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}
    problems = []
    for word, names in (
        ("missing", expected.keys() - given.keys()),
        ("unexpected", given.keys() - expected.keys()),
        (
            "differently shaped",
            {
                name
                for name in expected.keys() & given.keys()
                if tuple(expected[name].shape) != tuple(given[name].shape)
            },
        ),
    ):
        if names:
            problems.append(f"{len(names)} {word} of {len(expected)} (first: {', '.join(sorted(names)[:3])})")
    if problems:
        raise WeightsError(f"{what} does not fit this network: keys {'; '.join(problems)}")
    tensors = {
        name: torch.as_tensor(np.array(value) if not isinstance(value, torch.Tensor) else value)
        for name, value in given.items()
    }
    bad = sorted(name for name, value in tensors.items() if not torch.isfinite(value).all())
    if bad:
        raise WeightsError(
            f"{what} holds values that are not finite in {len(bad)} tensors (first: {bad[0]}); the file is damaged"
        )
    network.load_state_dict({**network.state_dict(), **tensors})


def load_backbone_onnx(backbone, path):
    """Load the convolutions of an ONNX graph, in its order, into a MobileNetV2Backbone whose input is BGR.

    The graph's input is RGB, as is usual, so the first kernel's input channels are turned round.

    Raises:
        WeightsError: there is no such graph, or its convolutions are not the backbone's.
    """
    require("reading ONNX files", "onnx")
    import onnx
    from google.protobuf.message import DecodeError
    from onnx import numpy_helper

    try:
        graph = onnx.load(str(path)).graph
    except (OSError, DecodeError) as error:
        raise WeightsError(f"{path} cannot be read as an ONNX graph: {error}; give the path of one") from error
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    given = [[arrays[name] for name in node.input[1:]] for node in graph.node if node.op_type == "Conv"]
    convolutions = [module for module in backbone.modules() if isinstance(module, torch.nn.Conv2d)]
    shapes = [[tuple(array.shape) for array in arrays] for arrays in given]
    expected = [[tuple(weight.shape) for weight in conv.parameters()] for conv in convolutions]
    if shapes != expected:
        raise WeightsError(
            f"{path} has {len(shapes)} convolutions that are not the {len(expected)} of the MobileNetV2 backbone"
        )
    with torch.no_grad():
        for index, (conv, (weight, bias)) in enumerate(zip(convolutions, given)):
            weight = weight[:, ::-1] if index == 0 else weight
            conv.weight.copy_(torch.from_numpy(np.array(weight)))
            conv.bias.copy_(torch.from_numpy(np.array(bias)))
