# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Checks of training data before a run, so that missing or wrong files do not stop it later."""

import concurrent.futures
import functools
import os
import pathlib
from collections.abc import Sequence

import numpy as np

from siam_tracker_ros.data.formats import read_tracks, thin
from siam_tracker_ros.data.problems import Problems, too_many_broken
from siam_tracker_ros.data.settings import DatasetSettings
from siam_tracker_ros.data.track import Track
from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.geometry import iou_xywh

TRIED = 64  # frames per data set that are decoded
SHOWN = 3  # missing files per folder that a message names


def check_datasets(datasets: Sequence[DatasetSettings], problems: Problems | None = None) -> list[list[Track]]:
    """Read data sets; check that all their files exist and decode a sample of their frames.

    Args:
        datasets: what to read.
        problems: found elsewhere, to report together with those found here.

    Returns:
        The tracks of each data set, as `read_dataset` returns them.

    Raises:
        InvalidSettingError: an unknown format or split.
        DatasetError: lists the problems of all data sets, by file.
    """
    problems = Problems() if problems is None else problems
    read = []
    for settings in datasets:
        found = len(problems)
        tracks = read_tracks(settings, problems)
        check_files(tracks, problems)
        if len(problems) == found:
            _check_frames(tracks, problems)
        read.append(thin(tracks, settings))
    problems.raise_any()
    return read


def check_files(tracks: Sequence[Track], problems: Problems) -> None:
    """Note missing files. It lists folders, which is faster than a look at each file."""
    listing = functools.lru_cache(maxsize=8)(_list_names)  # the tracks of a folder are consecutive
    missing: dict[pathlib.Path, set[str]] = {}
    for track in tracks:
        for files in track.sources:
            absent = {files.name(number) for number in track.numbers.tolist()} - listing(files.folder)
            if absent:
                missing.setdefault(files.folder, set()).update(absent)
    for folder, found in missing.items():
        names = sorted(found)
        if folder.is_dir():
            shown = ", ".join(names[:SHOWN]) + ", ..." * (len(names) > SHOWN)
            problems.add(folder, f"lacks {len(names)} labelled file{'s' * (len(names) > 1)}", f"also {shown}")
        else:
            problems.add_missing(folder / names[0], "it")


def _list_names(folder: pathlib.Path) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return frozenset()


def _check_frames(tracks: Sequence[Track], problems: Problems) -> None:
    """Decode evenly spread frames of a data set and check that they match their labels."""
    ends = np.cumsum([len(track) for track in tracks])
    places = np.linspace(0, ends[-1] - 1, min(ends[-1], TRIED)).round().astype(int)
    numbers = np.searchsorted(ends, places, "right")
    frames = [tracks[number].take([place - ends[number]]) for number, place in zip(numbers, places)]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        found = [fault for fault in pool.map(_find_fault, frames) if fault is not None]
    if too_many_broken(len(found), len(places)):
        for fault in found:
            problems.add_error(f"{fault} (one of {len(found)} unusable frames of {len(places)} tried)")


def _find_fault(frame: Track) -> InvalidInputError | str | None:
    """Return what is wrong with a track of one frame, or None."""
    try:
        image, mask = frame.image_bgr(0), frame.mask(0)
    except InvalidInputError as error:
        return error
    height, width = image.shape[:2]
    if mask is not None and mask.shape != (height, width):
        fault = f"its mask is {mask.shape[1]} x {mask.shape[0]} pixels"
    elif frame.present[0] and not iou_xywh(frame.boxes_xywh[0], (0, 0, width, height)):
        fault = f"its box ({', '.join(f'{value:g}' for value in frame.boxes_xywh[0])}) lies outside"
    else:
        return None
    return f"{frame.path(0)}: {fault}, expected one that fits its {width} x {height} pixels; unpack both again"
