#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# got10k 0.1.3, utils.metrics.rect_iou with bound, as its evaluation of GOT-10k uses it
# Expected: with bound=(width, height) boxes are clipped to the image: of x -20, width 100 the part 0 to 80 is left.
# The arrays of the caller stay as they are.
# Seen: only the corner is clipped and the width is kept: x -20, width 100 becomes 0 to 100. A tracker that predicts
# just the visible part gets an overlap of 0.8 where 1.0 is due, and one that predicts a box which is 20 pixels too
# wide gets 1.0. The clipped numbers are also written into the caller's predictions and labels.
# Why it matters: targets that leave the image to the left or above are scored by a box that was moved, on the right
# and below they are not. Numbers computed by another tool, or again from the same arrays, differ from the toolkit's;
# pass copies, and expect the difference.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  got10k==0.1.3 numpy==2.4.6

(cd "$folder" && venv/bin/python -) <<'END'
import sys

import numpy as np
from got10k.utils.metrics import rect_iou

image_wh = (640, 480)
labels = np.array([[-20.0, 100, 100, 50], [560, 100, 100, 50]])  # out at the left, out at the right
visible = np.array([[0.0, 100, 80, 50], [560, 100, 80, 50]])  # what is seen of it
wide = np.array([[0.0, 100, 100, 50], [560, 100, 100, 50]])
scores = {}
for name, predicted in (("the visible part", visible), ("a box of the full width", wide)):
    given = labels.copy()
    scores[name] = rect_iou(predicted.copy(), given, bound=image_wh).round(3).tolist()
    print(f"overlap of {name} with the label: at the left {scores[name][0]}, at the right {scores[name][1]}")
print("the caller's labels before:", labels.tolist())
print("the caller's labels after: ", given.tolist())
as_stated = (
    scores["the visible part"] == [0.8, 1.0]
    and scores["a box of the full width"] == [1.0, 1.0]
    and given.tolist() == [[0, 100, 100, 50], [560, 100, 80, 50]]
)
sys.exit(None if as_stated else "no longer as stated")
END
