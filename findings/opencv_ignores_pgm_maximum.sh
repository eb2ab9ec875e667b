#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# OpenCV 5.0.0 (opencv-python-headless 5.0.0.93), imread of PGM
# Expected: a PGM file says in its header which value is white. Read as an 8-bit image, white becomes 255, as in
# Pillow 13.0.0.
# Seen: OpenCV ignores the value. White of a 10-bit image (1023) becomes 3, of a 12-bit image (4095) 15; white of a
# 7-bit image (127) stays 127.
# Why it matters: machine-vision and thermal cameras deliver 10, 12 or 14 bits, and PGM is the simplest format for
# such frames. The tracker gets a nearly black image of four or sixteen grey levels, with no error, and loses the
# target. Read with IMREAD_UNCHANGED and scale by the header's value.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  opencv-python-headless==5.0.0.93 pillow==13.0.0 numpy==2.4.6

(cd "$folder" && venv/bin/python -) <<'END'
import sys

import cv2
import numpy as np
from PIL import Image

white_in_opencv = {}
for maximum in (127, 255, 1023, 4095, 65535):
    values = np.array([[0, maximum // 2, maximum]], ">u2" if maximum > 255 else "u1")
    with open("image.pgm", "wb") as file:
        file.write(f"P5 3 1 {maximum}\n".encode() + values.tobytes())
    bgr = cv2.imread("image.pgm", cv2.IMREAD_COLOR)[0, :, 0]
    with Image.open("image.pgm") as image:
        pixels, mode = np.asarray(image)[0], image.mode
    white_in_opencv[maximum] = int(bgr[2])
    print(f"white is {maximum}: black, grey, white in OpenCV as 8 bits {bgr}, in Pillow {pixels} (mode {mode})")
as_stated = white_in_opencv == {127: 127, 255: 255, 1023: 3, 4095: 15, 65535: 255}
sys.exit(None if as_stated else "no longer as stated")
END
