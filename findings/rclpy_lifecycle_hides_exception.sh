#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# rclpy 7.1.6 (ROS 2 Jazzy), LifecycleNode
# Expected: an exception in on_configure is logged with its text, and, as in rclcpp, a node that does not override
# on_error ends in the state finalized.
# Seen: nothing is logged or printed, not even the type of the exception. on_error is called with the state from
# before the transition and no reason; its default reports success, so that the node is unconfigured again, as if it
# had never been configured.
# Why it matters: "checkpoint not found", "no CUDA device" and a typing error in on_configure or on_activate all look
# the same, a transition that failed. A tracker's node has to catch and log in every transition by itself, on_cleanup
# and on_shutdown included.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  ros-rclpy==7.1.6 ros-rcl-yaml-param-parser==9.2.8 ros-rmw-fastrtps-cpp==8.4.3

export ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST ROS_LOG_DIR=$folder/log
cat >"$folder/probe.py" <<'END'
import sys

import rclpy
from rclpy.lifecycle import LifecycleNode

TEXT = "checkpoint is missing"


class Probe(LifecycleNode):
    def on_configure(self, state):
        raise RuntimeError(TEXT)

    def on_error(self, state):
        print("on_error is called with the state", state.label)
        return super().on_error(state)


rclpy.init()
node = Probe("probe")
print("result of the transition:", node.trigger_configure().name)
state = node._state_machine.current_state[1]  # there is no public way to ask
print("state afterwards:", state)
rclpy.shutdown()
sys.exit(None if state == "unconfigured" else "no longer as stated")
END
"$folder/venv/bin/python" "$folder/probe.py" 2>&1 | tee "$folder/output"
if grep -rq "checkpoint is missing" "$folder/output" "$folder/log"; then
  echo "no longer as stated: the exception is reported" >&2
  exit 1
fi
echo "the exception's text is neither in the output nor in the log files"
