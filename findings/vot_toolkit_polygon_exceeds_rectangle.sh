#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# vot-toolkit 0.9.0, calculate_overlap of a rectangle and a polygon
# Expected: a rectangle and the polygon of its four corners are the same region, with an overlap of 1.
# Seen: the rectangle x 10, y 10, 20 x 20 and the polygon 10,10 30,10 30,30 10,30 overlap by 0.907. The polygon covers
# 21 x 21 pixels, since its corners are centres of pixels, while the sides of the rectangle are edges. Only the
# polygon to 29,29 is the rectangle.
# Why it matters: the labels of VOT2014 to VOT2019 are polygons. A tracker that answers with rectangles, or draws its
# rotated box with corners on the edges, loses up to a tenth of the overlap on a small target by the kind of its
# answer.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  vot-toolkit==0.9.0 attributee==0.1.9 numpy==2.4.6

(cd "$folder" && venv/bin/python -) <<'END'
import sys

from vot.region.raster import calculate_overlap
from vot.region.shapes import Polygon, Rectangle

overlaps = []
for last in (30, 29):
    polygon = Polygon([(10, 10), (last, 10), (last, last), (10, last)])
    overlaps.append(round(float(calculate_overlap(Rectangle(10, 10, 20, 20), polygon, (100, 100))), 3))
    print(f"the rectangle 10,10,20,20 and the polygon from 10,10 to {last},{last} overlap by {overlaps[-1]}")
sys.exit(None if overlaps == [0.907, 1.0] else "no longer as stated")
END
