# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Tracks: the labelled frames of one target, whatever its data set."""

import abc
import concurrent.futures
import dataclasses
import functools
import pathlib
import typing
from collections.abc import Hashable, Sequence

import numpy as np

from siam_tracker_ros.data.files import Files
from siam_tracker_ros.data.label_maps import LabelMaps
from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.images import read_image_bgr, read_labelled_bgr
from siam_tracker_ros.intensity import IntensityStretch


class Track(abc.ABC):
    """Frames of one target; images are decoded on demand.

    Subclasses are frozen dataclasses whose arrays have one row per frame. Their methods are thread-safe.

    Attributes:
        dataset: name of the data set.
        name: of the track, unique in its data set.
        numbers: int64 (N,), frame numbers in the source, rising, with gaps for missing frames.
        boxes_xywh: float64 (N, 4) in pixels of the frame; NaN if the target is absent or its label unreadable.
        absent: bool (N,), frames in which the target cannot be seen, if that is labelled: any other frame without box
            has no label. None if a frame without box says that the target is absent.
    """

    dataset: str
    name: str
    numbers: np.ndarray
    boxes_xywh: np.ndarray
    absent: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def video(self) -> bool:
        """Whether there is more than one frame."""
        return len(self) > 1

    @functools.cached_property
    def present(self) -> np.ndarray:
        """Bool (N,), False for a frame without box."""
        return np.isfinite(self.boxes_xywh).all(axis=1)

    @property
    def unreadable(self) -> int:
        """Number of frames without box because their label file cannot be read."""
        return 0

    @property
    def sources(self) -> tuple[Files, ...]:
        """The files that frame i needs are `files.path(numbers[i])` of each; () if frames are not files."""
        return ()

    @property
    def scene(self) -> Hashable:
        """Identity of the image or video; all targets in it share it."""
        return self.sources or self.name

    @abc.abstractmethod
    def path(self, i: int) -> object:
        """Location of frame i, for messages."""

    @abc.abstractmethod
    def image_bgr(self, i: int, stretch: IntensityStretch | None = None) -> np.ndarray:
        """Decode frame i, uint8 (H, W, 3).

        Args:
            i: index of the frame.
            stretch: of the track, if its frames are decoded in a row and may have 16 bits; None: of this frame alone.

        Raises:
            InvalidInputError: it is missing or broken.
        """

    def has_mask(self, i: int) -> bool:
        """Whether frame i has a mask."""
        return False

    def mask(self, i: int) -> np.ndarray | None:
        """Decode the target's mask in frame i, uint8 (H, W) of 0 and 255; None if it has no mask."""
        return None

    def label_name(self, i: int) -> str:
        """Name, without suffix, for files about frame i: that of its labelled mask, or its place from 000001."""
        return f"{i + 1:06d}"

    def valid_xywh(self, i: int) -> np.ndarray | None:
        """Part of frame i that is not padding, int64 (4,); None for all of it."""
        return None

    def take(self, rows: np.ndarray | Sequence[int]) -> "Track":
        """Return the track with some of its frames, by index."""
        own = typing.cast(typing.Any, self)  # a dataclass, which this base is not
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(own)}
        arrays = {name: value[rows] for name, value in fields.items() if isinstance(value, np.ndarray)}
        return dataclasses.replace(own, **arrays)

    def spread(self, max_frames: int) -> "Track":
        """Return the track with at most `max_frames` evenly spread frames that show the target."""
        return self.take(_spread(np.flatnonzero(self.present), max_frames))


def known_boxes(boxes_xywh: np.ndarray) -> np.ndarray:
    """Replace boxes (N, 4) that mean "no target", not finite or without area, by NaN."""
    known = np.isfinite(boxes_xywh).all(axis=1) & (boxes_xywh[:, 2:] > 0).all(axis=1)
    return np.where(known[:, None], boxes_xywh, np.nan)


