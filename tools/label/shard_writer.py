# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Writes tracks as shards, which `siam_tracker_ros.data.shards` reads: crops of targets in uncompressed tar files."""

import io
import json
import pathlib
import tarfile
import types
from collections.abc import Sequence

import cv2
import numpy as np

from siam_tracker_ros.core.crop import crop_context, mean_bgr
from siam_tracker_ros.data.stored_squares import square_side, stored_side
from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.geometry import xywh_to_cxcywh, xywh_to_xyxy, xyxy_to_xywh

WEBP_QUALITY = 80


# Frame number, image uint8 (H, W, 3), box_xywh (4,) in its pixels, and mask uint8 (H, W), 0 and 255, or None.
LabelledFrame = tuple[int, np.ndarray, np.ndarray, np.ndarray | None]


def context_crop(
    image_bgr: np.ndarray, box_xywh: np.ndarray, mask: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]:
    """Cut the square with context around a target that is stored for training.

    Args:
        image_bgr: uint8 (H, W, 3).
        box_xywh: (4,), the target in pixels of the image.
        mask: of the target, uint8 (H, W), 0 and 255, or None.

    Returns:
        The crop, uint8 (S, S, 3) with S of STORED_SIDES, filled with the image's mean colour outside of it; the box
        float64 (4,) and the part that is real image, int (4,), both as x, y, w, h in pixels of the crop; and the mask's
        crop, uint8 (S, S), or None.
    """
    box = np.asarray(box_xywh, np.float64)
    center_xy = xywh_to_cxcywh(box)[:2]
    side, stored = max(1, round(float(square_side(box)))), stored_side(box)

    def cut(image: np.ndarray, fill: Sequence[float] | np.ndarray) -> tuple[np.ndarray, tuple[int, int]]:
        region, corner_xy = crop_context(image, center_xy, side, side, fill)
        interpolation = cv2.INTER_AREA if side > stored else cv2.INTER_CUBIC
        return cv2.resize(region, (stored, stored), interpolation=interpolation), corner_xy

    def to_crop(box_xywh: np.ndarray) -> np.ndarray:
        return np.concatenate([box_xywh[:2] - corner_xy, box_xywh[2:]]) * (stored / side)

    crop, corner_xy = cut(image_bgr, mean_bgr(image_bgr))
    if mask is not None:
        mask = (cut(cv2.merge([mask] * 3), (0, 0, 0))[0][..., 0] > 127).astype(np.uint8) * 255
    height, width = image_bgr.shape[:2]
    frame_xyxy = xywh_to_xyxy(to_crop(np.array([0.0, 0.0, width, height])))
    valid_xyxy = np.concatenate([np.ceil(frame_xyxy[:2]), np.floor(frame_xyxy[2:])]).clip(0, stored).astype(int)
    return crop, to_crop(box), xyxy_to_xywh(valid_xyxy), mask


class ShardWriter:
    """A context manager that writes tracks into `tracks-NAME-00.tar`, `tracks-NAME-01.tar` ... of a folder.

    A shard gets its name when it is complete, so that a reader never finds half of one. Shards of an earlier run with
    that name are refused, not replaced.

    Args:
        folder: where to write; made where it does not exist.
        name: middle part of the files' names.
        max_bytes: at which a shard is closed and the next one begun.
    """

    def __init__(self, folder: str | pathlib.Path, name: str, max_bytes: int = 25_000_000) -> None:
        self.folder, self.name, self.max_bytes = pathlib.Path(folder), name, max_bytes
        self.folder.mkdir(parents=True, exist_ok=True)
        earlier = sorted(self.folder.glob(f"tracks-{name}-*.tar"))
        if earlier:
            raise InvalidInputError(f"{earlier[0]} exists already; write to another folder, or remove it first")
        self.paths: list[pathlib.Path] = []
        self._tar: tarfile.TarFile | None = None

    def __enter__(self) -> "ShardWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None
    ) -> None:
        if kind is None:
            self._close()
        elif self._tar is not None:  # half of a track may have been written
            self._tar.fileobj.close()
            self._part.unlink(missing_ok=True)

    def add_track(self, set_name: str, track: str, frames: Sequence[LabelledFrame]) -> None:
        """Append one track.

        Args:
            set_name: of the data set; no "-" in it.
            track: name of the track, unique within its set.
            frames: its labelled frames.
        """
        if self._tar is None:
            self._part = self.folder / f"tracks-{self.name}-{len(self.paths):02d}.tar.part"
            self._tar = tarfile.open(self._part, "w")
        for number, image_bgr, box_xywh, whole_mask in frames:
            crop, box, valid, mask = context_crop(image_bgr, box_xywh, whole_mask)
            label = {
                "set": set_name,
                "track": track,
                "frame": int(number),
                "box_xywh": [round(float(value), 2) for value in box],
                "size": [crop.shape[1], crop.shape[0]],
                "valid_xywh": valid.tolist(),
                "label": "",
                "kind": "video",
            }
            encoded = cv2.imencode(".webp", crop, [cv2.IMWRITE_WEBP_QUALITY, WEBP_QUALITY])[1].tobytes()
            key = f"{set_name}-{track}-{number}"
            _add_file(self._tar, f"{key}.webp", encoded)
            if mask is not None:
                png = cv2.imencode(".png", mask, [cv2.IMWRITE_PNG_BILEVEL, 1])[1].tobytes()
                _add_file(self._tar, f"{key}.png", png)
            _add_file(self._tar, f"{key}.json", json.dumps(label).encode())
        if self._tar.offset >= self.max_bytes:
            self._close()

    def _close(self) -> None:
        if self._tar is None:
            return
        self._tar.close()
        self._tar = None
        self.paths.append(self._part.rename(self._part.with_suffix("")))


def _add_file(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))
