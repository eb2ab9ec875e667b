#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# MNN 3.6.1
# Expected: `mnnconvert` reads a model, writes another, and changes nothing else.
# Seen: before it converts, it runs `pip install -U aliyun-log-python-sdk` with the first pip of the PATH, unless that package
# is there. It then goes on whether or not pip has succeeded. Where the package can be imported, a server is asked first.
# Why it matters: a conversion in a build of an image or on a robot changes the environment of another Python, and waits
# for the network at each call where there is none. Put a program named pip that only fails before it in the PATH.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check mnn==3.6.1 onnx==1.23.2 numpy==2.4.6
mkdir "$folder/bin"
printf '#!/bin/sh\necho "$@" >>"%s/calls"\nexit 1\n' "$folder" >"$folder/bin/pip" # notes what it is asked for
chmod +x "$folder/bin/pip"

cd "$folder"
venv/bin/python - <<'END'
import onnx
from onnx import TensorProto, helper

x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in "xy")
graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "probe", [x], [y])
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), "probe.onnx")
END
PATH="$folder/bin:$PATH" venv/bin/mnnconvert -f ONNX --modelFile probe.onnx --MNNModel probe.mnn --bizCode x >log 2>&1
echo "written: $(ls probe.mnn)"
echo "pip was called with, $(wc -l <calls) times: $(sort -u calls)"
[ "$(sort -u calls)" = "install -U aliyun-log-python-sdk" ] || { echo "no longer as stated" >&2; exit 1; }
