# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A servo law that keeps a target in the middle of a camera's view: from directions to rates of yaw and pitch.

The direction in an image is old when it arrives: exposure, transport and tracking take time, and the next command needs
time to act. Meanwhile the camera turns, and the target moves. With latency compensation, each direction is added to
where the camera looked when the image was taken; the sum is the target's direction in the world, whose motion a filter
follows. The command aims at where the target will be when it acts. Without, the rates are proportional to what the last
image showed.

Angles are yaw and pitch in radians as in ROS: positive yaw is to the left, positive pitch is down.
"""

import dataclasses
import math
import typing

import numpy as np
from numpy.typing import NDArray

from siam_tracker_ros.control.motion_filter import NANO, RayFilter
from siam_tracker_ros.core.monitor import TargetState
from siam_tracker_ros.settings import setting

MAX_PERIOD_S = 0.5  # between two commands, that a change of the rates is computed for
_RATES_OVER_S = 0.01  # over which the rates of a predicted direction are taken
HISTORY_S = 5.0  # for which commands are kept: directions that are older are refused as stale


@dataclasses.dataclass(frozen=True)
class ServoSettings:
    """How a camera follows its target."""

    gain: float = setting(3.0, "Rate in rad/s per radian that the target is off the middle.", 0, 50, change="any time")
    agility: float = setting(
        1.0,
        "Change of the target's angular velocity within a second that is expected, in rad/s.",
        0.01,
        50,
        change="any time",
    )
    direction_noise: float = setting(
        0.002, "Standard deviation of a seen direction in radians.", 1e-5, 0.5, change="any time"
    )
    max_rate: float = setting(1.0, "Maximum rate of yaw and of pitch in rad/s.", 0, 20, change="any time")
    max_acceleration: float = setting(
        6.0, "Maximum change of a rate in rad/s per second; stopping keeps to it too.", 0.01, 200, change="any time"
    )
    dead_band: float = setting(
        0.002, "Radians that the target may be off the middle before the camera moves.", 0, 0.5, change="any time"
    )
    compensate_latency: bool = setting(
        True, "Whether to aim at where the target will be when a command acts.", change="any time"
    )
    actuation_delay_s: float = setting(
        0.1,
        "Seconds from a command to the middle of its effect: delay and lag of the drive, and half a command's period.",
        0,
        2,
        change="any time",
    )
    uncertain_speed: float = setting(
        0.5,
        "Share of the rates while the target is UNCERTAIN; it is followed by its motion alone.",
        0,
        1,
        change="any time",
    )
    max_coast_s: float = setting(
        1.0, "Seconds that it is followed so before the camera stops.", 0, 30, change="any time"
    )
    stale_s: float = setting(
        0.5,
        "Age in seconds of the newest image's answer, above which the camera stops.",
        0.01,
        HISTORY_S,
        change="any time",
    )
    search: typing.Literal["none", "pan"] = setting(
        "none",
        "What the camera does while the target is LOST: it stays, or it pans about the last direction.",
        change="any time",
    )
    search_after_s: float = setting(2.0, "Seconds of being LOST before it pans.", 0, 60, change="any time")
    search_rate: float = setting(0.3, "Rate in rad/s of panning.", 0, 5, change="any time")
    search_angle: float = setting(0.8, "Radians to both sides of the last direction.", 0, 3.2, change="any time")
    max_search_s: float = setting(20.0, "Seconds of panning before the camera stays.", 0, 600, change="any time")


def view_rotation(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotation (3, 3) from the optical frame of a camera along yaw and pitch (2,) to that of one that looks ahead."""
    (yaw_cos, pitch_cos), (yaw_sin, pitch_sin) = np.cos(angles), np.sin(angles)
    yaw = np.array([[yaw_cos, 0, -yaw_sin], [0, 1, 0], [yaw_sin, 0, yaw_cos]])
    pitch = np.array([[1, 0, 0], [0, pitch_cos, pitch_sin], [0, -pitch_sin, pitch_cos]])
    return yaw @ pitch


def ray_angles(rays: NDArray[np.float64]) -> NDArray[np.float64]:
    """Yaw and pitch (..., 2) of rays (..., 3) in an optical frame: x to the right, y down, z forward."""
    x, y, z = np.moveaxis(rays, -1, 0)
    return np.stack([-np.arctan2(x, z), np.arctan2(y, np.hypot(x, z))], -1)


