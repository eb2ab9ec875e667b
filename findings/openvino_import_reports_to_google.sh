#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# OpenVINO 2026.4.1 with openvino-telemetry 2025.2.0, which comes with it; Python 3.11
# Expected: `import openvino` in a program that runs a model sends nothing, starts no process and writes no file.
# Seen: it asks for a connection to www.google-analytics.com, from a fork of the whole process, and makes a folder
# `intel` in the home folder with an identifier of this machine. If nothing answers, as behind a firewall that drops
# packets, the program ends 3 seconds later than it would. With CI=true in the environment none of this happens. A local
# proxy takes the place of the network here; nothing leaves this machine.
# Why it matters: a robot reports each start of its tracker without a question, and forks a process whose other threads
# hold locks. Set CI=true, or import openvino while `openvino.tools.ovc`, which it can do without, cannot be imported.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  openvino==2026.4.1 openvino-telemetry==2025.2.0 numpy==2.4.6

(cd "$folder" && venv/bin/python -) <<'END_OF_PYTHON'
import os
import socket
import subprocess
import sys
import time

proxy = socket.create_server(("127.0.0.1", 0))
SKIP = "import sys; sys.modules['openvino.tools.ovc'] = None; "
CASES = {
    "import openvino": ("", {}),
    "the same with CI=true": ("", {"CI": "true"}),
    "without openvino.tools.ovc": (SKIP, {}),
}
seen = {}
for number, (name, (before, settings)) in enumerate(CASES.items()):
    home = os.path.abspath(f"home{number}")
    os.mkdir(home)
    address = "http://127.0.0.1:{}".format(proxy.getsockname()[1])
    unwanted = ("CI", "TF_BUILD", "JENKINS_URL", "no_proxy", "NO_PROXY")
    kept = {key: value for key, value in os.environ.items() if key not in unwanted}
    environment = {**kept, "HOME": home, "https_proxy": address, **settings}
    code = before + "import openvino, time; print(time.time(), flush=True)"
    process = subprocess.run([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True, check=True)
    waited_s = time.time() - float(process.stdout)
    proxy.settimeout(0.1)
    try:
        connection, _ = proxy.accept()
        connection.settimeout(1)
        asked = connection.recv(100).decode().split()[1]
    except TimeoutError:
        asked = "nothing"
    seen[name] = asked, os.listdir(home), waited_s > 2.5
    print(f"{name:27} asked for: {asked:29} home: {os.listdir(home)}  ended after {waited_s:.1f} s")
as_stated = list(seen.values()) == [
    ("www.google-analytics.com:443", ["intel"], True),
    ("nothing", [], False),
    ("nothing", [], False),
]
sys.exit(None if as_stated else "no longer as stated")
END_OF_PYTHON
