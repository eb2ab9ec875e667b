# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Squares of context around a target, as shards and an ImageBank store them.

The side of a square is 3.4 * s_z, where s_z is the side of SiamFC's template context, see `response.context_side`. The
stored square has an s_z of 127, 63.5 or 31.75 pixels, so that no image is enlarged by more than 2.
"""

import numpy as np

from siam_tracker_ros.core.response import context_side

CONTEXT = 3.4  # side of a square in units of s_z
STORED_SIDES = (432, 216, 108)


def square_side(box_xywh: np.ndarray) -> np.ndarray:
    """Return the side (...) of the square around a box (..., 4), in pixels of the frame."""
    return CONTEXT * context_side(box_xywh[..., 2], box_xywh[..., 3])


def stored_side(box_xywh: np.ndarray) -> int:
    """Return the stored side of the square around a box (4,): the largest that enlarges by at most 2."""
    side = square_side(box_xywh)
    return next((stored for stored in STORED_SIDES if 2 * side >= stored), STORED_SIDES[-1])
