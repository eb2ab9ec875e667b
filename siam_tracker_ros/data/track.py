# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What every data set is read into: frames that show one target."""

import abc
import concurrent.futures
import dataclasses
import functools

import numpy as np

from siam_tracker_ros.data.files import Files
from siam_tracker_ros.data.label_maps import LabelMaps
from siam_tracker_ros.data.pictures import read_picture_bgr
from siam_tracker_ros.errors import InvalidInputError


class Track(abc.ABC):
    """Frames of one target; pictures are decoded when they are asked for.

    A frozen dataclass whose arrays have one row a frame. Its methods may be called from several threads.

    Attributes:
        dataset: name of the data set.
        name: of the track, unique in its data set.
        numbers: int64 (N,), the frames' numbers in their source, rising: what is left out leaves a gap.
        boxes_xywh: float64 (N, 4) in pixels of the frame, NaN where the target is absent or its label unreadable.
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
        """Bool (N,), False where there is no box."""
        return np.isfinite(self.boxes_xywh).all(axis=1)

    @property
    def unreadable(self):
        """Number of frames without a box because their label cannot be read, where labels are files of their own."""
        return 0

    @property
    def sources(self):
        """Tuple of Files: what frame i needs is `files.path(numbers[i])` of each; none where that is not by file."""
        return ()

    @property
    def scene(self):
        """What tells the picture or video that the frames are from: all targets in it have the same."""
        return self.sources or self.name

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
        """The same track with some of its frames, by their places from 0 on."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        arrays = {name: value[rows] for name, value in fields.items() if isinstance(value, np.ndarray)}
        return dataclasses.replace(self, **arrays)

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
    """Frames that are files, with boxes.

    Attributes:
        files: Files, the frames by their numbers.
        masks: LabelMaps by the same numbers, or None.
    """

    dataset: str
    name: str
    numbers: np.ndarray
    boxes_xywh: np.ndarray
    files: Files
    masks: LabelMaps | None = None

    @property
    def sources(self):
        return (self.files,) if self.masks is None else (self.files, self.masks.files)

    def path(self, i):
        return self.files.path(self.numbers[i])

    def image_bgr(self, i):
        return read_picture_bgr(self.path(i))

    def has_mask(self, i):
        return self.masks is not None

    def mask(self, i):
        return None if self.masks is None else self.masks.mask(self.numbers[i])


@dataclasses.dataclass(frozen=True, eq=False)
class MaskTrack(Track):
    """Frames that are files, with masks whose bounds are the boxes; the masks are decoded for them at first use.

    Attributes:
        files: Files, the frames by their numbers.
        masks: LabelMaps by the same numbers.
        label: the target's in them; None for all that is not 0.
    """

    dataset: str
    name: str
    numbers: np.ndarray
    files: Files
    masks: LabelMaps
    label: int | None

    @functools.cached_property
    def _label_boxes(self):
        with concurrent.futures.ThreadPoolExecutor() as pool:
            boxes = list(pool.map(self._read_box, self.numbers.tolist()))
        known = [np.full(4, np.nan) if box is None else box for box in boxes]
        return np.reshape(known, (-1, 4)), sum(box is None for box in boxes)

    def _read_box(self, number):
        """Bounds of the target, None where its label cannot be read."""
        try:
            return self.masks.box_xywh(number, self.label)
        except InvalidInputError:
            return None

    @property
    def boxes_xywh(self):
        return self._label_boxes[0]

    @property
    def unreadable(self):
        return self._label_boxes[1]

    @property
    def sources(self):
        return self.files, self.masks.files

    def path(self, i):
        return self.files.path(self.numbers[i])

    def image_bgr(self, i):
        return read_picture_bgr(self.path(i))

    def has_mask(self, i):
        return True

    def mask(self, i):
        return self.masks.mask(self.numbers[i], self.label)

    def spread(self, most):
        """As `Track.spread`, but over all frames, so that no mask needs to be decoded for it."""
        return self.take(_spread(np.arange(len(self)), most))
