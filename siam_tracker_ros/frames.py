# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frames from a video file, a folder of images, a bag or a camera, and frames to a video file."""

import dataclasses
import logging
import math
import re
from pathlib import Path

import cv2
import numpy as np

from siam_tracker_ros.bags.files import is_bag
from siam_tracker_ros.errors import IncompleteVideoError, InvalidInputError
from siam_tracker_ros.geometry import check_image_bgr
from siam_tracker_ros.images import IMAGE_SUFFIXES, list_images, read_image_bgr
from siam_tracker_ros.intensity import IntensityStretch
from siam_tracker_ros.outputs import PendingFile
from siam_tracker_ros.video_container import is_cut_off, is_mp4

logger = logging.getLogger(__name__)

_GREY_16 = int.from_bytes(b"Y1\0\x10", "little")  # FFmpeg's tag of gray16le
_CAMERA_GREY_16 = int.from_bytes(b"Y16 ", "little")  # V4L2's
_TRIES = 100  # failed reads in a row that are taken for damaged frames, where the number of frames is not stated
_MAX_TRIES = 10_000
_PTS = getattr(cv2, "CAP_PROP_PTS", -1)  # an older OpenCV does not know it, and gives 0
_SHOWN = 10  # skipped frames that a remark names
VIDEO_CODECS = {".avi": "MJPG", ".mov": "mp4v", ".mp4": "mp4v"}


@dataclasses.dataclass(frozen=True)
class FrameHeader:
    """When and where a recorded frame was taken.

    Attributes:
        stamp_ns: time of the exposure in nanoseconds, as the camera's driver gave it.
        frame_id: coordinate frame of the camera.
        logged_ns: time at which it was recorded, in nanoseconds.
    """

    stamp_ns: int
    frame_id: str
    logged_ns: int


def open_frames(
    source: str | Path | int, intensity_range: tuple[int, int] | None = None, topic: str = ""
) -> "FrameSource":
    """Open a video file, a folder of images, a ROS 2 bag or a camera.

    Args:
        source: path of a video file or of a folder of images, or the number of a camera (an int, or a string
            of digits; write "./0" for a folder named "0"). A folder's images come in natural order of their
            names, frame9 before frame10, or of the decimal numbers that all of them are. Hidden and other files in
            the folder are ignored.
        intensity_range: lowest and highest intensity of 16-bit images, which become black and white. None: it follows
            the frames, see IntensityStretch.
        topic: image topic of a bag; may be empty where the bag has only one.

    Returns:
        A FrameSource.

    Raises:
        InvalidInputError: the path does not exist, or no image can be decoded from it; or the camera gives none; or
            there is a topic, but no bag.
        InvalidSettingError: it is a bag, and what reads bags is not installed.
    """
    if topic and not (isinstance(source, (str, Path)) and is_bag(Path(source))):
        raise InvalidInputError(
            f"topic is {topic!r}, but {source} is not a bag, expected the folder of one, or an .mcap or .db3 file"
        )
    stretch = IntensityStretch(intensity_range)
    if isinstance(source, (int, np.integer)) and not isinstance(source, bool):
        return _Camera(int(source), stretch)
    if not isinstance(source, (str, Path)) or not str(source):
        raise InvalidInputError(
            f"frame source is {source!r}, expected the path of a video file, of a folder of images or of a bag, "
            "or the number of a camera"
        )
    if isinstance(source, str) and re.fullmatch(r"[0-9]+", source):
        return _Camera(int(source), stretch)
    path = Path(source)
    if not path.exists():
        raise InvalidInputError(
            f"{path} does not exist, expected a video file, a folder of images, a bag or the number of a camera"
        )
    if is_bag(path):
        from siam_tracker_ros.bags.reader import BagFrames

        return BagFrames(path, topic, intensity_range)
    if path.is_dir():
        return _ImageFolder(path, stretch)
    if path.suffix.lower() in IMAGE_SUFFIXES:
        raise InvalidInputError(f"{path} is a single image, expected a video file; give the folder that it lies in")
    return _VideoFile(path, stretch)


