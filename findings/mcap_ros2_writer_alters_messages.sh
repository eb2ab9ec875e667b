#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# mcap-ros2-support 0.6.0 with mcap 1.6.0, writing messages given as mappings
# Expected: a field that the message definition does not have, or a fixed-size array of another length, is refused;
# rosbags and rclpy's messages know their fields.
# Seen: an unknown field is dropped and its place filled with the default; of an array that is too long for its field
# the rest is cut off, and one that is too short is filled with zeros, the caller's own list with None. There is no
# error or warning. (A NumPy array for image data, on the other hand, is refused.)
# Why it matters: results and labels are often written to MCAP without ROS. One letter wrong in "confidence", or a
# covariance of 3 x 3 values for a field of 36, gives a file that every viewer opens and that says the tracker was
# never sure. Read one message back and compare after writing.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  mcap-ros2-support==0.6.0 mcap==1.6.0

(cd "$folder" && venv/bin/python -) <<'END'
import sys

from mcap_ros2.reader import read_ros2_messages
from mcap_ros2.writer import Writer

DEFINITION = "string target_id\nfloat32 confidence\nfloat64[4] box\n"


def written(message):
    with open("probe.mcap", "wb") as file:
        writer = Writer(file)
        schema = writer.register_msgdef("probe_msgs/msg/Target", DEFINITION)
        writer.write_message("/target", schema, message)
        writer.finish()
    read = next(iter(read_ros2_messages("probe.mcap"))).ros_msg
    return {"target_id": read.target_id, "confidence": read.confidence, "box": list(read.box)}


results = {}
for case, message in {
    "as defined": {"target_id": "a", "confidence": 0.5, "box": [1.0, 2.0, 3.0, 4.0]},
    "misspelt": {"target_id": "a", "confidense": 0.5, "box": [1.0, 2.0, 3.0, 4.0]},
    "box of six": {"target_id": "a", "confidence": 0.5, "box": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]},
    "box of two": {"target_id": "a", "confidence": 0.5, "box": [1.0, 2.0]},
}.items():
    given = str(message)
    results[case] = written(message)
    print(f"{case}: {given} -> {results[case]}")
print("the caller's box of two afterwards:", message["box"])
as_stated = (
    results["as defined"]["confidence"] == 0.5
    and results["misspelt"]["confidence"] == 0.0
    and results["box of six"]["box"] == [1.0, 2.0, 3.0, 4.0]
    and results["box of two"]["box"] == [1.0, 2.0, 0.0, 0.0]
)
sys.exit(None if as_stated else "no longer as stated")
END
