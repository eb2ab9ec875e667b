# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Images of targets, decoded once and kept on the device that trains.

Of each labelled frame the bank keeps the square around the target that `stored_squares` describes. Shards have such
squares already. Padding is not kept.
"""

import collections
import concurrent.futures
import dataclasses
import functools
import logging
import math
import os
import pathlib
import typing
from collections.abc import Callable, Sequence

import cv2
import numpy as np
import torch
from tqdm import tqdm

from siam_tracker_ros.data import DatasetSettings, Track, check_datasets
from siam_tracker_ros.data.problems import Problems, too_many_broken
from siam_tracker_ros.data.shards import read_photos
from siam_tracker_ros.data.stored_squares import square_side, stored_side
from siam_tracker_ros.errors import DatasetError, InvalidInputError, InvalidSettingError
from siam_tracker_ros.geometry import iou_xywh, xywh_to_cxcywh
from siam_tracker_ros.settings import setting

PHOTO_SIDES = (128, 216)  # shorter side of a photo, after resizing, and maximum of its longer side, after cropping
OUTLINE_POINTS = 32
OUTLINE_IOU = 0.7  # if mask and box agree less, the outline is taken from the box
BLOCK = 512  # images that are decoded before they are stored

_LOG = logging.getLogger(__name__)

L = typing.TypeVar("L")  # label of an image
T = typing.TypeVar("T")


@dataclasses.dataclass(frozen=True)
class BankSettings:
    """Content of a bank."""

    datasets: list[DatasetSettings] = setting(meaning="Labelled data sets.")
    photos: str | None = setting(
        None, "Folder with photos-*.tar, unlabelled images for backgrounds and random boxes; None for none."
    )
    memory_gib: float = setting(
        12.0,
        "Maximum memory of the bank on the device; while reading, each process takes as much main memory.",
    )


class Photo(typing.Protocol):
    """An unlabelled image that can be decoded."""

    def image_bgr(self) -> np.ndarray:
        """Decode it, uint8 (H, W, 3); raises InvalidInputError if it is broken."""


@dataclasses.dataclass(frozen=True, eq=False)
class ImageBank:
    """All images of a training run: N samples, grouped by track and in order, then the photos.

    All but the pixels is on the CPU. Boxes and outlines are in pixels of the stored image, measured from pixel edges.

    Attributes:
        pixels: uint8 (P,) on the training device, all images in a row; each as planes of blue, green, red and, if it
            has one, the target's mask (0 or 255).
        offset: int64 (N + photos,), start of each image.
        size_wh: int64 (N + photos, 2), of the stored images.
        box_xywh: float64 (N, 4).
        outline_xy: float64 (N, 32, 2), extreme points of the target: those of its mask, or of the ellipse in its box.
        has_mask: bool (N + photos,).
        track: int64 (N,), number of the track.
        first, length: int64 (T,), first sample of each track and its number of samples.
        share: float64 (T,), relative weight of its frames when frames are drawn.
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

    def __len__(self) -> int:
        return len(self.box_xywh)

    @property
    def device(self) -> torch.device:
        return self.pixels.device

    @property
    def photos(self) -> int:
        """Number of photos; they are images len(self), len(self) + 1, ..."""
        return len(self.offset) - len(self)

    def planes(self, number: int) -> torch.Tensor:
        """Return a stored image, uint8 (3 or 4, H, W): blue, green, red and, if it has one, the mask."""
        start, width, height, count = self._places[number]
        return self.pixels[start : start + count * width * height].view(count, height, width)

    @functools.cached_property
    def _places(self) -> list[list[int]]:
        table = torch.stack([self.offset, *self.size_wh.T, 3 + self.has_mask.long()], 1)
        return table.tolist()

    @classmethod
    def read(cls, settings: BankSettings, device: torch.device | str = "cpu") -> "ImageBank":
        """Read and decode all data.

        Raises:
            DatasetError: a data set cannot be read, or has too many broken frames; the message names the files.
            InvalidSettingError: the images would take more memory than allowed.
        """
        problems = Problems()
        photos = [] if settings.photos is None else read_photos(settings.photos, problems)
        if settings.photos is not None and not photos:
            folder = pathlib.Path(settings.photos)
            problems.add(folder, "has no photos-*.tar", "a folder of them", "set photos to null for none")
        found = check_datasets(settings.datasets, problems)
        tracks = [track for own in found for track in own]
        shares = [dataset.share for dataset, own in zip(settings.datasets, found) for _ in own]
        return cls.of_tracks(tracks, shares, photos, device, settings.memory_gib)

    @classmethod
    def of_tracks(
        cls,
        tracks: Sequence[Track],
        shares: Sequence[float],
        photos: Sequence[Photo] = (),
        device: torch.device | str = "cpu",
        memory_gib: float = math.inf,
    ) -> "ImageBank":
        """Decode the frames of tracks that show their target.

        Args:
            tracks: of all data sets.
            shares: of each track, see `ImageBank.share`.
            photos: for backgrounds and random boxes.
            device: of the pixels.
            memory_gib: maximum memory of the pixels.
        """
        _check_labels(tracks)
        frames = [
            (number, row) for number, track in enumerate(tracks) for row in np.flatnonzero(track.present).tolist()
        ]
        if not frames:
            raise DatasetError("no frame of the training data shows a target, expected labelled frames")
        limit = memory_gib * 2**30
        max_bytes = sum(_max_bytes(tracks[number], row) for number, row in frames)
        max_bytes += 3 * math.prod(PHOTO_SIDES) * len(photos)
        if max_bytes > limit:
            fits = max(int(len(frames) / len(tracks) * limit / max_bytes), 1)
            raise InvalidSettingError(
                f"{len(frames)} frames and {len(photos)} photos take up to {max_bytes / 2**30:.1f} GiB, expected "
                f"{memory_gib:g} (memory_gib) at most; set max_frames of the data sets to {fits}, or raise memory_gib"
            )
        storage = _Storage(max_bytes)
        samples = storage.fill(
            [functools.partial(_read_sample, tracks[number], row) for number, row in frames],
            [tracks[number].dataset for number, _ in frames],
        )
        kept = np.array([frames[number][0] for number, _ in samples])  # the track of each sample
        used, first, length = np.unique(kept, return_index=True, return_counts=True)
        storage.fill([functools.partial(_read_photo, photo) for photo in photos], ["photos"] * len(photos))
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
    """Pixels of images in a row; memory that is not written yet is reserved but not used."""

    def __init__(self, max_bytes: int) -> None:
        self._all = torch.empty(max_bytes, dtype=torch.uint8)
        self._used = 0
        self.offset: list[int] = []
        self.size_wh: list[tuple[int, int]] = []

    @property
    def pixels(self) -> torch.Tensor:
        return self._all[: self._used]

    def fill(
        self, readers: Sequence[Callable[[], tuple[np.ndarray, L]]], datasets: Sequence[str]
    ) -> list[tuple[int, L]]:
        """Decode in threads and store in order; return the numbers and labels of the images that are not broken.

        Args:
            readers: each returns the planes of an image and its label.
            datasets: name of each image's data set.
        """
        kept: list[tuple[int, L]] = []
        broken: dict[str, list[str]] = collections.defaultdict(list)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for start in tqdm(range(0, len(readers), BLOCK), desc="decode", unit="block", disable=None):
                for number, found in enumerate(pool.map(_attempt, readers[start : start + BLOCK]), start):
                    if isinstance(found, InvalidInputError):
                        broken[datasets[number]].append(str(found))
                    else:
                        planes, label = found
                        self._add(planes)
                        kept.append((number, label))
        counts = collections.Counter(datasets)
        for dataset, messages in broken.items():
            message = f"{len(messages)} of {counts[dataset]} images of {dataset} are broken, among them {messages[0]}"
            _refuse_or_warn(message, len(messages), counts[dataset])
        return kept

    def _add(self, planes: np.ndarray) -> None:
        _, height, width = planes.shape
        self._all[self._used : self._used + planes.size] = torch.from_numpy(planes.reshape(-1))
        self.offset.append(self._used)
        self.size_wh.append((width, height))
        self._used += planes.size


