# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How the authors trained the published trackers: what learns when, how fast, on what.

A recipe is data; the functions below act on a network by it. What an author's code does by oversight is done here, too,
and said so where it is. A training loop calls, before an epoch, `start_stage` where `changes_at` says so, and
`set_rates`; for each batch the objective, `weighted_total` of its losses, and `take_step`.
"""

import collections.abc
import dataclasses
import math
import operator

import torch
from torch import nn

from siam_tracker_ros.training.anchor_targets import PYSOT_RULES
from siam_tracker_ros.training.anchor_targets import SIAMMASK_RULES
from siam_tracker_ros.training.anchor_targets import AnchorRules
from siam_tracker_ros.training.augmentation import Augmentation
from siam_tracker_ros.training.objectives import gradnet_objective
from siam_tracker_ros.training.objectives import ocean_objective
from siam_tracker_ros.training.objectives import refinement_objective
from siam_tracker_ros.training.objectives import siammask_objective
from siam_tracker_ros.training.objectives import siamrcr_objective
from siam_tracker_ros.training.objectives import siamrpn_objective
from siam_tracker_ros.training.schedules import Schedule
from siam_tracker_ros.training.schedules import WarmUp

LARGEST_LOSS = 1e4  # a step with a loss above it is skipped


@dataclasses.dataclass(frozen=True)
class Group:
    """Modules that learn at the same rate.

    Attributes:
        modules: names of a network's modules or parameters; one that the network is without is left out.
        multiplier: of the schedule's rate.
        from_epoch: before it they stay as they are, batch norms included.
    """

    modules: tuple[str, ...]
    multiplier: float = 1.0
    from_epoch: int = 0


@dataclasses.dataclass(frozen=True)
class DatasetShare:
    """How much of a data set is used.

    Attributes:
        pairs: number of pairs it adds to a round of all data sets; None for one of each of its videos or pictures.
        frame_range: frames, at most, between template and search region.
    """

    pairs: int | None
    frame_range: int


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A training run.

    Attributes:
        objective: function of a network and a batch, see `objectives`.
        loss_weights: by the names of its losses.
        schedule: learning rates.
        groups: what learns. All else stays as it is.
        batch, devices: pairs of one device's step, and devices.
        sums_gradients: the gradients of the devices are added up, not averaged.
        most_norm: the gradient of all parameters is cut to this norm; None for as it is.
        momentum, weight_decay: of stochastic gradient descent.
        decays_kernels_only: weight decay leaves biases and batch norms alone.
        renews_optimizer: the momentum is forgotten before every epoch, not just where a group starts to learn.
        all_norms_learn: batch norms gather statistics everywhere, where nothing else learns, too.
        piled_up: modules that do not learn, but whose gradients are computed, never cleared, and count in the norm.
        search_side, cells: of the search region in pixels, and of the response.
        template, search: Augmentation of each.
        anchors: AnchorRules, for methods with anchors.
        pairs: of an epoch.
        negative, grey: how often, 0..1, a pair shows two objects or is without colour.
        datasets: DatasetShare by the name of a data set.
    """

    objective: collections.abc.Callable
    loss_weights: dict[str, float]
    schedule: Schedule
    groups: tuple[Group, ...]
    batch: int
    devices: int
    search_side: int
    cells: int
    template: Augmentation
    search: Augmentation
    pairs: int
    datasets: dict[str, DatasetShare]
    anchors: AnchorRules | None = None
    negative: float = 0.0
    grey: float = 0.0
    sums_gradients: bool = False
    most_norm: float | None = None
    momentum: float = 0.9
    weight_decay: float = 1e-4
    decays_kernels_only: bool = False
    renews_optimizer: bool = False
    all_norms_learn: bool = False
    piled_up: tuple[str, ...] = ()

    def changes_at(self, epoch):
        """Whether `start_stage` is due before an epoch, which counts from 0."""
        return epoch == 0 or self.renews_optimizer or any(group.from_epoch == epoch for group in self.groups)


