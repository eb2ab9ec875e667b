# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From a network and a batch of pairs to its losses, one function a method.

A batch is a mapping of tensors. Each has `template` (B, 3, 127, 127) and `search` (B, 3, side, side), BGR, about
0..255. What else it holds stands at each function. Losses come as a mapping of names to scalars, unweighted; those of
masks with figures for the log, see `rpn_losses.mask_agreement`.
"""

import torch

from siam_tracker_ros.layers.filter_optimizer import correlate as filter_response
from siam_tracker_ros.methods.gradnet.network import GRADIENT_GAIN, correlate, tracking_loss
from siam_tracker_ros.methods.ocean.training import ocean_aligned_loss, ocean_box_loss, ocean_classification_loss
from siam_tracker_ros.methods.ocean_online.training import hinged_loss, score_target
from siam_tracker_ros.methods.siamrcr.training import siamrcr_losses
from siam_tracker_ros.training.rpn_losses import (
    classification_loss,
    mask_agreement,
    mask_cells,
    mask_columns,
    mask_loss,
    mask_windows,
    offset_loss,
)

MASK_PADDING = 32  # pixels around a search region of 255, so that each of its 25 x 25 cells has a whole mask
FILTER_STEPS = 5  # of the optimizer that makes the online branch's filter, as in DiMP's training
NECK_MARGIN = 4  # cells that the neck cuts off each side of the 17 x 17 of a search region of 143 pixels


def siamrpn_objective(network, batch):
    """SiamRPN++: `classification` and `offset`.

    batch: `label` (B, 5, S, S), `offset` (B, 4, 5, S, S) and `weight` (B, 5, S, S), see `anchor_targets`.
    """
    logits, offsets = network(batch["search"], network.encode_template(batch["template"]))
    return {
        "classification": classification_loss(logits, batch["label"], count_singletons=False),
        "offset": offset_loss(offsets, batch["offset"], batch["weight"]),
    }


def siammask_objective(network, batch):
    """SiamMask without refinement: `classification`, `offset` and `mask`.

    batch: as for `siamrpn_objective`, `mask` (B, 255, 255), 1 on the object and -1 elsewhere, and `has_mask`, bool
        (B,), False for a pair that teaches no mask: its data set has none, or it is a negative one.
    """
    template = network.encode_template(batch["template"])
    response = network(batch["search"], template)
    cells = mask_cells(batch["label"]) & batch["has_mask"][:, None, None]
    logits = mask_columns(network.coarse(response.features[-1], template.mask), cells)
    windows = mask_windows(batch["mask"], cells, MASK_PADDING)
    return {
        "classification": classification_loss(response.logits, batch["label"]),
        "offset": offset_loss(response.offsets, batch["offset"], batch["weight"]),
        "mask": mask_loss(logits, windows),
        **mask_agreement(logits, windows),
    }


def refinement_objective(network, batch):
    """SiamMask's refinement, which is trained last and alone: `mask`.

    batch: `label` (B, 5, 3, 3), `mask` (B, 143, 143) and `has_mask`, as for `siammask_objective`; the search region's
        143 pixels hold the whole window of each of its cells.
    """
    logits, windows = refined_masks(network, batch)
    return {"mask": mask_loss(logits, windows), **mask_agreement(logits, windows)}


def refined_masks(network, batch):
    """Logits (N, 127, 127) of the masks of all cells that learn one, and what they should be, see `mask_windows`."""
    template = network.encode_template(batch["template"])
    *fine, last = network.features(batch["search"])
    inside = slice(NECK_MARGIN, -NECK_MARGIN)
    correlation = network.coarse.correlate(last[..., inside, inside], template.mask)  # (B, 256, 3, 3)
    cells = mask_cells(batch["label"]) & batch["has_mask"][:, None, None]
    logits = torch.stack([torch.stack(row, 1) for row in _refine_all(network.refinement, fine, correlation)], 1)
    return logits[cells], mask_windows(batch["mask"], cells, padding=0)


def _refine_all(refinement, fine, correlation):
    """Masks (B, 127, 127) of all cells, by row and column.

    While tracking, a cell's patch starts a margin before it; here the first one starts at the first pixel.
    """
    rows, columns = correlation.shape[2:]
    return [
        [
            refinement(fine, correlation[:, :, row, column, None, None], row + NECK_MARGIN, column + NECK_MARGIN)[:, 0]
            for column in range(columns)
        ]
        for row in range(rows)
    ]


def ocean_objective(network, batch):
    """Ocean: `classification`, `box`, and `aligned` where the network has the object-aware head.

    batch: `class_target` (B, 25, 25), `distance` (B, 4, 25, 25) and `inside` (B, 25, 25), see `training.ocean_losses`.
    """
    response = network(batch["search"], network.encode_template(batch["template"]))
    box = response.box_ltrb, batch["distance"], batch["inside"]
    losses = {
        "classification": ocean_classification_loss(response.classification[:, 0], batch["class_target"]),
        "box": ocean_box_loss(*box),
    }
    if response.alignment is not None:
        losses["aligned"] = ocean_aligned_loss(response.alignment[:, 0], *box)
    return losses


def ocean_online_objective(network, batch):
    """Ocean's online branch: how well filters find targets, `first` as initialized, `steps` on the way, `last`.

    A filter is learned of a target's templates and judged on its search patches; the gradient flows through the
    learning.

    batch: `template` and `search` (B, M, 3, side, side), RGB, 0..255, patches of one target; `template_box` and
        `search_box` (B, M, 4), xywh in pixels of the patch.
    """
    patches = torch.stack([batch["template"], batch["search"]])  # (2, B, M, 3, side, side)
    templates, searches = network.encode_patch(patches.flatten(0, 2)).unflatten(0, patches.shape[:3])
    classifier = network.target_classifier
    losses = []
    for learned, boxes, judged, judged_boxes in zip(templates, batch["template_box"], searches, batch["search_box"]):
        target = score_target(judged_boxes, judged.shape[-1] + 1)
        kernel = classifier.initial_filter(learned, boxes)
        kernels = [kernel]
        for _ in range(FILTER_STEPS):
            kernel, _ = classifier.optimizer(kernel, learned, boxes, 1)
            kernels.append(kernel)
        losses.append(torch.stack([hinged_loss(filter_response(judged, kernel), target) for kernel in kernels]))
    losses = torch.stack(losses).mean(0)  # (1 + FILTER_STEPS,)
    return {"first": losses[0], "steps": losses[1:-1].mean(), "last": losses[-1]}


def siamrcr_objective(network, batch):
    """SiamRCR: `classification`, `box` and `localization`, see `training.siamrcr_losses`.

    batch: `box` (B, 4), cx, cy, w, h in pixels of the search region from its middle one.
    """
    return siamrcr_losses(network(batch["search"], network.encode_template(batch["template"])), batch["box"])


def gradnet_objective(network, batch):
    """GradNet: `adapted`, the loss of `adapted_scores`."""
    return {"adapted": tracking_loss(adapted_scores(network, batch))}


def adapted_scores(network, batch):
    """Scores (B, 1, 15, 15) that the template of the first pair gives all search regions after one gradient step.

    The other templates take part in batch norms alone, so that the gradient comes from many videos (template
    generalization). It flows through the step, too. Targets are in the middle of their search regions, of 239 pixels.
    """
    with torch.no_grad():
        search = network.encode_search(batch["search"])  # (B, 256, 20, 20)
    hidden = network.encode_hidden(batch["template"])  # (B, 256, 12, 12)
    score = correlate(search, network.template_backbone.deepen(hidden)[:1])  # (B, 1, 15, 15)
    (gradient,) = torch.autograd.grad(tracking_loss(score), hidden, create_graph=True)
    adapted = hidden + network.gradient_stage(GRADIENT_GAIN * gradient)
    return correlate(search, network.template_backbone.deepen(adapted)[:1])
