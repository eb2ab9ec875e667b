# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Training of Ocean (Zhang et al. 2020) as in the authors' code: pairs, targets, losses, the objective.

Distances are from a cell to the left, top, right and bottom side of a box, in pixels of the search region.
"""

from collections.abc import Iterable

import cv2
import numpy as np
import torch
from torch.nn import functional

from siam_tracker_ros.core.crop import TEMPLATE_SIDE
from siam_tracker_ros.methods.ocean.network import STRIDE, OceanNetwork, cell_pixels, response_cells
from siam_tracker_ros.training.augmentation import (
    Augmentation,
    both_signs,
    box_in_window,
    varied_window,
    warp_window,
)
from siam_tracker_ros.training.losses import balanced_mean
from siam_tracker_ros.training.pairs import Drawn, Item, PairTraining, to_arrays
from siam_tracker_ros.training.published import PublishedTraining
from siam_tracker_ros.training.recipe import Recipe
from siam_tracker_ros.training.task import Batch, Losses

TARGET_RADIUS = 2  # cells in L1 distance: 13 target cells, whatever the target's size


def ocean_pair(recipe: Recipe, drawn: Drawn) -> Item:
    """Return the item of a pair for `ocean_objective`."""
    first, second, box, shift = ocean_views(recipe, drawn)
    distance, inside = distance_target(box, recipe.cells, recipe.search_side)
    targets = {"class_target": class_target(shift, recipe.cells), "distance": distance, "inside": inside}
    return {**to_arrays(first, second), **targets}


def ocean_views(recipe: Recipe, drawn: Drawn) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return template view and search view, and box_xyxy and drawn shift (2,) of the target in the latter."""
    (template,), (search,), random = drawn.templates, drawn.searches, drawn.random
    first, _, _ = augment_ocean(template.image_bgr, template.box_xyxy, TEMPLATE_SIDE, recipe.template, random)
    second, box, shift = augment_ocean(search.image_bgr, search.box_xyxy, recipe.search_side, recipe.search, random)
    return first, second, box, shift


