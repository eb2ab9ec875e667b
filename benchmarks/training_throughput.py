#!/usr/bin/env python3
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Training throughput of `lite` in pairs per second, part by part, on the CPU and, if there is one, on the GPU.

It takes a training file, like `siam-tracker train`. The rows of the whole loop are complete training steps, and the
share of their time that they wait for batches: in one process with prefetched batches, and on a CPU also in one process
per core, as the command trains. Both are measured in turns.
"""

import argparse
import dataclasses
import functools
import os
import statistics
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
from siam_tracker_ros.training.processes import run_processes
from siam_tracker_ros.training.task import Batch, Batches
from siam_tracker_ros.training.trainer import Average, Stopwatch

if TYPE_CHECKING:
    from lightning_fabric import Fabric

WARM_UP = 3  # steps that are not timed
TURNS = 3  # of each form of the loop; the medians count


class Same:
    """Batches that are all the same."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch

    def draw(self, step: int) -> Batch:
        return self._batch


class Learning:
    """Training steps of all layers, or of those beside the backbone."""

    def __init__(self, settings: LiteTraining, fabric: "Fabric", frozen: bool) -> None:
        schedule = dataclasses.replace(settings.schedule, frozen_steps=settings.schedule.steps if frozen else 0)
        self._fabric, self._curriculum = fabric, LiteCurriculum(schedule, settings.losses.mask > 0)
        self._learner = LiteLearner(LiteNetwork(), settings.losses)
        self._learner.to(fabric.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._average = Average(self._learner.network, settings.average_decay)
        self._optimizer = self._curriculum.start_stage(self._learner, 0, None)
        self._forward = fabric.setup_module(self._learner)

    def step(self, batch: Batch) -> None:
        loss = self._forward(batch)["total"]
        self._curriculum.take_step(self._learner, self._optimizer, loss, self._fabric.backward)
        self._average.update(self._learner.network, 1)


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
    device = bank.device.type
    processes = settings.usual_processes(len(os.sched_getaffinity(0))) if device == "cpu" else 1
    settings = dataclasses.replace(settings, device=device)
    yield from measure_parts(settings, bank, steps)
    for frozen in (True, False):
        forms = {"one process": 1} | {f"{count} processes": count for count in (processes,) if count > 1}
        found: dict[str, list[tuple[float, float]]] = {form: [] for form in forms}
        for _ in range(TURNS):
            for form, count in forms.items():
                shared = settings.shared_by(count)
                loop = functools.partial(time_loop, shared, bank, steps, count, frozen)
                found[form].append(loop() if count == 1 else run_processes(count, loop))
        stage = "backbone frozen" if frozen else "all layers"
        alone = statistics.median(seconds for seconds, _ in found["one process"])
        for form, times in found.items():
            seconds, waited = (statistics.median(values) for values in zip(*times))
            cells = f"{seconds / settings.batch * 1e3:.2f}", f"{settings.batch / seconds:.1f}", f"{waited:.0%}"
            yield device, f"whole loop, {stage}, {form}", *cells, f"{alone / seconds:.2f}"


def measure_parts(settings: LiteTraining, bank: ImageBank, steps: int) -> Iterator[tuple[str, ...]]:
    """Yield the rows of the parts, on a CPU with one thread."""
    device = bank.device.type
    threads = 1 if device == "cpu" else os.cpu_count() or 1
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    pairs = LiteBatches(bank, settings.pairs, settings.seed, settings.batch)
    same = Same(pairs.draw(0))
    parts: dict[str, tuple] = {"batches": (pairs,)}
    if settings.teacher is not None:
        parts["teacher"] = (TaughtBatches(same, LightFcTeacher(settings.teacher), threads),)
    fabric = start_fabric(settings)
    for stage, frozen in (("backbone frozen", True), ("all layers", False)):
        parts[f"forward, backward, optimizer, {stage}"] = (same, Learning(settings, fabric, frozen).step)
    for name, part in parts.items():
        seconds, _ = time_steps(bank.device, steps, *part)
        yield device, name, f"{seconds / settings.batch * 1e3:.2f}", f"{settings.batch / seconds:.1f}", "", ""
    torch.set_num_threads(before)


def time_loop(settings: LiteTraining, bank: ImageBank, steps: int, processes: int, frozen: bool) -> tuple[float, float]:
    """Return seconds per step and the share of waiting of the whole loop, as one of so many processes."""
    fabric = start_fabric(settings)
    batches: Batches = LiteBatches(bank, settings.pairs, settings.seed, settings.batch, fabric.global_rank)
    if settings.teacher is not None:
        threads = 1 if bank.device.type == "cpu" else os.cpu_count() or 1
        batches = TaughtBatches(batches, LightFcTeacher(settings.teacher), threads)
    ahead = draw_ahead(batches, WARM_UP + steps, bank.device, settings.workers_of(processes))
    return time_steps(bank.device, steps, ahead, Learning(settings, fabric, frozen).step)


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
            rows += measure(settings, ImageBank.read(settings.data, device), args.steps)
    except SiamTrackerError as error:
        sys.exit(f"training_throughput.py: {error}")
    print(f"{settings.batch} pairs per step, {len(os.sched_getaffinity(0))} cores")
    print(format_table(("device", "part", "ms/pair", "pairs/s", "waits", "ratio"), rows, left=(0, 1)))


if __name__ == "__main__":
    main()
