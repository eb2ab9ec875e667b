# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Functions of tensors as ONNX graphs."""

import inspect
import io
import json
import pathlib
import typing
import warnings
from collections.abc import Callable, Sequence

import numpy as np
import torch

from siam_tracker_ros.executors.executor import GraphInput, TensorFunction

if typing.TYPE_CHECKING:
    import onnx

OPSET = 17  # the newest that torch 2.0 writes
EXAMPLE_BATCH, EXAMPLE_SIDE = 2, 128  # for sizes that vary
MIN_STORED = 64  # values of a tensor that is stored in float16


def export_graph(function: TensorFunction, inputs: Sequence[GraphInput], fuse_norms: bool = True) -> bytes:
    """Return a function of tensors on the CPU, with the weights that it has now, as the bytes of an ONNX graph.

    Args:
        function: returns a tensor, or a list or tuple of tensors; the fields of a NamedTuple name the graph's outputs.
        inputs: its arguments.
        fuse_norms: whether batch norms may be fused into convolutions, which changes their weights.
    """
    varying = {
        given.name: {axis: f"{given.name}_{axis}" for axis, size in enumerate(given.shape) if size is None}
        for given in inputs
    }
    # Tracing takes a fraction of the time of the newer exporter, which torch before 2.5 does not have, and needs fewer
    # packages. Torch warns that tracing is deprecated, and that sizes become constants, which is right for fixed ones.
    tracing: dict[str, typing.Any] = {}
    if "dynamo" in inspect.signature(torch.onnx.export).parameters:
        tracing["dynamo"] = False
    graph = io.BytesIO()
    examples = tuple(example(given) for given in inputs)
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        torch.onnx.export(
            _Module(function),
            examples,
            graph,  # type: ignore[arg-type]  # tracing writes to files as well, which the annotation leaves out
            input_names=[given.name for given in inputs],
            output_names=getattr(function(*examples), "_fields", None),
            dynamic_axes={name: axes for name, axes in varying.items() if axes},
            opset_version=OPSET,
            do_constant_folding=fuse_norms,
            training=torch.onnx.TrainingMode.EVAL if fuse_norms else torch.onnx.TrainingMode.PRESERVE,
            **tracing,
        )
    return graph.getvalue()


def example(given: GraphInput) -> torch.Tensor:
    """Return a tensor of zeros that an argument may be."""
    usual = (EXAMPLE_BATCH, *[EXAMPLE_SIDE] * (len(given.shape) - 1))
    sizes = [own if size is None else size for size, own in zip(given.shape, usual)]
    return torch.zeros(sizes, dtype=getattr(torch, given.dtype))


class _Module(torch.nn.Module):
    """A function as a module without parameters, so that its weights become constants of the graph."""

    def __init__(self, function: TensorFunction) -> None:
        super().__init__()
        self.forward = function


def share_weights(graph: bytes, weights: pathlib.Path) -> bytes:
    """Return a graph whose weights are read from a safetensors file that lies beside the graph's own file.

    What the file holds in float16 is converted when the graph is loaded. Small tensors, and what the exporter changed,
    stay in the graph.
    """
    from onnx import TensorProto

    stored = _stored_tensors(weights)

    def store(halved: np.ndarray) -> "TensorProto | None":
        match = stored.get((halved.shape, halved.tobytes()))
        if match is None:
            return None
        place = TensorProto.EXTERNAL
        tensor = TensorProto(dims=halved.shape, data_type=TensorProto.FLOAT16, data_location=place)
        for key, value in (("location", weights.name), ("offset", str(match[0])), ("length", str(match[1]))):
            tensor.external_data.add(key=key, value=value)
        return tensor

    return _store_in_half(graph, store)


def halve_weights(graph: bytes) -> bytes:
    """Return a graph whose weights are stored in float16, and converted to float32 when the graph is loaded.

    Weights that float16 cannot hold stay as they are.
    """
    from onnx import numpy_helper

    return _store_in_half(graph, lambda halved: numpy_helper.from_array(halved) if np.isfinite(halved).all() else None)


def _store_in_half(graph: bytes, store: "Callable[[np.ndarray], onnx.TensorProto | None]") -> bytes:
    """Store constants of float32 as a function of their values in float16 says; those of which it returns None stay."""
    import onnx
    from onnx import numpy_helper

    model = onnx.load_model_from_string(graph)
    nodes = []
    for node in model.graph.node:
        values = numpy_helper.to_array(node.attribute[0].t) if node.op_type == "Constant" else np.empty(0)
        tensor = None
        if values.size >= MIN_STORED and values.dtype == np.float32:
            with np.errstate(over="ignore"):
                tensor = store(values.astype(np.float16))
        if tensor is None:
            nodes.append(node)
            continue
        tensor.name = f"{node.output[0]}.stored"
        model.graph.initializer.append(tensor)
        nodes.append(onnx.helper.make_node("Cast", [tensor.name], node.output, to=onnx.TensorProto.FLOAT))
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model.SerializeToString()


def _stored_tensors(path: pathlib.Path) -> dict[tuple[tuple[int, ...], bytes], tuple[int, int]]:
    """Return where the float16 tensors of a safetensors file lie, as (offset, length), by their shape and bytes."""
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    found = {}
    for name, entry in json.loads(content[8:start]).items():
        if name != "__metadata__" and entry["dtype"] == "F16":
            first, last = (start + offset for offset in entry["data_offsets"])
            found[tuple(entry["shape"]), content[first:last]] = (first, last - first)
    return found
