# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How the toy is trained: pairs, the objective, and the record that says so."""

import numpy as np
from torch.nn import functional

from siam_tracker_ros.training.augmentation import augment_pysot
from siam_tracker_ros.training.pairs import Drawn, Item, PairTraining, to_arrays
from siam_tracker_ros.training.published import PublishedTraining
from siam_tracker_ros.training.recipe import Recipe
from siam_tracker_ros.training.task import Batch, Losses
from toy_method.network import SCORE_CELLS, STRIDE, TEMPLATE_SIDE, ToyNetwork


def make_pair(recipe: Recipe, drawn: Drawn) -> Item:
    """Return template, search region and `label` (17, 17), 1 within two cells of the target's centre."""
    (template,), (search,) = drawn.templates, drawn.searches
    first, _ = augment_pysot(template.image_bgr, template.box_xyxy, TEMPLATE_SIDE, recipe.template, drawn.random)
    second, box = augment_pysot(search.image_bgr, search.box_xyxy, recipe.search_side, recipe.search, drawn.random)
    center_xy = ((box[:2] + box[2:]) / 2 - recipe.search_side // 2) / STRIDE + SCORE_CELLS // 2
    axis = np.arange(SCORE_CELLS)
    label = np.hypot(axis - center_xy[0], axis[:, None] - center_xy[1]) <= 2
    return {**to_arrays(first, second), "label": label.astype(np.float32)}


def objective(network: ToyNetwork, batch: Batch) -> Losses:
    """Return `classification`, the binary cross entropy of all cells."""
    scores = network(batch["search"], network.encode(batch["template"]))
    return {"classification": functional.binary_cross_entropy_with_logits(scores, batch["label"])}


TRAINING = PairTraining(
    settings_class=PublishedTraining,
    make_pair=make_pair,
    objective=objective,
    losses=("classification",),
    cells=lambda search_side: (search_side - TEMPLATE_SIDE) // STRIDE + 1,
    varies=("shift", "scale", "blur", "flip", "color"),
)
