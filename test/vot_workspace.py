# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A small workspace of vot-toolkit, with one rendered sequence."""

import cv2
import numpy as np

from siam_tracker_ros.demo.scene import Scene

SIZE_WH = (320, 240)
NOT_THERE = "0"  # the line of a frame before the object's first
STACK = """\
title: small
experiments:
  unsupervised:
    type: unsupervised
    repetitions: 1
  supervised:
    type: supervised
    repetitions: 1
  multistart:
    type: multistart
  several:
    type: unsupervised
    repetitions: 1
    multiobject: true
"""


def write_workspace(folder, commands, frames, objects=None):
    """Write a workspace whose one sequence shows the rover of the demo.

    Args:
        folder: gets the workspace.
        commands: mapping of a tracker's name to its command.
        frames: number of frames.
        objects: None for one object with rectangles; else mapping of name to ("rectangle", "polygon" or "mask", first
            frame), all of them the rover.

    Returns:
        The frames' images, uint8 (frames, H, W, 3), and rectangles, float64 (frames, 4), as they are in the files.
    """
    (folder / "config.yaml").write_text("stack: stack.yaml\nregistry:\n- ./trackers.ini\n")
    (folder / "stack.yaml").write_text(STACK)
    (folder / "trackers.ini").write_text(
        "\n".join(f"[{name}]\nprotocol = trax\ncommand = {command}\n" for name, command in commands.items())
    )
    (folder / "results").mkdir()
    place = folder / "sequences" / "rover"
    (place / "color").mkdir(parents=True)
    (folder / "sequences" / "list.txt").write_text("rover\n")
    (place / "sequence").write_text(
        f"name=rover\nformat=default\nfps=30\nlength={frames}\nchannels.color=color/%08d.png\n"
        f"width={SIZE_WH[0]}\nheight={SIZE_WH[1]}\n"
    )
    scene = list(Scene(SIZE_WH, frames))
    for number, frame in enumerate(scene, start=1):
        cv2.imwrite(str(place / "color" / f"{number:08d}.png"), frame.image_bgr)
    for name, (kind, first) in (objects or {"": ("rectangle", 0)}).items():
        lines = [_REGIONS[kind](frame) if number >= first else NOT_THERE for number, frame in enumerate(scene)]
        (place / (f"groundtruth_{name}.txt" if name else "groundtruth.txt")).write_text("\n".join(lines) + "\n")
    anchors = [1] + [0] * (frames - 2) + [-1]  # forward from the first frame, backward from the last
    (place / "anchor.value").write_text("".join(f"{value}\n" for value in anchors))
    return np.array([frame.image_bgr for frame in scene]), np.array([frame.box_xywh.round(2) for frame in scene])


def _rectangle(frame):
    return ",".join(f"{value:.2f}" for value in frame.box_xywh)


def _polygon(frame):
    """The corners are the centres of the outermost pixels."""
    x, y, w, h = frame.box_xywh.round(2)
    right, bottom = x + w - 1, y + h - 1
    return ",".join(f"{value:.2f}" for value in (x, y, right, y, right, bottom, x, bottom))


def _mask(frame):
    """The lengths of runs of 0 and 1, in turns, row by row."""
    flat = np.concatenate([[False], frame.mask.ravel(), [not frame.mask.ravel()[-1]]])
    runs = np.diff(np.flatnonzero(np.concatenate([[True], flat[1:] != flat[:-1]])))
    runs[0] -= 1  # the pixel that was put before the first
    return f"m0,0,{SIZE_WH[0]},{SIZE_WH[1]}," + ",".join(map(str, runs))


_REGIONS = {"rectangle": _rectangle, "polygon": _polygon, "mask": _mask}
