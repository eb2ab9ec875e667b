# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reads a folder of WebDataset-style shards: `tracks-*.tar` with labelled crops, `photos-*.tar` with pictures.

A sample of a track shard is `<key>.webp` (the crop), `<key>.json` (`set`, `track`, `frame`, `box_xywh`, `valid_xywh`,
`kind`) and, where there is a mask, `<key>.png`. The files stay encoded in memory; a sample is decoded when drawn.
"""

import dataclasses
import json
import pathlib
import tarfile

import cv2
import numpy as np

from siam_tracker_ros.errors import InvalidInputError


@dataclasses.dataclass(frozen=True, eq=False)
class Sample:
    """One labelled crop.

    Attributes:
        set_name: the data set that it comes from.
        track: an identifier of the target, unique over all sets.
        video: whether the track has other frames of the same target.
        box_xywh: float64 (4,), the target in pixels of the crop.
        valid_xywh: int (4,), the part of the crop that is real image.
        encoded: the compressed crop.
        encoded_mask: the compressed mask, or None.
    """

    set_name: str
    track: str
    video: bool
    box_xywh: np.ndarray
    valid_xywh: np.ndarray
    encoded: bytes
    encoded_mask: bytes | None

    def image_bgr(self):
        """Decode the crop, uint8 (H, W, 3)."""
        return _decode(self.encoded, cv2.IMREAD_COLOR, self.track)

    def mask(self):
        """Decode the mask, uint8 (H, W) of 0 and 255; only where `encoded_mask` is not None."""
        return _decode(self.encoded_mask, cv2.IMREAD_GRAYSCALE, self.track)


@dataclasses.dataclass(frozen=True, eq=False)
class Bank:
    """All samples of a folder.

    Attributes:
        samples: list of Sample, the frames of a track next to each other and in order.
        tracks: list of lists, the sample numbers of each track.
        masked: the numbers of the samples that have a mask.
        photos: list of compressed pictures.
    """

    samples: list
    tracks: list
    masked: list
    photos: list

    def photo_bgr(self, number):
        """Decode a photo, uint8 (H, W, 3)."""
        return _decode(self.photos[number], cv2.IMREAD_COLOR, f"photo {number}")


def _decode(encoded, flags, what):
    image = cv2.imdecode(np.frombuffer(encoded, np.uint8), flags)
    if image is None:
        raise InvalidInputError(f"the picture of {what} cannot be decoded; the shard is damaged, fetch it again")
    return image


def _members(path):
    """Yield (key, {extension: bytes}) of a shard; a sample's members lie next to each other."""
    key, files = None, {}
    try:
        with tarfile.open(path) as shard:
            for member in shard:
                stem, _, extension = member.name.rpartition(".")
                if stem != key and files:
                    yield key, files
                    files = {}
                key = stem
                files[extension] = shard.extractfile(member).read()
    except (tarfile.TarError, OSError) as error:
        raise InvalidInputError(
            f"shard {path} cannot be read ({error}); expected a whole, uncompressed tar file"
        ) from error
    if files:
        yield key, files


def read_bank(folder):
    """Read every shard of a folder into a Bank.

    Raises:
        InvalidInputError: no track shards, or a shard that is damaged or incomplete; the message names the file.
    """
    folder = pathlib.Path(folder)
    track_shards = sorted(folder.glob("tracks-*.tar"))
    if not track_shards:
        raise InvalidInputError(f"no tracks-*.tar in {folder}; expected a folder of training shards")
    samples, tracks, track_numbers = [], [], {}
    for path in track_shards:
        for key, files in _members(path):
            missing = {"webp", "json"} - files.keys()
            if missing:
                raise InvalidInputError(
                    f"shard {path}: sample {key} has no .{sorted(missing)[0]}; fetch the shard again"
                )
            label = json.loads(files["json"])
            track = f"{label['set']}-{label['track']}"
            if track not in track_numbers:
                track_numbers[track] = len(tracks)
                tracks.append([])
            tracks[track_numbers[track]].append(len(samples))
            samples.append(
                Sample(
                    label["set"],
                    track,
                    label["kind"] == "video",
                    np.array(label["box_xywh"], np.float64),
                    np.array(label["valid_xywh"], int),
                    files["webp"],
                    files.get("png"),
                )
            )
    photos = [files["webp"] for path in sorted(folder.glob("photos-*.tar")) for _, files in _members(path)]
    masked = [number for number, sample in enumerate(samples) if sample.encoded_mask is not None]
    return Bank(samples, tracks, masked, photos)
