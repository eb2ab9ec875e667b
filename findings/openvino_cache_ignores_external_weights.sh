#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# OpenVINO 2026.4.1 on a CPU, with its model cache (CACHE_DIR); ONNX 1.23.2
# Expected: if the weights of a graph change, the model is compiled again, and computes with the new ones.
# Seen: weights that lie in a file beside the graph, as ONNX's external data do, are not looked at. With other weights of
# the same graph, compile_model of its path, which is the documented way, goes on computing with the old ones. The time
# of the .onnx file decides: if it alone changes, with the same content, the new weights are read.
# Why it matters: networks that are trained again have the same graph and other weights; a robot that gets such an update
# would go on tracking with the old ones, without a word. Weights above 2 GB have to be in files of their own.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export HOME=$folder # where `import openvino` writes
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check onnx==1.23.2 openvino==2026.4.1 numpy==2.4.6

(cd "$folder" && CI=true venv/bin/python -) <<'END_OF_PYTHON'
import os
import sys

import numpy as np
import onnx
import openvino
from onnx import TensorProto, helper, numpy_helper

SHAPE = [4]
value = helper.make_tensor_value_info("image", TensorProto.FLOAT, SHAPE)
result = helper.make_tensor_value_info("score", TensorProto.FLOAT, SHAPE)
weights = numpy_helper.from_array(np.full(SHAPE, 2, np.float32), "weights")
node = helper.make_node("Mul", ["image", "weights"], ["score"])
graph = helper.make_graph([node], "probe", [value], [result], [weights])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
onnx.save(model, "probe.onnx", save_as_external_data=True, location="probe.weights", size_threshold=0)


def answer(**options):
    core = openvino.Core()
    core.set_property(options)
    compiled = core.compile_model("probe.onnx", "CPU")
    return float(compiled([np.ones(SHAPE, np.float32)])[0][0]), bool(compiled.get_property("LOADED_FROM_CACHE"))


def write_weights(number):
    with open("probe.weights", "r+b") as file:
        file.write(np.full(SHAPE, number, np.float32).tobytes())


first = answer(CACHE_DIR="cache")
write_weights(30)
new, fresh = answer(CACHE_DIR="cache"), answer()
times = os.stat("probe.onnx")
os.utime("probe.onnx", ns=(times.st_atime_ns, times.st_mtime_ns + 2_000_000_000))
touched = answer(CACHE_DIR="cache")
print(f"{'':35} {'weight x 1':>10}   from the cache")
for name, (number, cached) in {
    "weights 2": first,
    "weights 30": new,
    "weights 30, without the cache": fresh,
    "weights 30, time of .onnx changed": touched,
}.items():
    print(f"{name:35} {number:10g}   {cached}")
as_stated = (first, new, fresh, touched) == ((2, False), (2, True), (30, False), (30, False))
sys.exit(None if as_stated else "no longer as stated")
END_OF_PYTHON
