# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the managed nodes share: their start without a lifecycle manager, and the end of all that they hold."""

import abc
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from siam_tracker_ros.node.rclpy_private import explain_refused_parameters, lifecycle_label, refuse_unfit_transitions


class ManagedNode(LifecycleNode, abc.ABC):
    """A lifecycle node that gives up all that it holds in `_release`, whichever way its life takes.

    Attributes:
        steady_clock: for timers. The node's own clock stands still with use_sim_time until a simulator runs.
    """

    def __init__(self, node_name: str, **node_arguments: Any) -> None:
        """Create the node, unconfigured.

        What `_release` reads has to be set before, since rclpy may call `destroy_node` while this fails.

        Args:
            node_name: name of the node.
            node_arguments: further arguments of rclpy.node.Node.
        """
        super().__init__(node_name, **node_arguments)
        refuse_unfit_transitions(self)
        explain_refused_parameters(self)
        self.steady_clock = Clock(clock_type=ClockType.STEADY_TIME)

    def start_by_itself(self) -> None:
        """Configure and activate as soon as the node spins, unless a lifecycle manager is faster."""
        self._autostart_timer = self.create_timer(0.0, self._autostart, clock=self.steady_clock)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Give up everything."""
        self._release()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Give up everything."""
        self._release()
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Give up everything and go back to unconfigured."""
        self._release()
        return super().on_error(state)

    def destroy_node(self) -> None:
        """Give up everything, then end the node."""
        self._release()
        super().destroy_node()

    @abc.abstractmethod
    def _release(self) -> None:
        """Give up everything that configuring and activating has made; in any state."""

    def _autostart(self) -> None:
        self._autostart_timer.cancel()
        if lifecycle_label(self) != "unconfigured":
            return  # a lifecycle manager was faster
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()
