# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The models by name, and how a tracker is made of one."""

import collections.abc
import os
import re

import torch

from siam_tracker_ros.errors import InvalidSettingError, WeightsError
from siam_tracker_ros.executors import select_executor
from siam_tracker_ros.executors.device import prepare_for_inference, select_device, select_precision
from siam_tracker_ros.methods import METHODS
from siam_tracker_ros.settings import check_setting
from siam_tracker_ros.weights.checkpoint import load_weights, read_weights, unwrap

LOOKS_LIKE = 0.5  # share of keys and shapes in common from which on a file is said to be a model's


def list_models():
    """Return the models as a tuple of Method, the default first."""
    return METHODS


def find_model(name):
    """Return the Method of a name.

    Raises:
        InvalidSettingError: no model has this name; the message lists those that there are.
    """
    for info in METHODS:
        if info.name == name:
            return info
    raise InvalidSettingError(f"model is {name!r}, expected one of {', '.join(info.name for info in METHODS)}")


def find_trained(name):
    """Return the Method that a training run asks for by its own name or that of one of its variants.

    Raises:
        InvalidSettingError: no method is trained by this name; the message lists those that are.
    """
    for method in METHODS:
        if name in method.trained_names:
            return method
    known = ", ".join(known for method in METHODS for known in method.trained_names)
    raise InvalidSettingError(f"method is {name!r}, expected one of {known}")


@torch.inference_mode(False)  # GradNet takes gradients through its weights, which tensors of that mode forbid
def create_tracker(
    model="lite", weights=None, preset=None, device="auto", precision="auto", runtime="auto", **settings
):
    """Make a tracker.

    Args:
        model: a name out of `list_models()`.
        weights: None for the weights that come with the package, the path of a checkpoint, the authors' or our own,
            a mapping of key to tensor or array in either schema, or "random" for seeded random weights.
        preset: a named set of published settings, as "vot2019" (case, hyphens and underscores do not matter); None for
            what the authors use for general video.
        device: "auto", "cpu", "cuda" or "cuda:N".
        precision: "auto", "fp32" or "fp16".
        runtime: "auto", "torch" or "onnx", which is ONNX Runtime on a CPU, for the models that it can run.
        **settings: fields of the model's settings, which replace those of the preset.

    Raises:
        InvalidSettingError: an unknown name or a value out of range; the message lists what is known.
        WeightsError: the weights are missing, damaged or made for another network.
    """
    info = find_model(model)
    tracker_settings = make_tracker_settings(info, preset, settings)
    torch_device = select_device(device)
    dtype = select_precision(precision, torch_device, info.half_precision)
    executor = select_executor(runtime, torch_device, info.preferred_runtimes)
    network = prepare_for_inference(_make_network(info, weights), torch_device, dtype)
    network.run_by(executor)
    return info.tracker_class(network, tracker_settings)


def make_tracker_settings(method, preset, settings):
    """Return the settings of a method's tracker: its defaults, then a preset, then single settings.

    Args:
        method: Method.
        preset: a name out of the method's presets, or None.
        settings: mapping of name to value.

    Raises:
        InvalidSettingError: an unknown preset or setting, or a value that a setting does not take.
    """
    settings_class = method.tracker_class.settings_class
    given = {name: check_setting(settings_class, name, settings[name], f"{method.name}: ") for name in settings}
    return settings_class(**{**method.defaults, **_find_preset(method, preset), **given})


def load_network(info, weights, what):
    """Make the variant of a model's network that weights were saved from, and load them.

    Args:
        info: Method.
        weights: mapping of key to tensor or array, in the authors' schema or ours.
        what: name of the source, for the message.

    Raises:
        WeightsError: keys missing, left over or of another shape; the message says which model the weights look like.
    """
    _check_names(weights, what)
    state = info.network_class.translate_state_dict(weights)
    network = info.network_class.for_state(state)
    try:
        load_weights(network, state, what)
    except WeightsError as error:
        similar = identify(weights)
        if not similar or info in similar:
            raise
        names = " or ".join(other.name for other in similar)
        raise WeightsError(f"{error}; it looks like weights of {names}, not of {info.name}") from error
    return network


def identify(weights):
    """Return the models, as a tuple of Method, whose network has most in common with weights; () for none."""
    likeness = {}
    for info in METHODS:
        state = info.network_class.translate_state_dict(weights)
        with torch.device("meta"):
            expected = _shapes(info.network_class.for_state(state).state_dict())
        given = _shapes(state)
        likeness[info] = len(expected & given) / max(1, len(expected | given))
    best = max(likeness.values())
    return tuple(info for info in METHODS if likeness[info] == best >= LOOKS_LIKE)


def _shapes(state):
    return {(name, tuple(value.shape)) for name, value in state.items() if not name.endswith("num_batches_tracked")}


def _find_preset(info, name):
    if name is None:
        return {}
    for known, preset in info.presets.items():
        if _plain_name(known) == _plain_name(name):
            return preset
    known = ", ".join(info.presets) or "none; leave it out"
    raise InvalidSettingError(f"preset of {info.name} is {name!r}, known are {known}")


def _plain_name(name):
    """A preset's name without what people write differently: "VOT-19" and "vot2019" are the same."""
    plain = re.sub(r"otb(100)?$", "otb2015", re.sub(r"[-_ ]", "", str(name).lower()))
    return re.sub(r"(?<=vot|otb)(\d\d)(?!\d)", r"20\1", plain)


def _make_network(info, weights):
    if isinstance(weights, str) and weights == "random":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return info.network_class.for_state({})
    if weights is None:
        weights = info.shipped_weights
        if weights is None:
            source = f"get {info.checkpoint} from {info.published} and" if info.published else "train it and"
            raise WeightsError(
                f'no weights come with {info.name}; {source} give its path as weights, or "random" to try without'
            )
    if isinstance(weights, collections.abc.Mapping):
        what = "the given mapping"
        return load_network(info, unwrap(weights, what), what)
    if isinstance(weights, (str, os.PathLike)):
        return load_network(info, read_weights(weights), f"weights file {weights}")
    raise WeightsError(f'weights is {type(weights).__name__}, expected None, a path, a mapping or "random"')


def _check_names(weights, what):
    for name, value in weights.items():
        if not isinstance(name, str) or not hasattr(value, "shape"):
            kind = type(value).__name__
            raise WeightsError(f"{what} holds {name!r} with a {kind}, expected names with tensors or arrays")
