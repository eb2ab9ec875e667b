# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""YouTube-VOS (Xu et al. 2018): meta.json lists the objects and their frames.

The labels of JPEGImages/VIDEO/00000.jpg are in Annotations/VIDEO/00000.png, an indexed image; every fifth frame is
labelled. The splits valid and test have the first mask of each object alone.
"""

import json
import pathlib

import numpy as np

from siam_tracker_ros.data.files import NumberedFiles, noting_faults, read_text
from siam_tracker_ros.data.first_masks import list_numbers, read_first_masks
from siam_tracker_ros.data.label_maps import LabelMaps
from siam_tracker_ros.data.problems import Problems
from siam_tracker_ros.data.track import MaskTrack, Track

_WHAT = "videos with their objects"


def read(folder: pathlib.Path, split: str, name: str, problems: Problems) -> list[Track]:
    """Read a split; see `formats.Reader`."""
    path = folder / split / "meta.json"
    text = read_text(path, problems, _WHAT)
    tracks: list[Track] = []
    with noting_faults(path, problems, _WHAT):
        for video, content in ({} if text is None else json.loads(text)["videos"]).items():
            files = NumberedFiles(folder / split / "JPEGImages" / video, "{:05d}.jpg")
            masks = LabelMaps(NumberedFiles(folder / split / "Annotations" / video, "{:05d}.png"))
            if split != "train":
                with_image, with_mask = (list_numbers(place.folder, problems) for place in (files, masks.files))
                tracks += read_first_masks(name, video, files, masks, with_image, with_mask, problems)
                continue
            for label, thing in content["objects"].items():
                numbers = np.sort(np.array(thing["frames"]).astype(np.int64))
                tracks.append(MaskTrack(name, f"{video}-{label}", numbers, files, masks, int(label)))
    return tracks
