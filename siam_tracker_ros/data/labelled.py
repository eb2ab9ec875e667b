# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Labelled videos in a folder of any format, as evaluation needs them."""

import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np

from siam_tracker_ros.data.check import check_files
from siam_tracker_ros.data.formats import FORMATS, Format, holds, subfolders
from siam_tracker_ros.data.kinds import kind_of
from siam_tracker_ros.data.problems import Problems
from siam_tracker_ros.data.track import FileTrack, Track
from siam_tracker_ros.errors import InvalidInputError, InvalidSettingError
from siam_tracker_ros.frames import FrameSource
from siam_tracker_ros.intensity import IntensityStretch


@dataclasses.dataclass(frozen=True, eq=False)
class Videos:
    """Labelled videos.

    Attributes:
        folder: that they were read from.
        formats: names of their formats in `FORMATS`, one per track.
        split: name of the split; "" where they are not a split of a data set.
        tracks: one per target.
    """

    folder: pathlib.Path
    formats: list[str]
    split: str
    tracks: list[Track]

    @property
    def title(self) -> str:
        """What they are, for people."""
        names = " and ".join(sorted({FORMATS[kind].name for kind in self.formats if kind != "sequences"}))
        split = f", split {self.split}" if self.split else ""
        what = f"{names}{split}" if names else self.folder.resolve().name
        return f"{what}, {len(self.tracks)} sequence{'s' * (len(self.tracks) != 1)}"

    def chosen(self, flags: Sequence[bool]) -> "Videos":
        """Return those whose flag is set, one flag per track."""
        kept = [(kind, track) for kind, track, flag in zip(self.formats, self.tracks, flags) if flag]
        return dataclasses.replace(self, formats=[kind for kind, _ in kept], tracks=[track for _, track in kept])

    def read_attributes(self, problems: Problems) -> list[dict[str, np.ndarray]]:
        """Return for each track the frames, bool (N,), in which each of its attributes holds, by name."""
        return [self._attributes(kind, track, problems) for kind, track in zip(self.formats, self.tracks)]

    def _attributes(self, kind: str, track: Track, problems: Problems) -> dict[str, np.ndarray]:
        read = FORMATS[kind].read_attributes
        return (
            read(self.folder, self.split, track, problems) if read is not None and isinstance(track, FileTrack) else {}
        )


