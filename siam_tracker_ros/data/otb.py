# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Folders of sequences in the layout of OTB (Wu et al. 2015).

A sequence has img/0001.jpg, ... and groundtruth_rect.txt (left, top, width, height; pixels count from 1; separated by
commas, tabs or spaces), or for several targets groundtruth_rect.1.txt, ...
"""

import pathlib

import numpy as np

from siam_tracker_ros.data.files import list_images, read_boxes, read_text
from siam_tracker_ros.data.problems import Problems
from siam_tracker_ros.data.track import FileTrack, Track, known_boxes
from siam_tracker_ros.geometry import one_based_to_xywh
from siam_tracker_ros.images import find, natural_key

# First labelled frame, counted from 0, of the sequences with fewer boxes than frames.
LABELLED_FROM = {"david": 299, "diving": 0, "football1": 0, "freeman3": 0, "freeman4": 0}


def read(folder: pathlib.Path, split: str, name: str, problems: Problems) -> list[Track]:
    """Read all sequences of a folder; see `formats.Reader`."""
    places = sorted({path.parent for path in find(folder, "*/groundtruth_rect*.txt")}, key=natural_key)
    return [track for place in places for track in read_sequence(place, name, problems)]


def is_sequence(place: pathlib.Path) -> bool:
    """Whether a folder is a sequence of OTB."""
    return not (place / "groundtruth.txt").exists() and next(find(place, "groundtruth_rect*.txt"), None) is not None


def read_sequence(place: pathlib.Path, name: str, problems: Problems) -> list[Track]:
    """Read the targets of one sequence; see `formats.Format`."""
    files = list_images(place / "img", problems)
    if files is None:
        return []
    labels = sorted(find(place, "groundtruth_rect*.txt"), key=natural_key)
    # One sequence of OTB has an empty file beside the file with the boxes.
    labels = [path for path in labels if path.read_bytes().strip()] or labels
    tracks: list[Track] = []
    for path in labels:
        boxes = read_boxes(path, problems)
        if boxes is None:
            continue
        first = _first(place.name, len(files.names), len(boxes))
        if first is None:
            problems.add(path, f"has {len(boxes)} boxes for {len(files.names)} images in img", "one box per image")
            continue
        own = place.name if len(labels) == 1 else f"{place.name}.{path.stem.rpartition('.')[2]}"
        boxes = known_boxes(one_based_to_xywh(boxes))
        tracks.append(FileTrack(name, own, first + np.arange(len(boxes)), boxes, files))
    return tracks


def read_attributes(folder: pathlib.Path, split: str, track: FileTrack, problems: Problems) -> dict[str, np.ndarray]:
    """Return the attributes in attrs.txt, which the benchmark's Python toolkit adds; see `formats.Format`."""
    path = track.files.folder.parent / "attrs.txt"
    text = read_text(path, problems, "attributes such as IV, OCC") if path.is_file() else None
    return {name: np.full(len(track), True) for name in (text or "").replace(",", " ").split()}


def _first(name: str, images: int, boxes: int) -> int | None:
    """Return the number of the first image with a box; None if the numbers of images and boxes do not match."""
    if images == boxes:
        return 0
    first = LABELLED_FROM.get(name.lower())
    return first if first is not None and images >= first + boxes else None
