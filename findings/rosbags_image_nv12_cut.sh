#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# rosbags-image 0.10.4, rosbags 0.11.9, OpenCV 5.0.0.93
# Expected: a sensor_msgs/Image in nv12 or nv21 becomes a picture of its own width and height when bgr8 is asked for, or
# the encoding is refused. Both encodings are in the list of those that the package knows.
# Seen: only the first `height` rows of the buffer are used. The colour rows that follow the luminance are cut off, and
# the lowest third of the luminance is taken for colour. A grey picture of 640 x 480 becomes a coloured one of 640 x 320
# without a word, one of 1920 x 1080 becomes 1920 x 720. Where the height is no multiple of 3, as 400, OpenCV raises
# an error that speaks of the size.
# Why it matters: nv12 and nv21 are what camera drivers of embedded boards publish. Boxes that were tracked in the picture
# belong to another geometry, since the lower part is missing. Convert with cv2.cvtColor from the whole buffer,
# height * 3 / 2 rows of `step` bytes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  rosbags-image==0.10.4 rosbags==0.11.9 opencv-python-headless==5.0.0.93 numpy==2.4.6
"$folder/venv/bin/python" - <<'END'
import sys

import cv2
import numpy as np
from rosbags.image import image_to_cvimage
from rosbags.typesys import Stores, get_typestore

types = get_typestore(Stores.ROS2_JAZZY).types
header = types["std_msgs/msg/Header"](stamp=types["builtin_interfaces/msg/Time"](0, 0), frame_id="camera")
as_stated = True
for encoding, code in (("nv12", cv2.COLOR_YUV2BGR_NV12), ("nv21", cv2.COLOR_YUV2BGR_NV21)):
    for width, height in ((640, 480), (1280, 720), (1920, 1080)):
        grey = np.full((height, width), 120, np.uint8)
        neutral = np.full((height // 2, width), 128, np.uint8)
        rows = np.concatenate([grey, neutral])
        message = types["sensor_msgs/msg/Image"](header, height, width, encoding, 0, width, rows.ravel())
        picture = image_to_cvimage(message, "bgr8")
        right = cv2.cvtColor(rows, code)
        print(f"{encoding} {width} x {height}: {picture.shape[1]} x {picture.shape[0]}, "
              f"first pixel {picture[0, 0]} instead of {right[0, 0]}")
        as_stated &= right.shape == (height, width, 3) and np.ptp(right[0, 0]) == 0
        as_stated &= picture.shape == (height * 2 // 3, width, 3) and np.ptp(picture[0, 0]) > 0
sys.exit(None if as_stated else "no longer as stated")
END
