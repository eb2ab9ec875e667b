# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The thread that owns the network, the slot with its next frame, and the frames kept for a late init."""

import collections
import concurrent.futures
import dataclasses
import threading
import time


@dataclasses.dataclass(frozen=True, eq=False)
class Frame:
    """An image message as it came in.

    Attributes:
        msg: sensor_msgs/Image or CompressedImage.
        received: monotonic time of its arrival in seconds.
    """

    msg: object
    received: float = dataclasses.field(default_factory=time.monotonic)

    @property
    def stamp(self):
        """The message's stamp as (seconds, nanoseconds)."""
        return self.msg.header.stamp.sec, self.msg.header.stamp.nanosec


class FrameBuffer:
    """The newest frames, oldest first, bounded in number and in bytes; it always keeps the newest one."""

    def __init__(self, max_frames, max_bytes):
        self._max_frames = max(1, max_frames)
        self._max_bytes = max_bytes
        self._frames = collections.deque()
        self._bytes = 0
        self._lock = threading.Lock()

    def append(self, frame):
        """Add a frame and let go of the oldest ones over the bounds."""
        with self._lock:
            self._frames.append(frame)
            self._bytes += len(frame.msg.data)
            while len(self._frames) > 1 and (len(self._frames) > self._max_frames or self._bytes > self._max_bytes):
                self._bytes -= len(self._frames.popleft().msg.data)

    def snapshot(self):
        """Return the frames of this moment, oldest first."""
        with self._lock:
            return list(self._frames)

    def clear(self):
        """Let go of all frames."""
        with self._lock:
            self._frames.clear()
            self._bytes = 0


def catch_up_frames(start, later, seconds_per_frame):
    """Choose the frames to track through to get from an old frame to the last of those that came after it.

    Args:
        start: the Frame where the target is known.
        later: list of the Frames since, oldest first, at least one.
        seconds_per_frame: time that tracking in one frame takes.

    Returns:
        Frames evenly spread over `later`, with its last one: all of them where tracking takes at most half of
        the time in which they came in, else as many as fit into that half.
    """
    span = later[-1].received - start.received
    count = len(later) if seconds_per_frame <= 0 else int(span / 2 / seconds_per_frame)
    count = max(1, min(count, len(later)))
    return [later[(i + 1) * len(later) // count - 1] for i in range(count)]


class Worker:
    """One thread that runs jobs in order and, between them, hands the newest frame to a callback.

    The network is loaded, used and freed here alone: a CUDA graph belongs to the thread that captured it.
    """

    def __init__(self, on_frame, name="tracker"):
        """Start the thread; `on_frame(frame, skipped)` gets a frame and the number dropped before it."""
        self._on_frame = on_frame
        self._wake = threading.Condition()
        self._jobs = collections.deque()
        self._frame = None
        self._skipped = 0
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def offer(self, frame):
        """Put a frame into the slot; one that still waits there is dropped and counted. Returns at once."""
        with self._wake:
            self._skipped += self._frame is not None
            self._frame = frame
            self._wake.notify()

    def drop_frame(self):
        """Empty the slot."""
        with self._wake:
            self._frame = None
            self._skipped = 0

    def waiting_frame(self):
        """Return the frame in the slot, or None."""
        with self._wake:
            return self._frame

    def submit(self, function, *args):
        """Run a function in the thread, before the next frame; return its concurrent.futures.Future."""
        future = concurrent.futures.Future()
        with self._wake:
            if self._closed:
                future.set_exception(RuntimeError("the worker is closed"))
            else:
                self._jobs.append((future, function, args))
                self._wake.notify()
        return future

    def close(self):
        """Finish the current job or frame, refuse those that wait, and end the thread."""
        with self._wake:
            self._closed = True
            jobs = list(self._jobs)
            self._jobs.clear()
            self._wake.notify()
        for future, _, _ in jobs:
            future.set_exception(RuntimeError("the worker is closed"))
        self._thread.join()

    def _run(self):
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._closed or self._jobs or self._frame is not None)
                if self._closed:
                    return
                job = self._jobs.popleft() if self._jobs else None
                if job is None:
                    frame, skipped = self._frame, self._skipped
                    self._frame, self._skipped = None, 0
            if job is None:
                self._on_frame(frame, skipped)
            else:
                self._do(*job)
            job = frame = None  # no message or network is kept alive while the thread waits

    @staticmethod
    def _do(future, function, args):
        try:
            future.set_result(function(*args))
        except Exception as error:  # whoever waits for the job gets it
            future.set_exception(error)
