# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Targets as foxglove_msgs/ImageAnnotations, which Foxglove's Image panel draws sharply at any zoom."""

import importlib.util
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time

from siam_tracker_ros.core.session import Observation
from siam_tracker_ros.drawing import STATE_COLORS_BGR, ink_bgr
from siam_tracker_ros.geometry import cxcywht_to_corners
from siam_tracker_ros.node.messages import format_confidence
from siam_tracker_ros.page.pictures import mask_outline

_FONT_SHARE, _MIN_FONT = 1 / 36, 12.0  # of the image's shorter side; pixels
_LINE_SHARE = 1 / 240  # of the image's shorter side


def foxglove_types() -> Any:
    """Return the module with the message classes of foxglove_msgs, None without the package."""
    is_installed = importlib.util.find_spec("foxglove_msgs") is not None
    return importlib.import_module("foxglove_msgs.msg") if is_installed else None


def annotate(
    types: Any,
    stamp: Time,
    named: Sequence[tuple[str, Observation]],
    size_wh: tuple[int, int] | None,
    rotated: bool,
) -> Any:
    """Return the ImageAnnotations of one frame: of each target the box, the outline of the mask, and a label.

    Foxglove pairs them with the image by the stamps of the parts, so there is always a label, without a target too.

    Args:
        types: the module of `foxglove_types`.
        stamp: of the frame.
        named: names of the targets and what the frame says of them; without a target an empty name and an idle
            Observation.
        size_wh: width and height of the frame; None if it was not looked at.
        rotated: whether the boxes are the rotated ones, where there are any.
    """
    side = 0 if size_wh is None else min(size_wh)
    font_size, thickness = max(_MIN_FONT, side * _FONT_SHARE), max(1.0, side * _LINE_SHARE)
    points, texts = [], []
    for row, (target_id, seen) in enumerate(named, start=1):
        bgr = STATE_COLORS_BGR[seen.state]
        color = _color(types, bgr)
        label_xy = np.array([0.0, row * 2 * font_size])  # of those without a box, below one another
        loops = [] if seen.mask is None else [np.array(loop) for loop in mask_outline(seen.mask)]
        if seen.box_xywh is not None:
            corners = cxcywht_to_corners(seen.box_cxcywht(rotated))
            label_xy = np.maximum(corners.min(axis=0), (0.0, font_size))
            loops.insert(0, corners)
        for loop in (loop for loop in loops if len(loop) > 2):
            part = types.PointsAnnotation(timestamp=stamp, outline_color=color, thickness=thickness)
            part.type = types.PointsAnnotation.LINE_LOOP
            part.points = [_point(types, xy) for xy in loop]
            points.append(part)
        label = f"{target_id} {seen.state.name} {format_confidence(seen.confidence)}".strip()
        text = types.TextAnnotation(timestamp=stamp, text=label, font_size=font_size, background_color=color)
        text.position, text.text_color = _point(types, label_xy), _color(types, ink_bgr(bgr))
        texts.append(text)
    msg = types.ImageAnnotations(points=points, texts=texts)
    if hasattr(msg, "timestamp"):  # since 2026; it takes precedence over those of the parts
        msg.timestamp = stamp
    return msg


def _point(types: Any, point_xy: Iterable[float]) -> Any:
    x, y = map(float, point_xy)
    return types.Point2(x=x, y=y)


def _color(types: Any, bgr: Iterable[int]) -> Any:
    b, g, r = (value / 255 for value in bgr)
    return types.Color(r=r, g=g, b=b, a=1.0)
