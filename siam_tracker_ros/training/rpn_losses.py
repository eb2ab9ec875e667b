# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Losses of SiamRPN++ (Li et al. 2019) and SiamMask (Wang et al. 2019), as the authors' code computes them."""

import torch
from torch.nn import functional

from siam_tracker_ros.methods.siamrpn.anchor_targets import BACKGROUND, TARGET
from siam_tracker_ros.methods.siamrpn.anchors import STRIDE

MASK_SIDE = 127  # pixels of the search region that one cell's mask covers, and of the mask


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


def classification_loss(logits, label, count_singletons=True):
    """Cross entropy, half of it from targets and half from background, pooled over the batch.

    Args:
        logits: (B, 2A, S, S), background before target.
        label: (B, A, S, S), see anchor_targets.
        count_singletons: see `balanced_mean`; False for SiamRPN++.
    """
    batch, channels, *cells = logits.shape
    scores = functional.log_softmax(logits.reshape(batch, 2, channels // 2, *cells), dim=1)
    losses = -torch.where(label == TARGET, scores[:, 1], scores[:, 0])  # (B, A, S, S)
    return balanced_mean(losses, label == TARGET, label == BACKGROUND, count_singletons)


def offset_loss(offset, target, weight):
    """Weighted absolute differences, summed over a pair, mean over the batch.

    Args:
        offset: (B, 4A, S, S), all x before all y, widths and heights.
        target: (B, 4, A, S, S).
        weight: (B, A, S, S).
    """
    distance = (offset.reshape(target.shape) - target).abs().sum(1)  # (B, A, S, S)
    return (distance * weight).sum() / len(offset)


def mask_cells(label):
    """Where (B, S, S) a mask is learned: cells any anchor of which is a target. label: (B, A, S, S)."""
    return label.amax(1) == TARGET


def mask_windows(mask, cells, padding):
    """What the mask of each chosen cell should be.

    Args:
        mask: (B, H, W), 1 on the object and -1 elsewhere.
        cells: bool (B, S, S), the chosen ones.
        padding: pixels around the search region, of which nothing is learned; 32 of 255 pixels and 25 cells, 0 of 143
            and 3.

    Returns:
        (N, 127, 127) in the order of the cells, 0 where a window leaves the search region.
    """
    padded = functional.pad(mask, [padding] * 4)
    windows = padded.unfold(1, MASK_SIDE, STRIDE).unfold(2, MASK_SIDE, STRIDE)  # a view, (B, S, S, 127, 127)
    return windows[cells]


def mask_columns(logits, cells, side=63):
    """Masks (N, 63, 63) of the chosen cells (B, S, S) from a network's answer (B, 3969, S, S)."""
    return logits.movedim(1, -1)[cells].reshape(-1, side, side)


def mask_loss(logits, windows):
    """Logistic loss, mean over all pixels of all masks; 0 when there is no mask.

    Pixels outside the search region count log 2 each, with no gradient.

    Args:
        logits: (N, h, w); masks of other than 127 pixels are resized, corner to corner.
        windows: (N, 127, 127), see `mask_windows`.
    """
    if not len(logits):
        return logits.sum() * 0
    return functional.soft_margin_loss(_to_mask_side(logits), windows)


def _to_mask_side(logits):
    if logits.shape[-1] == MASK_SIDE:
        return logits
    return functional.interpolate(logits[:, None], (MASK_SIDE, MASK_SIDE), mode="bilinear", align_corners=True)[:, 0]


@torch.no_grad()
def mask_agreement(logits, windows):
    """How masks agree with what they should be: figures for the log.

    Args:
        logits: (N, h, w), cut at 0.
        windows: (N, 127, 127), 1 on the object and -1 elsewhere.

    Returns:
        Scalars by name: `mask_iou`, the mean IoU, and `mask_iou_above_50` and `mask_iou_above_70`, the shares of masks
        with one above 0.5 and 0.7; all 0 where there is no mask.
    """
    iou = logits.new_zeros(0)
    if len(logits):
        found, expected = _to_mask_side(logits) >= 0, windows == 1
        iou = (found & expected).sum((1, 2)) / (found | expected).sum((1, 2)).clamp(min=1)  # (N,)
    shares = {"mask_iou": iou, "mask_iou_above_50": (iou > 0.5).to(iou), "mask_iou_above_70": (iou > 0.7).to(iou)}
    return {name: share.sum() / max(1, len(iou)) for name, share in shares.items()}


def weighted_total(losses, weights):
    """Sum of losses by name, each times its weight; what has no weight does not count."""
    return sum(weights[name] * loss for name, loss in losses.items() if name in weights)
