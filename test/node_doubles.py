# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Trackers without a network, for tests of the node."""

import contextlib
import dataclasses
import threading

import numpy as np

from siam_tracker_ros.core.confidence import Calibration
from siam_tracker_ros.core.tracker import TrackResult
from siam_tracker_ros.geometry import check_box_xywh, check_image_bgr, cxcywht_to_corners

SIDE = 20  # of the bright square, in pixels


def scene(center, size_wh=(160, 120)):
    """A dark image with a bright square around a centre (x, y), or none for None."""
    image_bgr = np.full((size_wh[1], size_wh[0], 3), 30, np.uint8)
    if center is not None:
        x, y = int(center[0] - SIDE / 2), int(center[1] - SIDE / 2)
        image_bgr[max(0, y) : max(0, y + SIDE), max(0, x) : max(0, x + SIDE)] = 250
    return image_bgr


class SquareTracker:
    """Finds the bright square: score 0.9 on it, 0 without it; so a box tells which image it came from.

    Its target is the last box. It has no features, so that nothing is searched for.

    Attributes:
        seen: number of images tracked in.
        gate: cleared, `step` waits for it; how a test makes the network slow without a clock.
        entered: set whenever `step` is called.
        failure: raised by the next `step` when set.
        is_shared: whether all steps of now are in one image.
        shared: number of images so far that the steps of all targets were in together.
        announced: the targets that were to be looked for in the last of them.
        runtime, precision, device: of what would run its network.
    """

    runtime, precision, device = "torch", "fp32", "cpu"
    tile_side = 0
    siamese = None
    calibration = Calibration()

    def __init__(self, *_, **arguments):
        self.arguments = arguments
        self.threads = {threading.get_ident()}
        self.seen = 0
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.failure = None
        self.is_shared = False
        self.shared = 0

    @contextlib.contextmanager
    def sharing(self, image_bgr, targets=()):
        self.is_shared = True
        self.shared += 1
        self.announced = list(targets)
        yield
        self.is_shared = False

    def start(self, image_bgr, box_xywh):
        self.threads.add(threading.get_ident())
        check_image_bgr(image_bgr)
        return check_box_xywh(box_xywh, (image_bgr.shape[1], image_bgr.shape[0]))

    def step(self, image_bgr, target, learn=True):
        self.threads.add(threading.get_ident())
        self.entered.set()
        assert self.gate.wait(30)
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure
        self.seen += 1
        rows, columns = np.nonzero(check_image_bgr(image_bgr)[..., 1] > 200)
        if rows.size == 0:
            return target, TrackResult(target, 0.0)
        center = np.array([columns.min() + columns.max() + 1, rows.min() + rows.max() + 1]) / 2
        box_xywh = np.concatenate([center - target[2:] / 2, target[2:]])
        return box_xywh, TrackResult(box_xywh, 0.9, peak_ratio=0.1)


class TurnedSquareTracker(SquareTracker):
    """A SquareTracker that also gives the square's mask and a rotated box: TURNED_WH, turned clockwise by THETA.

    Attributes:
        has_mask, has_polygon: cleared, the next results come without.
    """

    TURNED_WH = (30.0, 10.0)
    THETA = 0.25

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.has_mask = self.has_polygon = True

    def step(self, image_bgr, target, learn=True):
        target, result = super().step(image_bgr, target, learn)
        center = result.box_xywh[:2] + result.box_xywh[2:] / 2
        return target, dataclasses.replace(
            result,
            mask=image_bgr[..., 1] > 200 if self.has_mask else None,
            polygon=cxcywht_to_corners([*center, *self.TURNED_WH, self.THETA]) if self.has_polygon else None,
        )
