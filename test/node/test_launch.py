# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import ast
import importlib.util
from pathlib import Path

import pytest

from siam_tracker_ros.node.parameters import parameter_names

ROOT = Path(__file__).resolve().parents[2]
TRACKER_FILE, DEMO_FILE = (ROOT / "launch" / f"{name}.launch.py" for name in ("tracker", "demo"))

ARGUMENTS = {
    *("image_topic", "image_transport", "model", "weights", "preset", "runtime", "device", "params_file", "name"),
    *("namespace", "autostart", "use_sim_time", "log_level"),
}


def keys(path, name):
    """Keys of a mapping that a file assigns to a name."""
    (mapping,) = (
        node.value
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.Assign) and node.targets[0].id == name
    )
    return {ast.literal_eval(key) for key in mapping.keys}


def load(path):
    pytest.importorskip("launch_ros.actions", reason="launch_ros is part of a ROS 2 installation")
    spec = importlib.util.spec_from_file_location("launch_file", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def argument_names(description):
    return {argument.name for argument in description.get_launch_arguments()}


def test_the_launch_file_compiles_and_sets_only_parameters_that_exist():
    names = keys(TRACKER_FILE, "PARAMETERS")
    assert names <= set(parameter_names()) & ARGUMENTS
    assert {"model", "weights", "preset", "runtime", "device"} <= names


def test_the_demo_passes_on_only_what_the_tracker_takes():
    names = keys(DEMO_FILE, "TRACKER_ARGUMENTS")
    assert names <= keys(TRACKER_FILE, "PARAMETERS")
    assert {"model", "weights", "preset", "runtime", "device"} <= names


def test_the_launch_description_has_its_arguments_and_one_node():
    module = load(TRACKER_FILE)
    import launch

    assert argument_names(module.generate_launch_description()) == ARGUMENTS
    context = launch.LaunchContext()
    context.launch_configurations.update({name: "" for name in ARGUMENTS} | {"name": "tracker", "model": "lite"})
    context.launch_configurations["use_sim_time"] = "false"
    assert len(module.make_node(context)) == 1


def test_the_launch_description_of_the_demo_has_its_arguments():
    names = argument_names(load(DEMO_FILE).generate_launch_description())
    assert {"source", "rate", "loop", "model", "weights", "preset", "runtime", "device"} <= names
