# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frames from a video file, a folder of images or a camera, and frames to a video file."""

import math
import re
from pathlib import Path

import cv2
import numpy as np

from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.geometry import check_image_bgr

IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})
VIDEO_CODECS = {".avi": "MJPG", ".mov": "mp4v", ".mp4": "mp4v"}


def open_frames(source: str | Path | int) -> "FrameSource":
    """Open a video file, a folder of images or a camera.

    Args:
        source: path of a video file or of a folder of images, or the number of a camera (an int, or a string
            of digits; write "./0" for a folder named "0"). A folder's images come in natural order of their
            names: frame9 before frame10. Other files in the folder are ignored.

    Returns:
        A FrameSource.

    Raises:
        InvalidInputError: the path does not exist, or no image can be decoded from it; or the camera gives none.
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


def natural_key(path: Path) -> tuple[list[int | str], str]:
    """Sort key that compares the digits in a file's name as numbers: frame9 before frame10."""
    parts = re.split(r"([0-9]+)", path.name)
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], path.name


def read_image_bgr(path: str | Path) -> np.ndarray:
    """Read one image file as uint8 (H, W, 3) BGR: grey becomes three equal channels, alpha is dropped.

    Raises:
        InvalidInputError: the file cannot be read as an image.
    """
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise InvalidInputError(f"{path} cannot be read as an image; check that the file is complete, or remove it")
    return image


class FrameSource:
    """An iterator over frames, uint8 (H, W, 3) BGR, and a context manager that closes what it reads from.

    Attributes:
        fps: frames per second that the source states, 0.0 where it states none.
        live: True for a camera, which has no end and cannot be rewound.
        frame_count: number of frames, None where unknown; what a video's container states can be wrong.
    """

    fps: float = 0.0
    live: bool = False
    frame_count: int | None = None

    def __enter__(self) -> "FrameSource":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> "FrameSource":
        return self

    def __next__(self) -> np.ndarray:
        raise NotImplementedError

    def rewind(self) -> None:
        """Start again at the first frame.

        Raises:
            InvalidInputError: the source is a camera.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Release the file or the device; closing twice is safe."""


class _ImageFolder(FrameSource):
    def __init__(self, path: Path) -> None:
        self.paths = sorted((p for p in path.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES), key=natural_key)
        if not self.paths:
            kinds = ", ".join(sorted(IMAGE_SUFFIXES))
            raise InvalidInputError(f"folder {path} has no image in it, expected files that end in {kinds}")
        read_image_bgr(self.paths[0])  # a folder of broken files is refused here, not at the first frame
        self.frame_count = len(self.paths)
        self.rewind()

    def __next__(self) -> np.ndarray:
        return read_image_bgr(next(self._remaining))

    def rewind(self) -> None:
        self._remaining = iter(self.paths)


class _VideoFile(FrameSource):
    def __init__(self, path: Path) -> None:
        self.path = path
        self._capture = cv2.VideoCapture()
        self._next_frame: np.ndarray | None = None
        self.rewind()
        self.fps = _stated(self._capture, cv2.CAP_PROP_FPS)
        self.frame_count = int(_stated(self._capture, cv2.CAP_PROP_FRAME_COUNT)) or None

    def __next__(self) -> np.ndarray:
        frame, self._next_frame = self._next_frame, None
        if frame is None:
            frame = _read_bgr(self._capture)
        if frame is None:
            raise StopIteration
        return frame

    def rewind(self) -> None:
        """Open the file again: seeking to the start is not exact in every container."""
        self.close()
        self._capture = cv2.VideoCapture(str(self.path))
        self._next_frame = _read_bgr(self._capture)
        if self._next_frame is None:
            self.close()
            raise InvalidInputError(
                f"{self.path} cannot be read as a video, expected a file that this OpenCV decodes; "
                "convert it, for example with: ffmpeg -i INPUT -c:v libx264 OUTPUT.mp4"
            )

    def close(self) -> None:
        self._capture.release()


class _Camera(FrameSource):
    live = True

    def __init__(self, number: int) -> None:
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

    def __next__(self) -> np.ndarray:
        frame = _read_bgr(self._capture)
        if frame is None:
            raise InvalidInputError(f"camera {self.number} stopped giving pictures; check its cable and start again")
        return frame

    def rewind(self) -> None:
        raise InvalidInputError(f"camera {self.number} is live and cannot be rewound; record it to a file first")

    def close(self) -> None:
        self._capture.release()


def _stated(capture: cv2.VideoCapture, prop: int) -> float:
    """A property as a positive number, 0.0 where the backend does not know it (it then gives 0, -1 or NaN)."""
    value = capture.get(prop)
    return float(value) if math.isfinite(value) and value > 0 else 0.0


def _read_bgr(capture: cv2.VideoCapture) -> np.ndarray | None:
    """The next frame as uint8 (H, W, 3), or None where there is none. Some cameras deliver grey or BGRA."""
    read, frame = capture.read()
    if not read or frame is None or frame.size == 0:
        return None
    if frame.ndim == 2 or frame.shape[2] == 1:
        return cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR)
    if frame.shape[2] == 4:
        return cv2.cvtColor(frame, cv2.COLOR_BGRA2BGR)
    return frame


class VideoSink:
    """Write frames to a video file, which is created with the first frame and has its size.

    An odd width or height, which the codecs cannot store, becomes even: the last column or row is repeated.

    Args:
        path: file to write; the suffix picks the container and codec (.mp4, .mov: MPEG-4; .avi: motion JPEG).
        fps: frames per second, above 0.

    Raises:
        InvalidInputError: the path or the rate is invalid; in `write`, the frame has another size, or OpenCV
            cannot encode it.
    """

    def __init__(self, path: str | Path, fps: float) -> None:
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
        self._writer: cv2.VideoWriter | None = None
        self._size_wh = (0, 0)

    def __enter__(self) -> "VideoSink":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, image_bgr: np.ndarray) -> None:
        """Append one frame, uint8 (H, W, 3)."""
        height, width = check_image_bgr(image_bgr).shape[:2]
        if self._writer is None:
            self._writer, self._size_wh = self._open((width, height)), (width, height)
        if (width, height) != self._size_wh:
            raise InvalidInputError(
                f"frame is {width} x {height} pixels, expected {self._size_wh[0]} x {self._size_wh[1]} as in "
                f"the first frame of {self.path}; resize it, or write another file"
            )
        if width % 2 or height % 2:
            image_bgr = cv2.copyMakeBorder(image_bgr, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        self._writer.write(image_bgr)

    def _open(self, size_wh: tuple[int, int]) -> cv2.VideoWriter:
        codec = VIDEO_CODECS[self.path.suffix.lower()]
        size_wh = size_wh[0] + size_wh[0] % 2, size_wh[1] + size_wh[1] % 2
        writer = cv2.VideoWriter(str(self.path), cv2.VideoWriter.fourcc(*codec), self.fps, size_wh)
        if not writer.isOpened():
            raise InvalidInputError(
                f"{self.path} cannot be written as {codec} video of {size_wh[0]} x {size_wh[1]} pixels; "
                "check that the folder is writable, and try a name that ends in .avi"
            )
        return writer

    def close(self) -> None:
        """Finish the file; closing twice is safe."""
        if self._writer is not None:
            self._writer.release()
            self._writer = None
