# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reads folders of sequences like those of OTB (Wu et al. 2015).

A sequence holds img/0001.jpg and on, and groundtruth_rect.txt (left, top, width, height, counting pixels from 1, apart
by commas, tabs or spaces); with several targets groundtruth_rect.1.txt and on.
"""

import numpy as np

from siam_tracker_ros.data.files import ListedFiles, read_boxes
from siam_tracker_ros.data.track import FileTrack, known_boxes
from siam_tracker_ros.frames import IMAGE_SUFFIXES, natural_key
from siam_tracker_ros.geometry import one_based_to_xywh

# Sequences that are labelled in part: the first frame with a box, counted from 0. Their boxes end before their frames.
LABELLED_FROM = {"david": 299, "diving": 0, "football1": 0, "freeman3": 0, "freeman4": 0}


def read(folder, split, name, problems):
    """Read every sequence of a folder; see `formats.Format`."""
    tracks = []
    for sequence in sorted({path.parent for path in folder.glob("*/groundtruth_rect*.txt")}, key=natural_key):
        files = list_images(sequence / "img", problems)
        labels = sorted(sequence.glob("groundtruth_rect*.txt"), key=natural_key)
        # One of OTB's sequences has an empty file next to that of its target.
        labels = [path for path in labels if path.read_bytes().strip()] or labels
        for path in labels if files else ():
            boxes = read_boxes(path, problems)
            if boxes is None:
                continue
            first = _first(sequence.name, len(files.names), len(boxes))
            if first is None:
                problems.add(path, f"has {len(boxes)} boxes for {len(files.names)} images in img", "a box an image")
                continue
            own = sequence.name if len(labels) == 1 else f"{sequence.name}.{path.stem.rpartition('.')[2]}"
            boxes = known_boxes(one_based_to_xywh(boxes))
            tracks.append(FileTrack(name, own, first + np.arange(len(boxes)), boxes, files))
    return tracks


def list_images(folder, problems):
    """The images of a folder in natural order as ListedFiles; None, and a problem, where there are none."""
    if not folder.is_dir():
        problems.add_missing(folder, "an image a box")
        return None
    images = sorted((path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES), key=natural_key)
    if not images:
        problems.add(folder, "holds no image", "an image a box")
        return None
    return ListedFiles(folder, tuple(path.name for path in images))


def _first(name, images, boxes):
    """Number of the image that the first box belongs to; None where images and boxes do not fit together."""
    if images == boxes:
        return 0
    first = LABELLED_FROM.get(name.lower())
    return first if first is not None and images >= first + boxes else None
