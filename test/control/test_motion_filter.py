# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siam_tracker_ros.control.motion_filter import MAX_GAP_S, RayFilter

S = 10**9  # nanoseconds
RUNS = 50
AHEAD = np.array([0.0, 0.0, 1.0])


def turned(ray, axis, angle):
    """A ray turned about a unit axis by an angle."""
    ray, axis = np.asarray(ray, np.float64), np.asarray(axis, np.float64)
    return ray * math.cos(angle) + np.cross(axis, ray) * math.sin(angle) + axis * (axis @ ray) * (1 - math.cos(angle))


def noisy(rng, ray, deviation):
    """A ray moved in each direction across it by a random angle."""
    right = np.cross([0.3, 1.0, 0.2], ray)
    right /= np.linalg.norm(right)
    offset = rng.normal(0, deviation, 2)
    moved = ray + offset[0] * right + offset[1] * np.cross(ray, right)
    return moved / np.linalg.norm(moved)


def manoeuvre(rng, agility, count, deviation, start=AHEAD):
    """Times in ns, angular velocities and measured rays of a target whose velocity changes by white noise.

    The steps of time differ. The first velocity is as large as the filter expects.
    """
    ray, time_ns = np.array(start, np.float64), 0
    velocity = rng.normal(0, 1, 3)
    velocity -= ray * (velocity @ ray)  # of the ray's tip
    for _ in range(count):
        yield time_ns, np.cross(ray, velocity), noisy(rng, ray, deviation)
        seconds = rng.uniform(0.01, 0.06)
        time_ns += round(seconds * S)
        covariance = agility**2 * np.array([[seconds**3 / 3, seconds**2 / 2], [seconds**2 / 2, seconds]])
        moved, sped = np.linalg.cholesky(covariance) @ rng.normal(0, 1, (2, 3))
        step = velocity * seconds + moved - ray * (moved @ ray)
        velocity = velocity + sped - ray * (sped @ ray)
        angle = np.linalg.norm(step)
        axis = np.cross(ray, step / angle)
        ray, velocity = turned(ray, axis, angle), turned(velocity, axis, angle)


@pytest.mark.parametrize("start", [AHEAD, (0.0, 1.0, 0.0), (0.6, 0.0, -0.8)], ids=["ahead", "down", "behind"])
def test_innovations_and_errors_are_as_large_as_the_filter_says(start):
    """Means of squared distances, normalized by their covariances: that of n independent ones of 2 dimensions lies
    within 2 -+ 1.96 * 2 / sqrt(n) in 95 % of all runs. Errors of one run go together, so each run gives one."""
    rng, agility, deviation = np.random.default_rng(5), 0.8, 0.003
    innovations, rate_errors = [], []
    for _ in range(RUNS):
        ray_filter = RayFilter(agility)
        for time_ns, velocity, measured in manoeuvre(rng, agility, 40, deviation, start):  # noqa: B007
            innovations.append(ray_filter.measure(time_ns, measured, deviation))
        motion = ray_filter.at(time_ns)
        error = np.linalg.lstsq(np.cross(motion.ray[:, None], motion.basis, axis=0), velocity, rcond=None)[0]
        error -= motion.rates
        rate_errors.append(error @ np.linalg.solve(motion.covariance[2:, 2:], error))
    innovations = np.array(innovations)
    assert np.isnan(innovations).sum() == RUNS, "one a run, the first"
    for distances in (innovations[np.isfinite(innovations)], np.array(rate_errors)):
        assert abs(distances.mean() - 2) < 1.96 * 2 / math.sqrt(len(distances))


