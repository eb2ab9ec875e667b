#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# vot-toolkit 0.9.0, gather_overlaps with burnin 0, as average_accuracy of the stacks vots2023 to vots2025 uses it
# Expected: the frame in which the toolkit itself gives the box does not count, whatever burnin leaves out after it. A
# tracker that repeats the labels has an accuracy of 1.
# Seen: with burnin 0 that frame counts as an overlap of 0. The tracker that repeats the labels has 0.9 over 10
# frames, and 1 only with burnin 1.
# Why it matters: the accuracy in VOTS has the upper limit (frames - 1) / frames, lower for short sequences. It cannot
# be compared with the mean overlap that other toolkits compute from the same boxes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  vot-toolkit==0.9.0 attributee==0.1.9 numpy==2.4.6

(cd "$folder" && venv/bin/python -) <<'END'
import sys

from vot.analysis.accuracy import gather_overlaps
from vot.region import Special
from vot.region.shapes import Rectangle
from vot.tracker import Trajectory

labels = [Rectangle(10 + i, 20, 30, 40) for i in range(10)]
results = [Special(Trajectory.INITIALIZATION), *labels[1:]]  # as the toolkit stores those of a perfect tracker
accuracy = {}
for burnin in (0, 1):
    overlaps, _ = gather_overlaps(results, labels, burnin=burnin, bounds=(320, 240))
    accuracy[burnin] = round(float(overlaps.mean()), 6)
    print(f"burnin {burnin}: {len(overlaps)} overlaps, accuracy {accuracy[burnin]}")
sys.exit(None if accuracy == {0: 0.9, 1: 1.0} else "no longer as stated")
END
