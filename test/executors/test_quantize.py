# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Graphs in int8, and graphs whose weights take half the size."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from siam_tracker_ros.executors import RUNTIMES
from siam_tracker_ros.executors.executor import GraphInput, RuntimeExecutor
from siam_tracker_ros.executors.export import export_graph, halve_weights
from siam_tracker_ros.executors.quantize import quantize_graph

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.usefixtures("one_thread")

IMAGE = GraphInput("image", (1, 4, 16, 16))


class Layers(nn.Module):
    """Two convolutions with a shortcut, a correlation with given kernels, and the decoding of what it finds."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Conv2d(4, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.register_buffer("centers", torch.rand(1, 8, 14, 14))

    def forward(self, image, kernels):
        x = functional.relu6(self.first(image))
        x = torch.relu(x + self.second(x))
        found = functional.conv2d(x, kernels, groups=8)
        return torch.exp((found + self.centers).clamp(-4, 2))

    def decode(self, image):
        return torch.relu(image + 1)


@pytest.fixture(scope="module")
def samples():
    rng = np.random.default_rng(0)
    return [(rng.random((1, 4, 16, 16), np.float32), rng.random((8, 1, 3, 3), np.float32) / 9) for _ in range(4)]


@pytest.fixture(scope="module")
def layers():
    return Layers().eval().requires_grad_(False)


@pytest.fixture(scope="module")
def graph(layers):
    return export_graph(layers.forward, [IMAGE, GraphInput("kernels", (8, 1, 3, 3))])


def test_the_layers_are_quantized_and_what_decodes_is_not(graph, samples):
    model = onnx.load_model_from_string(quantize_graph(graph, samples))
    made_by = {output: node for node in model.graph.node for output in node.output}
    quantized = [
        (node.op_type, all(made_by[name].op_type == "DequantizeLinear" for name in node.input if name in made_by))
        for node in model.graph.node
        if node.op_type in ("Conv", "Add", "Clip", "Relu")
    ]
    # Relu and the first Clip are part of the ranges of what is before them; the last Conv is the correlation.
    assert quantized == [("Conv", True), ("Conv", True), ("Add", True), ("Conv", True), ("Add", False), ("Clip", False)]
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    assert sum(tensor.data_type == onnx.TensorProto.INT8 and len(tensor.dims) == 4 for tensor in weights.values()) == 2


@pytest.mark.parametrize("runtime", list(RUNTIMES))
def test_the_results_are_close(runtime, layers, graph, samples):
    for package in RUNTIMES[runtime].packages:
        pytest.importorskip(package)
    quantized = RUNTIMES[runtime].load(quantize_graph(graph, samples), 1, "int8")
    for sample in samples:
        expected = layers(*map(torch.from_numpy, sample)).detach().numpy()
        (given,) = quantized(*sample)
        difference = np.abs(given - expected).max() / expected.max()
        assert 0 < difference < 0.03


def test_it_is_the_same_each_time(graph, samples):
    assert quantize_graph(graph, samples) == quantize_graph(graph, samples)


def test_a_graph_without_convolutions_is_not_quantized(layers, samples):
    assert quantize_graph(export_graph(layers.decode, [IMAGE]), [sample[:1] for sample in samples]) is None


@pytest.mark.parametrize("runtime", list(RUNTIMES))
def test_weights_in_half_the_size_compute_as_before(runtime, layers, graph, samples):
    for package in RUNTIMES[runtime].packages:
        pytest.importorskip(package)
    halved = halve_weights(graph)
    assert len(graph) - len(halved) > 0.4 * 4 * (layers.first.weight.numel() + layers.second.weight.numel())
    (expected,), (given,) = (RUNTIMES[runtime].load(source, 1, "fp32")(*samples[0]) for source in (graph, halved))
    np.testing.assert_allclose(given, expected, rtol=1e-3, atol=1e-3)


def test_weights_that_float16_cannot_hold_stay(layers, samples):
    large = Layers().eval().requires_grad_(False)
    large.centers *= 1e6
    graph = export_graph(large.forward, [IMAGE, GraphInput("kernels", (8, 1, 3, 3))])
    model = onnx.load_model_from_string(halve_weights(graph))
    stored = {tuple(tensor.dims) for tensor in model.graph.initializer}
    assert (8, 8, 3, 3) in stored and (1, 8, 14, 14) not in stored


def test_a_graph_that_was_exported_is_run_in_place_of_the_function(tmp_path, layers, graph, samples):
    (tmp_path / "forward.onnx").write_bytes(graph)
    executor = RuntimeExecutor(RUNTIMES["onnx"], "fp32", {"forward": tmp_path / "forward.onnx"})
    tensors = [torch.from_numpy(array) for array in samples[0]]
    run = executor.compile("forward", lambda image, kernels: kernels, [IMAGE, GraphInput("kernels", (8, 1, 3, 3))])
    torch.testing.assert_close(run(*tensors), layers(*tensors).detach(), rtol=1e-4, atol=1e-4)
