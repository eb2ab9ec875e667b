# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where frames come from (a video file, a folder of images, a camera) and where annotated frames go."""

import math
import re
from pathlib import Path

import cv2
import numpy as np

from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.geometry import check_image_bgr

IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})
VIDEO_CODECS = {".avi": "MJPG", ".mov": "mp4v", ".mp4": "mp4v"}


def open_frames(source):
    """Open a video file, a folder of images or a camera.

    Args:
        source: path of a video file or of a folder of images, or the number of a camera (an int, or a string
            of digits; write "./0" for a folder that is called "0"). A folder's images come in natural order
            of their names: frame9 before frame10. Files of other kinds in the folder are passed over.

    Returns:
        A FrameSource.

    Raises:
        InvalidInputError: there is nothing at that path, or nothing in it that decodes to a picture.
    """
    if isinstance(source, (int, np.integer)) and not isinstance(source, bool):
        return _Camera(int(source))
    if not isinstance(source, (str, Path)) or not str(source):
        raise InvalidInputError(
            f"frame source is {source!r}, expected the path of a video file or of a folder of images, "
            "or the number of a camera"
        )
    if isinstance(source, str) and re.fullmatch(r"[0-9]+", source):
        return _Camera(int(source))
    path = Path(source)
    if not path.exists():
        raise InvalidInputError(
            f"{path} does not exist, expected a video file, a folder of images or the number of a camera"
        )
    if path.is_dir():
        return _ImageFolder(path)
    if path.suffix.lower() in IMAGE_SUFFIXES:
        raise InvalidInputError(f"{path} is a single image, expected a video file; give the folder that it lies in")
    return _VideoFile(path)


def natural_key(path):
    """Sort key that compares the digits in a file's name as numbers: frame9 before frame10."""
    parts = re.split(r"([0-9]+)", path.name)
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], path.name


