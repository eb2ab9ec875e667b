# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The follow node over DDS, with targets that a test publishes."""

import math
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseStamped, Quaternion, Twist, TwistStamped, Vector3
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.msg import Log
from rclpy.exceptions import InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, qos_profile_sensor_data
from ros_testing import DEADLINE, graph_fixture  # noqa: F401
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Imu
from siam_tracker_ros.msg import Target
from std_msgs.msg import String

from siam_tracker_ros.control.simulation import ray_along
from siam_tracker_ros.node.follow_node import FollowNode, FollowParameters
from siam_tracker_ros.node.messages import ns_to_stamp

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.slow


class Robot(Node):
    """Publishes targets as the tracker does, and collects the commands."""

    def __init__(self, graph, msg_type=TwistStamped):
        super().__init__("robot", context=graph.context)
        self.commands, self.reasons = [], []
        self._changed = threading.Condition()
        self._publisher = self.create_publisher(Target, "target", 10)
        self.create_subscription(msg_type, "cmd_vel", self._on_command, 10)
        latched = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.create_subscription(String, "follow/reason", lambda msg: self.reasons.append(msg.data), latched)
        graph.add(self)

    def show(
        self, yaw=0.2, pitch=0.0, state=Target.TRACKING, target_id="a", height=0.1, ray=None, stamp=None, ahead_s=0
    ):
        """Publish a target of an image that is taken now, or at a stamp, or so much later."""
        msg = Target(header=Target().header, target_id=target_id, state=state, confidence=0.9, is_metric=ray is None)
        msg.header.stamp = stamp or self.get_clock().now().to_msg()
        msg.header.stamp.sec += ahead_s
        x, y, z = map(float, ray_along((yaw, pitch)) if ray is None else ray)
        msg.ray, msg.angular_height = Vector3(x=x, y=y, z=z), float(height)
        self._publisher.publish(msg)

    def show_until(self, condition, what, **target):
        """Publish targets at 50 Hz until a condition of this object holds."""
        end = time.monotonic() + DEADLINE
        while not condition():
            self.show(**target)
            time.sleep(0.02)
            assert time.monotonic() < end, f"waited {DEADLINE:.0f} s for {what}"

    def wait(self, condition, what):
        """Wait until a condition holds; every command asks it again."""
        with self._changed:
            assert self._changed.wait_for(condition, DEADLINE), f"waited {DEADLINE:.0f} s for {what}"

    def last(self):
        """The newest Twist."""
        if not self.commands:
            return Twist()
        command = self.commands[-1]
        return command.twist if isinstance(command, TwistStamped) else command

    def _on_command(self, msg):
        with self._changed:
            self.commands.append(msg)
            self._changed.notify_all()


def start(graph, **parameters):
    overrides = [Parameter(name, value=value) for name, value in parameters.items()]
    node = FollowNode(context=graph.context, use_global_arguments=False, parameter_overrides=overrides)
    robot = Robot(graph, TwistStamped if parameters.get("stamped", True) else Twist)
    return graph.add(node), robot


class World:
    """A simulator: its clock, the attitude of a drone, and a target ahead of it, told as the tracker does."""

    nose_down = Imu(orientation=Quaternion(y=math.sin(0.1), w=math.cos(0.1)))  # by 0.2 rad

    def __init__(self, robot):
        self._robot, self._now_ns = robot, 10**12
        self._clock = robot.create_publisher(Clock, "/clock", 10)
        self._imu = robot.create_publisher(Imu, "imu", qos_profile_sensor_data)
        self._place = robot.create_publisher(PoseStamped, "target_pose", 10)

    def fly_until(self, condition, what, distance, imu=None):
        """Let simulated time pass, 20 ms for each image, until a condition holds."""
        end = time.monotonic() + DEADLINE
        while not condition():
            self._now_ns += 20 * 10**6
            stamp = ns_to_stamp(self._now_ns)
            self._clock.publish(Clock(clock=stamp))
            if imu is not None:
                imu.header.stamp = stamp
                self._imu.publish(imu)
            place = PoseStamped()
            place.header.stamp, place.pose.position.z = stamp, distance
            self._place.publish(place)
            self._robot.show(yaw=0.0, stamp=stamp)
            time.sleep(0.02)
            assert time.monotonic() < end, f"waited {DEADLINE:.0f} s for {what}"


def is_still(twist):
    return not any((twist.linear.x, twist.linear.z, twist.angular.y, twist.angular.z))


