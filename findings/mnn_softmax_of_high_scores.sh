#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# MNN 3.6.1 on a CPU; ONNX Runtime 1.31.1 beside it
# Expected: Softmax over the channels gives the same for scores 0 and 1 as for 100 and 101, since only differences count.
# Seen: it gives 0.5 and 0.5 where both scores are above 88, or both below -88. The exponentials are limited before they
# are compared, and no maximum is taken off first. Over the last axis the result is right.
# Why it matters: SiamRPN's and SiamMask's confidence is such a Softmax, over target and background. A network that is very
# sure of its scores, or one whose scores have a common offset, says 0.5 of every place. Put ReduceMax and Sub before it.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check mnn==3.6.1 onnx==1.23.2 onnxruntime==1.31.1 numpy==2.4.6
mkdir "$folder/bin" # the converter runs pip, see mnn_convert_runs_pip.sh
ln -s "$(command -v false)" "$folder/bin/pip"

(cd "$folder" && PATH="$folder/bin:$PATH" venv/bin/python -) <<'END'
import subprocess
import sys

import MNN.expr
import MNN.nn
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

shape = [1, 2, 5, 5]
x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in "xy")
graph = helper.make_graph([helper.make_node("Softmax", ["x"], ["y"], axis=1)], "probe", [x], [y])
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), "probe.onnx")
convert = ["venv/bin/mnnconvert", "-f", "ONNX", "--modelFile", "probe.onnx", "--MNNModel", "probe.mnn", "--bizCode", "x"]
subprocess.run(convert, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
session = onnxruntime.InferenceSession("probe.onnx")
module = MNN.nn.load_module_from_file("probe.mnn", ["x"], ["y"])

seen = []
print("scores        ONNX Runtime    MNN")
for scores in ((0, 1), (80, 81), (100, 101), (100, 120), (-100, -95)):
    given = np.broadcast_to(np.float32(scores)[None, :, None, None], shape).copy()
    right = session.run(None, {"x": given})[0][0, 1, 2, 2]
    (output,) = module.forward([MNN.expr.const(given, shape, MNN.expr.NCHW)])
    seen.append(np.array(MNN.expr.convert(output, MNN.expr.NCHW).read())[0, 1, 2, 2])
    print(f"{scores!s:14}{right:<15.4f} {seen[-1]:.4f}")
sys.exit(None if np.allclose(seen, [0.7311, 0.7311, 0.5, 0.5, 0.5], atol=1e-3) else "no longer as stated")
END
