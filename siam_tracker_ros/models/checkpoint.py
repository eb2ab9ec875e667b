# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reads and writes weights. Every mismatch fails loudly: how many keys, and the first of them."""

import os
import pathlib

import numpy as np
import safetensors
import safetensors.torch
import torch

from siam_tracker_ros.errors import WeightsError


def save_weights(network, path):
    """Write a network's weights as half-precision safetensors; a file of that name is replaced in one go."""
    path = pathlib.Path(path)
    state = {name: value.detach().cpu() for name, value in network.state_dict().items()}
    state = {name: (value.half() if value.is_floating_point() else value).contiguous() for name, value in state.items()}
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(safetensors.torch.save(state))
    os.replace(partial, path)


def read_weights(path):
    """Read a safetensors file into a dictionary of tensors.

    Raises:
        WeightsError: no such file, another format, or a damaged file.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise WeightsError(f"no weights file {path}; give the path of a .safetensors file")
    if path.suffix != ".safetensors":
        raise WeightsError(f"weights file {path} is a {path.suffix or 'file without suffix'}, expected .safetensors")
    try:
        return safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, OSError) as error:
        raise WeightsError(
            f"weights file {path} is damaged or no safetensors file ({error}); fetch it again"
        ) from error


def load_weights(network, state, what):
    """Load a mapping of tensors or arrays into a network, every key and shape matching.

    Args:
        network: torch module.
        state: mapping of key to tensor or array of any float type; batch counters may be missing.
        what: name of the source, for the message.

    Raises:
        WeightsError: keys missing, left over or of another shape; the network is unchanged.
    """
    for name, value in state.items():
        if not isinstance(name, str) or not hasattr(value, "shape"):
            kind = type(value).__name__
            raise WeightsError(f"{what} holds {name!r} with a {kind}, expected names with tensors or arrays")
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
        raise WeightsError(
            f"{what} does not fit this network: keys {'; '.join(problems)}; was it made for another model?"
        )
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


def load_trunk_onnx(trunk, path):
    """Load the convolutions of an ONNX graph, in its order, into a MobileNetV2Trunk whose input is BGR.

    The graph's input is RGB, as is usual, so the first kernel's input channels are turned round.

    Raises:
        WeightsError: the graph's convolutions are not the trunk's.
    """
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(str(path)).graph
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    given = [[arrays[name] for name in node.input[1:]] for node in graph.node if node.op_type == "Conv"]
    convolutions = [module for module in trunk.modules() if isinstance(module, torch.nn.Conv2d)]
    shapes = [[tuple(array.shape) for array in arrays] for arrays in given]
    expected = [[tuple(conv.weight.shape), tuple(conv.bias.shape)] for conv in convolutions]
    if shapes != expected:
        raise WeightsError(
            f"{path} has {len(shapes)} convolutions that are not the {len(expected)} of the MobileNetV2 trunk"
        )
    with torch.no_grad():
        for index, (conv, (weight, bias)) in enumerate(zip(convolutions, given)):
            weight = weight[:, ::-1] if index == 0 else weight
            conv.weight.copy_(torch.from_numpy(np.array(weight)))
            conv.bias.copy_(torch.from_numpy(np.array(bias)))
