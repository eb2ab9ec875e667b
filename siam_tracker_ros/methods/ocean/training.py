# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Targets and losses of Ocean (Zhang et al. 2020), as the authors' code computes them.

Distances are from a cell to the left, top, right and bottom side of a box, in pixels of the search region.
"""

import numpy as np
import torch
from torch.nn import functional

from siam_tracker_ros.methods.ocean.network import STRIDE, cell_pixels
from siam_tracker_ros.training.rpn_losses import balanced_mean

TARGET_RADIUS = 2  # cells, rows and columns added; 13 cells whatever the target's size


def class_target(shift_xy, cells=25):
    """1 on a diamond of cells around the target's centre and 0 elsewhere, float32 (cells, cells).

    shift_xy: pixels by which the search region was moved off the target, as drawn: the scale is left out of account
    and parts of a cell are cut off.
    """
    column, row = (cells // 2 + int(-shift / STRIDE) for shift in shift_xy)
    axis = np.arange(cells)
    return (np.abs(axis - row)[:, None] + np.abs(axis - column) <= TARGET_RADIUS).astype(np.float32)


def distance_target(box_xyxy, cells=25, search_side=255):
    """Distances from each cell to the sides of a box, float32 (4, cells, cells), and 1 in it, float32 (cells, cells).

    A cell on a side is not in the box.
    """
    x1, y1, x2, y2 = (float(value) for value in box_xyxy)
    position = cell_pixels(cells).numpy() + search_side // 2
    columns, rows = np.meshgrid(position, position)
    distance = np.stack([columns - x1, rows - y1, x2 - columns, y2 - rows])
    return distance.astype(np.float32), (distance.min(0) > 0).astype(np.float32)


def smooth_iou(distance, target):
    """IoU (B, S, S) of boxes given as distances (B, 4, S, S) from the same cells, a pixel added above and below."""
    shared = torch.minimum(distance, target)
    area, area_target, area_shared = (
        (sides[:, 0] + sides[:, 2]) * (sides[:, 1] + sides[:, 3]) for sides in (distance, target, shared)
    )
    return (area_shared + 1) / (area + area_target - area_shared + 1)


def ocean_classification_loss(logits, target):
    """Binary cross entropy, half of it from target cells and half from the others; both (B, S, S).

    A batch with one target cell, which takes cropping, learns nothing from it, as in the authors' code.
    """
    losses = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return balanced_mean(losses, target == 1, target == 0, count_singletons=False)


def ocean_box_loss(distance, target, inside):
    """Mean of -log(smooth IoU) over the cells in the box; 0 when there is none.

    distance, target: (B, 4, S, S); inside: (B, S, S).
    """
    chosen = inside > 0
    if not chosen.any():
        return distance.sum() * 0
    return -torch.log(smooth_iou(distance, target)[chosen]).mean()


def aligned_target(distance, target, inside):
    """What the object-aware head learns, (B, S, S): the IoU of each cell's box with the target, 0 outside it.

    The gradient passes on to the boxes.
    """
    return (inside * smooth_iou(distance, target)).abs().clamp(max=1)


def ocean_aligned_loss(logits, distance, target, inside):
    """Binary cross entropy of the object-aware head against `aligned_target`; (B, S, S).

    A loss that is not a number becomes 0, from which every weight has a gradient of 0.
    """
    wanted = aligned_target(distance, target, inside)
    loss = functional.binary_cross_entropy_with_logits(logits, wanted)
    return logits.nan_to_num().sum() * 0 if torch.isnan(loss) else loss
