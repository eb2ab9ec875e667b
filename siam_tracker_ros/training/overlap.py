# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How far boxes cover each other, in a form that gradients flow through."""

import torch


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
