# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What every tracker has in common: two verbs, `init` and `track`, and the result of a frame."""

import abc
import dataclasses

import numpy as np

from siam_tracker_ros.errors import NotInitializedError
from siam_tracker_ros.geometry import check_box_xywh, check_image_bgr


@dataclasses.dataclass(frozen=True, eq=False)
class TrackResult:
    """Where the target is in one frame.

    Attributes:
        box_xywh: float64 (4,), left, top, width, height in pixels of the frame; it may reach over the frame's edge.
        score: 0..1, the raw confidence: before any window, after any penalty is undone.
        mask: bool (H, W) of the full frame, or None where the model has no masks.
        polygon: float64 (4, 2), corners of a rotated box, or None.
        peak_ratio: 0..1, second response peak divided by the first; near 1 means a distractor as good as the target.
        updated: whether an online model learned on this frame.
    """

    box_xywh: np.ndarray
    score: float
    mask: np.ndarray | None = None
    polygon: np.ndarray | None = None
    peak_ratio: float = 0.0
    updated: bool = False


class Tracker(abc.ABC):
    """Follows one target. The network is shared and stateless; the target's state is replaced whole by `init`.

    Attributes:
        call: calls a function with arguments, in which way all work on a frame is done; a LoneThread, or directly.
    """

    def __init__(self):
        self.call = lambda function, *arguments: function(*arguments)
        self._target = None

    @property
    def runtime(self):
        """What executes the network: "torch" or "onnx"."""
        return self.network.runtime

    def init(self, image_bgr, box_xywh):
        """Start on a target, as on a fresh tracker; a target held before is dropped only if this succeeds.

        Args:
            image_bgr: uint8 (H, W, 3).
            box_xywh: left, top, width, height in pixels of the image.

        Raises:
            InvalidInputError: the image or the box cannot be used; the target held before is still held.
        """
        image_bgr = check_image_bgr(image_bgr)
        size_wh = image_bgr.shape[1], image_bgr.shape[0]
        self._target = self.call(self._start, image_bgr, check_box_xywh(box_xywh, size_wh))

    def track(self, image_bgr):
        """Find the target in the next frame and return a TrackResult.

        Raises:
            InvalidInputError: the image cannot be used; the target is unchanged.
            NotInitializedError: no `init` has succeeded yet.
        """
        if self._target is None:
            raise NotInitializedError("track was called before init; call init(image_bgr, box_xywh) first")
        self._target, result = self.call(self._step, check_image_bgr(image_bgr), self._target)
        return result

    @abc.abstractmethod
    def _start(self, image_bgr, box_xywh):
        """Return the state of a new target."""

    @abc.abstractmethod
    def _step(self, image_bgr, target):
        """Return the target's next state and the TrackResult of this frame."""