class FrameSource:
    """An iterator over frames, uint8 (H, W, 3) BGR, and a context manager that closes what it reads from.

    Attributes:
        fps: frames per second that the source states, 0.0 where it states none.
        live: True for a camera, which has no end and cannot be rewound.
        frame_count: number of frames, None where unknown; what a video's container states can be wrong.
        header: header of the frame that was given last, None where the source has none.
        skipped: number of frames so far that could not be decoded.
        remarks: sentences about what is missing in the frames so far, such as frames that could not be decoded.
    """

    fps: float = 0.0
    live: bool = False
    frame_count: int | None = None
    header: FrameHeader | None = None
    skipped: int = 0
    remarks: tuple[str, ...] = ()

    def __enter__(self) -> "FrameSource":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> "FrameSource":
        return self

    def __next__(self) -> np.ndarray:
        """Return the next frame.

        Raises:
            StopIteration: after the last frame.
            InvalidInputError: the frame cannot be read.
            IncompleteVideoError: after the last frame of a video that ends long before the end that it states.
        """
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
    def __init__(self, path: Path, stretch: IntensityStretch) -> None:
        self.paths = list_images(path)
        self._stretch = stretch
        if not self.paths:
            kinds = ", ".join(sorted(IMAGE_SUFFIXES))
            raise InvalidInputError(f"folder {path} has no image in it, expected files that end in {kinds}")
        read_image_bgr(self.paths[0])  # a folder of broken files is refused here, not at the first frame
        self.frame_count = len(self.paths)
        self.rewind()

    def __next__(self) -> np.ndarray:
        return read_image_bgr(next(self._remaining), stretch=self._stretch)

    def rewind(self) -> None:
        self._remaining = iter(self.paths)


class _VideoFile(FrameSource):
    def __init__(self, path: Path, stretch: IntensityStretch) -> None:
        self.path = path
        self._stretch = stretch
        self._capture = cv2.VideoCapture()
        self._next_frame: np.ndarray | None = None
        self.rewind()

    def __next__(self) -> np.ndarray:
        frame, self._next_frame = self._next_frame, None
        if frame is None:
            frame = self._read_on()
        if frame is None:
            self._check_end()
            raise StopIteration
        return frame

    def rewind(self) -> None:
        """Open the file again: seeking to the start is not exact in every container."""
        self.close()
        self._capture = _open_capture(self.path)
        self.fps = _stated(self._capture, cv2.CAP_PROP_FPS)
        self.frame_count = int(_stated(self._capture, cv2.CAP_PROP_FRAME_COUNT)) or None
        self._number = 0  # of the next frame
        self._end_s = 0.0  # end of the last frame that was read
        self._damaged: list[int] = []
        self.skipped, self.remarks = 0, ()
        self._next_frame = self._read_on()
        if self._next_frame is None:
            self.close()
            raise InvalidInputError(
                f"{self.path} cannot be read as a video, expected a file that this OpenCV decodes; "
                "convert it, for example with: ffmpeg -i INPUT -c:v libx264 OUTPUT.mp4"
            )

    def close(self) -> None:
        self._capture.release()

    def _read_on(self) -> np.ndarray | None:
        """Return the next frame that can be decoded, or None at the end, which looks the same as a damaged frame."""
        stated = (self.frame_count or 0) - self._number
        for failures in range(max(_TRIES, min(stated, _MAX_TRIES))):
            frame = _read_bgr(self._capture, self._stretch)
            if frame is None:
                continue
            if failures:
                self._damaged += range(self._number, self._number + failures)
                self.skipped = len(self._damaged)
                self.remarks = (f"{self.path}: {self._count()}",)
            self._number += failures + 1
            if self.fps:
                since_first_s = _stated(self._capture, cv2.CAP_PROP_POS_MSEC) / 1000
                since_zero_s = _stated(self._capture, _PTS) / self.fps  # as the length in Matroska counts
                self._end_s = (max(since_first_s, since_zero_s) or (self._number - 1) / self.fps) + 1 / self.fps
            return frame
        return None

    def _count(self) -> str:
        """Say how many frames were read, and which were skipped."""
        count = f"{self._number - self.skipped} frames could be decoded"
        if not self.skipped:
            return count
        shown = ", ".join(map(str, self._damaged[:_SHOWN])) + ", ..." * (self.skipped > _SHOWN)
        return f"{count}, {self.skipped} could not and were skipped: {shown} (counted from 0)"

    def _check_end(self) -> None:
        """Compare the end of the frames with the end that the container states.

        The stated number is an estimate in some containers, and the stated length is that of the sound in others.
        Hence fewer frames are a remark, and an error only if much time is missing as well.

        Raises:
            IncompleteVideoError: the frames end long before the stated end.
        """
        if self.skipped:
            self.remarks = (f"{self.path}: {self._count()}",)
        if self.frame_count is None or self._number >= self.frame_count:
            return
        self.remarks = (f"{self.path}: {self._count()}; its container states {self.frame_count}",)
        stated_s = self.frame_count / self.fps if self.fps else 0.0
        if self.fps and stated_s - self._end_s > _end_slack_s(self.path, self.fps, stated_s):
            raise IncompleteVideoError(
                f"{self.path} was not read to its end, expected {self.frame_count} frames as its container states; "
                f"{self._count()}; copy or record it again, or use these alone"
            )


