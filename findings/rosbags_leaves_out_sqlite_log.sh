#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# rosbags 0.11.9, reading an sqlite3 bag that has a write-ahead log beside it
# Expected: SQLite's messages are those of the file and its -wal file together. sqlite3, rosbag2 and every other program
# read both.
# Seen: messages that are in the log alone are left out, without an error: the file is opened as immutable. Here half of
# the messages are missing; msgcount leaves them out as well.
# Why it matters: with its storage preset "resilient", rosbag2 writes such a log while it records, so that a recorder that
# is killed, or a drone that loses its power, loses nothing. A reader that leaves it out loses the end of the flight. Look
# for a -wal file before reading; opening the file once with sqlite3 (PRAGMA wal_checkpoint(TRUNCATE)) moves its content.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  rosbags==0.11.9

(cd "$folder" && venv/bin/python -) <<'END'
import sqlite3
import sys

from rosbags.rosbag2 import Reader, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

typestore = get_typestore(Stores.ROS2_JAZZY)
message = typestore.serialize_cdr(typestore.types["std_msgs/msg/String"]("frame"), "std_msgs/msg/String")
with Writer("bag", version=8, storage_plugin=StoragePlugin.SQLITE3) as writer:
    connection = writer.add_connection("/camera", "std_msgs/msg/String", typestore=typestore)
    for number in range(20):
        writer.write(connection, number, message)

recorder = sqlite3.connect("bag/bag.db3")  # stands for a recorder that goes on, and then is killed
recorder.execute("PRAGMA journal_mode=wal")
recorder.execute("INSERT INTO messages(topic_id, timestamp, data) SELECT topic_id, timestamp + 20, data FROM messages")
recorder.commit()


def read():
    with Reader("bag/bag.db3") as reader:
        return reader.topics["/camera"].msgcount, sum(1 for _ in reader.messages())


with_sqlite = sqlite3.connect("bag/bag.db3").execute("SELECT count(*) FROM messages").fetchone()[0]
with_log = read()
recorder.execute("PRAGMA wal_checkpoint(TRUNCATE)")
moved = read()
print(f"sqlite3 finds {with_sqlite} messages, rosbags (msgcount, read) {with_log}, after a checkpoint {moved}")
sys.exit(None if (with_sqlite, with_log, moved) == (40, (20, 20), (40, 40)) else "no longer as stated")
END
