#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# SVT-AV1 in the wheel of PyAV 17.1.0 (encoder libsvtav1), in a process of root, as in most containers
# Expected: encoding three small frames leaves the scheduling of the calling thread as it was.
# Seen: from the first frame on, the calling thread has the real-time policy SCHED_FIFO with priority 99, also when the
# encoder is gone. Threads and processes that it starts later inherit it. Without the right to do so, the encoder only
# writes "Failed to set thread priority".
# Why it matters: recording AV1 beside a tracker makes the program a real-time one, with all threads of PyTorch and DDS
# that start later. While these compute, other processes on the machine starve. Read the policy before, and set it
# again after, or encode in a process of its own.
set -euo pipefail

if [[ $(id -u) != 0 ]]; then
  echo "needs root: other users may not have the right to real-time scheduling" >&2
  exit 2
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check av==17.1.0 numpy==2.4.6

"$folder/venv/bin/python" - 2>/dev/null <<'END'
import fractions
import os
import subprocess
import sys

import av
import numpy as np

NAMES = {os.SCHED_OTHER: "SCHED_OTHER", os.SCHED_FIFO: "SCHED_FIFO", os.SCHED_RR: "SCHED_RR"}


def scheduling():
    return NAMES.get(os.sched_getscheduler(0)), os.sched_getparam(0).sched_priority


def encode(name):
    encoder = av.CodecContext.create(name, "w")
    encoder.width, encoder.height, encoder.pix_fmt = 128, 96, "yuv420p"
    encoder.time_base, encoder.framerate = fractions.Fraction(1, 25), fractions.Fraction(25)
    for number in range(3):
        frame = av.VideoFrame.from_ndarray(np.full((96, 128, 3), 80 * number, np.uint8), format="bgr24")
        frame.pts = number
        encoder.encode(frame.reformat(format="yuv420p"))
    encoder.encode(None)


seen = {"before": scheduling()}
for name in ("libx264", "libsvtav1"):
    encode(name)
    seen[f"after {name}"] = scheduling()
child = "import os; print(os.sched_getscheduler(0) == os.SCHED_FIFO)"
seen["a child process is real-time"] = subprocess.check_output([sys.executable, "-c", child], text=True).strip()
print(*(f"{when}: {what}" for when, what in seen.items()), sep="\n")
usual, real_time = ("SCHED_OTHER", 0), ("SCHED_FIFO", 99)
sys.exit(None if list(seen.values()) == [usual, usual, real_time, "True"] else "no longer as stated")
END
