# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The models by name, and how a tracker is made of one."""

import collections.abc
import dataclasses
import math
import os
import pathlib

import torch

from siam_tracker_ros.errors import InvalidSettingError
from siam_tracker_ros.errors import WeightsError
from siam_tracker_ros.models.checkpoint import load_weights
from siam_tracker_ros.models.checkpoint import read_weights
from siam_tracker_ros.models.lite import SEARCH_SIDE
from siam_tracker_ros.models.lite import TEMPLATE_SIDE
from siam_tracker_ros.runtime.device import check_runtime
from siam_tracker_ros.runtime.device import prepare_for_inference
from siam_tracker_ros.runtime.device import select_device
from siam_tracker_ros.runtime.device import select_precision
from siam_tracker_ros.trackers.lite import LiteTracker

WEIGHTS_FOLDER = pathlib.Path(__file__).resolve().parent.parent / "weights"


@dataclasses.dataclass(frozen=True)
class ModelInfo:
    """A model that `create_tracker` makes.

    Attributes:
        name: what `create_tracker` takes.
        description: one line.
        tracker_class: the tracker; it names its network and its settings.
        template_side, search_side: sides of the network's inputs in pixels.
        presets: published settings by name; each a mapping of settings that differ from the defaults.
    """

    name: str
    description: str
    tracker_class: type
    template_side: int
    search_side: int
    presets: dict = dataclasses.field(default_factory=dict)

    @property
    def shipped_weights(self):
        """Path of the weights that come with the package, or None."""
        path = WEIGHTS_FOLDER / f"{self.name}.safetensors"
        return path if path.is_file() else None

    def count_parameters(self):
        """Number of the network's parameters."""
        return sum(parameter.numel() for parameter in self.tracker_class.network_class().parameters())


_MODELS = (
    ModelInfo(
        "lite",
        "small anchor-free network of this project, the default",
        LiteTracker,
        TEMPLATE_SIDE,
        SEARCH_SIDE,
    ),
)


def list_models():
    """Return the models as a tuple of ModelInfo, the default first."""
    return _MODELS


def create_tracker(
    model="lite", weights=None, preset=None, device="auto", precision="auto", runtime="auto", **settings
):
    """Make a tracker.

    Args:
        model: a name out of `list_models()`.
        weights: None for the weights that come with the package, a path, a mapping of key to tensor or array,
            or "random" for seeded random weights.
        preset: a named set of published settings; None for the general one.
        device: "auto", "cpu", "cuda" or "cuda:N".
        precision: "auto", "fp32" or "fp16".
        runtime: "auto" or "torch".
        **settings: fields of the model's settings, which replace those of the preset.

    Raises:
        InvalidSettingError: an unknown name or a value out of range; the message lists what is known.
        WeightsError: the weights are missing, damaged or made for another network.
    """
    info = _find_model(model)
    tracker_settings = _make_settings(info, preset, settings)
    torch_device = select_device(device)
    dtype = select_precision(precision, torch_device)
    check_runtime(runtime)
    network = _make_network(info, weights)
    return info.tracker_class(prepare_for_inference(network, torch_device, dtype), tracker_settings)


def _find_model(name):
    for info in _MODELS:
        if info.name == name:
            return info
    raise InvalidSettingError(f'model is "{name}", expected one of {", ".join(info.name for info in _MODELS)}')


def _make_settings(info, preset, settings):
    if preset is not None and preset not in info.presets:
        known = ", ".join(info.presets) or "none; leave it out"
        raise InvalidSettingError(f'preset of {info.name} is "{preset}", known are {known}')
    fields = [field.name for field in dataclasses.fields(info.tracker_class.settings_class)]
    unknown = sorted(settings.keys() - set(fields))
    if unknown:
        raise InvalidSettingError(f'setting "{unknown[0]}" is unknown to {info.name}, known are {", ".join(fields)}')
    for name, value in settings.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise InvalidSettingError(f"setting {name} is {value!r}, expected a finite number")
        low, high = info.tracker_class.settings_class.RANGES[name]
        if not low <= value <= high:
            raise InvalidSettingError(f"setting {name} is {value:g}, expected {low:g} to {high:g}")
    return info.tracker_class.settings_class(**{**info.presets.get(preset, {}), **settings})


def _make_network(info, weights):
    if isinstance(weights, str) and weights == "random":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return info.tracker_class.network_class()
    network = info.tracker_class.network_class()
    if weights is None:
        if info.shipped_weights is None:
            raise WeightsError(
                f"no weights come with {info.name}; give weights=PATH, or train them with siam-tracker train"
            )
        load_weights(network, read_weights(info.shipped_weights), f"weights file {info.shipped_weights}")
    elif isinstance(weights, collections.abc.Mapping):
        load_weights(network, weights, "the given mapping")
    elif isinstance(weights, (str, os.PathLike)):
        load_weights(network, read_weights(weights), f"weights file {weights}")
    else:
        raise WeightsError(f'weights is {type(weights).__name__}, expected None, a path, a mapping or "random"')
    return network
