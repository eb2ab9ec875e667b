# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What evaluation needs of a tracker, and a TargetSession as such a tracker."""

import contextlib
import typing
from collections.abc import Sequence

import numpy as np

from siam_tracker_ros.core.monitor import TargetState
from siam_tracker_ros.core.outline import FixedOutline
from siam_tracker_ros.core.session import TargetSession
from siam_tracker_ros.core.tracker import Tracker, TrackResult
from siam_tracker_ros.errors import InvalidInputError


class SequenceTracker(typing.Protocol):
    """Tracks one target from a box in the first frame: a `core.tracker.Tracker`, or another project's tracker."""

    def init(self, image_bgr: np.ndarray, box_xywh: Sequence[float] | np.ndarray) -> None:
        """Start on the target in a box (4,) of an image, uint8 (H, W, 3)."""
        ...

    def track(self, image_bgr: np.ndarray) -> TrackResult:
        """Find the target in the next frame, uint8 (H, W, 3); a box that is not finite says that it is lost."""
        ...


class SessionTracker:
    """Follows each target with a TargetSession: a target that is LOST has no box, and the confidence is the score."""

    def __init__(self, tracker: Tracker) -> None:
        self._session = TargetSession(tracker)
        self._has_masks = False

    @property
    def state(self) -> TargetState:
        """State after the last frame."""
        return self._session.state

    def init(self, image_bgr: np.ndarray, box_xywh: Sequence[float] | np.ndarray) -> None:
        """Start on the target in a box (4,) of an image, uint8 (H, W, 3)."""
        self._session.init(image_bgr, box_xywh)
        self._has_masks = False

    def track(self, image_bgr: np.ndarray) -> TrackResult:
        """Find the target in the next frame; while it is LOST, its box is NaN and its mask, if it had one, empty."""
        seen = self._session.observe(image_bgr)
        outline = seen.outline
        if not outline.has_mask and self._has_masks and seen.box_xywh is None:
            outline = FixedOutline(np.zeros(image_bgr.shape[:2], bool))
        self._has_masks = outline.has_mask
        box_xywh = np.full(4, np.nan) if seen.box_xywh is None else seen.box_xywh
        return TrackResult(box_xywh, seen.confidence, peak_ratio=seen.peak_ratio, updated=seen.updated, outline=outline)

    def skip(self, image_bgr: np.ndarray) -> None:
        """Take note of a frame of another size, in which nothing can be found: the target is LOST."""
        with contextlib.suppress(InvalidInputError):
            self._session.observe(image_bgr)
        self._session.miss()
