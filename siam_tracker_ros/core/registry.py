# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The methods by name, and trackers made of them."""

import functools
import importlib.metadata
import logging
import os
import pathlib
import re
import typing
from collections.abc import Mapping

import torch

from siam_tracker_ros.core.confidence import Calibration, calibration_path
from siam_tracker_ros.core.method import Method
from siam_tracker_ros.core.network import MIN_LIKENESS, Network, State
from siam_tracker_ros.core.tracker import Tracker
from siam_tracker_ros.errors import InvalidSettingError, WeightsError
from siam_tracker_ros.executors import select_executor
from siam_tracker_ros.executors.device import prepare_for_inference, select_device, select_precision
from siam_tracker_ros.methods import METHODS
from siam_tracker_ros.settings import check_setting
from siam_tracker_ros.weights.checkpoint import load_weights, read_weights, unwrap

logger = logging.getLogger(__name__)

ENTRY_POINTS = "siam_tracker_ros.methods"  # where another package names its methods: name = module:METHOD

Weights = str | os.PathLike[str] | Mapping[str, typing.Any] | None


@functools.cache
def list_models() -> tuple[Method, ...]:
    """Return all methods, the default first, then this package's others, then those of other installed packages.

    A method of another package that cannot be imported is left out with a warning.
    """
    found = list(METHODS)
    for entry_point in importlib.metadata.entry_points(group=ENTRY_POINTS):
        try:
            method = _load(entry_point)
            if method.name in [other.name for other in found]:
                raise InvalidSettingError(
                    f"model {method.name!r} of {entry_point.value} is left out: its name is taken"
                )
            found.append(method)
        except InvalidSettingError as error:
            logger.warning("%s", error)
    return tuple(found)


def find_model(name: str) -> Method:
    """Return the Method of a name.

    Raises:
        InvalidSettingError: no method has this name, and the message lists the names; or it is another package's and
            cannot be imported.
    """
    for method in METHODS:
        if method.name == name:
            return method
    for entry_point in importlib.metadata.entry_points(group=ENTRY_POINTS, name=name):
        return _load(entry_point)
    raise InvalidSettingError(
        f"model is {name!r}, expected one of {', '.join(method.name for method in list_models())}"
    )


def _load(entry_point: importlib.metadata.EntryPoint) -> Method:
    try:
        method = entry_point.load()
    except Exception as error:  # whatever another package does when it is imported
        raise InvalidSettingError(
            f"model {entry_point.name!r} of {entry_point.value} cannot be imported ({type(error).__name__}: {error}); "
            "repair or uninstall its package"
        ) from error
    if not isinstance(method, Method):
        raise InvalidSettingError(
            f"model {entry_point.name!r}: {entry_point.value} is a {type(method).__name__}, expected one Method"
        )
    if method.name != entry_point.name:
        raise InvalidSettingError(
            f"entry point {entry_point.name!r} names the Method {method.name!r}; use one name for both"
        )
    return method


def find_trained(name: str | None) -> Method:
    """Return the Method that is trained under a name, its own or that of a variant; None is no method's name.

    Raises:
        InvalidSettingError: no method is trained under this name; the message lists the names.
    """
    for method in list_models():
        if name in method.trained_names:
            return method
    known = ", ".join(known for method in list_models() for known in method.trained_names)
    raise InvalidSettingError(f"method is {name!r}, expected one of {known}")


@torch.inference_mode(False)  # GradNet takes gradients through its weights, which tensors of that mode forbid
def create_tracker(
    model: str = "lite_online",
    weights: Weights = None,
    preset: str | None = None,
    device: str | torch.device = "auto",
    precision: str = "auto",
    runtime: str = "auto",
    **settings: typing.Any,
) -> Tracker:
    """Make a tracker.

    Args:
        model: name of one of `list_models()`.
        weights: None for the weights in this package; the path of a checkpoint, the authors' or our own; a mapping of
            name to tensor or array, with the authors' names or ours; or "random" for seeded random weights.
        preset: name of published settings, as "vot2019" (case, hyphens and underscores do not matter); None for the
            authors' settings for general video.
        device: "auto", "cpu", "cuda" or "cuda:N".
        precision: "auto", "fp32" or "fp16".
        runtime: "auto", "torch" or "onnx", which is ONNX Runtime on a CPU.
        **settings: fields of the model's settings, which replace those of the preset.

    Raises:
        InvalidSettingError: an unknown name or a value out of range; the message lists what is known.
        WeightsError: the weights are missing, damaged or made for another network.
    """
    method = find_model(model)
    tracker_settings = make_tracker_settings(method, preset, settings)
    torch_device = select_device(device)
    dtype = select_precision(precision, torch_device, method.half_precision)
    executor = select_executor(runtime, torch_device, method.preferred_runtimes)
    network = prepare_for_inference(_make_network(method, weights), torch_device, dtype)
    network.run_by(executor)
    tracker = method.tracker_class(network, tracker_settings)
    tracker.calibration = find_calibration(method, weights)
    return tracker


