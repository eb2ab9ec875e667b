#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# OpenCV 5.0.0 (opencv-python-headless 5.0.0.93), VideoWriter with its FFmpeg backend
# Expected: a frame of 321 x 241 pixels is stored in that size, or refused; at least for motion JPEG, as a JPEG image
# has no rule about even sides.
# Seen: isOpened() is true, nothing is printed, and the file holds 320 x 240 pixels: the last column and row are cut
# off, for MPEG-4 and for motion JPEG alike. (A lossless codec, FFV1, does the same.)
# Why it matters: crops and search regions of trackers have odd sides (127 and 255 are the usual ones). A recording
# that is compared pixel by pixel or read back with stored boxes has another size than the frames had; pad the frames
# to even sides before writing.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  opencv-python-headless==5.0.0.93 numpy==2.4.6

(cd "$folder" && venv/bin/python -) <<'END'
import sys

import cv2
import numpy as np

sizes = {}
for name, codec in (("mpeg4.mp4", "mp4v"), ("jpeg.avi", "MJPG"), ("ffv1.avi", "FFV1")):
    for width, height in ((320, 240), (321, 241), (127, 127), (255, 255)):
        ramp = np.linspace(0, 255, width).astype(np.uint8)[None, :, None].repeat(height, 0).repeat(3, 2)
        writer = cv2.VideoWriter(name, cv2.VideoWriter.fourcc(*codec), 30, (width, height))
        opened = writer.isOpened()
        for _ in range(3):
            writer.write(ramp)
        writer.release()
        read, frame = cv2.VideoCapture(name).read()
        stored = (frame.shape[1], frame.shape[0]) if read else None
        sizes[codec, width, height] = stored
        difference = int(np.abs(frame.astype(int) - ramp[: stored[1], : stored[0]]).max())
        print(f"{codec}: opened {opened}, written {width} x {height}, read {stored}, which differs by {difference}")
as_stated = all(stored == (width // 2 * 2, height // 2 * 2) for (_, width, height), stored in sizes.items())
sys.exit(None if as_stated else "no longer as stated")
END
