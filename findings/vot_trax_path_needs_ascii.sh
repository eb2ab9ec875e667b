#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# vot-trax 4.0.2, frames in a folder whose name has letters outside of ASCII
# Expected: the path of a frame reaches the tracker, in UTF-8 as the file system has it; paths with spaces do.
# Seen: client and tracker connect, then the first message with such a path ends the session: in the tracker, wait raises
# "Protocol error, illegal argument number" with a number that changes from run to run; the client says that the tracker
# terminated the session.
# Why it matters: vot-toolkit sends the full paths of its workspace. In the home folder of José, or in a folder with a
# Chinese name, no tracker runs, and the error speaks neither of a path nor of a letter.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check vot-trax==4.0.2 numpy==2.4.6

cat >"$folder/tracker.py" <<'END'
import sys

import trax
from trax import Image, Region
from trax.server import Server

server = Server([Region.RECTANGLE], [Image.PATH])  # a tracker whose box never moves
try:
    objects = []
    while (request := server.wait()).type != "quit":
        objects += [(region, {}) for region, _ in request.objects or []]
        server.status(objects)
except trax.TraxException as error:
    print("tracker:", error, file=sys.stderr)
END

cat >"$folder/client.py" <<'END'
import os
import subprocess
import sys

import trax
from trax.client import Client

command = ["venv/bin/python", "tracker.py"]
tracker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
client = Client((tracker.stdin.fileno(), tracker.stdout.fileno()), log=lambda text: None)
image = {"color": trax.FileImage.create(sys.argv[1])}
try:
    client.initialize(image, [(trax.Rectangle.create(1, 2, 3, 4), {})], {})
    print("answered", flush=True)
except trax.TraxException:
    print(tracker.stderr.read().decode().strip(), flush=True)
tracker.kill()
tracker.wait()
os._exit(0)  # client and Popen would both close the pipes
END

(cd "$folder" && venv/bin/python -) <<'END'
import subprocess
import sys

command = ["venv/bin/python", "client.py"]
paths = "/home/me/my videos/1.jpg", "/home/josé/1.jpg", "/home/me/视频/1.jpg"
runs = [subprocess.run([*command, path], stdout=subprocess.PIPE, text=True, timeout=60) for path in paths]
seen = [run.stdout.strip() for run in runs]
print(*seen, sep="\n")
as_stated = seen[0] == "answered" and all("Protocol error, illegal argument number" in text for text in seen[1:])
sys.exit(None if as_stated else "no longer as stated")
END
