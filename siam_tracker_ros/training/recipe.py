# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recipes of the published trackers: which parameters learn when, at what rate and on what.

A recipe is data in a file of `config/train`; the functions below apply it to a network. Quirks of the authors' code
that change the result are kept, and marked as such. Before an epoch, a training loop calls `start_stage` if
`changes_at` says so, then `set_rates`; for each batch it calls the objective, `weighted_total` and `take_step`.
"""

import dataclasses
import functools
import math
import operator
import typing
from collections.abc import Callable, Iterable, Mapping

import torch
from torch import nn

from siam_tracker_ros.core.registry import find_trained
from siam_tracker_ros.errors import InvalidSettingError
from siam_tracker_ros.settings import setting
from siam_tracker_ros.training.augmentation import Augmentation
from siam_tracker_ros.training.pairs import Objective, PairTraining
from siam_tracker_ros.training.schedules import Schedule
from siam_tracker_ros.training.task import Losses

MAX_LOSS = 1e4  # a step with a higher loss is skipped

OptimizerGroup = dict[str, typing.Any]  # as torch.optim takes it


@dataclasses.dataclass(frozen=True)
class Group:
    """Modules that learn at the same rate."""

    modules: tuple[str, ...] = setting(
        meaning="Dotted names of modules or parameters of the network; those that are None there are ignored."
    )
    multiplier: float = setting(1.0, "Factor on the schedule's rate.")
    from_epoch: int = setting(0, "Epoch before which the modules are frozen, batch norms included.")


@dataclasses.dataclass(frozen=True)
class AnchorRules:
    """Which anchors of a search region take part in the loss."""

    target_iou: float = setting(0.6, "An anchor with a higher IoU with the box is a target.")
    background_iou: float = setting(
        0.3, "An anchor with a lower IoU with the box is background; those in between are ignored."
    )
    max_targets: int = setting(16, "Maximum number of targets per pair.")
    max_anchors: int = setting(64, "Maximum number of targets and background anchors per pair.")
    fill_up: bool = setting(
        False,
        "Whether background takes the places that targets leave free, so that there are `max_anchors` in all; "
        "otherwise it has at most `max_anchors` minus `max_targets`.",
    )
    negative_anchors: int = setting(
        16, "Maximum number of background anchors of a negative pair, which has no targets."
    )
    around_object: bool = setting(
        True,
        "Whether the anchors of a negative pair lie around the object in the search region; otherwise they lie around "
        "its centre.",
    )


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A training run of a published method."""

    method: str = setting(meaning="Name of a Method, or of one of its variants: the network that is trained.")
    loss_weights: dict[str, float] = setting(meaning="Weight of each of the method's losses, by name.")
    schedule: Schedule = setting(meaning="Length of the run and its learning rates.")
    groups: tuple[Group, ...] = setting(meaning="Parameters that learn; all others are frozen.")
    batch: int = setting(meaning="Pairs per step and device.", low=1)
    devices: int = setting(meaning="Number of devices that the authors trained on.", low=1)
    search_side: int = setting(meaning="Side of the search region in pixels.")
    cells: int = setting(meaning="Side of the response in cells.")
    template: Augmentation = setting(meaning="Augmentation of the template.")
    search: Augmentation = setting(meaning="Augmentation of the search region.")
    pairs: int = setting(meaning="Pairs per epoch, over all devices.", low=1)
    frames: int = setting(
        1,
        "Number of template and of search frames per pair, for a method that learns a filter on some frames and tests "
        "it on others.",
        1,
    )
    anchors: AnchorRules | None = setting(None, "Which anchors are labelled, for methods with anchors.")
    negative: float = setting(0.0, "Probability that a pair shows two objects.", 0, 1)
    grey: float = setting(0.0, "Probability that a pair is grey.", 0, 1)
    sums_gradients: bool = setting(False, "Whether the gradients of the devices are summed, not averaged.")
    max_grad_norm: float | None = setting(
        None, "Norm that the gradient of all parameters is clipped to; None for no clipping."
    )
    optimizer: typing.Literal["sgd", "adam"] = setting(
        "sgd", '"sgd", stochastic gradient descent with momentum, or "adam".'
    )
    momentum: float = setting(0.9, 'Momentum of "sgd".')
    weight_decay: float = setting(1e-4, "Weight decay of both optimizers.")
    decays_kernels_only: bool = setting(False, "Whether biases and batch norms have no weight decay.")
    renews_optimizer: bool = setting(
        False, "Whether the momentum is reset before every epoch, not only where a group starts to learn."
    )
    all_norms_learn: bool = setting(False, "Whether batch norms update their statistics in frozen modules too.")
    stale_gradient_modules: tuple[str, ...] = setting(
        (),
        "Frozen modules whose gradients accumulate and count in gradient clipping (a quirk of the authors' code).",
    )

    def __post_init__(self) -> None:
        training = self.training
        if sorted(self.loss_weights) != sorted(training.losses):
            raise InvalidSettingError(
                f"loss_weights has {', '.join(self.loss_weights) or 'nothing'}, expected a weight for each of "
                f"{', '.join(training.losses)}"
            )
        if training.has_anchors != (self.anchors is not None):
            raise InvalidSettingError(
                f"anchors must {'' if training.has_anchors else 'not '}be set for the method {self.method}"
            )
        if self.negative and not training.has_anchors:
            raise InvalidSettingError(f"negative is {self.negative}, expected 0: {self.method} has no negative pairs")
        if all(group.from_epoch > 0 for group in self.groups):
            raise InvalidSettingError("groups has none that learns from epoch 0 on, expected at least one")
        if self.cells != training.cells(self.search_side):
            raise InvalidSettingError(
                f"cells is {self.cells}, expected {training.cells(self.search_side)}: the response of {self.method} to "
                f"a search_side of {self.search_side}"
            )
        for name, varied in (("template", self.template), ("search", self.search)):
            self._check_variation(name, varied, training)

    def _check_variation(self, name: str, varied: Augmentation, training: PairTraining) -> None:
        for field in dataclasses.fields(varied):
            value = getattr(varied, field.name)
            if field.name not in training.varies and value != field.default:
                raise InvalidSettingError(
                    f"{name}.{field.name} is {value}, which {self.method} does not use; it uses "
                    f"{', '.join(training.varies)}"
                )

    @property
    def training(self) -> PairTraining:
        """How its method is trained."""
        training = find_trained(self.method).load_training()
        assert isinstance(training, PairTraining), f"{self.method} is not trained by a recipe"
        return training

    @property
    def objective(self) -> Objective:
        """The losses of its method."""
        return self.training.objective

    def changes_at(self, epoch: int) -> bool:
        """Whether `start_stage` is due before an epoch, counted from 0."""
        return epoch == 0 or self.renews_optimizer or any(group.from_epoch == epoch for group in self.groups)


