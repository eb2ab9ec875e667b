# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How a place on a line moves: a Kalman filter with a constant velocity that changes by white noise."""

import numpy as np

from siam_tracker_ros.control.motion_filter import MAX_GAP_S, NANO

_INITIAL_SPEED = 3.0  # m/s, standard deviation of a speed of which nothing is known
_JUMP = 30.0  # normalized innovation squared; one that the model explains is above it once in 2e7 times


class LineFilter:
    """The filter of one place.

    Attributes:
        agility: standard deviation by which the speed changes within one second, in m/s; that within t seconds is
            sqrt(t) times as large.
    """

    def __init__(self, agility: float) -> None:
        self.agility = agility
        self.forget()

    def forget(self) -> None:
        """Forget all measurements; the next one starts anew."""
        self._state: np.ndarray | None = None  # place and speed
        self._covariance = np.zeros((2, 2))
        self._time_ns = 0

    def measure(self, time_ns: int, place: float, deviation: float) -> None:
        """Take a measured place with a standard deviation into account; it starts anew where the motion cannot lead."""
        expected = self._expected(time_ns)
        self._time_ns = time_ns
        if expected is not None:
            state, covariance = expected
            innovation, variance = place - state[0], covariance[0, 0] + deviation**2
            if innovation**2 <= _JUMP * variance:
                gain = covariance[:, 0] / variance
                self._state, self._covariance = state + gain * innovation, covariance - np.outer(gain, covariance[0])
                return
        self._state, self._covariance = np.array([place, 0.0]), np.diag([deviation**2, _INITIAL_SPEED**2])

    def at(self, time_ns: int) -> tuple[float, float] | None:
        """Return place and speed at a time, by the measurements so far; None where they do not tell."""
        expected = self._expected(time_ns)
        return None if expected is None else (float(expected[0][0]), float(expected[0][1]))

    def _expected(self, time_ns: int) -> tuple[np.ndarray, np.ndarray] | None:
        seconds = (time_ns - self._time_ns) * NANO
        if self._state is None or not 0 <= seconds <= MAX_GAP_S:
            return None
        step = np.array([[1.0, seconds], [0.0, 1.0]])
        noise = np.array([[seconds**3 / 3, seconds**2 / 2], [seconds**2 / 2, seconds]]) * self.agility**2
        return step @ self._state, step @ self._covariance @ step.T + noise
