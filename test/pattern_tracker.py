# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A tracker without a network that can be searched with, and scenes for it: coloured tiles on a grey ground."""

import dataclasses
import types

import cv2
import numpy as np

from siam_tracker_ros.core.appearance import Region
from siam_tracker_ros.core.confidence import Calibration, Logistic
from siam_tracker_ros.core.crop import crop_context
from siam_tracker_ros.core.graphs import Graphs
from siam_tracker_ros.core.response import hann_window
from siam_tracker_ros.core.tracker import Tracker, TrackResult

SIDE = 24  # of the target, in pixels
SIZE_WH = (320, 240)
INPUT_SIDE, TARGET_SIDE = 64, 16  # of the tracker's input, and of the target in it
SIZE_CHANGES = 1.0, 0.75, 1.25
RED, GREEN, BLUE, YELLOW = (30, 30, 230), (30, 200, 30), (230, 60, 30), (30, 220, 230)  # BGR
TARGET = (RED, GREEN, BLUE, YELLOW)  # quarters: upper left, upper right, lower left, lower right
MIRRORED = (GREEN, RED, YELLOW, BLUE)
SIMILAR = (RED, GREEN, BLUE, GREEN)


def ground(size_wh=SIZE_WH, seed=0):
    """Grey clouds, uint8 (H, W, 3)."""
    width, height = size_wh
    rough = np.random.default_rng(seed).integers(60, 160, (height // 8 + 2, width // 8 + 2), dtype=np.uint8)
    gray = cv2.resize(rough, (width, height), interpolation=cv2.INTER_CUBIC)
    return cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR)


GROUND = ground()


def draw(*placed, on=GROUND):
    """The ground with things on it, each (center_xy, quarters) or (center_xy, quarters, side)."""
    image_bgr = on.copy()
    for center, quarters, *side in placed:
        half = (side[0] if side else SIDE) // 2
        for index, color in enumerate(quarters):
            x, y = int(center[0]) - half * (1 - index % 2), int(center[1]) - half * (1 - index // 2)
            image_bgr[max(0, y) : max(0, y + half), max(0, x) : max(0, x + half)] = color
    return image_bgr


def box_at(center, side=SIDE):
    """The box of a thing, float64 (4,)."""
    return np.array([center[0] - side / 2, center[1] - side / 2, side, side], np.float64)


@dataclasses.dataclass(frozen=True, eq=False)
class PatternTarget:
    """A template, uint8 (16, 16, 3), the last box, and the smallest side that it may get."""

    template: np.ndarray
    box_xywh: np.ndarray
    min_side: float


class PatternTracker(Tracker[PatternTarget]):
    """Finds the best match of a square target's first pixels around its last box, at three sizes.

    Its features are colours. As a real tracker does, it always returns some box, and that swells while nothing matches.
    Its score does not tell the target from what has its pixels.

    Attributes:
        tiles: (center_xy, target_scale) of the calls of `region` since the list was last cleared.
        learned: whether each call of `step` was allowed to learn.
        starts: box from which each call of `step` looked.
        sure_score: up to this score the box swells.
    """

    settings_class = types.SimpleNamespace
    target_class = PatternTarget
    tile_side = INPUT_SIDE
    tile_stride = 4

    def __init__(self):
        super().__init__(Graphs({}, "numpy"), None)
        self.calibration = Calibration(
            tracked=Logistic(0.0, {"score": 1.0, "rival": -20.0}),
            doubted=Logistic(-0.5, {"score": 0.9, "likeness": 1.2, "rival": -20.0}),
            found=Logistic(-2.0, {"score": 0.7, "likeness": 5.0, "rival": -20.0}),
        )
        self.tiles, self.learned, self.starts = [], [], []
        self.sure_score = 0.5

    def _start(self, image_bgr, box_xywh):
        target = PatternTarget(np.zeros((TARGET_SIDE, TARGET_SIDE, 3), np.uint8), box_xywh, 0.65 * box_xywh[2])
        crop, _ = self._crop(image_bgr, target)
        return dataclasses.replace(target, template=crop[24:40, 24:40])

    def _step(self, image_bgr, target):
        self.learned.append(True)
        return self._match(image_bgr, target)

    def _look(self, image_bgr, target):
        self.learned.append(False)
        return self._match(image_bgr, target)

    def _match(self, image_bgr, target):
        self.starts.append(target.box_xywh)
        crop, origin_xy = self._crop(image_bgr, target)
        changes = [change for change in SIZE_CHANGES if change >= 1 or target.box_xywh[2] * change >= target.min_side]
        matches = [self._best_match(crop, target.template, change) for change in changes]
        score, size_change, center = max(matches, key=lambda match: match[0] - 0.1 * (match[1] != 1))
        zoom = self.tile_extent(target) / INPUT_SIDE
        side = target.box_xywh[2] * (size_change if score > self.sure_score else 1.1)
        box_xywh = box_at(np.array(origin_xy) + np.array(center) * zoom, side)
        region = Region(self._encode_tile(crop), origin_xy, INPUT_SIDE * zoom, self.tile_stride * zoom)
        return dataclasses.replace(target, box_xywh=box_xywh), TrackResult(box_xywh, score, region=region)

    def _best_match(self, crop, template, size_change):
        """Score, change of size and centre in the crop of the best match of a template of another size."""
        side = 2 * round(TARGET_SIDE * size_change / 2)
        resized = cv2.resize(template, (side, side), interpolation=cv2.INTER_LINEAR)
        likeness = cv2.matchTemplate(crop, resized, cv2.TM_CCOEFF_NORMED)
        cells = len(likeness)
        row, column = divmod(int((likeness * (0.8 + 0.2 * hann_window(cells))).argmax()), cells)
        return float(np.clip(likeness[row, column], 0, 1)), size_change, (column + side / 2, row + side / 2)

    def move(self, target, box_xywh):
        return dataclasses.replace(target, box_xywh=box_xywh)

    def region(self, image_bgr, target, center_xy, target_scale=1.0):
        self.tiles.append((tuple(center_xy), target_scale))
        return super().region(image_bgr, target, center_xy, target_scale)

    def _input_scale(self, target):
        return TARGET_SIDE / target.box_xywh[2]

    def _encode_tile(self, crop_bgr):
        """How much each of the colours exceeds each other one, in cells: (1, 6, 16, 16), 0 where it is grey."""
        cells = cv2.resize(crop_bgr, (16, 16), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        excess = [cells[..., a] - cells[..., b] for a in range(3) for b in range(3) if a != b]
        return np.maximum(0, np.stack(excess))[None]

    def _crop(self, image_bgr, target):
        center = target.box_xywh[:2] + target.box_xywh[2:] / 2
        return crop_context(image_bgr, center, self.tile_extent(target), self.tile_side, (0, 0, 0))
