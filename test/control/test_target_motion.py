# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import dataclasses
import math

import cv2
import numpy as np
import pytest
from camera_infos import LENSES, K, camera_info

from siam_tracker_ros.control.camera import camera_from_info
from siam_tracker_ros.control.target_motion import MotionSettings, TargetMotion, look_at

S = 10**9  # nanoseconds
SIZE_WH = (640, 480)
CAMERA = camera_from_info(camera_info())
NO_BOX = np.full(5, math.nan)
EXACT = MotionSettings(motion_agility=0.3, motion_noise=0.001)


def box_at(x, y, width=40.0, height=60.0, theta=0.0):
    return np.array([x, y, width, height, theta])


def follow(motion, speed_xy, frames=60, start_xy=(200.0, 200.0), hertz=30):
    """Show a target that moves at a steady speed in pixels per second; return the last estimate, centre and time."""
    for frame in range(frames):
        time_ns = frame * S // hertz
        x, y = np.add(start_xy, np.multiply(speed_xy, time_ns / S))
        estimate = motion.observe(time_ns, box_at(x, y), is_trusted=True)
    return estimate, (x, y), time_ns


@pytest.mark.parametrize("model", LENSES)
def test_what_is_told_of_the_measured_box_is_exact(model):
    info = camera_info(distortion_model=model, d=LENSES[model])
    camera = camera_from_info(info)
    estimate = TargetMotion(EXACT, camera, SIZE_WH).observe(S, box_at(150.0, 330.0), is_trusted=True)
    np.testing.assert_array_equal(estimate.center_xy, (150, 330))
    points = np.array([[150.0, 330.0], [130, 330], [170, 330], [150, 300], [150, 360]]).reshape(-1, 1, 2) - 0.5
    undistort = cv2.fisheye.undistortPoints if model == "equidistant" else cv2.undistortPoints
    tangents = undistort(points, np.reshape(K, (3, 3)), np.array(LENSES[model]))[:, 0]
    rays = (
        np.column_stack([tangents, np.ones(5)])
        / np.linalg.norm(np.column_stack([tangents, np.ones(5)]), axis=1)[:, None]
    )
    # cv2.undistortPoints stops after five iterations, at some 1e-5
    np.testing.assert_allclose(estimate.ray, rays[0], rtol=0, atol=1e-6 if model == "equidistant" else 1e-4)
    expected = [math.acos(rays[1] @ rays[2]), math.acos(rays[3] @ rays[4])]
    np.testing.assert_allclose(estimate.angular_size, expected, rtol=1e-3)


@pytest.mark.parametrize("theta", [0.0, 0.3, -0.7])
def test_the_angular_size_is_that_of_the_sides_of_a_turned_box(theta):
    sight = look_at(CAMERA, box_at(320.0, 240.0, 100.0, 20.0, theta))
    expected = 2 * np.arctan(np.array([50, 10]) / 500)
    np.testing.assert_allclose(sight.angular_size, expected, rtol=1e-4)


@pytest.mark.parametrize("speed_xy", [(0.0, 0.0), (60.0, 0.0), (0.0, -45.0), (-50.0, 80.0)])
@pytest.mark.parametrize("camera", [None, CAMERA], ids=["no camera", "camera"])
def test_image_velocity_is_right_to_one_percent(camera, speed_xy):
    estimate, _, _ = follow(TargetMotion(EXACT, camera, SIZE_WH), speed_xy)
    np.testing.assert_allclose(estimate.image_velocity, speed_xy, rtol=0, atol=0.01 * np.linalg.norm(speed_xy) + 1e-3)
    deviations = np.sqrt(np.diag(estimate.image_velocity_covariance))
    assert (deviations > 0.1).all() and (deviations < 30).all()


def test_angular_velocity_and_image_velocity_are_of_one_motion():
    estimate, (x, y), _ = follow(TargetMotion(EXACT, CAMERA, SIZE_WH), (60.0, -30.0))
    ray = estimate.ray
    later = ray + np.cross(estimate.angular_velocity, ray) * 1e-4
    np.testing.assert_allclose((CAMERA.points([later])[0] - (x, y)) / 1e-4, estimate.image_velocity, rtol=0.02)
    assert estimate.angular_velocity @ ray == pytest.approx(0, abs=1e-3)


def test_without_a_camera_only_what_is_in_pixels_is_told():
    estimate, _, _ = follow(TargetMotion(EXACT, None, SIZE_WH), (60.0, 0.0))
    assert not estimate.is_metric
    for name in ("ray", "angular_size", "angular_velocity", "angular_velocity_covariance"):
        assert np.isnan(getattr(estimate, name)).all(), name
    assert np.isfinite(estimate.image_velocity).all() and np.isfinite(estimate.image_velocity_covariance).all()


