# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Training of GradNet (Li et al. 2019) as in the authors' code: pairs, colour statistics, the objective."""

from collections.abc import Sequence

import numpy as np
import torch

from siam_tracker_ros.core.crop import TEMPLATE_SIDE
from siam_tracker_ros.data import Track
from siam_tracker_ros.errors import DatasetError, InvalidInputError
from siam_tracker_ros.methods.gradnet.network import (
    GRADIENT_GAIN,
    STRIDE,
    GradNetNetwork,
    correlate,
    tracking_loss,
)
from siam_tracker_ros.training.pairs import Drawn, Item, PairTraining, to_arrays
from siam_tracker_ros.training.published import PublishedTraining
from siam_tracker_ros.training.recipe import Recipe
from siam_tracker_ros.training.task import Batch, Losses

SEARCH_LIMIT = 255  # central pixels of a prepared crop that search regions are cut out of
COLOR_SAMPLES = 200  # images that the colour directions are measured on
COLOR_SHARE = 0.1  # of the standard deviation of colours, by which an image is shifted


def gradnet_pair(recipe: Recipe, drawn: Drawn) -> Item:
    """Return the item of a pair for `gradnet_objective`; `drawn.statistics` are `color_directions`."""
    assert drawn.statistics is not None, "PublishedPairs measures them, since TRAINING.measure is set"
    (template,), (search,) = drawn.templates, drawn.searches
    views = (
        augment_gradnet(
            _middle(crop.image_bgr, limit), side, drawn.statistics, drawn.random, varied.scale, varied.shift
        )
        for crop, limit, side, varied in (
            (template, TEMPLATE_SIDE, TEMPLATE_SIDE, recipe.template),
            (search, SEARCH_LIMIT, recipe.search_side, recipe.search),
        )
    )
    return to_arrays(*views)


def _middle(image: np.ndarray, side: int) -> np.ndarray:
    start = (len(image) - side) // 2
    return image[start : start + side, start : start + side]


def augment_gradnet(
    image: np.ndarray,
    side: int,
    color_directions: np.ndarray,
    random: np.random.RandomState,
    stretch: float = 0.05,
    shift: float = 4,
) -> np.ndarray:
    """Augment a prepared crop as GradNet does: it samples the nearest pixels, with the target near the centre.

    Args:
        image: (H, W, 3).
        side: of the view.
        color_directions: (3, 3), see `color_directions`.
        random: generator.
        stretch, shift: as Augmentation's scale and shift; the shift is in whole pixels.

    Returns:
        The view, float32 (side, side, 3).
    """
    limit = np.array(image.shape[:2])
    size = np.around(np.minimum(side * (1 + stretch * (2 * random.random_sample(2) - 1)), limit))  # rows, columns
    reach = np.minimum(shift, np.floor((limit - size) / 2)).astype(int)
    moved = [random.randint(-reach[axis], reach[axis] + 1) for axis in (1, 0)][::-1]  # columns are drawn first
    start = (limit - size) / 2 + moved
    rows = np.around(np.linspace(start[0], start[0] + size[0] - 1, side)).astype(int)
    view = image[rows][:, rows].astype(np.float32)  # the same for columns: a quirk of the authors' code
    return view - (color_directions @ random.randn(3)).astype(np.float32)


def color_directions(tracks: Sequence[Track], count: int = COLOR_SAMPLES) -> np.ndarray:
    """Return the directions (3, 3) of GradNet's colour shifts: a tenth of the square root of the colours' covariance.

    Args:
        tracks: training data.
        count: number of tracks whose first image is read.

    Raises:
        DatasetError: none of the images can be read.
    """
    pixels = []
    for number in np.unique(np.linspace(0, len(tracks) - 1, count).round().astype(int)):
        try:
            pixels.append(tracks[number].image_bgr(0)[::8, ::8].reshape(-1, 3))
        except InvalidInputError:
            continue
    if not pixels:
        raise DatasetError(f"none of {count} images could be read; check the data sets")
    values, vectors = np.linalg.eigh(np.cov(np.concatenate(pixels), rowvar=False))
    return COLOR_SHARE * vectors * np.sqrt(values.clip(0)) @ vectors.T


def adapted_scores(network: GradNetNetwork, batch: Batch) -> torch.Tensor:
    """Return the scores (B, 1, 15, 15) of all search regions for the first template, after one gradient step.

    The gradient therefore comes from many videos (template generalization); the other templates only take part in batch
    norms. The loss is differentiated through the step. Targets are at the centre of their search regions of 239 pixels.
    """
    with torch.no_grad():
        search = network.encode_search(batch["search"])  # (B, 256, 20, 20)
    hidden = network.encode_hidden(batch["template"])  # (B, 256, 12, 12)
    score = correlate(search, network.template_backbone.deepen(hidden)[:1])  # (B, 1, 15, 15)
    (gradient,) = torch.autograd.grad(tracking_loss(score), hidden, create_graph=True)
    adapted = hidden + network.gradient_stage(GRADIENT_GAIN * gradient)
    return correlate(search, network.template_backbone.deepen(adapted)[:1])


def gradnet_objective(network: GradNetNetwork, batch: Batch) -> Losses:
    """Return the loss `adapted` of `adapted_scores`."""
    return {"adapted": tracking_loss(adapted_scores(network, batch))}


def response_cells(search_side: int) -> int:
    """Return the cells of the response to a template of 127 pixels."""
    return (search_side - TEMPLATE_SIDE) // STRIDE + 1


TRAINING = PairTraining(
    settings_class=PublishedTraining,
    make_pair=gradnet_pair,
    objective=gradnet_objective,
    losses=("adapted",),
    cells=response_cells,
    varies=("shift", "scale"),
    measure=color_directions,
    loss_couples_batch=True,
    needs_float32=True,
)
