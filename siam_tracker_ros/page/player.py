# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Plays frames on the page, and tracks in them what people mark there.

A box starts the target in the frame in which it was drawn, and the frames after that one are played again. The frames
of a file wait for the tracker; those of a camera do not.
"""

import collections
import dataclasses
import math
import queue
import time
import typing
from collections.abc import Callable
from concurrent.futures import Future

import numpy as np

from siam_tracker_ros.core.monitor import MonitorSettings, TargetState
from siam_tracker_ros.core.outline import NO_OUTLINE
from siam_tracker_ros.core.search import SearchSettings
from siam_tracker_ros.core.session import Observation, TargetSession
from siam_tracker_ros.errors import IncompleteVideoError, InvalidInputError
from siam_tracker_ros.frames import FrameSource
from siam_tracker_ros.page.access import Access
from siam_tracker_ros.page.commands import Command, Pause, Reset, Restart, Save, SetValue, Start
from siam_tracker_ros.page.pictures import Picture, TargetView
from siam_tracker_ros.page.server import Offer, PageServer
from siam_tracker_ros.result_messages import NANOSECONDS
from siam_tracker_ros.settings import check_setting, settings_of, to_values

if typing.TYPE_CHECKING:
    from siam_tracker_ros.core.tracker import Tracker

USUAL_FPS = 30.0  # of a source that does not state its own rate
KEPT_S = 10.0  # for which frames are kept, so that a box can be drawn in one that has passed
KEPT_BYTES = 256 * 10**6
MAX_WAIT_S = 0.5  # for a command: a signal that does not interrupt a wait is noticed after it
_IDLE = Observation(TargetState.IDLE)


@dataclasses.dataclass(frozen=True, eq=False)
class _Frame:
    """A frame that was read.

    Attributes:
        index: how many frames came before it.
        number: the same, with those that could not be decoded.
        image_bgr: uint8 (H, W, 3).
    """

    index: int
    number: int
    image_bgr: np.ndarray


class Player:
    """Frames, one target, and the page that shows them. All but `close` is to be called in one thread.

    Attributes:
        server: serves the page.
        observations: what was seen in each frame so far, without outlines; IDLE where there was no target.
    """

    def __init__(
        self,
        tracker: "Tracker",
        frames: FrameSource,
        title: str,
        access: Access,
        keep: Callable[[int, Observation], None],
        save: Callable[[list[Observation]], str] | None,
    ) -> None:
        """Start to serve the page.

        Args:
            tracker: follows the target.
            frames: source of the frames.
            title: what the page is called.
            access: where it is served, and to whom.
            keep: gets the number of each frame in which something was looked for, and what was seen, perhaps again.
            save: called with `observations`, writes them and returns a sentence about it; None: they are not written.

        Raises:
            InvalidSettingError: the page cannot be served there.
        """
        self.observations: list[Observation] = []
        self._frames = frames
        self._keep = keep
        self._save = save
        self._monitor_settings, self._search_settings = MonitorSettings(), SearchSettings()
        self._session = TargetSession(tracker)
        self._session.warm_up()
        self._period_s = 1 / (frames.fps or USUAL_FPS)
        self._commands: queue.SimpleQueue[tuple[Command, Future[str]] | None] = queue.SimpleQueue()
        self._kept: collections.deque[_Frame] = collections.deque()  # those played last, the newest of them is shown
        self._ahead: collections.deque[_Frame] = collections.deque()  # those to be played again
        self._paused = not frames.live
        self._reviews = False  # whether frames without a target show what was seen before
        self._closed = False
        self._is_exhausted = False  # whether the source has given its last frame
        self._failure: IncompleteVideoError | None = None
        self._count = 0  # frames read
        self._seen = _IDLE  # in the frame that is shown
        commands = [Start, Reset, Pause, SetValue]
        commands += [] if frames.live else [Restart]
        commands += [] if save is None else [Save]
        settings = (*settings_of(MonitorSettings).values(), *settings_of(SearchSettings).values())
        offer = Offer(title, tuple(commands), settings, KEPT_S)
        self.server = PageServer(access, offer, self._values(), self._take)

    def run(self) -> None:
        """Play until `close` or Ctrl-C.

        Raises:
            InvalidInputError: a frame cannot be read, or a result cannot be kept.
            IncompleteVideoError: the video ended before the end that it states; raised after `close`.
        """
        self._advance()
        due = time.monotonic() + self._period_s
        while not self._closed:
            patience_s = self._patience_s(due)
            try:
                job = self._commands.get(timeout=min(patience_s, MAX_WAIT_S))
            except queue.Empty:
                if patience_s <= MAX_WAIT_S:
                    self._advance()
                    due = max(due + self._period_s, time.monotonic())
                continue
            if job is not None:
                self._perform(*job)
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """End `run` and the page; can be called in any thread."""
        self._closed = True
        self._commands.put(None)
        self.server.close()

    def _take(self, command: Command) -> "Future[str]":
        """Take a command, in the server's thread."""
        outcome: Future[str] = Future()
        self._commands.put((command, outcome))
        return outcome

    def _patience_s(self, due: float) -> float:
        """Return for how many seconds to wait for a command before the next frame; infinite while paused."""
        if self._frames.live:
            return 0.0
        return math.inf if self._paused else max(0.0, due - time.monotonic())

    def _perform(self, command: Command, outcome: "Future[str]") -> None:
        try:
            outcome.set_result(self._do(command))
        except Exception as error:  # a fault of a model or a disk too: whoever asked for it gets it as the answer
            outcome.set_exception(error)
        self._show()

    def _do(self, command: Command) -> str:
        """Do what a command asks for; return a sentence about it."""
        if isinstance(command, Start):
            return self._start(command)
        if isinstance(command, Reset):
            self._session.reset()
            self._reviews = False
            self._seen = _IDLE
            return "there is no target any more; the frames to come are played without one"
        if isinstance(command, Pause):
            if not command.paused and self._has_ended:
                raise InvalidInputError("the last frame is shown, there is none to go on with; go back to the start")
            self._paused = command.paused
            return "paused" if command.paused else "playing"
        if isinstance(command, Restart):
            return self._restart()
        if isinstance(command, SetValue):
            return self._set_value(command)
        assert self._save is not None  # else it is not offered
        return self._save(self.observations)

    def _start(self, command: Start) -> str:
        frame = next((kept for kept in self._kept if self._stamp_ns(kept) == command.stamp_ns), None)
        if frame is None:
            raise InvalidInputError(
                f"no frame of stamp {command.stamp_ns} ns is kept, expected that of one of the last {len(self._kept)}; "
                "draw the box again"
            )
        self._session.init(frame.image_bgr, command.box_xywh, target_id="target")
        while self._kept[-1] is not frame:  # played again, with the target
            self._ahead.appendleft(self._kept.pop())
        self._reviews = False
        self._paused = self._has_ended
        first = Observation(self._session.state, np.array(command.box_xywh), confidence=1.0)
        self._note(frame, first)
        return f"the target is held from frame {frame.index + 1} on"

    def _restart(self) -> str:
        self._frames.rewind()
        self._session.reset()
        self._kept.clear()
        self._ahead.clear()
        self._is_exhausted, self._paused, self._reviews = False, True, True
        self._count = 0
        self._advance()
        return "at the first frame; go on to see the results, draw a box where they go wrong"

    def _set_value(self, command: SetValue) -> str:
        name = command.name
        if name in settings_of(MonitorSettings):
            value = check_setting(MonitorSettings, name, command.value)
            monitor_settings = dataclasses.replace(self._monitor_settings, **{name: value})
            monitor_settings.check_order()
            self._monitor_settings = monitor_settings
            self._session.set_monitor_settings(monitor_settings)
        else:
            value = check_setting(SearchSettings, name, command.value)
            self._search_settings = dataclasses.replace(self._search_settings, **{name: value})
            self._session.set_search_settings(self._search_settings)
        self.server.set_values(self._values())
        return f"{name} is {value}"

    def _values(self) -> dict[str, typing.Any]:
        return to_values(self._monitor_settings) | to_values(self._search_settings)

    def _advance(self) -> None:
        """Play the next frame; pause at the end."""
        frame = self._ahead.popleft() if self._ahead else self._read()
        if frame is None:
            self._paused = True
            if self._save is not None:
                self._save(self.observations)
        else:
            self._kept.append(frame)
            limit = min(KEPT_S / self._period_s, KEPT_BYTES / frame.image_bgr.nbytes)
            while len(self._kept) > max(1, limit):
                self._kept.popleft()
            self._note(frame, self._observe(frame))
        self._show()

    def _read(self) -> _Frame | None:
        """Return the next frame of the source, None after the last one."""
        try:
            image_bgr = None if self._is_exhausted else next(self._frames, None)
        except IncompleteVideoError as error:  # the page stays, so that the frames before can be worked on
            self._failure, image_bgr = error, None
        self._is_exhausted = image_bgr is None
        if image_bgr is None:
            return None
        self._count += 1
        return _Frame(self._count - 1, self._count - 1 + self._frames.skipped, image_bgr)

    @property
    def _has_ended(self) -> bool:
        return self._is_exhausted and not self._ahead

    def _observe(self, frame: _Frame) -> Observation:
        if self._session.state == TargetState.IDLE:
            has_seen = self._reviews and frame.index < len(self.observations)
            return self.observations[frame.index] if has_seen else _IDLE
        if self._paused:
            return self._session.hold()
        try:
            return self._session.observe(frame.image_bgr)
        except InvalidInputError:  # of another size, as the other frames of a folder may be
            return self._session.miss()

    def _note(self, frame: _Frame, seen: Observation) -> None:
        """Remember what was seen in a frame, in place of what was seen there before."""
        self._seen = seen
        if self._session.state == TargetState.IDLE and self._reviews and frame.index < len(self.observations):
            return
        self._keep(frame.number, seen)
        del self.observations[frame.index : frame.index + 1]
        self.observations.insert(frame.index, dataclasses.replace(seen, outline=NO_OUTLINE))

    def _show(self) -> None:
        if not self._kept:
            return
        frame, seen = self._kept[-1], self._seen
        candidates_xywh = self._session.candidates_xywh if seen.candidates else []
        targets = [] if seen.state == TargetState.IDLE else [TargetView("target", seen, candidates_xywh)]
        position = None if self._frames.live else (frame.index + 1, self._frames.frame_count)
        self.server.show(
            Picture(self._stamp_ns(frame), frame.image_bgr, targets, paused=self._paused, position=position)
        )

    def _stamp_ns(self, frame: _Frame) -> int:
        return round(frame.index * self._period_s * NANOSECONDS)
