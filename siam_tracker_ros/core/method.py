# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The record of a method: its name, network, tracker, presets, checkpoint and training."""

import dataclasses
import importlib
import pathlib
import typing
from collections.abc import Callable, Mapping

import numpy as np
import torch

from siam_tracker_ros.core.network import Network
from siam_tracker_ros.core.tracker import Tracker
from siam_tracker_ros.errors import InvalidSettingError

WEIGHTS_FOLDER = pathlib.Path(__file__).resolve().parent.parent / "weights"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Training:
    """How a method is trained.

    Attributes:
        settings_class: settings of a run, a `training.task.LoopSettings`: what a file of `config/train` holds.
    """

    settings_class: type


@dataclasses.dataclass(frozen=True, eq=False)
class Method:
    """A tracking method.

    Attributes:
        name: name of the model in `create_tracker`.
        description: one line.
        tracker_class: class of its trackers, which names the class of their settings.
        network_class: class of its network.
        template_side, search_side: sides of the network's inputs in pixels.
        frame_gmacs: billions of multiply-adds of the network per frame.
        defaults: settings for general video, where they differ from the defaults of the settings class.
        presets: published settings by name, each a mapping of what differs from the defaults.
        checkpoint: files that hold its weights.
        published: where the authors publish them.
        weights: name of the method whose shipped weights it shares, if it is another one.
        half_precision: whether it may run in half precision.
        preferred_runtimes: executors that runtime "auto" tries before PyTorch, the best one first.
        has_masks: whether its results have masks.
        result_boxes: what the authors' code makes of boxes (..., 4), float64, when it writes result files, on which
            their published figures rest; None if it writes them as they are.
        untrained_settings: settings with which its time per frame does not depend on the weights, so that random
            weights can be timed; empty if it never does.
        training: its Training as "module:NAME", imported on demand; None if it cannot be trained here.
        variants: networks that training makes in place of `network_class`, by the name in a recipe.
    """

    name: str
    description: str
    tracker_class: type[Tracker]
    network_class: type[Network]
    template_side: int
    search_side: int
    frame_gmacs: float
    defaults: Mapping[str, typing.Any] = dataclasses.field(default_factory=dict)
    presets: Mapping[str, Mapping[str, typing.Any]] = dataclasses.field(default_factory=dict)
    checkpoint: str = ""
    published: str = ""
    weights: str = ""
    half_precision: bool = True
    preferred_runtimes: tuple[str, ...] = ()
    has_masks: bool = False
    result_boxes: Callable[[np.ndarray], np.ndarray] | None = None
    untrained_settings: Mapping[str, typing.Any] = dataclasses.field(default_factory=dict)
    training: str | None = None
    variants: Mapping[str, Callable[[], Network]] = dataclasses.field(default_factory=dict)

    @property
    def shipped_weights(self) -> pathlib.Path | None:
        """Path of its weights in this package, or None."""
        path = WEIGHTS_FOLDER / f"{self.weights or self.name}.safetensors"
        return path if path.is_file() else None

    @property
    def trained_names(self) -> tuple[str, ...]:
        """Names of what a training run can make of it: its own and those of its variants; () if it is not trained."""
        return (self.name, *self.variants) if self.training else ()

    def load_training(self) -> Training:
        """Import its Training.

        Raises:
            InvalidSettingError: it cannot be trained here.
        """
        if self.training is None:
            raise InvalidSettingError(f"method is {self.name!r}, which is not trained here; give its weights instead")
        module, _, name = self.training.partition(":")
        return getattr(importlib.import_module(module), name)

    def make_network(self, trained_name: str) -> Network:
        """Make the untrained network of one of `trained_names`."""
        return self.variants.get(trained_name, self.network_class)()

    def count_parameters(self) -> int:
        """Number of the network's parameters."""
        with torch.device("meta"):
            network = self.network_class.for_state({})
        return sum(parameter.numel() for parameter in network.parameters())
