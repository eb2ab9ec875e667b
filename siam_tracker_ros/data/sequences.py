# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Own footage: folders of sequences, with or without masks.

A sequence is a folder:

    img/              the frames, in natural order of their names
    groundtruth.txt   one `x,y,w,h` line per frame in pixels, top-left origin; `nan,nan,nan,nan` for no label
    absent.txt        optional: one 0 or 1 per frame, 1 where the target cannot be seen; then a frame without box and
                      without 1 has no label
    mask/             optional: one mask per frame, see `label_maps.target_pixels`
"""

import pathlib

import numpy as np

from siam_tracker_ros.data.box_files import read_boxes
from siam_tracker_ros.data.files import list_images, read_flags
from siam_tracker_ros.data.kinds import kind_of
from siam_tracker_ros.data.label_maps import LabelMaps
from siam_tracker_ros.data.problems import Problems
from siam_tracker_ros.data.track import FileTrack, Track, known_boxes
from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.images import find


def read(folder: pathlib.Path, split: str, name: str, problems: Problems) -> list[Track]:
    """Read all sequences of a folder; see `formats.Reader`."""
    tracks: list[Track] = []
    for place in sorted(path.parent for path in find(folder, "*/groundtruth.txt")):
        kind = kind_of(place)
        if kind == "sequences":
            tracks += read_sequence(place, name, problems)
        else:
            problems.add(place, f"is a sequence in the format {kind}", "one of your own", f"set format to {kind}")
    return tracks


def read_sequence(place: pathlib.Path, name: str, problems: Problems) -> list[Track]:
    """Read one sequence; see `formats.Format`."""
    path = place / "groundtruth.txt"
    try:
        boxes = known_boxes(read_boxes(path))
    except InvalidInputError as error:
        problems.add_error(error)
        return []
    if len(boxes) == 0 or not np.isfinite(boxes[0]).all():
        problems.add(path, "line 1 is no box", "the first frame's box x,y,w,h, with which tracking starts", "label it")
        return []
    files = list_images(place / "img", problems)
    masks = list_images(place / "mask", problems) if (place / "mask").is_dir() else None
    if files is None:
        return []
    counts = {path.name: len(boxes)} | ({} if masks is None else {"mask": len(masks.names)})
    for what, count in counts.items():
        if count != len(files.names):
            images = f"{len(files.names)} images in img"
            problems.add(place, f"has {images} and {count} in {what}", "one per image", "add or remove what differs")
            return []
    absent = None
    if (place / "absent.txt").is_file():
        absent = _read_absent(place / "absent.txt", boxes, problems)
        if absent is None:
            return []
    label_maps = None if masks is None else LabelMaps(masks)
    return [FileTrack(name, place.name, np.arange(len(boxes)), boxes, files, label_maps, absent=absent)]


def _read_absent(path: pathlib.Path, boxes: np.ndarray, problems: Problems) -> np.ndarray | None:
    """Read the frames without target, bool (N,); None, and note a problem, if they do not fit the boxes (N, 4)."""
    flags = read_flags(path, len(boxes), problems)
    if flags is None:
        return None
    strange, both = ~np.isin(flags, (0, 1)), (flags == 1) & np.isfinite(boxes).all(axis=1)
    if strange.any():
        i = int(strange.argmax())
        problems.add(path, f"number {i + 1} is {flags[i]}", "0, or 1 where the target cannot be seen", "correct it")
    elif both.any():
        fault = f"number {int(both.argmax()) + 1} is 1, and there is a box in that line of groundtruth.txt"
        problems.add(path, fault, "no box where the target cannot be seen", "correct one of them")
    else:
        return flags == 1
    return None