def augment_ocean(
    image_bgr: np.ndarray, box_xyxy: np.ndarray, side: int, augmentation: Augmentation, random: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Augment a prepared crop as Ocean does.

    The window is a pixel wider than that of PySOT, at the same side of the view; the box ignores this (a quirk of the
    authors' code).

    Args:
        image_bgr, box_xyxy, side, augmentation, random: as for `augment_pysot`.

    Returns:
        The view, uint8 (side, side, 3), the target's box in it, and the drawn shift (2,), for `class_target`.
    """
    shift = both_signs(random, 2) * augmentation.shift
    scale = 1 + both_signs(random, 2) * augmentation.scale
    window, scale = varied_window(len(image_bgr), side, shift, scale)
    image = warp_window(image_bgr, window, side)
    if augmentation.color > random.random():
        image = jitter_color(image, random)
    return image, box_in_window(box_xyxy, window, scale), shift


def jitter_color(image: np.ndarray, random: np.random.RandomState, strength: float = 0.05) -> np.ndarray:
    """Vary brightness, contrast, saturation and hue of a uint8 image by up to `strength`, in random order.

    Ocean confuses blue and red here (a quirk of the authors' code).
    """
    brightness, contrast, saturation = 1 + both_signs(random, 3) * strength
    turn = round(float(both_signs(random, 1)[0]) * strength * 180)  # of the hue, in half degrees
    for change in random.permutation(4):
        if change == 0:
            image = cv2.convertScaleAbs(image, alpha=brightness)
        elif change == 1:
            mean = round(float(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).mean()))
            image = cv2.addWeighted(image, contrast, image, 0, (1 - contrast) * mean)
        elif change == 2:
            grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
            image = cv2.addWeighted(image, saturation, grey, 1 - saturation, 0)
        else:
            hue, *rest = cv2.split(cv2.cvtColor(image, cv2.COLOR_RGB2HSV))
            hue = ((hue.astype(np.int16) + turn) % 180).astype(np.uint8)
            image = cv2.cvtColor(cv2.merge([hue, *rest]), cv2.COLOR_HSV2RGB)
    return image


def class_target(shift_xy: np.ndarray, cells: int = 25) -> np.ndarray:
    """Return 1 on a diamond of cells around the target's centre and 0 elsewhere, float32 (cells, cells).

    shift_xy: drawn shift of the search region, in pixels. The scale is ignored, and fractions of a cell are truncated
        (a quirk of the authors' code).
    """
    column, row = (cells // 2 + int(-shift / STRIDE) for shift in shift_xy)
    axis = np.arange(cells)
    return (np.abs(axis - row)[:, None] + np.abs(axis - column) <= TARGET_RADIUS).astype(np.float32)


def distance_target(
    box_xyxy: Iterable[float], cells: int = 25, search_side: int = 255
) -> tuple[np.ndarray, np.ndarray]:
    """Return the distances of each cell to a box, float32 (4, cells, cells), and 1 inside it, float32 (cells, cells).

    A cell on a side of the box is not inside.
    """
    x1, y1, x2, y2 = (float(value) for value in box_xyxy)
    position = cell_pixels(cells).numpy() + search_side // 2
    columns, rows = np.meshgrid(position, position)
    distance = np.stack([columns - x1, rows - y1, x2 - columns, y2 - rows])
    return distance.astype(np.float32), (distance.min(0) > 0).astype(np.float32)


def smooth_iou(distance: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the IoU (B, S, S) of boxes given as distances (B, 4, S, S), with 1 added to numerator and denominator."""
    shared = torch.minimum(distance, target)
    area, area_target, area_shared = (
        (sides[:, 0] + sides[:, 2]) * (sides[:, 1] + sides[:, 3]) for sides in (distance, target, shared)
    )
    return (area_shared + 1) / (area + area_target - area_shared + 1)


def ocean_classification_loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the binary cross entropy, half of it from target cells and half from the others; both (B, S, S).

    If a batch has a single target cell, the cell is ignored (a quirk of the authors' code).
    """
    losses = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return balanced_mean(losses, target == 1, target == 0, count_singletons=False)


def ocean_box_loss(distance: torch.Tensor, target: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
    """Return the mean of -log(smooth IoU) over the cells inside the box; 0 without such cells.

    distance, target: (B, 4, S, S); inside: (B, S, S).
    """
    chosen = inside > 0
    if not chosen.any():
        return distance.sum() * 0
    return -torch.log(smooth_iou(distance, target)[chosen]).mean()


def aligned_target(distance: torch.Tensor, target: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
    """Return the target of the object-aware head (B, S, S): the IoU of each cell's box inside the target, 0 outside.

    It is not detached: its gradient reaches the boxes.
    """
    return (inside * smooth_iou(distance, target)).abs().clamp(max=1)


def ocean_aligned_loss(
    logits: torch.Tensor, distance: torch.Tensor, target: torch.Tensor, inside: torch.Tensor
) -> torch.Tensor:
    """Return the binary cross entropy of the object-aware head (B, S, S) against `aligned_target`.

    A NaN loss becomes 0, with a gradient of 0.
    """
    wanted = aligned_target(distance, target, inside)
    loss = functional.binary_cross_entropy_with_logits(logits, wanted)
    return logits.nan_to_num().sum() * 0 if torch.isnan(loss) else loss


def ocean_objective(network: OceanNetwork, batch: Batch) -> Losses:
    """Return the losses `classification`, `box` and, if the network has the object-aware head, `aligned`.

    batch: `class_target` (B, 25, 25), `distance` (B, 4, 25, 25) and `inside` (B, 25, 25), see `class_target` and
        `distance_target`.
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


TRAINING = PairTraining(
    settings_class=PublishedTraining,
    make_pair=ocean_pair,
    objective=ocean_objective,
    losses=("classification", "box", "aligned"),
    cells=response_cells,
    varies=("shift", "scale", "color"),
)
