# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Clips: how they are found, read, cut into scenes, and recognized when they show test sequences."""

import collections
import contextlib
import dataclasses
import pathlib
from collections.abc import Iterator, Mapping, Sequence

import cv2
import numpy as np

from siam_tracker_ros.data.files import decode_text
from siam_tracker_ros.errors import IncompleteVideoError, InvalidInputError
from siam_tracker_ros.frames import FrameSource, open_frames
from siam_tracker_ros.images import find, is_image_name
from tools.label.settings import LabelSettings

VIDEO_SUFFIXES = frozenset({".avi", ".gif", ".m4v", ".mkv", ".mov", ".mp4", ".mpg", ".webm"})
HISTOGRAM_BINS = 8  # per colour channel
FINGERPRINT_DIFFERENCE = 30  # of 256 bits; two fingerprints of the same image differ by at most this
FINGERPRINT_BALANCE = 0.3  # maximum distance of the share of rising bits from one half

StartBoxes = Mapping[str, Sequence[tuple[int, np.ndarray]]]  # from clip to pairs of frame and box_xywh float64 (4,)


@dataclasses.dataclass(frozen=True, eq=False)
class Clip:
    """The used frames of a clip.

    Attributes:
        frames: list of uint8 (H, W, 3).
        first: number of the first one in the file.
        step: frames of the file from one to the next.
        scale: pixels of a frame over pixels of the file's frame, at most 1.
        remarks: sentences about frames that are missing.
    """

    frames: list[np.ndarray]
    first: int
    step: int
    scale: float
    remarks: tuple[str, ...] = ()


def find_clips(folder: str | pathlib.Path) -> list[pathlib.Path]:
    """Return the clips of a folder, sorted: videos and gifs, and folders with images in them, at any depth.

    Raises:
        InvalidInputError: there is no such folder, or no clip in it.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise InvalidInputError(f"{folder} is no folder, expected one with clips: videos, gifs or folders of images")
    files = [path for path in find(folder, "**/*") if path.is_file()]
    clips = {path for path in files if path.suffix.lower() in VIDEO_SUFFIXES}
    clips |= {path.parent for path in files if is_image_name(path.name)}
    if not clips:
        raise InvalidInputError(
            f"no clips in {folder}, expected videos ({', '.join(sorted(VIDEO_SUFFIXES))}) or folders of images"
        )
    return sorted(clips)


def read_clip(path: pathlib.Path, settings: LabelSettings, frame: int = 0) -> Clip:
    """Return the Clip of a file, thinned out such that the file's frame of this number is among its frames.

    Raises:
        InvalidInputError: nothing in the file decodes to an image.
    """
    found: list[np.ndarray] = []
    scale = 1.0
    with open_frames(path) as source:
        step = max(1, round(source.fps / settings.rate))
        first = frame % step
        for index, image in enumerate(_read_ended(source)):
            if (index + source.skipped) % step != first:
                continue
            scale = min(1.0, settings.longest_side / max(image.shape[:2]))
            if scale < 1:
                image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            found.append(image)
            if len(found) == settings.clip_frames:
                break
        return Clip(found, first, step, scale, source.remarks)


def _read_ended(source: FrameSource) -> Iterator[np.ndarray]:
    """Yield the frames of a source; a video that is cut short ends there, which its remarks say."""
    with contextlib.suppress(IncompleteVideoError):
        yield from source


def read_start_boxes(path: str | pathlib.Path) -> StartBoxes:
    """Read where targets are from lines of `clip,frame,x,y,w,h`, the clip as its path within the folder of clips.

    Returns:
        Dictionary from clip to a list of (frame, box_xywh float64 (4,)); frames count from 0 as in the file.

    Raises:
        InvalidInputError: a line has another form; the message says which.
    """
    lines = decode_text(pathlib.Path(path).read_bytes(), "surrogateescape").splitlines()
    found: dict[str, list[tuple[int, np.ndarray]]] = collections.defaultdict(list)
    for number, line in enumerate(lines, 1):
        clip, *numbers = line.rsplit(",", 5)
        try:
            frame, box = int(numbers[0]), np.array(numbers[1:], np.float64)
        except (IndexError, ValueError):
            frame, box = -1, np.empty(0)
        if not clip or box.shape != (4,) or not np.isfinite(box).all() or frame < 0 or box[2:].min() <= 0:
            raise InvalidInputError(f"{path}, line {number} is {line!r}, expected clip,frame,x,y,w,h")
        found[clip].append((frame, box))
    if not found:
        raise InvalidInputError(f"{path} names no target, expected lines of clip,frame,x,y,w,h")
    return dict(found)


def split_scenes(frames: Sequence[np.ndarray], settings: LabelSettings) -> list[tuple[int, int]]:
    """Return (start, stop) of each scene: of each stretch of frames without a jump of the colour histogram."""
    histograms = [_histogram(image) for image in frames]
    cuts = [
        number
        for number in range(1, len(frames))
        if np.abs(histograms[number] - histograms[number - 1]).sum() / 2 > settings.scene_change
        or frames[number].shape != frames[number - 1].shape
    ]
    return list(zip([0, *cuts], [*cuts, len(frames)], strict=True))


def fingerprints(folder: str | pathlib.Path) -> np.ndarray:
    """Return the fingerprints, bool (N, 256), of every fifth frame of the clips in a folder."""
    settings = LabelSettings(rate=1e9, clip_frames=100_000)
    return np.concatenate([_fingerprints(read_clip(clip, settings).frames[::5]) for clip in find_clips(folder)])


def looks_held_out(frames: Sequence[np.ndarray], held_out: np.ndarray) -> bool:
    """Whether a frame shows an image of `fingerprints`, even if it is scaled, compressed or slightly changed."""
    differ = (_fingerprints(frames)[:, None] != held_out[None]).sum(-1)  # (frames, images)
    return bool((differ <= FINGERPRINT_DIFFERENCE).any())


def _fingerprints(images_bgr: Sequence[np.ndarray]) -> np.ndarray:
    """Where brightness rises from left to right in each image, shrunk to 16 rows of 16 steps: bool (N, 256).

    Images of one colour and masks have hardly any rise, or hardly any fall. They identify nothing and are left out.
    """
    prints = np.zeros((0, 256), bool)
    for image in images_bgr:
        small = cv2.resize(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), (17, 16), interpolation=cv2.INTER_AREA)
        rises = (small[:, 1:] > small[:, :-1]).ravel()
        if abs(rises.mean() - 0.5) < FINGERPRINT_BALANCE:
            prints = np.concatenate([prints, rises[None]])
    return prints


def _histogram(image_bgr: np.ndarray) -> np.ndarray:
    small = cv2.resize(image_bgr, (96, 54), interpolation=cv2.INTER_AREA)
    bins = (small // (256 // HISTOGRAM_BINS)).reshape(-1, 3).astype(int) @ [HISTOGRAM_BINS**2, HISTOGRAM_BINS, 1]
    return np.bincount(bins, minlength=HISTOGRAM_BINS**3) / len(bins)
