# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Track one target in a video file, a folder of images or a camera, and say in each frame whether it is still there.

python3 examples/python_api.py clip.mp4 313,88,342,194
"""

import argparse
from collections.abc import Iterator, Sequence

import numpy as np

from siam_tracker_ros import Observation, TargetSession, Tracker, create_tracker
from siam_tracker_ros.frames import open_frames


def follow(frames: Iterator[np.ndarray], box_xywh: Sequence[float], tracker: Tracker) -> Iterator[Observation]:
    """Yield an Observation for every frame after the first.

    Args:
        frames: iterator over images, uint8 (height, width, 3) in BGR order.
        box_xywh: the target in the first frame: left, top, width, height in pixels.
        tracker: what `create_tracker` returns.
    """
    session = TargetSession(tracker)
    session.init(next(frames), box_xywh)
    for image_bgr in frames:
        yield session.observe(image_bgr)


def describe(observation: Observation) -> str:
    """Return one line about an Observation."""
    line = f"{observation.age:5d} {observation.state.name:9} confidence {observation.confidence:.2f}"
    if observation.box_xywh is None:  # lost: there is no box to act on
        return line
    x, y, width, height = observation.box_xywh
    return f"{line} box {x:.1f},{y:.1f},{width:.1f},{height:.1f}"


def main(argv: Sequence[str] | None = None) -> None:
    """Run the example on a command line (without the program's name; None: this process's own)."""
    parser = argparse.ArgumentParser(description="Track one target and print its state and box per frame.")
    parser.add_argument("source", help="video file, folder of images, or camera number")
    parser.add_argument("box", help="the target in the first frame: x,y,w,h in pixels")
    parser.add_argument("--model", default="lite_online", help="name of the model (default: lite_online)")
    options = parser.parse_args(argv)
    box_xywh = [float(value) for value in options.box.split(",")]
    tracker = create_tracker(options.model)
    with open_frames(options.source) as frames:
        for observation in follow(frames, box_xywh, tracker):
            print(describe(observation))


if __name__ == "__main__":
    main()
