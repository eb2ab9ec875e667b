# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reads YouTube-VOS (Xu et al. 2018): meta.json says which objects there are, and in which frames.

The frame JPEGImages/VIDEO/00000.jpg has the labels Annotations/VIDEO/00000.png, an indexed picture; every fifth frame
is labelled. Of the other splits only the first frames are.
"""

import json

import numpy as np

from siam_tracker_ros.data.files import NumberedFiles, noting_faults, read_text
from siam_tracker_ros.data.label_maps import LabelMaps
from siam_tracker_ros.data.track import MaskTrack

_WHAT = "videos with their objects"


def read(folder, split, name, problems):
    """Read a split; see `formats.Format`."""
    path = folder / split / "meta.json"
    text = read_text(path, problems, _WHAT)
    tracks = []
    with noting_faults(path, problems, _WHAT):
        for video, content in ({} if text is None else json.loads(text)["videos"]).items():
            files = NumberedFiles(folder / split / "JPEGImages" / video, "{:05d}.jpg")
            masks = LabelMaps(NumberedFiles(folder / split / "Annotations" / video, "{:05d}.png"))
            for label, thing in content["objects"].items():
                numbers = np.sort(np.array(thing["frames"]).astype(np.int64))
                tracks.append(MaskTrack(name, f"{video}-{label}", numbers, files, masks, int(label)))
    return tracks
