# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import ast
import importlib.util
import signal
import sys
from pathlib import Path

import pytest
from ros_testing import started_together

from siam_tracker_ros.node.parameters import parameter_names

ROOT = Path(__file__).resolve().parents[2]
TRACKER_FILE, DEMO_FILE = (ROOT / "launch" / f"{name}.launch.py" for name in ("tracker", "demo"))

ARGUMENTS = {
    *("image_topic", "image_transport", "model", "weights", "preset", "runtime", "device", "params_file", "name"),
    *("namespace", "autostart", "use_sim_time", "log_level", "detections_topic", "detection_init", "detection_class"),
    *("camera_info_topic", "depth_topic", "mavlink", "mavlink_system_id", "operator_page"),
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
    assert names <= ARGUMENTS
    assert {"model", "weights", "preset", "runtime", "device"} <= names
    assert {"namespace", "name", "image_topic", "image_transport"} <= names, "both sides need them"


def test_the_launch_description_has_its_arguments_and_one_node():
    module = load(TRACKER_FILE)
    import launch

    assert argument_names(module.generate_launch_description()) == ARGUMENTS
    context = launch.LaunchContext()
    context.launch_configurations.update({name: "" for name in ARGUMENTS} | {"name": "tracker", "model": "lite"})
    context.launch_configurations["use_sim_time"] = "false"
    context.launch_configurations["params_file"] = str(ROOT / "config" / "tracker.yaml")
    assert len(module.make_node(context)) == 1
    context.launch_configurations["params_file"] = "mine.yaml"
    with pytest.raises(RuntimeError, match="params_file is '/.*/mine.yaml', expected the path of an existing file"):
        module.make_node(context)


def test_the_launch_description_of_the_demo_has_its_arguments():
    names = argument_names(load(DEMO_FILE).generate_launch_description())
    assert {"source", "rate", "loop", "init", "model", "weights", "preset", "runtime", "device"} <= names


@pytest.mark.parametrize(
    "init, source, nodes", [("true", "scene", 1), ("True", "scene", 1), ("false", "scene", 0), ("false", "clip.mp4", 0)]
)
def test_the_demo_names_the_target_of_its_scene(init, source, nodes):
    module = load(DEMO_FILE)
    import launch

    context = launch.LaunchContext()
    context.launch_configurations.update(init=init, source=source, name="tracker", namespace="")
    assert len(module.make_target(context)) == nodes


def test_the_demo_knows_no_target_of_another_source():
    module = load(DEMO_FILE)
    import launch

    context = launch.LaunchContext()
    context.launch_configurations.update(init="true", source="clip.mp4", name="left_tracker")
    with pytest.raises(RuntimeError, match="source is 'clip.mp4', expected source:=scene.* to /left_tracker/init"):
        module.make_target(context)


@pytest.mark.parametrize("connection, nodes", [("", 0), ("udpout:192.168.1.20:14550", 1)])
def test_a_mavlink_camera_is_started_where_a_connection_is_given(connection, nodes):
    module = load(TRACKER_FILE)
    import launch

    context = launch.LaunchContext()
    context.launch_configurations.update(mavlink=connection, mavlink_system_id="7", name="follower", namespace="")
    assert len(module.make_mavlink_camera(context)) == nodes


RUN = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

path, *arguments = sys.argv[1:]
source = PythonLaunchDescriptionSource(path)
launched = IncludeLaunchDescription(source, launch_arguments=[argument.split(":=") for argument in arguments])
service = LaunchService(noninteractive=True)
service.include_launch_description(LaunchDescription([launched]))
sys.exit(service.run())
"""


@pytest.mark.slow
def test_the_launched_demo_holds_its_target_and_ends_without_a_fault():
    load(DEMO_FILE)
    arguments = ["init:=true", "namespace:=left", "name:=follower", "image_topic:=/camera/image_raw"]
    arguments += ["image_transport:=compressed", "device:=cpu"]
    with started_together({"demo": [sys.executable, "-c", RUN, DEMO_FILE, *arguments]}) as programs:
        demo = programs["demo"]
        for line in demo.stdout:
            if "[left.follower]: target 'rover' is held" in line:
                break
        demo.send_signal(signal.SIGINT)
        output, _ = demo.communicate(timeout=60)
    assert demo.returncode == 0 and output.count("process has finished cleanly") == 3, output