class Command(typing.NamedTuple):
    """What the camera is to do.

    Attributes:
        rates: float64 (2,), of yaw and pitch in rad/s.
        reason: why, in a few words: "follow", "coast", "search", or why it stops.
        error: float64 (2,), yaw and pitch from the middle of the view to where the target will be when the command
            acts; zero unless it is followed.
        share: of the rates and speeds that would follow the target if all were sure, 0 to 1; 0 unless it is followed.
        speeds: float64 (2,), forward and up in m/s; zero for a camera that only turns.
    """

    rates: NDArray[np.float64]
    reason: str
    error: NDArray[np.float64]
    share: float = 0.0
    speeds: NDArray[np.float64] = np.zeros(2)


class Turning:
    """Where a camera looks, from the rates that it was sent: yaw and pitch in radians since the beginning."""

    def __init__(self) -> None:
        self._parts: list[tuple[int, NDArray[np.float64], NDArray[np.float64]]] = []  # time, angles then, rates since

    def turn(self, time_ns: int, rates: NDArray[np.float64]) -> None:
        """Note rates (2,) that hold from a time on; what was noted for later holds no longer."""
        angles = self.angles(time_ns)
        parts = [part for part in self._parts if part[0] < time_ns] + [(time_ns, angles, np.array(rates, np.float64))]
        old = [index for index, part in enumerate(parts) if part[0] <= time_ns - HISTORY_S / NANO]
        self._parts = parts[old[-1] if old else 0 :]

    def angles(self, time_ns: int) -> NDArray[np.float64]:
        """Return yaw and pitch (2,) at a time."""
        for start_ns, angles, rates in reversed(self._parts):
            if start_ns <= time_ns:
                return angles + rates * seconds_of(time_ns - start_ns)
        return self._parts[0][1] if self._parts else np.zeros(2)


