#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# ROS 2 Jazzy: rclpy 7.1.6, rmw_fastrtps_cpp 8.4.3, geometry_msgs 5.3.6
# Expected: a publisher of TwistStamped and a subscription of Twist on one topic, as with a controller and a driver of
# different age, are reported: the log has a warning, as for profiles that do not fit, or the event for incompatible
# types is called.
# Seen: with the two in different programs (here: contexts) nothing is connected, nothing arrives, and neither side says
# so, though both know of the other and of its type. The event for incompatible types can be asked for, and is never
# called. Nodes of one program get an error instead, when the second of them is made.
# Why it matters: drivers and Nav2 have moved from Twist to TwistStamped on cmd_vel. A robot that stays where it is, while
# `ros2 topic echo` shows commands, has no message that says why. Compare the types of get_subscriptions_info_by_topic.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  ros-rclpy==7.1.6 ros-rcl-yaml-param-parser==9.2.8 ros-rmw-fastrtps-cpp==8.4.3 ros-std-msgs==5.3.6 \
  ros-geometry-msgs==5.3.6 numpy==2.4.6

export ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST ROS_DOMAIN_ID=96 ROS_LOG_DIR=$folder/log
cat >"$folder/probe.py" <<'END'
import sys
import time

from geometry_msgs.msg import Twist, TwistStamped
from rclpy.context import Context
from rclpy.event_handler import PublisherEventCallbacks
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node


def start(name):
    context = Context()
    context.init()
    node, executor = Node(name, context=context), SingleThreadedExecutor(context=context)
    executor.add_node(node)
    return node, executor


(controller, one), (driver, two) = start("controller"), start("driver")
arrived, events = [], []
driver.create_subscription(Twist, "cmd_vel", arrived.append, 10)
callbacks = PublisherEventCallbacks(incompatible_type=events.append)
commands = controller.create_publisher(TwistStamped, "cmd_vel", 10, event_callbacks=callbacks)

end = time.monotonic() + 5
while time.monotonic() < end:
    commands.publish(TwistStamped())
    one.spin_once(0.02)
    two.spin_once(0.02)
types = [info.topic_type for info in controller.get_subscriptions_info_by_topic("/cmd_vel")]
matched = commands.get_subscription_count()
print(f"matched: {matched}, arrived: {len(arrived)}, types of the subscriptions that are known: {types}")
print("events of incompatible types:", len(events))
try:
    driver.create_publisher(TwistStamped, "cmd_vel", 10)
    in_one = "nothing"
except Exception as error:
    in_one = type(error).__name__
print("the same in one program:", in_one)
as_stated = (matched, len(arrived), types) == (0, 0, ["geometry_msgs/msg/Twist"])
sys.exit(None if as_stated and not events and in_one != "nothing" else "no longer as stated")
END
output=$("$folder/venv/bin/python" "$folder/probe.py" 2>"$folder/log.txt") || { cat "$folder/log.txt"; exit 1; }
echo "$output"
echo "lines in the log: $(wc -l <"$folder/log.txt")"
cat "$folder/log.txt"
[[ ! -s $folder/log.txt ]]
