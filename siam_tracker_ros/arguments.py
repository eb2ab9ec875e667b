# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Kinds of command line arguments that several programs take; each is a `type` for argparse."""

import argparse
import typing

from siam_tracker_ros.errors import InvalidSettingError
from siam_tracker_ros.settings import parse_setting


def box_argument(text: str) -> tuple[float, ...]:
    """Return (x, y, w, h) from "x,y,w,h" or "x y w h"."""
    try:
        box_xywh = tuple(float(part) for part in text.replace(",", " ").split())
    except ValueError:
        box_xywh = ()
    if len(box_xywh) != 4:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a box, expected x,y,w,h in pixels, for example 313,88,342,194"
        )
    return box_xywh


def intensity_range_argument(text: str) -> tuple[int, int] | None:
    """Return (low, high) from "LOW,HIGH", or None from "auto"."""
    from siam_tracker_ros.intensity import parse_intensity_range  # with OpenCV, for which --help does not wait

    try:
        return parse_intensity_range(text)
    except InvalidSettingError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def positive_int_argument(text: str) -> int:
    """Return a whole number above 0."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def setting_argument(text: str) -> tuple[str, typing.Any]:
    """Return name and value from "NAME=VALUE" with a value in YAML."""
    try:
        return parse_setting(text)
    except InvalidSettingError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
