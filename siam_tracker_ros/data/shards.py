# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""WebDataset-style shards in a folder: `tracks-*.tar` with labelled crops, `photos-*.tar` with unlabelled images.

A sample of a track shard is `<key>.webp` (the crop), `<key>.json` (`set`, `track`, `frame`, `box_xywh`, `valid_xywh`)
and optionally `<key>.png` (the mask). Shards are uncompressed, so that the reader notes the position of each member and
reads it on demand. An optional `index.json` lists the shards and their sizes.
"""

import dataclasses
import io
import json
import pathlib
import tarfile
import typing
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from siam_tracker_ros.data.label_maps import read_mask
from siam_tracker_ros.data.problems import Problems
from siam_tracker_ros.data.track import Track, known_boxes
from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.images import decode_image
from siam_tracker_ros.intensity import IntensityStretch

_END = bytes(tarfile.BLOCKSIZE)  # an empty header ends a tar file
_AGAIN = "fetch the shard again"

Members = Mapping[str, "Member"]  # of a sample by extension
_Row = tuple[int, np.ndarray, np.ndarray, "Member", "Member | None"]  # frame, box, valid part, crop, mask


@dataclasses.dataclass(frozen=True)
class Member:
    """A file in a shard.

    Attributes:
        shard: path of the shard.
        name: of the file.
        offset, size: position in the shard, in bytes.
    """

    shard: pathlib.Path
    name: str
    offset: int
    size: int

    def __str__(self) -> str:
        return f"{self.shard}: {self.name}"

    def read(self) -> bytes:
        """Return its content."""
        try:
            with self.shard.open("rb") as file:
                file.seek(self.offset)
                return file.read(self.size)
        except OSError as error:
            raise InvalidInputError(f"{self} cannot be read: {error}; {_AGAIN}") from error

    def image_bgr(self) -> np.ndarray:
        """Decode it as an image, uint8 (H, W, 3)."""
        return decode_image(self.read(), self)


@dataclasses.dataclass(frozen=True, eq=False)
class ShardTrack(Track):
    """Labelled crops of one target.

    Attributes:
        valid: int64 (N, 4), the part of each crop that is not padding, as left, top, width, height.
        crops, masks: object (N,), each a Member; a mask may be None.
    """

    dataset: str
    name: str
    numbers: np.ndarray
    boxes_xywh: np.ndarray
    valid: np.ndarray
    crops: np.ndarray
    masks: np.ndarray

    def path(self, i: int) -> Member:
        return self.crops[i]

    def image_bgr(self, i: int, stretch: IntensityStretch | None = None) -> np.ndarray:
        return self.crops[i].image_bgr()

    def has_mask(self, i: int) -> bool:
        return self.masks[i] is not None

    def mask(self, i: int) -> np.ndarray | None:
        return read_mask(io.BytesIO(self.masks[i].read()), self.masks[i]) if self.has_mask(i) else None

    def valid_xywh(self, i: int) -> np.ndarray:
        return self.valid[i]


def read(folder: pathlib.Path, split: str, name: str, problems: Problems) -> list[Track]:
    """Read the tracks of all track shards; see `formats.Reader`."""
    samples: dict[tuple[str, str], list[_Row]] = {}
    for shard in _track_shards(folder, problems):
        for key, members in _read_samples(shard, problems):
            sample = _read_label(shard, key, members, problems)
            if sample is not None:
                target, row = sample
                samples.setdefault(target, []).append(row)
    return [_track(name or own, f"{own}-{track}", rows) for (own, track), rows in samples.items()]


def read_photos(folder: str | pathlib.Path, problems: Problems) -> list[Member]:
    """Return the images in a folder's photo shards, not decoded."""
    photos: list[Member] = []
    for shard in sorted(pathlib.Path(folder).glob("photos-*.tar")):
        photos += [members["webp"] for _, members in _read_samples(shard, problems) if "webp" in members]
    return photos


