# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reads one's own footage: folders of sequences as `evaluation.sequences` describes them, with masks where they are."""

import numpy as np

from siam_tracker_ros.data.files import ListedFiles
from siam_tracker_ros.data.label_maps import LabelMaps
from siam_tracker_ros.data.otb import list_images
from siam_tracker_ros.data.track import FileTrack, known_boxes
from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.evaluation.sequences import load_sequence


def read(folder, split, name, problems):
    """Read every sequence of a folder; see `formats.Format`."""
    tracks = []
    for place in sorted(path.parent for path in folder.glob("*/groundtruth.txt")):
        try:
            sequence = load_sequence(place)
        except InvalidInputError as error:
            problems.add_error(error)
            continue
        files = list_images(place / "img", problems)
        masks = LabelMaps(ListedFiles(place / "mask", tuple(sequence.mask_names())))
        boxes = known_boxes(sequence.truth_xywh)
        masks = masks if masks.files.folder.is_dir() else None
        tracks.append(FileTrack(name, sequence.name, np.arange(len(boxes)), boxes, files, masks))
    return tracks
