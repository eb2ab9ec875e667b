# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Training of `lite`: first the head alone, on a given backbone, then all layers."""

import dataclasses
import os
import typing

import torch

from siam_tracker_ros.core.method import Training
from siam_tracker_ros.errors import InvalidSettingError
from siam_tracker_ros.methods.lite.batches import LiteBatches, PairSettings
from siam_tracker_ros.methods.lite.losses import LossSettings, lite_losses
from siam_tracker_ros.methods.lite.network import LiteNetwork
from siam_tracker_ros.methods.lite.teacher import LightFcTeacher, TaughtBatches
from siam_tracker_ros.settings import setting
from siam_tracker_ros.training.ahead import draw_ahead
from siam_tracker_ros.training.bank import BankSettings, ImageBank
from siam_tracker_ros.training.starting_weights import start_backbone
from siam_tracker_ros.training.task import Batch, Batches, Curriculum, Learner, LoopSettings, Losses, Task
from siam_tracker_ros.weights.checkpoint import load_weights, read_weights

MIN_SHARE = 4  # pairs of a process: statistics of batch norms over fewer are inaccurate
Part = typing.Literal["head", "refinement", "mask_branch"]
PARTS: tuple[Part, ...] = typing.get_args(Part)


@dataclasses.dataclass(frozen=True)
class LiteSchedule:
    """Stages and learning rates."""

    steps: int = setting(4000, "Length of the run.", 1)
    frozen_steps: int = setting(2500, "The backbone is frozen for this many steps, while the head learns.")
    frozen_blocks: int = setting(
        0,
        "Number of first blocks of the backbone that stay frozen to the end. The first seven, down to stride 8, take "
        "half the time of a step.",
    )
    parts: tuple[Part, ...] = setting(PARTS, "Parts that learn besides the backbone; the others stay as they are.")
    decay_share: float = setting(
        0.35, "Share of the run, at its end, over which the learning rates fall linearly to zero.", 0, 1
    )
    head_rate: float = setting(1.5e-3, "Peak learning rate of the head, for AdamW.")
    backbone_rate: float = setting(1.5e-4, "Peak learning rate of the backbone, for AdamW.")
    warmup: int = setting(
        100, "Steps over which a rate rises linearly, at the start and when the backbone starts to learn.", 1
    )
    weight_decay: float = setting(1e-4, "Weight decay of AdamW.")
    max_grad_norm: float = setting(5.0, "Norm that the gradient is clipped to.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class LiteTraining(LoopSettings):
    """A training run of `lite`."""

    MAY_CHANGE: typing.ClassVar[tuple[str, ...]] = (
        *LoopSettings.MAY_CHANGE, "init", "init_backbone", "data.photos", "data.memory_gib", "workers",
    )  # fmt: skip
    model = "lite"

    method: typing.Literal["lite"] = setting("lite", "Name of the method.")
    data: BankSettings = setting(meaning="Images to train on.")
    init: str | None = setting(None, "Weights of `lite` to start from; None for a new network.")
    init_backbone: str | None = setting(
        None,
        "ImageNet start of the backbone, see `starting_weights.start_backbone`; None for random weights. Excludes "
        "`init`.",
    )
    teacher: str | None = setting(None, "Folder of the teacher's ONNX files; None to learn from the labels alone.")
    batch: int = setting(
        32, "Pairs per step; the processes of one start share them, and each process of torchrun takes as many.", 1
    )
    workers: int | None = setting(
        None,
        "Processes that prefetch batches for each process that trains on a CPU; 0 to draw each batch when it is due; "
        "null for 2 where one process trains, and for 0 where several do, each with a core of its own.",
    )
    schedule: LiteSchedule = setting(LiteSchedule(), "Stages and learning rates.")
    pairs: PairSettings = setting(PairSettings(), "Sampling and augmentation of pairs.")
    losses: LossSettings = setting(LossSettings(), "Weights of the losses, and the teacher's share in the targets.")

    @property
    def process_batch(self) -> int:
        return self.batch

    def __post_init__(self) -> None:
        if self.init is not None and self.init_backbone is not None:
            raise InvalidSettingError(
                f"init is {self.init} and init_backbone is {self.init_backbone}, expected one of the two; set the "
                "other to null"
            )

    def usual_processes(self, cores: int) -> int:
        fitting = range(1, max(2, min(cores, self.batch // MIN_SHARE) + 1))
        return max(processes for processes in fitting if self.batch % processes == 0)

    def shared_by(self, processes: int) -> "LiteTraining":
        if self.batch % processes:
            raise InvalidSettingError(
                f"batch is {self.batch} and processes is {processes}, expected a batch that the processes can share "
                f"evenly; set batch to a multiple of {processes}"
            )
        return dataclasses.replace(self, batch=self.batch // processes)

    def workers_of(self, processes: int) -> int:
        """Return how many processes prefetch batches for each of the processes that train together."""
        if self.workers is not None:
            return self.workers
        return 2 if processes == 1 else 0

    def prepare(self, device: torch.device, processes: int) -> Task:
        network = LiteNetwork()
        if self.init is not None:
            load_weights(network, network.own_state(read_weights(self.init), self.init), self.init)
        if self.init_backbone is not None:
            start_backbone(network, self.init_backbone)
        teacher = None if self.teacher is None else LightFcTeacher(self.teacher)
        bank = ImageBank.read(self.data, device)
        workers = self.workers_of(processes)

        def batches_of(rank: int) -> Batches:
            batches: Batches = LiteBatches(bank, self.pairs, self.seed, self.batch, rank)
            if teacher is not None:
                cores = len(os.sched_getaffinity(0)) // processes
                batches = TaughtBatches(batches, teacher, threads=1 if device.type == "cpu" else max(1, cores))
            return draw_ahead(batches, self.schedule.steps, device, workers)

        curriculum = LiteCurriculum(self.schedule, learns_mask=self.losses.mask > 0)
        return Task(LiteLearner(network, self.losses), curriculum, batches_of)


class LiteLearner(Learner):
    """A LiteNetwork and its losses; see `lite_losses`."""

    network: LiteNetwork

    def __init__(self, network: LiteNetwork, settings: LossSettings) -> None:
        super().__init__(network)
        self.settings = settings

    def forward(self, batch: Batch) -> Losses:
        return lite_losses(self.network, batch, self.settings)


class LiteCurriculum(Curriculum):
    """First the head learns, then the backbone too, with one AdamW for both.

    Args:
        schedule: stages and learning rates.
        learns_mask: whether the mask branch learns with the head.
    """

    def __init__(self, schedule: LiteSchedule, learns_mask: bool = True) -> None:
        self.schedule, self.learns_mask = schedule, learns_mask
        self.steps, self.max_grad_norm = schedule.steps, schedule.max_grad_norm

    def changes_at(self, step: int) -> bool:
        return step in (0, self.schedule.frozen_steps)

    def start_stage(
        self, learner: Learner, step: int, optimizer: torch.optim.Optimizer | None
    ) -> torch.optim.Optimizer:
        network = typing.cast(LiteNetwork, learner.network).train()
        parts = set(self.schedule.parts) - (set() if self.learns_mask else {"mask_branch"})
        for name, module in network.named_children():
            if (name if name in PARTS else "head") not in parts:
                module.eval().requires_grad_(False)  # the statistics of its norms, too, stay
        network.inside.requires_grad_("head" in parts)
        blocks = network.backbone
        for number, block in enumerate(blocks):
            block.requires_grad_(step >= self.schedule.frozen_steps and number >= self.schedule.frozen_blocks)
        if optimizer is not None:
            return optimizer
        backbone = list(blocks.parameters())
        in_backbone = set(backbone)
        head = [weight for weight in network.parameters() if weight not in in_backbone]
        groups = [{"params": weights, "lr": 0.0} for weights in (head, backbone)]
        return torch.optim.AdamW(groups, weight_decay=self.schedule.weight_decay, fused=backbone[0].is_cuda)

    def set_rates(self, optimizer: torch.optim.Optimizer, step: int) -> None:
        schedule = self.schedule
        fall = min(1.0, (schedule.steps - step) / max(schedule.decay_share * schedule.steps, 1))
        since_release = step - schedule.frozen_steps
        head, backbone = (min(1.0, max(0, since + 1) / schedule.warmup) for since in (step, since_release))
        for group, rate in zip(optimizer.param_groups, (schedule.head_rate * head, schedule.backbone_rate * backbone)):
            group["lr"] = rate * fall


TRAINING = Training(settings_class=LiteTraining)
