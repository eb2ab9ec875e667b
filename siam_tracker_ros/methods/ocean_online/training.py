# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How Ocean's online branch is trained: sequences of patches, the target and the loss of its filters.

Ocean's authors published no training of their branch, which is DiMP's classifier (Bhat et al. 2019). So DiMP's loss is
taken: filters that are learned on some frames are judged on others, after each step of the optimizer that makes them.
"""

import math

import numpy as np
import torch

from siam_tracker_ros.geometry import xyxy_to_xywh
from siam_tracker_ros.layers.filter_optimizer import correlate as filter_response
from siam_tracker_ros.methods.ocean_online.network import PATCH_STRIDE
from siam_tracker_ros.methods.ocean_online.tracker import SEARCH_FACTOR
from siam_tracker_ros.training.augmentation import augment_pysot, warp_window
from siam_tracker_ros.training.pairs import PairTraining
from siam_tracker_ros.training.published import PublishedTraining

FILTER_STEPS = 5  # of the optimizer that makes the online branch's filter, as in DiMP's training
MAX_BACKGROUND = 0.05  # of the label; below it only scores above 0 count as errors
SIGMA_OVER_SIDE = 0.25  # of the label over the target's mean side


def ocean_online_sequence(recipe, drawn):
    """Return patches of one target, some to learn a filter of and others to judge it by, for `ocean_online_objective`.

    They are made of what was Drawn and show as much of the surroundings as while tracking.
    """
    parts = {}
    for name, crops, varied in (
        ("template", drawn.templates, recipe.template),
        ("search", drawn.searches, recipe.search),
    ):
        views = [_patch(crop, recipe.search_side, varied, drawn.random) for crop in crops]
        parts[name], parts[f"{name}_box"] = (np.stack(part) for part in zip(*views, strict=True))
    return parts


def _patch(crop, side, varied, random):
    """A patch as Ocean's online branch takes it, float32 (3, side, side), RGB, and the target's box_xywh in it."""
    box = crop.box_xyxy
    last = len(crop.image_bgr) - 1
    region = SEARCH_FACTOR * math.sqrt((box[2] - box[0]) * (box[3] - box[1]))
    length = 2 * round(last / 2 * side / region) + 1  # of the crop, so that `side` of its pixels show the region
    image = warp_window(crop.image_bgr, (0, 0, last, last), length)
    image, box = augment_pysot(image, box * ((length - 1) / last), side, varied, random)
    box_xywh = xyxy_to_xywh(box + 0.5)  # the views' boxes count from the middle of a pixel, the patches' from its edge
    return np.ascontiguousarray(image[..., ::-1].transpose(2, 0, 1)), np.float32(box_xywh)


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


def score_target(boxes_xywh, cells):
    """A Gaussian bell around each target's centre, (N, 1, cells, cells).

    Args:
        boxes_xywh: (N, 4) in pixels of the patch.
        cells: along a side of the score map, whose cells are the corners of the features' cells.
    """
    boxes = boxes_xywh / PATCH_STRIDE
    center = boxes[:, :2] + boxes[:, 2:] / 2  # (N, 2)
    sigma = SIGMA_OVER_SIDE * boxes[:, 2:].prod(1).sqrt()  # (N,)
    away = (torch.arange(cells).to(boxes) - center[:, :, None]) / sigma[:, None, None]  # (N, 2, cells), x and y
    x, y = away.square().unbind(1)
    return torch.exp(-(y[:, :, None] + x[:, None]) / 2)[:, None]


def hinged_loss(scores, target):
    """Mean squared error of scores (N, 1, S, S); where the target is background, scores below 0 are no error."""
    background = target < MAX_BACKGROUND
    error = torch.where(background, scores.clamp(min=0), scores - target)
    return error.square().mean()


def patch_cells(search_side):
    """Cells of the features of a patch."""
    return search_side // PATCH_STRIDE


TRAINING = PairTraining(
    settings_class=PublishedTraining,
    make_pair=ocean_online_sequence,
    objective=ocean_online_objective,
    losses=("first", "steps", "last"),
    cells=patch_cells,
    varies=("shift", "scale", "blur", "flip", "color"),
    needs_float32=True,
)
