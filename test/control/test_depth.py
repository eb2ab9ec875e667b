# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siam_tracker_ros.control.camera import guess_camera
from siam_tracker_ros.control.depth import depth_of_height, measure_depth, position_at
from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.image_conversion import DepthImage

SIZE_WH = WIDTH, HEIGHT = 320, 240
CENTER_XY = np.array([170.0, 110.0])
CAMERA = guess_camera(SIZE_WH)
XS, YS = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
RAYS = CAMERA.rays(np.column_stack([XS.ravel(), YS.ravel()])).reshape(HEIGHT, WIDTH, 3)
SLOPES = RAYS / RAYS[..., 2:]
MIDDLE = SLOPES[int(CENTER_XY[1]), int(CENTER_XY[0])]


def plate(distance_m, side_m, tilt=0.0):
    """Depths of an upright square plate, turned about its vertical axis, around CENTER_XY; infinite beside it."""
    depths = distance_m / (1 - math.tan(tilt) * (SLOPES[..., 0] - MIDDLE[0]))
    points = SLOPES * depths[..., None] - MIDDLE * distance_m
    inside = (np.abs(points[..., 0]) < side_m / 2 * math.cos(tilt)) & (np.abs(points[..., 1]) < side_m / 2)
    return np.where(inside & (depths > 0), depths, math.inf)


def ball(distance_m, side_m):
    """Depths of a ball around CENTER_XY; infinite beside it."""
    center = RAYS[int(CENTER_XY[1]), int(CENTER_XY[0])] * distance_m
    along = RAYS @ center
    inside = along**2 - center @ center + (side_m / 2) ** 2
    return np.where(inside > 0, (along - np.sqrt(np.maximum(inside, 0))) * RAYS[..., 2], math.inf)


def render(target, rng, holes=0.2, outliers=0.1, noise=0.005):
    """A scene of a target before a wall, over a floor, as a depth camera sees it.

    Returns:
        Depths in metres (H, W) with noise, holes in places and at single pixels, and outliers; the mask of the target,
        its box, and its true depth, the mean of what is seen of it.
    """
    wall, floor = 6.0, 1.2 / np.maximum(SLOPES[..., 1], 1e-9)  # 1.2 m under the camera
    depths = np.minimum(np.minimum(target, wall), floor)
    mask = np.isfinite(target) & (target <= depths)
    truth = depths[mask].mean()
    depths = depths * (1 + rng.normal(0, noise, depths.shape))
    is_outlier = rng.random(depths.shape) < outliers
    depths[is_outlier] = rng.uniform(0.2, 10, is_outlier.sum())
    is_hole = rng.random(depths.shape) < holes / 2
    hole_cells = rng.random((HEIGHT // 8, WIDTH // 8)) < holes / 2
    is_hole |= np.kron(hole_cells, np.ones((8, 8), bool))
    depths[is_hole] = rng.choice([0.0, math.nan, math.inf], is_hole.sum())
    rows, columns = np.nonzero(mask)
    left, top = columns.min(), rows.min()
    box_xywh = np.array([left, top, columns.max() + 1 - left, rows.max() + 1 - top], np.float64)
    return depths, mask, box_xywh, truth


def as_images(depths):
    """The depths in both encodings; the integers have zeros where nothing is measured, as cameras send it."""
    millimetres = np.nan_to_num(depths * 1e3, nan=0, posinf=0).round().astype(np.uint16)
    return DepthImage(depths.astype(np.float32), 1.0), DepthImage(millimetres, 1e-3)


@pytest.mark.parametrize("distance_m", [0.8, 2.0, 4.5])
@pytest.mark.parametrize("target", [plate, lambda d, s: plate(d, s, tilt=0.6), ball], ids=["plate", "tilted", "ball"])
def test_depth_is_right_to_two_percent_in_a_scene_with_holes_and_outliers(target, distance_m):
    rng = np.random.default_rng(1)
    for _ in range(5):
        depths, mask, box_xywh, truth = render(target(distance_m, 0.2), rng)
        share = np.mean(~(np.isfinite(depths) & (depths > 0)))
        assert 0.15 < share < 0.25
        for image in as_images(depths):
            assert measure_depth(image, SIZE_WH, box_xywh, mask) == pytest.approx(truth, rel=0.02)
            assert measure_depth(image, SIZE_WH, box_xywh) == pytest.approx(truth, rel=0.03 if target is ball else 0.02)


@pytest.mark.parametrize("offset_px", [0, 2, 3])
def test_a_mask_that_takes_in_background_does_little_harm(offset_px):
    rng = np.random.default_rng(2)
    depths, mask, box_xywh, truth = render(plate(2.0, 0.2), rng)
    moved = np.roll(mask, offset_px, axis=1)
    assert measure_depth(as_images(depths)[0], SIZE_WH, box_xywh, moved) == pytest.approx(truth, rel=0.02)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.4])
