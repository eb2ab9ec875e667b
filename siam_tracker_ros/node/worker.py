# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A thread that runs jobs and processes the newest frame and the newest messages that start a target."""

import collections
import functools
import threading
import typing
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from siam_tracker_ros.node.frame_buffer import Frame

Parameters = typing.ParamSpec("Parameters")
Result = typing.TypeVar("Result")


class Worker:
    """One thread that runs jobs in order and, between them, hands the newest frame and the newest starts to callbacks.

    A start is a message that may start a target; of each type, the newest is kept. Frame and starts take turns where
    both wait, so that a flood of the one does not stop the other.

    All methods can be called from any thread.
    """

    def __init__(
        self,
        on_frame: Callable[[Frame, int], None],
        on_start: Callable[[Any], None],
        name: str = "tracker",
    ) -> None:
        """Start the thread.

        Args:
            on_frame: gets a frame and the number of frames dropped before it.
            on_start: gets a start.
            name: name of the thread.
        """
        self._on_frame, self._on_start = on_frame, on_start
        self._wake = threading.Condition()
        self._jobs: collections.deque[tuple[Future, Callable[[], None]]] = collections.deque()
        self._frame: Frame | None = None
        self._skipped = 0
        self._starts: dict[type, Any] = {}  # by their types, the oldest offer first
        self._frame_is_due = False  # a start had the last turn
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def offer(self, frame: Frame) -> None:
        """Put a frame into the slot and return at once; a frame that still waits there is dropped and counted."""
        with self._wake:
            self._skipped += self._frame is not None
            self._frame = frame
            self._wake.notify()

    def offer_start(self, msg: Any) -> None:
        """Put a start into the slot of its type and return at once; one that still waits there is dropped."""
        with self._wake:
            self._starts[type(msg)] = msg
            self._wake.notify()

    def empty_slots(self) -> None:
        """Drop the frame and the starts that wait."""
        with self._wake:
            self._frame = None
            self._skipped = 0
            self._starts.clear()

    def waiting_frame(self) -> Frame | None:
        """Return the frame in the slot, or None."""
        with self._wake:
            return self._frame

    def submit(
        self, function: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Future[Result]:
        """Run a function in the thread, before the next frame or start; return the future of its result."""
        future: Future[Result] = Future()

        def job() -> None:
            try:
                future.set_result(function(*args, **kwargs))
            except Exception as error:  # raised where the result is asked for
                future.set_exception(error)

        with self._wake:
            if self._closed:
                future.set_exception(RuntimeError("the worker is closed"))
            else:
                self._jobs.append((future, job))
                self._wake.notify()
        return future

    def close(self) -> None:
        """Finish the current job or frame, refuse the jobs that wait, and end the thread."""
        with self._wake:
            self._closed = True
            jobs = list(self._jobs)
            self._jobs.clear()
            self._wake.notify()
        for future, _ in jobs:
            future.set_exception(RuntimeError("the worker is closed"))
        self._thread.join()

    def _run(self) -> None:
        while (work := self._next_work()) is not None:
            work()
            del work  # no message or network is kept alive while the thread waits

    def _next_work(self) -> Callable[[], None] | None:
        """Wait for a job, a frame or a start; return what to do, None once closed."""
        with self._wake:
            self._wake.wait_for(lambda: self._closed or self._jobs or self._frame is not None or self._starts)
            if self._jobs and not self._closed:
                return self._jobs.popleft()[1]
            starts_turn = self._frame is None or not self._frame_is_due
            if self._starts and starts_turn and not self._closed:
                self._frame_is_due = True
                return functools.partial(self._on_start, self._starts.pop(next(iter(self._starts))))
            if self._frame is None or self._closed:
                return None
            frame, skipped = self._frame, self._skipped
            self._frame, self._skipped, self._frame_is_due = None, 0, False
            return functools.partial(self._on_frame, frame, skipped)
