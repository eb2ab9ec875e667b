# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the demo publishes: the rendered scene, a video, a folder of images or a camera. No ROS in here."""

import dataclasses
from pathlib import Path

import numpy as np

from siam_tracker_ros.demo.report import Truth
from siam_tracker_ros.demo.scene import FPS as SCENE_FPS
from siam_tracker_ros.demo.scene import Scene
from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.evaluation.sequences import read_boxes
from siam_tracker_ros.frames import open_frames
from siam_tracker_ros.geometry import check_box_xywh

_DEFAULT_RATE = 30.0
_SCENE_S = 10.0
_CAMERA_S = 20.0


@dataclasses.dataclass(frozen=True, eq=False)
class Clip:
    """Frames to publish, and what is known about them before.

    Attributes:
        source: the `source` parameter of video_publisher.
        title: what it is, for people.
        rate: frames a second.
        frames: number of frames to publish; 0: all there are.
        box_xywh: the target in the first frame.
        live: whether it is a camera, whose frames must be recorded to be seen again.
        scene: the Scene that is rendered, or None.
        labels_xywh: float64 (N, 4), the labels of all N frames, or None.
    """

    source: str
    title: str
    rate: float
    frames: int
    box_xywh: tuple
    live: bool = False
    scene: Scene | None = None
    labels_xywh: np.ndarray | None = None

    def read(self, count, recording=None):
        """Yield the first `count` frames again, each with the target's box (4,) and visibility or NaN.

        Args:
            count: number of frames.
            recording: the video file that a camera's frames were recorded in.
        """
        if self.scene is not None:
            for index in range(count):
                frame = self.scene[index]
                yield frame.image_bgr, frame.box_xywh, frame.visibility
            return
        labels_xywh = np.full((count, 4), np.nan) if self.labels_xywh is None else self.labels_xywh[:count]
        truth = Truth.from_boxes(labels_xywh)
        with open_frames(recording if self.live else self.source) as frames:
            for box_xywh, visibility in zip(truth.boxes_xywh, truth.visibility):
                image_bgr = next(frames, None)
                if image_bgr is None:
                    return
                yield image_bgr, box_xywh, visibility


def rendered_clip(rate=None, duration=None):
    """Return the Clip of the rendered scene; `rate` in frames a second, `duration` in seconds."""
    rate = rate or SCENE_FPS
    frames = _count(duration or _SCENE_S, rate)
    scene = Scene(frames=frames)
    title = f"the rendered clip, {frames} frames at {rate:g} Hz: a red rover, others like it, and a bridge"
    return Clip("scene", title, rate, frames, tuple(scene[0].box_xywh), scene=scene)


def camera_clip(number, box_xywh, rate=None, duration=None):
    """Return the Clip of a camera."""
    rate, duration = rate or _DEFAULT_RATE, duration or _CAMERA_S
    title = f"camera {number} for {duration:g} s; Ctrl-C ends it earlier"
    return Clip(str(number), title, rate, _count(duration, rate), tuple(box_xywh), live=True)


def video_clip(source, box_xywh=None, rate=None, duration=None):
    """Return the Clip of a video file or a folder of images.

    Labels are taken from a `groundtruth.txt` beside a folder of images, where it has a line for each of them.

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


def _labels_beside(folder, count):
    path = folder.resolve().parent / "groundtruth.txt"
    if not (folder.is_dir() and path.is_file()):
        return None
    labels_xywh = read_boxes(path)
    fits = len(labels_xywh) == count and np.isfinite(labels_xywh[0]).all()
    return labels_xywh if fits else None


def _count(seconds, rate):
    """Return the number of frames, at least two: one to start on and one to find the target in."""
    return max(2, round(seconds * rate))