def test_a_target_is_followed_and_a_loss_stops_the_camera(graph):
    _, robot = start(graph)
    robot.show_until(lambda: robot.last().angular.z > 0.3, "a turn to the left", yaw=0.3, pitch=-0.2)
    twist = robot.last()
    assert twist.angular.y < 0 and twist.linear.x == twist.linear.z == 0, "it looks up, and drives nowhere"
    assert robot.commands[-1].header.frame_id == "base_link" and robot.commands[-1].header.stamp != Time()
    robot.show_until(lambda: is_still(robot.last()), "the stop", state=Target.LOST)
    robot.wait(lambda: robot.reasons[-1] == "LOST", "the reason")
    assert "follow" in robot.reasons


def test_a_silent_tracker_stops_the_camera(graph):
    _, robot = start(graph, stale_s=0.2)
    robot.show_until(lambda: robot.last().angular.z > 0.1, "a turn")
    robot.wait(lambda: is_still(robot.last()), "the stop")
    robot.wait(lambda: robot.reasons[-1].startswith("no answer for an image"), "the reason")


@pytest.mark.parametrize(
    "fields, words",
    [
        ({"state": 9}, "state is 9, expected one of 0 (IDLE), 1 (TRACKING), 2 (UNCERTAIN), 3 (LOST)"),
        ({"ray": (0, 0, 0)}, "ray is (0, 0, 0), expected a unit vector"),
        ({"ray": (5e-324, 5e-324, 5e-324)}, "expected a unit vector"),
        ({"ray": (1e308, 1e308, 1e308)}, "expected a unit vector"),
        ({"ray": (math.nan, 0, 1)}, "ray is (nan, 0, 1), expected a unit vector, or NaN where no direction is known"),
        ({"height": 5e-324}, "angular_height is 4.94066e-324, expected 0 to pi"),
        ({"height": math.inf}, "angular_height is inf"),
        ({"height": -1.0}, "angular_height is -1"),
    ],
)
def test_a_target_that_no_tracker_sends_is_refused_and_the_next_is_followed(graph, fields, words):
    _, robot = start(graph)
    logs = []
    robot.create_subscription(Log, "/rosout", lambda log: logs.append(log.msg), 100)
    robot.show_until(lambda: any(words in log for log in logs), "the refusal", yaw=-0.3, **fields)
    assert all(is_still(command.twist) for command in robot.commands), "the camera does not move by it"
    robot.show_until(lambda: robot.last().angular.z > 0.1, "a turn to a good one")


def test_one_stamp_of_the_future_does_not_stop_the_camera_for_good(graph):
    _, robot = start(graph)
    robot.show_until(lambda: robot.last().angular.z > 0.1, "a turn")
    robot.show(ahead_s=3600)
    robot.wait(lambda: robot.reasons[-1].startswith("images have stamps of the future"), "the stop")
    robot.show_until(lambda: robot.reasons[-1] == "follow", "a turn again")


def test_a_body_turns_climbs_and_drives_but_never_backwards(graph):
    _, robot = start(
        graph, drive="body", climb_gain=1.0, max_climb=0.15, wanted_height=0.4, stamped=False, max_speed=0.3
    )
    robot.show_until(lambda: robot.last().linear.x == pytest.approx(0.3), "a drive", yaw=-0.3, pitch=-0.2, height=0.1)
    robot.show_until(lambda: robot.last().angular.z < -0.2, "a turn", yaw=-0.3, pitch=-0.2, height=0.1)
    twist = robot.last()
    assert twist.linear.x == pytest.approx(0.3) and twist.linear.z == pytest.approx(0.15)
    assert twist.angular.y == 0
    robot.show_until(lambda: robot.last().linear.x == 0, "the end of the drive", yaw=-0.3, pitch=-0.2, height=1.0)
    robot.show_until(lambda: is_still(robot.last()), "the stop", state=Target.LOST, height=0.1)


def test_a_drone_keeps_the_distance_by_its_attitude_in_simulated_time(graph):
    _, robot = start(
        graph, drive="body", use_sim_time=True, use_attitude=True, wanted_distance=5.0, climb_gain=1.0, max_reverse=1.0
    )
    world = World(robot)
    world.fly_until(lambda: "no attitude of the last 0.5 s" in robot.reasons, "a wait for the attitude", distance=9.0)
    has_none = Imu(orientation_covariance=[-1.0] + [0.0] * 8)
    world.fly_until(lambda: robot.last().linear.x > 0.3, "a drive", distance=9.0, imu=world.nose_down)
    assert robot.last().linear.z < -0.1, "what is ahead of a body with its nose down is below it"
    world.fly_until(lambda: robot.last().linear.x < -0.3, "a retreat", distance=2.0, imu=world.nose_down)
    world.fly_until(lambda: is_still(robot.last()), "a stop", distance=2.0, imu=has_none)
    assert robot.reasons[-1] == "no attitude of the last 0.5 s"


