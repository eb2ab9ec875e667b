# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""LaSOT (Fan et al. 2019): one folder per category, with one folder per sequence, listed by split.

The lists are not in the archives of the categories. A sequence has img/00000001.jpg, ..., groundtruth.txt (left, top,
width, height; pixels count from 1), full_occlusion.txt and out_of_view.txt (one line of numbers, 1 if the target is not
visible).
"""

import pathlib

import numpy as np

from siam_tracker_ros.data.files import NumberedFiles, read_boxes, read_flags, read_names
from siam_tracker_ros.data.problems import Problems
from siam_tracker_ros.data.track import FileTrack, Track, known_boxes
from siam_tracker_ros.geometry import one_based_to_xywh

LISTS = {"train": "training_set.txt", "test": "testing_set.txt"}
LISTS_FROM = (
    "get training_set.txt and testing_set.txt, which are not in the archives of the categories, from the results page "
    "of LaSOT (vision.cs.stonybrook.edu/~lasot/results.html, Training Subset and Testing Subset) and put them into "
    "this folder, or write into them the sequences to use, one name like airplane-1 per line"
)
FLAGS = {"full occlusion": "full_occlusion.txt", "out of view": "out_of_view.txt"}


def read(folder: pathlib.Path, split: str, name: str, problems: Problems) -> list[Track]:
    """Read a split; see `formats.Reader`."""
    names = read_names(folder / LISTS[split], problems)
    places = [folder / sequence.rpartition("-")[0] / sequence for sequence in names]
    return [track for place in places for track in read_sequence(place, name, problems)]


def is_sequence(place: pathlib.Path) -> bool:
    """Whether a folder is a sequence of LaSOT."""
    return (place / "groundtruth.txt").is_file() and any((place / flags).is_file() for flags in FLAGS.values())


def read_sequence(place: pathlib.Path, name: str, problems: Problems) -> list[Track]:
    """Read one sequence; see `formats.Format`."""
    boxes = read_boxes(place / "groundtruth.txt", problems)
    if boxes is None:
        return []
    flags = [read_flags(place / file, len(boxes), problems) for file in FLAGS.values()]
    boxes = known_boxes(one_based_to_xywh(boxes))
    absent = np.full(len(boxes), False)
    for hidden in flags:
        if hidden is None:
            return []
        absent |= hidden != 0
    boxes[absent] = np.nan
    numbers, files = np.arange(1, len(boxes) + 1), NumberedFiles(place / "img", "{:08d}.jpg")
    return [FileTrack(name, place.name, numbers, boxes, files, absent=absent)]


def read_attributes(folder: pathlib.Path, split: str, track: FileTrack, problems: Problems) -> dict[str, np.ndarray]:
    """Say whether the target of a sequence is hidden at times; see `formats.Format`."""
    place = track.files.folder.parent
    flags = {name: read_flags(place / file, len(track), problems) for name, file in FLAGS.items()}
    return {name: np.full(len(track), True) for name, hidden in flags.items() if hidden is not None and hidden.any()}
