# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The parameters of the nodes: settings, declared in ROS with their meanings and ranges; those of the tracker node."""

import dataclasses
import typing
from collections.abc import Mapping

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node

from siam_tracker_ros.control.target_motion import MotionSettings
from siam_tracker_ros.core.monitor import MonitorSettings
from siam_tracker_ros.core.registry import find_model, make_tracker_settings
from siam_tracker_ros.core.search import SearchSettings
from siam_tracker_ros.errors import InvalidSettingError
from siam_tracker_ros.intensity import parse_intensity_range
from siam_tracker_ros.node.requests import number_fault
from siam_tracker_ros.page.access import DEFAULT_HOST, DEFAULT_PORT, Access
from siam_tracker_ros.settings import Setting, check_setting, parse_setting, setting, settings_of


@dataclasses.dataclass(frozen=True)
class _OwnParameters:
    """What the node has besides the numbers of its monitor. What makes the tracker is set while it is unconfigured."""

    model: str = setting("lite_online", "Name of the model; `siam-tracker models` lists them.")
    weights: str = setting(
        "",
        "Path of a checkpoint or of an exported folder, or random to try a model without one; empty: the weights "
        "shipped with the package.",
    )
    preset: str = setting("", "Named set of published settings; empty: the model's general one.")
    settings: tuple[str, ...] = setting(
        ("",), 'Settings of the model, as ["lr=0.5", "penalty_k=0.1"]; `siam-tracker models NAME` lists them.'
    )
    device: str = setting("auto", "`auto`, `cpu`, `cuda` or `cuda:N`; `auto` takes a GPU where there is one.")
    precision: str = setting(
        "auto",
        "`auto`, `fp32`, `fp16` on a GPU, `bf16` by OpenVINO on a CPU that has it, or `int8` of an exported folder "
        "with such graphs; `auto` takes a narrow one where the weights are known to lose hardly anything by it.",
    )
    runtime: str = setting(
        "auto",
        "`auto`, `torch`, `onnx` for ONNX Runtime on a CPU, `openvino` on a CPU, or `cuda_graph` on a GPU; `auto` "
        "takes the one that is the fastest here, which it measures the first time, and CUDA graphs on a GPU.",
    )
    threads: int = setting(0, "CPU threads of the network; 0: the library's default.", 0, 256)
    max_targets: int = setting(
        1, "How many targets are followed at a time; with 1, a new target takes the place of the one before.", 1, 64
    )
    image_transport: typing.Literal["raw", "compressed"] = setting(
        "raw", "`raw`: sensor_msgs/Image on `image`; `compressed`: CompressedImage on `image/compressed`."
    )
    intensity_range: str = setting(
        "auto",
        "Of 16-bit images, the lowest and highest intensity, as 7000,9000, which become black and white; `auto`: it "
        "follows the images; 0,65535: the high byte of each pixel.",
        change="any time",
    )
    frame_buffer_s: float = setting(
        2.0,
        "Seconds for which images are kept, so that ~/init can start on an earlier stamp; 0: the newest only.",
        0,
        60,
    )
    frame_buffer_mb: int = setting(1024, "Bound on the memory for these images in megabytes.", 1, 16384)
    detection_init: typing.Literal["never", "when_lost", "always"] = setting(
        "when_lost",
        "When a detection on ~/init_detection or ~/init_detections starts the target: `never`, "
        "`when_lost`, which is also while there is none, or `always`.",
        change="any time",
    )
    detection_class: str = setting("", "Class of these detections; empty: any.", change="any time")
    detection_min_score: float = setting(0.5, "Lowest score of these detections.", 0, 1, change="any time")
    point_square: float = setting(
        0.25,
        "Side of the square around a point, over the image's shorter side, where no mask tells the box and no target "
        "was held before, whose size is taken.",
        0.01,
        1,
        change="any time",
    )
    class_id: str = setting(
        "target",
        "Class of a target that was started without one; ros_gz_bridge reads it as a whole number: give it one, as 1.",
        change="any time",
    )
    jpeg_quality: int = setting(80, "Quality of ~/debug_image/compressed.", 1, 100, change="any time")
    rotated_box: bool = setting(
        False,
        "Publish the rotated box where the model has one, its turn in bbox.center.theta; false: upright boxes.",
        change="any time",
    )
    predict_to_now: bool = setting(
        False,
        "Predict the centre of the box and the ray in ~/target, and ~/bearing, to the time of publishing; false: they "
        "are those of the image.",
        change="any time",
    )
    images_are_rectified: bool = setting(
        False, "The images are rectified, so that P of camera_info counts; false: K and D, if D is not zero."
    )
    target_height_m: float = setting(
        0.0,
        "Height of the target in metres, from which its distance is told; 0: the depth image tells it.",
        0,
        1000,
        change="any time",
    )
    depth_tolerance_s: float = setting(
        0.02, "Seconds by which the stamps of an image and its depth image may differ.", 0, 1, change="any time"
    )
    tf_frame: str = setting("", "Name of the target's frame in TF; empty: the target is not in TF.")
    heartbeat_period: float = setting(
        0.5, "Seconds without a result after which ~/status is repeated, again and again; 0: it is not.", 0, 60
    )
    hang_timeout_s: float = setting(
        10.0,
        "Seconds after which a network that has not returned counts as one that hangs, for each target of a frame; "
        "0: never.",
        0,
        3600,
    )
    load_timeout_s: float = setting(
        300.0, "Seconds after which configuring is given up while the model is still being loaded; 0: never.", 0, 3600
    )
    operator_page: bool = setting(
        False, "Serve a web page on which people see the target, mark it and change what can change at any time."
    )
    operator_page_host: str = setting(
        DEFAULT_HOST, "Address on which the page is served; one that others can reach needs a token."
    )
    operator_page_port: int = setting(DEFAULT_PORT, "TCP port of the page.", 1, 65535)
    operator_page_token: str = setting(
        "", "What a viewer of the page has to know, at least 16 characters; empty: nothing, on this machine alone."
    )
    autostart: bool = setting(
        True, "Configure and activate by itself; false: wait for a lifecycle manager.", change="at start"
    )
    diagnostics_period: float = setting(
        1.0, "Seconds between two messages on /diagnostics.", 0.1, 60, change="at start"
    )


