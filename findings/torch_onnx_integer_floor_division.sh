#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# PyTorch 2.13.0, torch.onnx.export with dynamo=False, run with ONNX Runtime 1.31.1
# Expected: x // 2 of a tensor of integers in the exported graph rounds down, as in PyTorch, and as torch.div(x, 2,
# rounding_mode="floor") and x % 2 do after export.
# Seen: x // 2 is exported as a division that rounds towards zero, and x >> 1 alike: -3 // 2 is -2 in PyTorch and -1
# in the graph. Neither gives an error. (The exporter with dynamo=True, which needs onnxscript, gets both right.)
# Why it matters: offsets from the centre of a response map or of a crop are negative for half of all positions, and
# // is how indices become rows and strides. The exported tracker is one cell off for targets to the left and above,
# and right for the others, which a test with one target may not show.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  torch==2.13.0 onnx==1.23.2 onnxruntime==1.31.1 numpy==2.4.6

(cd "$folder" && venv/bin/python -) <<'END'
import io
import sys
import warnings

import onnxruntime
import torch

warnings.simplefilter("ignore")
offsets = torch.tensor([-3, -1, 1, 3])
OPERATIONS = {
    "x // 2": lambda x: x // 2,
    "x >> 1": lambda x: x >> 1,
    "torch.div, floor": lambda x: torch.div(x, 2, rounding_mode="floor"),
    "x % 2": lambda x: x % 2,
}


class Operation(torch.nn.Module):
    def __init__(self, function):
        super().__init__()
        self.forward = function


def exported(function):
    data = io.BytesIO()
    torch.onnx.export(Operation(function), (offsets,), data, dynamo=False, opset_version=17)
    session = onnxruntime.InferenceSession(data.getvalue())
    return session.run(None, {session.get_inputs()[0].name: offsets.numpy()})[0].tolist()


right = {}
for name, function in OPERATIONS.items():
    expected = function(offsets).tolist()
    traced = exported(function)
    right[name] = traced == expected
    print(f"{name} of {offsets.tolist()}: PyTorch {expected}, exported {traced}")
as_stated = right == {"x // 2": False, "x >> 1": False, "torch.div, floor": True, "x % 2": True}
sys.exit(None if as_stated else "no longer as stated")
END
