# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The record of a method: its name, network, tracker, presets, checkpoint and training."""

import dataclasses
import importlib
import pathlib
import typing
from collections.abc import Callable, Mapping

import numpy as np

from siam_tracker_ros.errors import InvalidSettingError

if typing.TYPE_CHECKING:  # torch comes with them, which not every method needs
    from siam_tracker_ros.core.network import Network
    from siam_tracker_ros.core.tracker import Tracker

T = typing.TypeVar("T")
WEIGHTS_FOLDER = pathlib.Path(__file__).resolve().parent.parent / "weights"


def import_object(path: str) -> typing.Any:
    """Import what "module:NAME" names."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


class Imported(typing.Generic[T]):
    """A required field of a dataclass that is set to an object, or to "module:NAME" of one.

    It is imported when it is first read.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: typing.Any, owner: type) -> T:
        if instance is None:  # the field has no default
            raise AttributeError(self._name)
        if isinstance(instance.__dict__[self._name], str):
            instance.__dict__[self._name] = import_object(instance.__dict__[self._name])
        return instance.__dict__[self._name]

    def __set__(self, instance: typing.Any, value: T | str) -> None:
        instance.__dict__[self._name] = value


@dataclasses.dataclass(frozen=True, kw_only=True)
class Training:
    """How a method is trained.

    Attributes:
        settings_class: settings of a run, a `training.task.LoopSettings`: what a file of `config/train` holds.
    """

    settings_class: type


@dataclasses.dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Method:
    """A tracking method.

    A class, or another object that needs torch, may be given as "module:NAME": it is imported when it is needed.

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
    tracker_class: Imported[type["Tracker"]] = Imported()
    network_class: Imported[type["Network"]] = Imported()
    template_side: int
    search_side: int
    frame_gmacs: float
    defaults: Mapping[str, typing.Any] = dataclasses.field(default_factory=dict)
    presets: Mapping[str, Mapping[str, typing.Any]] = dataclasses.field(default_factory=dict)
    checkpoint: str = ""
    published: str = ""
    weights: str = ""
    half_precision: bool = True
    has_masks: bool = False
    result_boxes: Callable[[np.ndarray], np.ndarray] | None = None
    untrained_settings: Mapping[str, typing.Any] = dataclasses.field(default_factory=dict)
    training: str | None = None
    variants: Mapping[str, "Callable[[], Network] | str"] = dataclasses.field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Method({self.name!r})"

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
        return import_object(self.training)

    def make_network(self, trained_name: str) -> "Network":
        """Make the untrained network of one of `trained_names`."""
        variant = self.variants.get(trained_name, self.network_class)
        return (import_object(variant) if isinstance(variant, str) else variant)()

    def count_parameters(self) -> int:
        """Number of the network's parameters."""
        import torch

        with torch.device("meta"):
            network = self.network_class.for_state({})
        return sum(parameter.numel() for parameter in network.parameters())
