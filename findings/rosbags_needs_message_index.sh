#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# rosbags 0.11.9, reading an MCAP file without an index of messages (written with mcap 1.6.0)
# Expected: the message index of a chunk is optional in MCAP, and rosbag2 has a storage option that leaves it out
# (noMessageIndex). The chunks have all messages; a reader finds them, as that of the mcap package does.
# Seen: no message is read. There is no error, and message_count and the topic's msgcount say 30. Without the chunk
# index as well, all 30 are read.
# Why it matters: recorders on small computers leave indexes out to save time. The recording looks empty, or worse, a
# program that reads it reports success on nothing. Compare the number of messages read with msgcount.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  rosbags==0.11.9 mcap==1.6.0

(cd "$folder" && venv/bin/python -) <<'END'
import sys

from mcap.reader import make_reader
from mcap.writer import IndexType, Writer
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_typestore

typestore = get_typestore(Stores.ROS2_JAZZY)
definition, _ = typestore.generate_msgdef("std_msgs/msg/String", ros_version=2)
message = bytes(typestore.serialize_cdr(typestore.types["std_msgs/msg/String"]("frame"), "std_msgs/msg/String"))


def read(index_types):
    with open("probe.mcap", "wb") as file:
        writer = Writer(file, index_types=index_types)
        writer.start(profile="ros2", library="probe")
        schema = writer.register_schema("std_msgs/msg/String", "ros2msg", definition.encode())
        channel = writer.register_channel("/camera", "cdr", schema)
        for number in range(30):
            writer.add_message(channel, log_time=number, publish_time=number, data=message)
        writer.finish()
    with open("probe.mcap", "rb") as file:
        with_mcap = sum(1 for _ in make_reader(file).iter_messages())
    with Reader("probe.mcap") as reader:
        result = reader.topics["/camera"].msgcount, sum(1 for _ in reader.messages()), with_mcap
    print("{}: msgcount {}, read {}, with mcap {}".format(index_types, *result))
    return result


results = [read(kind) for kind in (IndexType.ALL, IndexType.CHUNK, IndexType.NONE)]
as_stated = results == [(30, 30, 30), (30, 0, 30), (30, 30, 30)]
sys.exit(None if as_stated else "no longer as stated")
END
