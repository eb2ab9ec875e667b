#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# rosbags-image 0.10.4, rosbags 0.11.9, OpenCV 5.0.0.93
# Expected: a 16-bit picture is the same picture whether a bag holds it raw or as the PNG that image_transport makes of
# it; and asked for bgr8, both kinds of message give three channels.
# Seen: image_to_cvimage gives uint16 for mono16. compressed_image_to_cvimage gives uint8 for "mono16; png compressed ",
# the high byte alone: counts of 7000 to 8000, as of a thermal camera, become the five values 27 to 31. Asked for bgr8,
# grey JPEG and PNG pictures still come back with two dimensions.
# Why it matters: a thermal or depth recording loses nearly all of its contrast by the choice of transport. Code that
# takes (H, W, 3) for granted fails on the first grey stream. Decode with cv2.imdecode and cv2.IMREAD_UNCHANGED.
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
from rosbags.image import compressed_image_to_cvimage, image_to_cvimage
from rosbags.typesys import Stores, get_typestore

types = get_typestore(Stores.ROS2_JAZZY).types
header = types["std_msgs/msg/Header"](stamp=types["builtin_interfaces/msg/Time"](0, 0), frame_id="camera")
counts = np.linspace(7000, 8000, 48 * 64).astype(np.uint16).reshape(48, 64)


def raw(picture, encoding):
    step = picture.strides[0]
    return types["sensor_msgs/msg/Image"](header, 48, 64, encoding, 0, step, picture.view(np.uint8).ravel())


def compressed(picture, format, suffix):
    return types["sensor_msgs/msg/CompressedImage"](header, format, cv2.imencode(suffix, picture)[1].ravel())


plain = image_to_cvimage(raw(counts, "mono16"))
packed = compressed_image_to_cvimage(compressed(counts, "mono16; png compressed ", ".png"))
print(f"mono16: {plain.dtype} with {len(np.unique(plain))} values, compressed: {packed.dtype} with {np.unique(packed)}")
shapes = [image_to_cvimage(raw((counts >> 5).astype(np.uint8), "mono8"), "bgr8").shape]
for suffix, kind in ((".jpg", "jpeg"), (".png", "png")):
    grey = compressed((counts >> 5).astype(np.uint8), f"mono8; {kind} compressed ", suffix)
    shapes.append(compressed_image_to_cvimage(grey, "bgr8").shape)
print(f"mono8 as bgr8: raw {shapes[0]}, jpeg {shapes[1]}, png {shapes[2]}")
as_stated = plain.dtype == np.uint16 and (plain == counts).all()
as_stated &= packed.dtype == np.uint8 and np.unique(packed).tolist() == [27, 28, 29, 30, 31]
as_stated &= shapes == [(48, 64, 3), (48, 64), (48, 64)]
sys.exit(None if as_stated else "no longer as stated")
END
