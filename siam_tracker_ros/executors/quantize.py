# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""ONNX graphs in int8, by ONNX Runtime's static quantization."""

import pathlib
import tempfile
import typing
from collections.abc import Iterator, Sequence

import numpy as np

if typing.TYPE_CHECKING:
    import onnx

# What the layers between convolutions are made of. Each may also be a part of something else, as of the decoding of
# boxes, which needs float32: see `_layers`.
BETWEEN_CONVOLUTIONS = ("Add", "Clip", "Relu")


def quantize_graph(graph: bytes, samples: Sequence[Sequence[np.ndarray]]) -> bytes | None:
    """Return a graph whose convolutions, and the sums and activations between them, are computed in int8.

    Weights have a scale per channel; the other tensors have the range that they took on the samples. The scales are
    stored as QuantizeLinear and DequantizeLinear nodes, which ONNX Runtime and OpenVINO fuse with the layers.

    Args:
        graph: ONNX, in float32.
        samples: inputs of the graph, each in the order of its arguments.

    Returns:
        ONNX; None if the graph has no convolution with weights of its own.
    """
    import onnx
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder:
        source, prepared, result = (
            pathlib.Path(folder, name) for name in ("source.onnx", "prepared.onnx", "int8.onnx")
        )
        source.write_bytes(graph)
        quant_pre_process(source, prepared, skip_symbolic_shape=True)  # shapes are fixed, or vary by the batch alone
        model = onnx.load(prepared)
        layers = _layers(model.graph)
        if not layers:
            return None
        quantization.quantize_static(
            model,
            result,
            _Samples([given.name for given in model.graph.input], samples),
            quant_format=quantization.QuantFormat.QDQ,
            nodes_to_quantize=layers,
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
        )
        return result.read_bytes()


def _layers(graph: "onnx.GraphProto") -> list[str]:
    """Return the names of the convolutions with weights of their own, and of what is computed of their outputs alone.

    A convolution whose kernels are an input correlates, and what adds a constant decodes.
    """
    weights = {tensor.name for tensor in graph.initializer}
    names: list[str] = []
    outputs: set[str] = set()
    for node in graph.node:  # in the order in which they are computed
        if node.op_type == "Conv":
            is_layer = node.input[1] in weights
        else:
            needed = node.input if node.op_type == "Add" else node.input[:1]  # the others are bounds
            is_layer = node.op_type in BETWEEN_CONVOLUTIONS and outputs.issuperset(needed)
        if is_layer:
            names.append(node.name)
            outputs.update(node.output)
    return names


class _Samples:
    """A CalibrationDataReader of ONNX Runtime, which is imported where it is needed."""

    def __init__(self, names: Sequence[str], samples: Sequence[Sequence[np.ndarray]]) -> None:
        self._inputs: Iterator[dict[str, np.ndarray]] = (dict(zip(names, arrays, strict=True)) for arrays in samples)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """Return the next inputs by name; None after the last ones."""
        return next(self._inputs, None)
