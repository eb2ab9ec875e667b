# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What each published method is trained with: its network, how its pairs are made, and its losses."""

import collections.abc
import dataclasses
import functools

import numpy as np

from siam_tracker_ros.models.gradnet import GradNetNetwork
from siam_tracker_ros.models.ocean import OceanNetwork
from siam_tracker_ros.models.ocean_online import OceanOnlineNetwork
from siam_tracker_ros.models.siammask import SiamMask
from siam_tracker_ros.models.siammask import SiamMaskBase
from siam_tracker_ros.models.siamrcr import SiamRCRNetwork
from siam_tracker_ros.models.siamrpn import SiamRPNAlex
from siam_tracker_ros.models.siamrpn import SiamRPNResNet50
from siam_tracker_ros.training import objectives
from siam_tracker_ros.training import published_pairs


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
        has_anchors: pairs are labelled by AnchorRules, and may show two objects.
        shifts_colors: pairs need the colour directions of the training images.
        has_idle_weights: weights that learn, by the authors' groups, of which the losses know nothing.
        couples_pairs: what a pair teaches depends on the others that its process sees in a step.
    """

    model: str
    make_network: collections.abc.Callable
    make_pair: collections.abc.Callable
    objective: collections.abc.Callable
    losses: tuple[str, ...]
    has_anchors: bool = False
    shifts_colors: bool = False
    has_idle_weights: bool = False
    couples_pairs: bool = False


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


_RPN = _siamrpn_pair, objectives.siamrpn_objective, ("classification", "offset"), True
_OCEAN = _ocean_pair, objectives.ocean_objective, ("classification", "box", "aligned")

METHODS = {
    "siamrpn_alex": Method("siamrpn_alex", SiamRPNAlex, *_RPN),
    "siamrpn_r50": Method("siamrpn_r50", SiamRPNResNet50, *_RPN),
    "siamrpn_r50_otb": Method("siamrpn_r50", functools.partial(SiamRPNResNet50, weighted=False), *_RPN),
    "siammask_base": Method(
        "siammask_base",
        SiamMaskBase,
        _siammask_pair,
        objectives.siammask_objective,
        ("classification", "offset", "mask"),
        True,
    ),
    "siammask_sharp": Method(
        "siammask_sharp",
        SiamMask,
        _siammask_pair,
        objectives.refinement_objective,
        ("mask",),
        True,
        has_idle_weights=True,
    ),
    "ocean": Method("ocean", OceanNetwork, *_OCEAN),
    "ocean_online": Method(
        "ocean_online",
        OceanOnlineNetwork,
        _ocean_online_sequence,
        objectives.ocean_online_objective,
        ("first", "steps", "last"),
    ),
    "siamrcr": Method(
        "siamrcr",
        SiamRCRNetwork,
        _siamrcr_pair,
        objectives.siamrcr_objective,
        ("classification", "box", "localization"),
    ),
    "gradnet": Method(
        "gradnet",
        GradNetNetwork,
        _gradnet_pair,
        objectives.gradnet_objective,
        ("adapted",),
        shifts_colors=True,
        couples_pairs=True,
    ),
}
