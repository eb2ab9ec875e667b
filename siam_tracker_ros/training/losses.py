# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Targets and losses of `lite`."""

import torch
from torch.nn import functional

from siam_tracker_ros.geometry import cxcywh_to_xyxy
from siam_tracker_ros.models.lite import SEARCH_CELLS

AGREEMENT_IOU = 0.45  # above it the teacher is believed to follow the labelled target
TEACHER_BOX_SHARE = 0.6
POSITIVE_WEIGHT = 0.3  # cells whose Gaussian weight is above it learn a box


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


def gaussian_map(box_cxcywh):
    """Weight (B, 1, 16, 16) of each cell, 1 at the cell nearest to the box's centre, falling off with the box's size.

    box_cxcywh: (B, 4) in units of the search region's side.
    """
    axis = torch.arange(SEARCH_CELLS, device=box_cxcywh.device, dtype=box_cxcywh.dtype)
    cell = (box_cxcywh[:, :2] * SEARCH_CELLS - 0.5).round()  # (B, 2)
    sigma = (box_cxcywh[:, 2:] * SEARCH_CELLS / 6).clamp(min=0.6)  # (B, 2)
    x = torch.exp(-((axis - cell[:, :1]) ** 2) / (2 * sigma[:, :1] ** 2))  # (B, 16)
    y = torch.exp(-((axis - cell[:, 1:]) ** 2) / (2 * sigma[:, 1:] ** 2))
    return (y[:, :, None] * x[:, None, :])[:, None]


def quality_focal_loss(logits, target):
    """Focal loss for targets between 0 and 1 (Li et al. 2020), summed over cells, mean over the batch."""
    loss = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return ((target - torch.sigmoid(logits)) ** 2 * loss).flatten(1).sum(1).mean()


def lite_losses(response, batch):
    """Return a dictionary of scalar losses, `total` among them, and the IoU at the most confident cell.

    response: models.lite.Response; batch: a batch of PairDataset items as tensors.
    """
    label, present = batch["search_box"], batch["present"]
    classification_target, box_target = gaussian_map(label), label
    if "teacher_score" in batch:
        agreement, _ = iou_and_giou(cxcywh_to_xyxy(batch["teacher_box"]), cxcywh_to_xyxy(label))
        agrees = (agreement > AGREEMENT_IOU) & present
        classification_target = torch.where(
            agrees[:, None, None, None], batch["teacher_score"].clamp(0, 1), classification_target
        )
        mixed = TEACHER_BOX_SHARE * batch["teacher_box"] + (1 - TEACHER_BOX_SHARE) * label
        box_target = torch.where(agrees[:, None], mixed, label)
    classification_target = classification_target * present[:, None, None, None]
    classification = quality_focal_loss(response.classification, classification_target)

    weight = gaussian_map(box_target)
    weight = weight * (weight > POSITIVE_WEIGHT) * present[:, None, None, None]  # (B, 1, 16, 16)
    total_weight = weight.sum().clamp(min=1)
    boxes = response.box_cxcywh.movedim(1, -1)  # (B, 16, 16, 4)
    target = box_target[:, None, None].expand_as(boxes)
    _, giou = iou_and_giou(cxcywh_to_xyxy(boxes), cxcywh_to_xyxy(target))  # (B, 16, 16)
    overlap = ((1 - giou) * weight[:, 0]).sum() / total_weight
    distance = ((boxes - target).abs().sum(-1) * weight[:, 0]).sum() / total_weight

    with torch.no_grad():
        iou, _ = iou_and_giou(cxcywh_to_xyxy(boxes), cxcywh_to_xyxy(label[:, None, None].expand_as(boxes)))
        confidence = torch.sigmoid(response.classification) * torch.sigmoid(response.localization)
        best = confidence.flatten(1).argmax(1, keepdim=True)
        best_iou = iou.flatten(1).gather(1, best)[:, 0]
    localization = functional.binary_cross_entropy_with_logits(response.localization[:, 0], iou, reduction="none")
    localization = (localization * weight[:, 0]).sum() / total_weight
    return {
        "total": classification + 2 * overlap + 5 * distance + 0.5 * localization,
        "classification": classification.detach(),
        "overlap": overlap.detach(),
        "localization": localization.detach(),
        "iou": (best_iou * present).sum() / present.sum().clamp(min=1),
    }
