# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reads LaSOT (Fan et al. 2019): a folder a category, in it a folder a sequence, named in a list of the split.

A sequence holds img/00000001.jpg and on, groundtruth.txt (left, top, width, height, counting pixels from 1),
full_occlusion.txt and out_of_view.txt (a line of numbers, 1 where the target is not seen).
"""

import numpy as np

from siam_tracker_ros.data.files import NumberedFiles, read_boxes, read_flags, read_names
from siam_tracker_ros.data.track import FileTrack, known_boxes
from siam_tracker_ros.geometry import one_based_to_xywh

LISTS = {"train": "training_set.txt", "test": "testing_set.txt"}


def read(folder, split, name, problems):
    """Read a split; see `formats.Format`."""
    tracks = []
    for sequence in read_names(folder / LISTS[split], problems):
        place = folder / sequence.rpartition("-")[0] / sequence
        boxes = read_boxes(place / "groundtruth.txt", problems)
        if boxes is None:
            continue
        flags = [read_flags(place / file, len(boxes), problems) for file in ("full_occlusion.txt", "out_of_view.txt")]
        if any(flag is None for flag in flags):
            continue
        boxes = known_boxes(one_based_to_xywh(boxes))
        boxes[np.any(flags, axis=0)] = np.nan
        numbers = np.arange(1, len(boxes) + 1)
        tracks.append(FileTrack(name, sequence, numbers, boxes, NumberedFiles(place / "img", "{:08d}.jpg")))
    return tracks
