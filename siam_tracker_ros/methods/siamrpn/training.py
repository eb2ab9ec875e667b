# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How SiamRPN++ (Li et al. 2019) is trained, as in PySOT: pairs, losses, the objective.

Its targets are in `anchor_targets`.
"""

import dataclasses

import torch
from torch.nn import functional

from siam_tracker_ros.methods.siamrpn.anchor_targets import BACKGROUND, TARGET, anchor_targets
from siam_tracker_ros.methods.siamrpn.anchors import STRIDE
from siam_tracker_ros.training.augmentation import TEMPLATE_SIDE, augment_pysot
from siam_tracker_ros.training.losses import balanced_mean
from siam_tracker_ros.training.pairs import PairTraining, to_arrays
from siam_tracker_ros.training.published import PublishedTraining


def siamrpn_pair(recipe, drawn):
    """Return a pair, as PySOT makes it of what was Drawn, for `siamrpn_objective`."""
    (template,), (search,), random = drawn.templates, drawn.searches, drawn.random
    first, _ = augment_pysot(template.image_bgr, template.box_xyxy, TEMPLATE_SIDE, recipe.template, random)
    second, box = augment_pysot(search.image_bgr, search.box_xyxy, recipe.search_side, recipe.search, random)
    targets = anchor_targets(box, recipe.cells, recipe.anchors, random, recipe.search_side, drawn.negative)
    return {**to_arrays(first, second), "label": targets.label, "offset": targets.offset, "weight": targets.weight}


def siamrpn_objective(network, batch):
    """SiamRPN++: `classification` and `offset`.

    batch: `label` (B, 5, S, S), `offset` (B, 4, 5, S, S) and `weight` (B, 5, S, S), see `anchor_targets`.
    """
    logits, offsets = network(batch["search"], network.encode_template(batch["template"]))
    return {
        "classification": classification_loss(logits, batch["label"], count_singletons=False),
        "offset": offset_loss(offsets, batch["offset"], batch["weight"]),
    }


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


def unpadded_cells(search_side):
    """Cells of the response to a template of 127 pixels, from layers without padding and with a stride of 8."""
    return (search_side - TEMPLATE_SIDE) // STRIDE + 1


def cropped_cells(search_side):
    """Cells of the response where the network crops the middle out of its template's features."""
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
