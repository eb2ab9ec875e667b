# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What docs/ros.md says is what the node does."""

import ast
import re

import pages
import pytest
import yaml

pytest.importorskip("rclpy")

from geometry_msgs.msg import PoseStamped
from node_doubles import SquareTracker
from rclpy.lifecycle import LifecycleNode
from ros_testing import (
    Operator,
    graph_fixture,  # noqa: F401
    parameter_overrides,
)
from siam_tracker_ros.msg import Target, TrackerStatus

from siam_tracker_ros.core.monitor import TargetState
from siam_tracker_ros.node.annotations import foxglove_types
from siam_tracker_ros.node.follow_node import FollowParameters
from siam_tracker_ros.node.parameters import NodeParameters, parameter_names, parameter_table
from siam_tracker_ros.node.tracker_node import TrackerNode
from siam_tracker_ros.settings import settings_of

PAGE = "docs/ros.md"


@pytest.mark.parametrize(
    "page, module, parameters_class",
    [(PAGE, "parameters", NodeParameters), ("docs/follow.md", "follow_node", FollowParameters)],
)
def test_parameter_table_is_that_of_the_node(page, module, parameters_class):
    _, rest = pages.PAGES[page].split("<!-- parameters: begin -->\n")
    table, _ = rest.split("\n<!-- parameters: end -->")
    expected = parameter_table(parameters_class)
    assert table == expected, f"run `./run exec python -m siam_tracker_ros.node.{module}` and put its table in"


@pytest.mark.parametrize(
    "page, names", [(PAGE, set(parameter_names())), ("docs/follow.md", settings_of(FollowParameters).keys())]
)
def test_parameter_files_that_are_shown_name_parameters(page, names):
    examples = [yaml.safe_load(example) for example in pages.code_blocks(page, "yaml")]
    assert examples
    for example in examples:
        assert example["/**"]["ros__parameters"].keys() <= names


def documented(heading, direction=None):
    """Names and types of a table's rows: full names, as in a graph in which the node is called /tracker."""
    entries = {}
    for row in pages.table(PAGE, heading):
        if direction is None or row.pop(0) == direction:
            name = re.match(r"`([^`]*)`", row[0])[1]
            package, kind = re.match(r"(\w+)/(\w+)", row[1]).groups()
            entries[name.replace("~", "/tracker") if name[0] in "~/" else f"/{name}"] = package, kind
    return entries


def entries_of(names_and_types):
    """Names and types as ROS tells them: a list of types for each, as package/msg/Type."""
    return {name: (types[0].split("/")[0], types[0].split("/")[-1]) for name, types in names_and_types}


def test_topics_and_services_are_those_of_the_node(graph):
    operator = Operator(graph)
    arguments = {"context": graph.context, "use_global_arguments": False}
    operator.listen("target_pose", PoseStamped, "tracker/target_pose")  # without which no depth image is taken
    overrides = parameter_overrides(tf_frame="target")
    graph.add(TrackerNode(SquareTracker, parameter_overrides=overrides, **arguments))
    graph.add(LifecycleNode("bare", **arguments))
    operator.wait_for_camera_link()
    operator.wait(lambda: ("bare", "/") in operator.get_node_names_and_namespaces(), "the bare node")
    kinds = {
        "out": (operator.get_publisher_names_and_types_by_node, documented("Topics", "out")),
        "in": (operator.get_subscriber_names_and_types_by_node, documented("Topics", "in")),
        "services": (operator.get_service_names_and_types_by_node, documented("Services")),
    }

    def own(ask):
        """What a node has that a bare lifecycle node does not have."""
        bare = {name.replace("/bare/", "/tracker/") for name in entries_of(ask("bare", "/"))}
        return {name: kind for name, kind in entries_of(ask("tracker", "/")).items() if name not in bare}

    del kinds["in"][1]["/image/compressed"]  # which comes in the place of `image`
    if foxglove_types() is None:
        del kinds["out"][1]["/tracker/annotations"]
    for what, (ask, expected) in kinds.items():
        assert expected
        operator.wait(lambda ask=ask, expected=expected: own(ask).keys() >= expected.keys(), f"{what}: {expected}")
        assert own(ask) == expected


@pytest.mark.parametrize("heading, message", [("Status", TrackerStatus), ("For controllers", Target)])
def test_fields_of_messages_are_those_of_their_definitions(heading, message):
    kinds = {"float": "float32", "double": "float64", "boolean": "bool"}
    fields = message.get_fields_and_field_types().items()
    rows = [[cell.strip("`") for cell in row[:2]] for row in pages.table(PAGE, heading)]
    assert rows == [
        [name, re.sub(r"^\w+(?=$|\[)", lambda kind: kinds.get(kind[0], kind[0]), kind)] for name, kind in fields
    ]


def test_compressed_images_are_documented():
    assert documented("Topics", "in")["/image/compressed"] == ("sensor_msgs", "CompressedImage")


def test_states_are_those_of_the_target():
    assert [row[0] for row in pages.table(PAGE, "What LOST means")] == [state.name for state in TargetState]


def test_launch_arguments_are_those_of_the_launch_file():
    tree = ast.parse((pages.ROOT / "launch" / "tracker.launch.py").read_text())
    declared = [
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", "") == "DeclareLaunchArgument"
        and isinstance(node.args[0], ast.Constant)
    ]
    (parameters,) = (
        node.value for node in tree.body if isinstance(node, ast.Assign) and node.targets[0].id == "PARAMETERS"
    )
    declared += [key.value for key in parameters.keys]
    assert sorted(row[0].strip("`") for row in pages.table(PAGE, "Launch arguments")) == sorted(declared)
