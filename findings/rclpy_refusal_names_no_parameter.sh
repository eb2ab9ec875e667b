#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# rclpy 7.1.6 (ROS 2 Jazzy)
# Expected: a request to set a parameter that is misspelt, or of another type, is refused with a reason that names it.
# Seen: "Invalid access to undeclared parameter(s): []", with an empty list, and "Wrong parameter type, expected
# 'Type.DOUBLE' got 'Type.INTEGER'" without a name. A parameter without a name, which nobody has
# declared, is set.
# Why it matters: `ros2 param set` and `ros2 param load` of thresholds for a tracker print these reasons. Of a file with
# twenty values, nothing says which one was misspelt. Check names and types before rclpy does, where the node can wrap
# the callbacks of these services; a client should set one parameter at a time.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ros-rclpy==7.1.6 ros-rmw-fastrtps-cpp==8.4.3

export ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST ROS_LOG_DIR=$folder/log
"$folder/venv/bin/python" - <<'END'
import sys

import rclpy
from rcl_interfaces.srv import SetParameters
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter

rclpy.init()
node, client_node = rclpy.create_node("probe"), rclpy.create_node("client")
node.declare_parameter("lost_confidence", 0.3)
client = client_node.create_client(SetParameters, "probe/set_parameters")
executor = SingleThreadedExecutor()
executor.add_node(node)
executor.add_node(client_node)
if not client.wait_for_service(20):
    sys.exit("the node was not discovered")


def ask(name, value):
    parameter = Parameter(name, value=value).to_parameter_msg()
    future = client.call_async(SetParameters.Request(parameters=[parameter]))
    executor.spin_until_future_complete(future, 20)
    (result,) = future.result().results
    print(f"{name!r} = {value!r}: successful {result.successful}, reason {result.reason!r}")
    return result


misspelt, other_type, unnamed = ask("lost_confidense", 0.2), ask("lost_confidence", 1), ask("", 0.2)
as_stated = (
    not misspelt.successful
    and not other_type.successful
    and "lost" not in misspelt.reason + other_type.reason
    and unnamed.successful
    and node.has_parameter("")
)
rclpy.shutdown()
sys.exit(None if as_stated else "no longer as stated")
END
