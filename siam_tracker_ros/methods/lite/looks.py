# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where lite's refinement looks, and what becomes of the box; for arrays of numpy and of torch alike.

These few numbers are computed in full precision outside of the network, whose precision may be a narrow one.
"""

import typing

LOOK_CELLS = 16  # points of a look in x and in y
LOOK_FACTOR = 1.6  # a look is this many times as wide and as high as its box
MAX_MOVE = 0.4  # of an edge, in units of the box's size: the box keeps a size

Array = typing.Any  # of numpy or of torch


def look_steps(numbers: Array) -> Array:
    """Places of a look's points from the middle of its box, in units of the box's size; numbers: 0 to 15."""
    return ((numbers + 0.5) / LOOK_CELLS - 0.5) * LOOK_FACTOR


def look_weights(box_cxcywh: Array, steps: Array, cells: Array) -> Array:
    """Weights of the columns and of the rows of a feature map at the points of a look, by bilinear interpolation.

    Outside of the map, its features count as 0.

    Args:
        box_cxcywh: (B, 4), in units of the map's side.
        steps: (16,), see `look_steps`.
        cells: (N,), the numbers 0 to N - 1 of the map's cells.

    Returns:
        (B, 2, 16, N), for x and for y.
    """
    places = box_cxcywh[:, :2, None, None] + box_cxcywh[:, 2:, None, None] * steps[:, None]  # (B, 2, 16, 1)
    return (1 - abs(places * len(cells) - 0.5 - cells)).clip(min=0)


def move_edges(box_cxcywh: Array, moves: Array) -> tuple[Array, Array]:
    """Return centre and size, (B, 2) each, of boxes (B, 4) whose left, top, right and bottom edges move.

    moves: (B, 4), right and down, in units of the box's size, -0.4..0.4.
    """
    center, size, low, high = box_cxcywh[:, :2], box_cxcywh[:, 2:], moves[:, :2], moves[:, 2:]
    return center + (low + high) / 2 * size, size * (1 + high - low)
