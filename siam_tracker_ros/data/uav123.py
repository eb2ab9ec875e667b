# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""UAV123 (Mueller et al. 2016), at 30 or 10 frames per second, and UAV20L, which uses the same videos.

anno/SET/NAME.txt has the boxes (left, top, width, height; pixels count from 1; NaN if the target is not visible) and
anno/SET/att/NAME.txt the attributes of a sequence. The frames are data_seq/SET/VIDEO/000001.jpg, ... Some sequences are
parts of a video: car6_2 begins at frame 487 of car6.
"""

import pathlib

import numpy as np

from siam_tracker_ros.data.files import NumberedFiles, read_boxes, read_flags
from siam_tracker_ros.data.problems import Problems
from siam_tracker_ros.data.track import FileTrack, Track, known_boxes
from siam_tracker_ros.geometry import one_based_to_xywh
from siam_tracker_ros.images import find, natural_key

# First frames of the parts of a video at 30 frames per second: of car6_1, car6_2, ...
PARTS = {
    "bird1": (1, 775, 1573),
    "car1": (1, 751, 1627),
    "car6": (1, 487, 1807, 2953, 3925),
    "car8": (1, 1357),
    "car16": (1, 415),
    "group1": (1, 1333, 2515, 3925),
    "group2": (1, 907, 1771),
    "group3": (1, 1567, 2827, 4369),
    "person2": (1, 1189),
    "person4": (1, 1501),
    "person5": (1, 877),
    "person7": (1, 1249),
    "person8": (1, 1075),
    "person12": (1, 601),
    "person14": (1, 847, 1813),
    "person17": (1, 1501),
    "person19": (1, 1243, 2791),
    "truck4": (1, 577),
    "uav1": (1, 1555, 2473),
}
SETS = {"train": ("UAV123", "UAV123_10fps"), "uav20l": ("UAV20L",)}
PATTERNS = {"train": "anno/UAV123*/*.txt", "uav20l": "anno/UAV20L/*.txt"}
THINNED = {"UAV123_10fps": 3}  # every third frame is kept
ATTRIBUTES = (
    "scale variation",
    "aspect ratio change",
    "low resolution",
    "fast motion",
    "full occlusion",
    "partial occlusion",
    "out of view",
    "background clutter",
    "illumination variation",
    "viewpoint change",
    "camera motion",
    "similar object",
)


def read(folder: pathlib.Path, split: str, name: str, problems: Problems) -> list[Track]:
    """Read a split, which is a set of annotations; see `formats.Reader`."""
    part = _part(folder, split)
    images = folder / "data_seq" / ("UAV123" if part == "UAV20L" else part)
    tracks: list[Track] = []
    for path in sorted(find(folder / "anno" / part, "*.txt"), key=natural_key):
        boxes = read_boxes(path, problems)
        if boxes is None:
            continue
        video, first = _locate(path.stem, THINNED.get(part, 1))
        numbers = first + np.arange(len(boxes))
        files = NumberedFiles(images / video, "{:06d}.jpg")
        tracks.append(FileTrack(name, path.stem, numbers, known_boxes(one_based_to_xywh(boxes)), files))
    return tracks


def read_attributes(folder: pathlib.Path, split: str, track: FileTrack, problems: Problems) -> dict[str, np.ndarray]:
    """Return the attributes of a sequence; see `formats.Format`."""
    path = folder / "anno" / _part(folder, split) / "att" / f"{track.name}.txt"
    flags = read_flags(path, len(ATTRIBUTES), problems) if path.is_file() else None
    given = () if flags is None else [name for name, flag in zip(ATTRIBUTES, flags) if flag]
    return {name: np.full(len(track), True) for name in given}


def _part(folder: pathlib.Path, split: str) -> str:
    """Return the name of the set of annotations of a split: the first that is there."""
    return next((part for part in SETS[split] if (folder / "anno" / part).is_dir()), SETS[split][0])


def _locate(sequence: str, thinned: int) -> tuple[str, int]:
    """Return the video that a sequence is part of and the number of its first frame."""
    video, _, part = sequence.rpartition("_")
    starts = PARTS.get(video, ())
    if not part.isdecimal() or not 1 <= int(part) <= len(starts):
        return sequence, 1
    return video, (starts[int(part) - 1] - 1) // thinned + 1
