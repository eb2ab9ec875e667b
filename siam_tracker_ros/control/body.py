# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A servo law for a vehicle to which the camera is fixed: it turns, climbs and drives to keep the target where it is.

The vehicle turns after the target's horizontal direction, by the law of `servo.py`. It climbs by the vertical
direction, and drives by the target's distance or angular height.

A drone tilts to accelerate, and the tilt moves the picture. So directions are turned into the level frame of the body
before anything else: the optical frame of a camera that looks ahead along its heading, and stays level.

The distance is treated as a direction is: it is added to how far the vehicle had driven when the image was taken; the
sum is the target's place on the line of sight, whose motion a filter follows. The command drives at the target's own
speed, and by what is wrong with the distance at the time when it acts.
"""

import bisect
import dataclasses
import math
import typing

import numpy as np
from numpy.typing import NDArray

from siam_tracker_ros.control.line_filter import LineFilter
from siam_tracker_ros.control.motion_filter import NANO
from siam_tracker_ros.control.servo import (
    HISTORY_S,
    Command,
    Servo,
    ServoSettings,
    Turning,
    outside,
    seconds_of,
    stay,
    view_rotation,
)
from siam_tracker_ros.core.monitor import TargetState
from siam_tracker_ros.errors import InvalidInputError, InvalidSettingError
from siam_tracker_ros.settings import setting

MAX_DISAGREEMENT = 0.1
"""Angle in radians between the ray to the target and a place that is taken for the target's."""

AHEAD_OF_BODY = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])
"""From x forward, y to the left, z up to an optical frame that looks ahead: x to the right, y down, z forward."""

_MAX_ATTITUDE_GAP_S = 0.1  # between the time of an image and the nearest attitude


@dataclasses.dataclass(frozen=True)
class BodySettings(ServoSettings):
    """How a vehicle follows its target."""

    camera_tilt: float = setting(
        0.0, "Angle in radians by which the camera of a `body` looks down; below 0: up.", -1.5, 1.5, change="any time"
    )
    use_attitude: bool = setting(
        False, "Whether the tilt of a `body` is taken out of directions; it needs its attitude on the topic `imu`."
    )
    wanted_height: float = setting(
        0.0,
        "Angular height in radians that a `body` keeps the target at by driving; 0: it does not.",
        0,
        3,
        change="any time",
    )
    wanted_distance: float = setting(
        0.0,
        "Distance in metres that a `body` keeps from the target by driving; it needs the topic `target_pose`; 0: it "
        "does not.",
        0,
        1000,
    )
    approach_gain: float = setting(
        0.5,
        "Speed in m/s for a target that is e times smaller or farther away than wanted.",
        0,
        50,
        change="any time",
    )
    distance_dead_band: float = setting(
        0.02, "Share of the distance by which it may be wrong before the vehicle drives.", 0, 1, change="any time"
    )
    distance_agility: float = setting(
        1.0,
        "Change of the target's speed along the line of sight within a second that is expected, in m/s.",
        0.01,
        100,
        change="any time",
    )
    distance_noise: float = setting(
        0.02, "Standard deviation of a distance over the distance.", 0.001, 1, change="any time"
    )
    drive_delay_s: float = setting(
        0.3, "Seconds from a command of linear.x to the middle of its effect.", 0, 2, change="any time"
    )
    max_speed: float = setting(0.5, "Maximum speed forward in m/s.", 0, 50, change="any time")
    max_reverse: float = setting(
        0.0, "Maximum speed backwards in m/s; 0: the vehicle never reverses.", 0, 50, change="any time"
    )
    climb_gain: float = setting(
        0.0,
        "Speed of climbing in m/s per radian that the target is above the middle; 0: it does not climb.",
        0,
        50,
        change="any time",
    )
    max_climb: float = setting(0.5, "Maximum of that speed, up and down, in m/s.", 0, 50, change="any time")
    max_speed_change: float = setting(
        2.0,
        "Maximum change of these speeds in m/s per second while the target is followed; a stop is commanded at once.",
        0.01,
        200,
        change="any time",
    )

    def check(self) -> None:
        """Raise InvalidSettingError when values exclude each other."""
        if self.wanted_height > 0 and self.wanted_distance > 0:
            raise InvalidSettingError(
                f"wanted_height is {self.wanted_height:g} and wanted_distance {self.wanted_distance:g}, expected 0 for "
                "one of them; the distance is the better one where it is known"
            )


