# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How the authors trained the published trackers: what learns when, how fast, on what.

A recipe is data and stands in a file of `config/train`; the functions below act on a network by it. What an author's
code does by oversight is done here, too, and said so where it is. A training loop calls, before an epoch, `start_stage`
where `changes_at` says so, and `set_rates`; for each batch the objective, `weighted_total` of its losses, and
`take_step`.
"""

import dataclasses
import math
import operator
import typing

import torch
from torch import nn

from siam_tracker_ros.core.registry import find_trained
from siam_tracker_ros.errors import InvalidSettingError
from siam_tracker_ros.methods.siamrpn.anchor_targets import AnchorRules
from siam_tracker_ros.training.augmentation import Augmentation
from siam_tracker_ros.training.pairs import PairTraining
from siam_tracker_ros.training.schedules import Schedule

MAX_LOSS = 1e4  # a step with a loss above it is skipped


@dataclasses.dataclass(frozen=True)
class Group:
    """Modules that learn at the same rate.

    Attributes:
        modules: names of a network's modules or parameters; one that is None there is left out.
        multiplier: of the schedule's rate.
        from_epoch: before it they stay as they are, batch norms included.
    """

    modules: tuple[str, ...]
    multiplier: float = 1.0
    from_epoch: int = 0


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A training run of a published method.

    Attributes:
        method: which network is trained: the name of a Method, or of one of its variants.
        loss_weights: by the names of the method's losses.
        schedule: learning rates.
        groups: what learns. All else stays as it is.
        batch, devices: pairs of one device's step, and devices.
        sums_gradients: the gradients of the devices are added up, not averaged.
        max_grad_norm: the gradient of all parameters is cut to this norm; None for as it is.
        optimizer: "sgd", stochastic gradient descent, or "adam".
        momentum: of stochastic gradient descent.
        weight_decay: of either.
        decays_kernels_only: weight decay leaves biases and batch norms alone.
        renews_optimizer: the momentum is forgotten before every epoch, not just where a group starts to learn.
        all_norms_learn: batch norms gather statistics everywhere, where nothing else learns, too.
        stale_gradient_modules: modules that do not learn, but whose gradients are computed, never cleared, and count in the norm.
        search_side, cells: of the search region in pixels, and of the response.
        template, search: Augmentation of each.
        frames: of each, where a filter is learned of some and judged by others.
        anchors: AnchorRules, for methods with anchors.
        pairs: of an epoch, of all devices.
        negative, grey: how often, 0..1, a pair shows two objects or is without colour.
    """

    RANGES: typing.ClassVar = {
        "batch": (1, math.inf),
        "devices": (1, math.inf),
        "frames": (1, math.inf),
        "pairs": (1, math.inf),
        "negative": (0, 1),
        "grey": (0, 1),
    }

    method: str
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
    frames: int = 1
    anchors: AnchorRules | None = None
    negative: float = 0.0
    grey: float = 0.0
    sums_gradients: bool = False
    max_grad_norm: float | None = None
    optimizer: typing.Literal["sgd", "adam"] = "sgd"
    momentum: float = 0.9
    weight_decay: float = 1e-4
    decays_kernels_only: bool = False
    renews_optimizer: bool = False
    all_norms_learn: bool = False
    stale_gradient_modules: tuple[str, ...] = ()

    def __post_init__(self):
        training = self.training
        if sorted(self.loss_weights) != sorted(training.losses):
            raise InvalidSettingError(
                f"loss_weights has {', '.join(self.loss_weights) or 'nothing'}, expected a weight for each of "
                f"{', '.join(training.losses)}"
            )
        if training.has_anchors != (self.anchors is not None):
            raise InvalidSettingError(
                f"anchors {'must be set for' if training.has_anchors else 'mean nothing to'} the method {self.method}"
            )
        if self.negative and not training.has_anchors:
            raise InvalidSettingError(f"negative is {self.negative}, expected 0: {self.method} learns of one object")
        if all(group.from_epoch > 0 for group in self.groups):
            raise InvalidSettingError("groups has none that learns from epoch 0 on, expected one at least")
        if self.cells != training.cells(self.search_side):
            raise InvalidSettingError(
                f"cells is {self.cells}, expected {training.cells(self.search_side)}: what {self.method} answers to a "
                f"search_side of {self.search_side}"
            )
        for name, varied in (("template", self.template), ("search", self.search)):
            self._check_variation(name, varied, training)

    def _check_variation(self, name, varied, training):
        for field in dataclasses.fields(varied):
            value = getattr(varied, field.name)
            if field.name not in training.varies and value != field.default:
                raise InvalidSettingError(
                    f"{name}.{field.name} is {value}, expected nothing: {self.method} varies {', '.join(training.varies)}"
                )

    @property
    def training(self) -> PairTraining:
        """How its method is trained."""
        return find_trained(self.method).load_training()

    @property
    def objective(self):
        """Function of a network and a batch, see PairTraining."""
        return self.training.objective

    def changes_at(self, epoch):
        """Whether `start_stage` is due before an epoch, which counts from 0."""
        return epoch == 0 or self.renews_optimizer or any(group.from_epoch == epoch for group in self.groups)


