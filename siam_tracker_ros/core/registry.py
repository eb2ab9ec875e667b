# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The methods by name, and trackers made of them."""

import dataclasses
import functools
import importlib.metadata
import logging
import os
import pathlib
import re
import typing
from collections.abc import Mapping

from siam_tracker_ros.core.confidence import Calibration, calibration_path
from siam_tracker_ros.core.method import Method
from siam_tracker_ros.core.running import Weights, make_network
from siam_tracker_ros.core.tracker import Tracker
from siam_tracker_ros.errors import InvalidSettingError, shown
from siam_tracker_ros.executors import CUDA_GRAPH, TORCH
from siam_tracker_ros.extras import require
from siam_tracker_ros.methods import METHODS
from siam_tracker_ros.settings import check_setting

if typing.TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

ENTRY_POINTS = "siam_tracker_ros.methods"  # where another package names its methods: name = module:METHOD


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
        f"model is {shown(name)}, expected one of {', '.join(method.name for method in list_models())}"
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
    raise InvalidSettingError(f"method is {shown(name)}, expected one of {known}")


def create_tracker(
    model: str = "lite_online",
    weights: Weights = None,
    preset: str | None = None,
    device: "str | torch.device" = "auto",
    precision: str = "auto",
    runtime: str = "auto",
    **settings: typing.Any,
) -> Tracker:
    """Make a tracker.

    Args:
        model: name of one of `list_models()`.
        weights: None for the weights in this package; the path of a checkpoint, the authors' or our own, or of a folder
            that `siam-tracker export` wrote; a mapping of name to tensor or array, with the authors' names or ours; or
            "random" for seeded random weights.
        preset: name of published settings, as "vot2019" (case, hyphens and underscores do not matter); None for the
            authors' settings for general video.
        device: "auto", "cpu", "cuda" or "cuda:N".
        precision: "auto", "fp32", "fp16" on a GPU, "bf16" by OpenVINO on a CPU that has it, or "int8" of a folder that
            `siam-tracker export --precision int8` wrote. On a CPU, "auto" is float32, or one of the others where it is
            faster and costs at most 0.005 mean IoU, as the calibration of these weights says.
        runtime: "auto", "torch", "onnx", which is ONNX Runtime on a CPU, "openvino" on a CPU, or "cuda_graph" on a GPU.
            "auto" takes the one that is fastest here, see `core.running`, and CUDA graphs on a GPU.
        **settings: fields of the model's settings, which replace those of the preset.

    Raises:
        InvalidSettingError: an unknown name or a value out of range; the message lists what is known.
        WeightsError: the weights are missing, damaged or made for another network.
    """
    method = find_model(model)
    tracker_settings = make_tracker_settings(method, preset, settings)
    calibration = find_calibration(method, weights)
    network = make_network(method, tracker_settings, weights, str(device), precision, runtime, calibration.losses)
    tracker = method.tracker_class(network, tracker_settings)
    tracker.calibration = calibration
    if tracker.device != "cpu":
        tracker.use_device_step(captures=runtime != TORCH)
        if runtime == CUDA_GRAPH and not tracker.has_device_step:
            raise InvalidSettingError(
                f"runtime is {runtime!r}, but nothing of {model} can be captured as a CUDA graph; use auto or {TORCH}"
            )
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
    try:
        settings_class = method.tracker_class.settings_class
    except ModuleNotFoundError:
        require(f"model {method.name}", "torch", extra="torch")
        raise
    given = {name: check_setting(settings_class, name, settings[name], f"{method.name}: ") for name in settings}
    return settings_class(**{**method.defaults, **_find_preset(method, preset), **given})


def find_calibration(method: Method, weights: Weights) -> Calibration:
    """Return the calibration beside a file of weights; else that of the shipped weights; else scores as they are.

    What a precision costs other weights than the shipped ones is known only from a file beside them.

    Args:
        method: whose tracker has the confidence.
        weights: see `create_tracker`.

    Raises:
        WeightsError: the file is damaged.
    """
    shipped = method.shipped_weights
    own = shipped if weights is None else None
    if isinstance(weights, (str, os.PathLike)) and weights != "random":
        own = pathlib.Path(weights)
    if own is not None and (path := calibration_path(own, method.name)).is_file():
        return Calibration.read(path)
    if shipped is not None and (path := calibration_path(shipped, method.name)).is_file():
        return dataclasses.replace(Calibration.read(path), losses={})
    return Calibration()


def _find_preset(method: Method, name: str | None) -> Mapping[str, typing.Any]:
    if name is None:
        return {}
    for preset_name, preset in method.presets.items():
        if _plain_name(preset_name) == _plain_name(name):
            return preset
    known = ", ".join(method.presets) or "none; leave it out"
    raise InvalidSettingError(f"preset of {method.name} is {shown(name)}, known are {known}")


def _plain_name(name: str) -> str:
    """One spelling of a preset's name: "VOT-19" and "vot2019" are the same."""
    plain = re.sub(r"otb(100)?$", "otb2015", re.sub(r"[-_ ]", "", str(name).lower()))
    return re.sub(r"(?<=vot|otb)(\d\d)(?!\d)", r"20\1", plain)