class Attitudes:
    """Which way is up in the frame of a body (x forward, y to the left, z up), over the last seconds."""

    def __init__(self) -> None:
        self._times_ns: list[int] = []
        self._ups: list[NDArray[np.float64]] = []

    @property
    def newest_ns(self) -> int | None:
        """Time of the newest attitude; None without one."""
        return self._times_ns[-1] if self._times_ns else None

    def add(self, time_ns: int, quaternion_xyzw: NDArray[np.float64]) -> None:
        """Note the orientation (4,) of the body in a world whose z is up.

        One that is not the newest is left out, unless it is older by more than HISTORY_S: a clock was set then.

        Raises:
            InvalidInputError: it is no rotation.
        """
        length = math.sqrt(quaternion_xyzw @ quaternion_xyzw)
        if not abs(length - 1) < 0.1:  # NaN too
            raise InvalidInputError(f"the orientation has the length {length:g}, expected 1")
        if self._times_ns and time_ns <= self._times_ns[-1]:
            if seconds_of(self._times_ns[-1] - time_ns) <= HISTORY_S:
                return
            self._times_ns.clear()
            self._ups.clear()
        x, y, z, w = quaternion_xyzw / length
        self._times_ns.append(time_ns)
        self._ups.append(np.array([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)]))
        old = bisect.bisect_left(self._times_ns, time_ns - round(HISTORY_S / NANO))
        del self._times_ns[:old], self._ups[:old]

    def level(self, time_ns: int) -> NDArray[np.float64] | None:
        """Return the rotation (3, 3) from the optical frame that looks ahead along the body to its level frame.

        Between two attitudes it is interpolated. None if none is known near that time, or the body stands on end.
        """
        after = bisect.bisect_left(self._times_ns, time_ns)
        near = [index for index in (after - 1, after) if 0 <= index < len(self._times_ns)]
        gaps = [abs(self._times_ns[index] - time_ns) for index in near]
        if not gaps or min(gaps) * NANO > _MAX_ATTITUDE_GAP_S:
            return None
        up = self._ups[near[0]]
        if len(near) == 2:
            up = (self._ups[near[0]] * gaps[1] + self._ups[near[1]] * gaps[0]) / sum(gaps)
        forward = np.array([1.0, 0.0, 0.0]) * (up @ up) - up * up[0]
        if math.sqrt(forward @ forward) < 1e-3:
            return None
        forward, up = (vector / math.sqrt(vector @ vector) for vector in (forward, up))
        return AHEAD_OF_BODY @ np.array([forward, np.cross(up, forward), up]) @ AHEAD_OF_BODY.T


