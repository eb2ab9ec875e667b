# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A managed ROS 2 node that keeps a target in the middle of the view: from ~/target of the tracker to a Twist.

The law is `control.servo.Servo`, and for a vehicle `control.body.BodyServo`; this file turns messages into directions,
distances and attitudes, and commands into messages.
"""

import dataclasses
import typing
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped, Twist, TwistStamped
from rcl_interfaces.msg import SetParametersResult
from rclpy.duration import Duration
from rclpy.lifecycle import LifecyclePublisher, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, qos_profile_sensor_data
from rclpy.subscription import Subscription
from rclpy.timer import Timer
from sensor_msgs.msg import Imu
from std_msgs.msg import String

from siam_tracker_ros.control.body import BodyServo, BodySettings
from siam_tracker_ros.control.servo import Command, Servo
from siam_tracker_ros.core.monitor import TargetState
from siam_tracker_ros.errors import InvalidInputError, InvalidSettingError
from siam_tracker_ros.msg import Target
from siam_tracker_ros.node.managed_node import ManagedNode
from siam_tracker_ros.node.messages import stamp_to_ns
from siam_tracker_ros.node.paced_log import PacedLog
from siam_tracker_ros.node.parameters import change_parameters, declare_parameters, parameter_table, read_parameters
from siam_tracker_ros.node.requests import check_target
from siam_tracker_ros.node.spinning import spin
from siam_tracker_ros.settings import check_setting, setting, settings_of

_LOG_PERIOD = 5.0  # seconds between two warnings of one kind
_LAST_COMMAND_S = 0.2  # that the last command may take to arrive
_NO_TARGET = ""


@dataclasses.dataclass(frozen=True)
class FollowParameters(BodySettings):
    """Values of all parameters."""

    drive: typing.Literal["pan_tilt", "body"] = setting(
        "pan_tilt",
        "`pan_tilt`: the camera turns by itself, angular.z is the rate of yaw and angular.y that of pitch; `body`: it "
        "is fixed to a vehicle, which turns by angular.z, climbs by linear.z and drives by linear.x.",
    )
    stamped: bool = setting(True, "Publish TwistStamped, as the tools of ROS 2 expect; false: Twist.")
    frame_id: str = setting("base_link", "Frame of the commands.")
    target_id: str = setting("", "Name of the target to follow; empty: the first one that is seen.", change="any time")
    rate: float = setting(50.0, "Commands per second.", 1, 1000)
    autostart: bool = setting(
        True, "Configure and activate by itself; false: wait for a lifecycle manager.", change="at start"
    )

    def check(self) -> None:
        """Raise InvalidSettingError when a value cannot be used."""
        for name in settings_of(FollowParameters):
            check_setting(FollowParameters, name, getattr(self, name))
        super().check()


class FollowNode(ManagedNode):
    """Follows one target with a camera. docs/follow.md lists topics and parameters."""

    def __init__(self, node_name: str = "follow", **node_arguments: Any) -> None:
        """Create the node, unconfigured.

        Args:
            node_name: name of the node.
            node_arguments: further arguments of rclpy.node.Node.
        """
        self._commands: LifecyclePublisher | None = None  # while configured, as the next one
        self._reasons: LifecyclePublisher | None = None
        self._inputs: list[Subscription] = []  # while active, as the next one
        self._timers_of_commands: list[Timer] = []
        super().__init__(node_name, **node_arguments)
        declare_parameters(self, FollowParameters)
        self._settings = read_parameters(self, FollowParameters)
        self.add_on_set_parameters_callback(self._on_set_parameters)
        self._log = PacedLog(self.get_logger())  # of the reasons
        self._reason = ""
        self._followed = _NO_TARGET
        self._make_servo()
        if self._settings.autostart:
            self.start_by_itself()

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Check the parameters and make the publishers."""
        try:
            self._settings.check()
        except InvalidSettingError as error:
            self.get_logger().error(f"cannot configure: {error}")
            return TransitionCallbackReturn.FAILURE
        msg_type = TwistStamped if self._settings.stamped else Twist
        self._commands = self.create_lifecycle_publisher(msg_type, "cmd_vel", 1)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._reasons = self.create_lifecycle_publisher(String, "~/reason", latched)
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Listen to the targets and send commands."""
        self._make_servo()
        self._reason, self._followed = "", _NO_TARGET
        answer = super().on_activate(state)
        self._inputs = [self.create_subscription(Target, "target", self._on_target, 10)]
        if self._body is not None and self._settings.wanted_distance > 0:
            self._inputs.append(self.create_subscription(PoseStamped, "target_pose", self._on_place, 10))
        if self._body is not None and self._settings.use_attitude:
            self._inputs.append(self.create_subscription(Imu, "imu", self._on_imu, qos_profile_sensor_data))
        periods = (1 / self._settings.rate, self._on_timer), (_LOG_PERIOD, self._check_listeners)
        self._timers_of_commands = [self.create_timer(*period, clock=self.steady_clock) for period in periods]
        self.get_logger().info(f"waiting for targets on {self._inputs[0].topic_name}")
        return answer

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop the camera, then be silent."""
        self._stop()
        return super().on_deactivate(state)

    def _make_servo(self) -> None:
        self._body = BodyServo(self._settings) if self._settings.drive == "body" else None
        self._servo = self._body or Servo(self._settings)

    def _on_set_parameters(self, parameters: list[Parameter]) -> SetParametersResult:
        changes = {p.name: p.value for p in parameters if p.name in settings_of(FollowParameters)}
        try:
            self._settings = change_parameters(self._settings, changes, self._commands is not None)
        except InvalidSettingError as error:
            return SetParametersResult(successful=False, reason=str(error))
        self._servo.settings = self._settings
        return SetParametersResult(successful=True)

    def _on_target(self, msg: Target) -> None:
        try:
            check_target(msg)
        except InvalidInputError as error:
            self.get_logger().warning(f"target not used: {error}", throttle_duration_sec=_LOG_PERIOD)
            return
        wanted = self._settings.target_id or self._followed
        if wanted and msg.target_id != wanted and msg.state != Target.IDLE:
            return
        self._followed = msg.target_id if msg.state != Target.IDLE else _NO_TARGET
        state, ray = TargetState(msg.state), np.array([msg.ray.x, msg.ray.y, msg.ray.z])
        if state == TargetState.TRACKING and not np.isfinite(ray).all():
            self.get_logger().warning(
                "the target has no direction; the tracker needs the camera_info of its images",
                throttle_duration_sec=_LOG_PERIOD,
            )
        lead_ns = msg.prediction.sec * 10**9 + msg.prediction.nanosec
        time_ns = stamp_to_ns(msg.header.stamp) + lead_ns
        if self._body is not None:
            self._body.see(time_ns, msg.target_id, state, ray, msg.angular_height, lead_ns)
        else:
            self._servo.see(time_ns, msg.target_id, state, ray)

    def _on_place(self, msg: PoseStamped) -> None:
        assert self._body is not None
        position = msg.pose.position
        self._body.see_place(stamp_to_ns(msg.header.stamp), np.array([position.x, position.y, position.z]))

    def _on_imu(self, msg: Imu) -> None:
        assert self._body is not None
        q = msg.orientation
        try:
            if msg.orientation_covariance[0] == -1:
                raise InvalidInputError("its orientation_covariance begins with -1, which says that it has none")
            self._body.tilt(stamp_to_ns(msg.header.stamp), np.array([q.x, q.y, q.z, q.w]))
        except InvalidInputError as error:
            self.get_logger().warning(
                f"imu tells no attitude: {error}; remap imu to a topic with an orientation, as autopilots and filters "
                "publish it",
                throttle_duration_sec=_LOG_PERIOD,
            )

    def _on_timer(self) -> None:
        command = self._servo.command(self.get_clock().now().nanoseconds)
        if command.reason != self._reason:
            self._reason = command.reason
            self._log.info(f"now: {command.reason}")
            assert self._reasons is not None
            self._reasons.publish(String(data=command.reason))
        self._publish(self._twist(command))

    def _check_listeners(self) -> None:
        """Say so if somebody on the topic of the commands expects the other type; ROS says nothing."""
        assert self._commands is not None
        sent = "geometry_msgs/msg/TwistStamped" if self._settings.stamped else "geometry_msgs/msg/Twist"
        topic = self._commands.topic_name
        for listener in self.get_subscriptions_info_by_topic(topic):
            if listener.topic_type != sent:
                self.get_logger().warning(
                    f"{listener.node_name} expects {listener.topic_type} on {topic} and gets no command, since {sent} "
                    "is sent; change the parameter stamped, or remap one of them"
                )

    def _twist(self, command: Command) -> Twist:
        """Return the message of a command."""
        twist = Twist()
        twist.angular.z, twist.angular.y = map(float, command.rates)
        twist.linear.x, twist.linear.z = map(float, command.speeds)
        return twist

    def _publish(self, twist: Twist) -> None:
        assert self._commands is not None
        if not self._settings.stamped:
            self._commands.publish(twist)
            return
        msg = TwistStamped(twist=twist)
        msg.header.stamp = self.get_clock().now().to_msg()
        msg.header.frame_id = self._settings.frame_id
        self._commands.publish(msg)

    def _stop(self) -> None:
        """Send no more commands; the last one is to stand still."""
        if self._timers_of_commands:
            while self._timers_of_commands:
                self.destroy_timer(self._timers_of_commands.pop())
            if self.context.ok() and self._commands is not None:
                self._publish(Twist())
                self._commands.wait_for_all_acked(Duration(seconds=_LAST_COMMAND_S))  # or it goes with the publisher
        while self._inputs:
            self.destroy_subscription(self._inputs.pop())

    def _release(self) -> None:
        """Stop the camera and drop the publishers; in any state."""
        self._stop()
        for publisher in (self._commands, self._reasons):
            if publisher is not None:
                self.destroy_lifecycle_publisher(publisher)
        self._commands = self._reasons = None


def main(args: list[str] | None = None) -> int:
    """Run the node until Ctrl-C or SIGTERM; return the exit status."""
    return spin("follow", FollowNode, args, has_last_words=True)


if __name__ == "__main__":
    print(parameter_table(FollowParameters))
