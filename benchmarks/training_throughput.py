#!/usr/bin/env python3
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Training throughput of `lite` in pairs per second, part by part, on the CPU and, if there is one, on the GPU.

It takes a training file, like `siam-tracker train`. The last row of each device is a complete training step with
prefetched batches, and the share of its time that the device waits for them.
"""

import argparse
import dataclasses
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from siam_tracker_ros.arguments import positive_int_argument
from siam_tracker_ros.cli.options import add_set
from siam_tracker_ros.cli.tables import format_table
from siam_tracker_ros.errors import SiamTrackerError
from siam_tracker_ros.methods.lite.batches import LiteBatches
from siam_tracker_ros.methods.lite.network import LiteNetwork
from siam_tracker_ros.methods.lite.teacher import LightFcTeacher, TaughtBatches
from siam_tracker_ros.methods.lite.training import LiteCurriculum, LiteLearner, LiteTraining
from siam_tracker_ros.settings import read_settings
from siam_tracker_ros.training.ahead import draw_ahead
from siam_tracker_ros.training.bank import ImageBank
from siam_tracker_ros.training.fabric import start_fabric
from siam_tracker_ros.training.task import Batch, Batches
from siam_tracker_ros.training.trainer import Stopwatch

if TYPE_CHECKING:
    from lightning_fabric import Fabric

WARM_UP = 3  # steps that are not timed


class Same:
    """Batches that are all the same."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch

    def draw(self, step: int) -> Batch:
        return self._batch


class Learning:
    """Training steps of all layers."""

    def __init__(self, settings: LiteTraining, fabric: "Fabric") -> None:
        schedule = dataclasses.replace(settings.schedule, frozen_steps=0)
        self._fabric, self._curriculum = fabric, LiteCurriculum(schedule)
        self._learner = LiteLearner(LiteNetwork(), settings.losses)
        self._learner.to(fabric.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._optimizer = self._curriculum.start_stage(self._learner, 0, None)
        self._forward = fabric.setup_module(self._learner)

    def step(self, batch: Batch) -> None:
        loss = self._forward(batch)["total"]
        self._curriculum.take_step(self._learner, self._optimizer, loss, self._fabric.backward)


def time_steps(
    device: torch.device, steps: int, batches: Batches, use: Callable[[Batch], Any] | None = None
) -> tuple[float, float]:
    """Return seconds per step and the share of them that the batch takes."""
    watch = Stopwatch(device)
    for step in range(WARM_UP + steps):
        if step == WARM_UP:
            watch.read()
        start = watch.now()
        batch = batches.draw(step)
        drawn = watch.now()
        if use is not None:
            use(batch)
        watch.add(start, drawn, watch.now())
    return watch.read()


def measure(settings: LiteTraining, bank: ImageBank, steps: int) -> Iterator[tuple[str, ...]]:
    """Yield the rows of the table for the device of a bank."""
    fabric = start_fabric(settings)
    device, batch = fabric.device, settings.batch
    pairs = LiteBatches(bank, settings.pairs, settings.seed, batch)
    same = Same(pairs.draw(0))
    parts: dict[str, tuple] = {"draw": (pairs,)}  # on a CPU each data worker has one thread
    taught: Batches = pairs
    if settings.teacher is not None:
        threads = 1 if device.type == "cpu" else os.cpu_count() or 1
        teacher = LightFcTeacher(settings.teacher)
        taught = TaughtBatches(pairs, teacher, threads)
        parts["teacher"] = (TaughtBatches(same, LightFcTeacher(settings.teacher), threads),)
    learning = Learning(settings, fabric)
    parts["forward, backward, optimizer"] = (same, learning.step)
    ahead = draw_ahead(taught, WARM_UP + steps, device, settings.workers)
    parts["whole step"] = (ahead, learning.step)
    all_threads = torch.get_num_threads()
    for name, part in parts.items():
        learns = len(part) == 2
        torch.set_num_threads(all_threads if learns or device.type == "cuda" else 1)
        seconds, waited = time_steps(device, steps, *part)
        waits = f"{waited:.0%}" if name == "whole step" else ""
        yield device.type, name, f"{seconds / batch * 1e3:.2f}", f"{batch / seconds:.1f}", waits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, metavar="CONFIG.yaml", help="of a training run of lite")
    add_set(parser, "overrides", "put a value in place of the file's; may be repeated")
    parser.add_argument("--steps", type=positive_int_argument, default=20, help="timed steps of each part")
    args = parser.parse_args()
    try:
        settings = read_settings(args.config, LiteTraining, dict(args.overrides))
        rows: list[tuple[str, ...]] = []
        for device in ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",):
            bank = ImageBank.read(settings.data, device)
            rows += measure(dataclasses.replace(settings, device=device), bank, args.steps)
            del bank
    except SiamTrackerError as error:
        sys.exit(f"training_throughput.py: {error}")
    print(f"{settings.batch} pairs per step, {torch.get_num_threads()} threads, {settings.workers} workers")
    print(format_table(("device", "part", "ms/pair", "pairs/s", "waits"), rows, left=(0, 1)))


if __name__ == "__main__":
    main()
