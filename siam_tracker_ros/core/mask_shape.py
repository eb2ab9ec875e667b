# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From a mask of a window to a mask of the frame, and to the shape of its largest part."""

import cv2
import numpy as np

from siam_tracker_ros.geometry import order_corners

COLUMN_BLOCK = 64  # OpenCV computes columns in blocks, and rounds otherwise in one that the width cuts
MIN_AREA = 100  # square pixels; a smaller part has no shape


def warp_mask(mask, corner_xy, side, frame_wh, border):
    """Bring the mask of a square window to the scale and the place that it has in the frame.

    The same values as a warp to the whole frame, which is what the authors' code does, but only those rows and
    columns are touched where the window lies.

    Args:
        mask: float32 (S, S).
        corner_xy: top left corner of the window in pixels of the frame.
        side: of the window in pixels of the frame.
        frame_wh: width and height of the frame.
        border: value of all that lies around the window; it blends into the window's outermost pixels.

    Returns:
        Values float32 (h, w) of the part of the frame outside of which all is border, and that part's first pixel
        (x, y).
    """
    size_wh = np.array(frame_wh)
    zoom = mask.shape[0] / side
    scale = (size_wh - 1) / (size_wh * zoom)  # the authors map the frame's last pixel on its far edge
    shift = scale * (np.asarray(corner_xy) * zoom)
    left, top = np.clip(np.floor(shift - scale) - 1, 0, size_wh).astype(int).tolist()
    right, bottom = np.clip(np.ceil(shift + scale * mask.shape[0]) + 1, 0, size_wh).astype(int).tolist()
    if left >= right or top >= bottom:
        return np.empty((0, 0), mask.dtype), (0, 0)
    columns = min(frame_wh[0], -(-right // COLUMN_BLOCK) * COLUMN_BLOCK)
    to_frame = np.array([[scale[0], 0, shift[0]], [0, scale[1], shift[1]]])
    values = cv2.warpAffine(mask, to_frame, (columns, bottom), borderValue=border)
    return values[top:, left:right], (left, top)


def paint_mask(probability, threshold, corner_xy, side, frame_wh):
    """Where a mask of a square region is above a threshold, at the scale and place that the region has in the frame.

    Only those rows and columns of the frame are touched that the mask can reach.

    Args:
        probability: float32 (S, S).
        threshold: 0..1.
        corner_xy: the region's top left pixel in the frame.
        side: of the region in whole pixels of the frame.
        frame_wh: width and height of the frame.

    Returns:
        bool (h, w) of a part of the frame outside of which all is False, and that part's first pixel (x, y).
    """
    column, row, columns, rows = cv2.boundingRect((probability > threshold).view(np.uint8))
    zoom = side / len(probability)  # pixels of the frame to a cell of the mask
    first = np.floor(np.array([column - 1, row - 1]) * zoom + corner_xy)
    last = np.ceil(np.array([column + columns + 1, row + rows + 1]) * zoom + corner_xy)
    left, top = np.clip(first, 0, frame_wh).astype(int).tolist()
    right, bottom = np.clip(last, 0, frame_wh).astype(int).tolist()
    if columns == 0 or left >= right or top >= bottom:
        return np.empty((0, 0), bool), (0, 0)
    shift = (np.array([left, top]) - corner_xy + 0.5) / zoom - 0.5  # of the part's first pixel centre in the mask
    to_mask = np.array([[1 / zoom, 0, shift[0]], [0, 1 / zoom, shift[1]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(probability, to_mask, (right - left, bottom - top), flags=flags) > threshold, (left, top)


def full_frame(part, first_xy, frame_wh):
    """The bool (height, width) of a frame that a part (h, w) of it, beginning at a pixel (x, y), lies in."""
    mask = np.zeros(frame_wh[::-1], bool)
    left, top = first_xy
    mask[top : top + part.shape[0], left : left + part.shape[1]] = part
    return mask


def largest_contour(part, first_xy):
    """Outline of the largest connected region of a mask.

    Args:
        part: bool (h, w), part of a frame.
        first_xy: the pixel (x, y) of the frame where it begins.

    Returns:
        int32 (N, 2), pixels of the frame; None where no region has more than 100 square pixels.
    """
    if not part.any():
        return None
    part = np.ascontiguousarray(part).view(np.uint8)
    contours, _ = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE, offset=first_xy)
    largest = max(contours, key=cv2.contourArea)
    return largest[:, 0] if cv2.contourArea(largest) > MIN_AREA else None


def smallest_rectangle(contour):
    """Corners float64 (4, 2) of the smallest rotated rectangle around a contour, see `order_corners`."""
    return order_corners(cv2.boxPoints(cv2.minAreaRect(contour)))


def upright_bounds(contour):
    """Box float64 (4,), as xywh, of the pixels that a contour bounds."""
    return np.array(cv2.boundingRect(contour), dtype=np.float64)
