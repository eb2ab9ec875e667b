# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What evaluation needs of a tracker."""

import typing
from collections.abc import Sequence

import numpy as np

from siam_tracker_ros.core.tracker import TrackResult


class SequenceTracker(typing.Protocol):
    """Tracks one target from a box in the first frame: a `core.tracker.Tracker`, or another project's tracker."""

    def init(self, image_bgr: np.ndarray, box_xywh: Sequence[float] | np.ndarray) -> None:
        """Start on the target in a box (4,) of an image, uint8 (H, W, 3)."""
        ...

    def track(self, image_bgr: np.ndarray) -> TrackResult:
        """Find the target in the next frame, uint8 (H, W, 3); a box that is not finite says that it is lost."""
        ...
