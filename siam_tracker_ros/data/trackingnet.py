# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""TrackingNet (Müller et al. 2018): the parts TRAIN_0 to TRAIN_11, as far as they exist.

A part has anno/NAME.txt (left, top, width, height) and frames/NAME/0.jpg, ... The TEST part has labels of first frames
only.
"""

import pathlib

import numpy as np

from siam_tracker_ros.data.files import NumberedFiles, read_boxes
from siam_tracker_ros.data.problems import Problems
from siam_tracker_ros.data.track import FileTrack, Track, known_boxes
from siam_tracker_ros.images import is_hidden, natural_key


def read(folder: pathlib.Path, split: str, name: str, problems: Problems) -> list[Track]:
    """Read the parts of the training split; see `formats.Reader`."""
    tracks: list[Track] = []
    for part in sorted(folder.glob("TRAIN_*"), key=natural_key):
        labels = sorted(path for path in (part / "anno").glob("*.txt") if not is_hidden(path.name))
        if not labels:
            problems.add(part / "anno", "holds no boxes", "a NAME.txt per sequence")
        for path in labels:
            boxes = read_boxes(path, problems)
            if boxes is not None:
                files = NumberedFiles(part / "frames" / path.stem, "{}.jpg")
                numbers = np.arange(len(boxes))
                tracks.append(FileTrack(name, f"{part.name}/{path.stem}", numbers, known_boxes(boxes), files))
    return tracks
