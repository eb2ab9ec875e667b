# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The operator's page of the node: what people ask for there goes through the node's own services and parameters."""

import dataclasses
import typing
from collections.abc import Awaitable, Callable
from concurrent.futures import Future

from rclpy.node import Node
from rclpy.parameter import Parameter
from std_msgs.msg import Header
from std_srvs.srv import SetBool, Trigger

from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.node.messages import init_request, ns_to_stamp
from siam_tracker_ros.node.parameters import NodeParameters
from siam_tracker_ros.page.commands import Command, Pause, Reset, SetValue, Start
from siam_tracker_ros.page.server import Offer, PageServer
from siam_tracker_ros.settings import Setting, check_setting, settings_of
from siam_tracker_ros.srv import InitTracker


@dataclasses.dataclass(frozen=True)
class NodeServices:
    """The callbacks of the node's services, which are called in the executor's thread."""

    init: Callable[[InitTracker.Request, InitTracker.Response], Awaitable[InitTracker.Response]]
    reset: Callable[[Trigger.Request, Trigger.Response], Awaitable[Trigger.Response]]
    enable: Callable[[SetBool.Request, SetBool.Response], SetBool.Response]


class OperatorPage:
    """Serves the page until it is closed.

    Attributes:
        server: shows the pictures.
    """

    def __init__(self, node: Node, services: NodeServices, parameters: NodeParameters, image_topic: str) -> None:
        """Start to serve.

        Raises:
            InvalidSettingError: others could reach the page without a token, or the address cannot be listened on.
        """
        self._node = node
        self._services = services
        offer = Offer(
            f"{node.get_fully_qualified_name()}: {image_topic}",
            (Start, Reset, Pause, SetValue),
            tuple(_live_settings()),
            parameters.frame_buffer_s,
        )
        self.server = PageServer(parameters.page_access(), offer, _values(parameters), self._take)

    def set_parameters(self, parameters: NodeParameters) -> None:
        """Show other values."""
        self.server.set_values(_values(parameters))

    def close(self) -> None:
        """Close all connections."""
        self.server.close()

    def _take(self, command: Command) -> "Future[str]":
        """Have a command done in the executor's thread; called in the server's."""
        executor = self._node.executor
        if executor is None:
            raise InvalidInputError("the node does not spin, expected it in an executor; try again")
        outcome: Future[str] = Future()

        async def do() -> None:
            try:
                outcome.set_result(await self._do(command))
            except Exception as error:  # raised where the outcome is asked for
                outcome.set_exception(error)

        executor.create_task(do)
        return outcome

    async def _do(self, command: Command) -> str:
        """Do what a command asks for; return a sentence about it, or raise one as InvalidInputError."""
        if isinstance(command, SetValue):
            value = check_setting(NodeParameters, command.name, command.value)
            result = self._node.set_parameters_atomically([Parameter(command.name, value=value)])
            return _accepted(result.successful, result.reason or f"{command.name} is {value}")
        response: typing.Any
        if isinstance(command, Start):
            header = Header(stamp=ns_to_stamp(command.stamp_ns))
            request = init_request(header, command.box_xywh, command.target_id)
            response = await self._services.init(request, InitTracker.Response())
        elif isinstance(command, Reset):
            response = await self._services.reset(Trigger.Request(), Trigger.Response())
        elif isinstance(command, Pause):
            response = self._services.enable(SetBool.Request(data=not command.paused), SetBool.Response())
        else:
            raise InvalidInputError(f"{command.type} is for recordings, expected init, reset, pause or set")
        return _accepted(response.success, response.message)


def _accepted(success: bool, sentence: str) -> str:
    if not success:
        raise InvalidInputError(sentence)
    return sentence


def _live_settings() -> list[Setting]:
    """Return the settings that can be changed while the node runs."""
    return [setting for setting in settings_of(NodeParameters).values() if setting.rule.change == "any time"]


def _values(parameters: NodeParameters) -> dict[str, typing.Any]:
    return {setting.name: getattr(parameters, setting.name) for setting in _live_settings()}
