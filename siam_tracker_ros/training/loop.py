# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Trains `lite` from a YAML file, on a CPU or a GPU, with checkpoints that a stopped run is taken up from."""

import copy
import dataclasses
import json
import math
import os
import pathlib
import time
import typing

import numpy as np
import torch
import yaml
from torch.utils.data import DataLoader
from torch.utils.data import Subset
from tqdm import tqdm

from siam_tracker_ros.errors import InvalidSettingError
from siam_tracker_ros.models.checkpoint import load_trunk_onnx
from siam_tracker_ros.models.checkpoint import save_weights
from siam_tracker_ros.models.lite import LiteNetwork
from siam_tracker_ros.models.lite import box_cover
from siam_tracker_ros.runtime.device import select_device
from siam_tracker_ros.training.losses import lite_losses
from siam_tracker_ros.training.pairs import PairDataset
from siam_tracker_ros.training.pairs import PairSettings
from siam_tracker_ros.training.shards import read_bank


@dataclasses.dataclass(frozen=True)
class TrainSettings:
    """A training run.

    Attributes:
        data: folder of shards, see `training.shards`.
        output: folder for checkpoints, the log and the weights.
        init_trunk: ONNX file with the trunk's initial weights, or None for random ones.
        teacher: folder of the teacher's ONNX files, or None to learn from the labels alone.
        steps: length of the run; the learning rate falls to zero over the last `decay_share` of it.
        frozen_steps: for how long the trunk is kept as it is while the head learns.
        batch: pairs a step.
        head_rate, trunk_rate: peak learning rates of AdamW.
        warmup: steps over which a rate rises, at the start and again when the trunk is released.
        average_decay: of the moving average of the weights, which is what is saved for use.
        workers: processes that draw pairs.
        checkpoint_every: steps between checkpoints.
        seed: of the weights and of the pairs.
        device: "auto", "cpu", "cuda" or "cuda:N".
        pairs: see PairSettings.
    """

    data: str
    output: str
    init_trunk: str | None = None
    teacher: str | None = None
    steps: int = 4000
    frozen_steps: int = 2500
    decay_share: float = 0.35
    batch: int = 32
    head_rate: float = 1.5e-3
    trunk_rate: float = 1.5e-4
    weight_decay: float = 1e-4
    warmup: int = 100
    average_decay: float = 0.997
    workers: int = 2
    checkpoint_every: int = 100
    seed: int = 0
    device: str = "auto"
    pairs: PairSettings = PairSettings()


def read_settings(config, overrides=None):
    """Read a YAML file into TrainSettings.

    Args:
        config: path of the file; relative paths in it count from the working directory.
        overrides: mapping of top-level names to values that replace those of the file.

    Raises:
        InvalidSettingError: the file cannot be read, or a name in it is unknown or missing.
    """
    try:
        values = yaml.safe_load(pathlib.Path(config).read_text())
    except (OSError, yaml.YAMLError) as error:
        raise InvalidSettingError(f"training file {config} cannot be read: {error}") from error
    values = {} if values is None else values
    if not isinstance(values, dict) or not isinstance(values.get("pairs", {}), dict):
        raise InvalidSettingError(f"{config} holds no settings, expected lines of NAME: VALUE, and such under pairs:")
    values = {**values, **(overrides or {})}
    pairs = values.pop("pairs", {})
    for what, given, known in (("", values, TrainSettings), ("pairs.", pairs, PairSettings)):
        names = [field.name for field in dataclasses.fields(known)]
        unknown = sorted(set(given) - set(names))
        if unknown:
            raise InvalidSettingError(f"{config}: unknown setting {what}{unknown[0]}; known are {', '.join(names)}")
    missing = {"data", "output"} - values.keys()
    if missing:
        raise InvalidSettingError(f"{config}: {sorted(missing)[0]} is not set; it names a folder")
    settings = TrainSettings(**values, pairs=PairSettings(**pairs))
    _check_types("", settings, config)
    _check_types("pairs.", settings.pairs, config)
    return settings


def _check_types(prefix, settings, config):
    for name, kind in typing.get_type_hints(type(settings)).items():
        value = getattr(settings, name)
        accepted = (int, float) if kind is float else kind
        if isinstance(value, bool) or not isinstance(value, accepted):
            expected = getattr(kind, "__name__", kind)
            raise InvalidSettingError(f"{config}: {prefix}{name} is {value!r}, expected {expected}")
        if isinstance(value, (int, float)) and not (value >= 0 and math.isfinite(value)):
            raise InvalidSettingError(f"{config}: {prefix}{name} is {value!r}, expected 0 or more")


def train_from_config(config, resume=False, overrides=None):
    """Train as a YAML file says and return the path of the weights; `resume` goes on from the last checkpoint."""
    return Trainer(read_settings(config, overrides)).run(resume)


