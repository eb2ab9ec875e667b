# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The box of the target that a person points at.

The tracker is started on squares of several sizes around the point and looks at the same image: its mask around the
point gives a box, on which it is started once more. A box that holds the whole of one thing is found again with a
higher score than one that holds a part of it, or much else.
"""

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from siam_tracker_ros.core.tracker import Tracker
from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.geometry import check_image_bgr, intersection_xywh

SQUARES = (0.08, 0.17, 0.37, 0.8)  # sides of the first squares over the image's shorter side
LOOKS = 2  # in the image for each of them
MIN_SCORE = 0.7  # of the last look; below, no mask is trusted
MIN_SIDE = 4  # pixels of a box


def box_at(
    tracker: Tracker,
    image_bgr: np.ndarray,
    point_xy: npt.ArrayLike,
    square_share: float,
    on_look: Callable[[], object] = lambda: None,
) -> npt.NDArray[np.float64]:
    """Return the box of the target at a point as box_xywh in pixels, float64 (4,).

    It is the bounds of the tracker's mask; of a model without masks, or where none can be trusted, a square around the
    point, cut off at the image.

    Args:
        tracker: no target of it is changed.
        image_bgr: uint8 (H, W, 3).
        point_xy: pixels of the image.
        square_share: side of that square over the image's shorter side.
        on_look: called before each of the looks, of which each takes about as long as a tracked frame.

    Raises:
        InvalidInputError: the image cannot be used, or the point does not lie in it.
    """
    height, width = check_image_bgr(image_bgr).shape[:2]
    x, y = point_xy = np.asarray(point_xy, dtype=np.float64)
    if not (0 <= x <= width and 0 <= y <= height):  # nor NaN
        raise InvalidInputError(
            f"point ({x:g}, {y:g}) lies outside the {width} x {height} image, expected one in it; check that it is in "
            "pixels of this image"
        )
    side = min(width, height)
    with tracker.sharing(image_bgr):
        found = [_look(tracker, image_bgr, point_xy, share * side, on_look) for share in SQUARES]
    score, box_xywh = max(found, key=lambda result: result[0])
    if score >= MIN_SCORE:
        return box_xywh
    return intersection_xywh(_square(point_xy, square_share * side), (0, 0, width, height))


def _look(
    tracker: Tracker,
    image_bgr: np.ndarray,
    point_xy: npt.NDArray[np.float64],
    side: float,
    on_look: Callable[[], object],
) -> tuple[float, npt.NDArray[np.float64]]:
    """Return the score and the bounds of the mask that a square around a point leads to; the score is 0 for none."""
    looking = tracker.siamese or tracker
    box_xywh, score = _square(point_xy, side), 0.0
    for _ in range(LOOKS):
        on_look()
        _, result = looking.step(image_bgr, looking.start(image_bgr, box_xywh), learn=False)
        bounds_xywh = None if result.mask is None else _bounds_at(result.mask, point_xy)
        if bounds_xywh is None:
            break
        box_xywh, score = bounds_xywh, result.score
    return score, box_xywh


def _square(point_xy: npt.NDArray[np.float64], side: float) -> npt.NDArray[np.float64]:
    return np.array([*(point_xy - side / 2), side, side])


def _bounds_at(mask: np.ndarray, point_xy: npt.NDArray[np.float64]) -> npt.NDArray[np.float64] | None:
    """Return the bounds, xywh, of the connected part of a mask at a point; None if there is none of 4 x 4 pixels."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8))
    column, row = np.minimum(point_xy.astype(int), (mask.shape[1] - 1, mask.shape[0] - 1))
    bounds_xywh = stats[labels[row, column], :4].astype(np.float64)
    return bounds_xywh if mask[row, column] and bounds_xywh[2:].min() >= MIN_SIDE else None
