# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Parts of losses that methods share."""

import torch


def balanced_mean(
    losses: torch.Tensor, first: torch.Tensor, second: torch.Tensor, count_singletons: bool = True
) -> torch.Tensor:
    """Return half the mean of one group of losses plus half the mean of another; an empty group counts 0.

    Args:
        losses: tensor of any shape.
        first, second: masks of the groups, of that shape.
        count_singletons: whether a group of one member counts. The code of PySOT and of Ocean ignores it (a quirk that
            their numbers depend on); SiamMask's counts it.
    """
    total = losses.sum() * 0
    for group in (first, second):
        members = losses[group]
        if len(members) > (0 if count_singletons else 1):
            total = total + 0.5 * members.mean()
    return total


def iou_and_giou(first_xyxy: torch.Tensor, second_xyxy: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return IoU and generalized IoU (Rezatofighi et al. 2019) of boxes (..., 4), each (...)."""
    area_first = (first_xyxy[..., 2:] - first_xyxy[..., :2]).clamp(min=0).prod(-1)
    area_second = (second_xyxy[..., 2:] - second_xyxy[..., :2]).clamp(min=0).prod(-1)
    low, high = (
        torch.maximum(first_xyxy[..., :2], second_xyxy[..., :2]),
        torch.minimum(first_xyxy[..., 2:], second_xyxy[..., 2:]),
    )
    intersection = (high - low).clamp(min=0).prod(-1)
    union = area_first + area_second - intersection
    iou = intersection / union.clamp(min=1e-7)
    low, high = (
        torch.minimum(first_xyxy[..., :2], second_xyxy[..., :2]),
        torch.maximum(first_xyxy[..., 2:], second_xyxy[..., 2:]),
    )
    hull = (high - low).clamp(min=0).prod(-1).clamp(min=1e-7)
    return iou, iou - (hull - union) / hull