class _Camera(FrameSource):
    live = True

    def __init__(self, number: int, stretch: IntensityStretch) -> None:
        self.number = number
        self._stretch = stretch
        if number < 0:
            raise InvalidInputError(f"camera number is {number}, expected 0 or more")
        self._capture = cv2.VideoCapture(number)
        _keep_16_bits(self._capture)
        if _read_bgr(self._capture, stretch) is None:
            self.close()
            raise InvalidInputError(
                f"camera {number} gives no picture; check that it is connected, that no other program holds "
                f"it, and that you may read /dev/video{number} (on Debian: membership of the group video)"
            )
        self.fps = _stated(self._capture, cv2.CAP_PROP_FPS)

    def __next__(self) -> np.ndarray:
        frame = _read_bgr(self._capture, self._stretch)
        if frame is None:
            raise InvalidInputError(f"camera {self.number} stopped giving pictures; check its cable and start again")
        return frame

    def rewind(self) -> None:
        raise InvalidInputError(f"camera {self.number} is live and cannot be rewound; record it to a file first")

    def close(self) -> None:
        self._capture.release()


def _open_capture(path: Path) -> cv2.VideoCapture:
    capture = cv2.VideoCapture(_opencv_name(path))
    _keep_16_bits(capture)
    return capture


def _opencv_name(path: Path) -> str:
    """Return the name by which OpenCV opens a video.

    Raises:
        InvalidInputError: it is not UTF-8, which may even end the program.
    """
    name = str(path.absolute())  # FFmpeg takes "12:30:00.mp4" alone for an address
    try:
        name.encode()
    except UnicodeEncodeError:
        raise InvalidInputError(
            f"{ascii(name)} is not UTF-8, expected a name that is, as OpenCV needs it for a video; rename it"
        ) from None
    return name


def _keep_16_bits(capture: cv2.VideoCapture) -> None:
    """Have OpenCV give grey frames of 16 bits as they are, not their high bytes as BGR."""
    pixels, codec = (int(capture.get(prop)) for prop in (cv2.CAP_PROP_CODEC_PIXEL_FORMAT, cv2.CAP_PROP_FOURCC))
    if pixels == _GREY_16 or codec == _CAMERA_GREY_16:
        capture.set(cv2.CAP_PROP_CONVERT_RGB, 0)


def _end_slack_s(path: Path, fps: float, stated_s: float) -> float:
    """Return how many seconds a complete video may end before its stated length."""
    if is_cut_off(path):
        return 0.5 / fps
    if is_mp4(path):
        return math.inf  # it was cut without encoding: the stated frames include those before the cut
    return max(1.0, 0.1 * stated_s)  # sound that lasts longer than the pictures, estimates


def _stated(capture: cv2.VideoCapture, prop: int) -> float:
    """A property as a positive number, 0.0 where the backend does not know it (it then gives 0, -1 or NaN)."""
    value = capture.get(prop)
    return float(value) if math.isfinite(value) and value > 0 else 0.0


def _read_bgr(capture: cv2.VideoCapture, stretch: IntensityStretch) -> np.ndarray | None:
    """The next frame as uint8 (H, W, 3), or None where there is none. Some cameras deliver grey or BGRA."""
    read, frame = capture.read()
    if not read or frame is None or frame.size == 0:
        return None
    if frame.dtype == np.uint16:
        frame = stretch.to_uint8(frame)
    if frame.ndim == 2 or frame.shape[2] == 1:
        return cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR)
    if frame.shape[2] == 4:
        return cv2.cvtColor(frame, cv2.COLOR_BGRA2BGR)
    return frame