def test_without_a_direction_it_stays_and_says_why(graph):
    _, robot = start(graph)
    nothing = np.full(3, math.nan)
    robot.show_until(lambda: "no direction of the target yet" in robot.reasons, "the reason", ray=nothing)
    assert all(is_still(command.twist) for command in robot.commands)


def test_the_target_that_is_named_is_followed(graph):
    node, robot = start(graph, target_id="b")
    for _ in range(20):
        robot.show(yaw=0.3, target_id="a")
        time.sleep(0.01)
    robot.show_until(lambda: robot.last().angular.z < -0.1, "a turn to the right", yaw=-0.3, target_id="b")
    assert all(command.twist.angular.z <= 0 for command in robot.commands)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_program_that_is_ended_stops_the_camera(graph, number):
    program = subprocess.Popen(
        [sys.executable, ROOT / "scripts" / "follow"],
        env=os.environ | {"ROS_DOMAIN_ID": str(graph.context.get_domain_id())},
    )
    robot = Robot(graph)
    robot.show_until(lambda: robot.last().angular.z > 0.3, "a turn", yaw=0.5)
    program.send_signal(number)
    assert program.wait(DEADLINE) == 0
    robot.wait(lambda: is_still(robot.last()), "the stop")


def test_a_listener_of_the_other_type_is_named(graph):
    program = subprocess.Popen(
        [sys.executable, ROOT / "scripts" / "follow"],
        env=os.environ | {"ROS_DOMAIN_ID": str(graph.context.get_domain_id())},
        stderr=subprocess.PIPE,
        text=True,
    )
    Robot(graph, Twist)
    try:
        line = next(line for line in program.stderr if "expects" in line)
    finally:
        program.terminate()
        program.communicate(timeout=DEADLINE)
    assert "robot expects geometry_msgs/msg/Twist on /cmd_vel and gets no command" in line


def test_the_whole_life_by_a_manager(graph):
    node, robot = start(graph, autostart=False)
    client = robot.create_client(ChangeState, "follow/change_state")
    states = robot.create_client(GetState, "follow/get_state")

    def call(service, request):
        robot.wait(service.service_is_ready, "the service") if not service.wait_for_service(DEADLINE) else None
        future = service.call_async(request)
        end = time.monotonic() + DEADLINE
        while not future.done():
            assert time.monotonic() < end
            time.sleep(0.01)
        return future.result()

    def change(label):
        request = ChangeState.Request()
        request.transition.label = label
        return call(client, request).success

    for label, state in (("configure", "inactive"), ("activate", "active")):
        assert change(label) and call(states, GetState.Request()).current_state.label == state
    robot.show_until(lambda: robot.last().angular.z > 0.1, "a turn")
    assert change("deactivate")
    robot.wait(lambda: is_still(robot.last()), "the stop")
    count = len(robot.commands)
    robot.show(yaw=0.3)
    time.sleep(0.2)
    assert len(robot.commands) == count, "an inactive node sends nothing"
    assert change("activate")
    robot.show_until(lambda: robot.last().angular.z > 0.1, "a turn after it was activated again")
    assert not change("configure"), "which does not fit an active node"
    assert change("deactivate") and change("cleanup") and change("shutdown")


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("gain", math.nan, "out of range"),
        ("gain", 1000.0, ""),
        ("drive", "legs", ""),
        ("drive", "body", "cannot change while the node is configured"),
        ("rate", 20.0, "cannot change while the node is configured"),
        ("wanted_distance", 3.0, "cannot change while the node is configured"),
    ],
)
def test_a_parameter_that_cannot_be_used_is_refused(graph, name, value, reason):
    node, robot = start(graph)
    robot.wait(lambda: robot.commands, "the first command")
    (result,) = node.set_parameters([Parameter(name, value=value)])
    assert not result.successful and reason in result.reason
    (result,) = node.set_parameters([Parameter("gain", value=2.0)])
    assert result.successful


def test_a_start_with_a_bad_parameter_ends_with_a_message(graph):
    with pytest.raises(InvalidParameterValueException):
        FollowNode(
            context=graph.context,
            use_global_arguments=False,
            parameter_overrides=[Parameter("stale_s", value=-1.0)],
        )
    assert FollowParameters().check() is None
