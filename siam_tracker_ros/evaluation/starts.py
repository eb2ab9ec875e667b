# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which parts of sequences are run: each sequence once from its first frame, or many times from frames along it.

One pass is a single trial of a sequence: one early mistake decides it. Many starts give several trials.
"""

import dataclasses
import hashlib
import os
from collections.abc import Hashable, Sequence

import numpy as np

from siam_tracker_ros.data.track import Track
from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.geometry import check_box_xywh

MIN_FRAMES = 25  # after a start; a start with fewer, but the first of a sequence, is left out
HALVES = ("A", "B")
HALVES_SEED = 6  # the first with which the 14 development sequences fall into two halves of seven


@dataclasses.dataclass(frozen=True)
class ManyStarts:
    """Starts at every so many frames of a sequence.

    Attributes:
        every: frames from one start to the next.
        frames: to track after each start; fewer where the sequence ends.
    """

    every: int
    frames: int

    def __str__(self) -> str:
        return f"a start at every {self.every} frames, {self.frames} frames tracked after each"


@dataclasses.dataclass(frozen=True, eq=False)
class Part:
    """A part of a sequence that is run.

    Attributes:
        sequence: name of the sequence.
        first: index of its frame with which the part begins.
        track: the frames, under the name of the part's results: SEQUENCE, or SEQUENCE/000050 for one of many starts.
    """

    sequence: str
    first: int
    track: Track

    @property
    def rows(self) -> slice:
        """The part's frames among those of the sequence."""
        return slice(self.first, self.first + len(self.track))


def parts_of(track: Track, starts: ManyStarts | None) -> list[Part]:
    """Return the parts of a sequence that are run: the whole of it for None.

    A start needs a label that tracking can start with; others are left out. So is one with too few frames after it.

    Raises:
        InvalidInputError: the first frame cannot be read.
    """
    if starts is None:
        return [Part(track.name, 0, track)]
    height, width = track.image_bgr(0).shape[:2]
    end = max(1, len(track) - min(MIN_FRAMES, starts.frames))
    firsts = [first for first in range(0, end, starts.every) if _is_usable(track.boxes_xywh[first], (width, height))]
    return [Part(track.name, first, _part(track, first, starts.frames)) for first in firsts]


def _part(track: Track, first: int, frames: int) -> Track:
    part = track.take(np.arange(first, min(len(track), first + frames + 1)))
    return dataclasses.replace(part, name=f"{track.name}/{first:06d}")  # type: ignore[type-var]


def _is_usable(box_xywh: np.ndarray, size_wh: tuple[int, int]) -> bool:
    try:
        check_box_xywh(box_xywh, size_wh)
    except InvalidInputError:
        return False
    return True


def halves(tracks: Sequence[Track]) -> dict[str, str]:
    """Return in which of HALVES each sequence is, by its name.

    A name alone decides, so that the half stays the same when other sequences join; halves differ in size. The targets
    of one video go with the first of them by name.
    """
    video_of: dict[Hashable, str] = {}
    for track in sorted(tracks, key=lambda track: track.name):
        video_of.setdefault(track.scene, track.name)
    return {track.name: half_of(video_of[track.scene]) for track in tracks}


def half_of(name: str) -> str:
    """Return the half of a name: by the lowest bit of the first byte of SHA-256 of "HALVES_SEED:name"."""
    return HALVES[hashlib.sha256(f"{HALVES_SEED}:".encode() + os.fsencode(name)).digest()[0] & 1]
