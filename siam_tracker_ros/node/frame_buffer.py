# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The frames kept for a late init, and the choice among them."""

import collections
import dataclasses
import itertools
import statistics
import threading
import time
from collections.abc import Sequence

from std_msgs.msg import Header

from siam_tracker_ros.errors import InvalidInputError, shown
from siam_tracker_ros.image_conversion import CompressedImageFields, ImageFields
from siam_tracker_ros.node.messages import format_stamp, stamp_to_ns
from siam_tracker_ros.result_messages import NANOSECONDS


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
    def stamp_ns(self) -> int:
        """The message's stamp in nanoseconds."""
        return stamp_to_ns(self.msg.header.stamp)


class FrameBuffer:
    """The newest frames, oldest first, bounded in time and in bytes; the newest one is always kept. Thread-safe."""

    def __init__(self, max_seconds: float, max_bytes: int) -> None:
        self._max_seconds = max_seconds
        self._max_bytes = max_bytes
        self._frames: collections.deque[Frame] = collections.deque()
        self._bytes = 0
        self._changed = threading.Condition()

    def append(self, frame: Frame) -> None:
        """Add a frame and drop the oldest ones over the bounds."""
        with self._changed:
            self._frames.append(frame)
            self._bytes += len(frame.msg.data)
            while len(self._frames) > 1 and (self._seconds() > self._max_seconds or self._bytes > self._max_bytes):
                self._bytes -= len(self._frames.popleft().msg.data)
            self._changed.notify_all()

    def snapshot(self) -> list[Frame]:
        """Return the frames of this moment, oldest first."""
        with self._changed:
            return list(self._frames)

    def wait_for_next(self, frame: Frame, timeout_s: float) -> None:
        """Wait until a newer frame than this one is there, all frames are dropped, or the time is over."""
        with self._changed:
            self._changed.wait_for(lambda: not self._frames or self._frames[-1] is not frame, timeout_s)

    def extent(self) -> tuple[float, int]:
        """Return the seconds from the oldest frame to the newest, and the bytes of all."""
        with self._changed:
            return self._seconds(), self._bytes

    def clear(self) -> None:
        """Drop all frames."""
        with self._changed:
            self._frames.clear()
            self._bytes = 0
            self._changed.notify_all()

    def _seconds(self) -> float:
        return self._frames[-1].received - self._frames[0].received if self._frames else 0.0


def is_next_frame(frames: Sequence[Frame], header: Header) -> bool:
    """Return whether the stamp that a request names is that of the frame to come, judged by the frame period."""
    wanted_ns = stamp_to_ns(header.stamp)
    if not frames or any(frame.stamp_ns == wanted_ns for frame in frames):
        return False
    ahead_ns = wanted_ns - frames[-1].stamp_ns
    period_ns = _frame_period_ns(frames)
    return period_ns / 2 < ahead_ns <= period_ns * 3 / 2


def find_frame(frames: Sequence[Frame], header: Header, topic: str) -> Frame:
    """Return the frame that the header of an InitTracker request names, the newest for a zero stamp.

    If none has its stamp, the nearest within half a frame period is taken, so that rounded stamps and those of a second
    clock find their image.

    Args:
        frames: frames kept, oldest first.
        header: header of the request.
        topic: topic of the frames, for the message.

    Raises:
        InvalidInputError: there are no frames, none of or near this stamp, or the frame has another frame_id.
    """
    if not frames:
        raise InvalidInputError(
            f"no image on {topic} is kept, expected at least one since the node was activated; check the topic with "
            f"`ros2 topic hz {topic}`"
        )
    wanted_ns = stamp_to_ns(header.stamp)
    frame = frames[-1] if wanted_ns == 0 else min(reversed(frames), key=lambda other: abs(other.stamp_ns - wanted_ns))
    distance_ns = abs(frame.stamp_ns - wanted_ns)
    if wanted_ns and distance_ns > _frame_period_ns(frames) / 2:
        stamps = sorted((frame.msg.header.stamp for frame in frames), key=stamp_to_ns)  # a loop may have mixed them
        first, last = format_stamp(stamps[0]), format_stamp(stamps[-1])
        raise InvalidInputError(
            f"no image of stamp {format_stamp(header.stamp)} is kept, the nearest is {distance_ns / NANOSECONDS:.3g} s "
            f"away; expected the stamp of one of the {len(frames)} images from {first} to {last}, or one within half a "
            "frame period of it; use zero for the newest, or raise frame_buffer_s and frame_buffer_mb"
        )
    frame_id = frame.msg.header.frame_id
    if header.frame_id and header.frame_id != frame_id:
        raise InvalidInputError(
            f"header.frame_id is {shown(header.frame_id)}, expected {shown(frame_id)} as in the image, or nothing; "
            "check that the box was drawn in an image of this camera"
        )
    return frame


def _frame_period_ns(frames: Sequence[Frame]) -> float:
    """Return the usual time between the stamps of two frames; 0 if they tell none."""
    periods_ns = [after.stamp_ns - before.stamp_ns for before, after in itertools.pairwise(frames)]
    return statistics.median([period_ns for period_ns in periods_ns if period_ns > 0] or [0])


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
