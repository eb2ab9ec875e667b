#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# MNN 3.6.1 on a CPU; ONNX Runtime 1.31.1 beside it
# Expected: Resize with mode cubic, coordinates half_pixel and coefficient -0.75, as PyTorch exports bicubic interpolation,
# gives the same as ONNX Runtime.
# Seen: the first rows and the first columns are wrong, by as much as the values themselves: those whose positions lie
# before the first pixel, two at a scale of 4. With align_corners, where there are none, all is right.
# Why it matters: GradNet and online filters enlarge their response like this and take the highest place. A target that
# leaves over the upper or left side of the region gets a peak that does not exist. Cut these rows and columns off.
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
from onnx import TensorProto, helper, numpy_helper

given = np.random.default_rng(0).standard_normal((1, 1, 17, 17)).astype(np.float32)
x = helper.make_tensor_value_info("x", TensorProto.FLOAT, given.shape)
y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
size = numpy_helper.from_array(np.array([1, 1, 68, 68]), "size")
wrong = {}
for coordinates in ("half_pixel", "align_corners"):
    options = {"mode": "cubic", "coordinate_transformation_mode": coordinates, "cubic_coeff_a": -0.75}
    node = helper.make_node("Resize", ["x", "", "", "size"], ["y"], **options)
    graph = helper.make_graph([node], "probe", [x], [y], [size])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), "probe.onnx")
    files = ["--modelFile", "probe.onnx", "--MNNModel", "probe.mnn"]
    convert = ["venv/bin/mnnconvert", "-f", "ONNX", *files, "--bizCode", "x"]
    subprocess.run(convert, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    right = onnxruntime.InferenceSession("probe.onnx").run(None, {"x": given})[0][0, 0]
    module = MNN.nn.load_module_from_file("probe.mnn", ["x"], ["y"])
    (output,) = module.forward([MNN.expr.const(given, given.shape, MNN.expr.NCHW)])
    error = np.abs(np.array(MNN.expr.convert(output, MNN.expr.NCHW).read())[0, 0] - right)
    wrong[coordinates] = error > 1e-3
    print(f"{coordinates:14}largest error in the first two rows {error[:2].max():.2f}, in the first two columns ", end="")
    print(f"{error[:, :2].max():.2f}, elsewhere {error[2:, 2:].max():.5f}; values up to {np.abs(right).max():.2f}")
border = np.zeros((68, 68), bool)
border[:2] = border[:, :2] = True
half = wrong["half_pixel"]
as_stated = half[border].mean() > 0.9 and not half[~border].any() and not wrong["align_corners"].any()
sys.exit(None if as_stated else "no longer as stated")
END