class Servo:
    """Follows one target at a time with one camera. Times are nanoseconds of one clock, that of the image stamps.

    Attributes:
        settings: may be replaced at any time.
    """

    def __init__(self, settings: ServoSettings, turns: tuple[bool, bool] = (True, True)) -> None:
        """Make a servo.

        Args:
            settings: how it follows.
            turns: whether the camera turns about yaw and about pitch; one that is fixed to a vehicle does not pitch.
        """
        self.settings = settings
        self._turns = np.array(turns)
        self._rates = np.zeros(2)  # of the last command
        self._last_ns: int | None = None  # time of the last command
        self._begin()

    def _begin(self) -> None:
        self._turning = Turning()
        self._filter = RayFilter(self.settings.agility)  # of the target's ray in the world
        self._target: typing.Hashable = None
        self._state = TargetState.IDLE
        self._state_since_ns = 0  # time of the first image in this state
        self._seen_ns: int | None = None  # time of the newest image that was answered
        self._error: NDArray[np.float64] | None = None  # yaw and pitch that the newest direction showed in the view
        self._center_yaw = 0.0  # of the search

    def see(self, time_ns: int, target: typing.Hashable, state: TargetState, ray: NDArray[np.float64]) -> None:
        """Take over what one image showed.

        Args:
            time_ns: when the image was taken; an image older than the newest one seen is left out, unless that one was
                of the future, or the clock was set back by more than HISTORY_S.
            target: tells targets apart; another one begins anew.
            state: state of the target in this image.
            ray: float64 (3,), direction of the target in the optical frame; it counts while TRACKING.
        """
        if self._is_late(time_ns, target):
            return
        camera = self._turning.angles(time_ns)
        was_wrong = self._seen_ns is not None and time_ns <= self._seen_ns
        if target != self._target or state == TargetState.IDLE or was_wrong:
            self._forget()
            self._target = target
        self._seen_ns = time_ns
        if state != self._state:
            self._state, self._state_since_ns, self._center_yaw = state, time_ns, camera[0]
        if state == TargetState.TRACKING and np.isfinite(ray).all():
            self._error = ray_angles(ray)
            self._filter.agility = self.settings.agility
            self._filter.measure(time_ns, view_rotation(camera) @ ray, self.settings.direction_noise)

    def _is_late(self, time_ns: int, target: typing.Hashable) -> bool:
        """Return whether a newer image of a target was seen."""
        if self._seen_ns is None or target != self._target or self._is_of_the_future(self._last_ns):
            return False
        return 0 <= seconds_of(self._seen_ns - time_ns) <= HISTORY_S

    def _forget(self) -> None:
        """Forget the target."""
        self._filter.forget()
        self._state, self._error = TargetState.IDLE, None

    def command(self, now_ns: int) -> Command:
        """Return the command for this moment, and remember that it is sent; a clock that jumps back begins anew."""
        if self._last_ns is not None and now_ns < self._last_ns:
            self._begin()
        settings = self.settings
        wanted = self._wanted(now_ns)
        rates = np.where(self._turns, wanted.rates, 0.0).clip(-settings.max_rate, settings.max_rate)
        since_s = 0.0 if self._last_ns is None else min(max(seconds_of(now_ns - self._last_ns), 0.0), MAX_PERIOD_S)
        most = settings.max_acceleration * since_s
        self._rates, self._last_ns = self._rates + (rates - self._rates).clip(-most, most), now_ns
        self._turning.turn(self._acts_ns(now_ns), self._rates)
        return wanted._replace(rates=self._rates, speeds=self._speeds_for(wanted, now_ns, since_s))

    def _speeds_for(self, wanted: Command, now_ns: int, since_s: float) -> NDArray[np.float64]:
        """Return the speeds (2,) that go with a command; `since_s` is the time since the command before."""
        return np.zeros(2)

    def _acts_ns(self, now_ns: int) -> int:
        return now_ns + round(self.settings.actuation_delay_s / NANO)

    def _wanted(self, now_ns: int) -> Command:
        """Return what would be commanded without bounds."""
        settings = self.settings
        if self._seen_ns is None or seconds_of(now_ns - self._seen_ns) > settings.stale_s:
            return stay(f"no answer for an image of the last {settings.stale_s:g} s")
        if self._is_of_the_future(now_ns):  # that it is stale could never be told
            return stay("images have stamps of the future; let camera and robot have one clock")
        if self._state == TargetState.IDLE:
            return stay("no target")
        if self._state == TargetState.LOST:
            return self._search(now_ns)
        if self._error is None:
            return stay("no direction of the target yet")
        share, reason = 1.0, "follow"
        if self._state == TargetState.UNCERTAIN:
            if seconds_of(now_ns - self._state_since_ns) > settings.max_coast_s:
                return stay(f"UNCERTAIN for more than {settings.max_coast_s:g} s")
            share, reason = settings.uncertain_speed, "coast"
        error, rates = self._error, np.zeros(2)
        if settings.compensate_latency:
            acts_ns = self._acts_ns(now_ns)
            motion = self._filter.at(acts_ns)
            if motion is None:
                return stay("the last direction of the target is too old")
            to_view = view_rotation(self._turning.angles(acts_ns)).T
            error, later = (
                ray_angles(to_view @ ray) for ray in (motion.ray, motion.after(_RATES_OVER_S, settings.agility).ray)
            )
            rates = (later - error) / _RATES_OVER_S
        return Command(share * self._rates_for(error, rates), reason, error, share)

    def _is_of_the_future(self, now_ns: int | None) -> bool:
        """Whether the newest image seen has a stamp that this moment rules out; None: no moment is known."""
        if self._seen_ns is None or now_ns is None:
            return False
        return seconds_of(self._seen_ns - now_ns) > self.settings.stale_s

    def _rates_for(self, error: NDArray[np.float64], rates: NDArray[np.float64]) -> NDArray[np.float64]:
        """Rates that follow a target which is off the middle by some angles, and moves with some rates."""
        return self.settings.gain * outside(error, self.settings.dead_band) + rates

    def _search(self, now_ns: int) -> Command:
        """Stay; after a while, pan to one side, to the other and back."""
        settings = self.settings
        panned_s = seconds_of(now_ns - self._state_since_ns) - settings.search_after_s
        if settings.search == "none" or panned_s < 0 or panned_s > settings.max_search_s:
            return stay("LOST")
        goal = math.sin(panned_s * settings.search_rate / max(settings.search_angle, 1e-6)) * settings.search_angle
        error = self._center_yaw + goal - self._turning.angles(self._acts_ns(now_ns))[0]
        rate = min(max(settings.gain * error, -settings.search_rate), settings.search_rate)
        return Command(np.array([rate, 0.0]), "search", np.zeros(2))


def outside(error: NDArray[np.float64], dead_band: float) -> NDArray[np.float64]:
    """Return by how much errors lie outside of a dead band about zero."""
    return np.sign(error) * np.maximum(0, np.abs(error) - dead_band)


def stay(reason: str) -> Command:
    """Return the command to stand still, and why."""
    return Command(np.zeros(2), reason, np.zeros(2))


def seconds_of(nanoseconds: int) -> float:
    """Return nanoseconds as seconds."""
    return nanoseconds * NANO
