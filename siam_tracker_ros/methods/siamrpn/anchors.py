# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Anchor boxes of the SiamRPN family: five shapes of one size at each cell of the response."""

import functools

import numpy as np
import numpy.typing as npt

STRIDE = 8  # pixels of the search region per cell
RATIOS = (0.33, 0.5, 1, 2, 3)  # height over width
SCALE = 8  # side of an anchor in strides


def anchor_sizes() -> npt.NDArray[np.float32]:
    """Width and height float32 (5, 2) of the anchors in pixels, rounded down to whole strides as in PySOT."""
    widths = [int(np.sqrt(STRIDE**2 / ratio)) for ratio in RATIOS]
    heights = [int(width * ratio) for width, ratio in zip(widths, RATIOS, strict=True)]
    return np.array([widths, heights], np.float32).T * SCALE


@functools.cache
def anchor_grid(cells: int) -> npt.NDArray[np.float32]:
    """Anchors of a response of `cells` x `cells`, around the middle cell.

    Returns:
        float32 (4, 5, cells, cells), read-only: centre x, centre y, width, height in pixels of the search region, from
        the centre of the middle cell.
    """
    axis = (np.arange(cells) - cells // 2) * STRIDE
    grid = np.empty((4, len(RATIOS), cells, cells), np.float32)
    grid[0] = axis
    grid[1] = axis[:, None]
    grid[2:] = anchor_sizes().T[:, :, None, None]
    grid.setflags(write=False)
    return grid
