# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How GradNet (Li et al. 2019) is trained: pairs, augmentation, the objective."""

import numpy as np
import torch

from siam_tracker_ros.errors import DatasetError, InvalidInputError
from siam_tracker_ros.methods.gradnet.network import GRADIENT_GAIN, STRIDE, TEMPLATE_SIDE, correlate, tracking_loss
from siam_tracker_ros.training.pairs import PairTraining, to_arrays
from siam_tracker_ros.training.published import PublishedTraining

SEARCH_LIMIT = 255  # pixels of the images that search regions are taken from
COLOR_SAMPLES = 200  # pictures that the colour directions are taken from
COLOR_SHARE = 0.1  # of the spread of colours that a picture is shifted by


def gradnet_pair(recipe, drawn):
    """Return a pair, as GradNet makes it of what was Drawn, for `gradnet_objective`; it needs `color_directions`."""
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


def _middle(image, side):
    start = (len(image) - side) // 2
    return image[start : start + side, start : start + side]


def augment_gradnet(image, side, color_directions, random, stretch=0.05, shift=4):
    """Vary a prepared crop as GradNet does: single pixels are picked, the target stays in the middle.

    Args:
        image: (H, W, 3).
        side: of the view and of the result.
        color_directions: (3, 3), a tenth of the square root of the training images' colour covariance.
        random: numpy.random.RandomState.
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
    view = image[rows][:, rows].astype(np.float32)  # GradNet picks columns where it picks rows
    return view - (color_directions @ random.randn(3)).astype(np.float32)


def color_directions(tracks, count=COLOR_SAMPLES):
    """How far and which way GradNet shifts colours, (3, 3): a tenth of the square root of their covariance.

    tracks: list of Track, `count` of which are looked at.

    Raises:
        DatasetError: none of their pictures can be read.
    """
    pixels = []
    for number in np.unique(np.linspace(0, len(tracks) - 1, count).round().astype(int)):
        try:
            pixels.append(tracks[number].image_bgr(0)[::8, ::8].reshape(-1, 3))
        except InvalidInputError:
            continue
    if not pixels:
        raise DatasetError(f"none of {count} pictures could be read; check the data sets")
    values, vectors = np.linalg.eigh(np.cov(np.concatenate(pixels), rowvar=False))
    return COLOR_SHARE * vectors * np.sqrt(values.clip(0)) @ vectors.T


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


def response_cells(search_side):
    """Cells of the response to a template of 127 pixels."""
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
