# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Training of a published method by its recipe, in epochs, as its authors do."""

import dataclasses
import logging
import typing
from collections.abc import Callable, Iterator

import torch
from torch import nn

from siam_tracker_ros.core.registry import find_trained
from siam_tracker_ros.data import DatasetSettings, check_datasets
from siam_tracker_ros.errors import InvalidSettingError
from siam_tracker_ros.settings import setting, with_default
from siam_tracker_ros.training.ahead import AheadInProcesses
from siam_tracker_ros.training.batches import PublishedBatches, PublishedPairs
from siam_tracker_ros.training.recipe import (
    MAX_LOSS,
    Recipe,
    learned_weights,
    parts,
    set_rates,
    start_stage,
    take_step,
    weighted_total,
    weights_of,
)
from siam_tracker_ros.training.starting_weights import NONE, start_backbone, start_weights
from siam_tracker_ros.training.task import Batch, Batches, Curriculum, Learner, LoopSettings, Losses, Task

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PublishedTraining(LoopSettings):
    """A training run of a published method.

    By default it computes in float32 and averages no weights, as the authors do.
    """

    MAY_CHANGE: typing.ClassVar[tuple[str, ...]] = (*LoopSettings.MAY_CHANGE, "backbone", "start", "workers")

    recipe: Recipe = setting(meaning="How the authors train the method.")
    datasets: tuple[DatasetSettings, ...] = setting(meaning="Training data.")
    backbone: str = setting(NONE, "ImageNet start of the backbone, see `starting_weights.start_backbone`.")
    start: str | None = setting(
        None, "Weights of the stage before, see `starting_weights.start_weights`; None for no such stage."
    )
    workers: int = setting(2, "Processes that prefetch batches; 0 to draw each batch when it is due.")
    precision: typing.Literal["bf16", "fp32"] = with_default(LoopSettings, "precision", "fp32")
    average_decay: float = with_default(LoopSettings, "average_decay", 0.0)

    def __post_init__(self) -> None:
        if self.precision == "bf16" and self.recipe.training.needs_float32:
            raise InvalidSettingError(f"precision is bf16, expected fp32: {self.recipe.method} needs float32")

    @property
    def model(self) -> str:
        return find_trained(self.recipe.method).name

    @property
    def process_batch(self) -> int:
        return self.recipe.batch

    @property
    def depends_on_world_size(self) -> bool:
        return self.recipe.sums_gradients or self.recipe.training.loss_couples_batch

    @property
    def has_unused_parameters(self) -> bool:
        return self.recipe.training.has_unused_parameters

    def prepare(self, device: torch.device, processes: int) -> Task:
        recipe = self.recipe
        network = find_trained(recipe.method).make_network(recipe.method)
        start_backbone(network, self.backbone)
        learned = learned_weights(network, recipe)
        if self.start is not None:
            start_weights(network, self.start, [name for group in recipe.groups for name in group.modules])
        self._warn_of_devices(processes)
        self._warn_of_random_weights([name for name, weight in network.named_parameters() if weight not in learned])
        pairs = PublishedPairs(recipe, self.datasets, check_datasets(self.datasets), self.seed)
        curriculum = PublishedCurriculum(recipe, processes)

        def batches_of(rank: int) -> Batches:
            batches = PublishedBatches(pairs, recipe.batch, rank=rank, processes=processes)
            return AheadInProcesses(batches, curriculum.steps, self.workers, device)

        return Task(PublishedLearner(network, recipe), curriculum, batches_of)

    def _warn_of_devices(self, processes: int) -> None:
        recipe = self.recipe
        if processes != recipe.devices:
            logger.warning(
                "processes: %d, the authors' devices: %d; a step takes %d pairs, not %d; the learning rates and the "
                "pairs per epoch are not adapted",
                processes,
                recipe.devices,
                processes * recipe.batch,
                recipe.devices * recipe.batch,
            )

    def _warn_of_random_weights(self, frozen: list[str]) -> None:
        if frozen and self.start is None and self.backbone == NONE:
            logger.warning(
                "backbone is none: %d weights keep their random values to the end (first: %s), since they are in no "
                "group of recipe.groups; give an ImageNet start, or add them to a group",
                len(frozen),
                frozen[0],
            )


class PublishedLearner(Learner):
    """A method's network and losses.

    Its state includes stale gradients, see Recipe: a resumed run needs them.
    """

    def __init__(self, network: nn.Module, recipe: Recipe) -> None:
        super().__init__(network)
        self.recipe = recipe

    def forward(self, batch: Batch) -> Losses:
        """Return the losses by name, `total`, and `redrawn`: replaced pairs, which had broken frames, per pair."""
        losses = self.recipe.objective(self.network, batch)
        total = weighted_total(losses, self.recipe.loss_weights)
        return {**losses, "total": total, "redrawn": batch["redrawn"].float().mean()}

    def get_extra_state(self) -> dict[str, torch.Tensor]:
        """Return the stale gradients by number of the parameter, which torch adds to the `state_dict`."""
        return {str(number): weight.grad for number, weight in self._stale() if weight.grad is not None}

    def set_extra_state(self, state: dict[str, torch.Tensor]) -> None:
        for number, weight in self._stale():
            gradient = state.get(str(number))
            weight.grad = None if gradient is None else gradient.to(weight)

    def _stale(self) -> Iterator[tuple[int, nn.Parameter]]:
        return enumerate(weights_of(parts(self.network, self.recipe.stale_gradient_modules)))


class PublishedCurriculum(Curriculum):
    """The epochs of a recipe.

    Args:
        recipe: of the run.
        processes: that train together. DDP averages their gradients; `Recipe.sums_gradients` undoes that.
    """

    max_loss = MAX_LOSS

    def __init__(self, recipe: Recipe, processes: int = 1) -> None:
        self.recipe = recipe
        self.max_grad_norm = recipe.max_grad_norm
        self.epoch_steps = max(1, recipe.pairs // (recipe.batch * processes))
        self.steps = self.epoch_steps * recipe.schedule.epochs
        self._gradient_gain = processes if recipe.sums_gradients else 1

    def changes_at(self, step: int) -> bool:
        epoch, rest = divmod(step, self.epoch_steps)
        return rest == 0 and self.recipe.changes_at(epoch)

    def start_stage(
        self, learner: Learner, step: int, optimizer: torch.optim.Optimizer | None
    ) -> torch.optim.Optimizer:
        return start_stage(learner.network, self.recipe, step // self.epoch_steps)

    def set_rates(self, optimizer: torch.optim.Optimizer, step: int) -> None:
        set_rates(optimizer, self.recipe, step // self.epoch_steps)

    def take_step(
        self,
        learner: Learner,
        optimizer: torch.optim.Optimizer,
        loss: torch.Tensor,
        backward: Callable[[torch.Tensor], typing.Any],
    ) -> None:
        take_step(learner.network, optimizer, loss * self._gradient_gain, self.max_grad_norm, backward)
