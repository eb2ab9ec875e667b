#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# OpenCV 5.0.0 (opencv-python-headless 5.0.0.93), VideoWriter and VideoCapture of a file whose name has the time in it
# Expected: they write and open a file by any name that the file system has.
# Seen: neither opens 12:30:05.mp4, without a reason: FFmpeg takes what stands in front of the colon for a protocol. Both
# open ./12:30:05.mp4, and 2026-11-29_12:30:05.mp4, in which "_" cannot be part of a protocol.
# Why it matters: recorders name clips by their time, and a user in the folder of the clips gives the bare name. The clip
# seems to be damaged, or the disk full. Pass the whole path.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check opencv-python-headless==5.0.0.93 numpy==2.4.6

(cd "$folder" && OPENCV_LOG_LEVEL=SILENT venv/bin/python -) <<'END'
import sys

import cv2
import numpy as np

written, opened = {}, {}
for name in ("./12:30:05.mp4", "12:30:05.mp4", "./2026-11-29_12:30:05.mp4", "2026-11-29_12:30:05.mp4"):
    writer = cv2.VideoWriter(name, cv2.VideoWriter.fourcc(*"mp4v"), 25, (64, 48))
    written[name] = writer.isOpened()
    writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    opened[name] = cv2.VideoCapture(name).isOpened()
    print(f"{name:28} written: {written[name]}, opened: {opened[name]}")
refused = [name for results in (written, opened) for name, works in results.items() if not works]
sys.exit(None if refused == ["12:30:05.mp4"] * 2 else "no longer as stated")
END
