# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Several targets in the same images, followed by one tracker."""

import contextlib
import itertools
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from siam_tracker_ros.core.monitor import MonitorSettings
from siam_tracker_ros.core.search import SearchSettings
from siam_tracker_ros.core.session import Observation, TargetSession
from siam_tracker_ros.core.tracker import Tracker
from siam_tracker_ros.errors import InvalidInputError, listed, shown

MAX_NAME = 128
"""Characters of a target's name, or of its class; all messages about it repeat them."""


class MultiTracker:
    """Follows up to `max_targets` targets: each has a TargetSession of its own, all share one tracker and its network.

    On a CPU a frame takes as long as its targets one after the other: a batch of them would take no less. On a GPU the
    targets that are not searched for are one batch of the network.

    Attributes:
        tracker: the tracker.
        max_targets: how many targets are followed at most.
    """

    def __init__(
        self,
        tracker: Tracker,
        max_targets: int = 8,
        monitor_settings: MonitorSettings = MonitorSettings(),
        search_settings: SearchSettings = SearchSettings(),
    ) -> None:
        if not isinstance(max_targets, int) or max_targets < 1:
            raise InvalidInputError(f"max_targets is {max_targets!r}, expected a whole number, at least 1")
        self.tracker = tracker
        self.max_targets = max_targets
        self._monitor_settings = monitor_settings
        self._search_settings = search_settings
        self._sessions: dict[str, TargetSession] = {}

    def __len__(self) -> int:
        """Number of targets."""
        return len(self._sessions)

    def __iter__(self) -> Iterator[TargetSession]:
        """The sessions of the targets, in the order in which these were added."""
        return iter(tuple(self._sessions.values()))

    def get(self, target_id: str) -> TargetSession | None:
        """Return the session of a target, or None."""
        return self._sessions.get(target_id)

    def add(
        self,
        image_bgr: np.ndarray,
        box_xywh: npt.ArrayLike,
        target_id: str = "",
        class_id: str = "",
        instead_of: str = "",
    ) -> TargetSession:
        """Follow one more target, or start one that is followed anew.

        Args:
            image_bgr: uint8 (H, W, 3).
            box_xywh: left, top, width, height of the target in pixels of the image.
            target_id: its name; empty: a number that no target has.
            class_id: its class.
            instead_of: name of the target that makes room for it, or empty.

        Raises:
            InvalidInputError: there are `max_targets` others, or a name, the image or the box cannot be used; all
                targets are as they were.
        """
        _check_name("target_id", target_id)
        _check_name("class_id", class_id)
        target_id = str(target_id) or next(
            str(number) for number in itertools.count(1) if str(number) not in self._sessions
        )
        replaced = target_id if target_id in self._sessions else instead_of
        session = self._sessions.get(replaced)
        if session is None:
            if len(self) >= self.max_targets:
                raise InvalidInputError(
                    f"{len(self)} targets are followed ({listed(list(self._sessions))}) and max_targets is "
                    f"{self.max_targets}; remove one, or raise max_targets"
                )
            session = TargetSession(self.tracker, self._monitor_settings, self._search_settings)
        session.init(image_bgr, box_xywh, target_id, class_id)
        if replaced != target_id:
            self._sessions.pop(replaced, None)
        self._sessions[target_id] = session
        return session

    def remove(self, target_id: str) -> None:
        """Follow a target no longer.

        Raises:
            InvalidInputError: there is no such target.
        """
        if target_id not in self._sessions:
            known = listed(list(self._sessions)) or "none"
            raise InvalidInputError(f"target_id is {shown(target_id)}, expected one of those followed: {known}")
        del self._sessions[target_id]

    def clear(self) -> None:
        """Follow no target any longer."""
        self._sessions.clear()

    def observe(self, image_bgr: np.ndarray) -> dict[str, Observation]:
        """Find all targets in the next frame; return what is known of each by its name.

        Raises:
            InvalidInputError: the image has another size than the one that a target was marked in; see
                `TargetSession.observe`.
        """
        sessions = dict(self._sessions)
        with self.sharing(image_bgr, sessions.values()):
            return {target_id: session.observe(image_bgr) for target_id, session in sessions.items()}

    def sharing(
        self, image_bgr: np.ndarray, sessions: Iterable[TargetSession]
    ) -> contextlib.AbstractContextManager[None]:
        """A context in which sessions observe an image, which is not changed; they share what work they can."""
        targets = (session.next_target for session in sessions)
        return self.tracker.sharing(image_bgr, [target for target in targets if target is not None])

    def set_monitor_settings(self, settings: MonitorSettings) -> None:
        """Judge the next frames by other settings."""
        self._monitor_settings = settings
        for session in self:
            session.set_monitor_settings(settings)

    def set_search_settings(self, settings: SearchSettings) -> None:
        """Search the next frames by other settings."""
        self._search_settings = settings
        for session in self:
            session.set_search_settings(settings)


def _check_name(field: str, name: object) -> None:
    """Check the name or the class of a target.

    Raises:
        InvalidInputError: it is too long, or holds characters that would break lines of logs and of tables.
    """
    text = str(name)
    if len(text) > MAX_NAME or not text.isprintable():
        raise InvalidInputError(
            f"{field} is {shown(text)}, a text of {len(text)} characters, expected at most {MAX_NAME} that can be "
            "printed on one line"
        )
