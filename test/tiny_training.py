# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A training run that takes no time: a network of a few weights learns to tell how bright pictures are.

As a program it runs what its arguments say, for tests that need a process of its own:
`python tiny_training.py OUTPUT [NAME=VALUE ...]`.
"""

import dataclasses
import os
import resource
import signal
import sys
import typing

import torch
import yaml
from torch import nn

from siam_tracker_ros.errors import DatasetError
from siam_tracker_ros.settings import make_settings
from siam_tracker_ros.training import task, trainer
from siam_tracker_ros.training.ahead import AheadInProcesses


class TinyNetwork(nn.Module):
    def __init__(self, dropout):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.backbone = nn.Conv2d(3, 32, 3)
        self.neck = nn.Conv2d(32, 32, 1)
        self.head = nn.Linear(32, 1)
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, image):
        features = torch.relu(self.neck(torch.relu(self.backbone(image))))  # (B, 32, 6, 6)
        self.seen += 1
        return self.head(self.dropout(features).mean((2, 3)))[:, 0]


class TinyLearner(task.Learner):
    def forward(self, batch):
        error = (self.network(batch["image"]).float() - batch["level"]).abs().mean() * batch["factor"]
        return {"total": error, "iou": 1 / (1 + error.detach())}


class TinyCurriculum(task.Curriculum):
    max_grad_norm = 5.0
    max_skipped = 2
    change_at = 4

    def __init__(self, steps, rate, max_loss):
        self.steps, self.rate, self.max_loss = steps, rate, max_loss

    def changes_at(self, step):
        return step in (0, self.change_at)

    def start_stage(self, learner, step, optimizer):
        network = learner.network.train()
        network.backbone.requires_grad_(step >= self.change_at)
        parts = [network.neck, network.head] + [network.backbone] * (step >= self.change_at)
        groups = [{"params": list(part.parameters())} for part in parts]
        return torch.optim.SGD(groups, lr=0.0, momentum=0.9)

    def set_rates(self, optimizer, step):
        for group in optimizer.param_groups:
            group["lr"] = self.rate * (1 - step / self.steps)


class TinyBatches:
    """Pictures by number, so that several processes draw together what one draws alone."""

    def __init__(self, settings, rank, processes):
        self.settings, self.rank, self.processes = settings, rank, processes

    def draw(self, step):
        settings = self.settings
        for name, accident in ACCIDENTS.items():
            if step == getattr(settings, name) and self.rank in settings.accident_ranks:
                accident()
        first = (step * self.processes + self.rank) * settings.batch
        numbers = range(first, first + settings.batch)
        image = torch.stack([torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(n)) for n in numbers])
        spoilt = step in settings.nan_at and self.rank in settings.accident_ranks
        factor = float("nan") if spoilt else settings.factor
        return {"image": image, "level": image.mean((1, 2, 3)), "factor": torch.tensor(factor)}


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


def kill_in_the_next_checkpoint():
    """The process is killed when half of a checkpoint is written."""
    fsync = os.fsync

    def half(file):
        if "checkpoints" in os.readlink(f"/proc/self/fd/{file}"):
            os.ftruncate(file, os.fstat(file).st_size // 2)
            kill()
        fsync(file)

    os.fsync = half


def stop():
    raise KeyboardInterrupt


def run_out_of_memory():
    raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB\nand so on")


def find_broken_frames():
    raise DatasetError("20 pairs in a row have broken frames")


def fill_the_disk():
    resource.setrlimit(resource.RLIMIT_FSIZE, (6000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def make_a_mistake():
    raise ZeroDivisionError("one by nothing")


def stall():
    while True:
        signal.pause()


ACCIDENTS = {
    "kill_at": kill,
    "kill_writing_after": kill_in_the_next_checkpoint,
    "stop_at": stop,
    "no_memory_at": run_out_of_memory,
    "no_data_at": find_broken_frames,
    "no_disk_at": fill_the_disk,
    "mistake_at": make_a_mistake,
    "stall_at": stall,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class TinyTraining(task.LoopSettings):
    """nan_at: steps with a loss that is no number; of ACCIDENTS: the step they happen at; both in accident_ranks."""

    MAY_CHANGE: typing.ClassVar = (
        *task.LoopSettings.MAY_CHANGE, *ACCIDENTS, "nan_at", "accident_ranks", "workers",
    )  # fmt: skip
    model = "tiny"

    batch: int = 4
    steps: int = 10
    rate: float = 0.05
    factor: float = 1.0
    max_loss: float | None = None
    nan_at: tuple[int, ...] = ()
    accident_ranks: tuple[int, ...] = (0, 1)
    kill_at: int | None = None
    kill_writing_after: int | None = None
    stop_at: int | None = None
    no_memory_at: int | None = None
    no_data_at: int | None = None
    no_disk_at: int | None = None
    mistake_at: int | None = None
    stall_at: int | None = None
    workers: int = 0
    dropout: float = 0.1

    @property
    def process_batch(self):
        return self.batch

    def prepare(self, device, processes):
        def batches_of(rank):
            return AheadInProcesses(TinyBatches(self, rank, processes), self.steps, self.workers, device)

        curriculum = TinyCurriculum(self.steps, self.rate, self.max_loss)
        return task.Task(TinyLearner(TinyNetwork(self.dropout)), curriculum, batches_of)


def tiny_settings(output, **values):
    given = {"device": "cpu", "checkpoint_every": 3, "log_every": 2, **values}
    return make_settings(TinyTraining, {"output": str(output), **given}, "tiny")


if __name__ == "__main__":
    torch.set_num_threads(2)
    output, *given = sys.argv[1:]
    values = dict(pair.split("=") for pair in given)
    trainer.train(tiny_settings(output, **{name: yaml.safe_load(value) for name, value in values.items()}))
