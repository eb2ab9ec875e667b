#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# Messages of ROS 2 Jazzy in Python: rosidl_generator_py 0.22.2, std_msgs and geometry_msgs 5.3.6, rclpy 7.1.6
# Expected: 20, or a numpy.float32 as every network returns it, in a field of float64 is either converted, or refused
# with an error.
# Seen: the assignment is accepted, the message prints the value that was given, and what is sent is another number: 1
# arrives as 5e-324, numpy.float32(1.5) as 5.28e-315; in a float32 field both arrive as 0. numpy.float64 and Python's
# float are sent right. A constructor drops a field's name that it does not know. With ROS_PYTHON_CHECK_FIELDS=1 in
# the environment all of these raise an AssertionError; it is off by default.
# Why it matters: a box with size_x = 64, or with the float32 values of a network's output, reaches the subscriber as
# a box of no size, and looks right in the publisher's own log. Convert with float(), and run tests with the check on.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  ros-rclpy==7.1.6 ros-rcl-yaml-param-parser==9.2.8 ros-rmw-fastrtps-cpp==8.4.3 ros-std-msgs==5.3.6 \
  ros-geometry-msgs==5.3.6 numpy==2.4.6

export ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST ROS_LOG_DIR=$folder/log
cat >"$folder/probe.py" <<'END'
import os
import subprocess
import sys

import numpy as np
from geometry_msgs.msg import Vector3
from rclpy.serialization import deserialize_message, serialize_message
from std_msgs.msg import Float32, Float64


def sent(value, message_type):
    message = message_type(data=value)
    return deserialize_message(serialize_message(message), message_type).data


if len(sys.argv) > 1:
    Float64(data=1)
    sys.exit()

wrong = []
for message_type in (Float64, Float32):
    for value in (1.5, np.float64(1.5), 1, np.float32(1.5), np.int64(20)):
        arrived = sent(value, message_type)
        print(f"{message_type.__name__}: {type(value).__name__} {value} arrives as {arrived}")
        wrong.append(arrived != value)

misspelt = Vector3(lenght=3.0)
print("Vector3(lenght=3.0) ->", misspelt)
environment = {**os.environ, "ROS_PYTHON_CHECK_FIELDS": "1"}
checked = subprocess.run([sys.executable, __file__, "checked"], env=environment, capture_output=True, text=True)
print("with ROS_PYTHON_CHECK_FIELDS=1:", checked.stderr.strip().splitlines()[-1])
wrong_when_stated = 2 * [False, False, True, True, True]
as_stated = wrong == wrong_when_stated and misspelt == Vector3() and "AssertionError" in checked.stderr
sys.exit(None if as_stated else "no longer as stated")
END
"$folder/venv/bin/python" "$folder/probe.py"
