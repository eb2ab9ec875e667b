# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One record for each method: what there is to know of it before a tracker, a network or a training run is made."""

import dataclasses
import importlib
import pathlib
import typing
from collections.abc import Callable, Mapping

import torch

from siam_tracker_ros.core.network import Network

if typing.TYPE_CHECKING:
    from siam_tracker_ros.core.tracker import Tracker

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
    """A method that `create_tracker` makes a tracker of.

    Attributes:
        name: what `create_tracker` takes.
        description: one line.
        tracker_class: the tracker; its `settings_class` names its settings.
        network_class: the network.
        template_side, search_side: sides of the network's inputs in pixels.
        frame_gmacs: billions of multiplications and additions that the network does for a frame.
        defaults: settings that differ from those of the settings class: what the authors use for general video.
        presets: published settings by name, each a mapping of what differs from the defaults.
        checkpoint: which files its weights come from.
        published: where the authors publish them.
        weights: the method whose weights it takes, where that is another one.
        half_precision: whether it may run in half precision.
        preferred_runtimes: executors that runtime "auto" tries before PyTorch, the best one first.
        has_masks: whether its tracker says which pixels are the target's.
        untrained_settings: settings with which its time per frame does not depend on the weights, so that random ones
            can be timed; empty where it never does.
        training: where its Training is, as "module:NAME", which is imported when it is asked for; None for a method
            that is not trained here.
        variants: networks that training makes in place of `network_class`, by the name that a recipe gives them.
    """

    name: str
    description: str
    tracker_class: "type[Tracker]"
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
    untrained_settings: Mapping[str, typing.Any] = dataclasses.field(default_factory=dict)
    training: str | None = None
    variants: Mapping[str, Callable[[], Network]] = dataclasses.field(default_factory=dict)

    @property
    def shipped_weights(self) -> pathlib.Path | None:
        """Path of the weights that come with the package, or None."""
        path = WEIGHTS_FOLDER / f"{self.weights or self.name}.safetensors"
        return path if path.is_file() else None

    @property
    def trained_names(self) -> tuple[str, ...]:
        """Names by which a training run asks for it: its own and those of its variants; () where it is not trained."""
        return (self.name, *self.variants) if self.training else ()

    def load_training(self) -> Training:
        """Import its Training."""
        module, _, name = self.training.partition(":")
        return getattr(importlib.import_module(module), name)

    def make_network(self, trained_name: str) -> Network:
        """Make the network, untrained, that a training run asks for by one of `trained_names`."""
        return self.variants.get(trained_name, self.network_class)()

    def count_parameters(self) -> int:
        """Number of the network's parameters."""
        with torch.device("meta"):
            network = self.network_class.for_state({})
        return sum(parameter.numel() for parameter in network.parameters())