def _spread(rows: np.ndarray, count: int) -> np.ndarray:
    return rows if len(rows) <= count else rows[np.linspace(0, len(rows) - 1, count).round().astype(int)]


@dataclasses.dataclass(frozen=True, eq=False)
class FileTrack(Track):
    """Frames that are files, with boxes.

    Attributes:
        files: frames by number.
        masks: masks by the same numbers, or None.
        sizes_wh: int (N, 2), width and height of each frame as its labels state them, 0 where they do not; or None.
        absent: see Track.
    """

    dataset: str
    name: str
    numbers: np.ndarray
    boxes_xywh: np.ndarray
    files: Files
    masks: LabelMaps | None = None
    sizes_wh: np.ndarray | None = None
    absent: np.ndarray | None = None

    @property
    def sources(self) -> tuple[Files, ...]:
        return (self.files,) if self.masks is None else (self.files, self.masks.files)

    def path(self, i: int) -> pathlib.Path:
        return self.files.path(self.numbers[i])

    def image_bgr(self, i: int, stretch: IntensityStretch | None = None) -> np.ndarray:
        if self.sizes_wh is not None and self.sizes_wh[i].all():
            width, height = self.sizes_wh[i].tolist()
            return read_labelled_bgr(self.path(i), (width, height), stretch)
        size_wh = None if self.masks is None else self.masks.size_wh(self.numbers[i])
        return read_image_bgr(self.path(i), size_wh, stretch)

    def has_mask(self, i: int) -> bool:
        return self.masks is not None

    def mask(self, i: int) -> np.ndarray | None:
        return None if self.masks is None else self.masks.mask(self.numbers[i])

    def label_name(self, i: int) -> str:
        if self.masks is None:
            return super().label_name(i)
        return pathlib.PurePath(self.masks.files.name(self.numbers[i])).stem


@dataclasses.dataclass(frozen=True, eq=False)
class MaskTrack(Track):
    """Frames that are files, with masks; the boxes are the bounds of the masks, which are decoded at first use.

    Attributes:
        files: frames by number.
        masks: masks by the same numbers.
        label: of the target in the masks; None for all labels.
    """

    dataset: str
    name: str
    numbers: np.ndarray
    files: Files
    masks: LabelMaps
    label: int | None

    @functools.cached_property
    def _label_boxes(self) -> tuple[np.ndarray, int]:
        with concurrent.futures.ThreadPoolExecutor() as pool:
            boxes = list(pool.map(self._read_box, self.numbers.tolist()))
        known = [np.full(4, np.nan) if box is None else box for box in boxes]
        return np.reshape(known, (-1, 4)), sum(box is None for box in boxes)

    def _read_box(self, number: int) -> np.ndarray | None:
        """Return the bounds of the target; None if its mask cannot be read."""
        try:
            return self.masks.box_xywh(number, self.label)
        except InvalidInputError:
            return None

    @property
    def boxes_xywh(self) -> np.ndarray:  # type: ignore[override]
        return self._label_boxes[0]

    @property
    def unreadable(self) -> int:
        return self._label_boxes[1]

    @property
    def sources(self) -> tuple[Files, ...]:
        return self.files, self.masks.files

    def path(self, i: int) -> pathlib.Path:
        return self.files.path(self.numbers[i])

    def image_bgr(self, i: int, stretch: IntensityStretch | None = None) -> np.ndarray:
        return read_image_bgr(self.path(i), self.masks.size_wh(self.numbers[i]), stretch)

    def has_mask(self, i: int) -> bool:
        return True

    def mask(self, i: int) -> np.ndarray | None:
        return self.masks.mask(self.numbers[i], self.label)

    def label_name(self, i: int) -> str:
        return pathlib.PurePath(self.masks.files.name(self.numbers[i])).stem

    def spread(self, max_frames: int) -> "Track":
        """As `Track.spread`, but over all frames, so that no mask has to be decoded."""
        return self.take(_spread(np.arange(len(self)), max_frames))
