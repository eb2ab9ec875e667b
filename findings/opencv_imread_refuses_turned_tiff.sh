#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# OpenCV 5.0.0 (opencv-python-headless 5.0.0.93), imread and imdecode of TIFF
# Expected: imread(path, flags) and imdecode(content of the same file, flags) give the same image, and
# IMREAD_IGNORE_ORIENTATION leaves the pixels as they are stored, as for JPEG.
# Seen: of the orientations 5 to 8, imread returns None where imdecode returns the turned image. For TIFF,
# IMREAD_IGNORE_ORIENTATION is ignored: the image is turned in any case.
# Why it matters: scanners and drone software write TIFF with an orientation. A reader that uses imread takes intact frames
# for damaged ones, and boxes that were labelled in the stored pixels cannot be drawn. Read the bytes and use imdecode.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  opencv-python-headless==5.0.0.93 pillow==13.0.0 numpy==2.4.6

(cd "$folder" && OPENCV_LOG_LEVEL=SILENT venv/bin/python -) <<'END'
import sys

import cv2
import numpy as np
from PIL import Image

stored = np.arange(24 * 32 * 3, dtype=np.uint8).reshape(24, 32, 3)
seen = {}
for orientation in range(1, 9):
    Image.fromarray(stored[..., ::-1]).save("a.tiff", tiffinfo={274: orientation})
    content = np.fromfile("a.tiff", np.uint8)
    images = [cv2.imread("a.tiff"), cv2.imdecode(content, cv2.IMREAD_COLOR)]
    images.append(cv2.imdecode(content, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION))
    seen[orientation] = [None if image is None else image.shape[:2] for image in images]
    print(f"orientation {orientation}: imread {{}}, imdecode {{}}, with IGNORE_ORIENTATION {{}}".format(*seen[orientation]))
upright, turned = [(24, 32)] * 3, [None, (32, 24), (32, 24)]
as_stated = seen == {orientation: upright if orientation < 5 else turned for orientation in range(1, 9)}
sys.exit(None if as_stated else "no longer as stated")
END
