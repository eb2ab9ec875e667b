# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Training of SiamMask (Wang et al. 2019) as in the authors' code: pairs, targets and losses of masks, objectives."""

import dataclasses
import random as python_random
from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch.nn import functional

from siam_tracker_ros.core.crop import TEMPLATE_SIDE
from siam_tracker_ros.methods.siammask.network import Refinement, SiamMask, cut_patches, cut_square
from siam_tracker_ros.methods.siamrpn.anchor_targets import TARGET, anchor_targets
from siam_tracker_ros.methods.siamrpn.anchors import STRIDE
from siam_tracker_ros.methods.siamrpn.training import classification_loss, cropped_cells, offset_loss, unpadded_cells
from siam_tracker_ros.training.augmentation import (
    Augmentation,
    both_signs,
    box_in_window,
    cross_kernel,
    shift_color,
    varied_window,
    warp_window,
)
from siam_tracker_ros.training.pairs import Drawn, Item, PairTraining, Preparation, to_arrays, usual_preparation
from siam_tracker_ros.training.published import PublishedTraining
from siam_tracker_ros.training.recipe import Recipe
from siam_tracker_ros.training.task import Batch, Losses

MAX_BLUR_SIDE = 45
MASK_PADDING = 32  # pixels around a search region of 255, so that each of its 25 x 25 cells has a full mask
NECK_MARGIN = 4  # cells that the neck crops off each side of the 17 x 17 of a search region of 143 pixels
MASK_SIDE = 127  # pixels of the search region that the mask of a cell covers, and of the mask


def siammask_pair(recipe: Recipe, drawn: Drawn) -> Item:
    """Return the item of a pair for `siammask_objective` and `refinement_objective`."""
    assert recipe.anchors is not None, "Recipe requires anchors where has_anchors is set"
    (template,), (search,), random = drawn.templates, drawn.searches, drawn.random
    uniform = python_random.Random(int(random.randint(2**31 - 1)))
    first, _, _ = augment_siammask(
        template.image_bgr, template.box_xyxy, TEMPLATE_SIDE, recipe.template, uniform, random
    )
    second, box, mask = augment_siammask(
        search.image_bgr, search.box_xyxy, recipe.search_side, recipe.search, uniform, random, search.mask
    )
    targets = anchor_targets(box, recipe.cells, recipe.anchors, random, recipe.search_side, drawn.negative)
    if drawn.negative:
        mask = None
    shown = np.zeros(second.shape[:2], bool) if mask is None else mask
    return {
        **to_arrays(first, second),
        "label": targets.label,
        "offset": targets.offset,
        "weight": targets.weight,
        "mask": np.where(shown, np.float32(1), np.float32(-1)),
        "has_mask": np.array(mask is not None),
    }


