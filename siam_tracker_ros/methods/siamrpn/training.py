# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Training of SiamRPN++ (Li et al. 2019) as in PySOT: pairs, losses, the objective; targets are in `anchor_targets`."""

import dataclasses

import torch
from torch.nn import functional

from siam_tracker_ros.core.crop import TEMPLATE_SIDE
from siam_tracker_ros.methods.siamrpn.anchor_targets import BACKGROUND, TARGET, anchor_targets
from siam_tracker_ros.methods.siamrpn.anchors import STRIDE
from siam_tracker_ros.methods.siamrpn.network import SiamRPN
from siam_tracker_ros.training.augmentation import augment_pysot
from siam_tracker_ros.training.losses import balanced_mean
from siam_tracker_ros.training.pairs import Drawn, Item, PairTraining, to_arrays
from siam_tracker_ros.training.published import PublishedTraining
from siam_tracker_ros.training.recipe import Recipe
from siam_tracker_ros.training.task import Batch, Losses


def siamrpn_pair(recipe: Recipe, drawn: Drawn) -> Item:
    """Return the item of a pair for `siamrpn_objective`."""
    assert recipe.anchors is not None, "Recipe requires anchors where has_anchors is set"
    (template,), (search,), random = drawn.templates, drawn.searches, drawn.random
    first, _ = augment_pysot(template.image_bgr, template.box_xyxy, TEMPLATE_SIDE, recipe.template, random)
    second, box = augment_pysot(search.image_bgr, search.box_xyxy, recipe.search_side, recipe.search, random)
    targets = anchor_targets(box, recipe.cells, recipe.anchors, random, recipe.search_side, drawn.negative)
    return {**to_arrays(first, second), "label": targets.label, "offset": targets.offset, "weight": targets.weight}


def classification_loss(logits: torch.Tensor, label: torch.Tensor, count_singletons: bool = True) -> torch.Tensor:
    """Return the cross entropy, half of it from targets and half from background, over the whole batch.

    Args:
        logits: (B, 2A, S, S), background before target.
        label: (B, A, S, S), see `anchor_targets`.
        count_singletons: see `balanced_mean`; False for SiamRPN++.
    """
    batch, channels, *cells = logits.shape
    scores = functional.log_softmax(logits.reshape(batch, 2, channels // 2, *cells), dim=1)
    losses = -torch.where(label == TARGET, scores[:, 1], scores[:, 0])  # (B, A, S, S)
    return balanced_mean(losses, label == TARGET, label == BACKGROUND, count_singletons)


def offset_loss(offset: torch.Tensor, target: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Return the weighted L1 loss, the sum over a pair and the mean over the batch.

    Args:
        offset: (B, 4A, S, S), all x before all y, widths and heights.
        target: (B, 4, A, S, S).
        weight: (B, A, S, S).
    """
    distance = (offset.reshape(target.shape) - target).abs().sum(1)  # (B, A, S, S)
    return (distance * weight).sum() / len(offset)


def siamrpn_objective(network: SiamRPN, batch: Batch) -> Losses:
    """Return the losses `classification` and `offset`.

    batch: `label` (B, 5, S, S), `offset` (B, 4, 5, S, S) and `weight` (B, 5, S, S), see `anchor_targets`.
    """
    logits, offsets = network(batch["search"], network.encode_template(batch["template"]))
    return {
        "classification": classification_loss(logits, batch["label"], count_singletons=False),
        "offset": offset_loss(offsets, batch["offset"], batch["weight"]),
    }


def unpadded_cells(search_side: int) -> int:
    """Return the cells of the response of a network without padding to a template of 127 pixels."""
    return (search_side - TEMPLATE_SIDE) // STRIDE + 1


def cropped_cells(search_side: int) -> int:
    """Return the cells of the response of a network that crops the centre out of the template's features."""
    return unpadded_cells(search_side) + 8


RESNET = PairTraining(
    settings_class=PublishedTraining,
    make_pair=siamrpn_pair,
    objective=siamrpn_objective,
    losses=("classification", "offset"),
    cells=cropped_cells,
    varies=("shift", "scale", "blur", "flip", "color"),
    has_anchors=True,
)
ALEXNET = dataclasses.replace(RESNET, cells=unpadded_cells)
