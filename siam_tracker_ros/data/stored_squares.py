# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The squares with context that are stored of labelled frames, in shards and in an ImageBank.

A square is 3.4 * s_z wide, s_z being the side of the template's context in SiamFC's sense, see
`response.context_side`. It is stored where s_z is 127, 63.5 or 31.75 pixels, so that no picture is enlarged more than
twice.
"""

from siam_tracker_ros.core.response import context_side

CONTEXT = 3.4  # side of a square in units of s_z
STORED_SIDES = (432, 216, 108)


def square_side(box_xywh):
    """Side of the square round a box (..., 4) in pixels of the frame."""
    return CONTEXT * context_side(box_xywh[..., 2], box_xywh[..., 3])


def stored_side(box_xywh):
    """Side of the stored square of a box (4,); the largest that does not enlarge the picture more than twice."""
    side = square_side(box_xywh)
    return next((stored for stored in STORED_SIDES if 2 * side >= stored), STORED_SIDES[-1])