def start_stage(network, recipe, epoch):
    """Let those parts of a network learn that do from an epoch on; return a new optimiser for them.

    Group g of the optimiser has the rate `recipe.schedule.rate(epoch, multiplier)`; see `set_rates`.
    """
    network.requires_grad_(False).train(recipe.all_norms_learn)
    for part in _parts(network, recipe.piled_up):
        part.requires_grad_(True)
    groups = []
    for group in recipe.groups:
        if epoch < group.from_epoch:
            continue
        parts = list(_parts(network, group.modules))
        for part in parts:
            part.requires_grad_(True)
            if isinstance(part, nn.Module):
                part.train()
        groups += _optimizer_groups([weight for part in parts for weight in _weights(part)], group, recipe)
    optimizer = torch.optim.SGD(groups, lr=0.0, momentum=recipe.momentum)
    set_rates(optimizer, recipe, epoch)
    return optimizer


def set_rates(optimizer, recipe, epoch):
    """Give each group of an optimiser of `start_stage` its learning rate of an epoch."""
    for group in optimizer.param_groups:
        group["lr"] = recipe.schedule.rate(epoch, group["multiplier"])


def take_step(network, optimizer, loss, most_norm=None):
    """Learn from one loss, unless it is not finite or too large.

    Only what the optimiser holds has its gradients cleared.

    Args:
        most_norm: the gradient of all the network's parameters is scaled down to this norm; None for as it is.

    Returns:
        The norm before that, or None when the step was skipped.
    """
    value = loss.item()
    if not math.isfinite(value) or value > LARGEST_LOSS:
        return None
    optimizer.zero_grad()
    loss.backward()
    norm = nn.utils.clip_grad_norm_(network.parameters(), math.inf if most_norm is None else most_norm)
    optimizer.step()
    return norm.item()


def _parts(network, names):
    parts = (operator.attrgetter(name)(network) for name in names)
    return (part for part in parts if part is not None)


def _weights(part):
    return list(part.parameters()) if isinstance(part, nn.Module) else [part]


def _optimizer_groups(weights, group, recipe):
    """One group of the optimiser, or two where kernels alone decay; none without weights."""
    decays = [weight.ndim > 1 or not recipe.decays_kernels_only for weight in weights]
    split = (([weight for weight, own in zip(weights, decays) if own is choice], choice) for choice in (True, False))
    return [
        {"params": part, "multiplier": group.multiplier, "weight_decay": recipe.weight_decay if decay else 0.0}
        for part, decay in split
        if part
    ]


_PYSOT_DATASETS = {
    "VID": DatasetShare(100_000, 100),
    "YOUTUBEBB": DatasetShare(None, 3),
    "COCO": DatasetShare(None, 1),
    "DET": DatasetShare(None, 1),
}
_WARM_UP = WarmUp(0.001, 0.005)

SIAMRPN_R50 = Recipe(
    objective=siamrpn_objective,
    loss_weights={"classification": 1.0, "offset": 1.2},
    schedule=Schedule(20, 0.005, 0.0005, _WARM_UP),
    groups=(
        Group(("trunk.layer2", "trunk.layer3", "trunk.layer4"), 0.1, from_epoch=10),
        Group(("neck",)),
        Group(("rpn",)),
    ),
    batch=28,
    devices=8,
    sums_gradients=True,
    most_norm=10.0,
    search_side=255,
    cells=25,
    template=Augmentation(shift=4, scale=0.05),
    search=Augmentation(shift=64, scale=0.18, blur=0.2),
    anchors=PYSOT_RULES,
    pairs=600_000,
    negative=0.2,
    datasets=_PYSOT_DATASETS,
)
SIAMRPN_R50_16GPU = dataclasses.replace(SIAMRPN_R50, batch=24, devices=16)
SIAMRPN_R50_OTB = dataclasses.replace(
    SIAMRPN_R50,
    schedule=Schedule(20, 0.005, 0.0025, _WARM_UP),
    groups=(
        Group(tuple(f"trunk.layer{number}" for number in range(1, 5)), 0.1, from_epoch=10),
        *SIAMRPN_R50.groups[1:],
    ),
    batch=16,
    grey=0.2,
)
SIAMRPN_ALEX = dataclasses.replace(
    SIAMRPN_R50,
    schedule=Schedule(50, 0.01, 0.0005, WarmUp(0.005, 0.01), base=0.005),
    groups=(Group(("trunk.layer4", "trunk.layer5"), from_epoch=10), Group(("rpn",))),
    batch=128,
    devices=16,
    cells=17,
    negative=0.05,
)

