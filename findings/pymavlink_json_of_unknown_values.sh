#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# pymavlink 2.4.50
# Expected: `to_json()` of a message returns JSON.
# Seen: it writes NaN, which is not JSON, for every field whose value is not known. The definitions of MAVLink prescribe
# NaN there, as for the corners in CAMERA_TRACKING_IMAGE_STATUS while a target is lost.
# Why it matters: a web page or a log reader gets a text that `JSON.parse` and strict parsers refuse as a whole, and only
# when a target is lost. Convert `to_dict()` instead, with None for NaN.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pymavlink==2.4.50

cat >"$folder/probe.py" <<'END'
import json
import math
import sys

from pymavlink.dialects.v20 import common

lost = common.MAVLink_camera_tracking_image_status_message(2, 2, 0, *[math.nan] * 7)
text = lost.to_json()
print(text)


def refuse(name):
    raise ValueError(f"{name} is not JSON")


try:
    json.loads(text, parse_constant=refuse)
    refused = ""
except ValueError as error:
    refused = str(error)
print("a strict parser:", refused or "takes it")
sys.exit(None if refused == "NaN is not JSON" else "no longer as stated")
END
"$folder/venv/bin/python" "$folder/probe.py"
