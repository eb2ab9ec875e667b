# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reads TrackingNet (Müller et al. 2018): the parts TRAIN_0 to TRAIN_11, as many of them as there are.

A part holds anno/NAME.txt (left, top, width, height) and frames/NAME/0.jpg and on. Of the TEST part only the first
frames are labelled.
"""

import numpy as np

from siam_tracker_ros.data.files import NumberedFiles, read_boxes
from siam_tracker_ros.data.track import FileTrack, known_boxes
from siam_tracker_ros.frames import natural_key


def read(folder, split, name, problems):
    """Read the parts of the training split; see `formats.Format`."""
    tracks = []
    for part in sorted(folder.glob("TRAIN_*"), key=natural_key):
        labels = sorted((part / "anno").glob("*.txt"))
        if not labels:
            problems.add(part / "anno", "holds no boxes", "a NAME.txt for each sequence")
        for path in labels:
            boxes = read_boxes(path, problems)
            if boxes is not None:
                files = NumberedFiles(part / "frames" / path.stem, "{}.jpg")
                numbers = np.arange(len(boxes))
                tracks.append(FileTrack(name, f"{part.name}/{path.stem}", numbers, known_boxes(boxes), files))
    return tracks