@pytest.mark.parametrize("axis", [(0, 1, 0), (1, 0, 0), (0, 0.6, 0.8)])
@pytest.mark.parametrize("speed", [0.0, 0.5, 2.0])
def test_a_steady_turn_is_found_to_within_one_percent(axis, speed):
    ray_filter, axis = RayFilter(0.3), np.array(axis, np.float64)
    for frame in range(60):
        time_ns = frame * S // 30
        ray_filter.measure(time_ns, turned(AHEAD, axis, speed * time_ns / S), 1e-4)
    motion = ray_filter.at(time_ns)
    ray = turned(AHEAD, axis, speed * time_ns / S)
    across = axis - ray * (axis @ ray)  # of the turn, what moves the ray
    if axis[2] == 0:  # along a great circle
        np.testing.assert_allclose(motion.angular_velocity, speed * across, rtol=0, atol=0.01 * speed + 1e-6)
        later = ray_filter.at(time_ns + S // 10)
        np.testing.assert_allclose(later.ray, turned(ray, axis, speed / 10), rtol=0, atol=1e-3)
    else:  # along a small circle, which is a manoeuvre
        np.testing.assert_allclose(motion.angular_velocity, speed * across, rtol=0, atol=0.1 * speed**2 + 1e-6)


def test_the_rotation_is_that_of_the_optical_frame():
    ray_filter = RayFilter(0.3)
    for frame in range(30):
        angle = 0.4 * frame / 30
        ray_filter.measure(frame * S // 30, np.array([math.sin(angle), 0, math.cos(angle)]), 1e-4)
    np.testing.assert_allclose(ray_filter.at(29 * S // 30).angular_velocity, (0, 0.4, 0), atol=1e-3)  # to the right


def test_what_is_not_seen_becomes_less_certain_until_nothing_is_known():
    ray_filter = RayFilter(0.5)
    for frame in range(20):
        ray_filter.measure(frame * S // 30, AHEAD, 0.002)
    last_ns = 19 * S // 30
    gaps = np.linspace(0, MAX_GAP_S, 9)
    motions = [ray_filter.at(last_ns + round(gap * S)) for gap in gaps]
    for part in (slice(0, 2), slice(2, 4)):
        assert (np.diff([np.trace(motion.covariance[part, part]) for motion in motions]) > 0).all()
    assert ray_filter.at(last_ns + round(MAX_GAP_S * S) + 1) is None
    again = ray_filter.at(last_ns)
    np.testing.assert_array_equal(again.covariance, motions[0].covariance)  # asking changes nothing


@pytest.mark.parametrize("later_s", [-5.0, -1e-9, MAX_GAP_S + 0.1, 1e9])
def test_a_jump_of_the_stamps_starts_anew(later_s):
    ray_filter = RayFilter(0.5)
    for frame in range(10):
        ray_filter.measure(100 * S + frame * S // 10, turned(AHEAD, (0, 1, 0), 0.05 * frame), 0.002)
    time_ns = 100 * S + 9 * S // 10 + round(later_s * S)
    assert ray_filter.at(time_ns) is None
    assert math.isnan(ray_filter.measure(time_ns, AHEAD, 0.002))
    motion = ray_filter.at(time_ns)
    np.testing.assert_array_equal(motion.ray, AHEAD)
    np.testing.assert_array_equal(motion.rates, (0, 0))


@pytest.mark.parametrize("place", [(1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.0, math.sin(0.3), math.cos(0.3))])
def test_a_target_that_is_found_elsewhere_did_not_get_there_by_its_speed(place):
    ray_filter = RayFilter(0.5)
    for frame in range(10):
        ray_filter.measure(frame * S // 30, AHEAD, 0.002)
    assert math.isnan(ray_filter.measure(10 * S // 30, np.array(place), 0.002))
    motion = ray_filter.at(10 * S // 30)
    np.testing.assert_array_equal(motion.ray, place)
    np.testing.assert_array_equal(motion.rates, (0, 0))


def test_two_measurements_of_one_time_are_one_better_one():
    ray_filter = RayFilter(0.5)
    ray_filter.measure(S, AHEAD, 0.01)
    assert ray_filter.measure(S, turned(AHEAD, (0, 1, 0), 0.01), 0.01) == pytest.approx(0.5)
    motion = ray_filter.at(S)
    assert motion.covariance[0, 0] == pytest.approx(0.01**2 / 2)
    np.testing.assert_allclose(motion.ray, turned(AHEAD, (0, 1, 0), 0.005), atol=1e-12)
    np.testing.assert_allclose(motion.rates, 0, atol=1e-12)


def test_forgetting_starts_anew():
    ray_filter = RayFilter(0.5)
    assert ray_filter.at(0) is None
    ray_filter.measure(S, AHEAD, 0.01)
    ray_filter.forget()
    assert ray_filter.at(S) is None and math.isnan(ray_filter.measure(2 * S, AHEAD, 0.01))


ANGLES = st.floats(-math.pi, math.pi)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(-10, 70), ANGLES, st.floats(-1.5, 1.5)), min_size=1, max_size=20),
    st.floats(1e-4, 0.1),
    st.floats(0.01, 10),
)
def test_whatever_is_measured_there_is_a_ray_and_a_covariance(steps, deviation, agility):
    ray_filter, time_ns = RayFilter(agility), 0
    for hundredths, azimuth, elevation in steps:
        time_ns += hundredths * S // 100
        across = math.cos(elevation)
        ray = np.array([across * math.sin(azimuth), math.sin(elevation), across * math.cos(azimuth)])
        ray_filter.measure(time_ns, ray, deviation)
        motion = ray_filter.at(time_ns + S // 50)
        axes = np.column_stack([motion.basis, motion.ray])
        np.testing.assert_allclose(axes.T @ axes, np.eye(3), rtol=0, atol=1e-9)
        assert np.linalg.det(axes) == pytest.approx(1)
        assert np.isfinite(motion.rates).all() and abs(motion.angular_velocity @ motion.ray) < 1e-6
        assert np.linalg.eigvalsh(motion.covariance).min() > -1e-9
        np.testing.assert_allclose(motion.covariance, motion.covariance.T)
