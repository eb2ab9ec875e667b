# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The frames kept for a late init, and the choice among them."""

import collections
import dataclasses
import threading
import time
from collections.abc import Sequence

from std_msgs.msg import Header

from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.image_conversion import CompressedImageFields, ImageFields
from siam_tracker_ros.node.messages import format_stamp


@dataclasses.dataclass(frozen=True, eq=False)
class Frame:
    """An image message as it came in.

    Attributes:
        msg: sensor_msgs/Image or CompressedImage.
        received: monotonic time of arrival in seconds.
    """

    msg: ImageFields | CompressedImageFields
    received: float = dataclasses.field(default_factory=time.monotonic)

    @property
    def stamp(self) -> tuple[int, int]:
        """The message's stamp as (seconds, nanoseconds)."""
        return self.msg.header.stamp.sec, self.msg.header.stamp.nanosec


class FrameBuffer:
    """The newest frames, oldest first, bounded in number and in bytes; the newest one is always kept. Thread-safe."""

    def __init__(self, max_frames: int, max_bytes: int) -> None:
        self._max_frames = max(1, max_frames)
        self._max_bytes = max_bytes
        self._frames: collections.deque[Frame] = collections.deque()
        self._bytes = 0
        self._lock = threading.Lock()

    def append(self, frame: Frame) -> None:
        """Add a frame and drop the oldest ones over the bounds."""
        with self._lock:
            self._frames.append(frame)
            self._bytes += len(frame.msg.data)
            while len(self._frames) > 1 and (len(self._frames) > self._max_frames or self._bytes > self._max_bytes):
                self._bytes -= len(self._frames.popleft().msg.data)

    def snapshot(self) -> list[Frame]:
        """Return the frames of this moment, oldest first."""
        with self._lock:
            return list(self._frames)

    def clear(self) -> None:
        """Drop all frames."""
        with self._lock:
            self._frames.clear()
            self._bytes = 0


def find_frame(frames: Sequence[Frame], header: Header, topic: str) -> Frame:
    """Return the frame that the header of an InitTracker request names, the newest for a zero stamp.

    Args:
        frames: frames kept, oldest first.
        header: header of the request.
        topic: topic of the frames, for the message.

    Raises:
        InvalidInputError: there are no frames, none of this stamp, or the frame has another frame_id.
    """
    if not frames:
        raise InvalidInputError(
            f"no image has come in on {topic} yet, expected at least one; check the topic with `ros2 topic hz {topic}`"
        )
    wanted = header.stamp.sec, header.stamp.nanosec
    matching = [frame for frame in frames if wanted in (frame.stamp, (0, 0))]
    if not matching:
        first, last = (format_stamp(frames[i].msg.header.stamp) for i in (0, -1))
        raise InvalidInputError(
            f"no image of stamp {format_stamp(header.stamp)} is kept, expected the stamp of one of "
            f"the {len(frames)} images from {first} to {last}; use zero for the newest, or raise frame_buffer"
        )
    frame = matching[-1]
    frame_id = frame.msg.header.frame_id
    if header.frame_id and header.frame_id != frame_id:
        raise InvalidInputError(
            f"header.frame_id is '{header.frame_id}', expected '{frame_id}' as in the image, or nothing; "
            "check that the box was drawn in an image of this camera"
        )
    return frame


def catch_up_frames(start: Frame, later: Sequence[Frame], seconds_per_frame: float) -> list[Frame]:
    """Choose the frames to track through from an old frame to the last of those that came after it.

    Args:
        start: frame in which the target is known.
        later: frames since then, oldest first, at least one.
        seconds_per_frame: time to track one frame.

    Returns:
        Frames evenly spread over `later`, with its last one: all of them where tracking takes at most half of the
        time in which they came in, else as many as fit into that half.
    """
    span = later[-1].received - start.received
    count = len(later) if seconds_per_frame <= 0 else int(span / 2 / seconds_per_frame)
    count = max(1, min(count, len(later)))
    return [later[(i + 1) * len(later) // count - 1] for i in range(count)]
