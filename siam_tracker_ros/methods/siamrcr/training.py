# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Training of SiamRCR (Peng et al. 2021) after the paper: pairs, targets, losses, the objective.

From the paper: cells within a radius of the target's centre are positive. At each, the IoU of its box weights the
classification loss, and the class confidence weights the regression loss. A localization branch learns the IoU.

Our choices: the radius; the other cells of the box are ignored; weighted means instead of weighted sums, which keep the
scale of each loss; half of the classification loss from targets and half from background; generalized IoU for boxes.
"""

import numpy as np
import torch
from torch.nn import functional

from siam_tracker_ros.geometry import cxcywh_to_xyxy
from siam_tracker_ros.methods.ocean.network import STRIDE, cell_pixels, response_cells
from siam_tracker_ros.methods.ocean.training import ocean_views
from siam_tracker_ros.methods.siamrcr.network import Response, SiamRCRNetwork
from siam_tracker_ros.training.losses import iou_and_giou
from siam_tracker_ros.training.pairs import Drawn, Item, PairTraining, to_arrays
from siam_tracker_ros.training.published import PublishedTraining
from siam_tracker_ros.training.recipe import Recipe
from siam_tracker_ros.training.task import Batch, Losses

POSITIVE_RADIUS = 2.0  # of the positive cells around the target's centre, in cells


def siamrcr_pair(recipe: Recipe, drawn: Drawn) -> Item:
    """Return the item of a pair, with Ocean's views, for `siamrcr_objective`."""
    first, second, (x1, y1, x2, y2), _ = ocean_views(recipe, drawn)
    middle = recipe.search_side // 2
    box = np.array([(x1 + x2) / 2 - middle, (y1 + y2) / 2 - middle, x2 - x1, y2 - y1], np.float32)
    return {**to_arrays(first, second), "box": box}


def label_cells(box_cxcywh: torch.Tensor, cells: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return positive and negative cells, two bool (B, S, S); other cells inside the box are neither.

    Args:
        box_cxcywh: (B, 4), the labelled boxes in pixels from the search region's central pixel.
        cells: S.
    """
    axis = cell_pixels(cells).to(box_cxcywh)
    x, y = ((axis - box_cxcywh[:, i, None]).abs() for i in range(2))  # (B, S) each, distance from the centre
    w, h = box_cxcywh[:, 2, None], box_cxcywh[:, 3, None]
    near = y[:, :, None] ** 2 + x[:, None, :] ** 2 <= (POSITIVE_RADIUS * STRIDE) ** 2
    inside = (y <= h / 2)[:, :, None] & (x <= w / 2)[:, None, :]
    return near, ~(near | inside)


def classification_loss(
    logits: torch.Tensor, positive: torch.Tensor, negative: torch.Tensor, iou: torch.Tensor
) -> torch.Tensor:
    """Return the binary cross entropy of logits (B, S, S), half of it from positives, weighted by IoU (B, S, S)."""
    target_loss = weighted_mean(functional.softplus(-logits), positive * iou.detach())
    return 0.5 * target_loss + 0.5 * weighted_mean(functional.softplus(logits), negative)


def box_loss(giou: torch.Tensor, positive: torch.Tensor, confidence: torch.Tensor) -> torch.Tensor:
    """Return 1 - generalized IoU (B, S, S) of positives, weighted by their class confidence (B, S, S), 0..1."""
    return weighted_mean(1 - giou, positive * confidence.detach())


def localization_loss(logits: torch.Tensor, positive: torch.Tensor, iou: torch.Tensor) -> torch.Tensor:
    """Return the binary cross entropy of the predicted IoU's logits against the IoU of positives, both (B, S, S)."""
    losses = functional.binary_cross_entropy_with_logits(logits, iou.detach(), reduction="none")
    return weighted_mean(losses, positive)


def weighted_mean(values: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return the weighted mean; 0 if all weights are 0."""
    weights = weights.to(values)
    return (values * weights).sum() / weights.sum().clamp(min=torch.finfo(values.dtype).tiny)


def siamrcr_losses(response: Response, box_cxcywh: torch.Tensor) -> Losses:
    """Return the losses `classification`, `box` and `localization`.

    Args:
        response: of the network.
        box_cxcywh: (B, 4), the labelled boxes in pixels from the search region's central pixel.
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


def siamrcr_objective(network: SiamRCRNetwork, batch: Batch) -> Losses:
    """Return the losses of `siamrcr_losses`.

    batch: `box` (B, 4), cx, cy, w, h in pixels from the search region's central pixel.
    """
    return siamrcr_losses(network(batch["search"], network.encode_template(batch["template"])), batch["box"])


TRAINING = PairTraining(
    settings_class=PublishedTraining,
    make_pair=siamrcr_pair,
    objective=siamrcr_objective,
    losses=("classification", "box", "localization"),
    cells=response_cells,
    varies=("shift", "scale", "color"),
)
