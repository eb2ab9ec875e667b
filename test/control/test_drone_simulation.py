# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import math

import cv2
import numpy as np
import pytest

from siam_tracker_ros.control.body import Attitudes
from siam_tracker_ros.control.drone_simulation import Drone, DroneLimits, Field
from siam_tracker_ros.control.servo import ray_angles

TARGET = np.array([5.0, 0.5, 1.0])


def flown(speeds, yaw_rate=0.0, seconds=0.5, tilt=0.0, **limits):
    drone = Drone(DroneLimits(**limits), (0.0, 0.0, 2.0), tilt)
    drone.command(speeds, yaw_rate)
    drone.advance(seconds)
    return drone


def test_a_drone_that_hovers_stays_level():
    drone = flown((0.0, 0.0, 0.0))
    assert drone.tilt == (0.0, 0.0) and drone.position == pytest.approx((0, 0, 2))
    assert drone.quaternion_xyzw == pytest.approx((0, 0, 0, 1))


@pytest.mark.parametrize(
    "speeds, yaw_rate, moved, roll, pitch",
    [
        ((2.0, 0.0, 0.0), 0.0, (1, 0, 0), 0, 1),  # forward, along x: nose down
        ((-2.0, 0.0, 0.0), 0.0, (-1, 0, 0), 0, -1),
        ((0.0, 2.0, 0.0), 0.0, (0, 1, 0), -1, 0),  # to the left, along y: left side down
        ((0.0, -2.0, 0.0), 0.0, (0, -1, 0), 1, 0),
        ((0.0, 0.0, 1.0), 0.0, (0, 0, 1), 0, 0),
    ],
)
def test_it_moves_and_tilts_by_the_frames_of_ros(speeds, yaw_rate, moved, roll, pitch):
    drone = flown(speeds, yaw_rate)
    assert np.array_equal(np.sign((drone.position - (0, 0, 2)).round(6)), moved)
    assert np.array_equal(np.sign(np.round(drone.tilt, 6)), (roll, pitch))


def test_yaw_is_to_the_left_and_speeds_turn_with_the_heading():
    drone = flown((1.0, 0.0, 0.0), 1.0, seconds=3.0)
    assert drone.yaw == pytest.approx(3.0 - 0.16, abs=0.02)
    assert drone.velocity[:2] @ (math.cos(drone.yaw), math.sin(drone.yaw)) == pytest.approx(0.9, abs=0.1)
    assert drone.position[1] > 0.5, "it flies a curve to the left"


def test_it_begins_late_and_keeps_to_its_limits():
    drone = Drone(DroneLimits(delay_s=0.1, max_yaw_rate=1.0, max_acceleration=3.0), (0, 0, 2))
    drone.command((9.0, 0.0, 0.0), 4.0)
    drone.advance(0.099)
    assert not drone.velocity.any() and drone.yaw == 0
    drone.advance(0.5)
    assert 0.9 < drone.yaw_rate <= 1.0
    assert 0.5 < np.linalg.norm(drone.velocity) < 3 * 0.5
    assert drone.tilt[1] <= math.atan2(3.0, 9.81) + 1e-9


@pytest.mark.parametrize(
    "speeds, yaw_rate", [((2.0, 0.0, 0.0), 0.0), ((1.0, -2.0, 0.0), 1.2), ((-3.0, 1.0, 1.0), -1.0)]
)
def test_its_attitude_levels_what_its_camera_sees(speeds, yaw_rate):
    drone = flown(speeds, yaw_rate)
    assert max(map(abs, drone.tilt)) > 0.05
    attitudes = Attitudes()
    attitudes.add(0, drone.quaternion_xyzw)
    level = attitudes.level(0)
    assert level is not None
    x, y, z = TARGET - drone.position
    expected = math.atan2(y, x) - drone.yaw, -math.atan2(z, math.hypot(x, y))
    assert ray_angles(level @ drone.sight(TARGET)) == pytest.approx(expected, abs=1e-6)


def middle_of_target(image_bgr):
    blue, _, red = np.moveaxis(image_bgr.astype(int), -1, 0)
    rows, columns = np.nonzero(red - blue > 150)
    return np.array([(columns.min() + columns.max() + 1) / 2, (rows.min() + rows.max() + 1) / 2])


@pytest.mark.parametrize(
    "speeds, yaw_rate, tilt", [((0.0, 0.0, 0.0), 0.0, 0.0), ((2.0, 0.0, 0.0), 0.4, 0.2), ((0.0, 2.0, 0.0), -0.3, 0.3)]
)
def test_the_picture_shows_the_target_where_the_truth_says(speeds, yaw_rate, tilt):
    drone, field = flown(speeds, yaw_rate, tilt=tilt), Field(lambda time_s: TARGET)
    image_bgr = field.render(0.0, drone)
    x, y, width, height = field.box_xywh(0.0, drone)
    expected = field.offset_px(0.0, drone) + (320, 240)
    assert image_bgr.shape == (480, 640, 3)
    assert (x + width / 2, y + height / 2) == pytest.approx(expected)
    assert middle_of_target(image_bgr) == pytest.approx(expected, abs=2.0)
    assert width == pytest.approx(554 * 0.6 / drone.sight(TARGET)[2])


def test_the_ground_stays_where_it_is_when_the_drone_moves():
    field = Field(lambda time_s: np.array([-5.0, 0.0, 1.0]))  # behind the drone
    place = np.array([4.0, 0.2, 0.0])
    patches = []
    for speeds in ((0.0, 0.0, 0.0), (0.0, 0.3, 0.0)):
        drone = flown(speeds, tilt=0.4)
        x, y, z = drone.sight(place)
        middle = np.float32([554 * x / z + 320, 554 * y / z + 240])
        patches.append(cv2.getRectSubPix(field.render(0.0, drone), (31, 11), middle).astype(int))
    assert np.abs(patches[1] - patches[0]).mean() < 8 < np.abs(np.roll(patches[1], 12, axis=1) - patches[0]).mean()


def test_the_target_hides_for_the_time_that_is_asked_for():
    field, drone = Field(lambda time_s: TARGET, hidden_s=[(2.0, 3.0)]), flown((0.0, 0.0, 0.0))

    def reds(time_s):
        blue, _, red = np.moveaxis(field.render(time_s, drone).astype(int), -1, 0)
        return int((red - blue > 150).sum())

    assert reds(0.0) == reds(4.0) > 500
    assert reds(2.0) == reds(2.5) == reds(3.0) == 0