@pytest.mark.parametrize("model", LENSES)
@pytest.mark.parametrize("lead_s", [0.05, 0.2])
def test_prediction_leads_to_where_the_target_will_be(model, lead_s):
    camera = camera_from_info(camera_info(distortion_model=model, d=LENSES[model]))
    motion = TargetMotion(EXACT, camera, SIZE_WH)
    _, (x, y), time_ns = follow(motion, (80.0, 40.0))
    later = motion.observe(time_ns + S // 30, box_at(x + 80 / 30, y + 40 / 30), True, lead_ns=round(lead_s * S))
    expected_xy = np.add((x, y), np.multiply((80.0, 40.0), lead_s + 1 / 30))
    assert later.lead_ns == round(lead_s * S)
    np.testing.assert_allclose(later.center_xy, expected_xy, atol=0.6)
    np.testing.assert_allclose(camera.points([later.ray])[0], later.center_xy, atol=1e-6)
    np.testing.assert_allclose(later.ray, camera.rays([expected_xy])[0], atol=2e-3)


def test_a_box_that_is_not_trusted_changes_no_motion():
    motion = TargetMotion(EXACT, CAMERA, SIZE_WH)
    before, (x, y), time_ns = follow(motion, (60.0, 0.0))
    for frame in range(1, 10):
        estimate = motion.observe(time_ns + frame * S // 30, box_at(500.0, 100.0), is_trusted=False)
        np.testing.assert_array_equal(estimate.center_xy, (500, 100))
        assert estimate.image_velocity[0] == pytest.approx(60, rel=0.05)
        assert np.trace(estimate.image_velocity_covariance) > np.trace(before.image_velocity_covariance)
        before = estimate
    ahead = motion.observe(time_ns + 10 * S // 30, box_at(500.0, 100.0), is_trusted=False, lead_ns=1)
    np.testing.assert_allclose(ahead.center_xy, (x + 20, y), atol=1), "it goes on where it was going"


def test_a_lost_target_has_no_ray_and_its_motion_is_forgotten():
    motion = TargetMotion(EXACT, CAMERA, SIZE_WH)
    _, _, time_ns = follow(motion, (60.0, 0.0))
    soon = motion.observe(time_ns + S // 2, NO_BOX, is_trusted=False, lead_ns=1)
    assert np.isnan(soon.center_xy).all() and np.isnan(soon.ray).all() and np.isnan(soon.angular_size).all()
    assert soon.image_velocity[0] == pytest.approx(60, rel=0.05)
    late = motion.observe(time_ns + 3 * S, NO_BOX, is_trusted=False)
    for field in dataclasses.fields(late):
        if field.name not in ("is_metric", "lead_ns"):
            assert np.isnan(getattr(late, field.name)).all(), field.name


def test_a_box_where_the_lens_has_no_rays_is_told_in_pixels_alone():
    strong = camera_from_info(camera_info(d=(-0.6, 0.0, 0.0, 0.0, 0.0), k=(300.0, *K[1:4], 300.0, *K[5:])))
    estimate = TargetMotion(EXACT, strong, SIZE_WH).observe(S, box_at(5.0, 5.0), is_trusted=True)
    np.testing.assert_array_equal(estimate.center_xy, (5, 5))
    ahead = TargetMotion(EXACT, strong, SIZE_WH).observe(S, box_at(5.0, 5.0), is_trusted=True, lead_ns=S)
    assert ahead.lead_ns == 0, "nothing is known to predict by"
    assert estimate.is_metric and np.isnan(estimate.ray).all() and np.isnan(estimate.image_velocity).all()


def test_the_noise_of_boxes_goes_with_their_size():
    motions = [TargetMotion(MotionSettings(motion_noise=0.05), CAMERA, SIZE_WH) for _ in range(2)]
    for frame in range(5):
        small, large = (
            motion.observe(frame * S // 30, box_at(300.0, 200.0, side, side), True)
            for motion, side in zip(motions, (20.0, 100.0))
        )
    assert (large.angular_size > 4.8 * small.angular_size).all()
    assert np.trace(large.angular_velocity_covariance) > 2 * np.trace(small.angular_velocity_covariance)


def test_settings_can_change_in_between():
    motion = TargetMotion(MotionSettings(), CAMERA, SIZE_WH)
    calm, _, _ = follow(motion, (60.0, 0.0))
    motion.set_settings(MotionSettings(motion_agility=20.0))
    nervous, _, _ = follow(motion, (60.0, 0.0))
    assert np.trace(nervous.angular_velocity_covariance) > 2 * np.trace(calm.angular_velocity_covariance)
