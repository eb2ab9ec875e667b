# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Anchor boxes of the SiamRPN family: five shapes of one size at each cell of the response."""

import functools

import numpy as np

STRIDE = 8  # pixels of the search region from cell to cell
RATIOS = (0.33, 0.5, 1, 2, 3)  # height over width
SCALE = 8  # the anchors' side in strides


def anchor_sizes():
    """Sizes float32 (5, 2) of the anchors as width and height in pixels, cut to whole strides as in PySOT."""
    widths = [int(np.sqrt(STRIDE**2 / ratio)) for ratio in RATIOS]
    heights = [int(width * ratio) for width, ratio in zip(widths, RATIOS, strict=True)]
    return np.float32([widths, heights]).T * SCALE


@functools.cache
def anchor_grid(cells):
    """Anchors of a response of `cells` x `cells`, around the middle cell.

    Returns:
        float32 (4, 5, cells, cells), not writable: centre x, centre y, width, height in pixels of the search region,
        zero at the centre of the middle cell.
    """
    axis = (np.arange(cells) - cells // 2) * STRIDE
    grid = np.empty((4, len(RATIOS), cells, cells), np.float32)
    grid[0] = axis
    grid[1] = axis[:, None]
    grid[2:] = anchor_sizes().T[:, :, None, None]
    grid.setflags(write=False)
    return grid