class VideoSink:
    """Write frames to a video file, which has the size of the first frame and gets its name when it is complete.

    An odd width or height, which the codecs cannot store, becomes even: the last column or row is repeated.

    Args:
        path: file to write; the suffix picks the container and codec (.mp4, .mov: MPEG-4; .avi: motion JPEG).
        fps: frames per second, above 0.

    Attributes:
        fps: frames per second that are written: the nearest rate that the container can state, which is logged.

    Raises:
        InvalidInputError: the path or the rate is invalid, or OpenCV cannot write there; in `write`, the frame has
            another size or, in `close` as well, the disk is full.
    """

    def __init__(self, path: str | Path, fps: float) -> None:
        self.path, fps = Path(path), float(fps)
        _opencv_name(self.path.resolve())  # to which it is written; refused here if it cannot be
        if self.path.suffix.lower() not in VIDEO_CODECS:
            raise InvalidInputError(
                f"{self.path} does not name a video file, expected a name that ends in {', '.join(VIDEO_CODECS)}"
            )
        if not (math.isfinite(fps) and fps > 0):
            raise InvalidInputError(f"frame rate is {fps:g}, expected frames a second above 0")
        self._pending = PendingFile(self.path)
        self._writer: cv2.VideoWriter | None = None
        self._size_wh = (0, 0)
        self._count = 0
        self.fps = self._possible_rate(fps)

    def __enter__(self) -> "VideoSink":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close(complete=kind is None)

    def write(self, image_bgr: np.ndarray) -> None:
        """Append one frame, uint8 (H, W, 3)."""
        height, width = check_image_bgr(image_bgr).shape[:2]
        if self._writer is None:
            self._writer, self._size_wh = self._open((width, height), self.fps), (width, height)
        if (width, height) != self._size_wh:
            raise InvalidInputError(
                f"frame is {width} x {height} pixels, expected {self._size_wh[0]} x {self._size_wh[1]} as in "
                f"the first frame of {self.path}; resize it, or write another file"
            )
        if width % 2 or height % 2:
            image_bgr = cv2.copyMakeBorder(image_bgr, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        if self._writer.write(image_bgr) is False:  # OpenCV 5; before, only the file's end tells
            raise InvalidInputError(f"{self.path}: frame {self._count} cannot be written; check the space on the disk")
        self._count += 1

    def close(self, complete: bool = True) -> None:
        """Finish the file; closing twice is safe. One that is not complete does not replace an older one."""
        if self._writer is None:
            self._pending.settle(complete=False)
            return
        self._writer.release()
        self._writer = None
        readable = self._readable_frames()
        self._pending.settle(complete and readable == self._count)
        if complete and readable < self._count:
            raise InvalidInputError(
                f"{self.path} has {readable} of {self._count} frames; check the space on the disk, then run again"
            )

    def _possible_rate(self, fps: float) -> float:
        """Return the first rate that a small video can be written at. MPEG-4 states a rate by two 16-bit numbers."""
        blank = np.zeros((64, 64, 3), np.uint8)
        for rate in dict.fromkeys((fps, *(round(fps, digits) for digits in (2, 1, 0) if round(fps, digits)))):
            writer = self._writer_at((64, 64), rate)
            writer.write(blank)
            writer.release()
            written = self._readable_frames() == 1
            self._pending.partial.write_bytes(b"")
            if written:
                if rate != fps:
                    logger.warning("%s is written at %g frames a second; it cannot state %.6g", self.path, rate, fps)
                return rate
        self._pending.settle(complete=False)
        raise InvalidInputError(
            f"{self.path} cannot be written as video at {fps:g} frames a second; check the space on the disk, and try "
            "a name that ends in .avi"
        )

    def _open(self, size_wh: tuple[int, int], fps: float) -> cv2.VideoWriter:
        size_wh = size_wh[0] + size_wh[0] % 2, size_wh[1] + size_wh[1] % 2
        writer = self._writer_at(size_wh, fps)
        if not writer.isOpened():
            raise InvalidInputError(
                f"{self.path} cannot be written as video of {size_wh[0]} x {size_wh[1]} pixels; "
                "check the space on the disk, and try a name that ends in .avi"
            )
        return writer

    def _writer_at(self, size_wh: tuple[int, int], fps: float) -> cv2.VideoWriter:
        codec = VIDEO_CODECS[self.path.suffix.lower()]
        return cv2.VideoWriter(_opencv_name(self._pending.partial), cv2.VideoWriter.fourcc(*codec), fps, size_wh)

    def _readable_frames(self) -> int:
        """Return how many frames the file states. The writer reports no error: a file cut short states none."""
        capture = cv2.VideoCapture(_opencv_name(self._pending.partial))
        stated = int(_stated(capture, cv2.CAP_PROP_FRAME_COUNT))
        capture.release()
        return stated
