# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Checks of labelled sequences before a run, so that a later one does not stop it."""

import collections
import concurrent.futures
from collections.abc import Sequence

import numpy as np

from siam_tracker_ros.data.check import check_files
from siam_tracker_ros.data.problems import Problems
from siam_tracker_ros.data.track import Track
from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.geometry import check_box_xywh


def check_tracks(tracks: Sequence[Track], problems: Problems) -> None:
    """Note what keeps sequences from being tracked and scored: files that are missing, first frames, boxes and masks.

    Images after the first are not decoded, and later masks only where boxes are taken from them.
    """
    check_files(tracks, problems)
    for name, count in collections.Counter(track.name for track in tracks).items():
        if count > 1:
            problems.add_error(f"{count} sequences are called {name}, expected a name for each; rename their folders")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for fault in pool.map(_find_fault, tracks):
            if fault is not None:
                problems.add_error(fault)


def _find_fault(track: Track) -> InvalidInputError | str | None:
    """Return what is wrong with the masks or the first frame of a track, or None."""
    if track.unreadable:
        return f"{track.name}: {track.unreadable} of its {len(track)} masks cannot be read; unpack them again"
    where = f"{track.name}, first frame ({track.path(0)})"
    if not track.present[0]:
        shown = ", ".join(f"{value:g}" for value in np.asarray(track.boxes_xywh[0]))
        return f"{where}: its box is ({shown}), expected one with which tracking starts; label it, or take it out"
    try:
        height, width = track.image_bgr(0).shape[:2]
        mask = track.mask(0)
    except InvalidInputError as error:  # which names the file
        return error
    try:
        check_box_xywh(track.boxes_xywh[0], (width, height))
    except InvalidInputError as error:
        return f"{where}: {error}"
    if mask is not None and mask.shape != (height, width):
        return (
            f"{where}: its mask is {mask.shape[1]} x {mask.shape[0]} pixels, expected {width} x {height} as the frame; "
            "unpack both again"
        )
    return None
