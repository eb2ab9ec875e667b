#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# pymavlink 2.4.50
# Expected: a connection that receives a frame of MAVLink 2 speaks MAVLink 2 from then on; other connections of the
# process, its environment and the module `mavutil.mavlink` stay as they are.
# Seen: the first such frame sets MAVLINK20 in the environment of the process, which child processes inherit, and puts
# another module in the place of `mavutil.mavlink`. Connections that are opened later are of MAVLink 2. One that was
# open before keeps its parser of MAVLink 1, while messages made with `mavutil.mavlink` now leave on it as MAVLink 2.
# Setting MAVLINK20 after the first import of mavutil, on the other hand, changes nothing until such a frame comes.
# Why it matters: messages above 255, such as CAMERA_TRACKING_IMAGE_STATUS (275), are there or not depending on who
# imported mavutil first and on what has come over the network. A program that embeds a second user of pymavlink, or a
# test suite, behaves differently with the order of imports. Importing pymavlink.dialects.v20.common by its own name
# depends on none of this.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pymavlink==2.4.50

unset MAVLINK20 MAVLINK_DIALECT
cat >"$folder/probe.py" <<'END'
import os
import socket
import sys

from pymavlink import mavutil
from pymavlink.dialects.v20 import common


def kind(connection):
    return type(connection.mav).__module__.removeprefix("pymavlink.dialects.")


imported = mavutil.mavlink.__name__
os.environ["MAVLINK20"] = "1"
asked = kind(mavutil.mavlink_connection("udpout:127.0.0.1:9"))
del os.environ["MAVLINK20"]
print(f"imported: {imported}; a connection with MAVLINK20 set since then: {asked}")

listening = mavutil.mavlink_connection("udpin:127.0.0.1:0")
before = mavutil.mavlink_connection("udpout:127.0.0.1:9")
heartbeat = common.MAVLink_heartbeat_message(6, 8, 0, 0, 4, 3)
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sender.sendto(heartbeat.pack(common.MAVLink(None, 255, 190)), listening.port.getsockname())
assert listening.recv_match(type="HEARTBEAT", blocking=True, timeout=10) is not None
after = mavutil.mavlink_connection("udpout:127.0.0.1:9")
first_byte = mavutil.mavlink.MAVLink_heartbeat_message(6, 8, 0, 0, 4, 3).pack(before.mav)[0]
print(f"after one frame: MAVLINK20 is {os.environ.get('MAVLINK20')}, mavutil.mavlink is {mavutil.mavlink.__name__}")
print(f"a new connection: {kind(after)}; an older one: {kind(before)}, and what it sends begins with {first_byte:#x}")

as_stated = (
    imported == "pymavlink.dialects.v10.all"
    and asked == "v10.all"
    and os.environ.get("MAVLINK20") == "1"
    and mavutil.mavlink.__name__ == "pymavlink.dialects.v20.all"
    and (kind(after), kind(before), first_byte) == ("v20.all", "v10.all", 0xFD)
)
sys.exit(None if as_stated else "no longer as stated")
END
"$folder/venv/bin/python" "$folder/probe.py"
