#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# pycocotools 2.0.11, mask.encode
# Expected: a mask of uint8 is encoded as zero and non-zero, whatever the other values are; or a mask with values
# above 1 is refused.
# Seen: a run ends at every change of value, and runs are taken for background and foreground in turn. A map of labels
# in which object 1 touches object 2 below it is encoded without an error, and decodes to a mask in which foreground
# and background are exchanged from the first touch on. 0 and 255 work, and so do labels that do not touch, which
# hides it in tests.
# Why it matters: masks of DAVIS and YouTube-VOS are maps of labels, and a soft mask times 255 has many values. Region
# similarity and stored masks are then wrong for just the frames in which objects meet. Encode (labels == number), one
# object at a time.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  pycocotools==2.0.11 numpy==2.4.6

(cd "$folder" && venv/bin/python -) <<'END'
import sys

import numpy as np
from pycocotools import mask

labels = np.zeros((8, 5), np.uint8)
labels[1:4, 1:4] = 1  # an object above,
labels[4:6, 1:4] = 2  # and one that touches it below
decoded = mask.decode(mask.encode(np.asfortranarray(labels)))
binary = np.asfortranarray((labels > 0).astype(np.uint8))
print("labels, and what is decoded:")
for row, answer in zip(labels, decoded):
    print(" ", *row, "   ", *answer)
print("foreground:", int(binary.sum()), "pixels; after encode and decode:", int(decoded.sum()))
apart = labels.copy()
apart[4] = 0  # a row of background between the two
right_when = {
    "one label": np.array_equal(mask.decode(mask.encode(binary)), binary),
    "0 and 255": np.array_equal(mask.decode(mask.encode(binary * np.uint8(255))), binary),
    "labels apart": np.array_equal(mask.decode(mask.encode(np.asfortranarray(apart))), apart > 0),
}
print("right for:", right_when)
as_stated = all(right_when.values()) and (decoded != binary).sum() > 10
sys.exit(None if as_stated else "no longer as stated")
END
