#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# OpenCV 5.0.0 (opencv-python-headless 5.0.0.93), imread and imdecode of grey TIFF with 32-bit floats
# Expected: IMREAD_COLOR reads every image that IMREAD_UNCHANGED reads, and makes three equal channels of grey, as it does
# for grey images of 8 and 16 bits; or it raises an error that names the depth.
# Seen: with IMREAD_COLOR, IMREAD_GRAYSCALE and IMREAD_COLOR | IMREAD_ANYDEPTH the result is None, as for a damaged
# file. IMREAD_UNCHANGED reads it. OpenCV has written the file itself.
# Why it matters: thermal software exports temperatures in degrees as such files. A reader that asks for colour, as every
# tracker does, reports them as missing or damaged. Read with IMREAD_UNCHANGED and scale.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check opencv-python-headless==5.0.0.93 numpy==2.4.6

(cd "$folder" && OPENCV_LOG_LEVEL=SILENT venv/bin/python -) <<'END'
import sys

import cv2
import numpy as np

FLAGS = ("IMREAD_COLOR", "IMREAD_GRAYSCALE", "IMREAD_COLOR|ANYDEPTH", "IMREAD_UNCHANGED")
VALUES = (cv2.IMREAD_COLOR, cv2.IMREAD_GRAYSCALE, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH, cv2.IMREAD_UNCHANGED)
read = {}
for dtype in (np.uint8, np.uint16, np.float32):
    assert cv2.imwrite("a.tiff", np.linspace(20, 40, 48 * 64).reshape(48, 64).astype(dtype))
    images = [cv2.imread("a.tiff", flags) for flags in VALUES]
    read[np.dtype(dtype).name] = [image is not None for image in images]
    print(np.dtype(dtype).name, dict(zip(FLAGS, read[np.dtype(dtype).name])))
as_stated = read == {"uint8": [True] * 4, "uint16": [True] * 4, "float32": [False, False, False, True]}
sys.exit(None if as_stated else "no longer as stated")
END
