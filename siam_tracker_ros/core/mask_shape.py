# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The mask of a window as a mask of the frame, and the shape of its largest part."""

import cv2
import numpy as np
import numpy.typing as npt

from siam_tracker_ros.core.finite import check_finite
from siam_tracker_ros.geometry import order_corners

COLUMN_BLOCK = 64  # OpenCV warps columns in blocks, and rounds differently in a block that the width cuts
MIN_AREA = 100  # square pixels; a smaller part has no shape


def warp_mask(
    mask: np.ndarray, corner_xy: npt.ArrayLike, side: float, frame_wh: tuple[int, int], border: float
) -> tuple[np.ndarray, tuple[int, int]]:
    """Warp the mask of a square window to its place and scale in the frame.

    The values are those of a warp to the whole frame, as in the authors' code, but only the rows and columns of the
    window are computed.

    Args:
        mask: float32 (S, S).
        corner_xy: top left corner of the window in pixels of the frame.
        side: side of the window in pixels of the frame.
        frame_wh: width and height of the frame.
        border: value around the window; it blends into the window's outermost pixels.

    Returns:
        Values float32 (h, w) of the part of the frame that holds the window, and its first pixel (x, y). Outside of
        the part all is border.

    Raises:
        NetworkOutputError: a value of the mask is NaN or infinite.
    """
    check_finite("mask", mask)
    size_wh = np.array(frame_wh)
    zoom = mask.shape[0] / side
    scale = (size_wh - 1) / (size_wh * zoom)  # the authors map the frame's last pixel to its far edge
    shift = scale * (np.asarray(corner_xy) * zoom)
    left, top = np.clip(np.floor(shift - scale) - 1, 0, size_wh).astype(int).tolist()
    right, bottom = np.clip(np.ceil(shift + scale * mask.shape[0]) + 1, 0, size_wh).astype(int).tolist()
    if left >= right or top >= bottom:
        return np.empty((0, 0), mask.dtype), (0, 0)
    columns = min(frame_wh[0], -(-right // COLUMN_BLOCK) * COLUMN_BLOCK)
    to_frame = np.array([[scale[0], 0, shift[0]], [0, scale[1], shift[1]]])
    values = cv2.warpAffine(mask, to_frame, (columns, bottom), borderValue=(border,))
    return values[top:, left:right], (left, top)


def paint_mask(
    probability: np.ndarray, threshold: float, corner_xy: tuple[int, int], side: int, frame_wh: tuple[int, int]
) -> tuple[np.ndarray, tuple[int, int]]:
    """Mark the pixels of the frame where the mask of a square region is above a threshold.

    Only the rows and columns of the frame that the mask can reach are computed.

    Args:
        probability: float32 (S, S).
        threshold: 0..1.
        corner_xy: top left pixel of the region in the frame.
        side: side of the region in whole pixels of the frame.
        frame_wh: width and height of the frame.

    Returns:
        bool (h, w) of a part of the frame, and its first pixel (x, y). Outside of the part all is False.

    Raises:
        NetworkOutputError: a probability is NaN or infinite.
    """
    check_finite("mask", probability)
    column, row, columns, rows = cv2.boundingRect((probability > threshold).view(np.uint8))
    zoom = side / len(probability)  # pixels of the frame per cell of the mask
    first = np.floor(np.array([column - 1, row - 1]) * zoom + corner_xy)
    last = np.ceil(np.array([column + columns + 1, row + rows + 1]) * zoom + corner_xy)
    left, top = np.clip(first, 0, frame_wh).astype(int).tolist()
    right, bottom = np.clip(last, 0, frame_wh).astype(int).tolist()
    if columns == 0 or left >= right or top >= bottom:
        return np.empty((0, 0), bool), (0, 0)
    shift = (np.array([left, top]) - corner_xy + 0.5) / zoom - 0.5  # the part's first pixel centre in the mask
    to_mask = np.array([[1 / zoom, 0, shift[0]], [0, 1 / zoom, shift[1]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(probability, to_mask, (right - left, bottom - top), flags=flags) > threshold, (left, top)


def full_frame(part: np.ndarray, first_xy: tuple[int, int], frame_wh: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Mask, bool (height, width), of a frame from a part (h, w) of it that begins at a pixel (x, y)."""
    mask = np.zeros(frame_wh[::-1], bool)
    left, top = first_xy
    mask[top : top + part.shape[0], left : left + part.shape[1]] = part
    return mask


def largest_contour(part: np.ndarray, first_xy: tuple[int, int]) -> np.ndarray | None:
    """Outline of the largest connected region of a mask.

    Args:
        part: bool (h, w), part of a frame.
        first_xy: first pixel (x, y) of the part.

    Returns:
        int32 (N, 2), pixels of the frame; None where no region has more than 100 square pixels.
    """
    if not part.any():
        return None
    part = np.ascontiguousarray(part).view(np.uint8)
    contours, _ = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE, offset=first_xy)
    largest = max(contours, key=cv2.contourArea)
    return largest[:, 0] if cv2.contourArea(largest) > MIN_AREA else None


def smallest_rectangle(contour: np.ndarray) -> npt.NDArray[np.float64]:
    """Corners float64 (4, 2) of the smallest rotated rectangle around a contour, see `order_corners`."""
    return order_corners(cv2.boxPoints(cv2.minAreaRect(contour)))


def upright_bounds(contour: np.ndarray) -> npt.NDArray[np.float64]:
    """Upright box float64 (4,), as xywh, around the pixels of a contour."""
    return np.array(cv2.boundingRect(contour), dtype=np.float64)