class BodyServo(Servo):
    """Follows one target at a time with one vehicle; see Servo for times and targets."""

    settings: BodySettings

    def __init__(self, settings: BodySettings) -> None:
        """Make a servo that stands still."""
        self._speeds = np.zeros(2)  # of the last command: forward, up
        super().__init__(settings, turns=(True, False))

    def _begin(self) -> None:
        super()._begin()
        self._place: tuple[int, NDArray[np.float64]] | None = None  # that waits for its image's direction
        self._attitudes = Attitudes()
        self._travel = Turning()  # metres forward and up, where others have angles
        self._line = LineFilter(self.settings.distance_agility)  # of the target's place on the line of sight
        self._forget()

    def _forget(self) -> None:
        super()._forget()
        self._line.forget()
        self._ray: tuple[int, NDArray[np.float64]] | None = None  # time and direction of the newest image
        self._log_ratio: float | None = None  # of the newest image, distance over the wanted one

    def tilt(self, time_ns: int, quaternion_xyzw: NDArray[np.float64]) -> None:
        """Take over the attitude of the body; see Attitudes.add."""
        self._attitudes.add(time_ns, quaternion_xyzw)

    def see(
        self,
        time_ns: int,
        target: typing.Hashable,
        state: TargetState,
        ray: NDArray[np.float64],
        angular_height: float = math.nan,
        lead_ns: int = 0,
    ) -> None:
        """Take over what one image showed; see Servo.see.

        Args:
            time_ns, target, state: as there.
            ray: float64 (3,), direction of the target in the camera's optical frame.
            angular_height: of the target in radians.
            lead_ns: how much later than the image the direction is one; `time_ns` is the later time.
        """
        is_late = self._is_late(time_ns, target)
        super().see(time_ns, target, state, self._level(time_ns) @ ray)
        if is_late or state != TargetState.TRACKING:
            return
        self._ray = time_ns - lead_ns, ray
        if self.settings.wanted_height > 0 and angular_height > 0:
            self._log_ratio = math.log(self.settings.wanted_height / angular_height)
        if self._place is not None:
            self.see_place(*self._place)

    def see_place(self, time_ns: int, position: NDArray[np.float64]) -> None:
        """Take over where the target of an image is: (3,) in metres in the camera's optical frame.

        It counts if it lies in the direction that `see` was told for the same image, before or after: with several
        targets it may be another one's.
        """
        self._place = time_ns, position
        distance = math.sqrt(position @ position)
        if self._ray is None or self._ray[0] != time_ns or not 0 < distance < math.inf:
            return
        self._place = None
        if not position @ self._ray[1] >= distance * math.cos(MAX_DISAGREEMENT):  # NaN too
            return
        self._line.agility = self.settings.distance_agility
        self._line.measure(time_ns, distance + self._travel.angles(time_ns)[0], self.settings.distance_noise * distance)
        if self.settings.wanted_distance > 0:
            self._log_ratio = math.log(distance / self.settings.wanted_distance)

    def _level(self, time_ns: int) -> NDArray[np.float64]:
        """Return the rotation (3, 3) from the camera's optical frame to the level frame of the body; NaN if unknown."""
        mounted = view_rotation(np.array([0.0, self.settings.camera_tilt]))
        if not self.settings.use_attitude:
            return mounted
        level = self._attitudes.level(time_ns)
        return level @ mounted if level is not None else np.full((3, 3), math.nan)

    def _wanted(self, now_ns: int) -> Command:
        settings, newest_ns = self.settings, self._attitudes.newest_ns
        has_attitude = newest_ns is not None and seconds_of(now_ns - newest_ns) <= settings.stale_s
        if settings.use_attitude and not has_attitude and self._state in (TargetState.TRACKING, TargetState.UNCERTAIN):
            return stay(f"no attitude of the last {settings.stale_s:g} s")
        command = super()._wanted(now_ns)
        if command.share > 0 and settings.wanted_distance > 0 and self._line.at(now_ns) is None:
            return command._replace(reason=f"{command.reason}, without a distance")
        return command

    def _speeds_for(self, wanted: Command, now_ns: int, since_s: float) -> NDArray[np.float64]:
        settings = self.settings
        if wanted.share == 0:
            self._speeds = np.zeros(2)
        else:
            below = outside(wanted.error[1:] - settings.camera_tilt, settings.dead_band)[0]
            climb = min(max(-settings.climb_gain * below, -settings.max_climb), settings.max_climb)
            drive = min(max(self._drive(now_ns), -settings.max_reverse), settings.max_speed)
            most = settings.max_speed_change * since_s
            change = wanted.share * np.array([drive, climb]) - self._speeds
            self._speeds = self._speeds + change.clip(-most, most)
        self._travel.turn(self._drives_ns(now_ns), self._speeds)
        return self._speeds

    def _drives_ns(self, now_ns: int) -> int:
        return now_ns + round(self.settings.drive_delay_s / NANO)

    def _drive(self, now_ns: int) -> float:
        """Return the speed forward that keeps the distance, without bounds."""
        settings, log_ratio, speed = self.settings, self._log_ratio, 0.0
        if settings.wanted_distance > 0 and settings.compensate_latency:
            acts_ns = self._drives_ns(now_ns)
            known = self._line.at(acts_ns)
            if known is None:
                return 0.0
            place, speed = known
            distance = max(place - self._travel.angles(acts_ns)[0], 0.1 * settings.wanted_distance)
            log_ratio = math.log(distance / settings.wanted_distance)
        if log_ratio is None:
            return 0.0
        return settings.approach_gain * float(outside(np.array(log_ratio), settings.distance_dead_band)) + speed