def read_videos(folder: str | pathlib.Path, split: str | None = None, problems: Problems | None = None) -> Videos:
    """Read the labelled videos in a folder; its format is recognised from its files.

    Args:
        folder: a data set, sequences, one or two levels deep, or one sequence, in any format that has videos.
        split: name of a split; None for the one that trackers are usually evaluated on.
        problems: to add to; None raises them.

    Raises:
        InvalidInputError: there is no such folder, or nothing in it is recognised.
        InvalidSettingError: it has no such split.
        DatasetError: lists the files that are missing or cannot be read.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise InvalidInputError(f"{folder} is not a folder, expected a folder of sequences")
    if folder.name in ("", ".."):
        folder = folder.resolve()  # a sequence has the name of its folder
    found = Problems() if problems is None else problems
    videos = _read_dataset(folder, split, found)
    if videos is None and split is None:
        videos = _read_split(folder, found)
    if videos is None:
        videos = _read_sequences(folder, split, found)
    if problems is None:
        found.raise_any()
    return videos


class TrackFrames(FrameSource):
    """The frames of a track, from its first labelled one.

    Args:
        track: where they come from.
        intensity_range: of 16-bit images, see `open_frames`.
    """

    def __init__(self, track: Track, intensity_range: tuple[int, int] | None = None) -> None:
        self.track, self.frame_count = track, len(track)
        self._stretch = IntensityStretch(intensity_range)
        self.rewind()

    def __next__(self) -> np.ndarray:
        return self.track.image_bgr(next(self._remaining), self._stretch)

    def rewind(self) -> None:
        self._remaining = iter(range(len(self.track)))


def read_target(folder: str | pathlib.Path, name: str | None = None) -> Track:
    """Read one target of the labelled videos in a folder; see `read_videos`.

    Args:
        folder: as for `read_videos`.
        name: of the target's track; None if there is only one.

    Raises:
        InvalidInputError, InvalidSettingError, DatasetError: as for `read_videos`; or there is no such target, or no
            name though there are several; or its first frame is not labelled.
    """
    tracks = read_videos(folder).tracks
    found = [track for track in tracks if name in (None, track.name)]
    if len(found) != 1:
        names = ", ".join([track.name for track in tracks][:5]) + ", ..." * (len(tracks) > 5)
        raise InvalidInputError(f"{folder} has {len(tracks)} targets, expected the name of one: {names}; got {name}")
    problems = Problems()
    check_files(found, problems)
    problems.raise_any()
    if not found[0].present[0]:
        raise InvalidInputError(f"{found[0].path(0)}, the first frame, has no labelled box; give the target's box")
    return found[0]


def _read_dataset(folder: pathlib.Path, split: str | None, problems: Problems) -> Videos | None:
    """Read a split of a data set that is recognised at its top; None if there is none."""
    found = _recognise_dataset(folder)
    if found is None:
        return None
    kind, there = found
    chosen = there[0] if split is None else split
    if chosen not in there:
        raise InvalidSettingError(f"split of {folder} is {split!r}, expected one of {', '.join(there)}")
    known = FORMATS[kind]
    tracks = [track for track in known.read(folder, chosen, known.name, problems) if len(track)]
    return Videos(folder, [kind] * len(tracks), chosen, tracks)


def _recognise_dataset(folder: pathlib.Path) -> tuple[str, list[str]] | None:
    """Return the format of a data set and the splits that are there, the usual one first; None if it is none."""
    for kind, known in FORMATS.items():
        there = [split for split, pattern in known.evaluated.items() if holds(folder, pattern)]
        if there:
            return kind, there
    return None


def _read_split(folder: pathlib.Path, problems: Problems) -> Videos | None:
    """Read a folder of a data set that holds a split; None if it is none."""
    top, name = folder.resolve().parent, folder.resolve().name
    kind, there = _recognise_dataset(top) or ("", [])
    fits = [split for split in there if FORMATS[kind].evaluated[split].startswith(f"{name}/")]
    return _read_dataset(top, fits[0], problems) if fits else None


def _read_sequences(folder: pathlib.Path, split: str | None, problems: Problems) -> Videos:
    """Read a folder that is a sequence, or those in its folders or in theirs, each in its own format."""
    levels = ([folder], subfolders(folder, "*"), subfolders(folder, "*/*"))
    places = next((found for level in levels if (found := _recognise(level))), {})
    if not places:
        near = next((place for level in levels[1:] for place in level if _recognise_dataset(place)), None)
        raise InvalidInputError(
            f"{folder} has no sequence in it, expected a data set in its authors' layout, or subfolders with images in "
            "img and boxes in groundtruth.txt" + (f"; {near} is a data set: give that folder" if near else "")
        )
    if split is not None:
        raise InvalidSettingError(f"{folder} has no splits, but split is {split!r}; leave it out")
    formats, tracks = [], []
    for place, kind in places.items():
        for track in _known_reader(FORMATS[kind], place, problems):
            formats.append(kind)
            tracks.append(track)
    return Videos(folder, formats, "", tracks)


def _recognise(places: list[pathlib.Path]) -> dict[pathlib.Path, str]:
    """Return the format of each place that is a sequence."""
    kinds = {place: kind_of(place) for place in places}
    return {place: kind for place, kind in kinds.items() if kind is not None}


def _known_reader(known: Format, place: pathlib.Path, problems: Problems) -> list[Track]:
    assert known.read_sequence is not None  # of each format that kind_of names
    return known.read_sequence(place, known.name, problems)
