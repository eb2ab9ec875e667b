# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""GOT-10k (Huang et al. 2019): one folder per sequence, listed in list.txt.

A sequence has 00000001.jpg, ..., groundtruth.txt (left, top, width, height; pixels count from 1), absence.label (1 if
the target is absent), cover.label (its visible part, in eighths) and meta_info.ini (classes of the target and its
motion). Sequences of the test split have the box of the first frame alone, and no labels.
"""

import pathlib

import numpy as np

from siam_tracker_ros.data.files import NumberedFiles, pad_first_box, read_boxes, read_flags, read_names, read_text
from siam_tracker_ros.data.problems import Problems
from siam_tracker_ros.data.track import FileTrack, Track, known_boxes
from siam_tracker_ros.geometry import one_based_to_xywh

CLASSES = {"major_class": "target", "motion_class": "motion"}


def read(folder: pathlib.Path, split: str, name: str, problems: Problems) -> list[Track]:
    """Read a split; see `formats.Reader`."""
    names = read_names(folder / split / "list.txt", problems)
    return [track for sequence in names for track in read_sequence(folder / split / sequence, name, problems)]


def is_sequence(place: pathlib.Path) -> bool:
    """Whether a folder is a sequence of GOT-10k."""
    labelled = place.name.startswith("GOT-10k_") or (place / "absence.label").is_file()
    return labelled and (place / "groundtruth.txt").is_file()


def read_sequence(place: pathlib.Path, name: str, problems: Problems) -> list[Track]:
    """Read one sequence; see `formats.Format`."""
    boxes = read_boxes(place / "groundtruth.txt", problems)
    if boxes is None:
        return []
    if place.name.startswith("GOT-10k_Test_") and len(boxes) == 1:
        boxes = pad_first_box(boxes, place, problems)
        hidden = np.zeros(len(boxes), bool)
    else:
        absence = read_flags(place / "absence.label", len(boxes), problems)
        cover = read_flags(place / "cover.label", len(boxes), problems)
        if absence is None or cover is None:
            return []
        hidden = (absence != 0) | (cover == 0)
    boxes = known_boxes(one_based_to_xywh(boxes))
    boxes[hidden] = np.nan
    numbers, files = np.arange(1, len(boxes) + 1), NumberedFiles(place, "{:08d}.jpg")
    return [FileTrack(name, place.name, numbers, boxes, files, absent=hidden)]


def read_attributes(folder: pathlib.Path, split: str, track: FileTrack, problems: Problems) -> dict[str, np.ndarray]:
    """Return the classes of a sequence's target and its motion; see `formats.Format`."""
    path = track.files.folder / "meta_info.ini"
    text = read_text(path, problems, "classes of the target and its motion") if path.is_file() else None
    rows = [line.partition(": ") for line in (text or "").splitlines()]
    classes = {field.strip(): value.strip() for field, _, value in rows}
    found = [f"{kind}: {classes[field]}" for field, kind in CLASSES.items() if classes.get(field)]
    return {attribute: np.full(len(track), True) for attribute in found}
