# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Parts of losses that several methods share."""

import torch


def balanced_mean(losses, first, second, count_singletons=True):
    """Half the mean of some losses and half the mean of others; a group without members gives 0.

    Args:
        losses: tensor of any shape.
        first, second: masks of that shape.
        count_singletons: a group with one member counts. The code of PySOT and of Ocean drops it by oversight, which the
            parity of their numbers needs; SiamMask's counts it.
    """
    total = losses.sum() * 0
    for group in (first, second):
        members = losses[group]
        if len(members) > (0 if count_singletons else 1):
            total = total + 0.5 * members.mean()
    return total


def iou_and_giou(first_xyxy, second_xyxy):
    """IoU and generalized IoU (Rezatofighi et al. 2019) of boxes (..., 4), tensors."""
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
