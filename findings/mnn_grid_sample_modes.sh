#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# MNN 3.6.1 on a CPU; ONNX Runtime 1.31.1 beside it
# Expected: GridSample with mode bicubic or padding_mode reflection gives the same as ONNX Runtime, or is refused at the
# conversion.
# Seen: it is converted without a word and run as another one: bicubic as bilinear, reflection as border.
# Why it matters: crops of a search region and masks that are painted back are made with GridSample. The exported graph
# runs, and its boxes are a little off on every frame. Only bilinear or nearest with zeros or border is safe.
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

rng = np.random.default_rng(0)
given = {
    "x": rng.standard_normal((1, 4, 12, 12)).astype(np.float32),
    "grid": (2.6 * rng.random((1, 9, 9, 2)) - 1.3).astype(np.float32),
}
inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, value.shape) for name, value in given.items()]
output = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)


def sample(mode, padding):
    """Sample with ONNX Runtime and with MNN."""
    node = helper.make_node("GridSample", ["x", "grid"], ["y"], mode=mode, padding_mode=padding, align_corners=0)
    graph = helper.make_graph([node], "probe", inputs, [output])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), "probe.onnx")
    files = ["--modelFile", "probe.onnx", "--MNNModel", "probe.mnn"]
    convert = ["venv/bin/mnnconvert", "-f", "ONNX", *files, "--bizCode", "x"]
    subprocess.run(convert, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    module = MNN.nn.load_module_from_file("probe.mnn", list(given), ["y"])
    (result,) = module.forward([MNN.expr.const(value, value.shape, MNN.expr.NCHW) for value in given.values()])
    right = onnxruntime.InferenceSession("probe.onnx").run(None, given)[0]
    return right, np.array(MNN.expr.convert(result, MNN.expr.NCHW).read())


as_stated = True
for asked, run_as in (
    (("bilinear", "zeros"), ("bilinear", "zeros")),
    (("bilinear", "border"), ("bilinear", "border")),
    (("bicubic", "zeros"), ("bilinear", "zeros")),
    (("bilinear", "reflection"), ("bilinear", "border")),
):
    right, seen = sample(*asked)
    other, _ = sample(*run_as)
    as_stated &= np.allclose(seen, other, atol=1e-3) and (asked == run_as or np.abs(seen - right).max() > 0.1)
    print(f"{' '.join(asked):20} largest error {np.abs(seen - right).max():.3f}, ", end="")
    print(f"beside {' '.join(run_as)} of ONNX Runtime {np.abs(seen - other).max():.5f}")
sys.exit(None if as_stated else "no longer as stated")
END
