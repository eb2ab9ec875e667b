# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Patches that Ocean's online branch learns from: their crop, and the samples made of the first frame."""

import dataclasses
from collections.abc import Iterable

import numpy as np
import torch
from torch.nn import functional

from siam_tracker_ros.core.stage import stage

MARGIN = 0.5  # of a patch's side, added on each side in the first frame, so that the patch can be moved and turned
MOVES_XY = ((67, 67), (67, -67), (-67, 67), (-67, -67))  # pixels; three fifths of half a patch
BLUR_SIGMAS_XY = ((0.2, 2.0), (2.0, 0.2), (1.0, 3.0), (3.0, 1.0), (2.0, 2.0))  # pixels
TURNS_DEGREES = (5, -5, 10, -10, 20, -20, 30, -30, 45, -45, -60, 60)
RANDOM_SHIFTS = 1 + len(BLUR_SIGMAS_XY) + len(TURNS_DEGREES)  # the mirrored, the blurred and the turned ones
RANDOM_SHIFT = 1 / 6  # maximum, of a patch's side, in either direction
DROPOUT_SAMPLES = 7
DROPOUT = 0.2
MIN_REGION = 2  # pixels


@dataclasses.dataclass(frozen=True, eq=False)
class Draws:
    """Random part of a target's first samples.

    Attributes:
        shifts_xy: (18, 2), shifts of the mirrored, blurred and turned patches in whole pixels.
        kept_channels: bool (7, C), channels of the classifier's features that each dropout sample keeps.
    """

    shifts_xy: np.ndarray
    kept_channels: np.ndarray


def draw(generator: np.random.Generator, patch_side: int, channels: int) -> Draws:
    """Draw the random part of a target's first samples."""
    reach = RANDOM_SHIFT * patch_side
    shifts_xy = np.trunc(generator.uniform(-reach, reach, (RANDOM_SHIFTS, 2))).astype(int)
    return Draws(shifts_xy, generator.random((DROPOUT_SAMPLES, channels)) >= DROPOUT)


@stage("crop")
def crop_patch(
    image_bgr: np.ndarray, center_xy: np.ndarray, region_side: float, patch_side: int, like: torch.Tensor
) -> tuple[torch.Tensor, np.ndarray, float]:
    """Cut a square region out of an image, whose edge is repeated outside of it, and resize the region.

    In a region of more than about twice the patch, only every second, third, ... pixel is read.

    Args:
        image_bgr: uint8 (H, W, 3).
        center_xy: centre (2,) of the region in pixels, cut to whole pixels.
        region_side: side of the region in pixels, rounded.
        patch_side: side of the patch in pixels.
        like: tensor with the type and device of the patch.

    Returns:
        The patch (1, 3, patch_side, patch_side), RGB, 0..255; the centre (2,) of the pixels read, in an image that
        starts on a whole stride, as in the released code; and the number of pixels of the image per pixel of the patch.
    """
    stride = max(1, int(region_side / patch_side - 0.1))
    cells = max(MIN_REGION, round(region_side / stride))
    center = np.trunc(center_xy).astype(int)
    last = np.array(image_bgr.shape[1::-1]) - 1
    phase = np.minimum(center % stride, last)  # a stride can be larger than the image
    first = center // stride - (cells - 1) // 2  # x and y, in strides
    columns, rows = first[:, None] + np.arange(cells)
    limit = (last - phase) // stride
    columns, rows = columns.clip(0, limit[0]) * stride + phase[0], rows.clip(0, limit[1]) * stride + phase[1]
    region = image_bgr[rows[:, None], columns[None], ::-1]  # (cells, cells, 3)
    patch = torch.from_numpy(region).to(like).permute(2, 0, 1)[None]
    if cells != patch_side:
        patch = functional.interpolate(patch, (patch_side, patch_side), mode="bilinear", align_corners=False)
    return patch, stride * (first + cells / 2) - 0.5, cells * stride / patch_side


def first_patches(wide: torch.Tensor, patch_side: int, draws: Draws) -> tuple[torch.Tensor, np.ndarray]:
    """The first frame's patches: the target as it is, moved, mirrored, blurred and turned.

    Args:
        wide: (1, 3, 2 * patch_side, 2 * patch_side), the patch with a margin.
        patch_side: side of the patches in pixels.
        draws: random shifts.

    Returns:
        Patches (23, 3, patch_side, patch_side), and the shifts (23, 2) of the target in them in pixels, x and y.
    """
    shifts_xy = np.concatenate([[(0, 0)], MOVES_XY, draws.shifts_xy])
    first = int(MARGIN * patch_side) - shifts_xy  # top left pixels of the patches, x and y
    mirrored = wide.flip(3)
    plain = [wide] * (1 + len(MOVES_XY)) + [mirrored]
    patches = [
        source[:, :, y : y + patch_side, x : x + patch_side] for source, (x, y) in zip(plain, first, strict=False)
    ]
    blurred_from = len(plain)
    turned_from = blurred_from + len(BLUR_SIGMAS_XY)
    patches += [
        _blurred(wide, corner, patch_side, sigma_xy)
        for corner, sigma_xy in zip(first[blurred_from:turned_from], BLUR_SIGMAS_XY, strict=True)
    ]
    return torch.cat([*patches, _turned(wide, first[turned_from:], patch_side)]), shifts_xy


def _blurred(wide: torch.Tensor, corner_xy: np.ndarray, side: int, sigma_xy: Iterable[float]) -> torch.Tensor:
    """The patch at a corner, after a Gaussian blur."""
    kernel_x, kernel_y = (_gaussian(sigma, wide) for sigma in sigma_xy)
    reach_x, reach_y = len(kernel_x) // 2, len(kernel_y) // 2
    x, y = corner_xy
    region = wide[0, :, None, y - reach_y : y + side + reach_y, x - reach_x : x + side + reach_x]  # (3, 1, h, w)
    region = functional.conv2d(region, kernel_y.reshape(1, 1, -1, 1))
    return functional.conv2d(region, kernel_x.reshape(1, 1, 1, -1)).movedim(1, 0)


def _gaussian(sigma: float, like: torch.Tensor) -> torch.Tensor:
    reach = int(np.ceil(2 * sigma))
    kernel = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
    return torch.from_numpy(kernel / kernel.sum()).to(like)


def _turned(wide: torch.Tensor, corners_xy: np.ndarray, side: int) -> torch.Tensor:
    """The patches (12, 3, side, side) at corners (12, 2) of the wide patch, which is turned about its centre.

    Samples are bilinear, at exact positions. `cv2.warpAffine` would round positions to 1/32 pixel in some versions of
    OpenCV and not in others.
    """
    angles = np.deg2rad(TURNS_DEGREES)[:, None, None]
    span = wide.shape[3] - 1
    x, y = corners_xy.T[:, :, None] + np.arange(side) - span / 2  # (12, side) each
    x, y = x[:, None, :], y[:, :, None]
    turned_x, turned_y = np.cos(angles) * x - np.sin(angles) * y, np.sin(angles) * x + np.cos(angles) * y
    grid = torch.from_numpy(np.stack([turned_x, turned_y], -1) / (span / 2)).to(wide.device)  # (12, side, side, 2)
    # In float64, as the error of float32 positions is larger than that of the blending.
    sources = wide.double().expand(len(grid), -1, -1, -1)
    return functional.grid_sample(sources, grid, padding_mode="border", align_corners=True).to(wide)
