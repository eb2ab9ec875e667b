#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# rosbags 0.11.9, reading a bag whose metadata.yaml was edited
# Expected: the offered_qos_profiles in metadata.yaml say how a topic is played, not whether it is read. Editing them, for
# example from best effort to reliable so that `ros2 bag play` reaches a subscriber, changes nothing for a reader.
# Seen: no message of that topic is read any more. There is no error, and message_count and the topic's msgcount still
# say 5. The file beside metadata.yaml, opened alone, gives all 5.
# Why it matters: the edit is common advice for camera topics, which are recorded best effort, and some older bags come
# with two ways of writing an infinite deadline. A tracker or evaluation then runs over an empty stream and finds nothing
# wrong. Compare the number of messages read with msgcount, or read with the connections of the files.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  rosbags==0.11.9

(cd "$folder" && venv/bin/python -) <<'END'
import sys
from pathlib import Path

from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
from rosbags.rosbag2 import Reader, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

typestore = get_typestore(Stores.ROS2_JAZZY)
String = typestore.types["std_msgs/msg/String"]
best_effort = Qos(
    QosHistory.KEEP_LAST, 5, QosReliability.BEST_EFFORT, QosDurability.VOLATILE, QosTime(0, 0), QosTime(0, 0),
    QosLiveliness.AUTOMATIC, QosTime(0, 0), False,
)
with Writer("bag", version=8, storage_plugin=StoragePlugin.MCAP) as writer:
    connection = writer.add_connection(
        "/camera", "std_msgs/msg/String", typestore=typestore, offered_qos_profiles=[best_effort]
    )
    for number in range(5):
        writer.write(connection, number, typestore.serialize_cdr(String(str(number)), "std_msgs/msg/String"))


def read(path):
    with Reader(path) as reader:
        stated, found = reader.topics["/camera"].msgcount, sum(1 for _ in reader.messages())
    print(f"{path}: msgcount {stated}, read {found}")
    return stated, found


before = read("bag")
metadata = Path("bag/metadata.yaml")
metadata.write_text(metadata.read_text().replace("reliability: 2", "reliability: 1"))
after, alone = read("bag"), read("bag/bag.mcap")
as_stated = (before, after, alone) == ((5, 5), (5, 0), (5, 5))
sys.exit(None if as_stated else "no longer as stated")
END
