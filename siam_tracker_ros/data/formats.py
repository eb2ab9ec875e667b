# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The formats of training data by name, and reading a data set."""

import dataclasses
import pathlib
import typing
from collections.abc import Mapping, Sequence

from siam_tracker_ros.data import coco, davis, got10k, imagenet, lasot, otb, sequences, shards, trackingnet, youtube_vos
from siam_tracker_ros.data.problems import Problems
from siam_tracker_ros.data.settings import DatasetSettings
from siam_tracker_ros.data.track import Track
from siam_tracker_ros.errors import InvalidSettingError


class Reader(typing.Protocol):
    """Reads a data set of one format."""

    def __call__(self, folder: pathlib.Path, split: str, name: str, problems: Problems) -> list[Track]:
        """Return the tracks of a split, without decoding their images.

        Args:
            folder: of the data set.
            split: a name in `Format.splits`.
            name: of the data set; "" for the names in its files.
            problems: to add to; a file that cannot be read is noted there and skipped.
        """


@dataclasses.dataclass(frozen=True)
class Format:
    """A layout of files on disk.

    Attributes:
        name: default name of its data sets.
        read: its reader.
        splits: names of the splits, each with a pattern for Path.glob that matches in the right folder.
    """

    name: str
    read: Reader
    splits: Mapping[str, str]


def _imagenet_splits(part: str) -> dict[str, str]:
    return {split: f"Annotations/{part}/{split}" for split in ("train", "val")}


FORMATS = {
    "coco": Format("COCO", coco.read, coco.LABELS),
    "davis": Format("DAVIS", davis.read, {split: "ImageSets" for split in ("train", "val")}),
    "got10k": Format("GOT-10k", got10k.read, {split: f"{split}/list.txt" for split in ("train", "val")}),
    "imagenet_det": Format("DET", imagenet.read_det, _imagenet_splits("DET")),
    "imagenet_vid": Format("VID", imagenet.read_vid, _imagenet_splits("VID")),
    "lasot": Format("LaSOT", lasot.read, lasot.LISTS),
    "otb": Format("OTB", otb.read, {"train": "*/groundtruth_rect*.txt"}),
    "sequences": Format("sequences", sequences.read, {"train": "*/groundtruth.txt"}),
    "shards": Format("", shards.read, {"train": "tracks-*.tar"}),
    "trackingnet": Format("TrackingNet", trackingnet.read, {"train": "TRAIN_*/anno"}),
    "youtube_vos": Format("YouTube-VOS", youtube_vos.read, {"train": "train/meta.json"}),
}


def read_dataset(settings: DatasetSettings) -> list[Track]:
    """Read one data set; each track has at most `settings.max_frames` frames.

    Raises:
        InvalidSettingError: an unknown format or split.
        DatasetError: lists the files that are missing or cannot be read.
    """
    problems = Problems()
    tracks = read_tracks(settings, problems)
    problems.raise_any()
    return thin(tracks, settings)


def read_tracks(settings: DatasetSettings, problems: Problems) -> list[Track]:
    """Read all frames of a data set; note what cannot be read."""
    if settings.format not in FORMATS:
        raise InvalidSettingError(f"data format is {settings.format!r}, expected one of {', '.join(sorted(FORMATS))}")
    known = FORMATS[settings.format]
    if settings.split not in known.splits:
        raise InvalidSettingError(
            f"split of {settings.path} is {settings.split!r}, expected one of {', '.join(known.splits)}"
        )
    folder = pathlib.Path(settings.path)
    found = len(problems)
    if not _check_level(folder, known.splits[settings.split], settings.format, problems):
        return []
    tracks = known.read(folder, settings.split, settings.name or known.name, problems)
    tracks = [track for track in tracks if len(track)]
    if not tracks and len(problems) == found:
        problems.add(folder, f"has no target in split {settings.split}", f"data in the format {settings.format}")
    return tracks


def thin(tracks: Sequence[Track], settings: DatasetSettings) -> list[Track]:
    """Reduce tracks to `settings.max_frames` frames each; drop tracks without frames."""
    thinned = [track.spread(settings.max_frames) for track in tracks] if settings.max_frames else tracks
    return [track for track in thinned if len(track)]


def _check_level(folder: pathlib.Path, pattern: str, kind: str, problems: Problems) -> bool:
    """Whether a folder is the top of a data set; if a folder above or below it is, the problem says so."""
    expected, advice = f"the top folder of a data set in the format {kind}", "unpack the data set, or correct path"
    if not folder.is_dir():
        problems.add(folder, "is no folder" if folder.exists() else "is missing", expected, advice)
        return False
    if _holds(folder, pattern):
        return True
    near = [*_subfolders(folder, "*"), *_subfolders(folder, "*/*"), *list(folder.resolve().parents)[:3]]
    right = next((place for place in near if _holds(place, pattern)), None)
    seen = ", ".join([place.name for place in sorted(folder.iterdir())][:5]) or "nothing"
    fault = f"has no {pattern} in it, but {seen}"
    problems.add(folder, fault, expected, advice if right is None else f"set path to {right}, which has it")
    return False


def _holds(folder: pathlib.Path, pattern: str) -> bool:
    return next(folder.glob(pattern), None) is not None


def _subfolders(folder: pathlib.Path, pattern: str) -> list[pathlib.Path]:
    return sorted(place for place in folder.glob(pattern) if place.is_dir())