class Trainer:
    """One run: network, optimiser, moving average and the number of steps done."""

    def __init__(self, settings):
        self.settings = settings
        torch.manual_seed(settings.seed)
        self.device = select_device(settings.device)
        self.output = pathlib.Path(settings.output)
        self.network = LiteNetwork()
        if settings.init_trunk:
            load_trunk_onnx(self.network.trunk, settings.init_trunk)
        self.network.to(self.device, memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.network).requires_grad_(False)
        trunk = list(self.network.trunk.parameters())
        head = [weight for name, weight in self.network.named_parameters() if not name.startswith("trunk.")]
        self.optimizer = torch.optim.AdamW(
            [{"params": head, "lr": 0.0}, {"params": trunk, "lr": 0.0}], weight_decay=settings.weight_decay
        )
        self.step = 0

    @property
    def checkpoint(self):
        return self.output / "checkpoint.pt"

    @property
    def weights(self):
        return self.output / "lite.safetensors"

    def run(self, resume=False):
        """Train to the end; return the path of the averaged weights."""
        if resume:
            self.restore()
        elif self.checkpoint.exists():
            raise InvalidSettingError(f"{self.output} holds a run already; resume it, or name another output folder")
        self.output.mkdir(parents=True, exist_ok=True)
        settings = self.settings
        loader = self._loader(self.step)
        self.network.train()
        progress = tqdm(loader, initial=self.step, total=settings.steps, desc="train", unit="step", mininterval=5)
        with open(self.output / "log.jsonl", "a") as log:
            started, recent = time.monotonic(), []
            for batch in progress:
                recent.append(self.train_step(batch))
                if self.step % 20 == 0 or self.step == settings.steps:
                    mean = {name: float(np.mean([losses[name] for losses in recent])) for name in recent[0]}
                    seconds = time.monotonic() - started
                    pairs_per_s = len(recent) * settings.batch / seconds
                    log.write(json.dumps({"step": self.step, "pairs_per_s": round(pairs_per_s, 1), **mean}) + "\n")
                    log.flush()
                    progress.set_postfix(loss=f"{mean['total']:.3f}", iou=f"{mean['iou']:.3f}")
                    started, recent = time.monotonic(), []
                if self.step % settings.checkpoint_every == 0 or self.step == settings.steps:
                    self.save()
        return self.weights

    def train_step(self, batch):
        """Learn from one batch of PairDataset items; return the losses as floats."""
        settings = self.settings
        frozen = self.step < settings.frozen_steps
        self.network.trunk.requires_grad_(not frozen)
        head_rate, trunk_rate = self._rates()
        for group, rate in zip(self.optimizer.param_groups, (head_rate, trunk_rate)):
            group["lr"] = rate
        batch = {name: value.to(self.device, non_blocking=True) for name, value in batch.items()}
        template, search = (batch[name].permute(0, 3, 1, 2).float() for name in ("template", "search"))
        with torch.autocast(self.device.type, torch.bfloat16):
            encoded = self.network.encode_template(template, box_cover(batch["template_box"]))
            response = self.network(search, encoded)
        losses = lite_losses(response, batch)
        if not torch.isfinite(losses["total"]):
            raise FloatingPointError(
                f"the loss is {losses['total'].item()} at step {self.step}; the last checkpoint is {self.checkpoint}, "
                "take it up with a lower learning rate"
            )
        self.optimizer.zero_grad(set_to_none=True)
        losses["total"].backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimizer.step()
        self.step += 1
        self._update_average()
        return {name: value.item() for name, value in losses.items()}

    def _rates(self):
        """Learning rates of head and trunk at the current step: rise, stay, fall linearly to zero at the end."""
        settings, step = self.settings, self.step
        fall = min(1.0, (settings.steps - step) / max(settings.decay_share * settings.steps, 1))
        since_release = step - settings.frozen_steps
        trunk = settings.trunk_rate * min(1.0, (since_release + 1) / settings.warmup) if since_release >= 0 else 0.0
        return settings.head_rate * min(1.0, (step + 1) / settings.warmup) * fall, trunk * fall

    @torch.no_grad()
    def _update_average(self):
        decay = min(self.settings.average_decay, (1 + self.step) / (10 + self.step))
        for mean, weight in zip(self.average.parameters(), self.network.parameters()):
            mean.lerp_(weight, 1 - decay)
        for mean, value in zip(self.average.buffers(), self.network.buffers()):
            mean.copy_(value)

    def _loader(self, start):
        settings = self.settings
        teacher = None
        if settings.teacher:
            from siam_tracker_ros.training.teacher import LightFcTeacher

            teacher = LightFcTeacher(settings.teacher)
        length = settings.steps * settings.batch
        pairs = PairDataset(read_bank(settings.data), settings.pairs, settings.seed, length, teacher)
        return DataLoader(
            Subset(pairs, range(start * settings.batch, length)),
            batch_size=settings.batch,
            num_workers=settings.workers,
            worker_init_fn=_start_worker,
            prefetch_factor=3 if settings.workers else None,
            pin_memory=self.device.type == "cuda",
        )

    def save(self):
        """Write the checkpoint and the averaged weights; a run killed in the middle leaves the old files whole."""
        state = {
            "step": self.step,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        partial = self.checkpoint.with_suffix(".partial")
        torch.save(state, partial)
        os.replace(partial, self.checkpoint)
        save_weights(self.average, self.weights)

    def restore(self):
        """Go on from the last checkpoint.

        Raises:
            InvalidSettingError: there is none.
        """
        if not self.checkpoint.is_file():
            raise InvalidSettingError(f"no checkpoint {self.checkpoint} to resume from; start the run without resume")
        state = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]


def _start_worker(_):
    """Loader processes share the cores with the network: one thread each."""
    import cv2

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
