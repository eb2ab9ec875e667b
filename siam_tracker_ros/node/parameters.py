# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The parameters of the tracker node: one frozen dataclass whose fields carry their own descriptors."""

import dataclasses
import math

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor

from siam_tracker_ros import list_models
from siam_tracker_ros.core.monitor import MonitorSettings
from siam_tracker_ros.errors import InvalidSettingError

_MODEL_SETTINGS = "penalty_k", "window_influence", "lr", "mask_threshold"


@dataclasses.dataclass(frozen=True)
class _Rule:
    """What a parameter means and which values it takes; `live`: a change takes effect at once."""

    description: str
    low: float | None = None
    high: float | None = None
    choices: tuple = ()
    nan_allowed: bool = False
    read_only: bool = False
    live: bool = False


def _parameter(default, description, low=None, high=None, **options):
    return dataclasses.field(default=default, metadata={"rule": _Rule(description, low, high, **options)})


def _fraction(default, description, **options):
    return _parameter(default, description, 0.0, 1.0, **options)


def _count(default, description, **options):
    return _parameter(default, description, 1, 1000, **options)


@dataclasses.dataclass(frozen=True)
class NodeParameters:
    """Values of all parameters. Those that make the tracker can be set while the node is unconfigured."""

    model: str = _parameter("lite", "Name of the model; `siam-tracker models` lists them.")
    weights: str = _parameter(
        "", "Path of a checkpoint, or random to try a model without one; empty: the weights shipped with the package."
    )
    preset: str = _parameter("", "Named set of published settings; empty: the model's general one.")
    device: str = _parameter("auto", "auto, cpu, cuda or cuda:N; auto takes a GPU where there is one.")
    precision: str = _parameter("auto", "auto, fp32 or fp16; auto takes fp16 on a GPU if the model can.")
    runtime: str = _parameter("auto", "auto, torch or onnx; auto takes onnx, ONNX Runtime, on a CPU if the model can.")
    threads: int = _parameter(0, "CPU threads of the network; 0: the library's default.", 0, 256)
    penalty_k: float = _fraction(
        math.nan, "Penalty on changes of size and shape; NaN: the model's own.", nan_allowed=True
    )
    window_influence: float = _fraction(
        math.nan, "Weight of the window that favours small motion; NaN: the model's own.", nan_allowed=True
    )
    lr: float = _fraction(
        math.nan, "How fast the box's size follows the network; NaN: the model's own.", nan_allowed=True
    )
    mask_threshold: float = _fraction(
        math.nan, "A pixel is the target's above this mask value; NaN: the model's own.", nan_allowed=True
    )
    image_transport: str = _parameter(
        "raw",
        "raw: sensor_msgs/Image on `image`; compressed: CompressedImage on `image/compressed`.",
        choices=("raw", "compressed"),
    )
    frame_buffer: int = _parameter(
        30, "Frames kept so that ~/init can start on an earlier stamp; 1: the newest only.", 1, 1000
    )
    frame_buffer_mb: int = _parameter(128, "Bound on the memory for these frames in megabytes.", 1, 16384)
    rotated_box: bool = _parameter(
        False,
        "Publish the rotated box where the model has one, its turn in bbox.center.theta; false: upright boxes.",
        live=True,
    )
    autostart: bool = _parameter(
        True, "Configure and activate by itself; false: wait for a lifecycle manager.", read_only=True
    )
    diagnostics_period: float = _parameter(
        1.0, "Seconds between two messages on /diagnostics.", 0.1, 60.0, read_only=True
    )
    uncertain_score: float = _fraction(
        MonitorSettings.uncertain_score, "A frame with a lower score is doubtful.", live=True
    )
    lost_score: float = _fraction(
        MonitorSettings.lost_score, "A frame with a lower score is bad: no evidence of the target.", live=True
    )
    recover_score: float = _fraction(
        MonitorSettings.recover_score, "Once lost, only a score at least this high is good.", live=True
    )
    lost_drop: float = _fraction(
        MonitorSettings.lost_drop,
        "A frame is bad under this fraction of the target's usual score.",
        live=True,
    )
    distractor_ratio: float = _fraction(
        MonitorSettings.distractor_ratio,
        "A frame is doubtful when the second response peak exceeds this fraction of the first.",
        live=True,
    )
    min_visible: float = _fraction(
        MonitorSettings.min_visible, "A frame is bad when less of the box than this lies in it.", live=True
    )
    uncertain_frames: int = _count(
        MonitorSettings.uncertain_frames, "Frames in a row that are not good until UNCERTAIN.", live=True
    )
    lost_frames: int = _count(
        MonitorSettings.lost_frames, "Bad frames (each good one takes one off) until LOST.", live=True
    )
    recover_frames: int = _count(
        MonitorSettings.recover_frames, "Good frames in a row until TRACKING again.", live=True
    )

    def check(self):
        """Raise InvalidSettingError when a value, or the values together, cannot be used."""
        for field in dataclasses.fields(self):
            _check_value(field.name, getattr(self, field.name), field.metadata["rule"])
        if not self.lost_score <= self.uncertain_score <= self.recover_score:
            raise InvalidSettingError(
                f"lost_score {self.lost_score:g}, uncertain_score {self.uncertain_score:g}, recover_score "
                f"{self.recover_score:g} are out of order, expected lost <= uncertain <= recover; "
                "set them together"
            )
        models = {model.name: model for model in list_models()}
        if self.model not in models:
            raise InvalidSettingError(f"model is '{self.model}', expected one of {', '.join(models)}")
        for name, value in self._model_settings().items():
            takers = [model.name for model in models.values() if name in model.tracker_class.settings_class.RANGES]
            if self.model not in takers:
                raise InvalidSettingError(
                    f"{name} is {value:g}, but model {self.model} has no such setting, expected NaN or one of the "
                    f"models {', '.join(takers)}"
                )

    def tracker_arguments(self):
        """Return the keyword arguments of create_tracker, all but the model's name."""
        arguments = {
            "weights": self.weights or None,
            "preset": self.preset or None,
            "device": self.device,
            "precision": self.precision,
            "runtime": self.runtime,
        }
        return arguments | self._model_settings()

    def _model_settings(self):
        """Return the model's settings that are given, by name."""
        settings = {name: getattr(self, name) for name in _MODEL_SETTINGS}
        return {name: value for name, value in settings.items() if not math.isnan(value)}

    def monitor_settings(self):
        """Return the MonitorSettings."""
        return MonitorSettings(**{f.name: getattr(self, f.name) for f in dataclasses.fields(MonitorSettings)})


