# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Masks on disk: the one reader of their pixels, for training and evaluation.

A file holds the mask of one target, or the numbers of several. Pixels may be 0 and 1, 0 and 255, booleans (1 bit),
indices of a palette, 16 bits, or colours.
"""

import dataclasses
import functools
import pathlib
import typing

import cv2
import numpy as np

from siam_tracker_ros.data.files import Files
from siam_tracker_ros.errors import InvalidInputError

VOID = 255  # beside the numbers of objects: pixels that the annotators left open
_NUMBERS = ("1", "L", "P", "I;16", "I")  # Pillow's modes of one channel
_COLOURS = ("LA", "PA", "RGB", "RGBA", "RGBX")


@dataclasses.dataclass(frozen=True, eq=False)
class LabelMaps:
    """Masks by frame number.

    Attributes:
        files: by frame number.
    """

    files: Files

    def read(self, number: int) -> np.ndarray:
        """Return the numbers of the objects in a frame, unsigned (H, W), 0 for none.

        Colours are taken for those of the palette that DAVIS and PASCAL VOC use.

        Raises:
            InvalidInputError: they cannot be read, or have other colours.
        """
        path = self.files.path(number)
        pixels = _read_pixels(path, path)
        return pixels if pixels.ndim == 2 else _colours_to_labels(pixels, path)

    def size_wh(self, number: int) -> tuple[int, int] | None:
        """Return width and height of the labels of a frame, from the head of the file; None if it cannot be read."""
        from PIL import Image

        try:
            with Image.open(self.files.path(number)) as image:
                return image.size
        except (OSError, SyntaxError, ValueError):
            return None

    def mask(self, number: int, label: int | None = None) -> np.ndarray:
        """Return a mask in a frame, uint8 (H, W) of 0 and 255.

        Args:
            number: of the frame.
            label: number of the object; None for what `target_pixels` takes for the target.

        Raises:
            InvalidInputError: as in `read`.
        """
        if label is None:
            return read_mask(self.files.path(number))
        return (self.read(number) == label) * np.uint8(255)

    def box_xywh(self, number: int, label: int | None = None) -> np.ndarray:
        """Return the bounding box of a mask in a frame, float64 (4,), NaN if it is empty; see `mask`."""
        if label is None:
            mask = self.mask(number)
            return _bounds(mask) if mask.any() else np.full(4, np.nan)
        return self._boxes(int(number)).get(label, np.full(4, np.nan))

    @functools.cached_property
    def _known(self) -> dict[int, dict[int, np.ndarray]]:
        return {}

    def _boxes(self, number: int) -> dict[int, np.ndarray]:
        """Return the bounding boxes by label in a frame; each frame is decoded once."""
        if number not in self._known:
            labels = self.read(number)
            present = np.flatnonzero(np.bincount(labels.ravel())[1:]) + 1  # much faster than np.unique
            self._known[number] = {label: _bounds((labels == label).astype(np.uint8)) for label in present.tolist()}
        return self._known[number]


def read_mask(file: pathlib.Path | typing.BinaryIO, source: object = None) -> np.ndarray:
    """Return the mask of one target in a file, uint8 (H, W) of 0 and 255.

    Args:
        file: path, or an open file.
        source: what the message of an error names; None for the path.

    Raises:
        InvalidInputError: it is no mask.
    """
    return target_pixels(_read_pixels(file, file if source is None else source)) * np.uint8(255)


def target_pixels(pixels: np.ndarray) -> np.ndarray:
    """Say which pixels of a mask of one target belong to it, bool (H, W).

    All do that are not 0 or, in colours (H, W, 3), not black. Grey levels that reach the upper half of their range are
    a mask with soft edges: there the limit is half of the range.
    """
    if pixels.ndim == 3 and (pixels == pixels[..., :1]).all():
        pixels = pixels[..., 0]
    if pixels.ndim == 3:
        return (pixels != 0).any(axis=2)
    half = np.iinfo(pixels.dtype).max // 2
    return pixels > half if pixels.max(initial=0) > half else pixels != 0


def _read_pixels(file: pathlib.Path | typing.BinaryIO, source: object) -> np.ndarray:
    """Return the pixels of a mask: uint8 or uint16 (H, W), or RGB, uint8 (H, W, 3), black where transparent."""
    from PIL import Image  # OpenCV returns the colours of a palette, not its indices

    try:
        with Image.open(file) as image:
            mode = image.mode
            pixels = np.asarray(image.convert("RGBA") if mode in _COLOURS else image)
    except (OSError, SyntaxError, ValueError) as error:
        raise InvalidInputError(f"{source} cannot be read ({error}), expected a mask; unpack it again") from error
    if mode in _COLOURS:
        return np.where(pixels[..., 3:] > 0, pixels[..., :3], np.uint8(0))
    if mode not in _NUMBERS or pixels.min(initial=0) < 0 or pixels.max(initial=0) > np.iinfo(np.uint16).max:
        raise InvalidInputError(
            f"{source} is an image in mode {mode}, expected up to 16 bits, or colours; check that path leads to masks"
        )
    return pixels.astype(np.uint16 if mode.startswith("I") else np.uint8)


@functools.cache
def _palette_codes() -> np.ndarray:
    """Return the colours of the labels 0..255, as red * 65536 + green * 256 + blue, int64 (256,).

    The bits of a label, from the lowest, are in turn the highest bits of red, green and blue, then the second highest.
    """
    labels = np.arange(256)
    code = np.zeros(256, np.int64)
    for bit in range(8):
        channel, place = bit % 3, 7 - bit // 3
        code |= (labels >> bit & 1) << (8 * (2 - channel) + place)
    return code


def _colours_to_labels(pixels_rgb: np.ndarray, path: pathlib.Path) -> np.ndarray:
    """Return the labels, uint8 (H, W), of colours, uint8 (H, W, 3)."""
    if (pixels_rgb == pixels_rgb[..., :1]).all():  # grey levels, stored as colours
        return pixels_rgb[..., 0]
    code = pixels_rgb.astype(np.int64) @ np.array([1 << 16, 1 << 8, 1])
    known = _palette_codes()
    order = np.argsort(known)
    labels = order[np.searchsorted(known, code, sorter=order).clip(max=255)]
    if (known[labels] != code).any():
        raise InvalidInputError(
            f"{path} has colours, expected the numbers of objects or the colours that DAVIS has for them; "
            "check that path leads to masks"
        )
    return labels.astype(np.uint8)


def _bounds(mask: np.ndarray) -> np.ndarray:
    return np.array(cv2.boundingRect(mask), np.float64)
