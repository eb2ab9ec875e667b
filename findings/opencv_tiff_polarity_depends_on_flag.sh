#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# OpenCV 5.0.0 (opencv-python-headless 5.0.0.93), files written by tifffile 2026.3.3
# Expected: a TIFF whose header says that 0 is white (PhotometricInterpretation 0) is read with one polarity, whatever
# flag of imread is used and however many bits its pixels have.
# Seen: with 8 bits every flag turns the values over, so that 0 becomes 255. With 16 bits IMREAD_COLOR and
# IMREAD_GRAYSCALE turn them over, IMREAD_UNCHANGED and IMREAD_ANYDEPTH do not: hot and cold are exchanged between two
# ways to read one file. A 12-bit TIFF is read by IMREAD_UNCHANGED as counts times 16, and not at all by IMREAD_COLOR.
# Why it matters: thermal cameras write such files. A template that was taken in a preview and a stream that is read with
# all bits have opposite contrast, and a tracker loses the target or never finds it. Read PhotometricInterpretation
# and BitsPerSample with a TIFF library, or read all frames with one flag.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  opencv-python-headless==5.0.0.93 tifffile==2026.3.3 imagecodecs==2026.3.6 numpy==2.4.6

(cd "$folder" && venv/bin/python -) <<'END'
import sys

import cv2
import numpy as np
import tifffile

flags = {
    "IMREAD_COLOR": cv2.IMREAD_COLOR,
    "IMREAD_GRAYSCALE": cv2.IMREAD_GRAYSCALE,
    "IMREAD_ANYDEPTH": cv2.IMREAD_ANYDEPTH,
    "IMREAD_UNCHANGED": cv2.IMREAD_UNCHANGED,
}
turned = {}
for dtype in (np.uint8, np.uint16):
    picture = np.full((48, 64), np.iinfo(dtype).max, dtype)
    picture[:24] = 0
    tifffile.imwrite("picture.tif", picture, photometric="miniswhite")
    for name, flag in flags.items():
        pixels = cv2.imread("picture.tif", flag).reshape(48, 64, -1)
        turned[np.dtype(dtype).name, name] = bool(pixels[0, 0, 0] > 0)
        print(f"{np.dtype(dtype).name}, {name}: 0 becomes {pixels[0, 0, 0]}, {picture[-1, 0]} becomes {pixels[-1, 0, 0]}")
counts = np.full((48, 64), 4095, np.uint16)
tifffile.imwrite("counts.tif", counts, bitspersample=12)
twelve, colour = cv2.imread("counts.tif", cv2.IMREAD_UNCHANGED), cv2.imread("counts.tif", cv2.IMREAD_COLOR)
print(f"12 bits: 4095 becomes {twelve[0, 0]} with IMREAD_UNCHANGED; with IMREAD_COLOR the result is {colour}")
stays = {key for key, value in turned.items() if not value}
as_stated = stays == {("uint16", "IMREAD_ANYDEPTH"), ("uint16", "IMREAD_UNCHANGED")}
as_stated &= twelve[0, 0] == 65520 and colour is None
sys.exit(None if as_stated else "no longer as stated")
END
