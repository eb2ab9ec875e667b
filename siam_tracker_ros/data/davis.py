# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""DAVIS in the layout of 2016 (Perazzi et al. 2016) and of 2017 (Pont-Tuset et al. 2017), at 480p or,
without that folder, at full resolution.

The labels of JPEGImages/480p/SEQUENCE/00000.jpg are in Annotations/480p/SEQUENCE/00000.png. In 2016 the object is what
is not black; in 2017 the pixels hold the numbers of several objects. A list in ImageSets names the sequences of a
split; other sequences are not read.
"""

import pathlib

import numpy as np

from siam_tracker_ros.data.files import NumberedFiles, read_names
from siam_tracker_ros.data.first_masks import list_numbers, read_first_masks
from siam_tracker_ros.data.label_maps import VOID, LabelMaps
from siam_tracker_ros.data.problems import Problems
from siam_tracker_ros.data.track import MaskTrack, Track
from siam_tracker_ros.errors import InvalidInputError

FIRST_MASKS = ("test-dev", "test-challenge")  # splits with the masks of first frames alone
YEARS = ("2017", "480p", "2016")  # folders of lists; the first that exists is read, since it has the most sequences
RESOLUTIONS = ("480p", "Full-Resolution", "1080p")
# Validation sequences of both years; a training list that names one is refused.
VALIDATION = frozenset(
    (
        "bike-packing blackswan bmx-trees breakdance camel car-roundabout car-shadow cows dance-twirl dog dogs-jump "
        "drift-chicane drift-straight goat gold-fish horsejump-high india judo kite-surf lab-coat libby loading "
        "mbike-trick motocross-jump paragliding-launch parkour pigs scooter-black shooting soapbox"
    ).split()
)


def read(folder: pathlib.Path, split: str, name: str, problems: Problems) -> list[Track]:
    """Read a split; see `formats.Reader`."""
    lists = [folder / "ImageSets" / year / f"{split}.txt" for year in YEARS]
    path = next((path for path in lists if path.exists()), lists[0])
    listed = _read_list(path, problems)
    forbidden = sorted(VALIDATION.intersection(listed)) if split == "train" else ()
    if forbidden:
        shown = ", ".join(forbidden[:3]) + ", ..." * (len(forbidden) > 3)
        problems.add(path, f"names {len(forbidden)} validation sequences: {shown}", "only training sequences")
        return []
    resolution = next((name for name in RESOLUTIONS if (folder / "Annotations" / name).is_dir()), RESOLUTIONS[0])
    tracks: list[Track] = []
    for sequence, numbers in listed.items():
        files = NumberedFiles(folder / "JPEGImages" / resolution / sequence, "{:05d}.jpg")
        masks = LabelMaps(NumberedFiles(folder / "Annotations" / resolution / sequence, "{:05d}.png"))
        with_image, with_mask = (list_numbers(place.folder, problems) for place in (files, masks.files))
        if split in FIRST_MASKS:
            tracks += read_first_masks(name, sequence, files, masks, with_image, with_mask, problems)
        elif with_image and with_mask:
            frames = np.array(sorted(numbers | with_image | with_mask))
            several = path.parent.name == "2017"
            labels: list[int | None] = [*_read_labels(masks, frames[0], problems)] if several else [None]
            for label in labels:
                own = sequence if label is None else f"{sequence}-{label}"
                tracks.append(MaskTrack(name, own, frames, files, masks, label))
    return tracks


def _read_list(path: pathlib.Path, problems: Problems) -> dict[str, set[int]]:
    """Return the listed frames by sequence: 2016 lists frames with their masks, 2017 only sequences."""
    listed: dict[str, set[int]] = {}
    for line in read_names(path, problems):
        sequence, _, frame = line.split()[0].rpartition("/") if "/" in line else (line, "", "")
        number = pathlib.PurePath(frame).stem
        if frame and not number.isdecimal():
            problems.add(path, f"has the line {line!r}", "names of sequences, or of frames such as /bear/00000.jpg")
            return {}
        listed.setdefault(pathlib.PurePath(sequence).name, set()).update({int(number)} if frame else ())
    return listed


def _read_labels(masks: LabelMaps, number: int, problems: Problems) -> list[int]:
    """Return the numbers of the objects, all of which are in the first frame."""
    try:
        return [int(label) for label in np.unique(masks.read(number)) if label not in (0, VOID)]
    except InvalidInputError as error:
        problems.add_error(error)
        return []
