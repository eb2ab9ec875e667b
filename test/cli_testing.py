# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What tests of the command siam-tracker share."""

import re

import numpy as np

from siam_tracker_ros import cli
from siam_tracker_ros.core.confidence import Calibration
from siam_tracker_ros.core.tracker import TrackResult
from siam_tracker_ros.geometry import check_box_xywh, cxcywht_to_corners


class BoxThatStays:
    """A test double: the target never moves, and from frame `lost_from` on its score is 0.

    With `masked`, its left half is its mask, and a rotated box is around it. It holds its target itself and has no
    features, so that nothing is searched for.
    """

    tile_side = 0
    calibration = Calibration()

    def __init__(self, lost_from=1000, masked=False):
        self.lost_from = lost_from
        self.masked = masked

    def start(self, image_bgr, box_xywh):
        self.init(image_bgr, box_xywh)
        return self

    def step(self, image_bgr, target, learn=True):
        return target, self.track(image_bgr)

    def init(self, image_bgr, box_xywh):
        self.box, self.frame = check_box_xywh(box_xywh, image_bgr.shape[1::-1]), 0

    def track(self, image_bgr):
        self.frame += 1
        mask = polygon = None
        if self.masked:
            x, y, w, h = self.box.astype(int)
            mask = np.zeros(image_bgr.shape[:2], bool)
            mask[y : y + h, x : x + w // 2] = True
            polygon = cxcywht_to_corners([x + w / 2, y + h / 2, w, h, 0.3])
        return TrackResult(self.box, 0.0 if self.frame >= self.lost_from else 0.9, mask, polygon)


def tables(printed):
    """The rows of cells of each table in what a command printed, by the first word of the table's header."""
    found = {}
    for block in printed.strip().split("\n\n"):
        header, _, *rows = [re.split(r"  +", line) for line in block.splitlines()]
        found[header[0]] = rows
    return found


def run(*arguments):
    """Exit status of one command line, whether `main` returns it or argparse leaves with it."""
    try:
        return cli.main([str(argument) for argument in arguments])
    except SystemExit as stop:
        return stop.code
