# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Who has been heard on the links, and how often each of them wants the target's status."""

import dataclasses
import math

SILENCE_S = 10.0  # after which a component has left; MAVLink's heartbeats come every second
_MAX_STATIONS = 64  # more than a MAVLink network has; a stream of made-up ids must not fill the memory

Sender = tuple[int, int]
"""System id and component id."""


@dataclasses.dataclass
class _Station:
    heard: float
    interval_s: float | None = None  # None: it has not asked


class Stations:
    """The components of the network that were heard in the last seconds, by link.

    Times are seconds of one steady clock.
    """

    def __init__(self) -> None:
        self._stations: dict[tuple[int, Sender], _Station] = {}

    def hear(self, link: int, sender: Sender, now: float) -> None:
        """Note that a message of a component has come."""
        key = link, sender
        while self._stations and self._first_is_silent(now):
            self._forget_first()
        station = self._stations.pop(key, None) or _Station(now)
        station.heard = now
        self._stations[key] = station  # the last one, so that the first is the one that was silent for longest
        if len(self._stations) > _MAX_STATIONS:
            self._forget_first()

    def set_interval(self, link: int, sender: Sender, interval_s: float) -> None:
        """Note the seconds between two status messages that a component wants, math.inf for none."""
        self._stations[link, sender].interval_s = interval_s

    def interval_s(self, link: int, default_s: float, now: float) -> float:
        """Return the shortest interval that is wanted on a link, math.inf where nobody wants any.

        Args:
            link: number of the link.
            default_s: interval for those that have not asked.
            now: the time.
        """
        wanted = (
            default_s if station.interval_s is None else station.interval_s
            for (number, _), station in self._stations.items()
            if number == link and now - station.heard <= SILENCE_S
        )
        return min(wanted, default=math.inf)

    def _first_is_silent(self, now: float) -> bool:
        return now - next(iter(self._stations.values())).heard > SILENCE_S

    def _forget_first(self) -> None:
        del self._stations[next(iter(self._stations))]
