#!/usr/bin/env python3
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How many pairs `lite` draws and learns a second, on the CPU and on a GPU where there is one, part by part.

Takes a training file as `siam-tracker train` does. The last line of each device is a training step as it is: batches
are drawn ahead, and the share of time that the device waits for them is told.
"""

import argparse
import dataclasses
import os
import sys
from pathlib import Path

import torch
import yaml

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
from siam_tracker_ros.training.trainer import Stopwatch

WARM_UP = 3  # steps that are not timed


class Same:
    """One batch, over and over."""

    def __init__(self, batch):
        self._batch = batch

    def draw(self, step):
        return self._batch


class Learning:
    """Steps of a network that learns every layer of itself."""

    def __init__(self, settings, fabric):
        schedule = dataclasses.replace(settings.schedule, frozen_steps=0)
        self._fabric, self._curriculum = fabric, LiteCurriculum(schedule)
        self._learner = LiteLearner(LiteNetwork(), settings.losses)
        self._learner.to(fabric.device, memory_format=torch.channels_last)
        self._optimizer = self._curriculum.start_stage(self._learner, 0, None)
        self._forward = fabric.setup_module(self._learner)

    def step(self, batch):
        loss = self._forward(batch)["total"]
        self._curriculum.take_step(self._learner, self._optimizer, loss, self._fabric.backward)


def time_steps(device, steps, batches, use=None):
    """Return seconds a step and the share of them in which the batch is waited for."""
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


def measure(settings, bank, steps):
    """Rows of the table for the device of a bank."""
    fabric = start_fabric(settings)
    device, batch = fabric.device, settings.batch
    pairs = LiteBatches(bank, settings.pairs, settings.seed, batch)
    same = Same(pairs.draw(0))
    parts = {"draw": (pairs,)}  # on a CPU each of the processes that draw has one thread
    taught = pairs
    if settings.teacher is not None:
        threads = 1 if device.type == "cpu" else os.cpu_count()
        teacher = LightFcTeacher(settings.teacher)
        taught = TaughtBatches(pairs, teacher, threads)
        parts["teacher"] = (TaughtBatches(same, LightFcTeacher(settings.teacher), threads),)
    learning = Learning(settings, fabric)
    parts["forward, backward, optimiser"] = (same, learning.step)
    ahead = draw_ahead(taught, WARM_UP + steps, device, settings.workers)
    parts["whole step"] = (ahead, learning.step)
    all_threads = torch.get_num_threads()
    for name, part in parts.items():
        learns = len(part) == 2
        torch.set_num_threads(all_threads if learns or device.type == "cuda" else 1)
        seconds, waited = time_steps(device, steps, *part)
        waits = f"{waited:.0%}" if name == "whole step" else ""
        yield device.type, name, f"{seconds / batch * 1e3:.2f}", f"{batch / seconds:.1f}", waits


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, metavar="CONFIG.yaml", help="of a training run of lite")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="overrides")
    parser.add_argument("--steps", type=int, default=20, help="steps that are timed of each part")
    args = parser.parse_args()
    pairs = (override.partition("=") for override in args.overrides)
    try:
        settings = read_settings(args.config, LiteTraining, {name: yaml.safe_load(value) for name, _, value in pairs})
        rows = []
        for device in ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",):
            bank = ImageBank.read(settings.data, device)
            rows += measure(dataclasses.replace(settings, device=device), bank, args.steps)
            del bank
    except SiamTrackerError as error:
        sys.exit(f"training_throughput.py: {error}")
    print(f"{settings.batch} pairs a step, {torch.get_num_threads()} threads, {settings.workers} workers")
    print(format_table(("device", "part", "ms/pair", "pairs/s", "waits"), rows, left=(0, 1)))


if __name__ == "__main__":
    main()
