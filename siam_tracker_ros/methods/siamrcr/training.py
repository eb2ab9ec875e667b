# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How SiamRCR (Peng et al., IJCAI 2021) is trained: pairs, targets, losses, the objective.

From the paper: the cells within a radius of the target's centre are positive; at each the IoU of its box weights the
classification's loss, and the class confidence weights the regression's; a localization branch learns the IoU. Our
choices: the radius, and that the box's other cells teach nothing; a weighted mean in place of a weighted sum, which
keeps each loss's scale whatever the weights are; target and background counted alike; generalized IoU for the boxes.
"""

import numpy as np
import torch
from torch.nn import functional

from siam_tracker_ros.geometry import cxcywh_to_xyxy
from siam_tracker_ros.methods.ocean.network import STRIDE, cell_pixels, response_cells
from siam_tracker_ros.methods.ocean.training import ocean_views
from siam_tracker_ros.training.losses import iou_and_giou
from siam_tracker_ros.training.pairs import PairTraining, to_arrays
from siam_tracker_ros.training.published import PublishedTraining

POSITIVE_RADIUS = 2.0  # cells around the target's centre


def siamrcr_pair(recipe, drawn):
    """Return a pair of Ocean's views of what was Drawn, for `siamrcr_objective`."""
    first, second, (x1, y1, x2, y2), _ = ocean_views(recipe, drawn)
    middle = recipe.search_side // 2
    box = np.float32([(x1 + x2) / 2 - middle, (y1 + y2) / 2 - middle, x2 - x1, y2 - y1])
    return {**to_arrays(first, second), "box": box}


def siamrcr_objective(network, batch):
    """SiamRCR: `classification`, `box` and `localization`, see `siamrcr_losses`.

    batch: `box` (B, 4), cx, cy, w, h in pixels of the search region from its middle one.
    """
    return siamrcr_losses(network(batch["search"], network.encode_template(batch["template"])), batch["box"])


def label_cells(box_cxcywh, cells):
    """Which cells are the target's and which the background's, two bool (B, S, S); the box's rim is neither.

    Args:
        box_cxcywh: (B, 4), the true boxes in pixels of the search crop from its middle one.
        cells: S.
    """
    axis = cell_pixels(cells).to(box_cxcywh)
    x, y = ((axis - box_cxcywh[:, i, None]).abs() for i in range(2))  # (B, S) each, distance from the centre
    w, h = box_cxcywh[:, 2, None], box_cxcywh[:, 3, None]
    near = y[:, :, None] ** 2 + x[:, None, :] ** 2 <= (POSITIVE_RADIUS * STRIDE) ** 2
    inside = (y <= h / 2)[:, :, None] & (x <= w / 2)[:, None, :]
    return near, ~(near | inside)


def classification_loss(logits, positive, negative, iou):
    """Binary cross entropy (B, S, S); positives weigh as their boxes' IoU (B, S, S), half of the loss is theirs."""
    target_loss = weighted_mean(functional.softplus(-logits), positive * iou.detach())
    return 0.5 * target_loss + 0.5 * weighted_mean(functional.softplus(logits), negative)


def box_loss(giou, positive, confidence):
    """1 - generalized IoU (B, S, S) at positives, which weigh as their class confidence (B, S, S), 0..1."""
    return weighted_mean(1 - giou, positive * confidence.detach())


def localization_loss(logits, positive, iou):
    """Binary cross entropy of the predicted IoU's logits (B, S, S) against the IoU (B, S, S) at positives."""
    losses = functional.binary_cross_entropy_with_logits(logits, iou.detach(), reduction="none")
    return weighted_mean(losses, positive)


def weighted_mean(values, weights):
    """Mean of values by weights, 0 where all weights are 0."""
    weights = weights.to(values)
    return (values * weights).sum() / weights.sum().clamp(min=torch.finfo(values.dtype).tiny)


def siamrcr_losses(response, box_cxcywh):
    """Losses `classification`, `box` and `localization`, scalars that count alike in the sum.

    Args:
        response: `network.Response`.
        box_cxcywh: (B, 4), the true boxes in pixels of the search crop from its middle one.
    """
    classification, localization = response.classification[:, 0], response.localization[:, 0]  # (B, S, S)
    positive, negative = label_cells(box_cxcywh, classification.shape[-1])
    boxes = response.box_cxcywh.movedim(1, -1)  # (B, S, S, 4)
    iou, giou = iou_and_giou(cxcywh_to_xyxy(boxes), cxcywh_to_xyxy(box_cxcywh[:, None, None].expand_as(boxes)))
    return {
        "classification": classification_loss(classification, positive, negative, iou),
        "box": box_loss(giou, positive, torch.sigmoid(classification)),
        "localization": localization_loss(localization, positive, iou),
    }


TRAINING = PairTraining(
    settings_class=PublishedTraining,
    make_pair=siamrcr_pair,
    objective=siamrcr_objective,
    losses=("classification", "box", "localization"),
    cells=response_cells,
    varies=("shift", "scale", "color"),
)
