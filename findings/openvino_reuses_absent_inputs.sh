#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# OpenVINO 2026.4.1 on a CPU; ONNX Runtime 1.31.1 beside it
# Expected: a request that is given one of a graph's two inputs, or none, raises an error, as ONNX Runtime does; and so
# does an array of another type than the graph's.
# Seen: an OpenVINO request takes the arrays of its last call for the inputs that are left out, and answers. Whole
# numbers and float64 are converted to float32 without a word, a value of 1e300 to infinity.
# Why it matters: a tracker's search graph has the template as an input. If a program forgets it, for instance after
# a new target, the request goes on looking for the old one. Count the inputs before each call.
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
from onnx import TensorProto, helper

shape = [1, 2]
inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("image", "template")]
output = helper.make_tensor_value_info("score", TensorProto.FLOAT, shape)
graph = helper.make_graph([helper.make_node("Add", ["image", "template"], ["score"])], "probe", inputs, [output])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
session = onnxruntime.InferenceSession(model)
core = openvino.Core()
request = core.compile_model(core.read_model(model), "CPU").create_infer_request()

image, template = np.ones(shape, np.float32), np.full(shape, 100, np.float32)
CASES = {
    "both": {"image": image, "template": template},
    "image alone": {"image": 2 * image},
    "none": {},
    "uint8": {"image": image, "template": np.full(shape, 7, np.uint8)},
    "float64": {"image": image, "template": np.full(shape, 1e300)},
}
seen = {}
print("given        ONNX Runtime       OpenVINO")
for name, given in CASES.items():
    try:
        refused = str(session.run(None, given)[0].ravel())
    except Exception as error:
        refused = type(error).__name__
    with np.errstate(over="ignore"):
        answer = request.infer(given)[0].ravel().tolist()
    seen[name] = refused, answer
    print(f"{name:12} {refused:18} {answer}")
as_stated = (
    [answer for _, answer in seen.values()] == [[101, 101], [102, 102], [102, 102], [8, 8], [float("inf")] * 2]
    and seen["both"][0] == "[101. 101.]"
    and all(not refused.startswith("[") for name, (refused, _) in seen.items() if name != "both")
)
sys.exit(None if as_stated else "no longer as stated")
END
