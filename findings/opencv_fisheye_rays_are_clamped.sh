#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# OpenCV 5.0.0 (opencv-python-headless 5.0.0.93), cv2.fisheye.undistortPoints
# Expected: the ray of a pixel of a lens that sees 180 degrees and more, or a value that says that there is none.
# Points for which its search does not converge do get such a value, -1000000.
# Seen: with an equidistant lens with a small distortion every ray beyond 84 degrees off the axis is wrong without a
# word: the distorted angle is cut at 90 degrees first. A target at 89 degrees is reported at 84.5 degrees, and one at 95
# degrees, behind the image plane, at 84.8.
# Why it matters: drones and rovers carry such lenses, and a gimbal or a controller is fed with the direction of the
# target. Near the border the direction stands still while the target moves on. Solve the polynomial for the angle
# without the cut, and make the unit ray of the angle instead of a point in the plane.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check opencv-python-headless==5.0.0.93 numpy==2.4.6
"$folder/venv/bin/python" - <<'END'
import sys

import cv2
import numpy as np

camera = np.array([[400.0, 0, 960], [0, 400, 960], [0, 0, 1]])  # pictures of 1920 x 1920 pixels
distortion = np.array([0.05, -0.01, 0.003, -0.001])
seen = {}
for degrees in (30, 60, 80, 83, 85, 87, 89, 95):
    angle = np.radians(degrees)
    distorted = angle * (1 + distortion @ angle ** np.array([2, 4, 6, 8]))
    pixel = np.array([[[960 + 400 * distorted * 0.6, 960 + 400 * distorted * 0.8]]])
    x, y = cv2.fisheye.undistortPoints(pixel, camera, distortion)[0, 0]
    seen[degrees] = float(np.degrees(np.arctan(np.hypot(x, y))))
    print(f"{degrees} degrees off the axis, pixel {pixel[0, 0].round(1)}: {seen[degrees]:.2f} degrees")
right = all(abs(seen[degrees] - degrees) < 1e-6 for degrees in (30, 60, 80, 83))
clamped = all(84.1 < seen[degrees] < 84.8 for degrees in (85, 87, 89, 95))
sys.exit(None if right and clamped else "no longer as stated")
END
