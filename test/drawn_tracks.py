# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Sequences in memory: a target of one pure colour moves over grey texture."""

import dataclasses

import numpy as np

from siam_tracker_ros.data.track import Track

RED, GREEN, BLUE = (0, 0, 255), (0, 255, 0), (255, 0, 0)


@dataclasses.dataclass(frozen=True, eq=False)
class DrawnTrack(Track):
    """A rectangle of `color_bgr` at whole pixels on noise whose grey levels are 60..195."""

    dataset: str
    name: str
    numbers: np.ndarray
    boxes_xywh: np.ndarray
    size_wh: tuple[int, int] = (320, 240)
    color_bgr: tuple[int, int, int] = RED

    def path(self, i):
        return f"{self.name}/{i}"

    def image_bgr(self, i, stretch=None):
        width, height = self.size_wh
        noise = np.random.default_rng(len(self.name)).integers(60, 196, (height, width, 1), dtype=np.uint8)
        image_bgr = np.repeat(noise, 3, axis=2)
        if self.present[i]:
            x, y, w, h = self.boxes_xywh[i].astype(int)
            image_bgr[y : y + h, x : x + w] = self.color_bgr
        return image_bgr


def drawn_track(name="red", frames=260, target_wh=(24, 30), color_bgr=RED, size_wh=(320, 240), absent=()):
    """A target that circles slowly about the middle of the frame; NaN in the frames of `absent`."""
    i = np.arange(frames)
    centers = np.array(size_wh) / 2 + 12 * np.stack([np.sin(i / 25), np.cos(i / 25)], axis=1)
    corners = np.round(centers - np.array(target_wh) / 2)
    boxes = np.concatenate([corners, np.tile(target_wh, (frames, 1))], axis=1).astype(np.float64)
    boxes[list(absent)] = np.nan
    return DrawnTrack("drawn", name, i, boxes, size_wh, color_bgr)
