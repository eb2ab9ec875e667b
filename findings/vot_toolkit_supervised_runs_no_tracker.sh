#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# vot-toolkit 0.9.0 (also 0.8.0 and 0.8.1), supervised and multistart experiments
# Expected: the experiments of VOT2013 to VOT2022, whose stacks the toolkit contains, run any tracker that the
# unsupervised experiment runs.
# Seen: supervised ends with "multiple objects were provided" although there is one (with a tracker that can follow
# several: "'list' object has no attribute 'properties'"), multistart with "ObjectQuery.state must be a Region".
# Unsupervised works. With 0.7.4 all three do.
# Why it matters: results by the rules of those challenges, to compare with the published ones, need an older toolkit.
# The errors look like a fault of the tracker.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  vot-toolkit==0.9.0 vot-trax==4.0.2 attributee==0.1.9 numpy==2.4.6

cat >"$folder/tracker.py" <<'END'
from trax import Image, Region
from trax.server import Server

with Server([Region.RECTANGLE], [Image.PATH]) as server:  # a tracker whose box never moves
    while (request := server.wait()).type != "quit":
        if request.type == "initialize":
            box = request.objects[0][0]
        server.status([(box, {"confidence": 1})])
END

(cd "$folder" && venv/bin/python -) <<'END'
import pathlib
import subprocess
import sys

import cv2
import numpy as np

FRAMES = 6
root = pathlib.Path.cwd()
sequence = root / "sequences" / "one"
(sequence / "color").mkdir(parents=True)
(root / "results").mkdir()
(root / "sequences" / "list.txt").write_text("one\n")
(root / "config.yaml").write_text("stack: stack.yaml\nregistry:\n- ./trackers.ini\n")
(root / "trackers.ini").write_text(
    f"[still]\nprotocol = trax\ncommand = {root}/venv/bin/python {root}/tracker.py\n"
)
kinds = ("unsupervised", "supervised", "multistart")
(root / "stack.yaml").write_text("experiments:\n" + "".join(f"  {kind}:\n    type: {kind}\n" for kind in kinds))
(sequence / "sequence").write_text(f"channels.color=color/%08d.png\nlength={FRAMES}\nwidth=80\nheight=60\nfps=30\n")
(sequence / "groundtruth.txt").write_text("10,10,20,20\n" * FRAMES)
(sequence / "anchor.value").write_text("1\n" + "0\n" * (FRAMES - 1))
for number in range(1, FRAMES + 1):
    cv2.imwrite(str(sequence / "color" / f"{number:08d}.png"), np.zeros((60, 80, 3), np.uint8))
ends = {
    "unsupervised": "concluded",
    "supervised": "multiple objects were provided",
    "multistart": "ObjectQuery.state must be a Region",
}
as_stated = True
for kind, end in ends.items():
    command = ["venv/bin/python", "-m", "vot", "evaluate", "--workspace", str(root), "--experiments", kind, "still"]
    done = subprocess.run(command, capture_output=True, text=True)
    said = (done.stdout + done.stderr).strip()
    print(f"{kind}: {said.splitlines()[-1]}")
    as_stated &= end in said
sys.exit(None if as_stated else "no longer as stated")
END
