#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# rosbags 0.11.9, an sqlite3 bag in a folder whose name has # or % in it
# Expected: the name of a folder is a name. An MCAP bag is written and read there.
# Seen: the path is used as a URI without being quoted. Writing to "flight #2" ends without an error and puts all messages
# into a file "flight " beside the folder; the folder has metadata.yaml alone. Reading a bag in "run%20a" fails.
# Why it matters: recordings are named by hand, and downloads keep %20. The messages are not lost, but nobody looks for
# them in a file without a suffix. Rename the folder, or write MCAP.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  rosbags==0.11.9

(cd "$folder" && venv/bin/python -) <<'END'
import pathlib
import sys

from rosbags.rosbag2 import Reader, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

typestore = get_typestore(Stores.ROS2_JAZZY)
message = typestore.serialize_cdr(typestore.types["std_msgs/msg/String"]("frame"), "std_msgs/msg/String")


def write(path, storage):
    with Writer(path, version=8, storage_plugin=storage) as writer:
        connection = writer.add_connection("/camera", "std_msgs/msg/String", typestore=typestore)
        for number in range(5):
            writer.write(connection, number, message)
    return pathlib.Path(path)


def read(path):
    try:
        with Reader(path) as reader:
            return sum(1 for _ in reader.messages())
    except Exception as error:
        return f"{type(error).__name__}: {error}"


results = {}
for name in ("flight #2", "run%20a", "plain"):
    results[name, "mcap"] = read(write(f"mcap/{name}", StoragePlugin.MCAP))
    bag = write("sqlite3/bag", StoragePlugin.SQLITE3)
    bag.rename(f"sqlite3/{name}")
    results[name, "sqlite3"] = read(f"sqlite3/{name}")
written = sorted(path.name for path in write("written/flight #2", StoragePlugin.SQLITE3).parent.rglob("*"))
for (name, storage), found in results.items():
    print(f"{storage} in {name!r}: {found}")
print("written to 'flight #2':", written)
counts = {key: found for key, found in results.items() if found == 5}
as_stated = len(counts) == 4 and written == ["flight ", "flight #2", "metadata.yaml"]
sys.exit(None if as_stated else "no longer as stated")
END