def _track_shards(folder: pathlib.Path, problems: Problems) -> list[pathlib.Path]:
    """Return the complete track shards; note those that are missing or truncated according to index.json."""
    sizes = _indexed_sizes(folder, problems)
    found = sorted(folder.glob("tracks-*.tar"))
    if not found and not sizes:
        problems.add(folder, "has no tracks-*.tar", "a folder of training shards", _AGAIN)
    cut = set()
    for shard, size in sizes.items():
        if not shard.is_file():
            problems.add(shard, "is missing", "it, since index.json lists it", _AGAIN)
        elif shard.stat().st_size != size:
            problems.add(shard, f"has {shard.stat().st_size} bytes", f"{size}, as index.json says", _AGAIN)
            cut.add(shard)
    return [shard for shard in found if shard not in cut]


def _indexed_sizes(folder: pathlib.Path, problems: Problems) -> dict[pathlib.Path, int]:
    """Return the size in bytes of each shard in index.json; {} without index.json."""
    index = folder / "index.json"
    if not index.is_file():
        return {}
    try:
        return {folder / name: int(shard["bytes"]) for name, shard in json.loads(index.read_bytes())["shards"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        problems.add(index, f"cannot be read ({error!r})", "bytes by shard", "fetch it again, or remove it")
        return {}


def _read_samples(shard: pathlib.Path, problems: Problems) -> Iterator[tuple[str, Members]]:
    """Yield key and members of each sample in a shard; the members of a sample are consecutive."""
    key = ""
    members: dict[str, Member] = {}
    try:
        with tarfile.open(shard, "r:") as archive, shard.open("rb") as file:
            for info in archive:
                stem, _, extension = info.name.rpartition(".")
                if stem != key and members:
                    yield key, members
                    members = {}
                key = stem
                members[extension] = Member(shard, info.name, info.offset_data, info.size)
            file.seek(archive.offset)
            ended = file.read(tarfile.BLOCKSIZE) == _END
    except (tarfile.TarError, OSError) as error:
        problems.add(shard, f"cannot be read ({error})", "a complete, uncompressed tar file", _AGAIN)
        return
    if members:
        yield key, members
    if not ended:
        problems.add(shard, f"was cut after sample {key}", "the end of a tar file", _AGAIN)


def _read_label(
    shard: pathlib.Path, key: str, members: Members, problems: Problems
) -> tuple[tuple[str, str], _Row] | None:
    """Return (set, track) of a sample and its row; None if a part of it is missing."""
    missing = [f".{extension}" for extension in ("webp", "json") if extension not in members]
    if missing:
        problems.add(shard, f"sample {key} has no {' and no '.join(missing)}", "both", _AGAIN)
        return None
    try:
        label = json.loads(members["json"].read())
        target = str(label["set"]), str(label["track"])
        box = np.array(label["box_xywh"], np.float64).reshape(4)
        valid = np.array(label["valid_xywh"], np.int64).reshape(4)
        return target, (int(label["frame"]), box, valid, members["webp"], members.get("png"))
    except KeyError as error:
        problems.add(shard, f"{key}.json has no {error}", "set, track, frame, box_xywh, valid_xywh", _AGAIN)
    except (ValueError, TypeError) as error:
        problems.add(shard, f"{key}.json cannot be read ({error})", "a label", _AGAIN)
    return None


def _track(dataset: str, name: str, rows: Sequence[_Row]) -> ShardTrack:
    rows = sorted(rows, key=lambda row: row[0])
    numbers, boxes, valid, crops, masks = zip(*rows)
    return ShardTrack(
        dataset,
        name,
        np.array(numbers, np.int64),
        known_boxes(np.stack(boxes)),
        np.stack(valid),
        _objects(crops),
        _objects(masks),
    )


def _objects(values: Sequence[typing.Any]) -> np.ndarray:
    array = np.empty(len(values), object)
    array[:] = values
    return array
