#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# vot-trax 4.0.2, the client of TraX with its default arguments
# Expected: Client(stream) connects, since its log is optional; frame(image, properties) sends a frame, since its new
# objects are optional.
# Seen: without a log Client raises ctypes.ArgumentError, without new objects frame raises TypeError. With a function
# that does nothing as the log, and with an empty list of objects, both work.
# Why it matters: the client is what one tests a tracker with before one starts a whole evaluation. The errors look
# like those of a broken tracker or of a broken installation.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check vot-trax==4.0.2 numpy==2.4.6

cat >"$folder/tracker.py" <<'END'
from trax import Image, Region
from trax.server import Server

with Server([Region.RECTANGLE], [Image.PATH]) as server:  # a tracker whose box never moves
    objects = []
    while (request := server.wait()).type != "quit":
        objects += [(region, {}) for region, _ in request.objects or []]
        server.status(objects)
END

(cd "$folder" && venv/bin/python -) <<'END'
import subprocess
import sys

import trax
from trax.client import Client


def start():
    return subprocess.Popen(["venv/bin/python", "tracker.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def outcome(call):
    try:
        return call()
    except Exception as error:
        return type(error).__name__


def stream(process):
    return process.stdin.fileno(), process.stdout.fileno()


image, box = {"color": trax.FileImage.create("frame.png")}, trax.Rectangle.create(10, 20, 30, 40)
first, second = start(), start()
seen = [outcome(lambda: Client(stream(first)))]
print("Client(stream):", seen[-1])
client = Client(stream(second), log=lambda text: None)
client.initialize(image, [(box, {})], {})
seen.append(outcome(lambda: client.frame(image, {})))
print("frame(image, properties):", seen[-1])
seen.append(outcome(lambda: client.frame(image, {}, [])[0][0][0].bounds()))
print("frame(image, properties, []):", seen[-1])
for process in (first, second):
    process.kill()
    process.wait()
as_stated = seen == ["ArgumentError", "TypeError", (10, 20, 30, 40)]
sys.exit(None if as_stated else "no longer as stated")
END
