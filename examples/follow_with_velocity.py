# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Drive a robot after the target: turn until it is in the middle, approach until it has the wanted size.

python3 examples/follow_with_velocity.py --ros-args -r cmd_vel:=/robot/cmd_vel -p image_width:=1280 -p image_height:=720

The robot moves only while the tracker is sure of the target. It stops when

- the state is UNCERTAIN, LOST or IDLE. Boxes that are published while it is UNCERTAIN are tentative: the tracker may be
  looking at something else. So a box counts only if the status of its own image says TRACKING;
- the newest image that the tracker answered for, or the one that the newest box is of, is older than `stale_s`: the
  camera, the network link or the tracker failed, or tracking is paused;
- the target was LOST for `lost_s`. It then stays stopped, even if the target comes back, until a new target is named.

It never drives backwards. `max_turn` and `max_speed` bound every command. Nothing here avoids obstacles.
"""

import signal
import time
from typing import Any

import rclpy
from builtin_interfaces.msg import Duration, Time
from geometry_msgs.msg import Twist
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from siam_tracker_ros.msg import TrackerStatus
from vision_msgs.msg import Detection2D


class Follower(Node):
    """Subscribes to `tracker/detection` and `tracker/status`, publishes `cmd_vel` (geometry_msgs/Twist)."""

    def __init__(self, **node_arguments: Any) -> None:
        """Create the node; `node_arguments` are further arguments of rclpy.node.Node."""
        super().__init__("follower", **node_arguments)
        parameter = {
            name: self.declare_parameter(name, default).value
            for name, default in (
                ("image_width", 640),  # pixels
                ("image_height", 480),
                ("wanted_height", 0.4),  # height of the box divided by that of the image
                ("turn_gain", 1.0),  # rad/s for a target at the image's edge
                ("approach_gain", 1.0),  # m/s per missing fraction of the image's height
                ("max_turn", 0.8),  # rad/s
                ("max_speed", 0.5),  # m/s
                ("stale_s", 0.5),
                ("lost_s", 5.0),
                ("rate", 20.0),  # commands per second
            )
        }
        self._parameter = parameter
        self._detection: Detection2D | None = None  # the newest
        self._box: Detection2D | None = None  # the newest that the tracker is sure of
        self._status: TrackerStatus | None = None
        self._status_time = 0.0  # when the newest status arrived, monotonic seconds
        self._lost_since: float | None = None
        self._given_up = False
        self._publisher = self.create_publisher(Twist, "cmd_vel", 1)
        self.create_subscription(Detection2D, "tracker/detection", self._on_detection, 1)
        self.create_subscription(TrackerStatus, "tracker/status", self._on_status, 1)
        self.create_timer(1 / parameter["rate"], self._on_timer)

    def stop(self) -> None:
        """Publish a command that stops the robot."""
        self._publisher.publish(Twist())

    def _on_detection(self, msg: Detection2D) -> None:
        self._detection = msg
        self._match()

    def _on_status(self, msg: TrackerStatus) -> None:
        now = time.monotonic()
        before, self._status, self._status_time = self._status, msg, now
        if before is None or msg.target_id != before.target_id or msg.age < before.age:  # another target
            self._lost_since = None
            self._given_up = False
        if msg.state != TrackerStatus.LOST:
            self._lost_since = None
        elif self._lost_since is None:
            self._lost_since = now
        self._match()

    def _match(self) -> None:
        """Take over the newest box if the status of its image, which arrives before or after it, says TRACKING."""
        detection, status = self._detection, self._status
        if detection is None or status is None or status.state != TrackerStatus.TRACKING:
            return
        if detection.header.stamp == status.header.stamp and detection.id == status.target_id:
            self._box = detection

    def _on_timer(self) -> None:
        self._publisher.publish(self._command())

    def _command(self) -> Twist:
        """Return the Twist for this moment; a Twist of zeros stops the robot."""
        twist = Twist()
        box, status = self._box, self._status
        if status is None or box is None or box.id != status.target_id:  # a box of the target before
            return twist
        if not self._may_move(status, box_age=_seconds(status.header.stamp) - _seconds(box.header.stamp)):
            return twist
        parameter, bbox = self._parameter, box.bbox
        right = bbox.center.position.x / parameter["image_width"] * 2 - 1  # -1 at the left edge, 1 at the right one
        twist.angular.z = _bounded(-parameter["turn_gain"] * right, parameter["max_turn"])  # positive turns left
        missing = parameter["wanted_height"] - bbox.size_y / parameter["image_height"]
        twist.linear.x = max(0.0, _bounded(parameter["approach_gain"] * missing, parameter["max_speed"]))
        return twist

    def _may_move(self, status: TrackerStatus, box_age: float) -> bool:
        """Return whether a command may move the robot; `box_age`: seconds from the box's image to the status's."""
        now = time.monotonic()
        if self._lost_since is not None and now - self._lost_since > self._parameter["lost_s"] and not self._given_up:
            self._given_up = True
            self.get_logger().warning("target lost for too long; waiting for a new target")
        if self._given_up or status.state != TrackerStatus.TRACKING:
            return False
        image_age = now - self._status_time + _seconds(status.latency)
        if image_age + max(0.0, box_age) > self._parameter["stale_s"]:
            self.get_logger().warning("no recent image or box; stopped", throttle_duration_sec=5.0)
            return False
        return True


def _seconds(time_or_duration: Time | Duration) -> float:
    return time_or_duration.sec + time_or_duration.nanosec * 1e-9


def _bounded(value: float, limit: float) -> float:
    return max(-limit, min(limit, value))


def main(args: list[str] | None = None) -> None:
    """Run the node until Ctrl-C or SIGTERM, then stop the robot."""
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)  # the context outlives the signal
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    node = Follower()
    try:
        rclpy.spin(node)
    except KeyboardInterrupt:
        pass
    finally:
        node.stop()
        node.destroy_node()
        rclpy.shutdown()


if __name__ == "__main__":
    main()
