# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The motion of the camera between two frames, from sparse optical flow over the whole frame."""

import cv2
import numpy as np

WIDTH = 240  # pixels of the reduced frames
MAX_POINTS = 80
MIN_POINTS = 12  # that must agree, for their median to mean the camera's motion
MAX_SPREAD = 6  # pixels of the reduced frames from the median, within which points agree; a zoom or a turn spreads them


class CameraMotion:
    """Shift of the view from frame to frame: the median flow of corners (Lucas and Kanade 1981, with pyramids)."""

    def __init__(self) -> None:
        self._last_gray: np.ndarray | None = None
        self._last_shape: tuple[int, ...] = ()

    def stop(self) -> None:
        """Forget the last frame: the next shift is unknown."""
        self._last_gray = None

    def shift(self, image_bgr: np.ndarray) -> np.ndarray:
        """Return how far what stands still has moved in the view since the last call, (2,) as x, y in pixels.

        It is 0, 0 in the first frame and in one of another size, and where too few corners agree, as when the view is
        covered or cut.

        Args:
            image_bgr: uint8 (H, W, 3).
        """
        scale = min(1.0, WIDTH / image_bgr.shape[1])
        size_wh = max(1, round(image_bgr.shape[1] * scale)), max(1, round(image_bgr.shape[0] * scale))
        gray = cv2.cvtColor(cv2.resize(image_bgr, size_wh, interpolation=cv2.INTER_LINEAR), cv2.COLOR_BGR2GRAY)
        last_gray, self._last_gray = self._last_gray, gray
        last_shape, self._last_shape = self._last_shape, image_bgr.shape
        if last_gray is None or last_shape != image_bgr.shape:
            return np.zeros(2)
        points = cv2.goodFeaturesToTrack(last_gray, MAX_POINTS, 0.01, 8)
        if points is None or len(points) < MIN_POINTS:
            return np.zeros(2)
        moved, status, _ = cv2.calcOpticalFlowPyrLK(
            last_gray,
            gray,
            points,
            None,
            winSize=(15, 15),
            maxLevel=3,  # type: ignore[call-overload]  # None is allowed
        )
        flow = (moved - points)[status[:, 0] == 1, 0]  # (N, 2)
        if len(flow) < MIN_POINTS:
            return np.zeros(2)
        shift = np.median(flow, 0)
        if (np.abs(flow - shift).max(1) <= MAX_SPREAD).sum() < MIN_POINTS:
            return np.zeros(2)
        return shift.astype(np.float64) / scale
