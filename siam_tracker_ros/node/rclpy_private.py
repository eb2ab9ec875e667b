# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What rclpy does not tell or offer in public. No other file uses private attributes of rclpy."""

import difflib
import functools
from collections.abc import Callable
from typing import Any

from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.msg import SetParametersResult
from rcl_interfaces.srv import SetParameters, SetParametersAtomically
from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node
from rclpy.parameter import Parameter

from siam_tracker_ros.errors import shown
from siam_tracker_ros.node.paced_log import PacedLog

_MAX_NAME = 100  # characters of a name that others are compared with


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
    service.callback = functools.partial(_change_state, node, PacedLog(node.get_logger()), service.callback)


def _change_state(
    node: LifecycleNode,
    log: PacedLog,
    change_state: Callable[[ChangeState.Request, ChangeState.Response], ChangeState.Response],
    request: ChangeState.Request,
    response: ChangeState.Response,
) -> ChangeState.Response:
    transition = request.transition
    fitting = {label: number for number, label, *_ in node._state_machine.available_transitions}
    if transition.label in fitting or (not transition.label and transition.id in fitting.values()):
        return change_state(request, response)
    received = shown(transition.label) if transition.label else transition.id
    expected = ", ".join(f"{label} ({number})" for label, number in fitting.items()) or "none; start a new node"
    log.warning(f"lifecycle transition {received} is refused: the node is {lifecycle_label(node)}, expected {expected}")
    response.success = False
    return response


def explain_refused_parameters(node: Node) -> None:
    """Answer a request to set parameters that are not there, or of another type, with a sentence that names them."""
    # rclpy's own answers do not name the parameter, and a type that it does not know ends the process (Jazzy, 7.1).
    for service in node.services:
        if service.srv_type in (SetParameters, SetParametersAtomically):
            service.callback = functools.partial(_set_parameters, node, service.callback)


def _set_parameters(node: Node, set_parameters: Callable[[Any, Any], Any], request: Any, response: Any) -> Any:
    faults = [_parameter_fault(node, parameter) for parameter in request.parameters]
    if not any(faults):
        return set_parameters(request, response)
    if isinstance(request, SetParametersAtomically.Request):
        response.result = SetParametersResult(successful=False, reason=next(filter(None, faults)))
        return response
    request.parameters = [parameter for parameter, fault in zip(request.parameters, faults) if not fault]
    results = iter(set_parameters(request, response).results)
    response.results = [
        SetParametersResult(successful=False, reason=fault) if fault else next(results) for fault in faults
    ]
    return response


def _parameter_fault(node: Node, parameter: ParameterMessage) -> str:
    """Return why a parameter cannot be set by its name and type, "" where it can; the value is looked at later."""
    name, kind = parameter.name, parameter.value.type
    if not node.has_parameter(name):
        names = node.list_parameters([], 0).names
        (closest,) = difflib.get_close_matches(name[:_MAX_NAME], names, n=1, cutoff=0)
        return f"parameter {shown(name)} is not there, expected one of this node's, of which the closest is '{closest}'"
    declared = node.get_parameter(name).type_
    if declared != Parameter.Type.NOT_SET and kind != declared.value:
        received = {known.value: known.name.lower() for known in Parameter.Type}.get(kind, f"unknown ({kind})")
        return f"the type of parameter '{name}' is {received}, expected {declared.name.lower()}"
    return ""


def override_names(node: Node) -> list[str]:
    """Return the names of the parameters given on the command line, in parameter files or by the constructor."""
    # Node has no public accessor of its overrides, from Humble (rclpy 3.3) to Rolling. With
    # automatically_declare_parameters_from_overrides they can be listed, but misspelt ones are then declared too.
    return list(node._parameter_overrides)
