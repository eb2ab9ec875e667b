# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""TrackingNet (Müller et al. 2018): the parts TRAIN_0 to TRAIN_11, as far as they exist.

A part has anno/NAME.txt (left, top, width, height) and frames/NAME/0.jpg, ... The part TEST has the boxes of first
frames only.
"""

import pathlib

import numpy as np

from siam_tracker_ros.data.files import NumberedFiles, pad_first_box, read_boxes
from siam_tracker_ros.data.problems import Problems
from siam_tracker_ros.data.track import FileTrack, Track, known_boxes
from siam_tracker_ros.images import find, natural_key

PARTS = {"train": "TRAIN_*", "test": "TEST"}


def read(folder: pathlib.Path, split: str, name: str, problems: Problems) -> list[Track]:
    """Read the parts of a split; see `formats.Reader`."""
    parts = sorted(find(folder, PARTS[split]), key=natural_key)
    return [track for part in parts for track in read_sequence(part, name, problems)]


def is_sequence(place: pathlib.Path) -> bool:
    """Whether a folder is a part of TrackingNet, which its reader takes whole."""
    return (place / "frames").is_dir() and next(find(place, "anno/*.txt"), None) is not None


def read_sequence(place: pathlib.Path, name: str, problems: Problems) -> list[Track]:
    """Read all sequences of a part; see `formats.Format`."""
    labels = sorted(find(place, "anno/*.txt"))
    if not labels:
        problems.add(place / "anno", "holds no boxes", "a NAME.txt per sequence")
    tracks: list[Track] = []
    for path in labels:
        boxes = read_boxes(path, problems)
        if boxes is None:
            continue
        images_folder, absent = place / "frames" / path.stem, None
        if place.name == "TEST" and len(boxes) == 1:
            boxes = pad_first_box(boxes, images_folder, problems)
            absent = np.full(len(boxes), False)
        numbers = np.arange(len(boxes))
        files = NumberedFiles(images_folder, "{}.jpg")
        tracks.append(FileTrack(name, f"{place.name}/{path.stem}", numbers, known_boxes(boxes), files, absent=absent))
    return tracks
