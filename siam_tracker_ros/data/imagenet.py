# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reads ImageNet VID and DET (Russakovsky et al. 2015): an XML file a picture, in it the objects.

In VID, Annotations/VID/SPLIT/.../SNIPPET/000000.xml goes with Data/VID/SPLIT/.../SNIPPET/000000.JPEG; a track is a
trackid of a snippet, in the frames in which it is labelled. In DET, Annotations/DET/SPLIT/.../NAME.xml goes with
Data/DET/SPLIT/.../NAME.JPEG; a track is one object in one picture. The corners of a box are its outermost pixels,
counted from 0.
"""

import os
import pathlib
from xml.etree import ElementTree

import numpy as np
from tqdm import tqdm

from siam_tracker_ros.data.files import ListedFiles, NumberedFiles
from siam_tracker_ros.data.track import FileTrack, known_boxes
from siam_tracker_ros.geometry import pixels_to_xywh

_SIDES = ("xmin", "ymin", "xmax", "ymax")
_STILL = np.zeros(1, np.int64)  # the numbers of a track of one picture


def read_vid(folder, split, name, problems):
    """Read a split of VID; see `formats.Format`."""
    tracks = []
    for place, pictures, own, paths in _walk(folder, f"VID/{split}", name, problems):
        files = NumberedFiles(pictures, "{:06d}.JPEG")
        rows = {}
        for path in paths:
            for track, corners in _read_objects(path, problems):
                rows.setdefault(track, []).append((path.stem, corners))
        for track, frames in rows.items():
            stems, corners = zip(*frames)
            if not all(stem.isdecimal() for stem in stems):
                problems.add(place, f"has labels called {stems[0]}.xml", "000000.xml and on")
                continue
            tracks.append(FileTrack(name, f"{own}/{track}", np.array(stems, np.int64), _boxes(corners), files))
    return tracks


def read_det(folder, split, name, problems):
    """Read a split of DET; see `formats.Format`."""
    tracks = []
    for _, pictures, own, paths in _walk(folder, f"DET/{split}", name, problems):
        for path in paths:
            files = ListedFiles(pictures, (f"{path.stem}.JPEG",))
            for number, (_, corners) in enumerate(_read_objects(path, problems)):
                tracks.append(FileTrack(name, f"{own}/{path.stem}/{number}", _STILL, _boxes([corners]), files))
    return tracks


def _walk(folder, part, name, problems):
    """Yield each folder of labels: itself, that of its pictures, its name in the data set, its files in order."""
    top = folder / "Annotations" / part
    found = sorted((pathlib.Path(place), sorted(names)) for place, _, names in os.walk(top) if names)
    if not found:
        problems.add(top, "holds no labels", "folders with XML files")
    for place, names in tqdm(found, desc=f"{name}: labels", unit="folder", leave=False, disable=None):
        own = place.relative_to(top)
        yield place, folder / "Data" / part / own, own.as_posix(), [place / file for file in names]


def _read_objects(path, problems):
    """(trackid or None, corners) of each object in a picture."""
    try:
        return [
            (thing.findtext("trackid"), [float(thing.find("bndbox").findtext(side)) for side in _SIDES])
            for thing in ElementTree.parse(path).iterfind("object")
        ]
    except (ElementTree.ParseError, OSError, AttributeError, TypeError, ValueError) as error:
        problems.add(path, f"cannot be read ({error})", "objects with a bndbox")
        return []


def _boxes(corners):
    return known_boxes(pixels_to_xywh(np.array(corners)))
