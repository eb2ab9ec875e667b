#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# supervision 0.31.2, NumPy 2.4.6
# Expected: the box of a mask encloses all pixels of the mask, so that its area is that of a full rectangle of pixels,
# and a box that is painted as a polygon gives the same rectangle back.
# Seen: mask_to_xyxy takes the last column and row for the right and lower edge: a rectangle of 6 x 10 pixels gets a box
# of 5 x 9, with an IoU of 0.75 to the true one. polygon_to_mask paints both edges: the corners of the true box make a
# mask of 7 x 11 pixels. box_iou_batch takes edges as they are, without adding a pixel.
# Why it matters: the boxes of a tracker's masks are judged, drawn and filtered with this package. The loss is small for
# large targets, and a quarter of the overlap for one of 6 x 10 pixels, as seen from a drone. Add 1 to the right and lower
# edge of mask_to_xyxy.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  supervision==0.31.2 opencv-python==5.0.0.93 numpy==2.4.6
"$folder/venv/bin/python" - <<'END'
import sys

import numpy as np
import supervision

seen = {}
for width, height in ((6, 10), (20, 30), (200, 300)):
    left, top = 4, 5
    right, bottom = left + width, top + height
    mask = np.zeros((1, 400, 400), bool)
    mask[0, top:bottom, left:right] = True
    box = supervision.mask_to_xyxy(mask)[0]
    overlap = float(supervision.box_iou_batch(np.array([[left, top, right, bottom]], float), box[None].astype(float))[0, 0])
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
    painted = int(supervision.polygon_to_mask(corners, (400, 400)).sum())
    print(f"{width} x {height} pixels: box {box}, IoU {overlap:.3f}; {width * height} pixels are painted as {painted}")
    seen[width, height] = box.tolist() == [left, top, right - 1, bottom - 1] and painted == (width + 1) * (height + 1)
    seen[width, height] &= abs(overlap - (width - 1) * (height - 1) / (width * height)) < 1e-6
sys.exit(None if all(seen.values()) else "no longer as stated")
END