def parameter_names():
    """Return the names of all parameters."""
    return [field.name for field in dataclasses.fields(NodeParameters)]


def declare_parameters(node):
    """Declare every parameter on a node, with its descriptor."""
    for field in dataclasses.fields(NodeParameters):
        node.declare_parameter(field.name, field.default, _descriptor(field))


def read_parameters(node):
    """Return the node's NodeParameters as they are set, not checked."""
    return NodeParameters(**{name: node.get_parameter(name).value for name in parameter_names()})


def change_parameters(current, changes, configured):
    """Return the NodeParameters after a change.

    Args:
        current: the NodeParameters now.
        changes: mapping from names, all of them ours, to new values.
        configured: whether the node holds a tracker made with the current values.

    Raises:
        InvalidSettingError: the values cannot be used, or cannot be changed now.
    """
    rules = {field.name: field.metadata["rule"] for field in dataclasses.fields(NodeParameters)}
    fixed = [name for name in changes if configured and not rules[name].live]
    if fixed:
        raise InvalidSettingError(
            f"{', '.join(fixed)} cannot change while the node is configured, expected the state "
            "unconfigured; run `ros2 lifecycle set <node> deactivate` and `cleanup`, set it, then "
            "`configure` and `activate`"
        )
    changed = dataclasses.replace(current, **changes)
    changed.check()
    return changed


def _check_value(name, value, rule):
    if rule.choices and value not in rule.choices:
        raise InvalidSettingError(f"{name} is '{value}', expected one of {', '.join(rule.choices)}")
    if rule.low is None or (rule.nan_allowed and math.isnan(value)):
        return
    if not rule.low <= value <= rule.high:
        expected = f"{rule.low:g} to {rule.high:g}" + (" or NaN" if rule.nan_allowed else "")
        raise InvalidSettingError(f"{name} is {value:g}, expected {expected}")


def _descriptor(field):
    rule = field.metadata["rule"]
    descriptor = ParameterDescriptor(description=rule.description, read_only=rule.read_only)
    if rule.choices:
        descriptor.additional_constraints = f"one of {', '.join(rule.choices)}"
    elif rule.nan_allowed:  # a range in the descriptor would refuse NaN
        descriptor.additional_constraints = f"{rule.low:g} to {rule.high:g}, or NaN"
    elif rule.low is not None and isinstance(field.default, int):
        descriptor.integer_range = [IntegerRange(from_value=rule.low, to_value=rule.high, step=0)]
    elif rule.low is not None:
        descriptor.floating_point_range = [FloatingPointRange(from_value=rule.low, to_value=rule.high, step=0.0)]
    return descriptor
