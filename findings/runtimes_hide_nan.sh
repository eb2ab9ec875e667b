#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# ONNX Runtime 1.31.1 and OpenVINO 2026.4.1 on a CPU
# Expected: a NaN passes through ReLU, clip and maximum as it does in NumPy and PyTorch, so that a check of the
# outputs finds a network that has broken inside.
# Seen: OpenVINO makes 0 of NaN in Relu and Clip, and so of every NaN of a convolution before them; it loses NaN in
# all maxima. ONNX Runtime keeps it in Relu, but loses it in ReduceMax, GlobalMaxPool and most windows of MaxPool,
# with all optimizations of the graph off.
# Why it matters: half precision that overflows or a damaged weight gives NaN in PyTorch, and a plausible box with a
# finite score here. "The score is finite" is no check of health in an exported tracker; check the features, or
# compare with PyTorch on a few frames.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  onnx==1.23.2 onnxruntime==1.31.1 openvino==2026.4.1 numpy==2.4.6

(cd "$folder" && venv/bin/python -) <<'END'
import sys

import numpy as np
import onnxruntime
import openvino
from numpy.lib.stride_tricks import sliding_window_view
from onnx import TensorProto, helper, numpy_helper

image = np.random.default_rng(0).standard_normal((1, 4, 6, 6)).astype(np.float32)
image[0, 1, 2, 2] = np.nan
kernel = np.full((1, 4, 3, 3), 0.1, np.float32)
constants = [numpy_helper.from_array(kernel, "kernel")]
constants += [numpy_helper.from_array(np.float32(value), name) for name, value in (("zero", 0), ("six", 6))]
windows = sliding_window_view(image, (3, 3), axis=(2, 3))
node = helper.make_node
CASES = {  # nodes, and NumPy's answer
    "Relu": ([node("Relu", ["x"], ["y"])], np.maximum(image, 0)),
    "Clip": ([node("Clip", ["x", "zero", "six"], ["y"])], np.clip(image, 0, 6)),
    "Max": ([node("Max", ["x", "zero"], ["y"])], np.maximum(image, 0)),
    "Conv, Relu": (
        [node("Conv", ["x", "kernel"], ["c"]), node("Relu", ["c"], ["y"])],
        np.maximum(np.einsum("ncijhw,ochw->noij", windows, kernel), 0),
    ),
    "ReduceMax": ([node("ReduceMax", ["x"], ["y"], axes=[2, 3])], image.max((2, 3), keepdims=True)),
    "GlobalMaxPool": ([node("GlobalMaxPool", ["x"], ["y"])], image.max((2, 3), keepdims=True)),
    "MaxPool": ([node("MaxPool", ["x"], ["y"], kernel_shape=[3, 3])], windows.max((4, 5))),
}
options = onnxruntime.SessionOptions()
options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
core = openvino.Core()
counts = {}
print("NaN in the output of    NumPy  ONNX Runtime  OpenVINO, and what OpenVINO has there")
for name, (nodes, expected) in CASES.items():
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, image.shape)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, expected.shape)
    used = {given for each in nodes for given in each.input}
    graph = helper.make_graph(nodes, "probe", [x], [y], [value for value in constants if value.name in used])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    compiled = core.compile_model(core.read_model(model), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    ours = onnxruntime.InferenceSession(model, options).run(None, {"x": image})[0]
    theirs = compiled([image])[0]
    counts[name] = tuple(int(np.isnan(answer).sum()) for answer in (expected, ours, theirs))
    print("{:20}{:9}{:14}{:10}".format(name, *counts[name]), " ", np.unique(theirs[np.isnan(expected)].round(2))[:3])
as_stated = (
    all(all_nan > 0 == openvino_nan for all_nan, _, openvino_nan in counts.values())
    and counts["ReduceMax"][1] == counts["GlobalMaxPool"][1] == 0
    and 0 < counts["MaxPool"][1] < counts["MaxPool"][0]
    and all(counts[name][1] == counts[name][0] for name in ("Relu", "Clip", "Max", "Conv, Relu"))
)
sys.exit(None if as_stated else "no longer as stated")
END
