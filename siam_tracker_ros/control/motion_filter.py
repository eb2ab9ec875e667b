# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How the ray to a target turns: a Kalman filter with a constant velocity, on the sphere of directions.

The state is a ray, an orthonormal basis of the plane that touches the sphere there, and the ray's rates along that
basis. Angles are small only from one measurement to the next, so the plane moves with the ray (along great circles,
without turning about the ray). There is no direction in which this fails. The velocity changes by white noise.
"""

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

MAX_GAP_S = 2.0
"""Seconds without a measurement after which nothing is known any more."""

_INITIAL_SPEED = 1.0  # rad/s, standard deviation of a rate of which nothing is known
_JUMP = 40.0  # normalized innovation squared; one that the model explains is above it once in 5e8 times
NANO = 1e-9


@dataclasses.dataclass(frozen=True, eq=False)
class Motion:
    """A ray and its motion at one time.

    Attributes:
        ray: float64 (3,), unit vector.
        basis: float64 (3, 2), two orthonormal vectors across the ray.
        rates: float64 (2,), rad/s along them.
        covariance: float64 (4, 4) of the angles along the basis in rad, and of the rates.
    """

    ray: NDArray[np.float64]
    basis: NDArray[np.float64]
    rates: NDArray[np.float64]
    covariance: NDArray[np.float64]

    @property
    def angular_velocity(self) -> NDArray[np.float64]:
        """The rotation (3,) in rad/s that takes the ray along, at a right angle to it."""
        return _cross_matrix(self.ray) @ self.basis @ self.rates

    @property
    def angular_velocity_covariance(self) -> NDArray[np.float64]:
        """Covariance (3, 3) of `angular_velocity`; of rank 2, since a turn about the ray itself is not seen."""
        axes = _cross_matrix(self.ray) @ self.basis
        return axes @ self.covariance[2:, 2:] @ axes.T

    def after(self, seconds: float, agility: float) -> "Motion":
        """Return the motion after some time without a measurement; see RayFilter for `agility`."""
        unit, step, noise = np.eye(2), np.eye(4), np.empty((4, 4))
        step[:2, 2:] = unit * seconds
        noise[:2, :2], noise[2:, 2:] = unit * seconds**3 / 3, unit * seconds
        noise[:2, 2:] = noise[2:, :2] = unit * seconds**2 / 2
        ray, basis = _move(self.ray, self.basis, self.rates * seconds)
        return Motion(ray, basis, self.rates, step @ self.covariance @ step.T + noise * agility**2)


class RayFilter:
    """The filter of one target's ray.

    Attributes:
        agility: standard deviation by which the angular velocity changes within one second, in rad/s; that within t
            seconds is sqrt(t) times as large.
    """

    def __init__(self, agility: float) -> None:
        self.agility = agility
        self._motion: Motion | None = None
        self._time_ns = 0

    def forget(self) -> None:
        """Forget all measurements; the next one starts anew."""
        self._motion = None

    def measure(self, time_ns: int, ray: NDArray[np.float64], deviation: float) -> float:
        """Take a measured ray into account.

        What is known is forgotten before, if the time lies before that of the last measurement (a recording that loops)
        or more than MAX_GAP_S after it, or if the ray is where this target cannot be by its motion.

        Args:
            time_ns: time of the measurement.
            ray: unit vector (3,).
            deviation: standard deviation of the ray in rad, in each direction.

        Returns:
            The normalized innovation squared, of two dimensions; NaN for a measurement that starts the filter.
        """
        expected, self._time_ns = self.at(time_ns), time_ns
        noise = np.eye(2) * deviation**2
        if expected is not None:
            innovation = _angles_to(expected, ray)
            precision = np.linalg.inv(expected.covariance[:2, :2] + noise)
            distance = float(innovation @ precision @ innovation)
            if distance <= _JUMP:
                gain = expected.covariance[:, :2] @ precision
                keep = np.eye(4)
                keep[:, :2] -= gain
                covariance = keep @ expected.covariance @ keep.T + gain @ noise @ gain.T
                correction = gain @ innovation
                moved, basis = _move(expected.ray, expected.basis, correction[:2])
                self._motion = Motion(moved, basis, expected.rates + correction[2:], covariance)
                return distance
        covariance = np.zeros((4, 4))
        covariance[:2, :2], covariance[2:, 2:] = noise, np.eye(2) * _INITIAL_SPEED**2
        self._motion = Motion(ray, _basis_across(ray), np.zeros(2), covariance)
        return math.nan

    def at(self, time_ns: int) -> Motion | None:
        """Return the motion at a time, by the measurements so far; None where they do not tell."""
        seconds = (time_ns - self._time_ns) * NANO
        if self._motion is None or not 0 <= seconds <= MAX_GAP_S:
            return None
        return self._motion.after(seconds, self.agility)


def _basis_across(ray: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return two orthonormal vectors (3, 2) across a ray: to the right and down, unless the ray points there."""
    other = np.eye(3)[1 if abs(ray[1]) < 0.9 else 2]
    right = _unit(_cross_matrix(other) @ ray)
    return np.column_stack([right, _cross_matrix(ray) @ right])


def _move(
    ray: NDArray[np.float64], basis: NDArray[np.float64], angles: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return ray and basis after a move along a great circle, by angles (2,) along the basis."""
    angle = math.hypot(*angles)
    if angle == 0:
        return ray, basis
    direction = basis @ angles / angle
    ahead = math.cos(angle) * ray + math.sin(angle) * direction
    turned = (math.cos(angle) - 1) * direction - math.sin(angle) * ray  # what is added to the part along the direction
    first, second = (basis + np.outer(turned, angles / angle)).T
    ahead = _unit(ahead)  # against the rounding errors of a long run
    first = _unit(first - ahead * (ahead @ first))
    across = _cross_matrix(ahead) @ first
    return ahead, np.column_stack([first, across if across @ second > 0 else -across])


def _angles_to(motion: Motion, ray: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the angles (2,) along the basis by which `_move` leads to a ray."""
    across = motion.basis.T @ ray
    sine, cosine = math.hypot(*across), float(motion.ray @ ray)
    if sine == 0:
        return np.array([0.0 if cosine > 0 else math.pi, 0.0])
    return across * (math.atan2(sine, cosine) / sine)


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return vector / math.sqrt(vector @ vector)


def _cross_matrix(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the matrix (3, 3) whose product with others is the cross product; np.cross takes ten times as long."""
    x, y, z = vector
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