def make_tracker_settings(method: Method, preset: str | None, settings: Mapping[str, typing.Any]) -> typing.Any:
    """Return the settings of a method's tracker: its defaults, then a preset, then single settings.

    Args:
        method: its tracker class names the class of the settings.
        preset: name of one of the method's presets, or None.
        settings: mapping of name to value.

    Raises:
        InvalidSettingError: an unknown preset or setting, or a value that a setting does not take.
    """
    settings_class = method.tracker_class.settings_class
    given = {name: check_setting(settings_class, name, settings[name], f"{method.name}: ") for name in settings}
    return settings_class(**{**method.defaults, **_find_preset(method, preset), **given})


def load_network(method: Method, weights: Mapping[str, typing.Any], what: str) -> Network:
    """Make the variant of a method's network that weights were saved from, and load them.

    Args:
        method: whose network to make.
        weights: mapping of name to tensor or array, with the authors' names or ours.
        what: name of the source, for the message.

    Raises:
        WeightsError: names missing, unexpected or of another shape; the message says which model the weights look like.
    """
    state = method.network_class.own_state(weights, what)
    network = method.network_class.for_state(state)
    try:
        load_weights(network, state, what)
    except WeightsError as error:
        similar = identify(weights, what)
        if not similar or method in similar:
            raise
        names = " or ".join(other.name for other in similar)
        raise WeightsError(f"{error}; it looks like weights of {names}, not of {method.name}") from error
    return network


def identify(weights: State, what: str) -> tuple[Method, ...]:
    """Return the methods whose network has most in common with weights; () for none.

    Args:
        weights: mapping of name to tensor or array, with the authors' names or ours.
        what: name of the source, for the message.

    Raises:
        WeightsError: several parts of the weights look like the network of one method.
    """
    classes = {method.network_class for method in list_models()}
    likeness = {network: network.likeness(network.translate_state_dict(weights)) for network in classes}
    if max(likeness.values()) < MIN_LIKENESS:  # the network may be a part of what was saved
        likeness = {network: network.likeness(network.own_state(weights, what)) for network in classes}
    best = max(likeness.values())
    return tuple(method for method in list_models() if likeness[method.network_class] == best >= MIN_LIKENESS)


def find_calibration(method: Method, weights: Weights) -> Calibration:
    """Return the calibration beside a file of weights; else that of the shipped weights; else scores as they are.

    Args:
        method: whose tracker has the confidence.
        weights: see `create_tracker`.

    Raises:
        WeightsError: the file is damaged.
    """
    shipped = method.shipped_weights
    for file in (weights if isinstance(weights, (str, os.PathLike)) and weights != "random" else None, shipped):
        if file is not None and (path := calibration_path(pathlib.Path(file), method.name)).is_file():
            return Calibration.read(path)
    return Calibration()


def _find_preset(method: Method, name: str | None) -> Mapping[str, typing.Any]:
    if name is None:
        return {}
    for preset_name, preset in method.presets.items():
        if _plain_name(preset_name) == _plain_name(name):
            return preset
    known = ", ".join(method.presets) or "none; leave it out"
    raise InvalidSettingError(f"preset of {method.name} is {name!r}, known are {known}")


def _plain_name(name: str) -> str:
    """One spelling of a preset's name: "VOT-19" and "vot2019" are the same."""
    plain = re.sub(r"otb(100)?$", "otb2015", re.sub(r"[-_ ]", "", str(name).lower()))
    return re.sub(r"(?<=vot|otb)(\d\d)(?!\d)", r"20\1", plain)


def _make_network(method: Method, weights: Weights) -> Network:
    if isinstance(weights, str) and weights == "random":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return method.network_class.for_state({})
    if weights is None:
        weights = method.shipped_weights
        if weights is None:
            source = f"get {method.checkpoint} from {method.published} and" if method.published else "train it and"
            raise WeightsError(
                f'no weights come with {method.name}; {source} give its path as weights, or "random" to try without'
            )
    if isinstance(weights, Mapping):
        what = "the given mapping"
        return load_network(method, unwrap(weights, what), what)
    if isinstance(weights, (str, os.PathLike)):
        return load_network(method, read_weights(weights), f"weights file {weights}")
    raise WeightsError(f'weights is {type(weights).__name__}, expected None, a path, a mapping or "random"')