def read_image_bgr(path):
    """Read one image file as uint8 (H, W, 3) BGR: grey becomes three equal channels, alpha is dropped."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise InvalidInputError(f"{path} cannot be read as an image; check that the file is complete, or remove it")
    return image


class FrameSource:
    """An iterator over frames, uint8 (H, W, 3) BGR, and a context manager that closes what it reads from.

    Attributes:
        fps: frames a second as the source states them, 0.0 where it does not.
        live: True for a camera, which has no end and cannot be rewound.
        frame_count: number of frames, None where not known; what a video's container states can be wrong.
    """

    fps = 0.0
    live = False
    frame_count = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __iter__(self):
        return self

    def __next__(self):
        raise NotImplementedError

    def rewind(self):
        """Start again at the first frame; a camera raises InvalidInputError."""
        raise NotImplementedError

    def close(self):
        """Release the file or the device. Closing twice does no harm."""


class _ImageFolder(FrameSource):
    def __init__(self, path):
        self.paths = sorted((p for p in path.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES), key=natural_key)
        if not self.paths:
            kinds = ", ".join(sorted(IMAGE_SUFFIXES))
            raise InvalidInputError(f"folder {path} has no image in it, expected files that end in {kinds}")
        read_image_bgr(self.paths[0])  # a folder of broken files is refused here, not at the first frame
        self.frame_count = len(self.paths)
        self.rewind()

    def __next__(self):
        return read_image_bgr(next(self._remaining))

    def rewind(self):
        self._remaining = iter(self.paths)


class _VideoFile(FrameSource):
    def __init__(self, path):
        self.path = path
        self.rewind()
        self.fps = _stated(self._capture, cv2.CAP_PROP_FPS)
        self.frame_count = int(_stated(self._capture, cv2.CAP_PROP_FRAME_COUNT)) or None

    def __next__(self):
        frame, self._next_frame = self._next_frame, None
        if frame is None:
            frame = _read_bgr(self._capture)
        if frame is None:
            raise StopIteration
        return frame

    def rewind(self):
        """Open the file anew: seeking to the start is not exact in every container."""
        self.close()
        self._capture = cv2.VideoCapture(str(self.path))
        self._next_frame = _read_bgr(self._capture)
        if self._next_frame is None:
            self.close()
            raise InvalidInputError(
                f"{self.path} cannot be read as a video, expected a file that this OpenCV decodes; "
                "convert it, for example with: ffmpeg -i INPUT -c:v libx264 OUTPUT.mp4"
            )

    def close(self):
        if hasattr(self, "_capture"):
            self._capture.release()


class _Camera(FrameSource):
    live = True

    def __init__(self, number):
        self.number = number
        if number < 0:
            raise InvalidInputError(f"camera number is {number}, expected 0 or more")
        self._capture = cv2.VideoCapture(number)
        if _read_bgr(self._capture) is None:
            self.close()
            raise InvalidInputError(
                f"camera {number} gives no picture; check that it is connected, that no other program holds "
                f"it, and that you may read /dev/video{number} (on Debian: membership of the group video)"
            )
        self.fps = _stated(self._capture, cv2.CAP_PROP_FPS)

    def __next__(self):
        frame = _read_bgr(self._capture)
        if frame is None:
            raise InvalidInputError(f"camera {self.number} stopped giving pictures; check its cable and start again")
        return frame

    def rewind(self):
        raise InvalidInputError(f"camera {self.number} is live and cannot be rewound; record it to a file first")

    def close(self):
        self._capture.release()


def _stated(capture, prop):
    """A property as a positive number, 0.0 where the backend does not know it (it then says 0, -1 or NaN)."""
    value = capture.get(prop)
    return float(value) if math.isfinite(value) and value > 0 else 0.0


def _read_bgr(capture):
    """The next frame as uint8 (H, W, 3), or None when there is none. Some cameras deliver grey or BGRA."""
    read, frame = capture.read()
    if not read or frame is None or frame.size == 0:
        return None
    if frame.ndim == 2 or frame.shape[2] == 1:
        return cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR)
    if frame.shape[2] == 4:
        return cv2.cvtColor(frame, cv2.COLOR_BGRA2BGR)
    return frame


class VideoSink:
    """Write frames to a video file; its size is the first frame's, and the file appears with that frame.

    Args:
        path: file to write; the suffix picks the container and codec (.mp4, .mov: MPEG-4; .avi: motion JPEG).
        fps: frames a second, above 0.

    Raises:
        InvalidInputError: here for a path or a rate that cannot work, in `write` for a frame of another size
            and where OpenCV cannot encode.
    """

    def __init__(self, path, fps):
        self.path = Path(path)
        self.fps = float(fps)
        if self.path.suffix.lower() not in VIDEO_CODECS:
            raise InvalidInputError(
                f"{self.path} does not name a video file, expected a name that ends in {', '.join(VIDEO_CODECS)}"
            )
        if not self.path.parent.is_dir():
            raise InvalidInputError(f"folder {self.path.parent} does not exist; make it, then write {self.path.name}")
        if not (math.isfinite(self.fps) and self.fps > 0):
            raise InvalidInputError(f"frame rate is {self.fps:g}, expected frames a second above 0")
        self._writer = None
        self._size_wh = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def write(self, image_bgr):
        """Append one frame, uint8 (H, W, 3)."""
        height, width = check_image_bgr(image_bgr).shape[:2]
        if self._writer is None:
            self._open((width, height))
        if (width, height) != self._size_wh:
            raise InvalidInputError(
                f"frame is {width} x {height} pixels, expected {self._size_wh[0]} x {self._size_wh[1]} as in "
                f"the first frame of {self.path}; resize it, or write another file"
            )
        self._writer.write(image_bgr)

    def _open(self, size_wh):
        codec = VIDEO_CODECS[self.path.suffix.lower()]
        writer = cv2.VideoWriter(str(self.path), cv2.VideoWriter_fourcc(*codec), self.fps, size_wh)
        if not writer.isOpened():
            raise InvalidInputError(
                f"{self.path} cannot be written as {codec} video of {size_wh[0]} x {size_wh[1]} pixels; "
                "check that the folder is writable, and try a name that ends in .avi"
            )
        self._writer, self._size_wh = writer, size_wh

    def close(self):
        """Finish the file. Closing twice does no harm."""
        if self._writer is not None:
            self._writer.release()
            self._writer = None