def _check_labels(tracks: Sequence[Track]) -> None:
    """Count the frames without box because their label cannot be read."""
    broken: collections.Counter[str] = collections.Counter()
    frames: collections.Counter[str] = collections.Counter()
    for track in tracks:
        broken[track.dataset] += track.unreadable
        frames[track.dataset] += len(track)
    for dataset, count in broken.items():
        if count:
            _refuse_or_warn(f"{count} of {frames[dataset]} labels of {dataset} cannot be read", count, frames[dataset])


def _refuse_or_warn(message: str, broken: int, frames: int) -> None:
    """Refuse a data set with too many broken frames; otherwise warn of them."""
    if too_many_broken(broken, frames):
        raise DatasetError(f"{message}; fetch or unpack this data set again")
    _LOG.warning("%s; they are ignored", message)


def _attempt(read: Callable[[], T]) -> T | InvalidInputError:
    try:
        return read()
    except InvalidInputError as error:
        return error


def _max_bytes(track: Track, row: int) -> int:
    valid = track.valid_xywh(row)
    pixels = stored_side(track.boxes_xywh[row]) ** 2 if valid is None else valid[2] * valid[3]
    return int(pixels) * (3 + track.has_mask(row))


def _read_sample(track: Track, row: int) -> tuple[np.ndarray, _Label]:
    image, mask, box_xywh = track.image_bgr(row), track.mask(row), track.boxes_xywh[row]
    valid = track.valid_xywh(row)
    if valid is None:
        image, mask, box_xywh = cut_context(image, mask, box_xywh)
    else:
        x, y, w, h = valid
        image, mask = image[y : y + h, x : x + w], None if mask is None else mask[y : y + h, x : x + w]
        box_xywh = box_xywh - [x, y, 0, 0]
    if mask is None or not mask.any():
        return _planes(image), _Label(box_xywh, ellipse_outline(box_xywh), has_mask=False)
    return _planes(image, mask), _Label(box_xywh, _mask_outline(mask, box_xywh), has_mask=True)


