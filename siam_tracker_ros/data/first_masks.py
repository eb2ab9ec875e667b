# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Videos of which only the first mask of each object is published, as in the test splits of segmentation data sets."""

import dataclasses
import functools
import pathlib
from collections.abc import Iterable

import numpy as np

from siam_tracker_ros.data.files import Files
from siam_tracker_ros.data.label_maps import VOID, LabelMaps
from siam_tracker_ros.data.problems import Problems
from siam_tracker_ros.data.track import MaskTrack, Track
from siam_tracker_ros.errors import InvalidInputError


@dataclasses.dataclass(frozen=True, eq=False)
class FirstMaskTrack(MaskTrack):
    """Frames of which only the first has a mask."""

    @functools.cached_property
    def _label_boxes(self) -> tuple[np.ndarray, int]:
        boxes = np.full((len(self), 4), np.nan)
        first = self._read_box(int(self.numbers[0]))
        if first is not None:
            boxes[0] = first
        return boxes, int(first is None)

    @property
    def sources(self) -> tuple[Files, ...]:
        return (self.files,)

    def has_mask(self, i: int) -> bool:
        return i == 0

    def mask(self, i: int) -> np.ndarray | None:
        return super().mask(i) if i == 0 else None


def read_first_masks(
    dataset: str,
    video: str,
    files: Files,
    masks: LabelMaps,
    numbers: Iterable[int],
    masked: Iterable[int],
    problems: Problems,
) -> list[Track]:
    """Return a track per object of a video, from the frame in which it appears to the end.

    Args:
        dataset, video: names of the data set and the video.
        files, masks: by frame number.
        numbers: of all frames.
        masked: numbers of the frames in which objects appear, which have masks.
        problems: gets masks that cannot be read.
    """
    frames = np.array(sorted(numbers), np.int64)
    tracks: dict[int, Track] = {}
    for number in sorted(masked):
        try:
            labels = np.unique(masks.read(number))
        except InvalidInputError as error:
            problems.add_error(error)
            continue
        for label in labels.tolist():
            if label not in (0, VOID, *tracks):
                own = frames[frames >= number]
                tracks[label] = FirstMaskTrack(dataset, f"{video}-{label}", own, files, masks, label)
    return list(tracks.values())


def list_numbers(folder: pathlib.Path, problems: Problems) -> set[int]:
    """Return the numbers of the frames in a folder, and note a problem if there are none."""
    if not folder.is_dir():
        problems.add_missing(folder, "frames 00000, 00001, ...")
        return set()
    numbers = {int(path.stem) for path in folder.iterdir() if path.stem.isdecimal()}
    if not numbers:
        problems.add(folder, "is empty", "frames 00000, 00001, ...")
    return numbers
