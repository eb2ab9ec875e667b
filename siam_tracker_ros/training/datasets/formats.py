# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The formats of training data by name, and how a data set is read and checked before training."""

import collections.abc
import dataclasses
import pathlib

from siam_tracker_ros.errors import InvalidSettingError
from siam_tracker_ros.training.datasets import shards
from siam_tracker_ros.training.datasets.problems import Problems


@dataclasses.dataclass(frozen=True)
class Format:
    """A layout of files on disk.

    Attributes:
        name: how its data sets are called where the settings do not say.
        read: function of the folder (Path), the split, the name of the data set ("" for the format's own) and
            Problems to add to; returns a list of Track. It decodes no picture.
        splits: the parts that a data set of it has.
    """

    name: str
    read: collections.abc.Callable
    splits: tuple[str, ...]


FORMATS = {
    "shards": Format("", shards.read, ("train",)),
}


def read_dataset(settings):
    """Read one data set.

    Args:
        settings: DatasetSettings.

    Returns:
        list of Track, each with `most_frames` frames at most.

    Raises:
        InvalidSettingError: an unknown format or split.
        DatasetError: something is missing or cannot be read; lists every such file.
    """
    problems = Problems()
    tracks = _read(settings, problems)
    problems.raise_any()
    return _thin(tracks, settings.most_frames)


def _read(settings, problems):
    if settings.format not in FORMATS:
        raise InvalidSettingError(f"data format is {settings.format!r}, expected one of {', '.join(sorted(FORMATS))}")
    known = FORMATS[settings.format]
    if settings.split not in known.splits:
        raise InvalidSettingError(
            f"split of {settings.path} is {settings.split!r}, expected one of {', '.join(known.splits)}"
        )
    folder = pathlib.Path(settings.path)
    if not folder.is_dir():
        problems.add(folder, f"is not a folder, expected a data set in the format {settings.format}")
        return []
    return known.read(folder, settings.split, settings.name or known.name, problems)


def _thin(tracks, most_frames):
    return [track.spread(most_frames) for track in tracks] if most_frames else tracks
