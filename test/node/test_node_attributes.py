# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""No node keeps something of its own under a name that rclpy uses: get_clock() or a subscription would be gone."""

import ast
from pathlib import Path

import pytest
from rclpy.lifecycle import LifecycleNode
from ros_testing import graph_fixture  # noqa: F401

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("siam_tracker_ros/node", "benchmarks", "examples")
FILES = [path for folder in FOLDERS for path in (ROOT / folder).glob("*.py")]


def assigned(source):
    """Names of the attributes that classes of nodes assign to themselves."""
    classes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef)]
    nodes = [node for node in classes if any("Node" in ast.unparse(base) for base in node.bases)]
    return {
        part.attr
        for node in nodes
        for part in ast.walk(node)
        if isinstance(part, ast.Attribute) and isinstance(part.ctx, ast.Store) and ast.unparse(part.value) == "self"
    }


@pytest.fixture
def names_of_rclpy(graph):
    node = LifecycleNode("probe", context=graph.context, use_global_arguments=False)
    names = set(vars(node))
    node.destroy_node()
    return names


def test_no_node_takes_a_name_of_rclpy(names_of_rclpy):
    assert assigned("class A(Node):\n    def f(self):\n        self._clock = 1") & names_of_rclpy == {"_clock"}
    taken = {path.name: assigned(path.read_text()) & names_of_rclpy for path in FILES}
    assert not {name: names for name, names in taken.items() if names}
