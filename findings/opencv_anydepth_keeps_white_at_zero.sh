#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# OpenCV 5.0.0 (opencv-python-headless 5.0.0.93), imread of a grey TIFF of 16 bits in which 0 means white
# Expected: a TIFF file says in the tag PhotometricInterpretation whether 0 means black (1) or white (0). The image is the
# same, whether it is read with 8 or with 16 bits.
# Seen: with IMREAD_COLOR or IMREAD_GRAYSCALE the file is inverted, as its tag says. With IMREAD_ANYDEPTH or
# IMREAD_UNCHANGED a file of 16 bits is not inverted; one of 8 bits is, with every flag.
# Why it matters: scientific and thermal cameras ("white hot") write such files. A reader that asks for the 16 bits, to
# keep a narrow range, gets the negative of what it got before: a tracker that was trained on pictures follows worse, and
# models of two runs do not match. Read the tag, and invert.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check opencv-python-headless==5.0.0.93 numpy==2.4.6

(cd "$folder" && OPENCV_LOG_LEVEL=SILENT venv/bin/python -) <<'END'
import struct
import sys

import cv2
import numpy as np


def tiff(image, photometric):
    """A TIFF file of one strip without compression."""
    height, width = image.shape
    data = image.tobytes()
    shorts = {256: width, 257: height, 258: 8 * image.itemsize, 259: 1, 262: photometric, 277: 1, 278: height}
    entries = {tag: struct.pack("<HHIHxx", tag, 3, 1, value) for tag, value in shorts.items()}
    entries |= {tag: struct.pack("<HHII", tag, 4, 1, value) for tag, value in ((273, 8), (279, len(data)))}
    directory = struct.pack("<H", len(entries)) + b"".join(entries[tag] for tag in sorted(entries)) + bytes(4)
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + directory


FLAGS = {name: getattr(cv2, name) for name in ("IMREAD_COLOR", "IMREAD_GRAYSCALE", "IMREAD_ANYDEPTH", "IMREAD_UNCHANGED")}
inverted = {}
for dtype in (np.uint8, np.uint16):
    image = np.linspace(0, np.iinfo(dtype).max, 64).astype(dtype).reshape(8, 8)
    content = np.frombuffer(tiff(image, photometric=0), np.uint8)
    read = {name: cv2.imdecode(content, flags) for name, flags in FLAGS.items()}
    inverted[np.dtype(dtype).name] = [bool(seen.flat[0] > seen.flat[-1]) for seen in read.values()]
    print(np.dtype(dtype).name, "inverted:", dict(zip(FLAGS, inverted[np.dtype(dtype).name])))
as_stated = inverted == {"uint8": [True] * 4, "uint16": [True, True, False, False]}
sys.exit(None if as_stated else "no longer as stated")
END
