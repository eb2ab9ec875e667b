#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# rclpy 9.1.2 (ROS 2 Kilted), Node
# Expected: as up to Jazzy, destroy_node is called by the program alone. If the constructor of a node raises, here since
# a parameter has the wrong type, the program's own `except` sees that error, and rclpy.shutdown() ends ROS.
# Seen: rclpy.shutdown() calls the overridden destroy_node of the node that was never finished. It raises
# AttributeError for the first field that is not there yet, which replaces the error that was on its way: the `except`
# for it is passed by.
# Why it matters: a tracker's node frees its camera, device or thread in destroy_node. With Kilted, `threads:=many` on
# its command line ends in "no attribute 'worker'" instead of the sentence on the parameter.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  ros-rclpy==9.1.2 ros-rcl-yaml-param-parser==10.1.3 ros-rmw-fastrtps-cpp==9.3.3

export ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST ROS_LOG_DIR=$folder/log
cat >"$folder/probe.py" <<'END'
import sys

import rclpy
from rclpy.exceptions import InvalidParameterTypeException
from rclpy.node import Node


class Probe(Node):
    def __init__(self):
        super().__init__("probe")
        self.declare_parameter("threads", 0)
        self.worker = object()

    def destroy_node(self):
        print("destroy_node is called")
        del self.worker
        super().destroy_node()


def run():
    rclpy.init(args=["--ros-args", "-p", "threads:=many"])
    try:
        Probe()
    finally:
        rclpy.shutdown()


try:
    run()
except InvalidParameterTypeException as error:
    sys.exit(f"no longer as stated: the program sees its own error: {error}")
except AttributeError as error:
    print("the program sees:", error)
END
"$folder/venv/bin/python" "$folder/probe.py"
