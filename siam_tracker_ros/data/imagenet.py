# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""ImageNet VID and DET (Russakovsky et al. 2015): one XML file per image, which lists the objects.

In VID, Annotations/VID/SPLIT/.../SNIPPET/000000.xml belongs to Data/VID/SPLIT/.../SNIPPET/000000.JPEG; a track is a
trackid of a snippet, in the frames that have it. In DET, Annotations/DET/SPLIT/.../NAME.xml belongs to
Data/DET/SPLIT/.../NAME.JPEG; a track is one object in one image. The corners of a box are its outermost pixels, counted
from 0.
"""

import os
import pathlib
from collections.abc import Iterator, Sequence
from xml.etree import ElementTree

import numpy as np
from tqdm import tqdm

from siam_tracker_ros.data.files import ListedFiles, NumberedFiles
from siam_tracker_ros.data.problems import Problems
from siam_tracker_ros.data.track import FileTrack, Track, known_boxes
from siam_tracker_ros.geometry import pixels_to_xywh
from siam_tracker_ros.images import is_hidden, is_hidden_below

_SIDES = ("xmin", "ymin", "xmax", "ymax")
_STILL = np.zeros(1, np.int64)  # frame numbers of a track of one image


def read_vid(folder: pathlib.Path, split: str, name: str, problems: Problems) -> list[Track]:
    """Read a split of VID; see `formats.Reader`."""
    tracks: list[Track] = []
    for place, images, own, paths in _walk(folder, f"VID/{split}", name, problems):
        files = NumberedFiles(images, "{:06d}.JPEG")
        rows: dict[str | None, list[tuple[str, list[float], tuple[int, int]]]] = {}
        for path in paths:
            size_wh, objects = _read_labels(path, problems)
            for track, box in objects:
                rows.setdefault(track, []).append((path.stem, box, size_wh))
        for track, frames in rows.items():
            stems, corners, sizes_wh = zip(*frames)
            if not all(stem.isdecimal() for stem in stems):
                problems.add(place, f"has labels called {stems[0]}.xml", "000000.xml, 000001.xml, ...")
                continue
            numbers, sizes = np.array(stems, np.int64), np.array(sizes_wh, np.int32)
            tracks.append(FileTrack(name, f"{own}/{track}", numbers, _boxes(corners), files, sizes_wh=sizes))
    return tracks


def read_det(folder: pathlib.Path, split: str, name: str, problems: Problems) -> list[Track]:
    """Read a split of DET; see `formats.Reader`."""
    tracks: list[Track] = []
    for _, images, own, paths in _walk(folder, f"DET/{split}", name, problems):
        for path in paths:
            files = ListedFiles(images, (f"{path.stem}.JPEG",))
            size_wh, objects = _read_labels(path, problems)
            sizes = np.array([size_wh], np.int32)
            for number, (_, corners) in enumerate(objects):
                boxes = _boxes([corners])
                tracks.append(FileTrack(name, f"{own}/{path.stem}/{number}", _STILL, boxes, files, sizes_wh=sizes))
    return tracks


def _walk(
    folder: pathlib.Path, part: str, name: str, problems: Problems
) -> Iterator[tuple[pathlib.Path, pathlib.Path, str, list[pathlib.Path]]]:
    """Yield each folder of labels: its path, the folder of its images, its name in the data set, its sorted files.

    Other files than XML files, and hidden ones, are no labels.
    """
    top = folder / "Annotations" / part
    walked = ((pathlib.Path(place), sorted(filter(_is_label, names))) for place, _, names in os.walk(top))
    found = sorted((place, names) for place, names in walked if names and not is_hidden_below(place, top))
    if not found:
        problems.add(top, "holds no labels", "folders with XML files")
    for place, names in tqdm(found, desc=f"{name}: labels", unit="folder", leave=False, disable=None):
        own = place.relative_to(top)
        yield place, folder / "Data" / part / own, own.as_posix(), [place / file for file in names]


def _is_label(name: str) -> bool:
    return name.endswith(".xml") and not is_hidden(name)


def _read_labels(
    path: pathlib.Path, problems: Problems
) -> tuple[tuple[int, int], list[tuple[str | None, list[float]]]]:
    """Return the size of an image, 0 if it is not stated, and trackid, or None, and corners of each object in it."""
    try:
        labels = ElementTree.parse(path)
        size_wh = int(labels.findtext("size/width") or 0), int(labels.findtext("size/height") or 0)
        return size_wh, [
            (thing.findtext("trackid"), [float(thing.findtext(f"bndbox/{side}", "")) for side in _SIDES])
            for thing in labels.iterfind("object")
        ]
    except (ElementTree.ParseError, OSError, AttributeError, TypeError, ValueError) as error:
        problems.add(path, f"cannot be read ({error})", "objects with a bndbox")
        return (0, 0), []


def _boxes(corners: Sequence[list[float]]) -> np.ndarray:
    return known_boxes(pixels_to_xywh(np.array(corners)))
