# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reads ImageNet VID (Russakovsky et al. 2015): an XML file a frame, in it the objects by their trackid.

Annotations/VID/SPLIT/.../SNIPPET/000000.xml goes with Data/VID/SPLIT/.../SNIPPET/000000.JPEG; the corners of a box are
its outermost pixels, counted from 0. A track is one object of a snippet, in the frames in which it is labelled.
"""

import os
import pathlib
from xml.etree import ElementTree

import numpy as np
from tqdm import tqdm

from siam_tracker_ros.geometry import pixels_to_xywh
from siam_tracker_ros.training.datasets.files import NumberedFiles
from siam_tracker_ros.training.datasets.track import FileTrack
from siam_tracker_ros.training.datasets.track import known_boxes

_SIDES = ("xmin", "ymin", "xmax", "ymax")


def read(folder, split, name, problems):
    """Read a split; see `formats.Format`."""
    labels = folder / "Annotations" / "VID" / split
    snippets = [(pathlib.Path(place), names) for place, _, names in os.walk(labels) if names]
    if not snippets:
        problems.add(labels, "holds no labels", "folders with 000000.xml and on")
    tracks = []
    for place, names in tqdm(sorted(snippets), desc=f"{name}: labels", unit="snippet", leave=False, disable=None):
        snippet = place.relative_to(labels)
        files = NumberedFiles(folder / "Data" / "VID" / split / snippet, "{:06d}.JPEG")
        for track, rows in _read_snippet(place, sorted(names), problems).items():
            numbers, corners = zip(*rows)
            boxes = known_boxes(pixels_to_xywh(np.array(corners)))
            tracks.append(FileTrack(name, f"{snippet.as_posix()}/{track}", np.array(numbers), boxes, files))
    return tracks


def _read_snippet(place, names, problems):
    """Rows (number of the frame, corners) by trackid."""
    tracks = {}
    for name in names:
        path = place / name
        try:
            for thing in ElementTree.parse(path).iterfind("object"):
                box = thing.find("bndbox")
                corners = [float(box.findtext(side)) for side in _SIDES]
                tracks.setdefault(thing.findtext("trackid"), []).append((int(path.stem), corners))
        except (ElementTree.ParseError, OSError, AttributeError, TypeError, ValueError) as error:
            problems.add(path, f"cannot be read ({error})", "000000.xml and on, with trackid and bndbox of objects")
    return tracks
