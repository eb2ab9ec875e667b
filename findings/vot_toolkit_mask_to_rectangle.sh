#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# vot-toolkit 0.9.0, Rectangle.convert of a mask
# Expected: a Rectangle around the mask's pixels, as its docstring and type say: for pixels 5..14 and 4..8 it is 10 x 5.
# Seen: a Polygon, which has no x, y, width and height. Its corners are the outermost pixels, so that width and height
# taken from them are 9 x 4, one too small. The rectangle of a Polygon is a Rectangle, which hides it in tests with
# the data of VOT2013 to VOT2019.
# Why it matters: the labels of VOT since 2020 are masks, and most trackers start from a rectangle. Code that asks for
# one ends in an AttributeError, and code that takes the corners starts on a box that is a pixel too small.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  vot-toolkit==0.9.0 attributee==0.1.9

(cd "$folder" && venv/bin/python -) <<'END'
import sys

import numpy as np
from vot.region.shapes import Mask, Polygon, Rectangle

pixels = np.zeros((20, 30), np.uint8)
pixels[4:9, 5:15] = 1
of_mask = Rectangle.convert(Mask(pixels))
of_polygon = Rectangle.convert(Polygon([(5, 4), (15, 4), (15, 9), (5, 9)]))
print("rectangle of a mask:   ", type(of_mask).__name__, of_mask)
print("rectangle of a polygon:", type(of_polygon).__name__, of_polygon)
corners = np.array([of_mask[i] for i in range(of_mask.size)])
print("width and height from the corners:", *np.ptp(corners, axis=0), "of a mask of 10 x 5 pixels")
as_stated = isinstance(of_mask, Polygon) and not hasattr(of_mask, "width") and isinstance(of_polygon, Rectangle)
sys.exit(None if as_stated and (np.ptp(corners, axis=0) == (9, 4)).all() else "no longer as stated")
END
