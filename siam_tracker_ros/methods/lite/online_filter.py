# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The correlation filter of `lite_online`, in numpy: whitened features, scores, and steepest descent (DiMP).

The same mathematics as `layers.filter_optimizer`, which learns its tables by gradients and needs torch for that. Label,
mask and spatial weight are here the ones that DiMP's training begins with.
"""

from collections.abc import Generator

import numpy as np
import numpy.typing as npt

from siam_tracker_ros.core.whitening import MIN_ENERGY, Whitening

FILTER_CELLS = 4
LABEL_SIGMA = 0.85  # cells
MAX_DISTANCE = 9.9  # cells, beyond which label and mask no longer change
TABLE_STEP = 0.1  # cells, between the entries of DiMP's tables
STEP_LENGTH = 0.9
REGULARIZATION = 0.01
MIN_CURVATURE = 1e-8
SHRINKAGE = 0.1  # of the whitening

Floats = npt.NDArray[np.float32]


def whiten_samples(features: np.ndarray, whitening: Whitening) -> Floats:
    """Whiten samples (N, H, W, C), and scale each to a mean energy of 1: a filter on them is learned in few steps."""
    white = whitening(features)
    energy = np.square(white).mean((1, 2, 3), keepdims=True) + MIN_ENERGY
    return white / np.sqrt(energy)


def filter_scores(features: Floats, kernel: Floats) -> npt.NDArray[np.float64]:
    """Scores (H, W), 0..1, of the cells of one sample (1, H, W, C) under a filter (16, C)."""
    corners = correlate(features, kernel)[0].astype(np.float64)  # those of a filter of even size lie between the cells
    return ((corners[1:, 1:] + corners[1:, :-1] + corners[:-1, 1:] + corners[:-1, :-1]) / 4).clip(0, 1)


def correlate(features: Floats, kernel: Floats) -> Floats:
    """Score maps (N, H + 1, W + 1) of samples (N, H, W, C) under a filter; its centre lies on the cells' corners.

    kernel: (16, C), row by row of 4 x 4 cells, turned by half a turn: the product of a cell and of entry (dy, dx)
    counts for the corner (dy, dx) down and right of that cell's, from (-1, -1) on.
    """
    samples, height, width, channels = features.shape
    products = np.ascontiguousarray((features.reshape(-1, channels) @ kernel.T).T)  # faster than the transposed product
    products = products.reshape(FILTER_CELLS, FILTER_CELLS, samples, height, width)
    padded = np.zeros((samples, height + FILTER_CELLS - 1, width + FILTER_CELLS - 1), np.float32)
    for dy in range(FILTER_CELLS):
        for dx in range(FILTER_CELLS):
            padded[:, dy : dy + height, dx : dx + width] += products[dy, dx]
    return np.ascontiguousarray(padded[:, 1:-1, 1:-1])


def correlate_adjoint(features: Floats, scores: Floats) -> Floats:
    """Adjoint of `correlate` in the filter: (16, C) of samples (N, H, W, C) and score maps (N, H + 1, W + 1)."""
    samples, height, width, channels = features.shape
    padded = np.pad(scores, ((0, 0), (1, 1), (1, 1)))
    shifted = np.empty((FILTER_CELLS, FILTER_CELLS, samples, height, width), np.float32)
    for dy in range(FILTER_CELLS):
        for dx in range(FILTER_CELLS):
            shifted[dy, dx] = padded[:, dy : dy + height, dx : dx + width]
    return shifted.reshape(FILTER_CELLS**2, -1) @ features.reshape(-1, channels)


def improving(
    kernel: Floats, features: Floats, centers_xy: np.ndarray, weights: np.ndarray, iterations: int
) -> Generator[None, None, Floats]:
    """Improve a filter on samples by steepest descent (DiMP, Bhat et al. 2019, section 3.3).

    The length of a step follows from the Gauss-Newton approximation of a squared loss. Far from the target only
    positive scores count as errors. It stops before each step: what comes before the first one takes about as long.

    Args:
        kernel: (16, C).
        features: whitened, (N, H, W, C).
        centers_xy: (N, 2), the target's centre in each sample in cells, from the corner of the first one.
        weights: (N,), of sum 1.
        iterations: number of steps.

    Returns:
        The improved filter, see `result_of`.
    """
    size_hw = features.shape[1] + 1, features.shape[2] + 1
    label, mask = _label_and_mask(centers_xy, size_hw)
    weight = np.sqrt(weights).astype(np.float32)[:, None, None]
    mean_slope, slope_change = (1 + mask) / 2, (1 - mask) / 2
    scores = correlate(features, kernel)
    for _ in range(iterations):
        yield
        slope = mean_slope + slope_change * np.sign(scores)
        residual = weight * (slope * scores - label)
        gradient = correlate_adjoint(features, slope * weight * residual) + REGULARIZATION * kernel
        gradient_scores = correlate(features, gradient)
        squared = float(np.square(gradient).sum())
        curvature = float(np.square(weight * slope * gradient_scores).sum()) + REGULARIZATION * squared
        step = np.float32(STEP_LENGTH * squared / max(curvature, MIN_CURVATURE))
        kernel = kernel - step * gradient
        scores = scores - step * gradient_scores
    return kernel


def result_of(parts: Generator[None, None, Floats]) -> Floats:
    """Do all parts of a work; return its result."""
    while True:
        try:
            next(parts)
        except StopIteration as end:
            return end.value


def _label_and_mask(centers_xy: np.ndarray, size_hw: tuple[int, int]) -> tuple[Floats, Floats]:
    """Label and mask 0..1, (N, h, w) each, by the distance to the target's centre."""
    rows, columns = (np.arange(cells, dtype=np.float32) for cells in size_hw)
    center_x, center_y = centers_xy.astype(np.float32).T
    along_y, along_x = (rows - center_y[:, None]) ** 2, (columns - center_x[:, None]) ** 2  # (N, h), (N, w)
    place = np.sqrt((along_y[:, :, None] + along_x[:, None]).clip(max=MAX_DISTANCE**2)) / np.float32(TABLE_STEP)
    table = np.arange(0, MAX_DISTANCE + 3 * TABLE_STEP / 2, TABLE_STEP, dtype=np.float32)
    label = np.exp(-(table**2) / (2 * LABEL_SIGMA**2))
    below = place.astype(int)  # (N, h, w), of the entry at or below each place
    share = place - below.astype(np.float32)
    label, mask = (  # three times as fast as np.interp, whose places need not be evenly spaced
        values[below] + share * np.diff(values)[below] for values in (label - label[-2], 3 * np.tanh(2 - table))
    )
    return label, 1 / (1 + np.exp(-mask))
