# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How a published method is trained: by its recipe, in epochs, as its authors did."""

import dataclasses
import logging
import typing

from siam_tracker_ros.core.registry import find_trained
from siam_tracker_ros.data import DatasetSettings, check_datasets
from siam_tracker_ros.errors import InvalidSettingError
from siam_tracker_ros.training.ahead import AheadInProcesses
from siam_tracker_ros.training.batches import PublishedBatches, PublishedPairs
from siam_tracker_ros.training.loop import Curriculum, Learner, LoopSettings, Task
from siam_tracker_ros.training.recipe import (
    MAX_LOSS,
    Recipe,
    learned_weights,
    parts,
    set_rates,
    start_stage,
    take_step,
    weighted_total,
)
from siam_tracker_ros.training.starting_weights import NONE, start_backbone, start_weights

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PublishedTraining(LoopSettings):
    """A training run of a published method.

    The authors compute in float32 and average no weights; so do runs where the settings do not say otherwise.

    Attributes:
        recipe: Recipe.
        datasets: what it learns from.
        backbone: ImageNet start, see `starting_weights.start_backbone`.
        start: weights of the stage before, see `starting_weights.start_weights`; None where there is none.
        workers: processes that draw batches ahead; 0 draws each when it is due.
    """

    MAY_CHANGE: typing.ClassVar = (*LoopSettings.MAY_CHANGE, "backbone", "start", "workers")

    recipe: Recipe
    datasets: tuple[DatasetSettings, ...]
    backbone: str = NONE
    start: str | None = None
    workers: int = 2
    precision: typing.Literal["bf16", "fp32"] = "fp32"
    average_decay: float = 0.0

    def __post_init__(self):
        if self.precision == "bf16" and self.recipe.training.needs_float32:
            raise InvalidSettingError(f"precision is bf16, expected fp32: {self.recipe.method} needs float32")

    @property
    def model(self):
        return find_trained(self.recipe.method).name

    @property
    def process_batch(self):
        return self.recipe.batch

    @property
    def depends_on_world_size(self):
        return self.recipe.sums_gradients or self.recipe.training.loss_couples_batch

    @property
    def has_unused_parameters(self):
        return self.recipe.training.has_unused_parameters

    def prepare(self, device, rank, processes):
        recipe = self.recipe
        if processes != recipe.devices and rank == 0:
            logger.warning(
                "processes: %d, the authors' devices: %d; a step takes %d pairs, not %d; learning rates and pairs stay "
                "as they are set",
                processes,
                recipe.devices,
                processes * recipe.batch,
                recipe.devices * recipe.batch,
            )
        network = find_trained(recipe.method).make_network(recipe.method)
        start_backbone(network, self.backbone)
        learned = learned_weights(network, recipe)
        if self.start is not None:
            start_weights(network, self.start, [name for group in recipe.groups for name in group.modules])
        elif self.backbone == NONE and rank == 0:
            random = [name for name, weight in network.named_parameters() if weight not in learned]
            if random:
                logger.warning(
                    "backbone is none: %d weights keep their random values to the end (first: %s), since no group of "
                    "recipe.groups learns them; give an ImageNet start, or let a group learn them",
                    len(random),
                    random[0],
                )
        pairs = PublishedPairs(recipe, self.datasets, check_datasets(self.datasets), self.seed)
        curriculum = PublishedCurriculum(recipe, processes)
        batches = PublishedBatches(pairs, recipe.batch, rank=rank, processes=processes)
        batches = AheadInProcesses(batches, curriculum.steps, self.workers, device)
        return Task(PublishedLearner(network, recipe), curriculum, batches)


class PublishedLearner(Learner):
    """A method's network and losses.

    Gradients that pile up, see Recipe, belong to its state, since they change what a run does when it goes on.
    """

    def __init__(self, network, recipe):
        super().__init__(network)
        self.recipe = recipe

    def forward(self, batch):
        """The losses by name, `total`, and `redrawn`: how many pairs were drawn anew, since their frames are broken."""
        losses = self.recipe.objective(self.network, batch)
        total = weighted_total(losses, self.recipe.loss_weights)
        return {**losses, "total": total, "redrawn": batch["redrawn"].float().mean()}

    def get_extra_state(self):
        """Gradients by number of the parameter, as torch's modules keep what is neither parameter nor buffer."""
        return {str(number): weight.grad for number, weight in self._piled_up() if weight.grad is not None}

    def set_extra_state(self, state):
        for number, weight in self._piled_up():
            gradient = state.get(str(number))
            weight.grad = None if gradient is None else gradient.to(weight)

    def _piled_up(self):
        modules = parts(self.network, self.recipe.stale_gradient_modules)
        return enumerate(weight for module in modules for weight in module.parameters())


class PublishedCurriculum(Curriculum):
    """A recipe's epochs.

    Args:
        recipe: Recipe.
        processes: that learn at once. With more than one their gradients come averaged, and are added up where the
            recipe says so.
    """

    max_loss = MAX_LOSS

    def __init__(self, recipe, processes=1):
        self.recipe = recipe
        self.max_grad_norm = recipe.max_grad_norm
        self.epoch_steps = max(1, recipe.pairs // (recipe.batch * processes))
        self.steps = self.epoch_steps * recipe.schedule.epochs
        self._gradient_gain = processes if recipe.sums_gradients else 1

    def changes_at(self, step):
        epoch, rest = divmod(step, self.epoch_steps)
        return rest == 0 and self.recipe.changes_at(epoch)

    def start_stage(self, learner, step, optimizer):
        return start_stage(learner.network, self.recipe, step // self.epoch_steps)

    def set_rates(self, optimizer, step):
        set_rates(optimizer, self.recipe, step // self.epoch_steps)

    def take_step(self, learner, optimizer, loss, backward):
        take_step(learner.network, optimizer, loss * self._gradient_gain, self.max_grad_norm, backward)