def _read_photo(photo: Photo) -> tuple[np.ndarray, None]:
    image = photo.image_bgr()
    short, long = PHOTO_SIDES
    ratio = short / min(image.shape[:2])
    size_wh = [max(round(side * ratio), short) for side in image.shape[1::-1]]
    image = cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA if ratio < 1 else cv2.INTER_LINEAR)
    top, left = (max(side - long, 0) // 2 for side in image.shape[:2])
    return _planes(image[top : top + long, left : left + long]), None


def _planes(image_bgr: np.ndarray, *mask: np.ndarray) -> np.ndarray:
    """Return image and mask, if any, as planes, uint8 (3 or 4, H, W)."""
    return np.stack([*cv2.split(image_bgr), *mask])


def cut_context(
    image_bgr: np.ndarray, mask: np.ndarray | None, box_xywh: np.ndarray
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """Cut the square around a target as the bank stores it.

    Args:
        image_bgr: frame, uint8 (H, W, 3).
        mask: uint8 (H, W) of 0 and 255, or None.
        box_xywh: of the target, in pixels of the frame.

    Returns:
        Image, mask and box of the part of the square that lies inside the frame.

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
    image = cv2.resize(image_bgr[rows, columns], stored_wh.tolist(), interpolation=method)
    if mask is not None:
        smooth = cv2.INTER_AREA if ratio.min() < 1 else cv2.INTER_LINEAR
        mask = cv2.resize(mask[rows, columns], stored_wh.tolist(), interpolation=smooth)
        mask = np.where(mask >= 128, np.uint8(255), np.uint8(0))
    return image, mask, np.concatenate([box_xywh[:2] - low, box_xywh[2:]]) * np.tile(ratio, 2)


def _directions() -> np.ndarray:
    angle = np.arange(OUTLINE_POINTS) * (2 * np.pi / OUTLINE_POINTS)
    return np.stack([np.cos(angle), np.sin(angle)], 1)  # (32, 2)


def ellipse_outline(box_xywh: np.ndarray) -> np.ndarray:
    """Return points (..., 32, 2) of the ellipses in boxes (..., 4), which stand for targets without a mask."""
    box = xywh_to_cxcywh(box_xywh)[..., None, :]
    return box[..., :2] + _directions() * box[..., 2:] / 2


def _mask_outline(mask: np.ndarray, box_xywh: np.ndarray) -> np.ndarray:
    """Return the mask's extreme points in 32 directions, or those of the ellipse if mask and box disagree."""
    rows = np.flatnonzero(mask.any(axis=1))
    inside = mask[rows] > 0
    left, right = inside.argmax(axis=1), mask.shape[1] - inside[:, ::-1].argmax(axis=1)
    bounds = np.array([left.min(), rows[0], right.max() - left.min(), rows[-1] + 1 - rows[0]])
    if iou_xywh(bounds, box_xywh) < OUTLINE_IOU:
        return ellipse_outline(box_xywh)
    corners = [np.stack([x, y], 1) for x in (left, right) for y in (rows, rows + 1)]
    points = np.concatenate(corners).astype(np.float64)
    return points[(points @ _directions().T).argmax(axis=0)]