@pytest.mark.parametrize("other_m", [1.0, 5.0])
def test_what_covers_less_than_half_of_it_does_not_count(share, other_m):
    values = np.random.default_rng(3).normal(2.0, 0.01, (HEIGHT, WIDTH)).astype(np.float32)
    values[:, : round(WIDTH * share)] = other_m
    everywhere = np.ones(values.shape, bool)
    depth_m = measure_depth(DepthImage(values, 1.0), SIZE_WH, np.array([0.0, 0, WIDTH, HEIGHT]), everywhere)
    assert depth_m == pytest.approx(2.0, rel=0.002)


BOX = np.array([100.0, 80.0, 40.0, 30.0])
MASK = np.zeros((HEIGHT, WIDTH), bool)
MASK[80:110, 100:140] = True


@pytest.mark.parametrize("unmeasured", [0.0, -1.0, math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("mask", [None, MASK], ids=["box", "mask"])
def test_a_target_that_is_not_measured_has_no_depth(unmeasured, mask):
    values = np.full((HEIGHT, WIDTH), unmeasured, np.float32)
    values[80, 100:111] = 2.0
    with pytest.raises(
        InvalidInputError, match="of the target's (1200|300|320|336) pixels are measured .* at least 12"
    ):
        measure_depth(DepthImage(values, 1.0), SIZE_WH, BOX, mask)


@pytest.mark.parametrize(
    "box_xywh",
    [(-90.0, 80.0, 40.0, 30.0), (400.0, 80.0, 40.0, 30.0), (0.0, -500.0, 4.0, 4.0), (100.0, 80.0, 1.0, 1.0)],
)
@pytest.mark.parametrize("mask", [None, np.zeros((HEIGHT, WIDTH), bool)], ids=["box", "mask"])
def test_a_box_without_pixels_has_no_depth(box_xywh, mask):
    with pytest.raises(InvalidInputError, match="pixels are measured"):
        measure_depth(DepthImage(np.ones((HEIGHT, WIDTH)), 1.0), SIZE_WH, np.array(box_xywh), mask)


def test_a_box_over_the_edge_has_the_depth_of_what_is_seen():
    values = np.full((HEIGHT, WIDTH), 3000, np.uint16)
    assert measure_depth(DepthImage(values, 1e-3), SIZE_WH, np.array([-15.0, 200.0, 60.0, 60.0])) == pytest.approx(3.0)


@pytest.mark.parametrize("size_wh", [(640, 480), (240, 320)])
def test_a_depth_image_that_is_not_registered_is_refused(size_wh):
    with pytest.raises(InvalidInputError, match=f"is 320 x 240 pixels, expected {size_wh[0]} x {size_wh[1]} as the"):
        measure_depth(DepthImage(np.ones((HEIGHT, WIDTH)), 1.0), size_wh, BOX)


@settings(max_examples=60)
@given(st.lists(st.floats(width=32), min_size=1, max_size=30), st.floats(-500, 500), st.floats(1, 600))
def test_any_image_gives_one_of_its_depths_or_a_refusal(numbers, left, side):
    values = np.resize(np.array(numbers, np.float32), (HEIGHT, WIDTH))
    box_xywh = np.array([left, left, side, side])
    try:
        depth_m = measure_depth(DepthImage(values, 1.0), SIZE_WH, box_xywh)
    except InvalidInputError:
        return
    measured = values[np.isfinite(values) & (values > 0)]
    assert measured.min() * (1 - 1e-6) <= depth_m <= measured.max() * (1 + 1e-6)


@pytest.mark.parametrize("center_xy", [(160, 120), (20, 200), (310, 10)])
def test_the_height_tells_the_depth(center_xy):
    height_m, depth_m = 1.7, 5.0
    middle = position_at(CAMERA.rays([center_xy])[0], depth_m)
    assert middle[2] == pytest.approx(depth_m)
    top_xy, bottom_xy = CAMERA.points([middle - (0, height_m / 2, 0), middle + (0, height_m / 2, 0)])
    top, bottom = CAMERA.rays([top_xy, bottom_xy])
    assert depth_of_height(top, bottom, height_m) == pytest.approx(depth_m)


@pytest.mark.parametrize("top, bottom", [((0, 0, 1), (0, 0, 1)), ((0, 0.1, 1), (0, -0.1, 1)), ((math.nan,) * 3,) * 2])
def test_rays_without_an_angle_between_them_tell_no_depth(top, bottom):
    assert math.isnan(depth_of_height(np.array(top, float), np.array(bottom, float), 1.7))
