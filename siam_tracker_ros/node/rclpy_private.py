# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What rclpy does not tell or offer in public. No other file uses private attributes of rclpy."""

import functools
from collections.abc import Callable

from lifecycle_msgs.srv import ChangeState
from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node


def lifecycle_label(node: LifecycleNode) -> str:
    """Return the label of a node's lifecycle state, such as "active"."""
    # LifecycleNode has no public accessor of its state, from Humble (rclpy 3.3) to Rolling. A node cannot wait for its
    # own service get_state in the thread that answers it. A copy kept by the transition callbacks would be wrong during
    # a transition, and after an exception, whose outcome on_error does not see.
    return node._state_machine.current_state[1]


def refuse_unfit_transitions(node: LifecycleNode) -> None:
    """Answer a request of ~/change_state that does not fit the node's state with False and a warning."""
    # rclpy raises RCLError instead, from Humble (3.3) to Jazzy (7.1): it ends the executor's spin, and the process.
    (service,) = (service for service in node.services if service.srv_type is ChangeState)
    service.callback = functools.partial(_change_state, node, service.callback)


def _change_state(
    node: LifecycleNode,
    change_state: Callable[[ChangeState.Request, ChangeState.Response], ChangeState.Response],
    request: ChangeState.Request,
    response: ChangeState.Response,
) -> ChangeState.Response:
    transition = request.transition
    fitting = {label: number for number, label, *_ in node._state_machine.available_transitions}
    if transition.label in fitting or (not transition.label and transition.id in fitting.values()):
        return change_state(request, response)
    received = f"'{transition.label}'" if transition.label else transition.id
    expected = ", ".join(f"{label} ({number})" for label, number in fitting.items()) or "none; start a new node"
    node.get_logger().warning(
        f"lifecycle transition {received} is refused: the node is {lifecycle_label(node)}, expected {expected}"
    )
    response.success = False
    return response


def override_names(node: Node) -> list[str]:
    """Return the names of the parameters given on the command line, in parameter files or by the constructor."""
    # Node has no public accessor of its overrides, from Humble (rclpy 3.3) to Rolling. With
    # automatically_declare_parameters_from_overrides they can be listed, but misspelt ones are then declared too.
    return list(node._parameter_overrides)
