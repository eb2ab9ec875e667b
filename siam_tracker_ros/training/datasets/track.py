# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What every data set is read into: frames that show one target."""

import abc
import dataclasses
import functools
import pathlib

import numpy as np

from siam_tracker_ros.frames import read_image_bgr


class Track(abc.ABC):
    """Frames of one target; pictures are decoded when they are asked for.

    A frozen dataclass whose arrays have one row a frame. Its methods may be called from several threads.

    Attributes:
        dataset: name of the data set.
        name: of the track, unique in its data set.
        numbers: int64 (N,), the frames' numbers in their source, rising: what is left out leaves a gap.
        boxes_xywh: float64 (N, 4) in pixels of the frame, NaN where the target is absent.
    """

    dataset: str
    name: str
    numbers: np.ndarray
    boxes_xywh: np.ndarray

    def __len__(self):
        return len(self.numbers)

    @property
    def video(self):
        """Whether there is more than one frame."""
        return len(self) > 1

    @functools.cached_property
    def present(self):
        """Bool (N,), False where the target is absent."""
        return np.isfinite(self.boxes_xywh).all(axis=1)

    @abc.abstractmethod
    def path(self, i):
        """Where frame i lies, for messages."""

    @abc.abstractmethod
    def image_bgr(self, i):
        """Decode frame i, uint8 (H, W, 3); raises InvalidInputError where it is missing or broken."""

    def has_mask(self, i):
        """Whether frame i has a mask."""
        return False

    def mask(self, i):
        """Decode the target's mask in frame i, uint8 (H, W) of 0 and 255; None where it has none."""
        return

    def valid_xywh(self, i):
        """Part of frame i that is real picture, int64 (4,); None for all of it."""
        return

    def take(self, rows):
        """The same track with some of its frames, by their numbers from 0 on."""
        arrays = {name: value for name, value in vars(self).items() if isinstance(value, np.ndarray)}
        fields = {field.name for field in dataclasses.fields(self)} & arrays.keys()
        return dataclasses.replace(self, **{name: arrays[name][rows] for name in fields})

    def spread(self, most):
        """The same track with at most `most` frames that show the target, spread evenly."""
        return self.take(_spread(np.flatnonzero(self.present), most))


def known_boxes(boxes_xywh):
    """Boxes (N, 4) with NaN in place of those that say that there is no target: not finite, or without area."""
    known = np.isfinite(boxes_xywh).all(axis=1) & (boxes_xywh[:, 2:] > 0).all(axis=1)
    return np.where(known[:, None], boxes_xywh, np.nan)


def _spread(rows, most):
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).round().astype(int)]


@dataclasses.dataclass(frozen=True, eq=False)
class FileTrack(Track):
    """Frames that are files of one folder.

    Attributes:
        folder: Path of the frames.
        pattern: a frame's file name by its number, as for str.format.
    """

    dataset: str
    name: str
    numbers: np.ndarray
    boxes_xywh: np.ndarray
    folder: pathlib.Path
    pattern: str

    def path(self, i):
        return self.folder / self.pattern.format(self.numbers[i])

    def image_bgr(self, i):
        return read_image_bgr(self.path(i))
