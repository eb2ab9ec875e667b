# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Direction, size and motion of one target, from its boxes and the camera."""

import dataclasses
import math
import typing

import numpy as np
from numpy.typing import NDArray

from siam_tracker_ros.control.camera import Camera, guess_camera
from siam_tracker_ros.control.motion_filter import Motion, RayFilter
from siam_tracker_ros.geometry import cxcywht_to_corners
from siam_tracker_ros.settings import setting

_STEP = 1e-4  # rad, for the derivative of the projection


@dataclasses.dataclass(frozen=True)
class MotionSettings:
    """How the motion of a target is told from the noise of its boxes."""

    motion_agility: float = setting(
        1.0,
        "Standard deviation in rad/s by which the angular velocity of a target changes within one second; a higher one "
        "follows manoeuvres faster, a lower one gives a smoother velocity.",
        0.01,
        100,
        change="any time",
    )
    motion_noise: float = setting(
        0.02,
        "Standard deviation of the box's centre from frame to frame, over the square root of the box's area.",
        0.001,
        1,
        change="any time",
    )


@dataclasses.dataclass(frozen=True, eq=False)
class Sight:
    """Where a camera sees a box: unit rays in the optical frame, NaN where the lens model has none.

    Attributes:
        center: (3,), to the centre of the box.
        left, right, upper, lower: (3,), to the middles of its sides.
    """

    center: NDArray[np.float64]
    left: NDArray[np.float64]
    right: NDArray[np.float64]
    upper: NDArray[np.float64]
    lower: NDArray[np.float64]

    @property
    def angular_size(self) -> NDArray[np.float64]:
        """Angles (2,) in rad between the left and the right ray, and between the upper and the lower one."""
        return np.array([_angle(self.left, self.right), _angle(self.upper, self.lower)])


def look_at(camera: Camera, box_cxcywht: NDArray[np.float64]) -> Sight:
    """Return where a camera sees a box."""
    corners = cxcywht_to_corners(box_cxcywht)
    upper, right, lower, left = (corners + np.roll(corners, -1, axis=0)) / 2
    return Sight(*camera.rays([box_cxcywht[:2], left, right, upper, lower]))


def _unknown(*shape: int) -> typing.Any:
    return dataclasses.field(default_factory=lambda: np.full(shape, math.nan))


@dataclasses.dataclass(frozen=True, eq=False)
class TargetEstimate:
    """What is known of a target at one time; NaN where nothing is.

    Attributes:
        lead_ns: how much later than the frame it is that centre and ray are those of.
        center_xy: (2,), centre of the box in pixels.
        image_velocity, image_velocity_covariance: (2,) and (2, 2) of that centre, in pixels per second.
        is_metric: whether the camera is known; else all that follows is NaN.
        ray: (3,), unit vector to the centre in the optical frame (x to the right, y down, z forward).
        angular_size: (2,) in rad, see Sight.
        angular_velocity, angular_velocity_covariance: (3,) and (3, 3) of the ray, in rad/s.
    """

    lead_ns: int = 0
    center_xy: NDArray[np.float64] = _unknown(2)
    image_velocity: NDArray[np.float64] = _unknown(2)
    image_velocity_covariance: NDArray[np.float64] = _unknown(2, 2)
    is_metric: bool = False
    ray: NDArray[np.float64] = _unknown(3)
    angular_size: NDArray[np.float64] = _unknown(2)
    angular_velocity: NDArray[np.float64] = _unknown(3)
    angular_velocity_covariance: NDArray[np.float64] = _unknown(3, 3)


class TargetMotion:
    """The motion of one target, by its boxes in the images of one camera.

    Without a known camera, a usual one stands in for it. Only what is told in pixels is then given out.
    """

    def __init__(self, settings: MotionSettings, camera: Camera | None, size_wh: tuple[int, int]) -> None:
        """Begin; `camera` is None if it is not known, and `size_wh` is the width and height of the images."""
        self._is_metric = camera is not None
        self._camera = camera or guess_camera(size_wh)
        self._filter = RayFilter(settings.motion_agility)
        self.set_settings(settings)

    def set_settings(self, settings: MotionSettings) -> None:
        """Follow the next frames by other settings."""
        self._filter.agility = settings.motion_agility
        self._noise = settings.motion_noise

    def observe(
        self, time_ns: int, box_cxcywht: NDArray[np.float64], is_trusted: bool, lead_ns: int = 0
    ) -> TargetEstimate:
        """Take a frame into account and return what is known after it.

        Args:
            time_ns: stamp of the frame.
            box_cxcywht: the target's box in it, NaN without one.
            is_trusted: whether the box is surely the target's. Otherwise the motion before goes on, less and less
                certain.
            lead_ns: if above 0, centre and ray are those expected so much later than the stamp, while the motion is
                known.
        """
        known: dict[str, typing.Any] = {}
        metric: dict[str, typing.Any] = {}
        has_box = bool(np.isfinite(box_cxcywht).all())
        if has_box:
            sight = look_at(self._camera, box_cxcywht)
            known["center_xy"] = box_cxcywht[:2]
            metric.update(ray=sight.center, angular_size=sight.angular_size)
            deviation = self._noise * math.sqrt(sight.angular_size.prod())
            if is_trusted and deviation > 0 and np.isfinite(sight.center).all():
                self._filter.measure(time_ns, sight.center, deviation)
        motion = self._filter.at(time_ns + lead_ns)
        if motion is not None:
            jacobian = self._jacobian(motion)
            known["image_velocity"] = jacobian @ motion.rates
            known["image_velocity_covariance"] = jacobian @ motion.covariance[2:, 2:] @ jacobian.T
            metric["angular_velocity"] = motion.angular_velocity
            metric["angular_velocity_covariance"] = motion.angular_velocity_covariance
            if has_box and lead_ns > 0:
                known["lead_ns"] = lead_ns
                known["center_xy"], metric["ray"] = self._camera.points(motion.ray[None])[0], motion.ray
        return TargetEstimate(**known, is_metric=self._is_metric, **(metric if self._is_metric else {}))

    def _jacobian(self, motion: Motion) -> NDArray[np.float64]:
        """Return the derivative (2, 2) of the point in the image by the angles along the basis, in pixels per rad."""
        steps = _STEP * motion.basis.T
        after, before = (self._camera.points(motion.ray + sign * steps) for sign in (1, -1))
        return ((after - before) / (2 * _STEP)).T


def _angle(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return the angle between two unit vectors in rad; exact for small ones too."""
    return 2 * math.atan2(math.dist(first, second), math.dist(first, -second))
