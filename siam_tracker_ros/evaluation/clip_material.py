# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What clips are made of: sequences that play, and layers of a frame that are drawn one over the other.

A clip shows a view of a canvas. Scenes have their place on the canvas; covers and copies have it in the view.
"""

import dataclasses
import functools
import typing
from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from siam_tracker_ros.data.track import Track
from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.geometry import intersection_xywh

MIN_CONTRAST = 14  # standard deviation of a texture's grey levels
COPY_LEAD = 7  # frames that a copy of the target itself is ahead of it


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
    """A labelled sequence with at least two frames and a box."""

    track: Track

    @functools.cached_property
    def size_wh(self) -> np.ndarray:
        """Int64 (2,), width and height of the frames."""
        return np.array(self.track.image_bgr(0).shape[1::-1])

    @property
    def dense(self) -> bool:
        """Whether every frame has a box."""
        return bool(self.track.present.all())


@dataclasses.dataclass(frozen=True, eq=False)
class Play:
    """A sequence that is played from one of its frames on, forth and back."""

    source: Source
    start: int

    def index(self, i: int) -> int:
        """Return the sequence's frame that is shown in frame i."""
        last = len(self.source.track) - 1
        return last - abs((self.start + i) % (2 * last) - last)

    def boxes_xywh(self, frames: int) -> np.ndarray:
        """Return the boxes (N, 4) of the first frames."""
        return self.source.track.boxes_xywh[[self.index(i) for i in range(frames)]]

    def image_bgr(self, i: int) -> np.ndarray:
        """Decode frame i, uint8 (H, W, 3)."""
        return self.source.track.image_bgr(self.index(i))


class Layer(typing.Protocol):
    """Something that is drawn into the frames of a clip, over the layers before it."""

    def draw(self, view_bgr: np.ndarray, window_xy: np.ndarray, i: int) -> None:
        """Draw frame i into a view, uint8 (H, W, 3), whose top left corner is at (2,) of the canvas."""
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class Scene:
    """The frames of a sequence on the canvas.

    Attributes:
        play: the frames.
        corner_xy: int64 (N, 2) or (2,), top left corner on the canvas.
        size_wh: width and height that the frames are resized to.
        begin: first frame in which it is drawn.
    """

    play: Play
    corner_xy: np.ndarray
    size_wh: np.ndarray
    begin: int = 0

    @classmethod
    def whole(cls, play: Play) -> "Scene":
        """The frames as they are, at the canvas' origin."""
        return cls(play, np.zeros(2, dtype=np.int64), play.source.size_wh)

    def draw(self, view_bgr: np.ndarray, window_xy: np.ndarray, i: int) -> None:
        corner_xy = (self.corner_xy if self.corner_xy.ndim == 1 else self.corner_xy[i]) - window_xy
        shown = intersection_xywh([*corner_xy, *self.size_wh], [0, 0, *view_bgr.shape[1::-1]])
        if i >= self.begin and shown[2:].all():
            _paste(view_bgr, resize(self.play.image_bgr(i), self.size_wh), corner_xy)

    def boxes_in(self, window_xy: np.ndarray) -> np.ndarray:
        """Return the target's boxes (N, 4) in views at window_xy (N, 2)."""
        scale = self.size_wh / self.play.source.size_wh
        boxes_xywh = self.play.boxes_xywh(len(window_xy)) * np.tile(scale, 2)
        boxes_xywh[:, :2] += self.corner_xy - window_xy
        return boxes_xywh

    def frames_in(self, window_xy: np.ndarray) -> np.ndarray:
        """Return where the frames are (N, 4) in views at window_xy (N, 2)."""
        corner_xy = self.corner_xy - window_xy
        return np.concatenate([corner_xy, np.broadcast_to(self.size_wh, corner_xy.shape)], axis=1).astype(np.float64)


@dataclasses.dataclass(frozen=True, eq=False)
class Cover:
    """A textured rectangle in the view.

    Attributes:
        texture_bgr: uint8 (H, W, 3).
        corner_xy: int64 (N, 2), top left corner in the view.
    """

    texture_bgr: np.ndarray
    corner_xy: np.ndarray

    @property
    def boxes_xywh(self) -> np.ndarray:
        """Float64 (N, 4), where it is in the view."""
        size_wh = np.broadcast_to(self.texture_bgr.shape[1::-1], self.corner_xy.shape)
        return np.concatenate([self.corner_xy, size_wh], axis=1).astype(np.float64)

    def draw(self, view_bgr: np.ndarray, window_xy: np.ndarray, i: int) -> None:
        _paste(view_bgr, self.texture_bgr, self.corner_xy[i])


