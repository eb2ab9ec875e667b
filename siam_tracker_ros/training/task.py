# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a method gives to the trainer: settings, the network with its losses, the stages of a run, and batches."""

import abc
import dataclasses
import typing
from collections.abc import Callable, Mapping

import torch
from torch import nn

from siam_tracker_ros.settings import setting
from siam_tracker_ros.training.validation import ValidationSettings

Batch = Mapping[str, torch.Tensor]
Losses = dict[str, torch.Tensor]  # scalars by name


class Batches(typing.Protocol):
    """Source of the training batches of one process."""

    def draw(self, step: int) -> Batch:
        """Return the batch of a step, counted from 0; it depends on the step, the process and the settings alone."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class LoopSettings(abc.ABC):
    """Settings that the training runs of all methods share.

    Attributes:
        MAY_CHANGE: dotted names of the settings, or sections, that may differ on resume; so may every `path`.
    """

    MAY_CHANGE: typing.ClassVar[tuple[str, ...]] = (
        "output", "seed", "device", "processes", "compile", "log_every", "checkpoint_every", "keep", "validation",
    )  # fmt: skip

    output: str = setting(meaning="Folder for the checkpoints, the log and the weights.")
    seed: int = setting(
        0,
        "Seed of the weights and the batches; a different one on resume draws different batches.",
        high=2**32 - 1,
    )
    device: str = setting("auto", '"auto", "cpu", "cuda" or "cuda:N"; under torchrun each process takes its own GPU.')
    processes: int | None = setting(
        None,
        "Processes that train on a CPU, each with one thread; null for one on each usable core with `lite`, as far as "
        "they can share its batch, and one with the published recipes. Not for GPUs and torchrun.",
        1,
    )
    precision: typing.Literal["bf16", "fp32"] = setting(
        "bf16", '"bf16" for mixed precision with bfloat16, or "fp32", which also disables TF32 on a GPU.'
    )
    compile: bool = setting(False, "Whether the step is compiled with torch.compile, which takes minutes at the start.")
    average_decay: float = setting(
        0.997, "Decay of the moving average of the weights, which is validated and saved for use.", 0, 1
    )
    log_every: int = setting(20, "Steps between lines of the log.", 1)
    checkpoint_every: int = setting(500, "Steps between checkpoints.", 1)
    keep: int = setting(3, "Number of newest checkpoints that are kept.", 1)
    validation: ValidationSettings | None = setting(
        None, "When and on what the run is validated; None for no validation."
    )

    @property
    @abc.abstractmethod
    def model(self) -> str:
        """Name of the model for `create_tracker`."""

    @property
    @abc.abstractmethod
    def process_batch(self) -> int:
        """Pairs per step and process."""

    @property
    def depends_on_world_size(self) -> bool:
        """True if results depend on the number of processes even at the same global batch."""
        return False

    @property
    def has_unused_parameters(self) -> bool:
        """True if parameters that learn may get no gradient: DDP then needs `find_unused_parameters`."""
        return False

    def usual_processes(self, cores: int) -> int:
        """Return how many processes train on so many cores of a CPU where `processes` does not say it."""
        return 1

    def shared_by(self, processes: int) -> "LoopSettings":
        """Return the settings of each of several processes that one start makes.

        Raises:
            InvalidSettingError: they cannot share the pairs of a step.
        """
        return self

    @abc.abstractmethod
    def prepare(self, device: torch.device, processes: int) -> "Task":
        """Read the data and make the network.

        Args:
            device: of the batches.
            processes: that train together, each with the network and batches of its own.
        """


class Learner(nn.Module, abc.ABC):
    """A network and its losses in one module, as data-parallel training and torch.compile need them."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    @abc.abstractmethod
    def forward(self, batch: Batch) -> Losses:
        """Return scalars by name: `total`, which is minimized, and figures for the log."""


class Curriculum(abc.ABC):
    """The stages of a run: which parameters learn, and at what rate.

    Attributes:
        steps: length of the run.
        max_grad_norm: norm that the gradient of all parameters is clipped to; None for no clipping.
        max_loss: a step is skipped when its loss, the mean over all processes, is above it or NaN; None to skip no step
            and to end the run at a loss that is NaN or infinite.
        max_skipped: number of consecutive steps that may be skipped; one more ends the run.
    """

    steps: int
    max_grad_norm: float | None = None
    max_loss: float | None = None
    max_skipped: int = 100

    @abc.abstractmethod
    def changes_at(self, step: int) -> bool:
        """Whether `start_stage` is due before a step, counted from 0; it always is before step 0."""

    @abc.abstractmethod
    def start_stage(
        self, learner: Learner, step: int, optimizer: torch.optim.Optimizer | None
    ) -> torch.optim.Optimizer:
        """Set `requires_grad` and train or eval mode for the stage that contains `step`.

        Args:
            learner: of the Task.
            step: counted from 0; on resume it may be any step of the stage.
            optimizer: of the stage before; None at the start.

        Returns:
            The optimizer of the stage, which may be the same.
        """

    @abc.abstractmethod
    def set_rates(self, optimizer: torch.optim.Optimizer, step: int) -> None:
        """Set the learning rate of each parameter group for a step."""

    def take_step(
        self,
        learner: Learner,
        optimizer: torch.optim.Optimizer,
        loss: torch.Tensor,
        backward: Callable[[torch.Tensor], typing.Any],
    ) -> None:
        """Update the parameters from a scalar loss; `backward(loss)` computes the gradients of all processes."""
        optimizer.zero_grad(set_to_none=True)
        backward(loss)
        if self.max_grad_norm is not None:
            nn.utils.clip_grad_norm_(learner.parameters(), self.max_grad_norm)
        optimizer.step()


class Task(typing.NamedTuple):
    """What is trained, in which stages and on what.

    Attributes:
        learner: on the CPU.
        curriculum: of the run.
        batches: returns the batches of a process by its rank; they are on the device that `LoopSettings.prepare` got.
    """

    learner: Learner
    curriculum: Curriculum
    batches: Callable[[int], Batches]
