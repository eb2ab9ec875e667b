# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""GOT-10k (Huang et al. 2019): one folder per sequence, listed in list.txt.

A sequence has 00000001.jpg, ..., groundtruth.txt (left, top, width, height; pixels count from 1), absence.label (1 if
the target is absent) and cover.label (its visible part, in eighths).
"""

import pathlib

import numpy as np

from siam_tracker_ros.data.files import NumberedFiles, read_boxes, read_flags, read_names
from siam_tracker_ros.data.problems import Problems
from siam_tracker_ros.data.track import FileTrack, Track, known_boxes
from siam_tracker_ros.geometry import one_based_to_xywh


def read(folder: pathlib.Path, split: str, name: str, problems: Problems) -> list[Track]:
    """Read a split; see `formats.Reader`."""
    tracks: list[Track] = []
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
