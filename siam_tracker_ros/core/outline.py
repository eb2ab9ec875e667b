# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Mask and polygon of a target in one frame."""

import dataclasses
import functools
import threading
import typing
from collections.abc import Callable

import numpy as np

from siam_tracker_ros.core.mask_shape import full_frame, largest_contour, smallest_rectangle
from siam_tracker_ros.geometry import xywh_to_corners


class Outline(typing.Protocol):
    """Mask and polygon, see `core.tracker.TrackResult`. They may be drawn when they are first read, in any thread."""

    @property
    def has_mask(self) -> bool:
        """Whether the mask is not None."""
        ...

    @property
    def mask(self) -> np.ndarray | None: ...

    @property
    def polygon(self) -> np.ndarray | None: ...


@dataclasses.dataclass(frozen=True, eq=False)
class FixedOutline:
    """An outline that is already known."""

    mask: np.ndarray | None = None
    polygon: np.ndarray | None = None

    @property
    def has_mask(self) -> bool:
        """Whether the mask is not None."""
        return self.mask is not None


NO_OUTLINE = FixedOutline()


class DrawnOutline:
    """An outline that is drawn once, when mask or polygon is first read: most frames are only asked for their box.

    Args:
        draw: returns the mask of a part of the frame, bool (h, w), and the part's first pixel (x, y).
        box_xywh: float64 (4,), the polygon of a target without a part to draw a rectangle around.
        frame_wh: width and height of the frame.
    """

    has_mask = True

    def __init__(
        self,
        draw: Callable[[], tuple[np.ndarray, tuple[int, int]]],
        box_xywh: np.ndarray,
        frame_wh: tuple[int, int],
    ) -> None:
        self._draw: Callable[[], tuple[np.ndarray, tuple[int, int]]] | None = draw
        self._part: tuple[np.ndarray, tuple[int, int]]
        self._box_xywh = box_xywh
        self._frame_wh = frame_wh
        self._drawing = threading.Lock()

    def _drawn(self) -> tuple[np.ndarray, tuple[int, int]]:
        with self._drawing:
            if self._draw is not None:
                self._part = self._draw()
                self._draw = None  # with the features that it draws from
            return self._part

    def __reduce__(self) -> tuple[type[FixedOutline], tuple[np.ndarray, np.ndarray]]:
        """A copy, in this process or another one, is drawn."""
        return FixedOutline, (self.mask, self.polygon)

    @functools.cached_property
    def mask(self) -> np.ndarray:
        return full_frame(*self._drawn(), self._frame_wh)

    @functools.cached_property
    def polygon(self) -> np.ndarray:
        contour = largest_contour(*self._drawn())
        return xywh_to_corners(self._box_xywh) if contour is None else smallest_rectangle(contour)
