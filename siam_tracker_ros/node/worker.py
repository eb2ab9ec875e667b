# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A thread that runs jobs and processes the newest frame and the newest starts, and another that watches it."""

import collections
import contextlib
import ctypes
import functools
import logging
import threading
import time
import typing
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from typing import Any

from siam_tracker_ros.errors import SiamTrackerError
from siam_tracker_ros.node.frame_buffer import Frame

Parameters = typing.ParamSpec("Parameters")
Result = typing.TypeVar("Result")

logger = logging.getLogger(__name__)

LOOK_S = 0.1  # between two looks of the watch


class HungError(SiamTrackerError):
    """The worker's thread is in a call that does not return."""


class _GivenUp(BaseException):
    """Ends work that nobody waits for any more; no handler of errors may keep it."""


class Worker:
    """One thread that runs jobs in order and, between them, hands the newest frame and the newest starts to callbacks.

    A start is a message that may start a target; of each type, the newest is kept. Frame and starts take turns where
    both wait, so that a flood of the one does not stop the other.

    Work that takes longer than a limit hangs: all who wait for jobs are told, and new jobs are refused. A call into a
    library cannot be ended from outside. If it returns after all, its work is given up there, so that nothing comes of
    what was answered as refused, and the thread goes on.

    All methods can be called from any thread.

    Attributes:
        limit_s: seconds after which work hangs, 0 for never; for the work to come. `still_works` begins them anew.
    """

    def __init__(
        self,
        on_frame: Callable[[Frame, int], None],
        on_start: Callable[[Any], None],
        name: str = "tracker",
        limit_s: float = 0.0,
        on_hang: Callable[[], None] = lambda: None,
    ) -> None:
        """Start the threads.

        Args:
            on_frame: gets a frame and the number of frames dropped before it.
            on_start: gets a start.
            name: name of the thread.
            limit_s: see the class.
            on_hang: called when the work hangs, and when it has returned after all; in one of the threads.
        """
        self.limit_s = limit_s
        self._on_frame, self._on_start, self._on_hang = on_frame, on_start, on_hang
        # In the thread itself, while it works, the lock alone is entered. A Condition is entered by Python code, where
        # _GivenUp may be raised after it has the lock and before anything would release it.
        self._lock = threading.Lock()
        self._wake = threading.Condition(self._lock)
        self._jobs: collections.deque[tuple[Future, Callable[[], None]]] = collections.deque()
        self._running: Future | None = None  # of the job that runs
        self._frame: Frame | None = None
        self._skipped = 0
        self._starts: dict[type, Any] = {}  # by their types, the oldest offer first
        self._frame_is_due = False  # a start had the last turn
        self._closed = False
        self._is_working = False
        self._looks = 0  # of the watch since the work began; of its own time, so that a stopped process counts nothing
        self._hung_at: float | None = None  # monotonic time, while the work hangs
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()
        self._watcher = threading.Thread(target=self._watch, name=f"{name}-watch", daemon=True)
        self._watcher.start()

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
        """Run a function in the thread, before the next frame or start; return the future of its result.

        The future raises what the function raises, HungError when the work hangs, RuntimeError once closed.
        """
        future: Future[Result] = Future()

        def job() -> None:
            with contextlib.suppress(InvalidStateError):  # it was answered when the job hung
                try:
                    future.set_result(function(*args, **kwargs))
                except Exception as error:  # raised where the result is asked for
                    future.set_exception(error)

        with self._wake:
            if self._closed:
                future.set_exception(RuntimeError("the worker is closed"))
            elif self._hung_at is not None:
                future.set_exception(HungError(self.hang))
            else:
                self._jobs.append((future, job))
                self._wake.notify()
        return future

    def still_works(self) -> None:
        """Note in the thread that a part of long work is done."""
        with self._lock:
            self._looks = 0

    @property
    def hang(self) -> str:
        """What is said of work that hangs; empty while none does."""
        hung_at = self._hung_at
        if hung_at is None:
            return ""
        seconds = self.limit_s + time.monotonic() - hung_at
        return (
            f"the network has not returned for {seconds:.0f} s, expected an answer within {self.limit_s:g} s; if it "
            "does not return, deactivate, clean up, configure and activate the node, or restart its process"
        )

    @property
    def is_alive(self) -> bool:
        """Whether the thread has not ended."""
        return self._thread.is_alive()

    def close(self) -> bool:
        """Finish the current job or frame, refuse the jobs that wait, and end the thread.

        Returns:
            Whether it has ended. Where the work hangs it is left behind, and ends when the call returns.
        """
        with self._wake:
            self._closed = True
            jobs = list(self._jobs)
            self._jobs.clear()
            self._wake.notify()
        for future, _ in jobs:
            future.set_exception(RuntimeError("the worker is closed"))
        while self.is_alive and self._hung_at is None:
            self._thread.join(LOOK_S)
        if self.is_alive:
            return False
        self._watcher.join()
        return True

    def _run(self) -> None:
        """Work until closed."""
        try:
            while not self._closed:
                self._do(self._next_work)
            self._do(lambda: self._clean_up)
        finally:
            self._ended.set()

    def _do(self, choose: Callable[[], Callable[[], None] | None]) -> None:
        """Do one piece of work; no message or network is kept alive after it, while the thread waits."""
        with contextlib.suppress(_GivenUp):
            work = choose()
            if work is None:
                return
            work()
            del work
            with self._lock:
                self._is_working, self._running = False, None
            if self._hung_at is None:
                return
            time.sleep(LOOK_S)  # it ended in the very moment in which it was given up: the exception is on its way
        with self._wake:
            self._is_working, self._running, self._hung_at = False, None, None
        if not self._closed:
            self._tell()

    def _tell(self) -> None:
        try:
            self._on_hang()
        except Exception:  # whatever it tries, both threads go on
            logger.exception("a hang could not be told")

    def _clean_up(self) -> None:
        """Free what the thread has, at its end."""

    def _watch(self) -> None:
        while not self._ended.wait(LOOK_S):
            with self._wake:
                self._looks += 1
                is_late = 0 < self.limit_s <= self._looks * LOOK_S
                if not is_late or not self._is_working or self._hung_at is not None:
                    continue
                self._hung_at = time.monotonic()
                waiting = [future for future, _ in self._jobs]
                if self._running is not None:
                    waiting.insert(0, self._running)
                self._jobs.clear()
                hang = self.hang
                # Python raises it in that thread as soon as the call there returns.
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(self._thread.ident or 0), ctypes.py_object(_GivenUp)
                )
            for future in waiting:
                with contextlib.suppress(InvalidStateError):
                    future.set_exception(HungError(hang))
            self._tell()

    def _next_work(self) -> Callable[[], None] | None:
        """Wait for a job, a frame or a start; return what to do, None once closed."""
        with self._wake:
            self._wake.wait_for(lambda: self._closed or self._jobs or self._frame is not None or self._starts)
            if self._closed:
                return None
            self._is_working, self._looks = True, 0
            if self._jobs:
                self._running, job = self._jobs.popleft()
                return job
            starts_turn = self._frame is None or not self._frame_is_due
            if self._starts and starts_turn:
                self._frame_is_due = True
                return functools.partial(self._on_start, self._starts.pop(next(iter(self._starts))))
            assert self._frame is not None
            frame, skipped = self._frame, self._skipped
            self._frame, self._skipped, self._frame_is_due = None, 0, False
            return functools.partial(self._on_frame, frame, skipped)
