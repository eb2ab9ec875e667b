# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Targets of SiamRPN++ and SiamMask at each anchor: target or background, and the offset from anchor to box.

The rules of PySOT (Li et al. 2019) and of SiamMask (Wang et al. 2019) differ in the number of background anchors, and
in their position in a negative pair, whose search region shows another object than the template.
"""

import math
import typing
from collections.abc import Iterable

import numpy as np

from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.geometry import cxcywh_to_xyxy
from siam_tracker_ros.methods.siamrpn.anchors import STRIDE, anchor_grid
from siam_tracker_ros.training.recipe import AnchorRules

TARGET, BACKGROUND, IGNORED = 1, 0, -1
WINDOW_RADIUS = 3  # cells around the centre of a negative pair's background anchors

PYSOT_RULES = AnchorRules()
SIAMMASK_RULES = AnchorRules(fill_up=True, around_object=False)


class AnchorTargets(typing.NamedTuple):
    """Targets of one pair over A anchors in each of S x S cells.

    Attributes:
        label: int64 (A, S, S), TARGET, BACKGROUND or IGNORED.
        offset: float32 (4, A, S, S): distance of the centres in sides of the anchor, x and y, and logarithm of box over
            anchor, width and height.
        weight: float32 (A, S, S), of the offsets; nearly 1 in total over the targets, 0 elsewhere.
        overlap: float32 (A, S, S), IoU of anchor and box.
    """

    label: np.ndarray
    offset: np.ndarray
    weight: np.ndarray
    overlap: np.ndarray


def search_anchors(cells: int, search_side: int = 255) -> np.ndarray:
    """Return anchors float32 (4, A, cells, cells) as cx, cy, w, h in pixels of a search region.

    The central cell lies on pixel `search_side // 2`.
    """
    anchors = anchor_grid(cells).copy()
    anchors[:2] += search_side // 2
    return anchors


def anchor_targets(
    box_xyxy: Iterable[float],
    cells: int,
    rules: AnchorRules,
    random: np.random.RandomState,
    search_side: int = 255,
    negative: bool = False,
) -> AnchorTargets:
    """Return the targets of one pair.

    Args:
        box_xyxy: box of the object in the search region, in its pixels.
        cells: side of the response.
        rules: such as PYSOT_RULES or SIAMMASK_RULES.
        random: picks anchors where there are too many.
        search_side: in pixels.
        negative: whether the object is another one than the template's.

    Raises:
        InvalidInputError: a box without area, whose offsets are infinite.
    """
    box = [float(value) for value in box_xyxy]
    if not (box[2] > box[0] and box[3] > box[1]):
        raise InvalidInputError(
            f"box {box} has no area, expected x1 < x2 and y1 < y2; remove such annotations from the data"
        )
    anchors = search_anchors(cells, search_side)
    label = np.full(anchors.shape[1:], IGNORED)
    if negative:
        center = np.full(2, cells // 2)
        if rules.around_object:
            center = center + [_cells_from_middle((box[i] + box[i + 2]) / 2, search_side) for i in (0, 1)]
        left, top = (max(0, place - WINDOW_RADIUS) for place in center)
        right, bottom = (max(0, place + WINDOW_RADIUS + 1) for place in center)
        window = np.zeros(label.shape, bool)
        window[:, top:bottom, left:right] = True
        label[_pick(window, rules.negative_anchors, random)] = BACKGROUND
        nothing = np.zeros(label.shape, np.float32)
        return AnchorTargets(label, np.zeros_like(anchors), nothing, nothing)

    overlap = _iou(cxcywh_to_xyxy(np.moveaxis(anchors, 0, -1)), box)
    targets = _pick(overlap > rules.target_iou, rules.max_targets, random)
    count = len(targets[0])
    room = rules.max_anchors - (count if rules.fill_up else rules.max_targets)
    label[targets] = TARGET
    label[_pick(overlap < rules.background_iou, room, random)] = BACKGROUND
    weight = np.zeros(label.shape, np.float32)
    weight[targets] = 1 / (count + 1e-6)
    return AnchorTargets(label, _offset(anchors, box), weight, overlap)


def _cells_from_middle(position: float, search_side: int) -> int:
    """Return the distance of a position from the central cell in cells, one too many: PySOT adds 0.5 and rounds up."""
    return math.ceil((position - search_side // 2) / STRIDE + 0.5)


def _pick(mask: np.ndarray, count: int, random: np.random.RandomState) -> tuple[np.ndarray, ...]:
    """Return the indices of at most `count` True elements of a mask, drawn by a shuffle."""
    places = np.nonzero(mask)
    if len(places[0]) <= count:
        return places
    order = np.arange(len(places[0]))
    random.shuffle(order)
    return tuple(axis[order[:count]] for axis in places)


def _offset(anchors_cxcywh: np.ndarray, box_xyxy: list[float]) -> np.ndarray:
    """Return the offset (4, ...) from each anchor (4, ...) to the box."""
    x1, y1, x2, y2 = box_xyxy
    cx, cy, w, h = anchors_cxcywh
    width, height = x2 - x1, y2 - y1
    parts = ((x1 + x2) * 0.5 - cx) / w, ((y1 + y2) * 0.5 - cy) / h, np.log(width / w), np.log(height / h)
    return np.stack(parts).astype(np.float32)


def _iou(first_xyxy: np.ndarray, box_xyxy: list[float]) -> np.ndarray:
    """Return the IoU (...) of boxes (..., 4) with one box, in the boxes' precision: labels depend on the last bit."""
    x1, y1, x2, y2 = np.moveaxis(first_xyxy, -1, 0)
    left, top, right, bottom = box_xyxy
    width = np.maximum(0, np.minimum(right, x2) - np.maximum(left, x1))
    height = np.maximum(0, np.minimum(bottom, y2) - np.maximum(top, y1))
    shared = width * height
    return shared / ((x2 - x1) * (y2 - y1) + (right - left) * (bottom - top) - shared)
