# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Target and loss of the filters of Ocean's online branch.

Ocean's authors published no training of their branch, which is DiMP's classifier (Bhat et al. 2019). So DiMP's loss is
taken: filters that are learned on some frames are judged on others, after each step of the optimizer that makes them.
"""

import torch

from siam_tracker_ros.methods.ocean_online.network import PATCH_STRIDE

MAX_BACKGROUND = 0.05  # of the label; below it only scores above 0 count as errors
SIGMA_OVER_SIDE = 0.25  # of the label over the target's mean side


def score_target(boxes_xywh, cells):
    """A Gaussian bell around each target's centre, (N, 1, cells, cells).

    Args:
        boxes_xywh: (N, 4) in pixels of the patch.
        cells: along a side of the score map, whose cells are the corners of the features' cells.
    """
    boxes = boxes_xywh / PATCH_STRIDE
    center = boxes[:, :2] + boxes[:, 2:] / 2  # (N, 2)
    sigma = SIGMA_OVER_SIDE * boxes[:, 2:].prod(1).sqrt()  # (N,)
    away = (torch.arange(cells).to(boxes) - center[:, :, None]) / sigma[:, None, None]  # (N, 2, cells), x and y
    x, y = away.square().unbind(1)
    return torch.exp(-(y[:, :, None] + x[:, None]) / 2)[:, None]


def hinged_loss(scores, target):
    """Mean squared error of scores (N, 1, S, S); where the target is background, scores below 0 are no error."""
    background = target < MAX_BACKGROUND
    error = torch.where(background, scores.clamp(min=0), scores - target)
    return error.square().mean()
