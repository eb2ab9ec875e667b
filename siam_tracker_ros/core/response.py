# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How the response of a Siamese network becomes one box: context, penalty, window, peaks, limits."""

import functools

import numpy as np

PEAK_RADIUS = 3  # cells around the best one that belong to the same peak
MIN_SIDE = 10.0  # pixels; with the published trackers a target never shrinks below it


def context_side(w, h):
    """Side of the square around a target of w x h pixels with half its mean side of context on each side.

    SiamFC (Bertinetto et al. 2016, equation 15). Numbers or arrays.
    """
    return np.sqrt((w + (w + h) / 2) * (h + (w + h) / 2))


def size_change(old_wh, new_wh):
    """How much sizes (2, ...) differ from (2,) in extent and shape, 1 for not at all (SiamRPN, Li et al. 2018)."""
    old_w, old_h = old_wh
    new_w, new_h = new_wh
    extent = _larger(context_side(new_w, new_h) / context_side(old_w, old_h))
    return extent * _larger((old_w / old_h) / (new_w / new_h))


def _larger(ratio):
    return np.maximum(ratio, 1 / ratio)


@functools.cache
def hann_window(cells):
    """Cosine window float64 (cells, cells), not writable: 1 in the middle, 0 along the edges."""
    window = np.outer(np.hanning(cells), np.hanning(cells))
    window.setflags(write=False)
    return window


def peak_ratio(score, row, column):
    """Highest score (S, S) away from the best cell, divided by the best one's; 0..1."""
    rest = score.copy()
    rest[max(0, row - PEAK_RADIUS) : row + PEAK_RADIUS + 1, max(0, column - PEAK_RADIUS) : column + PEAK_RADIUS + 1] = 0
    return float(min(1.0, rest.max() / max(score[row, column], 1e-9)))


def clip_to_frame(box_cxcywh, image_bgr, min_side=MIN_SIDE):
    """A box whose centre is moved onto the frame, and whose sides are from the smallest one to the frame's."""
    frame_wh = image_bgr.shape[1], image_bgr.shape[0]
    center_xy = np.clip(box_cxcywh[:2], 0, frame_wh)
    return np.concatenate([center_xy, np.maximum(min_side, np.minimum(box_cxcywh[2:], frame_wh))])
