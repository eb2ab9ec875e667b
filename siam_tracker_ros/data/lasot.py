# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""LaSOT (Fan et al. 2019): one folder per category, with one folder per sequence, listed by split.

A sequence has img/00000001.jpg, ..., groundtruth.txt (left, top, width, height; pixels count from 1),
full_occlusion.txt and out_of_view.txt (one line of numbers, 1 if the target is not visible).
"""

import pathlib

import numpy as np

from siam_tracker_ros.data.files import NumberedFiles, read_boxes, read_flags, read_names
from siam_tracker_ros.data.problems import Problems
from siam_tracker_ros.data.track import FileTrack, Track, known_boxes
from siam_tracker_ros.geometry import one_based_to_xywh

LISTS = {"train": "training_set.txt", "test": "testing_set.txt"}


def read(folder: pathlib.Path, split: str, name: str, problems: Problems) -> list[Track]:
    """Read a split; see `formats.Reader`."""
    tracks: list[Track] = []
    for sequence in read_names(folder / LISTS[split], problems):
        place = folder / sequence.rpartition("-")[0] / sequence
        boxes = read_boxes(place / "groundtruth.txt", problems)
        if boxes is None:
            continue
        occluded = read_flags(place / "full_occlusion.txt", len(boxes), problems)
        out_of_view = read_flags(place / "out_of_view.txt", len(boxes), problems)
        if occluded is None or out_of_view is None:
            continue
        boxes = known_boxes(one_based_to_xywh(boxes))
        boxes[(occluded != 0) | (out_of_view != 0)] = np.nan
        numbers = np.arange(1, len(boxes) + 1)
        tracks.append(FileTrack(name, sequence, numbers, boxes, NumberedFiles(place / "img", "{:08d}.jpg")))
    return tracks
