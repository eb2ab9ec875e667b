# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reads GOT-10k (Huang et al. 2019): a folder a sequence, named in list.txt.

A sequence holds 00000001.jpg and on, groundtruth.txt (left, top, width, height, counting pixels from 1), absence.label
(1 where the target is absent) and cover.label (how much of it is seen, in eighths).
"""

import numpy as np

from siam_tracker_ros.data.files import NumberedFiles, read_boxes, read_flags, read_names
from siam_tracker_ros.data.track import FileTrack, known_boxes
from siam_tracker_ros.geometry import one_based_to_xywh


def read(folder, split, name, problems):
    """Read a split; see `formats.Format`."""
    tracks = []
    for sequence in read_names(folder / split / "list.txt", problems):
        place = folder / split / sequence
        boxes = read_boxes(place / "groundtruth.txt", problems)
        if boxes is None:
            continue
        absence = read_flags(place / "absence.label", len(boxes), problems)
        cover = read_flags(place / "cover.label", len(boxes), problems)
        if absence is None or cover is None:
            continue
        boxes = known_boxes(one_based_to_xywh(boxes))
        boxes[(absence != 0) | (cover == 0)] = np.nan
        numbers = np.arange(1, len(boxes) + 1)
        tracks.append(FileTrack(name, sequence, numbers, boxes, NumberedFiles(place, "{:08d}.jpg")))
    return tracks
