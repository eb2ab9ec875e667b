# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Training of Ocean's online branch: sequences of patches, targets, the loss of the filters, the objective.

Ocean's authors published no training of the branch, which is DiMP's classifier (Bhat et al. 2019). It is therefore
trained with DiMP's loss: a filter is learned on some frames and tested on others, after each step of its optimizer.
"""

import math

import numpy as np
import torch

from siam_tracker_ros.geometry import xyxy_to_xywh
from siam_tracker_ros.layers.filter_optimizer import correlate as filter_response
from siam_tracker_ros.methods.ocean_online.network import PATCH_STRIDE, OceanOnlineNetwork
from siam_tracker_ros.methods.ocean_online.tracker import SEARCH_FACTOR
from siam_tracker_ros.training.augmentation import Augmentation, augment_pysot, warp_window
from siam_tracker_ros.training.pairs import Drawn, Item, PairTraining, PreparedCrop
from siam_tracker_ros.training.published import PublishedTraining
from siam_tracker_ros.training.recipe import Recipe
from siam_tracker_ros.training.task import Batch, Losses

FILTER_STEPS = 5  # of the filter's optimizer, as in DiMP's training
MAX_BACKGROUND = 0.05  # of the score target; below it only positive scores are errors
SIGMA_OVER_SIDE = 0.25  # of the score target over the mean side of the box


def ocean_online_sequence(recipe: Recipe, drawn: Drawn) -> Item:
    """Return the item of a sequence for `ocean_online_objective`: patches to learn a filter on, and to test it on.

    They show as much context as in tracking.
    """
    parts: Item = {}
    for name, crops, varied in (
        ("template", drawn.templates, recipe.template),
        ("search", drawn.searches, recipe.search),
    ):
        views = [_patch(crop, recipe.search_side, varied, drawn.random) for crop in crops]
        parts[name], parts[f"{name}_box"] = (np.stack(part) for part in zip(*views, strict=True))
    return parts


def _patch(
    crop: PreparedCrop, side: int, varied: Augmentation, random: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray]:
    """Return the input of the online branch, float32 (3, side, side), RGB, and the target's box_xywh in it."""
    box = crop.box_xyxy
    last = len(crop.image_bgr) - 1
    region = SEARCH_FACTOR * math.sqrt((box[2] - box[0]) * (box[3] - box[1]))
    length = 2 * round(last / 2 * side / region) + 1  # of the resized crop: `side` of its pixels show the region
    image = warp_window(crop.image_bgr, (0, 0, last, last), length)
    image, box = augment_pysot(image, box * ((length - 1) / last), side, varied, random)
    box_xywh = xyxy_to_xywh(box + 0.5)  # from pixel centres to pixel edges
    return np.ascontiguousarray(image[..., ::-1].transpose(2, 0, 1)), box_xywh.astype(np.float32)


def score_target(boxes_xywh: torch.Tensor, cells: int) -> torch.Tensor:
    """Return a Gaussian around each target's centre, (N, 1, cells, cells).

    Args:
        boxes_xywh: (N, 4) in pixels of the patch.
        cells: side of the score map, whose cells are the corners of the features' cells.
    """
    boxes = boxes_xywh / PATCH_STRIDE
    center = boxes[:, :2] + boxes[:, 2:] / 2  # (N, 2)
    sigma = SIGMA_OVER_SIDE * boxes[:, 2:].prod(1).sqrt()  # (N,)
    away = (torch.arange(cells).to(boxes) - center[:, :, None]) / sigma[:, None, None]  # (N, 2, cells), x and y
    x, y = away.square().unbind(1)
    return torch.exp(-(y[:, :, None] + x[:, None]) / 2)[:, None]


def hinged_loss(scores: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the mean squared error of scores (N, 1, S, S); negative scores on background are no error."""
    background = target < MAX_BACKGROUND
    error = torch.where(background, scores.clamp(min=0), scores - target)
    return error.square().mean()


def ocean_online_objective(network: OceanOnlineNetwork, batch: Batch) -> Losses:
    """Return the losses of the filters: `first` as initialized, `steps` on average between, `last` after the last step.

    A filter is learned on a target's templates and tested on its search patches. The gradient flows through its
    optimizer.

    batch: `template` and `search` (B, M, 3, side, side), RGB, 0..255, patches of one target; `template_box` and
        `search_box` (B, M, 4), xywh in pixels of the patch.
    """
    patches = torch.stack([batch["template"], batch["search"]])  # (2, B, M, 3, side, side)
    templates, searches = network.encode_patch(patches.flatten(0, 2)).unflatten(0, patches.shape[:3])
    classifier = network.target_classifier
    losses = []
    for learned, boxes, tested, tested_boxes in zip(templates, batch["template_box"], searches, batch["search_box"]):
        target = score_target(tested_boxes, tested.shape[-1] + 1)
        kernel = classifier.initial_filter(learned, boxes)
        kernels = [kernel]
        for _ in range(FILTER_STEPS):
            kernel, _ = classifier.optimizer(kernel, learned, boxes, 1)
            kernels.append(kernel)
        losses.append(torch.stack([hinged_loss(filter_response(tested, kernel), target) for kernel in kernels]))
    means = torch.stack(losses).mean(0)  # (1 + FILTER_STEPS,)
    return {"first": means[0], "steps": means[1:-1].mean(), "last": means[-1]}


def patch_cells(search_side: int) -> int:
    """Return the cells of the features of a patch."""
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
