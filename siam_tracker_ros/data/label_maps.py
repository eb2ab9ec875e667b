# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Masks of several objects in one image: indexed PNG files."""

import dataclasses
import functools

import cv2
import numpy as np

from siam_tracker_ros.data.files import Files
from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.extras import require

_INDEXED = ("1", "L", "P")  # Pillow's modes of one channel


@dataclasses.dataclass(frozen=True, eq=False)
class LabelMaps:
    """Images whose pixels are the labels of objects, 0 for none.

    Attributes:
        files: by frame number.
    """

    files: Files

    def read(self, number: int) -> np.ndarray:
        """Return the labels of a frame, uint8 (H, W); raises InvalidInputError if they cannot be read."""
        require("reading indexed masks", "PIL")
        from PIL import Image  # OpenCV returns the colours of the palette, not the labels

        path = self.files.path(number)
        try:
            with Image.open(path) as image:
                mode, labels = image.mode, np.asarray(image).astype(np.uint8)
        except (OSError, SyntaxError, ValueError) as error:
            raise InvalidInputError(
                f"{path} cannot be read ({error}), expected an image of labels; unpack it again"
            ) from error
        if mode not in _INDEXED:
            raise InvalidInputError(
                f"{path} is an image in mode {mode}, expected one channel of labels; check that path leads to masks"
            )
        return labels

    def size_wh(self, number: int) -> tuple[int, int] | None:
        """Return width and height of the labels of a frame, from the head of the file; None if it cannot be read."""
        require("reading indexed masks", "PIL")
        from PIL import Image

        try:
            with Image.open(self.files.path(number)) as image:
                return image.size
        except (OSError, SyntaxError, ValueError):
            return None

    def mask(self, number: int, label: int | None = None) -> np.ndarray:
        """Return the mask of a label in a frame, uint8 (H, W) of 0 and 255; None for all labels."""
        return _mask(self.read(number), label) * np.uint8(255)

    def box_xywh(self, number: int, label: int | None = None) -> np.ndarray:
        """Return the bounding box of a label in a frame, float64 (4,), NaN if it is absent; None for all labels."""
        return self._boxes(int(number)).get(label, np.full(4, np.nan))

    @functools.cached_property
    def _known(self) -> dict[int, dict[int | None, np.ndarray]]:
        return {}

    def _boxes(self, number: int) -> dict[int | None, np.ndarray]:
        """Return the bounding boxes by label in a frame; each frame is decoded once."""
        if number not in self._known:
            labels = self.read(number)
            present = np.flatnonzero(np.bincount(labels.ravel())[1:]) + 1  # much faster than np.unique
            self._known[number] = {label: _bounds(labels, label) for label in [None, *present.tolist()] if len(present)}
        return self._known[number]


def _mask(labels: np.ndarray, label: int | None) -> np.ndarray:
    return (labels != 0 if label is None else labels == label).astype(np.uint8)


def _bounds(labels: np.ndarray, label: int | None) -> np.ndarray:
    return np.array(cv2.boundingRect(_mask(labels, label)), np.float64)
