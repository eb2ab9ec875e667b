#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# safetensors 0.8.0, module safetensors.numpy
# Expected: a transposed array is saved with its values in place, or refused, as safetensors.torch refuses a tensor
# that is not contiguous.
# Seen: it is saved without an error, and read back with the right shape and its values in wrong places: the bytes are
# written in the order in which they lie in memory.
# Why it matters: to bring weights from TensorFlow's order (height, width, in, out) to PyTorch's, one transposes.
# Saved through NumPy, the file holds a network of the right shapes that tracks nothing. numpy.ascontiguousarray
# before saving prevents it.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  safetensors==0.8.0 numpy==2.4.6

(cd "$folder" && venv/bin/python -) <<'END'
import sys

import numpy as np
from safetensors.numpy import load_file, save_file

kernel = np.arange(2 * 2 * 3 * 4, dtype=np.float32).reshape(2, 2, 3, 4)  # height, width, in, out
weights = {
    "transposed": kernel.transpose(3, 2, 0, 1),
    "fortran": np.asfortranarray(kernel[0, 0]),
    "copied": np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)),
}
save_file(weights, "weights.safetensors")
read = load_file("weights.safetensors")
same = {}
for name, array in weights.items():
    same[name] = np.array_equal(read[name], array)
    print(f"{name}: saved {array.shape}, read {read[name].shape}, values equal: {same[name]}")
print("saved  ", weights["fortran"].tolist())
print("read   ", read["fortran"].tolist())
sys.exit(None if same == {"transposed": False, "fortran": False, "copied": True} else "no longer as stated")
END
