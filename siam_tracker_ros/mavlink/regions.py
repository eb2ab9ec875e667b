# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From the parameters of MAVLink's tracking commands to a box in fractions of the image.

The coordinates in these commands are 0..1 of the image, from its left and top; a ground station has removed the borders
of its video by then.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.geometry import (
    intersection_xywh,
    normalized_to_pixels,
    xywh_to_cxcywh,
    xyxy_to_xywh,
)

MIN_SIDE = 4  # pixels of a box that a person can have meant
_ROUNDING = 1e-6  # corners are computed and sent in float32
_IMAGE_XYWH = (0.0, 0.0, 1.0, 1.0)


def rectangle_box(corners_xyxy: Sequence[float], size_wh: tuple[int, int]) -> NDArray[np.float64]:
    """Return the box of MAV_CMD_CAMERA_TRACK_RECTANGLE as box_cxcywh in fractions of the image, float64 (4,).

    Args:
        corners_xyxy: left, top, right, bottom in fractions of the image.
        size_wh: width and height of the image in pixels.

    Raises:
        InvalidInputError: a corner is not in the image or not a number, the corners are exchanged, or the box is
            under 4 pixels wide or high.
    """
    left, top, right, bottom = corners_xyxy
    _check_inside(f"corners ({left:g}, {top:g}) and ({right:g}, {bottom:g})", corners_xyxy)
    if right < left or bottom < top:
        raise InvalidInputError(
            f"corners are ({left:g}, {top:g}) and ({right:g}, {bottom:g}), expected the top left one first, then the "
            "bottom right one"
        )
    return _visible(xyxy_to_xywh(np.array(corners_xyxy, dtype=np.float64)), size_wh)


def point_alone(point_xy: Sequence[float]) -> NDArray[np.float64]:
    """Return the point of MAV_CMD_CAMERA_TRACK_POINT as a box_cxcywh without size in fractions, float64 (4,).

    Raises:
        InvalidInputError: the point is not in the image or not a number.
    """
    x, y = point_xy
    _check_inside(f"point ({x:g}, {y:g})", point_xy)
    return np.array([*np.clip(point_xy, 0, 1), 0, 0])


def point_box(
    point_xy: Sequence[float], radius: float, point_size: float, size_wh: tuple[int, int]
) -> NDArray[np.float64]:
    """Return a square around the point of MAV_CMD_CAMERA_TRACK_POINT as box_cxcywh in fractions, float64 (4,).

    It is square in pixels; what lies outside of the image is cut off.

    Args:
        point_xy: the point in fractions of the image.
        radius: that of the command, over the image's width; only used where point_size is 0.
        point_size: side of the square over the image's width; 0: twice the radius.
        size_wh: width and height of the image in pixels.

    Raises:
        InvalidInputError: the point is not in the image or not a number, so is the radius, or the square is too small.
    """
    x, y = point_xy
    _check_inside(f"point ({x:g}, {y:g})", point_xy)
    if point_size == 0:
        _check_inside(f"radius {radius:g}", [radius])
    width, height = size_wh
    side = point_size or 2 * radius
    sides_wh = np.array([side, side * width / height])
    return _visible(np.concatenate([np.array(point_xy) - sides_wh / 2, sides_wh]), size_wh)


def _check_inside(shown: str, values: Sequence[float]) -> None:
    if not all(-_ROUNDING <= value <= 1 + _ROUNDING for value in values):  # nor NaN
        raise InvalidInputError(f"{shown} expected in 0..1, as fractions of the image's width and height")


def _visible(box_xywh: NDArray[np.float64], size_wh: tuple[int, int]) -> NDArray[np.float64]:
    """Return the part of a box inside the image as box_cxcywh, all in fractions."""
    box_xywh = intersection_xywh(box_xywh, _IMAGE_XYWH)
    width, height = normalized_to_pixels(box_xywh, size_wh)[2:]
    if min(width, height) < MIN_SIDE:
        raise InvalidInputError(
            f"the box is {width:.3g} x {height:.3g} pixels, expected at least {MIN_SIDE} x {MIN_SIDE}; mark the whole "
            "target"
        )
    return xywh_to_cxcywh(box_xywh)