@dataclasses.dataclass(frozen=True)
class NodeParameters(MonitorSettings, SearchSettings, MotionSettings, _OwnParameters):
    """Values of all parameters."""

    def check(self) -> None:
        """Raise InvalidSettingError when a value, or the values together, cannot be used."""
        for name in parameter_names():
            check_setting(NodeParameters, name, getattr(self, name))
        self.check_order()
        if not self.class_id:
            raise InvalidSettingError("class_id is empty, expected the name or the number of a class")
        parse_intensity_range(self.intensity_range)
        if self.operator_page:
            self.page_access().check()
        make_tracker_settings(find_model(self.model), None, self._model_settings())

    def tracker_arguments(self) -> dict[str, typing.Any]:
        """Return the keyword arguments of create_tracker, all but the model's name."""
        arguments = {
            "weights": self.weights or None,
            "preset": self.preset or None,
            "device": self.device,
            "precision": self.precision,
            "runtime": self.runtime,
        }
        return arguments | self._model_settings()

    def _model_settings(self) -> dict[str, typing.Any]:
        """Return the model's settings that are given, by name."""
        return dict(parse_setting(text) for text in self.settings if text)

    def page_access(self) -> Access:
        """Return where the operator's page is served, and to whom."""
        return Access(self.operator_page_host, self.operator_page_port, self.operator_page_token)

    def search_settings(self) -> SearchSettings:
        """Return the SearchSettings."""
        return SearchSettings(**{name: getattr(self, name) for name in settings_of(SearchSettings)})

    def monitor_settings(self) -> MonitorSettings:
        """Return the MonitorSettings."""
        return MonitorSettings(**{name: getattr(self, name) for name in settings_of(MonitorSettings)})