SIAMMASK_BASE = dataclasses.replace(
    SIAMRPN_R50,
    objective=siammask_objective,
    loss_weights={"classification": 1.0, "offset": 1.2, "mask": 36.0},
    schedule=Schedule(20, 0.005, 0.0025, _WARM_UP),
    groups=(
        Group(("neck",)),
        Group(("trunk.layer2", "trunk.layer3"), 0.1, from_epoch=10),
        Group(("rpn",)),
        Group(("coarse",)),
    ),
    batch=64,
    devices=1,
    sums_gradients=False,
    search=Augmentation(shift=64, scale=0.18, blur=0.18),
    anchors=SIAMMASK_RULES,
    grey=0.25,
    datasets={
        "VID": DatasetShare(200_000, 100),
        "COCO": DatasetShare(None, 1),
        "DET": DatasetShare(100_000, 1),
        "YOUTUBEVOS": DatasetShare(200_000, 20),
    },
)
SIAMMASK_SHARP = dataclasses.replace(
    SIAMMASK_BASE,
    objective=refinement_objective,
    loss_weights={"mask": 36.0},
    schedule=Schedule(20, 0.01, 0.0025),
    groups=(Group(("coarse",)), Group(("refinement",))),
    renews_optimizer=True,
    piled_up=("neck",),
    search_side=143,
    cells=3,
    search=Augmentation(shift=8, scale=0.18, blur=0.18),
    pairs=200_000,
    negative=0.0,
    datasets={"COCO": DatasetShare(None, 1), "YOUTUBEVOS": DatasetShare(100_000, 20)},
)

OCEAN = Recipe(
    objective=ocean_objective,
    loss_weights={"classification": 1.0, "box": 1.0, "aligned": 1.0},
    schedule=Schedule(50, 0.005, 1e-5, _WARM_UP),
    groups=(
        Group(("trunk.layer1", "trunk.layer2", "trunk.layer3"), 0.1, from_epoch=10),
        Group(
            (
                "neck",
                "classification_encoder",
                "regression_encoder",
                "classification_tower",
                "regression_tower",
                "classification",
                "box",
                "box_scale",
                "box_bias",
                "alignment",
            )
        ),
    ),
    batch=32,
    devices=8,
    all_norms_learn=True,
    search_side=255,
    cells=25,
    template=Augmentation(shift=4, scale=0.05),
    search=Augmentation(shift=64, scale=0.18),
    pairs=600_000,
    datasets={
        "YOUTUBEBB": DatasetShare(210_000, 3),
        "VID": DatasetShare(110_000, 100),
        "COCO": DatasetShare(60_000, 1),
        "DET": DatasetShare(60_000, 100),
        "GOT10K": DatasetShare(160_000, 100),
    },
)

# The paper of SiamRCR gives no recipe; it is trained as Ocean, of which it has the trunk.
SIAMRCR = dataclasses.replace(
    OCEAN,
    objective=siamrcr_objective,
    loss_weights={"classification": 1.0, "box": 1.0, "localization": 1.0},
    groups=(
        OCEAN.groups[0],
        Group(("neck", "classification_branch", "regression_branch", "classification", "localization", "box")),
    ),
)

GRADNET = Recipe(
    objective=gradnet_objective,
    loss_weights={"adapted": 1.0},
    schedule=Schedule(50, 1e-2, 1e-5),
    groups=(Group(("template_trunk", "gradient_stage")),),
    batch=8,
    devices=1,
    weight_decay=5e-4,
    decays_kernels_only=True,
    search_side=239,
    cells=15,
    template=Augmentation(shift=4, scale=0.05),
    search=Augmentation(shift=4, scale=0.05),
    pairs=47_880,
    datasets={"VID": DatasetShare(47_880, 100)},
)

RECIPES = {
    "siamrpn_alex": SIAMRPN_ALEX,
    "siamrpn_r50": SIAMRPN_R50,
    "siamrpn_r50_16gpu": SIAMRPN_R50_16GPU,
    "siamrpn_r50_otb": SIAMRPN_R50_OTB,
    "siammask_base": SIAMMASK_BASE,
    "siammask_sharp": SIAMMASK_SHARP,
    "ocean": OCEAN,
    "siamrcr": SIAMRCR,
    "gradnet": GRADNET,
}