def learned_weights(network, recipe):
    """All weights of a network that learn at some time of a recipe: a set of parameters.

    Raises:
        InvalidSettingError: a group names what the network is without, or what another group learns as well.
    """
    names = {weight: name for name, weight in network.named_parameters()}
    owners = {}
    for number, group in enumerate(recipe.groups):
        for weight in (weight for part in parts(network, group.modules) for weight in _weights(part)):
            if weight in owners:
                raise InvalidSettingError(
                    f"recipe.groups: {names[weight]} is in group {owners[weight]} and again in group {number}, "
                    "expected it once"
                )
            owners[weight] = number
    return set(owners)


def start_stage(network, recipe, epoch):
    """Let those parts of a network learn that do from an epoch on; return a new optimiser for them.

    Group g of the optimiser has the rate `recipe.schedule.rate(epoch, multiplier)`; see `set_rates`.
    """
    network.requires_grad_(False).train(recipe.all_norms_learn)
    for part in parts(network, recipe.stale_gradient_modules):
        part.requires_grad_(True)
    groups = []
    for group in recipe.groups:
        if epoch < group.from_epoch:
            continue
        learning = parts(network, group.modules)
        for part in learning:
            part.requires_grad_(True)
            if isinstance(part, nn.Module):
                part.train()
        groups += _optimizer_groups([weight for part in learning for weight in _weights(part)], group, recipe)
    if recipe.optimizer == "adam":
        optimizer = torch.optim.Adam(groups, lr=0.0)
    else:
        optimizer = torch.optim.SGD(groups, lr=0.0, momentum=recipe.momentum)
    set_rates(optimizer, recipe, epoch)
    return optimizer


def set_rates(optimizer, recipe, epoch):
    """Give each group of an optimiser of `start_stage` its learning rate of an epoch."""
    for group in optimizer.param_groups:
        group["lr"] = recipe.schedule.rate(epoch, group["multiplier"])


def take_step(network, optimizer, loss, max_grad_norm=None, backward=torch.Tensor.backward):
    """Learn from one loss.

    Only what the optimiser holds has its gradients cleared.

    Args:
        max_grad_norm: the gradient of all the network's parameters is scaled down to this norm; None for as it is.
        backward: function of the loss that computes the gradients.

    Returns:
        The norm before that.
    """
    optimizer.zero_grad()
    backward(loss)
    norm = nn.utils.clip_grad_norm_(network.parameters(), math.inf if max_grad_norm is None else max_grad_norm)
    optimizer.step()
    return norm.item()


def parts(network, names):
    """A network's modules and parameters by name; those that are None are left out.

    Raises:
        InvalidSettingError: a name that the network does not have.
    """
    try:
        found = [operator.attrgetter(name)(network) for name in names]
    except AttributeError as error:
        known = ", ".join(name for name, _ in network.named_children())
        raise InvalidSettingError(f"recipe.groups: {error}; its parts are {known}") from error
    return [part for part in found if part is not None]


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


def weighted_total(losses, weights):
    """Sum of losses by name, each times its weight; what has no weight does not count."""
    return sum(weights[name] * loss for name, loss in losses.items() if name in weights)
