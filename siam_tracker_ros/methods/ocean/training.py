# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How Ocean (Zhang et al. 2020) is trained, as in the authors' code: pairs, targets, losses, the objective.

Distances are from a cell to the left, top, right and bottom side of a box, in pixels of the search region.
"""

import cv2
import numpy as np
import torch
from torch.nn import functional

from siam_tracker_ros.methods.ocean.network import STRIDE, cell_pixels, response_cells
from siam_tracker_ros.training.augmentation import TEMPLATE_SIDE, both_signs, box_in_window, varied_window, warp_window
from siam_tracker_ros.training.losses import balanced_mean
from siam_tracker_ros.training.pairs import PairTraining, to_arrays
from siam_tracker_ros.training.published import PublishedTraining

TARGET_RADIUS = 2  # cells, rows and columns added; 13 cells whatever the target's size


def ocean_pair(recipe, drawn):
    """Return a pair, as Ocean makes it of what was Drawn, for `ocean_objective`."""
    first, second, box, shift = ocean_views(recipe, drawn)
    distance, inside = distance_target(box, recipe.cells, recipe.search_side)
    targets = {"class_target": class_target(shift, recipe.cells), "distance": distance, "inside": inside}
    return {**to_arrays(first, second), **targets}


def ocean_views(recipe, drawn):
    """Return template and search view, the target's box_xyxy in the latter, and the shift (2,) that was drawn for it."""
    (template,), (search,), random = drawn.templates, drawn.searches, drawn.random
    first, _, _ = augment_ocean(template.image_bgr, template.box_xyxy, TEMPLATE_SIDE, recipe.template, random)
    views = augment_ocean(search.image_bgr, search.box_xyxy, recipe.search_side, recipe.search, random)
    return first, *views


def augment_ocean(image_bgr, box_xyxy, side, augmentation, random):
    """Vary a prepared crop as Ocean does.

    The view is a pixel wider than the others' and is shown in as many pixels; the box is not told.

    Returns:
        The view, uint8 (side, side, 3), the target's box in it, and the shift (2,) that was drawn: the class target's.
    """
    shift = both_signs(random, 2) * augmentation.shift
    scale = 1 + both_signs(random, 2) * augmentation.scale
    window, scale = varied_window(len(image_bgr), side, shift, scale)
    image = warp_window(image_bgr, window, side)
    if augmentation.color > random.random():
        image = jitter_color(image, random)
    return image, box_in_window(box_xyxy, window, scale), shift


def jitter_color(image, random, most=0.05):
    """Vary brightness, contrast, saturation and hue of a uint8 image by up to `most`, in random order.

    Ocean takes blue for red here.
    """
    brightness, contrast, saturation = 1 + both_signs(random, 3) * most
    turn = round(float(both_signs(random, 1)[0]) * most * 180)  # half degrees
    for change in random.permutation(4):
        if change == 0:
            image = cv2.convertScaleAbs(image, alpha=brightness)
        elif change == 1:
            grey = round(float(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).mean()))
            image = cv2.addWeighted(image, contrast, image, 0, (1 - contrast) * grey)
        elif change == 2:
            grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
            image = cv2.addWeighted(image, saturation, grey, 1 - saturation, 0)
        else:
            hue, *rest = cv2.split(cv2.cvtColor(image, cv2.COLOR_RGB2HSV))
            hue = ((hue.astype(np.int16) + turn) % 180).astype(np.uint8)
            image = cv2.cvtColor(cv2.merge([hue, *rest]), cv2.COLOR_HSV2RGB)
    return image


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


def class_target(shift_xy, cells=25):
    """1 on a diamond of cells around the target's centre and 0 elsewhere, float32 (cells, cells).

    shift_xy: pixels by which the search region was moved off the target, as drawn: the scale is left out of account
    and parts of a cell are cut off.
    """
    column, row = (cells // 2 + int(-shift / STRIDE) for shift in shift_xy)
    axis = np.arange(cells)
    return (np.abs(axis - row)[:, None] + np.abs(axis - column) <= TARGET_RADIUS).astype(np.float32)


def distance_target(box_xyxy, cells=25, search_side=255):
    """Distances from each cell to the sides of a box, float32 (4, cells, cells), and 1 in it, float32 (cells, cells).

    A cell on a side is not in the box.
    """
    x1, y1, x2, y2 = (float(value) for value in box_xyxy)
    position = cell_pixels(cells).numpy() + search_side // 2
    columns, rows = np.meshgrid(position, position)
    distance = np.stack([columns - x1, rows - y1, x2 - columns, y2 - rows])
    return distance.astype(np.float32), (distance.min(0) > 0).astype(np.float32)


def smooth_iou(distance, target):
    """IoU (B, S, S) of boxes given as distances (B, 4, S, S) from the same cells, a pixel added above and below."""
    shared = torch.minimum(distance, target)
    area, area_target, area_shared = (
        (sides[:, 0] + sides[:, 2]) * (sides[:, 1] + sides[:, 3]) for sides in (distance, target, shared)
    )
    return (area_shared + 1) / (area + area_target - area_shared + 1)


def ocean_classification_loss(logits, target):
    """Binary cross entropy, half of it from target cells and half from the others; both (B, S, S).

    A batch with one target cell, which takes cropping, learns nothing from it, as in the authors' code.
    """
    losses = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return balanced_mean(losses, target == 1, target == 0, count_singletons=False)


def ocean_box_loss(distance, target, inside):
    """Mean of -log(smooth IoU) over the cells in the box; 0 when there is none.

    distance, target: (B, 4, S, S); inside: (B, S, S).
    """
    chosen = inside > 0
    if not chosen.any():
        return distance.sum() * 0
    return -torch.log(smooth_iou(distance, target)[chosen]).mean()


def aligned_target(distance, target, inside):
    """What the object-aware head learns, (B, S, S): the IoU of each cell's box with the target, 0 outside it.

    The gradient passes on to the boxes.
    """
    return (inside * smooth_iou(distance, target)).abs().clamp(max=1)


def ocean_aligned_loss(logits, distance, target, inside):
    """Binary cross entropy of the object-aware head against `aligned_target`; (B, S, S).

    A loss that is not a number becomes 0, from which every weight has a gradient of 0.
    """
    wanted = aligned_target(distance, target, inside)
    loss = functional.binary_cross_entropy_with_logits(logits, wanted)
    return logits.nan_to_num().sum() * 0 if torch.isnan(loss) else loss


TRAINING = PairTraining(
    settings_class=PublishedTraining,
    make_pair=ocean_pair,
    objective=ocean_objective,
    losses=("classification", "box", "aligned"),
    cells=response_cells,
    varies=("shift", "scale", "color"),
)
