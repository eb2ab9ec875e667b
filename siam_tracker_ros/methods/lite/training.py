# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How `lite` is trained: first its head alone, on a backbone that is given, then every layer."""

import dataclasses
import math
import os
import typing

import torch

from siam_tracker_ros.core.method import Training
from siam_tracker_ros.errors import InvalidSettingError
from siam_tracker_ros.methods.lite.batches import LiteBatches, PairSettings
from siam_tracker_ros.methods.lite.losses import LossSettings, lite_losses
from siam_tracker_ros.methods.lite.network import LiteNetwork
from siam_tracker_ros.methods.lite.teacher import LightFcTeacher, TaughtBatches
from siam_tracker_ros.training.ahead import draw_ahead
from siam_tracker_ros.training.bank import BankSettings, ImageBank
from siam_tracker_ros.training.starting_weights import start_backbone
from siam_tracker_ros.training.task import Curriculum, Learner, LoopSettings, Task
from siam_tracker_ros.weights.checkpoint import load_weights, read_weights


@dataclasses.dataclass(frozen=True)
class LiteSchedule:
    """What learns when, and how fast.

    Attributes:
        steps: length of the run; the learning rates fall to zero over the last `decay_share` of it.
        frozen_steps: for how long the backbone is kept as it is while the head learns.
        frozen_blocks: of the backbone, counted from the image; they are kept as they are to the end. The first seven, down
            to stride 8, take half the time of a step.
        head_rate, backbone_rate: peak learning rates of AdamW.
        warmup: steps over which a rate rises, at the start and again when the backbone is released.
        weight_decay: of AdamW.
        max_grad_norm: the gradient is cut to this norm.
    """

    RANGES: typing.ClassVar = {"steps": (1, math.inf), "decay_share": (0, 1), "warmup": (1, math.inf)}

    steps: int = 4000
    frozen_steps: int = 2500
    frozen_blocks: int = 0
    decay_share: float = 0.35
    head_rate: float = 1.5e-3
    backbone_rate: float = 1.5e-4
    warmup: int = 100
    weight_decay: float = 1e-4
    max_grad_norm: float = 5.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class LiteTraining(LoopSettings):
    """A training run of `lite`.

    Attributes:
        method: the name of the method.
        data: see BankSettings.
        init: weights of `lite` to go on from, or None to start anew.
        init_backbone: ImageNet start of the backbone, see `starting_weights.start_backbone`, or None for random weights; not
            both.
        teacher: folder of the teacher's ONNX files, or None to learn from the labels alone.
        batch: pairs of a step, of each process.
        workers: on a CPU processes that draw batches ahead; 0 draws each when it is due.
        schedule: see LiteSchedule.
        pairs: see PairSettings.
        losses: see LossSettings.
    """

    MAY_CHANGE: typing.ClassVar = (
        *LoopSettings.MAY_CHANGE, "init", "init_backbone", "data.photos", "data.memory_gib", "workers",
    )  # fmt: skip
    RANGES: typing.ClassVar = {**LoopSettings.RANGES, "batch": (1, math.inf)}
    model = "lite"

    method: typing.Literal["lite"] = "lite"
    data: BankSettings
    init: str | None = None
    init_backbone: str | None = None
    teacher: str | None = None
    batch: int = 32
    workers: int = 2
    schedule: LiteSchedule = LiteSchedule()
    pairs: PairSettings = PairSettings()
    losses: LossSettings = LossSettings()

    @property
    def process_batch(self):
        return self.batch

    def __post_init__(self):
        if self.init is not None and self.init_backbone is not None:
            raise InvalidSettingError(
                f"init is {self.init} and init_backbone {self.init_backbone}, expected one of the two; set the other to null"
            )

    def prepare(self, device, rank, processes):
        network = LiteNetwork()
        if self.init is not None:
            load_weights(network, read_weights(self.init), self.init)
        if self.init_backbone is not None:
            start_backbone(network, self.init_backbone)
        teacher = None if self.teacher is None else LightFcTeacher(self.teacher)
        batches = LiteBatches(ImageBank.read(self.data, device), self.pairs, self.seed, self.batch, rank)
        if teacher is not None:
            cores = len(os.sched_getaffinity(0)) // processes
            batches = TaughtBatches(batches, teacher, threads=1 if device.type == "cpu" else max(1, cores))
        batches = draw_ahead(batches, self.schedule.steps, device, self.workers)
        return Task(LiteLearner(network, self.losses), LiteCurriculum(self.schedule), batches)


class LiteLearner(Learner):
    """A LiteNetwork and its losses; see `lite_losses`."""

    def __init__(self, network, settings):
        super().__init__(network)
        self.settings = settings

    def forward(self, batch):
        return lite_losses(self.network, batch, self.settings)


class LiteCurriculum(Curriculum):
    """The head first, then the backbone too; one AdamW for both."""

    def __init__(self, schedule):
        self.schedule = schedule
        self.steps, self.max_grad_norm = schedule.steps, schedule.max_grad_norm

    def changes_at(self, step):
        return step in (0, self.schedule.frozen_steps)

    def start_stage(self, learner, step, optimizer):
        network = learner.network.train()
        for number, block in enumerate(network.backbone):
            block.requires_grad_(step >= self.schedule.frozen_steps and number >= self.schedule.frozen_blocks)
        if optimizer is not None:
            return optimizer
        backbone = list(network.backbone.parameters())
        in_backbone = set(backbone)
        head = [weight for weight in network.parameters() if weight not in in_backbone]
        groups = [{"params": weights, "lr": 0.0} for weights in (head, backbone)]
        return torch.optim.AdamW(groups, weight_decay=self.schedule.weight_decay, fused=backbone[0].is_cuda)

    def set_rates(self, optimizer, step):
        schedule = self.schedule
        fall = min(1.0, (schedule.steps - step) / max(schedule.decay_share * schedule.steps, 1))
        since_release = step - schedule.frozen_steps
        head, backbone = (min(1.0, max(0, since + 1) / schedule.warmup) for since in (step, since_release))
        for group, rate in zip(optimizer.param_groups, (schedule.head_rate * head, schedule.backbone_rate * backbone)):
            group["lr"] = rate * fall


TRAINING = Training(settings_class=LiteTraining)
