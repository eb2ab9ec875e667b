#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# Messages of ROS 2 Jazzy in Python: rosidl_generator_py 0.22.2, std_msgs and sensor_msgs 5.3.6, rclpy 7.1.6
# Expected: numpy.True_ and 1 are sent as true; a NumPy integer is sent as that integer; an integer that a field cannot
# hold is refused.
# Seen: numpy.True_ and 1 in a field of bool are sent as false, without an error. A NumPy integer is taken by signed
# fields and refused by unsigned ones, with a SystemError that blames the field behind it: `width` of an Image is
# answered by "<function Image.encoding ...> returned a result with an exception set". A Python integer that is too
# large is cut to the lowest 32 bits: a Duration of 5,000,000,000 nanoseconds is sent as 705,032,704. With
# ROS_PYTHON_CHECK_FIELDS=1 in the environment all of these raise an AssertionError; it is off by default.
# Why it matters: conditions, image sizes and stamps that NumPy has computed. `SetBool(data=score > 0.5)` switches off
# whatever the score, and `nanosec=int(seconds * 1e9)` is right below 4.29 s only.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  ros-rclpy==7.1.6 ros-rcl-yaml-param-parser==9.2.8 ros-rmw-fastrtps-cpp==8.4.3 ros-std-msgs==5.3.6 \
  ros-sensor-msgs==5.3.6 numpy==2.4.6

export ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST ROS_LOG_DIR=$folder/log
cat >"$folder/probe.py" <<'END'
import sys

import numpy as np
from builtin_interfaces.msg import Duration, Time
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import Image
from std_msgs.msg import Bool


def sent(message_type, **fields):
    ((name, value),) = fields.items()
    shown = f"{message_type.__name__}.{name}: {type(value).__name__} {value}"
    try:
        arrived = getattr(deserialize_message(serialize_message(message_type(**fields)), message_type), name)
    except (AssertionError, SystemError) as error:
        arrived = type(error).__name__
        print(f"{shown} raises {arrived}: {str(error).splitlines()[0][:100]}")
    else:
        print(f"{shown} arrives as {arrived}")
    return arrived


arrived = [
    sent(Bool, data=np.float32(0.9) > 0.5),
    sent(Bool, data=1),
    sent(Time, sec=np.int64(7)),
    sent(Time, nanosec=np.int64(7)),
    sent(Image, width=np.int64(640)),
    sent(Duration, nanosec=5_000_000_000),
]
seen = [False, False, 7, "SystemError", "SystemError", 705_032_704]
checked = ["AssertionError"] * 6
sys.exit(None if arrived == (checked if len(sys.argv) > 1 else seen) else "no longer as stated")
END
"$folder/venv/bin/python" "$folder/probe.py"
ROS_PYTHON_CHECK_FIELDS=1 "$folder/venv/bin/python" "$folder/probe.py" checked
