# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The crop with context around a target that every Siamese tracker looks at."""

import cv2
import numpy as np


def crop_context(image_bgr, center_xy, side, out_side, fill_bgr):
    """Cut the square region around a centre out of an image and resize it; what lies outside the image is filled.

    The same pixels as PySOT's crop, bit for bit, but only the region is padded, never the frame, so the cost
    depends on the region's side alone, not on how far out the target is.

    Args:
        image_bgr: uint8 (H, W, 3).
        center_xy: centre of the region in pixels; the region snaps to whole pixels.
        side: of the region in whole pixels, at least 1.
        out_side: of the crop in pixels.
        fill_bgr: three colour values, cut to integers.

    Returns:
        The crop, uint8 (out_side, out_side, 3), and the region's top left pixel (x, y) in the image.
    """
    x0, y0 = (int(np.floor(center - (side + 1) / 2 + 0.5)) for center in center_xy)
    height, width = image_bgr.shape[:2]
    left, top = max(0, -x0), max(0, -y0)
    right, bottom = max(0, x0 + side - width), max(0, y0 + side - height)
    fill = tuple(int(value) for value in fill_bgr)
    if left >= side or top >= side or right >= side or bottom >= side:
        return np.full((out_side, out_side, 3), fill, np.uint8), (x0, y0)
    region = image_bgr[y0 + top : y0 + side - bottom, x0 + left : x0 + side - right]
    if left or top or right or bottom:
        region = cv2.copyMakeBorder(region, top, bottom, left, right, cv2.BORDER_CONSTANT, value=fill)
    if side != out_side:
        region = cv2.resize(region, (out_side, out_side))
    return np.ascontiguousarray(region), (x0, y0)
