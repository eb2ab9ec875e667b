# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A drone with a camera fixed to it, and a target over the ground, to close a control loop without a drone.

`fly` knows the target's direction and distance with a delay and some noise; a Field renders images.

Places are in metres in a world whose z is up, with the ground at 0. The body is as in ROS: x forward, y to the left,
z up; positive yaw is to the left, positive pitch is nose down, positive roll is to the right.
"""

import collections
import dataclasses
import math
from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from siam_tracker_ros.control.body import AHEAD_OF_BODY, BodyServo, BodySettings
from siam_tracker_ros.control.motion_filter import NANO
from siam_tracker_ros.control.servo import ray_angles, view_rotation
from siam_tracker_ros.control.simulation import Event, draw_target, event_times, loop_events
from siam_tracker_ros.core.monitor import TargetState

Path = Callable[[float], NDArray[np.float64]]

GRAVITY = 9.81  # m/s^2
GROUND_M, PIXELS_PER_METRE = 80, 25  # side of the textured square, and its scale
_GROUND_OF_PIXELS = np.array(
    [[1 / PIXELS_PER_METRE, 0, -GROUND_M / 2], [0, 1 / PIXELS_PER_METRE, -GROUND_M / 2], [0, 0, 1]]
)
COVER_WH_M = 2.4, 1.6  # size of what hides the target
COVER_S, COVER_PATH_M = 0.5, 2.5  # how long it takes to come or go, and how far it comes


CAMERA_TILT = 0.35
DRONE_SETTINGS = BodySettings(
    actuation_delay_s=0.17,
    max_rate=1.5,
    camera_tilt=CAMERA_TILT,
    use_attitude=True,
    wanted_distance=6.0,
    approach_gain=3.0,
    distance_agility=0.25,
    distance_noise=0.04,
    drive_delay_s=0.46,
    max_speed=4.0,
    max_reverse=2.0,
    climb_gain=8.0,
    max_climb=1.5,
)
"""Settings that fit a drone with the usual DroneLimits, whose camera is tilted by CAMERA_TILT."""


@dataclasses.dataclass(frozen=True)
class DroneLimits:
    """What a drone can do.

    Attributes:
        delay_s: time after which a command begins to act.
        yaw_lag_s, speed_lag_s: time constants with which yaw rate and velocity then follow it.
        tilt_lag_s: time constant with which the body tilts to accelerate sideways.
        max_yaw_rate: radians per second.
        max_acceleration: metres per second squared.
    """

    delay_s: float = 0.06
    yaw_lag_s: float = 0.1
    speed_lag_s: float = 0.3
    tilt_lag_s: float = 0.1
    max_yaw_rate: float = 1.5
    max_acceleration: float = 4.0


class Drone:
    """A drone that flies as commanded as well as its limits let it, and tilts to accelerate.

    Attributes:
        position, velocity: float64 (3,), in the world.
        yaw: radians.
        yaw_rate: radians per second.
    """

    def __init__(self, limits: DroneLimits, position: Sequence[float], camera_tilt: float = 0.0) -> None:
        """Let a drone hover.

        Args:
            limits: what it can do.
            position: where, in metres.
            camera_tilt: radians by which its camera looks down.
        """
        self.position, self.velocity = np.array(position, np.float64), np.zeros(3)
        self.yaw = self.yaw_rate = 0.0
        self._limits = limits
        self._mounted = AHEAD_OF_BODY.T @ view_rotation(np.array([0.0, camera_tilt]))
        self._acceleration = np.zeros(2)  # horizontal, in the world
        self._now_s = 0.0
        self._commands: collections.deque[tuple[float, NDArray[np.float64], float]] = collections.deque()
        self._speeds, self._turn = np.zeros(3), 0.0  # what is commanded and acts

    def command(self, speeds: Sequence[float], yaw_rate: float) -> None:
        """Ask for speeds (3,) forward, to the left and up, level, and a rate of yaw."""
        self._commands.append((self._now_s + self._limits.delay_s, np.array(speeds, np.float64), float(yaw_rate)))

    def advance(self, seconds: float, step_s: float = 4e-3) -> None:
        """Let time pass."""
        limits, end_s = self._limits, self._now_s + seconds
        while self._now_s < end_s - 1e-9:
            step = min(step_s, end_s - self._now_s)
            while self._commands and self._commands[0][0] <= self._now_s:
                _, self._speeds, turn = self._commands.popleft()
                self._turn = min(max(turn, -limits.max_yaw_rate), limits.max_yaw_rate)
            self.yaw_rate += (self._turn - self.yaw_rate) * (1 - math.exp(-step / limits.yaw_lag_s))
            self.yaw += self.yaw_rate * step
            wanted = (_yaw_rotation(self.yaw) @ self._speeds - self.velocity) / limits.speed_lag_s
            wanted *= min(1.0, limits.max_acceleration / max(math.hypot(*wanted), 1e-9))
            self._acceleration += (wanted[:2] - self._acceleration) * (1 - math.exp(-step / limits.tilt_lag_s))
            self.velocity += np.array([*self._acceleration, wanted[2]]) * step
            self.position += self.velocity * step
            self._now_s += step

    @property
    def tilt(self) -> tuple[float, float]:
        """Roll and pitch in radians: the thrust carries and accelerates the drone."""
        forward, left, _ = _yaw_rotation(self.yaw).T @ np.array([*self._acceleration, 0.0])
        return -math.atan2(left, math.hypot(forward, GRAVITY)), math.atan2(forward, GRAVITY)

    @property
    def rotation(self) -> NDArray[np.float64]:
        """Rotation (3, 3) from the body to the world."""
        (roll, pitch), identity = self.tilt, np.eye(3)
        about_x, about_y = (
            cv2.Rodrigues(angle * axis)[0] for angle, axis in ((roll, identity[0]), (pitch, identity[1]))
        )
        return _yaw_rotation(self.yaw) @ about_y @ about_x

    @property
    def quaternion_xyzw(self) -> NDArray[np.float64]:
        """The same as a quaternion (4,)."""
        vector = cv2.Rodrigues(self.rotation)[0][:, 0]
        angle = math.sqrt(vector @ vector)
        return np.append(vector * (math.sin(angle / 2) / angle if angle else 0.5), math.cos(angle / 2))

    @property
    def camera_rotation(self) -> NDArray[np.float64]:
        """Rotation (3, 3) from the camera's optical frame to the world."""
        return self.rotation @ self._mounted

    def sight(self, place: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return a place (3,) of the world in the camera's optical frame."""
        return self.camera_rotation.T @ (place - self.position)


def _yaw_rotation(yaw: float) -> NDArray[np.float64]:
    return np.array([[math.cos(yaw), -math.sin(yaw), 0], [math.sin(yaw), math.cos(yaw), 0], [0, 0, 1]])


@dataclasses.dataclass(frozen=True)
class Flight:
    """What happened in a closed loop.

    Attributes:
        times_s: float64 (N,), when images were taken.
        errors: float64 (N, 2), yaw and pitch from the middle of the view to the target then.
        distances: float64 (N,), to the target in metres.
        tilts: float64 (N, 2), roll and pitch.
        command_times_s: float64 (M,), when commands were sent.
        commands: float64 (M, 3), speeds forward and up, and rate of yaw.
        reasons: M texts.
    """

    times_s: NDArray[np.float64]
    errors: NDArray[np.float64]
    distances: NDArray[np.float64]
    tilts: NDArray[np.float64]
    command_times_s: NDArray[np.float64]
    commands: NDArray[np.float64]
    reasons: list[str]


def fly(
    servo: BodyServo,
    drone: Drone,
    path: Path,
    seconds: float,
    *,
    size_m: float = 0.6,
    latency_s: float = 0.08,
    image_rate: float = 30.0,
    command_rate: float = 50.0,
    noise: float = 1e-3,
    distance_noise: float = 0.02,
    state: Callable[[float], TargetState] = lambda time_s: TargetState.TRACKING,
    seed: int = 0,
) -> Flight:
    """Let a servo follow a target with a drone, and return what happened.

    Args:
        servo: the servo.
        drone: the drone.
        path: place (3,) of the target at a time in seconds.
        seconds: time to run.
        size_m: height of the target in metres.
        latency_s: from the time of an image to when the servo sees it.
        image_rate, command_rate: images and commands per second.
        noise: standard deviation of a seen direction in radians.
        distance_noise: standard deviation of a distance over the distance.
        state: state of the target at a time.
        seed: of the noise.
    """
    draw = np.random.default_rng(seed)
    events = loop_events(seconds, latency_s, image_rate, command_rate)
    seen: collections.deque[tuple[float, NDArray[np.float64]]] = collections.deque()
    errors, distances, tilts, commands, reasons, now_s = [], [], [], [], [], 0.0
    for time_s, event in events:
        drone.advance(time_s - now_s)
        now_s = time_s
        now_ns = round(now_s / NANO)
        servo.tilt(now_ns, drone.quaternion_xyzw)
        if event == Event.IMAGE:
            place = drone.sight(path(now_s))
            distance = math.sqrt(place @ place)
            errors.append(ray_angles(place))
            distances.append(distance)
            tilts.append(drone.tilt)
            ray = place / distance + draw.normal(0, noise, 3)
            seen.append((now_s, ray / np.linalg.norm(ray) * distance * (1 + draw.normal(0, distance_noise))))
        elif event == Event.ANSWER:
            taken_s, place = seen.popleft()
            distance, taken_ns, now = math.sqrt(place @ place), round(taken_s / NANO), state(taken_s)
            servo.see(taken_ns, "target", now, place / distance, size_m / distance)
            if now == TargetState.TRACKING:
                servo.see_place(taken_ns, place)
        else:
            command = servo.command(now_ns)
            forward, up = command.speeds
            drone.command((forward, 0.0, up), command.rates[0])
            commands.append((forward, up, command.rates[0]))
            reasons.append(command.reason)
    image_times, command_times = (event_times(events, kind) for kind in (Event.IMAGE, Event.COMMAND))
    return Flight(
        image_times,
        np.array(errors),
        np.array(distances),
        np.array(tilts),
        command_times,
        np.array(commands),
        reasons,
    )


class Field:
    """Textured ground under a grey sky, a target of known size, and what hides it at times.

    Attributes:
        size_wh: size of the camera's images in pixels.
        focal_px: its focal length in pixels.
        size_m: width and height of the target in metres; it looks the same from all sides.
    """

    def __init__(
        self,
        path: Path,
        size_wh: tuple[int, int] = (640, 480),
        focal_px: float = 554.0,
        size_m: float = 0.6,
        hidden_s: Sequence[tuple[float, float]] = (),
        seed: int = 0,
    ) -> None:
        """Draw the ground.

        Args:
            path: place (3,) of the target's middle at a time in seconds.
            size_wh: size of the images.
            focal_px: focal length in pixels.
            size_m: width and height of the target in metres.
            hidden_s: beginnings and ends of the times in seconds in which the target is hidden, apart from each other.
            seed: of the texture.
        """
        self.size_wh, self.focal_px, self.size_m = size_wh, focal_px, size_m
        self._path, self._hidden_s = path, hidden_s
        draw, side = np.random.default_rng(seed), GROUND_M * PIXELS_PER_METRE
        parts = [
            cv2.resize(draw.integers(0, high, (side // cell, side // cell, count), dtype=np.uint8), (side, side))
            for high, cell, count in ((60, 50, 3), (90, 5, 1))
        ]
        self._ground: np.ndarray = parts[0] + parts[1][..., None] + np.uint8(40)
        self._target = draw_target(64)
        width, height = size_wh
        self._matrix = np.array(  # to pixels as OpenCV counts them: the centre of the first one is 0
            [[focal_px, 0, width / 2 - 0.5], [0, focal_px, height / 2 - 0.5], [0, 0, 1]]
        )
        u, v = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
        self._rays = np.stack([(u - width / 2) / focal_px, (v - height / 2) / focal_px, np.ones_like(u)], -1)

    def place(self, time_s: float) -> NDArray[np.float64]:
        """Return where the target's middle is, (3,)."""
        return self._path(time_s)

    def offset_px(self, time_s: float, drone: Drone) -> NDArray[np.float64]:
        """Where the target's middle is in the image, (2,) in pixels from the image's middle; NaN behind the camera."""
        x, y, z = drone.sight(self.place(time_s))
        return np.array([x / z, y / z]) * self.focal_px if z > 0 else np.full(2, np.nan)

    def box_xywh(self, time_s: float, drone: Drone) -> NDArray[np.float64]:
        """The target's box (4,) in the image."""
        side = self._side_px(time_s, drone)
        middle = self.offset_px(time_s, drone) + np.array(self.size_wh) / 2
        return np.concatenate([middle - side / 2, [side, side]])

    def render(self, time_s: float, drone: Drone) -> np.ndarray:
        """The image, uint8 (H, W, 3) BGR, of the drone's camera."""
        rotation, (width, height) = drone.camera_rotation, self.size_wh
        from_ground = np.array([[1, 0, -drone.position[0]], [0, 1, -drone.position[1]], [0, 0, -drone.position[2]]])
        to_image = self._matrix @ rotation.T @ from_ground @ _GROUND_OF_PIXELS
        image = cv2.warpPerspective(self._ground, to_image, (width, height), borderValue=(105, 105, 105))
        image[self._rays @ rotation[2] >= -1e-3] = (190, 180, 170)
        if drone.sight(self.place(time_s))[2] > 0:
            self._draw_target(image, time_s, drone)
            for start_s, end_s in self._hidden_s:
                self._draw_cover(image, time_s, drone, start_s, end_s)
        return image

    def _side_px(self, time_s: float, drone: Drone) -> float:
        return self.size_m / drone.sight(self.place(time_s))[2] * self.focal_px

    def _draw_target(self, image: np.ndarray, time_s: float, drone: Drone) -> None:
        roll, _ = drone.tilt
        side, count = self._side_px(time_s, drone), len(self._target)
        middle = self.offset_px(time_s, drone) + (np.array(self.size_wh) - 1) / 2
        turned = np.array([[math.cos(roll), math.sin(roll)], [-math.sin(roll), math.cos(roll)]]) * side / count
        matrix = np.column_stack([turned, middle - turned @ np.full(2, (count - 1) / 2)])
        cv2.warpAffine(self._target, matrix, self.size_wh, dst=image, borderMode=cv2.BORDER_TRANSPARENT)

    def _draw_cover(self, image: np.ndarray, time_s: float, drone: Drone, start_s: float, end_s: float) -> None:
        """Draw a board that slides between drone and target, stays there, and slides on."""
        away = max(start_s - time_s, time_s - end_s, 0.0) / COVER_S
        if away > 1:
            return
        target = self.place(time_s)
        towards = (drone.position - target) * (1, 1, 0)
        towards /= np.linalg.norm(towards)
        aside = np.array([-towards[1], towards[0], 0.0]) * math.copysign(1, time_s - start_s)
        middle = target + 1.5 * towards + aside * away * COVER_PATH_M
        across, up = np.array([-towards[1], towards[0], 0]) * COVER_WH_M[0] / 2, np.array([0, 0, COVER_WH_M[1] / 2])
        corners = [drone.sight(middle + corner) for corner in (-across - up, across - up, across + up, -across + up)]
        points = [(self._matrix @ corner)[:2] / corner[2] for corner in corners]
        cv2.fillConvexPoly(image, np.round(points).astype(np.int32), (60, 90, 70), cv2.LINE_AA)
        cv2.polylines(image, [np.round(points).astype(np.int32)], True, (30, 50, 40), 4, cv2.LINE_AA)
