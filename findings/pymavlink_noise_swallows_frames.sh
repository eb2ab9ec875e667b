#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# pymavlink 2.4.50
# Expected: the parser of a byte stream looks for the next frame behind a byte of noise, so that the good frames that
# follow are all received.
# Seen: one byte 0xFD or 0xFE in front of 20 heartbeats costs 14 or 13 of them. The parser takes the byte for a start and
# the next ones for a length, waits for so many bytes, finds that the checksum is wrong, and drops all of them, with the
# whole frames that lie in them. Any other byte costs none.
# Why it matters: on a serial link, 2 of 256 bytes of noise cost up to 280 bytes of good frames: at 57600 baud that is
# 50 ms, and with them a command to start on a target. Repeat commands until they are acknowledged, and read each
# datagram of UDP with a parser of its own.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pymavlink==2.4.50

"$folder/venv/bin/python" - <<'END'
import sys

from pymavlink.dialects.v20 import common

SENT = 20
encoder = common.MAVLink(None, 255, 190)
frames = b"".join(common.MAVLink_heartbeat_message(6, 8, 0, 0, 4, 3).pack(encoder) for _ in range(SENT))
received = {}
for noise in (b"", b"\x00", b"\x55", b"\xfd", b"\xfe"):
    parser = common.MAVLink(None)
    parser.robust_parsing = True
    messages = parser.parse_buffer(noise + frames)
    received[noise] = sum(message.get_type() == "HEARTBEAT" for message in messages)
    print(f"{noise.hex() or 'no noise'}: {received[noise]} of {SENT} heartbeats")
as_stated = received == {b"": 20, b"\x00": 20, b"\x55": 20, b"\xfd": 6, b"\xfe": 7}
sys.exit(None if as_stated else "no longer as stated")
END
