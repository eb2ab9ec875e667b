# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Masks of several objects in one picture: indexed PNG files."""

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
    """Pictures whose pixels are objects' labels, and 0 elsewhere.

    Attributes:
        files: Files, by the frames' numbers.
    """

    files: Files

    def read(self, number):
        """Labels, uint8 (H, W), of a frame; raises InvalidInputError where they cannot be read."""
        require("reading indexed masks", "PIL")
        from PIL import Image  # OpenCV turns labels into the colours of their palette

        path = self.files.path(number)
        try:
            with Image.open(path) as picture:
                mode, labels = picture.mode, np.asarray(picture).astype(np.uint8)
        except (OSError, SyntaxError, ValueError) as error:
            raise InvalidInputError(
                f"{path} cannot be read ({error}), expected a picture of labels; unpack it again"
            ) from error
        if mode not in _INDEXED:
            raise InvalidInputError(
                f"{path} is a picture in mode {mode}, expected one channel of labels; check that path leads to masks"
            )
        return labels

    def mask(self, number, label=None):
        """Mask of an object in a frame, uint8 (H, W) of 0 and 255; without label of all that is not 0."""
        return _mask(self.read(number), label) * np.uint8(255)

    def box_xywh(self, number, label=None):
        """Bounds of an object in a frame, float64 (4,), NaN where it is absent; without label of all that is not 0."""
        return self._boxes(int(number)).get(label, np.full(4, np.nan))

    @functools.cached_property
    def _known(self):
        return {}

    def _boxes(self, number):
        """Bounds by label in a frame, and of all that is not 0 by None; decoded once for all objects."""
        if number not in self._known:
            labels = self.read(number)
            present = np.flatnonzero(np.bincount(labels.ravel())[1:]) + 1  # much faster than np.unique
            self._known[number] = {label: _bounds(labels, label) for label in [None, *present.tolist()] if len(present)}
        return self._known[number]


def _mask(labels, label):
    return (labels != 0 if label is None else labels == label).astype(np.uint8)


def _bounds(labels, label):
    return np.array(cv2.boundingRect(_mask(labels, label)), np.float64)
