# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What each published method is trained with: its network, how its pairs are made, and its losses."""

import collections.abc
import dataclasses
import functools

import numpy as np

from siam_tracker_ros.methods.gradnet.network import GradNetNetwork
from siam_tracker_ros.methods.ocean.network import OceanNetwork
from siam_tracker_ros.methods.ocean_online.network import OceanOnlineNetwork
from siam_tracker_ros.methods.siammask.network import SiamMask, SiamMaskBase
from siam_tracker_ros.methods.siamrcr.network import SiamRCRNetwork
from siam_tracker_ros.methods.siamrpn.network import SiamRPNAlex, SiamRPNResNet50
from siam_tracker_ros.training import objectives, published_pairs


@dataclasses.dataclass(frozen=True)
class Drawn:
    """What was drawn for one pair.

    Attributes:
        templates, searches: PreparedCrops, a recipe's `frames` of each.
        random: numpy.random.RandomState for what is drawn from now on.
        negative: the searches show another object than the templates.
        color_directions: (3, 3), of the training images, see `augmentation.augment_gradnet`; None where the method
            does without.
    """

    templates: list
    searches: list
    random: np.random.RandomState
    negative: bool
    color_directions: np.ndarray | None


@dataclasses.dataclass(frozen=True)
class Method:
    """A published method.

    Attributes:
        model: its name in `trackers.registry`.
        make_network: makes the network that is trained.
        make_pair: function of Recipe and Drawn; returns an item, see `published_pairs`.
        objective: function of a network and a batch, see `objectives`.
        losses: their names.
        cells: function of the search region's side in pixels; returns that of the response in cells.
        varies: what of an Augmentation it heeds.
        has_anchors: pairs are labelled by AnchorRules, and may show two objects.
        shifts_colors: pairs need the colour directions of the training images.
        has_unused_parameters: weights that learn, by the authors' groups, of which the losses know nothing.
        loss_couples_batch: a pair's own loss depends on the others that its process sees in a step.
        needs_float32: bfloat16 is too coarse for what it learns by.
    """

    model: str
    make_network: collections.abc.Callable
    make_pair: collections.abc.Callable
    objective: collections.abc.Callable
    losses: tuple[str, ...]
    cells: collections.abc.Callable
    varies: tuple[str, ...]
    has_anchors: bool = False
    shifts_colors: bool = False
    has_unused_parameters: bool = False
    loss_couples_batch: bool = False
    needs_float32: bool = False


def _unpadded(side):
    """Cells of a response to a template of 127 pixels, a stride of 8 apart."""
    return (side - 127) // 8 + 1


def _cut_out(side):
    """The same of networks that cut the middle out of their template's features."""
    return _unpadded(side) + 8


def _of_stride_16(side):
    return side // 16


def _siamrpn_pair(recipe, drawn):
    return published_pairs.pysot_pair(drawn.templates[0], drawn.searches[0], recipe, drawn.random, drawn.negative)


def _siammask_pair(recipe, drawn):
    return published_pairs.siammask_pair(drawn.templates[0], drawn.searches[0], recipe, drawn.random, drawn.negative)


def _ocean_pair(recipe, drawn):
    return published_pairs.ocean_pair(drawn.templates[0], drawn.searches[0], recipe, drawn.random)


def _ocean_online_sequence(recipe, drawn):
    return published_pairs.ocean_online_sequence(drawn.templates, drawn.searches, recipe, drawn.random)


def _siamrcr_pair(recipe, drawn):
    return published_pairs.siamrcr_pair(drawn.templates[0], drawn.searches[0], recipe, drawn.random)


def _gradnet_pair(recipe, drawn):
    crops = drawn.templates[0], drawn.searches[0]
    return published_pairs.gradnet_pair(*crops, recipe, drawn.random, drawn.color_directions)


_SHIFTS = "shift", "scale"
_PYSOT = *_SHIFTS, "blur", "flip", "color"
_RPN = _siamrpn_pair, objectives.siamrpn_objective, ("classification", "offset")

METHODS = {
    "siamrpn_alex": Method("siamrpn_alex", SiamRPNAlex, *_RPN, _unpadded, _PYSOT, True),
    "siamrpn_r50": Method("siamrpn_r50", SiamRPNResNet50, *_RPN, _cut_out, _PYSOT, True),
    "siamrpn_r50_otb": Method(
        "siamrpn_r50", functools.partial(SiamRPNResNet50, weighted=False), *_RPN, _cut_out, _PYSOT, True
    ),
    "siammask_base": Method(
        "siammask_base",
        SiamMaskBase,
        _siammask_pair,
        objectives.siammask_objective,
        ("classification", "offset", "mask"),
        _cut_out,
        (*_SHIFTS, "blur"),
        True,
    ),
    "siammask_sharp": Method(
        "siammask_sharp",
        SiamMask,
        _siammask_pair,
        objectives.refinement_objective,
        ("mask",),
        _unpadded,
        (*_SHIFTS, "blur"),
        True,
        has_unused_parameters=True,
    ),
    "ocean": Method(
        "ocean",
        OceanNetwork,
        _ocean_pair,
        objectives.ocean_objective,
        ("classification", "box", "aligned"),
        _cut_out,
        (*_SHIFTS, "color"),
    ),
    "ocean_online": Method(
        "ocean_online",
        OceanOnlineNetwork,
        _ocean_online_sequence,
        objectives.ocean_online_objective,
        ("first", "steps", "last"),
        _of_stride_16,
        _PYSOT,
        needs_float32=True,
    ),
    "siamrcr": Method(
        "siamrcr",
        SiamRCRNetwork,
        _siamrcr_pair,
        objectives.siamrcr_objective,
        ("classification", "box", "localization"),
        _cut_out,
        (*_SHIFTS, "color"),
    ),
    "gradnet": Method(
        "gradnet",
        GradNetNetwork,
        _gradnet_pair,
        objectives.gradnet_objective,
        ("adapted",),
        _unpadded,
        _SHIFTS,
        shifts_colors=True,
        loss_couples_batch=True,
        needs_float32=True,
    ),
}
