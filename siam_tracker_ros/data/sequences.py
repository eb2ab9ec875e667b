# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Own footage: folders of sequences as `sequence_folder` describes them, with or without masks."""

import pathlib

import numpy as np

from siam_tracker_ros.data.files import ListedFiles
from siam_tracker_ros.data.label_maps import LabelMaps
from siam_tracker_ros.data.otb import list_images
from siam_tracker_ros.data.problems import Problems
from siam_tracker_ros.data.sequence_folder import load_sequence
from siam_tracker_ros.data.track import FileTrack, Track, known_boxes
from siam_tracker_ros.errors import InvalidInputError


def read(folder: pathlib.Path, split: str, name: str, problems: Problems) -> list[Track]:
    """Read all sequences of a folder; see `formats.Reader`."""
    tracks: list[Track] = []
    for place in sorted(path.parent for path in folder.glob("*/groundtruth.txt")):
        try:
            sequence = load_sequence(place)
        except InvalidInputError as error:
            problems.add_error(error)
            continue
        files = list_images(place / "img", problems)
        if files is None:
            continue
        mask_files = ListedFiles(place / "mask", tuple(sequence.mask_names()))
        masks = LabelMaps(mask_files) if mask_files.folder.is_dir() else None
        boxes = known_boxes(sequence.truth_xywh)
        tracks.append(FileTrack(name, sequence.name, np.arange(len(boxes)), boxes, files, masks))
    return tracks
