# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reads DAVIS in the layout of 2016 (Perazzi et al. 2016) and of 2017 (Pont-Tuset et al. 2017), at 480p.

JPEGImages/480p/SEQUENCE/00000.jpg has the labels Annotations/480p/SEQUENCE/00000.png: in 2016 one object is what is not
black, in 2017 there are several with their numbers. A list in ImageSets names the sequences of a split; nothing that
is not listed is read.
"""

import numpy as np

from siam_tracker_ros.data.files import NumberedFiles, read_names
from siam_tracker_ros.data.label_maps import LabelMaps
from siam_tracker_ros.data.track import MaskTrack
from siam_tracker_ros.errors import InvalidInputError

YEARS = ("2017", "480p", "2016")  # folders of lists: where there are several, that with more sequences goes first
# What trackers are measured on, of both years; a list by which it would be trained on is refused.
VALIDATION = frozenset(
    (
        "bike-packing blackswan bmx-trees breakdance camel car-roundabout car-shadow cows dance-twirl dog dogs-jump "
        "drift-chicane drift-straight goat gold-fish horsejump-high india judo kite-surf lab-coat libby loading "
        "mbike-trick motocross-jump paragliding-launch parkour pigs scooter-black shooting soapbox"
    ).split()
)


def read(folder, split, name, problems):
    """Read a split; see `formats.Format`."""
    lists = [folder / "ImageSets" / year / f"{split}.txt" for year in YEARS]
    path = next((path for path in lists if path.exists()), lists[0])
    listed = _by_sequence(read_names(path, problems))
    forbidden = sorted(VALIDATION.intersection(listed)) if split == "train" else ()
    if forbidden:
        shown = ", ".join(forbidden[:3]) + ", ..." * (len(forbidden) > 3)
        problems.add(path, f"names {len(forbidden)} sequences for validation: {shown}", "sequences for training alone")
        return []
    tracks = []
    for sequence, numbers in listed.items():
        files = NumberedFiles(folder / "JPEGImages" / "480p" / sequence, "{:05d}.jpg")
        masks = LabelMaps(NumberedFiles(folder / "Annotations" / "480p" / sequence, "{:05d}.png"))
        found = [_list_numbers(files.folder, problems), _list_numbers(masks.files.folder, problems)]
        if all(found):
            numbers = np.array(sorted(numbers.union(*found)))
            labels = _read_labels(masks, numbers[0], problems) if path.parent.name == "2017" else [None]
            for label in labels:
                own = sequence if label is None else f"{sequence}-{label}"
                tracks.append(MaskTrack(name, own, numbers, files, masks, label))
    return tracks


def _by_sequence(lines):
    """Numbers of the listed frames by sequence: 2016 lists frames with their masks, 2017 just sequences."""
    listed = {}
    for line in lines:
        *_, sequence, frame = ["", line, ""] if "/" not in line else line.split()[0].split("/")
        listed.setdefault(sequence, set()).update({int(frame.partition(".")[0])} if frame else ())
    return listed


def _list_numbers(folder, problems):
    """Numbers of the frames in a folder."""
    if not folder.is_dir():
        problems.add_missing(folder, "frames 00000 and on")
        return set()
    numbers = {int(path.stem) for path in folder.iterdir() if path.stem.isdecimal()}
    if not numbers:
        problems.add(folder, "is empty", "frames 00000 and on")
    return numbers


def _read_labels(masks, number, problems):
    """Numbers of the objects: all are in the first frame."""
    try:
        return [int(label) for label in np.unique(masks.read(number)) if label]
    except InvalidInputError as error:
        problems.add_error(error)
        return []
