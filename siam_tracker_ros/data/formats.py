# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The formats of data sets by name, and reading a data set."""

import dataclasses
import difflib
import pathlib
import typing
from collections.abc import Mapping, Sequence

import numpy as np

from siam_tracker_ros.data import (
    coco,
    davis,
    got10k,
    imagenet,
    lasot,
    otb,
    sequences,
    shards,
    trackingnet,
    uav123,
    vot,
    youtube_vos,
)
from siam_tracker_ros.data.kinds import kind_of
from siam_tracker_ros.data.problems import Problems
from siam_tracker_ros.data.settings import DatasetSettings
from siam_tracker_ros.data.track import FileTrack, Track
from siam_tracker_ros.errors import InvalidSettingError
from siam_tracker_ros.images import find


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


class SequenceReader(typing.Protocol):
    """Reads one folder of a data set: a sequence, or another part that means something by itself."""

    def __call__(self, place: pathlib.Path, name: str, problems: Problems) -> list[Track]:
        """Return the tracks of a folder; see `Reader`."""


class AttributeReader(typing.Protocol):
    """Reads what the annotators say of a track, for example that its target is occluded."""

    def __call__(self, folder: pathlib.Path, split: str, track: FileTrack, problems: Problems) -> dict[str, np.ndarray]:
        """Return the frames, bool (N,), in which each attribute holds, by name.

        Args:
            folder: of the data set.
            split: that the track is of; "" if its sequence was read by itself.
            track: a track that the reader of the same format returned, or some of its frames.
            problems: to add to.
        """


@dataclasses.dataclass(frozen=True)
class Format:
    """A layout of files on disk.

    Attributes:
        name: default name of its data sets.
        read: its reader.
        splits: names of the splits to train on, each with a pattern for Path.glob that matches in the right folder.
        evaluated: the same of the splits to evaluate on, the usual one first; empty for a format that has no videos, or
            whose sequences each are complete by themselves.
        read_sequence: reads a folder of one sequence, where that is complete by itself; or None.
        read_attributes: reads what is said of a track, or None.
        lists_from: where lists are from that are not in the data set's own archives; "" if they are there.
    """

    name: str
    read: Reader
    splits: Mapping[str, str]
    evaluated: Mapping[str, str] = dataclasses.field(default_factory=dict)
    read_sequence: SequenceReader | None = None
    read_attributes: AttributeReader | None = None
    lists_from: str = ""


def _splits(pattern: str, *names: str) -> dict[str, str]:
    """Return the pattern of each split, in which {} stands for its name."""
    return {name: pattern.format(name) for name in names}


FORMATS = {
    "coco": Format("COCO", coco.read, coco.LABELS),
    "davis": Format(
        "DAVIS",
        davis.read,
        _splits("ImageSets", "train", "val"),
        _splits("ImageSets", "val", "train", *davis.FIRST_MASKS),
    ),
    "got10k": Format(
        "GOT-10k",
        got10k.read,
        _splits("{}/list.txt", "train", "val"),
        _splits("{}/list.txt", "val", "test", "train"),
        got10k.read_sequence,
        got10k.read_attributes,
    ),
    "imagenet_det": Format("DET", imagenet.read_det, _splits("Annotations/DET/{}", "train", "val")),
    "imagenet_vid": Format("VID", imagenet.read_vid, _splits("Annotations/VID/{}", "train", "val")),
    "lasot": Format(
        "LaSOT",
        lasot.read,
        lasot.LISTS,
        {split: lasot.LISTS[split] for split in ("test", "train")},
        lasot.read_sequence,
        lasot.read_attributes,
        lasot.LISTS_FROM,
    ),
    "otb": Format(
        "OTB",
        otb.read,
        {"train": "*/groundtruth_rect*.txt"},
        read_sequence=otb.read_sequence,
        read_attributes=otb.read_attributes,
    ),
    "sequences": Format(
        "sequences", sequences.read, {"train": "*/groundtruth.txt"}, read_sequence=sequences.read_sequence
    ),
    "shards": Format("", shards.read, {"train": "tracks-*.tar"}),
    "trackingnet": Format(
        "TrackingNet",
        trackingnet.read,
        {"train": "TRAIN_*/anno"},
        {"test": "TEST/anno", "train": "TRAIN_*/anno"},
        trackingnet.read_sequence,
    ),
    "uav123": Format("UAV123", uav123.read, uav123.PATTERNS, uav123.PATTERNS, read_attributes=uav123.read_attributes),
    "vot": Format(
        "VOT",
        vot.read,
        {"train": "*/groundtruth*.txt"},
        read_sequence=vot.read_sequence,
        read_attributes=vot.read_attributes,
    ),
    "youtube_vos": Format(
        "YouTube-VOS",
        youtube_vos.read,
        _splits("{}/meta.json", "train"),
        _splits("{}/meta.json", "valid", "test", "train"),
    ),
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
    """Read all frames of a data set but those in `settings.leave_out`; note what cannot be read."""
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
    tracks = [track for track in _leave_out(tracks, settings, problems) if len(track)]
    if not tracks and len(problems) == found:
        problems.add(folder, f"has no target in split {settings.split}", f"data in the format {settings.format}")
    return tracks


def thin(tracks: Sequence[Track], settings: DatasetSettings) -> list[Track]:
    """Reduce tracks to `settings.max_frames` frames each; drop tracks without frames."""
    thinned = [track.spread(settings.max_frames) for track in tracks] if settings.max_frames else tracks
    return [track for track in thinned if len(track)]


def _leave_out(tracks: Sequence[Track], settings: DatasetSettings, problems: Problems) -> list[Track]:
    """Return the tracks without their frames in `settings.leave_out`; note the names that are no track's."""
    ends, names = settings.leave_out or {}, [track.name for track in tracks]
    for name in ends.keys() - set(names) if names else ():
        near = ", ".join(difflib.get_close_matches(name, names) or names[:3])
        problems.add(
            pathlib.Path(settings.path),
            f"has no track {name} to leave out",
            f"one such as {near}",
            "correct leave_out, or set it to null",
        )
    return [
        track.take(np.flatnonzero(track.numbers < ends[track.name])) if track.name in ends else track
        for track in tracks
    ]


def _check_level(folder: pathlib.Path, pattern: str, kind: str, problems: Problems) -> bool:
    """Whether a folder is the top of a data set; if a folder above or below it is, the problem says so."""
    expected, advice = f"the top folder of a data set in the format {kind}", "unpack the data set, or correct path"
    if not folder.is_dir():
        problems.add(folder, "is no folder" if folder.exists() else "is missing", expected, advice)
        return False
    if holds(folder, pattern):
        return True
    near = [*subfolders(folder, "*"), *subfolders(folder, "*/*"), *list(folder.resolve().parents)[:3]]
    right = next((place for place in near if holds(place, pattern)), None)
    seen = ", ".join([place.name for place in sorted(folder.iterdir())][:5]) or "nothing"
    if right is not None:
        advice = f"set path to {right}, which has it"
    elif FORMATS[kind].lists_from and any(kind_of(place) == kind for place in near):
        advice = FORMATS[kind].lists_from
    problems.add(folder, f"has no {pattern} in it, but {seen}", expected, advice)
    return False


def holds(folder: pathlib.Path, pattern: str) -> bool:
    """Whether something in a folder that is not hidden matches a pattern of Path.glob."""
    return next(find(folder, pattern), None) is not None


def subfolders(folder: pathlib.Path, pattern: str) -> list[pathlib.Path]:
    """Return the folders that match a pattern of Path.glob and are not hidden, sorted."""
    return sorted(place for place in find(folder, pattern) if place.is_dir())
