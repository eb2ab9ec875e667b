# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Command line of the demo."""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

from siam_tracker_ros.arguments import box_argument


def parse_arguments(args: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the arguments as a Namespace; a bad command line ends the process with status 2."""
    parser = argparse.ArgumentParser(
        prog="demo",
        description="Play a clip through ROS 2, follow a target in it, and show how well and how fast.",
        epilog="examples: demo; demo --video a.mp4 --box 313,88,342,194; demo --camera 0 --box 99,50,90,90",
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--video", metavar="FILE_OR_DIR", help="a video file or a folder of images")
    source.add_argument("--camera", type=int, metavar="N", help="the number of a camera")
    parser.add_argument("--box", type=box_argument, metavar="X,Y,W,H", help="the target in the first frame in pixels")
    parser.add_argument("--model", default="lite_online", help="name of the model (default: lite_online)")
    parser.add_argument("--weights", default="", metavar="FILE", help="default: the model's own")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    parser.add_argument("--rate", type=_positive, metavar="HZ", help="frames per second; default: the source's")
    parser.add_argument(
        "--duration", type=_positive, metavar="S", help="seconds; default: the whole clip, 20 of a camera"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("demo_output"), metavar="DIR", help="folder for what it writes"
    )
    options = parser.parse_args(args)
    if options.camera is not None and options.box is None:
        parser.error("--camera needs --box x,y,w,h, the target in the first frame")
    if options.box is not None and options.camera is None and options.video is None:
        parser.error("--box goes with --video or --camera; in the rendered clip the target is known")
    return options


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number
