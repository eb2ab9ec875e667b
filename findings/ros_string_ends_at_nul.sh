#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# rclpy 7.1.6, rosidl_generator_py 0.22.2 and std_msgs 5.3.6 (ROS 2 Jazzy)
# Expected: a text with a NUL character in a string field is sent whole, or refused.
# Seen: what follows the NUL is lost without an error, also with ROS_PYTHON_CHECK_FIELDS=1: two texts that differ behind
# it arrive as equal. Bytes that are no UTF-8, as a C++ node may send them, arrive as U+FFFD, without an error too.
# Why it matters: ids of tracked targets that are made of packed numbers, or taken from char arrays, become equal, and a
# client that asks for its id gets another target. Names in Latin-1 do not match the ones that were asked for.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  ros-rclpy==7.1.6 ros-std-msgs==5.3.6 ros-rosidl-generator-py==0.22.2 ros-rmw-fastrtps-cpp==8.4.3

export ROS_PYTHON_CHECK_FIELDS=1
"$folder/venv/bin/python" - <<'END'
import sys

from rclpy.serialization import deserialize_message, serialize_message
from std_msgs.msg import String

first, second = (
    deserialize_message(serialize_message(String(data=text)), String).data for text in ("track\0 7", "track\0 8")
)
print(f"sent 'track\\0 7' and 'track\\0 8', arrived {first!r} and {second!r}")
latin = serialize_message(String(data="cafe")).replace(b"cafe", "café".encode("latin-1"))
received = deserialize_message(latin, String).data
print(f"sent 'café' in Latin-1, arrived {received!r}")
sys.exit(None if first == second == "track" and received == "caf\ufffd" else "no longer as stated")
END
