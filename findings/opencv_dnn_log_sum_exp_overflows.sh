#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# OpenCV 5.0.0 (opencv-python-headless 5.0.0.93), cv2.dnn, beside ONNX Runtime 1.31.1
# Expected: Softplus and ReduceLogSumExp of values about 100 are about 100. Runtimes compute both without overflow,
# which is why networks use them and not their definitions.
# Seen: cv2.dnn returns infinity for both, from 89 on, where exp overflows in float32. ONNX Runtime returns 100. In
# LogSoftmax cv2.dnn gives minus infinity for an element 200 below the largest; ONNX Runtime gives -200.
# Why it matters: probabilistic heads of trackers and detectors end in these operations, on logits of just this size.
# One infinity in a loss, an uncertainty or a score turns the arithmetic that follows into NaN, and comparisons with
# NaN into "not lost".
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  opencv-python-headless==5.0.0.93 onnx==1.23.2 onnxruntime==1.31.1 numpy==2.4.6

(cd "$folder" && venv/bin/python -) <<'END'
import sys

import cv2
import numpy as np
import onnxruntime
from onnx import TensorProto, helper

logits = np.array([[[[100, 20, -100, 90]]]], np.float32)
answers = {}
for name, attributes, width in (("Softplus", {}, 4), ("ReduceLogSumExp", {"axes": [3]}, 1), ("LogSoftmax", {}, 4)):
    node = helper.make_node(name, ["x"], ["y"], **attributes)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, logits.shape)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 1, width])
    graph = helper.make_graph([node], "probe", [x], [y])
    data = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    runtime = onnxruntime.InferenceSession(data).run(None, {"x": logits})[0]
    network = cv2.dnn.readNetFromONNX(np.frombuffer(data, np.uint8))
    network.setInput(logits)
    answers[name] = runtime, network.forward()
    print(f"{name} of {logits.ravel()}: ONNX Runtime {answers[name][0].ravel()}, cv2.dnn {answers[name][1].ravel()}")
as_stated = all(np.isfinite(runtime).all() and np.isinf(opencv).any() for runtime, opencv in answers.values())
sys.exit(None if as_stated else "no longer as stated")
END
