#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# rclpy 7.1.6 (ROS 2 Jazzy) with Fast CDR 2.2.5, serialize_message
# Expected: equal messages give equal bytes.
# Seen: the bytes between a string and the number behind it, which align that number, are whatever was in memory before.
# Two calls with the same message differ; here they hold letters of another message.
# Why it matters: bags and logs of detections are compared, deduplicated and hashed by their bytes, and repeated runs of a
# tracker "differ" although every box is the same. Compare messages after deserialize_message, not their bytes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  ros-rclpy==7.1.6 ros-rcl-yaml-param-parser==9.2.8 ros-rmw-fastrtps-cpp==8.4.3 ros-std-msgs==5.3.6 \
  ros-geometry-msgs==5.3.6 numpy==2.4.6

export ROS_LOG_DIR=$folder/log
cat >"$folder/probe.py" <<'END'
import sys

from geometry_msgs.msg import PoseStamped
from rclpy.serialization import deserialize_message, serialize_message
from std_msgs.msg import String

pose = PoseStamped()
pose.header.frame_id = "camera"
seen = {}
for length in range(10, 2000):
    serialize_message(String(data="x" * length))
    seen.setdefault(serialize_message(pose), length)
for data, length in seen.items():
    print(f"after a string of {length} letters: {data[:24]}")
equal = {repr(deserialize_message(data, PoseStamped)) for data in seen}
print(len(seen), "different results for the same message, which say", len(equal), "message")
stray = any(b"x" in data for data in seen)
sys.exit(None if len(seen) > 1 and len(equal) == 1 and stray else "no longer as stated")
END
"$folder/venv/bin/python" "$folder/probe.py"
