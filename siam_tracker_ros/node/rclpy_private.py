# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The two things that rclpy knows and does not tell in public. No other file uses private attributes of rclpy."""

from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node


def lifecycle_label(node: LifecycleNode) -> str:
    """Return the label of a node's lifecycle state, such as "active"."""
    # LifecycleNode has no public accessor of its state, from Humble (rclpy 3.3) to Rolling. A node cannot wait for its
    # own service get_state in the thread that answers it. A copy kept by the transition callbacks would be wrong during
    # a transition, and after an exception, whose outcome on_error does not see.
    return node._state_machine.current_state[1]


def override_names(node: Node) -> list[str]:
    """Return the names of the parameters given on the command line, in parameter files or by the constructor."""
    # Node has no public accessor of its overrides, from Humble (rclpy 3.3) to Rolling. With
    # automatically_declare_parameters_from_overrides they can be listed, but misspelt ones are then declared too.
    return list(node._parameter_overrides)
