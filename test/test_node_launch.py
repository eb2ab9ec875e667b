# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import ast
import importlib.util
from pathlib import Path

import pytest

from siam_tracker_ros.node.parameters import parameter_names

LAUNCH_FILE = Path(__file__).resolve().parents[1] / "launch" / "tracker.launch.py"

ARGUMENTS = {
    *("image_topic", "image_transport", "model", "weights", "device", "params_file", "name", "namespace"),
    *("autostart", "use_sim_time", "log_level"),
}


def test_the_launch_file_compiles_and_sets_only_parameters_that_exist():
    tree = ast.parse(LAUNCH_FILE.read_text())
    (names,) = [
        ast.literal_eval(ast.List([key for key in node.value.keys], ast.Load()))
        for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id == "PARAMETERS"
    ]
    assert set(names) <= set(parameter_names()) & ARGUMENTS


def test_the_launch_description_has_its_arguments_and_one_node():
    pytest.importorskip("launch_ros.actions", reason="launch_ros is part of a ROS 2 installation")
    import launch

    spec = importlib.util.spec_from_file_location("tracker_launch", LAUNCH_FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    description = module.generate_launch_description()
    assert {argument.name for argument in description.get_launch_arguments()} == ARGUMENTS
    context = launch.LaunchContext()
    context.launch_configurations.update({name: "" for name in ARGUMENTS} | {"name": "tracker", "model": "lite"})
    context.launch_configurations["use_sim_time"] = "false"
    assert len(module.make_node(context)) == 1