def augment_siammask(
    image_bgr: np.ndarray,
    box_xyxy: np.ndarray,
    side: int,
    augmentation: Augmentation,
    random: python_random.Random,
    normal: np.random.RandomState,
    mask: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Augment a prepared crop, and its mask, as SiamMask does.

    Args:
        image_bgr, box_xyxy, side, augmentation: as for `augment_pysot`; colour always varies, nothing is flipped.
        random: generator of uniform numbers.
        normal: generator of normal numbers.
        mask: (H, W) of zeros and ones, or None.

    Returns:
        The view, the target's box in it, and the mask, bool (side, side), or None.
    """
    shift = both_signs(random, 2) * augmentation.shift if augmentation.shift else np.zeros(2)
    scale = 1 + both_signs(random, 2) * augmentation.scale if augmentation.scale else np.ones(2)
    window, scale = varied_window(len(image_bgr), side - 1, shift, scale)
    image: np.ndarray = shift_color(warp_window(image_bgr, window, side).astype(np.float32), normal.randn(3, 1))
    if augmentation.blur > random.random():
        kernel_side = 2 * int(np.round(normal.randn(1))[0]) + 1
        if kernel_side > 0 and random.random() >= 0.5:
            kernel_side = min(kernel_side, MAX_BLUR_SIDE)
            image = cv2.filter2D(image, -1, cross_kernel(kernel_side, random.random()))
    mask = None if mask is None else warp_window(mask.astype(np.float32), window, side) > 0.5
    return image, box_in_window(box_xyxy, window, scale), mask


def preparation(format_name: str) -> Preparation:
    """Return the authors' preparation of a data set's format."""
    return Preparation(outermost=True, inclusive=True) if format_name == "coco" else usual_preparation(format_name)


def mask_cells(label: torch.Tensor) -> torch.Tensor:
    """Return the cells (B, S, S) that learn a mask: those with a target among their anchors; label: (B, A, S, S)."""
    return label.amax(1) == TARGET


def mask_windows(mask: torch.Tensor, cells: torch.Tensor, padding: int) -> torch.Tensor:
    """Return the target mask of each chosen cell.

    Args:
        mask: (B, H, W), 1 on the object and -1 elsewhere.
        cells: bool (B, S, S), the chosen cells.
        padding: in pixels: 32 for a search region of 255 pixels and 25 cells, 0 for 143 pixels and 3 cells.

    Returns:
        (N, 127, 127) in the order of the cells; 0, which has no gradient, outside of the search region.
    """
    padded = functional.pad(mask, [padding] * 4)
    windows = padded.unfold(1, MASK_SIDE, STRIDE).unfold(2, MASK_SIDE, STRIDE)  # a view, (B, S, S, 127, 127)
    return windows[cells]


def mask_columns(logits: torch.Tensor, cells: torch.Tensor, side: int = 63) -> torch.Tensor:
    """Return the masks (N, 63, 63) of the chosen cells (B, S, S) from the mask head's output (B, 3969, S, S)."""
    return logits.movedim(1, -1)[cells].reshape(-1, side, side)


def mask_loss(logits: torch.Tensor, windows: torch.Tensor) -> torch.Tensor:
    """Return the logistic loss, the mean over all pixels of all masks; 0 without masks.

    Pixels outside of the search region add log 2 each, without gradient (a quirk of the authors' code).

    Args:
        logits: (N, h, w), resized to 127 pixels with aligned corners.
        windows: (N, 127, 127), see `mask_windows`.
    """
    if not len(logits):
        return logits.sum() * 0
    return functional.soft_margin_loss(_to_mask_side(logits), windows)


def _to_mask_side(logits: torch.Tensor) -> torch.Tensor:
    if logits.shape[-1] == MASK_SIDE:
        return logits
    return functional.interpolate(logits[:, None], (MASK_SIDE, MASK_SIDE), mode="bilinear", align_corners=True)[:, 0]


@torch.no_grad()
def mask_agreement(logits: torch.Tensor, windows: torch.Tensor) -> Losses:
    """Return figures for the log: how well masks agree with their targets.

    Args:
        logits: (N, h, w), thresholded at 0.
        windows: (N, 127, 127), 1 on the object and -1 elsewhere.

    Returns:
        `mask_iou`, the mean IoU, and `mask_iou_above_50` and `mask_iou_above_70`, the shares of masks with an IoU above
        0.5 and 0.7; all 0 without masks.
    """
    iou = logits.new_zeros(0)
    if len(logits):
        found, expected = _to_mask_side(logits) >= 0, windows == 1
        iou = (found & expected).sum((1, 2)) / (found | expected).sum((1, 2)).clamp(min=1)  # (N,)
    shares = {"mask_iou": iou, "mask_iou_above_50": (iou > 0.5).to(iou), "mask_iou_above_70": (iou > 0.7).to(iou)}
    return {name: share.sum() / max(1, len(iou)) for name, share in shares.items()}


def siammask_objective(network: SiamMask, batch: Batch) -> Losses:
    """Return the losses `classification`, `offset` and `mask` of the first stage, without refinement.

    batch: as for `siamrpn_objective`; also `mask` (B, 255, 255), 1 on the object and -1 elsewhere, and `has_mask`, bool
        (B,), False for a pair without mask: its data set has no masks, or it is negative.
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


def refinement_objective(network: SiamMask, batch: Batch) -> Losses:
    """Return the loss `mask` of the second stage, which trains the masks alone.

    batch: `label` (B, 5, 3, 3), `mask` (B, 143, 143) and `has_mask`, as for `siammask_objective`; the 143 pixels of the
        search region contain the window of each cell.
    """
    logits, windows = refined_masks(network, batch)
    return {"mask": mask_loss(logits, windows), **mask_agreement(logits, windows)}


def refined_masks(network: SiamMask, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits (N, 127, 127) of the masks at all cells that learn one, and their targets, see `mask_windows`."""
    assert network.refinement is not None, "the network that REFINEMENT trains has it"
    template = network.encode_template(batch["template"])
    *fine, last = network.features(batch["search"])
    inside = slice(NECK_MARGIN, -NECK_MARGIN)
    correlation = network.coarse.correlate(last[..., inside, inside], template.mask)  # (B, 256, 3, 3)
    cells = mask_cells(batch["label"]) & batch["has_mask"][:, None, None]
    logits = torch.stack([torch.stack(row, 1) for row in _refine_all(network.refinement, fine, correlation)], 1)
    return logits[cells], mask_windows(batch["mask"], cells, padding=0)


def _refine_all(
    refinement: Refinement, fine: Sequence[torch.Tensor], correlation: torch.Tensor
) -> list[list[torch.Tensor]]:
    """Return the masks (B, 127, 127) of all cells by row and column.

    In tracking, a cell's patch starts NECK_MARGIN cells before the cell; here the first patch starts at pixel 0.
    """
    rows, columns = correlation.shape[2:]

    def refine(row: int, column: int) -> torch.Tensor:
        patches = cut_patches(fine, row + NECK_MARGIN, column + NECK_MARGIN, cut_square)
        return refinement(patches, correlation[:, :, row, column, None, None])[:, 0]

    return [[refine(row, column) for column in range(columns)] for row in range(rows)]


BASE = PairTraining(
    settings_class=PublishedTraining,
    make_pair=siammask_pair,
    objective=siammask_objective,
    losses=("classification", "offset", "mask"),
    cells=cropped_cells,
    varies=("shift", "scale", "blur"),
    preparation=preparation,
    has_anchors=True,
)
REFINEMENT = dataclasses.replace(
    BASE, objective=refinement_objective, losses=("mask",), cells=unpadded_cells, has_unused_parameters=True
)
