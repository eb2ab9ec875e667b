# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Search for a lost target in the whole frame, a few tiles a frame.

A tile is a part of the frame at the scale at which the network sees the target, so that the cost of a tile does not
depend on the size of the frame. One pass over the frame is a sweep; the tiles nearest to where the target was come
first. Sweeps alternate between the target's last size and sizes around it.
"""

import dataclasses
import itertools
import typing
from collections.abc import Iterator

import numpy as np

from siam_tracker_ros.core.appearance import Appearance, Description, Peak, Region
from siam_tracker_ros.settings import setting

if typing.TYPE_CHECKING:
    from siam_tracker_ros.core.tracker import Tracker  # which imports torch

OVERLAP = 0.25  # share of a tile that it has in common with the next, so that a target is whole in one of them
TARGET_SCALES = (1.0, 1.5, 1.0, 0.7)  # sizes looked for, over the last one, sweep by sweep
TILE_COST = 0.7  # time of a tile over that of a tracked frame
MAX_PEAKS = 4  # of a tile
RIVAL_LIKENESS = 0.1  # of a place to the target, from which on it is remembered as a rival
RIVAL_DISTANCE = 0.75  # sides of the target between it and a rival


@dataclasses.dataclass(frozen=True)
class SearchSettings:
    """How a lost target is searched for."""

    search_share: float = setting(
        0.7,
        "Time for the search in a frame without the target, over the time of a tracked frame; 0 switches it off.",
        0,
        10,
        change="any time",
    )
    min_likeness: float = setting(
        0.2, "A place is a candidate above this likeness to the target's appearance.", 0, 1, change="any time"
    )


@dataclasses.dataclass(frozen=True)
class Tile:
    """A part of the frame to look at.

    Attributes:
        center_xy: its middle in pixels of the frame.
        target_scale: size of the target looked for over its last size.
    """

    center_xy: tuple[float, float]
    target_scale: float


class Sweeps:
    """The tiles of one search in their order; they never end.

    Attributes:
        progress: 0..1, share of the running sweep that has been looked at.
    """

    def __init__(
        self, size_wh: tuple[int, int], extent: float, near_xy: np.ndarray, scales: tuple[float, ...] = TARGET_SCALES
    ) -> None:
        """Plan the sweeps over a frame.

        Args:
            size_wh: size of the frame in pixels.
            extent: side of a tile in pixels of the frame, at the target's last size.
            near_xy: the place that is looked at first.
            scales: sizes looked for over the last one, sweep by sweep.
        """
        self.progress = 0.0
        self._size_wh = size_wh
        self._extent = extent
        self._near_xy = near_xy
        self._tiles = self._endless(scales)

    def __next__(self) -> Tile:
        return next(self._tiles)

    def _endless(self, scales: tuple[float, ...]) -> Iterator[Tile]:
        for scale in itertools.cycle(scales):
            centers = tile_centers(self._size_wh, self._extent * scale)
            nearest = np.argsort(np.square(centers - self._near_xy).sum(1), kind="stable")
            for count, index in enumerate(nearest, start=1):
                self.progress = count / len(centers)
                yield Tile((float(centers[index][0]), float(centers[index][1])), scale)


def tile_centers(size_wh: tuple[int, int], extent: float) -> np.ndarray:
    """Centres (N, 2) as x, y of tiles that cover a frame evenly with at least the overlap; extent: side of a tile."""

    def along(length: int) -> np.ndarray:
        if length <= extent:
            return np.array([length / 2])
        count = 1 + int(np.ceil((length - extent) / (extent * (1 - OVERLAP))))
        return np.linspace(extent / 2, length - extent / 2, count)

    xs, ys = along(size_wh[0]), along(size_wh[1])
    return np.stack(np.meshgrid(xs, ys), -1).reshape(-1, 2)


class Search:
    """The search for one target: what it looks like, what else looks like it, and where it might be.

    Whatever looks like the target in a frame in which the target itself is seen elsewhere is a rival. Rivals are taken
    from the search regions of trusted frames, and, when a search starts, from the whole of the last such frame.

    Attributes:
        settings: how it is searched; another value holds from the next frame on.
        appearance: what the target and its rivals look like.
        candidates: places in the frame just searched that might be the target's, the likeliest first.
    """

    def __init__(
        self,
        tracker: "Tracker",
        settings: SearchSettings,
        appearance: Appearance,
        image_bgr: np.ndarray,
        box_xywh: np.ndarray,
    ) -> None:
        """Begin with what the target in a box of the first frame looks like."""
        self.appearance = appearance
        self.candidates: list[Peak] = []
        self._tracker = tracker
        self.settings = settings
        self._scene_bgr, self._scene_xywh = image_bgr.copy(), box_xywh  # the last trusted frame, and the target in it
        self._past: Sweeps | None = None  # over the scene
        self._present: Sweeps | None = None  # over the frames of the search
        self._credit = 0.0  # tiles that may be looked at

    @property
    def is_running(self) -> bool:
        """Whether frames are being searched."""
        return self._present is not None

    @property
    def progress(self) -> float:
        """0..1, share of the frame that the running sweep has covered; 0 while nothing is searched."""
        return 0.0 if self._present is None else self._present.progress

    def remember(self, image_bgr: np.ndarray, region: Region, box_xywh: np.ndarray, description: Description) -> None:
        """Learn from a frame in which the target is trusted to be in a box of a region of it."""
        self.appearance = self.appearance.remember(description)
        if self._scene_bgr.shape == image_bgr.shape:  # in place: memory that is new costs more time than the copy
            np.copyto(self._scene_bgr, image_bgr)
        else:
            self._scene_bgr = image_bgr.copy()
        self._scene_xywh = box_xywh
        self._remember_rivals(region, box_xywh)

    def start(self, target: typing.Any, size_wh: tuple[int, int], box_xywh: np.ndarray) -> None:
        """Start to search frames of a size for the target, which was last trusted in a box."""
        if self.settings.search_share == 0:
            return
        extent = self._tracker.tile_extent(target)
        self._past = Sweeps(size_wh, extent, _center(self._scene_xywh), (1.0,))
        self._present = Sweeps(size_wh, extent, _center(box_xywh))
        self._credit = 0.0

    def stop(self) -> None:
        """End the search."""
        self._past = self._present = None
        self.candidates = []

    def run(self, image_bgr: np.ndarray, target: typing.Any, box_xywh: np.ndarray) -> None:
        """Spend one frame's share of time: first on the last trusted frame, for rivals, then on this frame.

        Args:
            image_bgr: the frame.
            target: the target, of the size that it was last trusted to have.
            box_xywh: where it was last trusted to be.
        """
        assert self._present is not None
        self.candidates = []
        self._credit += self.settings.search_share / TILE_COST
        while self._credit >= 1:
            self._credit -= 1
            if self._past is not None:
                tile = next(self._past)
                self._remember_rivals(self._region(self._scene_bgr, target, tile), self._scene_xywh)
                if self._past.progress == 1:
                    self._past = None
            else:
                tile = next(self._present)
                region, size_wh = self._region(image_bgr, target, tile), box_xywh[2:] * tile.target_scale
                self.candidates += self.appearance.peaks(region, size_wh, MAX_PEAKS, self.settings.min_likeness)
        self.candidates.sort(key=lambda peak: -self.preference(peak.description, peak.likeness))

    def preference(self, description: Description, likeness: float) -> float:
        """How much a description of some likeness speaks for the target and against its rivals."""
        return likeness - max(0.0, self.appearance.rivalry(description) - likeness)

    def _region(self, image_bgr: np.ndarray, target: typing.Any, tile: Tile) -> Region:
        return self._tracker.region(image_bgr, target, tile.center_xy, tile.target_scale)

    def _remember_rivals(self, region: Region, box_xywh: np.ndarray) -> None:
        """Remember what looks like the target in a region of a frame in which the target is in a box."""
        for peak in self.appearance.peaks(region, box_xywh[2:], MAX_PEAKS, RIVAL_LIKENESS):
            if not is_same_place(peak.box_xywh, box_xywh, RIVAL_DISTANCE):
                self.appearance = self.appearance.remember_rival(peak.description)


def is_same_place(box_xywh: np.ndarray, other_xywh: np.ndarray, distance: float = 0.75) -> bool:
    """Whether the middle of a box is less than a distance, in sides of another box, from the middle of that one."""
    return bool((np.abs(_center(box_xywh) - _center(other_xywh)) < distance * other_xywh[2:]).all())


def _center(box_xywh: np.ndarray) -> np.ndarray:
    return box_xywh[:2] + box_xywh[2:] / 2
