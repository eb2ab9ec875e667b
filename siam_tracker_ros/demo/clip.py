# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Clips for the demo: the rendered scene, a video, a folder of images or a camera."""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from siam_tracker_ros.data.box_files import read_boxes
from siam_tracker_ros.demo.report import TrueFrame, Truth
from siam_tracker_ros.demo.scene import FPS as SCENE_FPS
from siam_tracker_ros.demo.scene import FRAMES as SCENE_FRAMES
from siam_tracker_ros.demo.scene import Scene
from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.frames import open_frames
from siam_tracker_ros.geometry import check_box_xywh

_DEFAULT_RATE = 30.0
_CAMERA_S = 20.0


@dataclasses.dataclass(frozen=True, eq=False)
class Clip:
    """Frames to publish, and what is known about them in advance.

    Attributes:
        source: value of the parameter `source` of video_publisher.
        title: description for people.
        rate: frames per second.
        frames: number of frames to publish; 0: all there are.
        box_xywh: box of the target in the first frame, in pixels.
        live: whether it is a camera, whose frames must be recorded to be read again.
        scene: the Scene that is rendered, or None.
        labels_xywh: float64 (N, 4), labels of all N frames, or None.
    """

    source: str
    title: str
    rate: float
    frames: int
    box_xywh: tuple[float, ...]
    live: bool = False
    scene: Scene | None = None
    labels_xywh: np.ndarray | None = None

    def read(self, count: int, recording: Path | None = None) -> Iterator[TrueFrame]:
        """Yield the first `count` frames again, with what is known about them.

        Args:
            count: number of frames.
            recording: video file in which the frames of a camera were recorded.
        """
        if self.scene is not None:
            for index in range(count):
                frame = self.scene[index]
                yield TrueFrame(frame.image_bgr, frame.box_xywh, frame.visibility, frame.distractors_xywh)
            return
        labels_xywh = np.full((count, 4), np.nan) if self.labels_xywh is None else self.labels_xywh[:count]
        truth = Truth.from_boxes(labels_xywh)
        source = recording if self.live else self.source
        if source is None:
            raise ValueError("the frames of a camera are read from their recording, expected its path")
        with open_frames(source) as frames:
            for known in zip(truth.boxes_xywh, truth.visibility, truth.distractors_xywh, strict=True):
                image_bgr = next(frames, None)
                if image_bgr is None:
                    return
                yield TrueFrame(image_bgr, *known)


def rendered_clip(rate: float | None = None, duration: float | None = None) -> Clip:
    """Return the Clip of the rendered scene; `rate` in frames per second, `duration` in seconds."""
    rate = rate or SCENE_FPS
    frames = _count(duration, rate) if duration else SCENE_FRAMES
    scene = Scene(frames=frames)
    title = f"the rendered clip, {frames} frames at {rate:g} Hz: a red rover that goes under a bridge and out of view"
    return Clip("scene", title, rate, frames, tuple(scene[0].box_xywh), scene=scene)


def camera_clip(
    number: int, box_xywh: Sequence[float], rate: float | None = None, duration: float | None = None
) -> Clip:
    """Return the Clip of a camera; `rate` in frames per second, `duration` in seconds."""
    rate, duration = rate or _DEFAULT_RATE, duration or _CAMERA_S
    title = f"camera {number} for {duration:g} s; Ctrl-C ends it earlier"
    return Clip(str(number), title, rate, _count(duration, rate), tuple(box_xywh), live=True)


def video_clip(
    source: str | Path,
    box_xywh: Sequence[float] | None = None,
    rate: float | None = None,
    duration: float | None = None,
) -> Clip:
    """Return the Clip of a video file or a folder of images; `rate` in frames per second, `duration` in seconds.

    Labels are read from `groundtruth.txt` beside a folder of images, if it has one line per image.

    Raises:
        InvalidInputError: the source cannot be read, or there is no box, or it lies outside the first frame.
    """
    with open_frames(source) as frames:
        rate = rate or frames.fps or _DEFAULT_RATE
        height, width = next(frames).shape[:2]
        labels_xywh = _labels_beside(Path(source), frames.frame_count)
    if box_xywh is None:
        if labels_xywh is None:
            raise InvalidInputError(f"{source} has no labels; give the target: --box x,y,w,h in pixels")
        box_xywh = labels_xywh[0]
    box_xywh = tuple(check_box_xywh(box_xywh, (width, height)))
    title = f"{source}, {width} x {height} pixels at {rate:g} Hz"
    limit = _count(duration, rate) if duration else 0
    return Clip(str(source), title, rate, limit, box_xywh, labels_xywh=labels_xywh)


def _labels_beside(folder: Path, count: int | None) -> np.ndarray | None:
    path = folder.resolve().parent / "groundtruth.txt"
    if not (folder.is_dir() and path.is_file()):
        return None
    labels_xywh = read_boxes(path)
    fits = len(labels_xywh) == count and np.isfinite(labels_xywh[0]).all()
    return labels_xywh if fits else None


def _count(seconds: float, rate: float) -> int:
    """Return the number of frames, at least two: one to start on and one to track in."""
    return max(2, round(seconds * rate))
