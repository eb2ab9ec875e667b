# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Tracks of drawn frames, and ImageBanks of them."""

import dataclasses

import numpy as np

from siam_tracker_ros.data.track import Track
from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.training.bank import ImageBank

RED, GREEN = (0, 0, 255), (0, 120, 0)


@dataclasses.dataclass(frozen=True, eq=False)
class DrawnTrack(Track):
    """Red boxes on green, with masks or not."""

    dataset: str
    name: str
    numbers: np.ndarray
    boxes_xywh: np.ndarray
    size_wh: tuple = (108, 108)
    valid: tuple | None = None
    masks: bool = True
    broken: tuple = ()

    def path(self, i):
        return f"{self.name}/{i}.png"

    def image_bgr(self, i):
        if i in self.broken:
            raise InvalidInputError(f"{self.path(i)} cannot be decoded")
        image = np.full((*self.size_wh[::-1], 3), GREEN, np.uint8)
        image[self._target(i)] = RED
        return image

    def has_mask(self, i):
        return self.masks

    def mask(self, i):
        if not self.masks:
            return None
        mask = np.zeros(self.size_wh[::-1], np.uint8)
        mask[self._target(i)] = 255
        return mask

    def _target(self, i):
        x, y, w, h = self.boxes_xywh[i].round().astype(int)
        return slice(max(y, 0), y + h), slice(max(x, 0), x + w)

    def valid_xywh(self, i):
        return None if self.valid is None else np.array(self.valid)


def drawn(boxes_xywh, dataset="drawn", name="0", **changes):
    boxes_xywh = np.array(boxes_xywh, np.float64)
    return DrawnTrack(dataset, name, np.arange(len(boxes_xywh)), boxes_xywh, **changes)


class Photo:
    def __init__(self, size_wh):
        self.size_wh = size_wh

    def image_bgr(self):
        return np.random.default_rng(0).integers(0, 256, (*self.size_wh[::-1], 3), dtype=np.uint8)


def bank_of(*tracks, photos=(), **options):
    return ImageBank.of_tracks(list(tracks), [1.0] * len(tracks), list(photos), **options)
