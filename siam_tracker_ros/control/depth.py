# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How far the target is: from a depth image, or from its known height.

Depth is measured along the optical axis, as depth images have it.
"""

import math

import numpy as np
from numpy.typing import NDArray

from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.image_conversion import DepthImage

_INNER = 0.5  # of the box's sides without a mask; the rest is often background
_MIN_PIXELS = 12
_MIN_SHARE = 0.05  # of the target's pixels that have to be measured
_OUTLIER = 3.0  # standard deviations from the target's depth
_HALF_OF_NORMAL = 1.349  # standard deviations that the middle half of normally distributed values spans


def measure_depth(
    depth: DepthImage, size_wh: tuple[int, int], box_xywh: NDArray[np.float64], mask: np.ndarray | None = None
) -> float:
    """Return the depth of the target in metres, along the optical axis.

    It is the densest cluster of its pixels that counts, so nearly half of them may be background or outliers.

    Args:
        depth: depth image, registered to the tracked image: its pixels are the same.
        size_wh: width and height of the tracked image.
        box_xywh: the target's box; without a mask, the inner quarter of its area counts.
        mask: bool (H, W), pixels of the target.

    Raises:
        InvalidInputError: the depth image has another size, or too few pixels of the target are measured.
    """
    height, width = depth.values.shape
    if (width, height) != size_wh:
        raise InvalidInputError(
            f"the depth image is {width} x {height} pixels, expected {size_wh[0]} x {size_wh[1]} as the tracked image; "
            "register it to that image"
        )
    share = 1.0 if mask is not None else _INNER
    rows, columns = _inner_pixels(box_xywh, share, depth.values.shape)
    values = depth.values[rows, columns]
    values = values[mask[rows, columns]] if mask is not None else values.reshape(-1)
    measured = values[np.isfinite(values) & (values > 0)].astype(np.float64) * depth.unit_m
    if measured.size < max(_MIN_PIXELS, _MIN_SHARE * values.size):
        raise InvalidInputError(
            f"{measured.size} of the target's {values.size} pixels are measured in the depth image, expected at least "
            f"{_MIN_PIXELS} and {_MIN_SHARE:.0%}; the target is out of the range of the depth camera, or the image is "
            "not registered to the tracked one"
        )
    return _densest(np.sort(measured))


def depth_of_height(top_ray: NDArray[np.float64], bottom_ray: NDArray[np.float64], height_m: float) -> float:
    """Return the depth in metres of a target of known height that stands upright in the optical frame.

    Args:
        top_ray, bottom_ray: rays (3,) to the middles of the upper and the lower side of its box.
        height_m: its height in metres.

    Returns:
        Its depth; NaN if the rays tell none.
    """
    tangent = bottom_ray[1] / bottom_ray[2] - top_ray[1] / top_ray[2]
    return height_m / tangent if tangent > 0 else math.nan


def position_at(ray: NDArray[np.float64], depth_m: float) -> NDArray[np.float64]:
    """Return the point (3,) in metres in which a ray has a depth; NaN where one of them is."""
    return ray / ray[2] * depth_m


def _inner_pixels(box_xywh: NDArray[np.float64], share: float, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Return the rows and columns of the inner part of a box that lie in an image."""
    x, y, width, height = box_xywh
    left, right = x + width * (1 - share) / 2, x + width * (1 + share) / 2
    top, bottom = y + height * (1 - share) / 2, y + height * (1 + share) / 2
    return _pixels(top, bottom, shape[0]), _pixels(left, right, shape[1])


def _pixels(start: float, end: float, count: int) -> slice:
    """Return the pixels of a row that an interval touches."""
    return slice(max(0, math.floor(start)), max(0, min(count, math.ceil(end))))


def _densest(values: NDArray[np.float64]) -> float:
    """Return the middle of sorted values, by the half of them that lies closest together and what is near it."""
    half = (values.size + 1) // 2
    widths = values[half - 1 :] - values[: values.size - half + 1]
    first = int(widths.argmin())
    center = np.median(values[first : first + half])
    deviation = widths[first] / _HALF_OF_NORMAL
    return float(values[np.abs(values - center) <= _OUTLIER * deviation].mean())
