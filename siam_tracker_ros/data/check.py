# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Checks training data before it is trained on, so that a run does not stop for it, or learn from the wrong files."""

import concurrent.futures
import functools
import os

import numpy as np

from siam_tracker_ros.data.formats import read_whole, thin
from siam_tracker_ros.data.problems import Problems, too_many_broken
from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.geometry import iou_xywh

TRIED = 64  # frames of a data set that are decoded
SHOWN = 3  # missing files of a folder that a message names


def check_datasets(datasets, problems=None):
    """Read data sets and see that all their files are there and that some of their frames decode.

    Args:
        datasets: list of DatasetSettings.
        problems: Problems that were found elsewhere, told with those that are found here; None for none.

    Returns:
        list, of each data set its list of Track, as `read_dataset` gives it.

    Raises:
        InvalidSettingError: an unknown format or split.
        DatasetError: lists what is wrong with all of them, by file.
    """
    problems = Problems() if problems is None else problems
    read = []
    for settings in datasets:
        found = len(problems)
        tracks = read_whole(settings, problems)
        _check_files(tracks, problems)
        if len(problems) == found:
            _check_frames(tracks, problems)
        read.append(thin(tracks, settings))
    problems.raise_any()
    return read


def _check_files(tracks, problems):
    """Note the files that should be there and are not; folders are listed, files are not looked at one by one."""
    listing = functools.lru_cache(maxsize=8)(_list_names)  # the tracks of a folder lie next to each other
    missing = {}
    for track in tracks:
        for files in track.sources:
            names = {files.name(number) for number in track.numbers.tolist()} - listing(files.folder)
            if names:
                missing.setdefault(files.folder, set()).update(names)
    for folder, names in missing.items():
        names = sorted(names)
        if folder.is_dir():
            shown = ", ".join(names[:SHOWN]) + ", ..." * (len(names) > SHOWN)
            problems.add(folder, f"lacks {len(names)} labelled file{'s' * (len(names) > 1)}", f"also {shown}")
        else:
            problems.add_missing(folder / names[0], "it")


def _list_names(folder):
    try:
        return frozenset(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return frozenset()


def _check_frames(tracks, problems):
    """Decode some of a data set's frames, evenly spread over all of them, and see that they fit their labels."""
    ends = np.cumsum([len(track) for track in tracks])
    places = np.linspace(0, ends[-1] - 1, min(ends[-1], TRIED)).round().astype(int)
    numbers = np.searchsorted(ends, places, "right")
    frames = [tracks[number].take([place - ends[number]]) for number, place in zip(numbers, places)]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        found = [fault for fault in pool.map(_find_fault, frames) if fault is not None]
    if too_many_broken(len(found), len(places)):
        for fault in found:
            problems.add_error(f"{fault} (one of {len(found)} unusable frames of {len(places)} that were tried)")


def _find_fault(frame):
    """What is wrong with a Track of one frame, or None."""
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