@dataclasses.dataclass(frozen=True, eq=False)
class Copy:
    """A look-alike in the view: a target that is cut out of its frames.

    Attributes:
        play: the frames.
        boxes_xywh: int64 (N, 4), where it is in the view.
        mirrored: whether left and right are exchanged.
        hue, gain: change of the hue in steps of two degrees, and factor of the brightness.
    """

    play: Play
    boxes_xywh: np.ndarray
    mirrored: bool = False
    hue: int = 0
    gain: float = 1.0

    def placed(self, centers_xy: np.ndarray) -> "Copy":
        """Return it with its boxes moved to centres (N, 2)."""
        size_wh = self.boxes_xywh[:, 2:]
        boxes_xywh = np.concatenate([round_pixels(centers_xy - size_wh / 2), size_wh], axis=1)
        return dataclasses.replace(self, boxes_xywh=boxes_xywh)

    def draw(self, view_bgr: np.ndarray, window_xy: np.ndarray, i: int) -> None:
        patch_bgr, alpha = self._cut(i)
        size_wh = self.boxes_xywh[i, 2:]
        patch_bgr, alpha = resize(patch_bgr, size_wh), resize(alpha, size_wh)
        if self.mirrored:
            patch_bgr, alpha = patch_bgr[:, ::-1], alpha[:, ::-1]
        if self.hue or self.gain != 1:
            hsv = cv2.cvtColor(np.ascontiguousarray(patch_bgr), cv2.COLOR_BGR2HSV).astype(np.float64)
            hsv[..., 0] = (hsv[..., 0] + self.hue) % 180
            hsv[..., 2] = np.clip(hsv[..., 2] * self.gain, 0, 255)
            patch_bgr = cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2BGR)
        _paste(view_bgr, patch_bgr, self.boxes_xywh[i, :2], alpha)

    def _cut(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the target's pixels and how opaque each is, float32 0..1: its mask, or a superellipse without one."""
        track, index = self.play.source.track, self.play.index(i)
        image_bgr, mask = track.image_bgr(index), track.mask(index)
        box = track.boxes_xywh[index]
        left, top = np.clip(np.floor(box[:2]).astype(int), 0, self.play.source.size_wh - 1)
        right, bottom = np.clip(np.ceil(box[:2] + box[2:]).astype(int), (left + 1, top + 1), self.play.source.size_wh)
        patch_bgr = image_bgr[top:bottom, left:right]
        if mask is not None:
            return patch_bgr, cv2.GaussianBlur((mask[top:bottom, left:right] > 0).astype(np.float32), (3, 3), 0)
        x, y = (np.abs(np.linspace(-1, 1, count)) for count in (right - left, bottom - top))
        radius = np.cbrt(x[None, :] ** 3 + y[:, None] ** 3)
        return patch_bgr, np.clip((1.08 - radius) / 0.2, 0, 1).astype(np.float32)


class Material:
    """Sequences, and what is drawn of them by chance.

    Attributes:
        sources: the sequences with at least two frames and a box.
        class_of: see ClipMaker.

    Raises:
        InvalidInputError: there are none.
    """

    def __init__(self, tracks: Sequence[Track], class_of: Mapping[str, str]) -> None:
        self.sources = [Source(track) for track in tracks if len(track) > 1 and track.present.any()]
        self.class_of = class_of
        if not self.sources:
            raise InvalidInputError(
                f"{len(tracks)} sequences have no box or one frame, expected at least one with a box and two frames"
            )

    def play(self, source: Source, frames: int, rng: np.random.Generator) -> Play:
        """Start somewhere, where possible such that the sequence need not turn."""
        starts = np.flatnonzero(source.track.present)
        early = starts[starts + frames <= len(source.track)]
        return Play(source, int(rng.choice(early if len(early) else starts)))

    def other_play(self, source: Source, rng: np.random.Generator) -> Play | None:
        """Start another video somewhere, with a target of another class where classes are known; None without one."""
        own_class = self.class_of.get(source.track.name, source)
        others = [
            other
            for other in self.sources
            if other.track.scene != source.track.scene and self.class_of.get(other.track.name) != own_class
        ]
        if not others:
            return None
        other = others[rng.integers(len(others))]
        return Play(other, int(rng.integers(len(other.track))))

    def copy(self, target: Scene, boxes_xywh: np.ndarray, rng: np.random.Generator) -> tuple[str, Copy]:
        """Draw a look-alike of a target that has boxes (N, 4) in the view; `placed` is yet to give it its place.

        Returns:
            What it is: mirrored, recoloured or of its class, and the copy.
        """
        play = target.play
        peers = self._peers(play.source)
        how = str(rng.choice(["mirrored", "recoloured", *["of its class"] * 2 * bool(peers)]))
        if how == "of its class":
            peer = peers[rng.integers(len(peers))]
            copied = Play(peer, int(rng.integers(len(peer.track))))
            size_wh = copied.boxes_xywh(len(boxes_xywh))[:, 2:]
            size_wh = size_wh * np.sqrt(boxes_xywh[:, 2:].prod(axis=1) / size_wh.prod(axis=1))[:, None]
        else:
            copied = Play(play.source, play.start + COPY_LEAD)
            size_wh = copied.boxes_xywh(len(boxes_xywh))[:, 2:] * (target.size_wh / play.source.size_wh)
        size_wh = np.maximum(round_pixels(size_wh), 2)
        copy = Copy(copied, np.concatenate([np.zeros_like(size_wh), size_wh], axis=1), mirrored=how != "of its class")
        if how == "recoloured":
            copy = dataclasses.replace(copy, hue=int(rng.integers(35, 145)), gain=float(rng.choice([0.7, 1.4])))
        return how, copy

    def _peers(self, source: Source) -> list[Source]:
        """Return the sequences of other videos with a target of the same class in every frame."""
        own_class = self.class_of.get(source.track.name)
        return [
            peer
            for peer in self.sources
            if own_class is not None
            and self.class_of.get(peer.track.name) == own_class
            and peer.track.scene != source.track.scene
            and peer.dense
        ]

    def texture(self, play: Play, size_wh: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
        """Cut a patch that is not plain and not of a target, uint8 (H, W, 3); None if none is found."""
        for _ in range(8):
            source = play.source if rng.random() < 0.5 else self.sources[rng.integers(len(self.sources))]
            index = int(rng.integers(len(source.track)))
            scale = min(1.0, float((0.9 * source.size_wh / size_wh).min()))
            patch_wh = np.maximum(4, np.floor(size_wh * scale).astype(np.int64))
            x, y = rng.integers(source.size_wh - patch_wh)
            if intersection_xywh(source.track.boxes_xywh[index], [x, y, *patch_wh])[2:].prod() > 0:
                continue
            patch_bgr = source.track.image_bgr(index)[y : y + patch_wh[1], x : x + patch_wh[0]]
            if cv2.cvtColor(patch_bgr, cv2.COLOR_BGR2GRAY).std() >= MIN_CONTRAST:
                return resize(patch_bgr, size_wh)
        return None


def round_pixels(values: np.ndarray) -> np.ndarray:
    """Round to whole pixels, int64."""
    return np.round(values).astype(np.int64)


def resize(image: np.ndarray, size_wh: np.ndarray) -> np.ndarray:
    """Resize an image, (H, W) or (H, W, 3), to width and height."""
    width, height = (int(side) for side in size_wh)
    if image.shape[1::-1] == (width, height):
        return image
    shrinks = width < image.shape[1]
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def _paste(view_bgr: np.ndarray, patch_bgr: np.ndarray, corner_xy: np.ndarray, alpha: np.ndarray | None = None) -> None:
    """Draw a patch with its top left corner at a pixel of the view, opaque or by alpha (H, W), 0..1."""
    x, y = corner_xy.tolist()
    height, width = patch_bgr.shape[:2]
    left, top, right, bottom = (
        max(0, x),
        max(0, y),
        min(view_bgr.shape[1], x + width),
        min(view_bgr.shape[0], y + height),
    )
    if left >= right or top >= bottom:
        return
    shown = slice(top - y, bottom - y), slice(left - x, right - x)
    part = view_bgr[top:bottom, left:right]
    if alpha is None:
        part[:] = patch_bgr[shown]
    else:
        share = alpha[shown][..., None]
        part[:] = np.rint(part * (1 - share) + patch_bgr[shown] * share)