def learned_weights(network: nn.Module, recipe: Recipe) -> set[nn.Parameter]:
    """Return all parameters that learn in some epoch of a recipe.

    Raises:
        InvalidSettingError: a group names a module that the network lacks, or that is in another group too.
    """
    names = {weight: name for name, weight in network.named_parameters()}
    owners: dict[nn.Parameter, int] = {}
    for number, group in enumerate(recipe.groups):
        for weight in weights_of(parts(network, group.modules)):
            if weight in owners:
                raise InvalidSettingError(
                    f"recipe.groups: {names[weight]} is in group {owners[weight]} and in group {number}, expected one "
                    "group"
                )
            owners[weight] = number
    return set(owners)


def start_stage(network: nn.Module, recipe: Recipe, epoch: int) -> torch.optim.Optimizer:
    """Set `requires_grad` and train or eval mode as of an epoch; return a new optimizer of what learns.

    The rate of each group of the optimizer is `recipe.schedule.rate(epoch, multiplier)`; see `set_rates`.
    """
    network.requires_grad_(False).train(recipe.all_norms_learn)
    for part in parts(network, recipe.stale_gradient_modules):
        part.requires_grad_(True)
    groups: list[OptimizerGroup] = []
    for group in recipe.groups:
        if epoch < group.from_epoch:
            continue
        learning = parts(network, group.modules)
        for part in learning:
            part.requires_grad_(True)
            if isinstance(part, nn.Module):
                part.train()
        groups += _optimizer_groups(weights_of(learning), group, recipe)
    optimizer: torch.optim.Optimizer
    if recipe.optimizer == "adam":
        optimizer = torch.optim.Adam(groups, lr=0.0)
    else:
        optimizer = torch.optim.SGD(groups, lr=0.0, momentum=recipe.momentum)
    set_rates(optimizer, recipe, epoch)
    return optimizer


def set_rates(optimizer: torch.optim.Optimizer, recipe: Recipe, epoch: int) -> None:
    """Set the learning rates of an epoch in an optimizer that `start_stage` returned."""
    for group in optimizer.param_groups:
        group["lr"] = recipe.schedule.rate(epoch, group["multiplier"])


def take_step(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss: torch.Tensor,
    max_grad_norm: float | None = None,
    backward: Callable[[torch.Tensor], typing.Any] = torch.Tensor.backward,
) -> float:
    """Update the parameters that the optimizer holds; only their gradients are cleared.

    Args:
        network: all its parameters count in the norm of the gradient.
        optimizer: of `start_stage`.
        loss: a scalar.
        max_grad_norm: norm that the gradient is clipped to; None for no clipping.
        backward: computes the gradients of a loss.

    Returns:
        The norm of the gradient before clipping.
    """
    optimizer.zero_grad()
    backward(loss)
    norm = nn.utils.clip_grad_norm_(network.parameters(), math.inf if max_grad_norm is None else max_grad_norm)
    optimizer.step()
    return norm.item()


def parts(network: nn.Module, names: Iterable[str]) -> list[nn.Module | nn.Parameter]:
    """Return a network's modules and parameters by dotted name, without those that are None.

    Raises:
        InvalidSettingError: the network has no such module or parameter.
    """
    try:
        found = [operator.attrgetter(name)(network) for name in names]
    except AttributeError as error:
        known = ", ".join(name for name, _ in network.named_children())
        raise InvalidSettingError(f"recipe.groups: {error}; its parts are {known}") from error
    return [part for part in found if part is not None]


def weights_of(modules: Iterable[nn.Module | nn.Parameter]) -> list[nn.Parameter]:
    """Return the parameters in modules and parameters, in order."""
    return [weight for part in modules for weight in (part.parameters() if isinstance(part, nn.Module) else [part])]


def _optimizer_groups(weights: list[nn.Parameter], group: Group, recipe: Recipe) -> list[OptimizerGroup]:
    """Return one group of the optimizer, or two where only kernels decay; none without weights."""
    decays = [weight.ndim > 1 or not recipe.decays_kernels_only for weight in weights]
    split = (([weight for weight, own in zip(weights, decays) if own is choice], choice) for choice in (True, False))
    return [
        {"params": part, "multiplier": group.multiplier, "weight_decay": recipe.weight_decay if decay else 0.0}
        for part, decay in split
        if part
    ]


def weighted_total(losses: Losses, weights: Mapping[str, float]) -> torch.Tensor:
    """Return the weighted sum of losses by name; those without a weight are ignored."""
    return functools.reduce(operator.add, (weights[name] * loss for name, loss in losses.items() if name in weights))
