# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest

from siam_tracker_ros.control.servo import ray_angles, view_rotation
from siam_tracker_ros.control.simulation import Head, HeadLimits, World, ray_along

ANGLES = [(0.0, 0.0), (0.7, 0.0), (-0.7, 0.3), (1.2, -0.5)]


@pytest.mark.parametrize("angles", ANGLES)
def test_a_camera_that_looks_at_a_target_has_it_in_its_middle(angles):
    assert view_rotation(np.array(angles)).T @ ray_along(angles) == pytest.approx((0, 0, 1))
    assert ray_angles(ray_along(angles)) == pytest.approx(angles)


def middle_of_target(image_bgr):
    blue, _, red = np.moveaxis(image_bgr.astype(int), -1, 0)
    rows, columns = np.nonzero(red - blue > 165)
    return np.array([(columns.min() + columns.max() + 1) / 2, (rows.min() + rows.max() + 1) / 2])


@pytest.mark.parametrize("look", [(0.0, 0.0), (0.3, 0.1), (-0.25, -0.2)])
def test_the_picture_shows_the_target_where_the_truth_says(look):
    world = World(lambda time_s: (0.1, 0.05), target_angle=0.06)
    image_bgr = world.render(0.0, np.array(look))
    x, y, width, height = world.box_xywh(0.0, np.array(look))
    expected = world.offset_px(0.0, np.array(look)) + (320, 240)
    assert image_bgr.shape == (480, 640, 3)
    assert (x + width / 2, y + height / 2) == pytest.approx(expected)
    assert middle_of_target(image_bgr) == pytest.approx(expected, abs=2.0)


def test_the_picture_moves_with_the_camera_and_the_target_can_hide():
    world = World(lambda time_s: (0.2 * time_s, 0.0), is_hidden=lambda time_s: time_s > 1)
    ground = world.render(2.0, np.zeros(2))
    blue, _, red = np.moveaxis(ground.astype(int), -1, 0)
    assert (red - blue).max() <= 165
    assert np.array_equal(ground, world.render(5.0, np.zeros(2))), "the target left nothing behind"
    turned = world.render(2.0, np.array([math.atan(40 / world.focal_px), 0.0]))
    difference = turned[200:280, 200:400].astype(int) - ground[200:280, 160:360]
    assert np.abs(difference).mean() < 12, "40 pixels to the left in the picture's middle"


def test_a_head_begins_late_and_keeps_to_its_limits():
    head = Head(HeadLimits(delay_s=0.1, lag_s=0.02, max_rate=1.0, max_acceleration=5.0))
    head.command(np.array([3.0, -0.5]))
    head.advance(0.099)
    assert not head.rates.any()
    head.advance(0.1)
    assert 0 < head.rates[0] <= 0.5 + 1e-6
    head.advance(0.5)
    assert head.rates == pytest.approx((1.0, -0.5), abs=1e-3)