def parameter_names() -> list[str]:
    """Return the names of all parameters."""
    return list(settings_of(NodeParameters))


class Parameters(typing.Protocol):
    """A settings class whose values are a node's parameters."""

    def check(self) -> None:
        """Raise InvalidSettingError when a value, or the values together, cannot be used."""


P = typing.TypeVar("P", bound=Parameters)


def declare_parameters(node: Node, parameters_class: type[Parameters]) -> None:
    """Declare every parameter of a class on a node, with its descriptor."""
    for name, parameter in settings_of(parameters_class).items():
        default = list(parameter.default) if isinstance(parameter.default, tuple) else parameter.default
        node.declare_parameter(name, default, _descriptor(parameter))


def read_parameters(node: Node, parameters_class: type[P]) -> P:
    """Return the node's parameters as they are set, not checked.

    Raises:
        InvalidSettingError: a parameter has no value; ROS takes an empty list in a parameter file for none.
    """
    values = {name: node.get_parameter_or(name).value for name in settings_of(parameters_class)}
    missing = [name for name, value in values.items() if value is None and name != "settings"]
    if missing:
        raise InvalidSettingError(
            f"{', '.join(missing)} is an empty list or has no value, expected one; give a value, or leave the name out"
        )
    return with_values(parameters_class(), values)


def with_values(current: P, values: Mapping[str, typing.Any]) -> P:
    """Return parameters with other values, as ROS has them, not checked; a list of None is empty."""
    changes = {
        name: tuple(value or ()) if isinstance(getattr(current, name), tuple) else value
        for name, value in values.items()
    }
    return dataclasses.replace(current, **changes)  # type: ignore[type-var]  # a settings class is a dataclass


def change_parameters(current: P, changes: Mapping[str, typing.Any], configured: bool) -> P:
    """Return the parameters after a change.

    Args:
        current: the parameters now.
        changes: mapping from names, all of them ours, to new values.
        configured: whether the node holds something made with the current values.

    Raises:
        InvalidSettingError: the values cannot be used, or cannot be changed now.
    """
    for name, value in changes.items():
        if fault := number_fault(name, value):
            raise InvalidSettingError(fault)
    known = settings_of(type(current))
    fixed = [name for name in changes if configured and known[name].rule.change != "any time"]
    if fixed:
        raise InvalidSettingError(
            f"{', '.join(fixed)} cannot change while the node is configured, expected the state "
            "unconfigured; run `ros2 lifecycle set <node> deactivate` and `cleanup`, set it, then "
            "`configure` and `activate`"
        )
    changed = with_values(current, changes)
    changed.check()
    return changed


def _descriptor(parameter: Setting) -> ParameterDescriptor:
    rule = parameter.rule
    descriptor = ParameterDescriptor(description=rule.meaning, read_only=rule.change == "at start")
    if parameter.choices:
        descriptor.additional_constraints = parameter.allowed
    elif parameter.kind is int:
        descriptor.integer_range = [IntegerRange(from_value=rule.low, to_value=rule.high, step=0)]
    elif parameter.kind is float:
        descriptor.floating_point_range = [
            FloatingPointRange(from_value=float(rule.low), to_value=float(rule.high), step=0.0)
        ]
    return descriptor


def parameter_table(parameters_class: type[Parameters]) -> str:
    """Return the table of a class's parameters for the documentation, in Markdown."""
    rows = ["| name | default | values | change | meaning |", "|---|---|---|---|---|"]
    for name, parameter in settings_of(parameters_class).items():
        choices = ", ".join(f"`{choice}`" for choice in parameter.choices)
        values = choices or (parameter.rule.range if parameter.kind in (int, float) else "")
        meaning = parameter.rule.meaning.rstrip(".")
        rows.append(f"| `{name}` | `{_shown(parameter.default)}` | {values} | {parameter.rule.change} | {meaning} |")
    return "\n".join(rows)


def _shown(default: typing.Any) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, tuple):
        return str(list(default)).replace("'", '"')
    return str(default) or '""'


if __name__ == "__main__":
    print(parameter_table(NodeParameters))
