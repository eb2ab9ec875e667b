# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A camera on a pan-tilt head and a target that moves, to close a control loop without a robot.

`simulate` knows the target's direction with a delay and some noise; a World renders images, in which it is tracked.

Angles are yaw and pitch in radians as in ROS: positive yaw is to the left, positive pitch is down. The camera is a
pinhole that looks along its yaw and pitch, without roll.
"""

import collections
import dataclasses
import enum
import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from siam_tracker_ros.control.motion_filter import NANO
from siam_tracker_ros.control.servo import Servo, ray_angles, view_rotation
from siam_tracker_ros.core.monitor import TargetState

Path = Callable[[float], tuple[float, float]]

PIXELS_PER_RADIAN = 800  # of the panorama
GRID = 4  # pixels of the image between two directions that are computed; those between are off by 0.01 pixels
MAX_YAW, MAX_PITCH = 2.4, 0.9  # radians that the panorama reaches from straight ahead, the view's own half included
TARGET_COLORS_BGR = ((30, 60, 210), (240, 240, 240), (20, 20, 20))


@dataclasses.dataclass(frozen=True)
class HeadLimits:
    """What a head can do.

    Attributes:
        delay_s: time after which a command begins to act.
        lag_s: time constant with which the rate then follows it.
        max_rate: radians per second.
        max_acceleration: radians per second squared.
    """

    delay_s: float = 0.06
    lag_s: float = 0.04
    max_rate: float = 1.5
    max_acceleration: float = 8.0


class Head:
    """A pan-tilt head that follows commanded rates as well as its limits let it.

    Attributes:
        angles: float64 (2,), yaw and pitch.
        rates: float64 (2,), their rates.
    """

    def __init__(self, limits: HeadLimits) -> None:
        self.angles = np.zeros(2)
        self.rates = np.zeros(2)
        self._limits = limits
        self._now_s = 0.0
        self._commands: collections.deque[tuple[float, NDArray[np.float64]]] = collections.deque()  # by time of effect
        self._commanded = np.zeros(2)

    def command(self, rates: NDArray[np.float64]) -> None:
        """Ask for rates (2,)."""
        self._commands.append((self._now_s + self._limits.delay_s, np.array(rates, np.float64)))

    def advance(self, seconds: float, step_s: float = 4e-3) -> None:
        """Let time pass."""
        limits, end_s = self._limits, self._now_s + seconds
        while self._now_s < end_s - 1e-9:
            step = min(step_s, end_s - self._now_s)
            while self._commands and self._commands[0][0] <= self._now_s:
                self._commanded = self._commands.popleft()[1].clip(-limits.max_rate, limits.max_rate)
            change = (self._commanded - self.rates) * (1 - math.exp(-step / limits.lag_s))
            self.rates = self.rates + change.clip(-limits.max_acceleration * step, limits.max_acceleration * step)
            self.angles = self.angles + self.rates * step
            self._now_s += step


def ray_along(angles: tuple[float, float]) -> NDArray[np.float64]:
    """Unit ray (3,) along yaw and pitch, in the optical frame of a camera that looks ahead."""
    yaw, pitch = angles
    return np.array([-math.sin(yaw) * math.cos(pitch), math.sin(pitch), math.cos(yaw) * math.cos(pitch)])


@dataclasses.dataclass(frozen=True)
class Run:
    """What happened in a closed loop.

    Attributes:
        times_s: float64 (N,), when images were taken.
        errors: float64 (N, 2), yaw and pitch from the middle of the view to the target then.
        command_times_s: float64 (M,), when commands were sent.
        rates: float64 (M, 2), their rates.
        reasons: M texts.
    """

    times_s: NDArray[np.float64]
    errors: NDArray[np.float64]
    command_times_s: NDArray[np.float64]
    rates: NDArray[np.float64]
    reasons: list[str]


class Event(enum.IntEnum):
    """What happens in a closed loop; at one time, in this order."""

    IMAGE = 0
    ANSWER = 1
    COMMAND = 2


def loop_events(seconds: float, latency_s: float, image_rate: float, command_rate: float) -> list[tuple[float, Event]]:
    """Return the times in seconds of all images, of their answers so much later, and of the commands, in order."""
    images = [(number / image_rate, Event.IMAGE) for number in range(math.ceil(seconds * image_rate))]
    answers = [(time_s + latency_s, Event.ANSWER) for time_s, _ in images]
    commands = [(number / command_rate, Event.COMMAND) for number in range(math.ceil(seconds * command_rate))]
    return sorted(images + answers + commands)


def event_times(events: list[tuple[float, Event]], kind: Event) -> NDArray[np.float64]:
    """Return the times of the events of a kind."""
    return np.array([time_s for time_s, event in events if event == kind])


def simulate(
    servo: Servo,
    path: Path,
    seconds: float,
    *,
    limits: HeadLimits = HeadLimits(),
    latency_s: float = 0.08,
    image_rate: float = 30.0,
    command_rate: float = 50.0,
    noise: float = 1e-3,
    state: Callable[[float], TargetState] = lambda time_s: TargetState.TRACKING,
    seed: int = 0,
) -> Run:
    """Let a servo follow a target, and return what happened.

    Args:
        servo: the servo.
        path: yaw and pitch of the target at a time in seconds.
        seconds: time to run.
        limits: of the head.
        latency_s: from the time of an image to when the servo sees it.
        image_rate, command_rate: images and commands per second.
        noise: standard deviation of a seen direction in radians.
        state: state of the target at a time.
        seed: of the noise.
    """
    draw, head = np.random.default_rng(seed), Head(limits)
    events = loop_events(seconds, latency_s, image_rate, command_rate)
    seen: collections.deque[tuple[float, NDArray[np.float64]]] = collections.deque()
    errors, rates, reasons, now_s = [], [], [], 0.0
    for time_s, event in events:
        head.advance(time_s - now_s)
        now_s = time_s
        if event == Event.IMAGE:
            ray = view_rotation(head.angles).T @ ray_along(path(now_s))
            errors.append(ray_angles(ray))
            ray = ray + draw.normal(0, noise, 3)
            seen.append((now_s, ray / np.linalg.norm(ray)))
        elif event == Event.ANSWER:
            taken_s, ray = seen.popleft()
            servo.see(round(taken_s / NANO), "target", state(taken_s), ray)
        else:
            command = servo.command(round(now_s / NANO))
            head.command(command.rates)
            rates.append(command.rates)
            reasons.append(command.reason)
    return Run(
        event_times(events, Event.IMAGE), np.array(errors), event_times(events, Event.COMMAND), np.array(rates), reasons
    )


class World:
    """A textured panorama with a target that moves in front of it.

    Attributes:
        size_wh: size of the camera's images in pixels.
        focal_px: its focal length in pixels.
    """

    def __init__(
        self,
        path: Path,
        size_wh: tuple[int, int] = (640, 480),
        focal_px: float = 554.0,
        target_angle: float = 0.12,
        is_hidden: Callable[[float], bool] = lambda time_s: False,
        seed: int = 0,
    ) -> None:
        """Draw the panorama.

        Args:
            path: yaw and pitch of the target's middle at a time in seconds.
            size_wh: size of the images; multiples of GRID.
            focal_px: focal length in pixels.
            target_angle: width and height of the target in radians.
            is_hidden: whether the target is not to be seen at a time in seconds.
            seed: of the texture.
        """
        self.size_wh, self.focal_px = size_wh, focal_px
        self._path, self._is_hidden = path, is_hidden
        draw = np.random.default_rng(seed)
        width, height = (round(2 * angle * PIXELS_PER_RADIAN) for angle in (MAX_YAW, MAX_PITCH))
        coarse = draw.integers(70, 170, (height // 40, width // 40, 3), dtype=np.uint8)
        fine = draw.integers(0, 60, (height // 6, width // 6, 3), dtype=np.uint8)
        parts = [cv2.resize(part, (width, height), interpolation=cv2.INTER_CUBIC) for part in (coarse, fine)]
        self._panorama: np.ndarray = cv2.add(parts[0], parts[1])
        self._target = draw_target(round(target_angle * PIXELS_PER_RADIAN))
        u, v = np.meshgrid(*((np.arange(0, side, GRID) + GRID / 2) for side in size_wh))
        middle = np.array(size_wh) / 2
        self._rays = np.stack(
            [(u - middle[0]) / focal_px, (v - middle[1]) / focal_px, np.ones_like(u)], -1
        )  # (H / GRID, W / GRID, 3)

    def target_angles(self, time_s: float) -> NDArray[np.float64]:
        """Yaw and pitch (2,) of the target's middle."""
        return np.array(self._path(time_s), np.float64)

    def is_hidden(self, time_s: float) -> bool:
        """Whether the target is not to be seen."""
        return self._is_hidden(time_s)

    def offset_px(self, time_s: float, angles: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where the target's middle is in the image, (2,) in pixels from the image's middle; NaN behind the camera."""
        x, y, z = view_rotation(angles).T @ ray_along(self._path(time_s))
        return np.array([x / z, y / z]) * self.focal_px if z > 0 else np.full(2, np.nan)

    def render(self, time_s: float, angles: NDArray[np.float64]) -> np.ndarray:
        """The image, uint8 (H, W, 3) BGR, of a camera that looks along yaw and pitch (2,)."""
        yaw_pitch = cv2.resize(ray_angles(self._rays @ view_rotation(angles).T), self.size_wh)
        x = ((MAX_YAW - yaw_pitch[..., 0]) * PIXELS_PER_RADIAN - 0.5).astype(np.float32)
        y = ((MAX_PITCH + yaw_pitch[..., 1]) * PIXELS_PER_RADIAN - 0.5).astype(np.float32)
        if self.is_hidden(time_s):
            return cv2.remap(self._panorama, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        place, picture = self._target_at(time_s)
        ground = self._panorama[place].copy()
        self._panorama[place] = picture
        image = cv2.remap(self._panorama, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        self._panorama[place] = ground
        return image

    def box_xywh(self, time_s: float, angles: NDArray[np.float64]) -> NDArray[np.float64]:
        """The target's box (4,) in the image, as its angular size says."""
        side = len(self._target) / PIXELS_PER_RADIAN * self.focal_px
        return np.concatenate([self.offset_px(time_s, angles) + np.array(self.size_wh) / 2 - side / 2, [side, side]])

    def _target_at(self, time_s: float) -> tuple[tuple[slice, slice], np.ndarray]:
        """Rows and columns of the panorama that the target touches, and how they look with it."""
        yaw, pitch = self.target_angles(time_s)
        side = len(self._target)
        x, y = (MAX_YAW - yaw) * PIXELS_PER_RADIAN - side / 2, (MAX_PITCH + pitch) * PIXELS_PER_RADIAN - side / 2
        left, top = math.floor(x), math.floor(y)
        place = slice(top, top + side + 1), slice(left, left + side + 1)
        picture = self._panorama[place].copy()
        shift = np.array([[1, 0, x - left], [0, 1, y - top]])
        cv2.warpAffine(self._target, shift, picture.shape[1::-1], dst=picture, borderMode=cv2.BORDER_TRANSPARENT)
        return place, picture


def draw_target(side: int) -> np.ndarray:
    """A square that looks like nothing else: rings and a cross."""
    image = np.full((side, side, 3), TARGET_COLORS_BGR[0], np.uint8)
    middle = (side // 2, side // 2)
    cv2.circle(image, middle, side * 2 // 5, TARGET_COLORS_BGR[1], -1, cv2.LINE_AA)
    cv2.circle(image, middle, side // 4, TARGET_COLORS_BGR[0], -1, cv2.LINE_AA)
    cv2.rectangle(image, (side // 2, 0), (side // 2 + side // 8, side), TARGET_COLORS_BGR[2], -1)
    return image
