# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reads and writes weights. Every mismatch is an error that says how many keys differ, and the first of them."""

import contextlib
import importlib
import os
import pathlib
import pickle
import re
import struct
import typing
import warnings
import zipfile
from collections.abc import Callable, Mapping

import numpy as np
import safetensors
import safetensors.torch
import torch

from siam_tracker_ros.errors import WeightsError
from siam_tracker_ros.extras import require
from siam_tracker_ros.outputs import write_atomic
from siam_tracker_ros.weights.tensor_bundle import is_bundle, read_bundle

Value = typing.TypeVar("Value", bound=torch.Tensor | np.ndarray)

FORMATS = ".pth, .pt, .model, .safetensors, .npz or a TensorFlow checkpoint"
ONNX_START = b"\x08"  # the tag of the version, the first field of a file
AVERAGE = "average"  # the entry of our own trainer's checkpoints that is meant for tracking; `learner` is beside it
# Names that PyTorch's wrappers put between a module and its weights: DataParallel and its relatives, AveragedModel,
# torch.compile, Fabric, FSDP and activation checkpointing.
WRAPPERS = {"module", "_orig_mod", "_forward_module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}
AVERAGED_COUNT = "n_averaged"  # AveragedModel's counter


def save_weights(network: torch.nn.Module, path: str | os.PathLike[str], dtype: torch.dtype = torch.float16) -> None:
    """Write a network's weights as safetensors of a float type; an existing file is replaced atomically."""
    path = pathlib.Path(path)
    state = {name: value.detach().cpu() for name, value in network.state_dict().items()}
    state = {
        name: (value.to(dtype) if value.is_floating_point() else value).contiguous() for name, value in state.items()
    }
    write_atomic(path, safetensors.torch.save(state))


def read_weights(path: str | os.PathLike[str]) -> dict[str, typing.Any]:
    """Read a weights file of any known format into a dictionary of name to tensor or array, names as in the file.

    The content decides on the format, not the file's name. What a training program puts around weights is taken off,
    see `unwrap`. No code in a file is ever run.

    Raises:
        WeightsError: no such file, another format, a damaged file, a file that holds Python code, or one whose weights
            are not the only ones in it.
    """
    path = pathlib.Path(path)
    if is_bundle(path):
        return read_bundle(path)
    return unwrap(_read_file(path), f"weights file {path}")


def _read_file(path: pathlib.Path) -> typing.Any:
    if (path / ".metadata").is_file() or path.suffix == ".distcp":
        folder = path if path.is_dir() else path.parent
        raise WeightsError(
            f"weights {path} is a distributed checkpoint, expected {FORMATS}; convert it: "
            f"python3 -m torch.distributed.checkpoint.format_utils dcp_to_torch {folder} weights.pth"
        )
    if path.is_dir():
        raise WeightsError(f"weights {path} is a folder, expected a file; give the path of a {FORMATS} in it")
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
    if head[:1] == ONNX_START:
        raise WeightsError(
            f"weights file {path} is an ONNX graph, expected {FORMATS}; save the state dict of the network that was "
            "exported"
        )
    if head[:1] == b"\x80":  # a pickle of protocol 2 or later
        return _read_torch(path)
    raise WeightsError(f"weights file {path} is none of {FORMATS}, or it is damaged; fetch it again")


def _damaged(path: pathlib.Path, error: Exception) -> WeightsError:
    reason = str(error).split("\n")[0]
    return WeightsError(f"weights file {path} is damaged ({reason}); fetch it again")


def _read_safetensors(path: pathlib.Path) -> dict[str, torch.Tensor]:
    try:
        return safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, OSError) as error:
        raise _damaged(path, error) from error


def _read_zip(path: pathlib.Path) -> typing.Any:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        if any(name.split("/")[1:2] == ["code"] for name in names):
            raise WeightsError(
                f"weights file {path} is a TorchScript program, expected weights alone; save them with "
                f"torch.save(torch.jit.load({path.name!r}).state_dict(), FILE)"
            )
        if any(name.endswith("data.pkl") for name in names):
            return _read_torch(path)
        if names and all(name.endswith(".npy") for name in names):
            with np.load(path, allow_pickle=False) as arrays:
                return {name: arrays[name] for name in arrays.files}
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise _damaged(path, error) from error
    raise WeightsError(f"weights file {path} is a zip file without weights in it; give the path of a {FORMATS}")


