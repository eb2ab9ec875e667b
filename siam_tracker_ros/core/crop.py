# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Crops of a target with context, the input of every Siamese tracker."""

import typing
from collections.abc import Callable, Iterable

import cv2
import numpy as np
import numpy.typing as npt

from siam_tracker_ros.core.stage import stage

TEMPLATE_SIDE = 127  # pixels of a template crop in SiamFC and in the published trackers after it
SEARCH_SIDE = 255  # pixels of their usual search crop
FAR_DOWN = 8  # times the crop; a region of this side and more is sampled instead of padded
REGION_NUMBERS = 6  # what `region_numbers` returns
DOWN = 3  # times the crop; the same where the pixels need not be exact


class SearchRegion(typing.NamedTuple):
    """The square region of a frame in which a target is looked for.

    Attributes:
        origin_xy: its top left pixel.
        side: its side in pixels of the frame.
        crop_side: side of its crop in pixels.
        scale: pixels of the crop per pixel of the frame, before the side is rounded.
    """

    origin_xy: tuple[int, int]
    side: int
    crop_side: int
    scale: float


def round_half_up(value: float) -> int:
    """Nearest whole number, halves upwards: PySOT's rule for the corner of a region."""
    return int(np.floor(value + 0.5))


def mean_bgr(image_bgr: np.ndarray) -> npt.NDArray[np.float64]:
    """Mean colour (3,) of an image; the published trackers fill with it what lies outside the frame."""
    return np.array(cv2.sumElems(image_bgr)[:3]) / (image_bgr.shape[0] * image_bgr.shape[1])


def region_corner(
    center_xy: Iterable[float], side: int, snap: Callable[[float], int] = round_half_up
) -> tuple[int, int]:
    """Top left pixel (x, y) of the region of a side around a centre, see `crop_context`."""
    x0, y0 = (int(snap(center - (side + 1) / 2)) for center in center_xy)
    return x0, y0


def region_numbers(corner_xy: tuple[int, int], side: int, fill_bgr: Iterable[float]) -> list[float]:
    """Corner, side and colour of a region, as `device_crop` takes them; float32 holds them up to 16 million pixels."""
    return [*corner_xy, side, *(int(value) for value in fill_bgr)]


@stage("crop")
def crop_context(
    image_bgr: np.ndarray,
    center_xy: Iterable[float],
    side: int,
    out_side: int,
    fill_bgr: Iterable[float],
    snap: Callable[[float], int] = round_half_up,
    exact: bool = True,
) -> tuple[np.ndarray, tuple[int, int]]:
    """Cut a square region out of an image and resize it; what lies outside the image is filled.

    The pixels are those of PySOT's crop, bit for bit, at a bounded cost: the region is padded, never the frame, and of
    a large region only the pixels that the crop shows are read. Without `exact`, those of a large region that reaches
    over the frame's edge are rounded otherwise (by 1 at most in OpenCV 5), at a fraction of the time.

    Args:
        image_bgr: uint8 (H, W, 3).
        center_xy: centre of the region in pixels; the region snaps to whole pixels.
        side: side of the region in whole pixels, at least 1.
        out_side: side of the crop in pixels.
        fill_bgr: three colour values, cut to integers.
        snap: rounding of the region's corner; SiamMask and Ocean use `round` (halves to even).
        exact: whether the pixels have to be exactly those of PySOT's crop.

    Returns:
        The crop, uint8 (out_side, out_side, 3), and the top left pixel (x, y) of the region in the image.
    """
    x0, y0 = region_corner(center_xy, side, snap)
    height, width = image_bgr.shape[:2]
    left, top = max(0, -x0), max(0, -y0)
    right, bottom = max(0, x0 + side - width), max(0, y0 + side - height)
    fill = tuple(int(value) for value in fill_bgr)
    if left >= side or top >= side or right >= side or bottom >= side:
        return np.full((out_side, out_side, 3), fill, np.uint8), (x0, y0)
    reaches_over = left or top or right or bottom
    if reaches_over and not exact and side >= DOWN * out_side:
        return _warp_region(image_bgr, x0, y0, side, out_side, fill), (x0, y0)
    if reaches_over and side >= FAR_DOWN * out_side:
        return _sample_region(image_bgr, x0, y0, side, out_side, fill), (x0, y0)
    region = image_bgr[y0 + top : y0 + side - bottom, x0 + left : x0 + side - right]
    if reaches_over:
        region = cv2.copyMakeBorder(region, top, bottom, left, right, cv2.BORDER_CONSTANT, value=fill)
    if side != out_side:
        region = cv2.resize(region, (out_side, out_side))
    return np.ascontiguousarray(region), (x0, y0)


def _warp_region(
    image_bgr: np.ndarray, x0: int, y0: int, side: int, out_side: int, fill: tuple[int, ...]
) -> np.ndarray:
    """The crop of padding and `cv2.resize`, but for rounding, from the pixels that it shows."""
    zoom = side / out_side
    to_image = np.array([[zoom, 0, x0 + zoom / 2 - 0.5], [0, zoom, y0 + zoom / 2 - 0.5]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(
        image_bgr, to_image, (out_side, out_side), flags=flags, borderMode=cv2.BORDER_CONSTANT, borderValue=fill
    )


def _sample_region(
    image_bgr: np.ndarray, x0: int, y0: int, side: int, out_side: int, fill: tuple[int, ...]
) -> np.ndarray:
    """The crop of padding and `cv2.resize`, from the four source pixels alone of each of its pixels.

    OpenCV blends uint8 images with weights of 11 bits and drops 4 bits between the two directions.
    """
    position = ((np.arange(out_side) + 0.5) * (side / out_side) - 0.5).astype(np.float32)
    first = np.floor(position).astype(int)
    near, far = (np.rint(weight * 2048).astype(np.int32) for weight in (1 - (position - first), position - first))
    taps = np.stack([first, first + 1], 1).ravel()  # (2 * out_side,)
    rows, columns = taps + y0, taps + x0
    height, width = image_bgr.shape[:2]
    pixels = image_bgr[rows.clip(0, height - 1)].take(columns.clip(0, width - 1), axis=1)
    pixels[(rows < 0) | (rows >= height)] = fill
    pixels[:, (columns < 0) | (columns >= width)] = fill
    lines = (pixels[:, ::2] * near[:, None] + pixels[:, 1::2] * far[:, None]) >> 4  # (2 * out_side, out_side, 3)
    near, far = near[:, None, None], far[:, None, None]
    return ((((near * lines[::2]) >> 16) + ((far * lines[1::2]) >> 16) + 2) >> 2).astype(np.uint8)
