# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Command line arguments that several programs of this package take."""

import argparse


def box_argument(text):
    """Return (x, y, w, h) as floats from "x,y,w,h" or "x y w h"; a `type` for argparse."""
    try:
        box_xywh = tuple(float(part) for part in text.replace(",", " ").split())
    except ValueError:
        box_xywh = ()
    if len(box_xywh) != 4:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a box, expected x,y,w,h in pixels, for example 313,88,342,194"
        )
    return box_xywh