def _read_torch(path: pathlib.Path) -> typing.Any:
    try:
        with _plain_numbers_allowed(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of pickles that it did not write, then refuses them
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL (\S+)", str(error))
        found = f"a Python object ({named[1]})" if named else "Python objects, or is damaged,"
        raise WeightsError(
            f"weights file {path} holds {found} and not weights alone; loading objects could run any code, so the file "
            "is refused; where you trust it, save its state dict alone and use that: "
            "torch.save(torch.load(FILE, weights_only=False)[ENTRY], NEW_FILE), or of a whole network its .state_dict()"
        ) from error
    except (RuntimeError, EOFError, OSError, LookupError, ValueError, TypeError, struct.error) as error:
        raise _damaged(path, error) from error
    return content


def _plain_numbers_allowed() -> contextlib.AbstractContextManager[None]:
    """Allow NumPy numbers, such as an accuracy, which are safe; torch before 2.5 has no such list and refuses them."""
    if not hasattr(torch.serialization, "safe_globals"):
        return contextlib.nullcontext()
    core = "core" if np.__version__.startswith("1.") else "_core"
    multiarray = importlib.import_module(f"numpy.{core}.multiarray")
    scalars = (np.float16, np.float32, np.float64, np.int32, np.int64, np.bool_)
    dtypes = {type(np.dtype(scalar)) for scalar in scalars}
    names = [(multiarray.scalar, f"numpy.{folder}.multiarray.scalar") for folder in ("core", "_core")]
    return torch.serialization.safe_globals([*names, np.dtype, *dtypes, *scalars])


def unwrap(content: object, what: str) -> dict[str, typing.Any]:
    """Return the weights in a checkpoint, without its other entries and without the names of PyTorch's wrappers.

    The weights may be an entry of any name, as in `{"model": weights, "epoch": 3}`.

    Args:
        content: content of the checkpoint.
        what: name of the source, for the message.

    Raises:
        WeightsError: the content is not a mapping, holds other things than tensors and arrays, or several weights to
            choose from.
    """
    if not isinstance(content, Mapping):
        raise WeightsError(f"{what} holds a {type(content).__name__}, expected names with tensors")
    held = [name for name, value in content.items() if _holds_weights(value)]
    if held:
        return unwrap(content[AVERAGE if AVERAGE in held else _only(held, what)], what)
    weights: dict[str, typing.Any] = {}
    for name, value in content.items():
        if not isinstance(name, str) or not hasattr(value, "shape"):
            raise WeightsError(
                f"{what} holds {name!r} with a {type(value).__name__}, expected names with tensors or arrays; save the "
                "network's weights alone: torch.save(network.state_dict(), FILE)"
            )
        plain = _without_wrappers(name)
        if plain in weights:
            raise WeightsError(
                f"{what} holds {plain} twice, as {name} too; save the weights to use alone: "
                "torch.save(network.state_dict(), FILE)"
            )
        if plain.split(".")[-1] != AVERAGED_COUNT:
            weights[plain] = value
    return weights


def fitting_part(
    weights: Mapping[str, Value], fits: Callable[[Mapping[str, Value]], bool], what: str
) -> Mapping[str, Value]:
    """Return weights as they are, or only those of a network that was a part of what was saved.

    Lightning, for example, saves a module whose attribute is the network: `model.backbone.0.weight` beside
    `criterion.weight`.

    Args:
        weights: mapping of name to tensor or array.
        fits: whether weights look like those of the network.
        what: name of the source, for the message.

    Returns:
        The weights if they fit, else those of the part that fits, without its name; without one, all weights.

    Raises:
        WeightsError: several parts fit.
    """
    if fits(weights):
        return weights
    parts: dict[str, dict[str, Value]] = {}
    for name, value in weights.items():
        part, dot, rest = name.partition(".")
        parts.setdefault(part, {})[rest if dot else name] = value
    fitting = [part for part in parts if fits(parts[part])]
    if fitting:
        return parts[_only(fitting, what)]
    if len(parts) == 1 and all("." in name for name in weights):
        (inner,) = parts.values()
        found = fitting_part(inner, fits, what)
        return weights if found is inner else found
    return weights


def _only(names: list[typing.Any], what: str) -> typing.Any:
    """Return the one entry or part that holds weights.

    Raises:
        WeightsError: there are several.
    """
    if len(names) > 1:
        shown = ", ".join(map(str, names[:5])) + ", ..." * (len(names) > 5)
        raise WeightsError(
            f"{what} holds the weights of {len(names)} networks ({shown}), expected one; save those to use alone, for "
            f"example network.state_dict() of {names[0]}"
        )
    return names[0]


def _holds_weights(value: object) -> bool:
    """Whether an entry of a checkpoint is a mapping of weights, or has one in it.

    A name with a dot or a slash tells weights from an optimizer's values and a generator's state.
    """
    return isinstance(value, Mapping) and any(
        _holds_weights(inner) or (isinstance(name, str) and re.search("[./]", name) and getattr(inner, "ndim", 0) > 0)
        for name, inner in value.items()
    )


def _without_wrappers(name: str) -> str:
    *modules, weight = name.split(".")
    return ".".join([*(module for module in modules if module not in WRAPPERS), weight])


def load_weights(network: torch.nn.Module, state: Mapping[str, torch.Tensor | np.ndarray], what: str) -> None:
    """Load a mapping of tensors or arrays into a network; every key and shape must match.

    Args:
        network: to load into.
        state: mapping of key to tensor or array of any type, layout and byte order; batch counters may be missing.
        what: name of the source, for the message.

    Raises:
        WeightsError: keys missing, unexpected or of another shape; the network is unchanged.
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
    tensors = {name: _as_tensor(value, expected[name].dtype) for name, value in given.items()}
    bad = sorted(name for name, value in tensors.items() if value.is_meta or not torch.isfinite(value).all())
    if bad:
        raise WeightsError(
            f"{what} holds no values or some that are not finite in {len(bad)} tensors (first: {bad[0]}); the file is "
            "damaged, or was saved before the weights were there"
        )
    network.load_state_dict({**network.state_dict(), **tensors})


def _as_tensor(value: torch.Tensor | np.ndarray, dtype: torch.dtype) -> torch.Tensor:
    if not isinstance(value, torch.Tensor):
        value = torch.from_numpy(np.array(value, dtype=value.dtype.newbyteorder("=")))
    return (value.to_dense() if value.layout != torch.strided else value).to(dtype)


def load_backbone_onnx(backbone: torch.nn.Module, path: str | os.PathLike[str]) -> None:
    """Load the convolutions of an ONNX graph, in the graph's order, into a MobileNetV2Backbone.

    The graph's input is RGB and the backbone's is BGR, so the input channels of the first kernel are reversed.

    Raises:
        WeightsError: the graph cannot be read, or its convolutions are not the backbone's.
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
            for parameter, array in zip(conv.parameters(), (weight, bias)):
                parameter.copy_(torch.from_numpy(np.array(array)))
