# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures of targets, decoded once and kept on the device that trains.

Of each labelled frame the bank keeps the square round the target that `stored_squares` describes; data that come as
such squares stay as they are. Empty margins are not kept.
"""

import collections
import concurrent.futures
import dataclasses
import functools
import logging
import math
import os

import cv2
import numpy as np
import torch
from tqdm import tqdm

from siam_tracker_ros.data import DatasetSettings, check_datasets
from siam_tracker_ros.data.problems import Problems, too_many_broken
from siam_tracker_ros.data.shards import read_photos
from siam_tracker_ros.data.stored_squares import square_side, stored_side
from siam_tracker_ros.errors import DatasetError, InvalidInputError, InvalidSettingError
from siam_tracker_ros.geometry import iou_xywh, xywh_to_cxcywh

PHOTO_SIDES = (128, 216)  # a photo is this large in its shorter side, and cut to this in its longer one
OUTLINE_POINTS = 32
OUTLINE_IOU = 0.7  # below it a mask and its box do not mean the same thing, and the box counts
BLOCK = 512  # pictures that are decoded before any of them is stored

_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class BankSettings:
    """What a bank holds.

    Attributes:
        datasets: the data sets with labels.
        photos: folder with photos-*.tar, unlabelled pictures for backgrounds; None for none.
        memory_gib: what the bank may take of the device's memory; until it is read, each process takes as much of the
            computer's.
    """

    datasets: list[DatasetSettings]
    photos: str | None = None
    memory_gib: float = 12.0


@dataclasses.dataclass(frozen=True, eq=False)
class ImageBank:
    """All pictures of a training run; N samples, the frames of a track next to each other and in order, then photos.

    Everything but the pixels lies on the CPU. Boxes and outlines are in pixels of the stored picture, pixel edges.

    Attributes:
        pixels: uint8 (P,) on the training device, all pictures behind each other; of each the planes of blue, green
            and red and, where it has one, the target's mask (0 or 255).
        offset: int64 (N + photos,), where each picture begins.
        size_wh: int64 (N + photos, 2), of the stored pictures.
        box_xywh: float64 (N, 4).
        outline_xy: float64 (N, 32, 2), the target's outermost points: those of its mask, or of the ellipse in its box.
        has_mask: bool (N + photos,).
        track: int64 (N,), number of the track.
        first, length: int64 (T,), first sample of each track and how many it has.
        share: float64 (T,), how often its frames are drawn in comparison with their number.
        dataset: name of each track's data set.
    """

    pixels: torch.Tensor
    offset: torch.Tensor
    size_wh: torch.Tensor
    box_xywh: torch.Tensor
    outline_xy: torch.Tensor
    has_mask: torch.Tensor
    track: torch.Tensor
    first: torch.Tensor
    length: torch.Tensor
    share: torch.Tensor
    dataset: tuple[str, ...]

    def __len__(self):
        return len(self.box_xywh)

    @property
    def device(self):
        return self.pixels.device

    @property
    def photos(self):
        """Number of photos; they are pictures len(self), len(self) + 1, ..."""
        return len(self.offset) - len(self)

    def planes(self, number):
        """One stored picture, uint8 (3 or 4, H, W): blue, green, red and, where it has one, the mask."""
        start, width, height, count = self._places[number]
        return self.pixels[start : start + count * width * height].view(count, height, width)

    @functools.cached_property
    def _places(self):
        table = torch.stack([self.offset, *self.size_wh.T, 3 + self.has_mask.long()], 1)
        return table.tolist()

    @classmethod
    def read(cls, settings, device="cpu"):
        """Decode everything that BankSettings name.

        Raises:
            DatasetError: data sets cannot be read, or too many frames of one; the message names the files.
            InvalidSettingError: the pictures would take more memory than allowed.
        """
        problems = Problems()
        photos = [] if settings.photos is None else read_photos(settings.photos, problems)
        if settings.photos is not None and not photos:
            problems.add(settings.photos, "has no photos-*.tar", "a folder of them", "set photos to null for none")
        found = check_datasets(settings.datasets, problems)
        tracks = [track for own in found for track in own]
        shares = [dataset.share for dataset, own in zip(settings.datasets, found) for _ in own]
        return cls.of_tracks(tracks, shares, photos, device, settings.memory_gib)

    @classmethod
    def of_tracks(cls, tracks, shares, photos=(), device="cpu", memory_gib=math.inf):
        """Decode the frames of tracks that show their target.

        Args:
            tracks: list of Track.
            shares: for each of them, see `ImageBank.share`.
            photos: objects with a method `image_bgr`.
            device: where the pixels go.
            memory_gib: the most that they may take.
        """
        _check_labels(tracks)
        frames = [(number, row) for number, track in enumerate(tracks) for row in np.flatnonzero(track.present)]
        if not frames:
            raise DatasetError("no frame of the training data shows a target, expected labelled frames")
        gib = memory_gib * 2**30
        max_bytes = sum(_max_bytes(tracks[number], row) for number, row in frames)
        max_bytes += 3 * math.prod(PHOTO_SIDES) * len(photos)
        if max_bytes > gib:
            fits = max(int(len(frames) / len(tracks) * gib / max_bytes), 1)
            raise InvalidSettingError(
                f"{len(frames)} frames and {len(photos)} photos take up to {max_bytes / 2**30:.1f} GiB, expected "
                f"{memory_gib:g} (memory_gib) at most; set max_frames of the data sets to {fits}, or allow more"
            )
        storage = _Storage(max_bytes)
        samples = storage.fill(
            [lambda at=at: _read_sample(tracks[at[0]], at[1]) for at in frames],
            [tracks[number].dataset for number, _ in frames],
        )
        kept = np.array([frames[number][0] for number, _ in samples])  # the track of each sample
        used, first, length = np.unique(kept, return_index=True, return_counts=True)
        storage.fill([lambda photo=photo: _read_photo(photo) for photo in photos], ["photos"] * len(photos))
        labels = [label for _, label in samples]
        return cls(
            storage.pixels.to(device),
            torch.tensor(storage.offset),
            torch.tensor(storage.size_wh),
            torch.from_numpy(np.stack([label.box_xywh for label in labels])),
            torch.from_numpy(np.stack([label.outline_xy for label in labels])),
            torch.tensor([label.has_mask for label in labels] + [False] * (len(storage.offset) - len(labels))),
            torch.from_numpy(np.repeat(np.arange(len(used)), length)),
            torch.from_numpy(first),
            torch.from_numpy(length),
            torch.tensor([shares[number] for number in used], dtype=torch.float64),
            tuple(tracks[number].dataset for number in used),
        )


@dataclasses.dataclass(frozen=True, eq=False)
class _Label:
    box_xywh: np.ndarray
    outline_xy: np.ndarray
    has_mask: bool


class _Storage:
    """Pixels of pictures, one behind the other; memory that is not written yet is only reserved."""

    def __init__(self, max_bytes):
        self._all = torch.empty(max_bytes, dtype=torch.uint8)
        self._used = 0
        self.offset, self.size_wh = [], []

    @property
    def pixels(self):
        return self._all[: self._used]

    def fill(self, readers, datasets):
        """Decode and store in order, in threads; return [(number, label)] of those that could be read.

        Args:
            readers: functions without arguments that return the planes of a picture and its label.
            datasets: name of each one's data set.
        """
        kept, broken = [], collections.defaultdict(list)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for start in tqdm(range(0, len(readers), BLOCK), desc="decode", unit="block", disable=None):
                for number, answer in enumerate(pool.map(_attempt, readers[start : start + BLOCK]), start):
                    if isinstance(answer, InvalidInputError):
                        broken[datasets[number]].append(str(answer))
                    else:
                        picture, label = answer
                        self._add(picture)
                        kept.append((number, label))
        counts = collections.Counter(datasets)
        for dataset, messages in broken.items():
            told = f"{len(messages)} of {counts[dataset]} pictures of {dataset} are broken, among them {messages[0]}"
            _judge(told, len(messages), counts[dataset])
        return kept

    def _add(self, planes):
        _, height, width = planes.shape
        self._all[self._used : self._used + planes.size] = torch.from_numpy(planes.reshape(-1))
        self.offset.append(self._used)
        self.size_wh.append((width, height))
        self._used += planes.size


def _check_labels(tracks):
    """Count the frames without a box because their label cannot be read."""
    broken, frames = collections.Counter(), collections.Counter()
    for track in tracks:
        broken[track.dataset] += track.unreadable
        frames[track.dataset] += len(track)
    for dataset, count in broken.items():
        if count:
            _judge(f"{count} of {frames[dataset]} labels of {dataset} cannot be read", count, frames[dataset])


def _judge(told, broken, frames):
    """Refuse a data set of which too much is broken, or warn of it."""
    if too_many_broken(broken, frames):
        raise DatasetError(f"{told}; fetch or unpack this data set again")
    _LOG.warning("%s; they are left out", told)


def _attempt(read):
    try:
        return read()
    except InvalidInputError as error:
        return error


def _max_bytes(track, row):
    valid = track.valid_xywh(row)
    pixels = stored_side(track.boxes_xywh[row]) ** 2 if valid is None else valid[2] * valid[3]
    return int(pixels) * (3 + track.has_mask(row))


def _read_sample(track, row):
    image, mask, box_xywh = track.image_bgr(row), track.mask(row), track.boxes_xywh[row]
    if track.valid_xywh(row) is None:
        image, mask, box_xywh = cut_context(image, mask, box_xywh)
    else:
        x, y, w, h = track.valid_xywh(row)
        image, mask = image[y : y + h, x : x + w], None if mask is None else mask[y : y + h, x : x + w]
        box_xywh = box_xywh - [x, y, 0, 0]
    if mask is None or not mask.any():
        return _planes(image), _Label(box_xywh, _ellipse_outline(box_xywh), has_mask=False)
    return _planes(image, mask), _Label(box_xywh, _mask_outline(mask, box_xywh), has_mask=True)


def _read_photo(photo):
    image = photo.image_bgr()
    short, long = PHOTO_SIDES
    ratio = short / min(image.shape[:2])
    size_wh = [max(round(side * ratio), short) for side in image.shape[1::-1]]
    image = cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA if ratio < 1 else cv2.INTER_LINEAR)
    top, left = (max(side - long, 0) // 2 for side in image.shape[:2])
    return _planes(image[top : top + long, left : left + long]), None


def _planes(image_bgr, *mask):
    """Picture and mask, if any, as planes, uint8 (3 or 4, H, W)."""
    return np.stack([*cv2.split(image_bgr), *mask])


def cut_context(image_bgr, mask, box_xywh):
    """Cut out the square round a target as the bank keeps it.

    Args:
        image_bgr: frame, uint8 (H, W, 3).
        mask: uint8 (H, W) of 0 and 255, or None.
        box_xywh: target in pixels of the frame.

    Returns:
        The same three, of the part of the square that lies in the frame.

    Raises:
        InvalidInputError: the square lies outside of the frame.
    """
    size_wh = np.array(image_bgr.shape[1::-1])
    side = square_side(box_xywh)
    center = xywh_to_cxcywh(box_xywh)[:2]
    low = np.clip(np.floor(center - side / 2), 0, size_wh).astype(int)
    high = np.clip(np.ceil(center + side / 2), 0, size_wh).astype(int)
    if (high <= low).any():
        raise InvalidInputError(f"box {box_xywh} lies outside of its frame of {size_wh[0]} x {size_wh[1]} pixels")
    stored = stored_side(box_xywh)
    stored_wh = np.clip(((high - low) * stored / side).round().astype(int), 1, stored)
    ratio = stored_wh / (high - low)
    rows, columns = slice(low[1], high[1]), slice(low[0], high[0])
    method = cv2.INTER_AREA if ratio.min() < 1 else cv2.INTER_CUBIC
    picture = cv2.resize(image_bgr[rows, columns], stored_wh.tolist(), interpolation=method)
    if mask is not None:
        smooth = cv2.INTER_AREA if ratio.min() < 1 else cv2.INTER_LINEAR
        mask = cv2.resize(mask[rows, columns], stored_wh.tolist(), interpolation=smooth)
        mask = np.where(mask >= 128, np.uint8(255), np.uint8(0))
    return picture, mask, np.concatenate([box_xywh[:2] - low, box_xywh[2:]]) * np.tile(ratio, 2)


def _directions():
    angle = np.arange(OUTLINE_POINTS) * (2 * np.pi / OUTLINE_POINTS)
    return np.stack([np.cos(angle), np.sin(angle)], 1)  # (32, 2)


def _ellipse_outline(box_xywh):
    box = xywh_to_cxcywh(box_xywh)
    return box[:2] + _directions() * box[2:] / 2


def _mask_outline(mask, box_xywh):
    """The mask's outermost points in 32 directions; the ellipse's where mask and box do not agree."""
    rows = np.flatnonzero(mask.any(axis=1))
    inside = mask[rows] > 0
    left, right = inside.argmax(axis=1), mask.shape[1] - inside[:, ::-1].argmax(axis=1)
    bounds = np.array([left.min(), rows[0], right.max() - left.min(), rows[-1] + 1 - rows[0]])
    if iou_xywh(bounds, box_xywh) < OUTLINE_IOU:
        return _ellipse_outline(box_xywh)
    corners = [np.stack([x, y], 1) for x in (left, right) for y in (rows, rows + 1)]
    points = np.concatenate(corners).astype(np.float64)
    return points[(points @ _directions().T).argmax(axis=0)]
