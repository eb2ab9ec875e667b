# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Box conversions, and checks of images and boxes.

Conventions. Pixels count from the top-left corner of the image: pixel column i covers the interval [i, i + 1),
so a box that covers the whole image is (0, 0, width, height) and the centre of a box is x + w / 2.

    box_xywh    left, top, width, height
    box_xyxy    left, top, right, bottom
    box_cxcywh  centre x, centre y, width, height
    box_cxcywht centre x, centre y, width, height, theta: a box turned by theta radians about its centre, clockwise
                on the screen (y points down)
    size_wh     width, height

Conversions of boxes of shape (..., 4) take NumPy arrays or torch tensors and return the same type.
"""

import typing
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from siam_tracker_ros.errors import InvalidInputError

if typing.TYPE_CHECKING:
    import torch

Boxes = typing.TypeVar("Boxes", np.ndarray, "torch.Tensor")

MAX_RATIO = 10  # a target box's side over the image's


def _join(parts: list[Boxes]) -> Boxes:
    """Concatenate arrays or tensors along the last axis; torch is imported for tensors only."""
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts, axis=-1)
    import torch

    return torch.cat(parts, dim=-1)


def xywh_to_xyxy(box_xywh: Boxes) -> Boxes:
    """Convert (..., 4) boxes from left, top, width, height to left, top, right, bottom."""
    return _join([box_xywh[..., :2], box_xywh[..., :2] + box_xywh[..., 2:]])


def xyxy_to_xywh(box_xyxy: Boxes) -> Boxes:
    """Convert (..., 4) boxes from left, top, right, bottom to left, top, width, height."""
    return _join([box_xyxy[..., :2], box_xyxy[..., 2:] - box_xyxy[..., :2]])


def one_based_to_xywh(box: Boxes) -> Boxes:
    """Convert (..., 4) boxes of left, top, width, height whose pixels count from 1, as in MATLAB."""
    return _join([box[..., :2] - 1, box[..., 2:]])


def xywh_to_one_based(box_xywh: Boxes) -> Boxes:
    """Convert (..., 4) boxes of left, top, width, height to those whose pixels count from 1, as in MATLAB."""
    return _join([box_xywh[..., :2] + 1, box_xywh[..., 2:]])


def pixels_to_xywh(box: Boxes) -> Boxes:
    """Convert (..., 4) boxes of left, top, right, bottom that name the outermost pixels inside, counted from 0."""
    return _join([box[..., :2], box[..., 2:] - box[..., :2] + 1])


def xywh_to_cxcywh(box_xywh: Boxes) -> Boxes:
    """Convert (..., 4) boxes from left, top, width, height to centre x, centre y, width, height."""
    return _join([box_xywh[..., :2] + box_xywh[..., 2:] / 2, box_xywh[..., 2:]])


def cxcywh_to_xywh(box_cxcywh: Boxes) -> Boxes:
    """Convert (..., 4) boxes from centre x, centre y, width, height to left, top, width, height."""
    return _join([box_cxcywh[..., :2] - box_cxcywh[..., 2:] / 2, box_cxcywh[..., 2:]])


def cxcywh_to_xyxy(box_cxcywh: Boxes) -> Boxes:
    """Convert (..., 4) boxes from centre x, centre y, width, height to left, top, right, bottom."""
    half = box_cxcywh[..., 2:] / 2
    return _join([box_cxcywh[..., :2] - half, box_cxcywh[..., :2] + half])


def ltrb_to_cxcywh(distance_ltrb: Boxes, point_xy: Boxes) -> Boxes:
    """Convert (..., 4) distances from a point (..., 2) to the left, top, right and bottom side of a box around it."""
    before, after = distance_ltrb[..., :2], distance_ltrb[..., 2:]
    return _join([point_xy + (after - before) / 2, after + before])


def normalized_to_pixels(box: ArrayLike, size_wh: Sequence[int]) -> NDArray[np.float64]:
    """Scale boxes (..., 4) of any format here from 0..1 of an image to its pixels; size_wh is (width, height)."""
    width, height = size_wh
    return np.asarray(box, dtype=np.float64) * np.array([width, height, width, height], dtype=np.float64)


def pixels_to_normalized(box: ArrayLike, size_wh: Sequence[int]) -> NDArray[np.float64]:
    """Scale boxes (..., 4) of any format here from pixels of an image to 0..1 of it; size_wh is (width, height)."""
    width, height = size_wh
    return np.asarray(box, dtype=np.float64) / np.array([width, height, width, height], dtype=np.float64)


def xywh_to_corners(box_xywh: ArrayLike) -> NDArray[np.float64]:
    """Return the corners (4, 2) of one box (4,), clockwise on the screen from the top left."""
    x1, y1, x2, y2 = xywh_to_xyxy(np.asarray(box_xywh, dtype=np.float64))
    return np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]])


def order_corners(corners: ArrayLike) -> NDArray[np.float64]:
    """Return the corners (4, 2) of a box clockwise on the screen, from the one nearest to the top left."""
    corners = np.asarray(corners, dtype=np.float64)
    (ax, ay), (bx, by) = corners[2] - corners[0], corners[3] - corners[1]
    clockwise = corners if ax * by - ay * bx >= 0 else corners[::-1]  # y points down
    return np.roll(clockwise, -clockwise.sum(axis=1).argmin(), axis=0)


def corners_to_cxcywh(corners: ArrayLike) -> NDArray[np.float64]:
    """Return the upright box (4,) with the extent of corners (4, 2), centred on their mean."""
    corners = np.asarray(corners, dtype=np.float64)
    return np.concatenate([corners.mean(axis=0), np.ptp(corners, axis=0)])


def corners_to_equal_area_cxcywh(corners: ArrayLike) -> NDArray[np.float64]:
    """Return the upright box (4,) with the area of a rotated box and the aspect ratio of its bounds, one pixel larger.

    PySOT converts the rotated boxes of the VOT challenge by this rule. The pixel is added because their corners are
    centres of pixels.
    """
    corners = np.asarray(corners, dtype=np.float64)
    box = corners_to_cxcywh(corners)
    area = np.linalg.norm(corners[0] - corners[1]) * np.linalg.norm(corners[1] - corners[2])
    box[2:] = box[2:] * np.sqrt(area / box[2:].prod()) + 1
    return box


def corners_to_cxcywht(corners: ArrayLike) -> NDArray[np.float64]:
    """Return one rotated box (5,) from its corners (4, 2), in either direction and from any corner.

    theta is in -pi/4..pi/4, so the width is the side nearer to horizontal. Opposite sides are averaged where the
    corners form no rectangle.
    """
    a, b, c, d = np.asarray(corners, dtype=np.float64)
    sides = np.array([b - a + c - d, c - b + d - a]) / 2
    lengths = np.hypot(*sides.T)
    width, height = lengths
    longer = lengths.argmax()  # a side of length 0 has no direction
    angle = np.arctan2(sides[longer, 1], sides[longer, 0])
    quarters = round(angle / (np.pi / 2))
    if (quarters + longer) % 2:
        width, height = height, width
    return np.array([*((a + b + c + d) / 4), width, height, angle - quarters * np.pi / 2])


def cxcywht_to_corners(box_cxcywht: ArrayLike) -> NDArray[np.float64]:
    """Return the corners (4, 2) of one rotated box (5,), clockwise on the screen; from the top left at theta 0."""
    x, y, w, h, theta = np.asarray(box_cxcywht, dtype=np.float64)
    along = np.array([np.cos(theta), np.sin(theta)]) * w / 2
    down = np.array([-np.sin(theta), np.cos(theta)]) * h / 2
    return np.array([x, y]) + np.array([-along - down, along - down, along + down, down - along])


def intersection_xywh(first_xywh: ArrayLike, second_xywh: ArrayLike) -> NDArray[np.float64]:
    """Common part of boxes (..., 4) with boxes (..., 4), broadcast; NumPy. It has a side of 0 where there is none."""
    a, b = (xywh_to_xyxy(np.asarray(boxes, dtype=np.float64)) for boxes in (first_xywh, second_xywh))
    start = np.maximum(a[..., :2], b[..., :2])
    sides = np.minimum(a[..., 2:], b[..., 2:]) - start
    return np.concatenate([start, np.clip(sides, 0, None)], axis=-1)


def cxcywht_to_cxcywh(box_cxcywht: ArrayLike) -> NDArray[np.float64]:
    """Return the upright box (4,) that holds one rotated box (5,)."""
    x, y, w, h, theta = np.asarray(box_cxcywht, dtype=np.float64)
    along, across = abs(np.cos(theta)), abs(np.sin(theta))
    return np.array([x, y, w * along + h * across, w * across + h * along])


def iou_xywh(first_xywh: ArrayLike, second_xywh: ArrayLike) -> NDArray[np.float64]:
    """Intersection over union of boxes (..., 4) with boxes (..., 4), broadcast; NumPy, 0..1.

    A box without area, or with a NaN, gives 0.
    """
    first, second = np.asarray(first_xywh, dtype=np.float64), np.asarray(second_xywh, dtype=np.float64)
    intersection = intersection_xywh(first, second)[..., 2:].prod(axis=-1)
    areas = np.clip(first[..., 2:], 0, None).prod(axis=-1) + np.clip(second[..., 2:], 0, None).prod(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        iou = intersection / (areas - intersection)
    return np.nan_to_num(iou, nan=0.0, posinf=0.0)


def check_image_bgr(image_bgr: np.ndarray) -> np.ndarray:
    """Return the image when it is uint8 (H, W, 3) with at least one pixel; raise InvalidInputError otherwise."""
    if not isinstance(image_bgr, np.ndarray):
        raise InvalidInputError(
            f"image is {type(image_bgr).__name__}, expected a numpy array of uint8 (height, width, 3) in BGR order; "
            "cv2.imread returns None for a file that it cannot read"
        )
    if image_bgr.dtype != np.uint8 or image_bgr.ndim != 3 or image_bgr.shape[2] != 3 or image_bgr.size == 0:
        raise InvalidInputError(
            f"image is {image_bgr.dtype} {image_bgr.shape}, expected uint8 (height, width, 3) in BGR order; "
            "convert it first, for example with cv2.cvtColor"
        )
    return image_bgr


def check_box_xywh(box_xywh: ArrayLike, size_wh: Sequence[int]) -> NDArray[np.float64]:
    """Return a target box as float64 (4,) when a tracker can start on it.

    Args:
        box_xywh: left, top, width, height in pixels.
        size_wh: width and height of the image that the box lies in.

    Raises:
        InvalidInputError: not four finite numbers, a side under one pixel or over ten times the image's, or no
            overlap with the image.
    """
    try:
        box = np.asarray(box_xywh, dtype=np.float64).reshape(-1)
    except (TypeError, ValueError):
        box = np.empty(0)
    if box.shape != (4,):
        raise InvalidInputError(f"box is {box_xywh!r}, expected four numbers: x, y, width, height in pixels")
    shown = "(" + ", ".join(f"{value:g}" for value in box) + ")"
    if not np.isfinite(box).all():
        raise InvalidInputError(f"box {shown} has a value that is not finite, expected four finite numbers")
    x, y, w, h = box
    if w > MAX_RATIO * size_wh[0] or h > MAX_RATIO * size_wh[1]:
        raise InvalidInputError(
            f"box {shown} is {w:g} x {h:g} pixels in an image of {size_wh[0]} x {size_wh[1]}, expected at most "
            f"{MAX_RATIO} times the image's sides; check that the box is in the pixels of this image"
        )
    if w < 1 or h < 1:
        raise InvalidInputError(
            f"box {shown} is {w:g} x {h:g} pixels, expected at least 1 x 1; "
            "the order is x, y, width, height, not two corners"
        )
    width, height = size_wh
    if min(x + w, width) - max(x, 0) <= 0 or min(y + h, height) - max(y, 0) <= 0:
        raise InvalidInputError(
            f"box {shown} lies outside the {width} x {height} image, expected an overlap; "
            "check that the box is in the pixels of this image"
        )
    return box
