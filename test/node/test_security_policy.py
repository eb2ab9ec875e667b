# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`deploy/tracker.policy.xml` allows what the node has, and nothing else."""

from pathlib import Path
from xml.etree import ElementTree

import pytest
from geometry_msgs.msg import PoseStamped
from node_doubles import SquareTracker
from ros_testing import Operator, graph_fixture, parameter_overrides  # noqa: F401

from siam_tracker_ros.node.annotations import foxglove_types
from siam_tracker_ros.node.tracker_node import TrackerNode

POLICY = Path(__file__).resolve().parents[2] / "deploy" / "tracker.policy.xml"
NAMES_IN_GRAPH = {
    ("topics", "publish"): "get_publisher_names_and_types_by_node",
    ("topics", "subscribe"): "get_subscriber_names_and_types_by_node",
    ("services", "reply"): "get_service_names_and_types_by_node",
}


def allowed():
    """Full names that the policy allows, by (kind, right)."""
    (enclave,) = ElementTree.parse(POLICY).getroot().iterfind("enclaves/enclave")
    (profile,) = enclave.iterfind("profiles/profile")
    assert (enclave.get("path"), profile.get("ns"), profile.get("node")) == ("/tracker", "/", "tracker")
    names = {}
    for rule in profile:
        ((right, value),) = rule.items()
        assert value == "ALLOW" and (rule.tag, right) not in names
        written = [element.text for element in rule]
        assert len(set(written)) == len(written)
        names[rule.tag, right] = {
            f"/tracker{name[1:]}" if name[0] == "~" else f"/{name.removeprefix('/')}" for name in written
        }
    return names


def names_of(graph, transport):
    """Full names that a node of the graph has with all outputs on, by (kind, right)."""
    operator = Operator(graph)
    operator.listen("target_pose", PoseStamped, "tracker/target_pose")  # without which no depth image is taken
    overrides = parameter_overrides(tf_frame="target", use_sim_time=True, image_transport=transport)
    node = TrackerNode(SquareTracker, context=graph.context, use_global_arguments=False, parameter_overrides=overrides)
    graph.add(node)
    operator.wait_for_camera_link()
    operator.wait(lambda: operator.count_subscribers("depth"), "the subscription to the depth images")
    operator.wait(lambda: operator.count_subscribers("camera_info"), "the subscription to the calibration")
    return {key: {name for name, _ in getattr(node, ask)("tracker", "/")} for key, ask in NAMES_IN_GRAPH.items()}


@pytest.mark.parametrize("transport, other", [("raw", "/image/compressed"), ("compressed", "/image")])
def test_the_policy_allows_what_the_node_has_and_nothing_else(graph, transport, other):
    expected = allowed()
    expected["topics", "subscribe"].remove(other)
    if foxglove_types() is None:
        expected["topics", "publish"].remove("/tracker/annotations")
    assert names_of(graph, transport) == expected
