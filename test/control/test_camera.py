# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import math

import camera_infos
import cv2
import numpy as np
import pytest
from camera_infos import LENSES, K, camera_info, projection
from hypothesis import given, settings
from hypothesis import strategies as st

from siam_tracker_ros.control.camera import camera_from_info, guess_camera
from siam_tracker_ros.errors import InvalidInputError

EXACT = 1e-6
NAN, INF = math.nan, math.inf


def rays_of_opencv(points_xy, k, d, is_fisheye=False):
    """The rays that OpenCV has through points whose pixel (0, 0) has its centre at (0.5, 0.5)."""
    points = np.asarray(points_xy, np.float64).reshape(-1, 1, 2) - 0.5
    k, d = np.reshape(k, (3, 3)), np.asarray(d)
    criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 200, 1e-14)
    if is_fisheye:
        tangents = cv2.fisheye.undistortPoints(points, k, d)
    elif hasattr(cv2, "undistortPointsIter"):
        tangents = cv2.undistortPointsIter(points, k, d, np.eye(3), np.eye(3), criteria)
    else:
        tangents = cv2.undistortPoints(points, k, d, criteria=criteria)
    rays = np.column_stack([tangents[:, 0], np.ones(len(points))])
    return rays / np.linalg.norm(rays, axis=1, keepdims=True)


def grid(size_wh, count=7):
    """Points all over an image, its corners with them."""
    xs, ys = (np.linspace(0, side, count) for side in size_wh)
    return np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2)


@st.composite
def lenses(draw):
    """Model, k and d of a lens as calibrations have it, for images of 640 x 480."""
    number = lambda low, high: draw(st.floats(low, high))  # noqa: E731
    focal = number(400, 2000)
    k = (focal, 0.0, number(280, 360), 0.0, focal * number(0.9, 1.1), number(200, 280), 0.0, 0.0, 1.0)
    model = draw(st.sampled_from(["plumb_bob", "rational_polynomial", "equidistant"]))
    if model == "equidistant":
        return model, k, tuple(number(-bound, bound) for bound in (0.02, 0.01, 0.003, 0.001))
    d = (number(-0.15, 0.15), number(-0.03, 0.03), number(-0.003, 0.003), number(-0.003, 0.003), number(-0.01, 0.01))
    if model == "plumb_bob":
        return model, k, d
    same = number(0, 0.8)  # a numerator and a denominator that nearly cancel, as in calibrations of this model
    return model, k, (d[0] + same, *d[1:], same, number(-0.02, 0.02), number(-0.005, 0.005))


@settings(max_examples=60)
@given(lenses())
def test_rays_are_those_of_opencv_and_lead_back_to_their_points(lens):
    model, k, d = lens
    camera = camera_from_info(camera_info(distortion_model=model, k=k, d=d))
    points_xy = grid((640, 480))
    rays = camera.rays(points_xy)
    np.testing.assert_allclose(rays, rays_of_opencv(points_xy, k, d, model == "equidistant"), rtol=0, atol=EXACT)
    np.testing.assert_allclose(np.linalg.norm(rays, axis=1), 1, rtol=0, atol=1e-12)
    np.testing.assert_allclose(camera.points(rays), points_xy, rtol=0, atol=2e-3)


@settings(max_examples=60)
@given(lenses(), st.floats(-0.4, 0.4), st.floats(-0.3, 0.3))
def test_a_ray_that_opencv_projects_is_found_again(lens, x, y):
    model, k, d = lens
    project = cv2.fisheye.projectPoints if model == "equidistant" else cv2.projectPoints
    points, _ = project(np.array([[[x, y, 1.0]]]), np.zeros(3), np.zeros(3), np.reshape(k, (3, 3)), np.array(d))
    camera = camera_from_info(camera_info(distortion_model=model, k=k, d=d))
    ray = np.array([x, y, 1]) / math.hypot(x, y, 1)
    np.testing.assert_allclose(camera.rays(points[0] + 0.5), [ray], rtol=0, atol=EXACT)


@pytest.mark.parametrize("model", LENSES)
def test_every_model_leads_there_and_back(model):
    camera = camera_from_info(camera_info(distortion_model=model, d=LENSES[model]))
    points_xy = grid((640, 480))
    np.testing.assert_allclose(camera.points(camera.rays(points_xy)), points_xy, rtol=0, atol=2e-3)


def test_directions_are_those_of_the_optical_frame():
    camera = camera_from_info(camera_info())
    right, down, ahead = camera.rays([(520.5, 240.5), (320.5, 440.5), (320.5, 240.5)])
    np.testing.assert_allclose(ahead, (0, 0, 1), atol=1e-12)
    np.testing.assert_allclose(right, np.array([0.4, 0, 1]) / math.hypot(0.4, 1), atol=1e-12)
    np.testing.assert_allclose(down, np.array([0, 0.4, 1]) / math.hypot(0.4, 1), atol=1e-12)


@pytest.mark.parametrize("model", LENSES)
@pytest.mark.parametrize(
    "binning, left, top, width, height", [(2, 0, 0, 0, 0), (1, 100, 60, 320, 240), (4, 80, 0, 0, 0)]
)
def test_a_part_of_the_sensor_and_binned_pixels_have_the_same_rays(model, binning, left, top, width, height):
    lens = dict(distortion_model=model, d=LENSES[model])
    roi = dict(x_offset=left, y_offset=top, width=width, height=height)
    camera = camera_from_info(camera_info(**lens, binning_x=binning, binning_y=binning, roi=roi))
    expected_wh = (width or 640 - left) // binning, (height or 480 - top) // binning
    assert camera.size_wh == expected_wh
    points_xy = grid(camera.size_wh)
    on_sensor = camera_from_info(camera_info(**lens)).rays(points_xy * binning + (left, top))
    np.testing.assert_allclose(camera.rays(points_xy), on_sensor, rtol=0, atol=1e-9)
    np.testing.assert_allclose(camera.points(on_sensor), points_xy, rtol=0, atol=2e-3)


RECTIFIED_K = (450.0, 0.0, 310.0, 0.0, 450.0, 250.0, 0.0, 0.0, 1.0)
TURN = tuple(cv2.Rodrigues(np.array([0.0, 0.02, 0.0]))[0].reshape(-1))


@pytest.mark.parametrize(
    "fields, is_rectified, k",
    [
        (dict(d=camera_infos.PLUMB_BOB, p=projection(RECTIFIED_K)), True, RECTIFIED_K),
        (dict(d=camera_infos.PLUMB_BOB, p=projection(RECTIFIED_K, baseline=0.1), r=TURN), True, RECTIFIED_K),
        (dict(distortion_model="equidistant", d=(0.01,) * 4, p=projection(RECTIFIED_K)), True, RECTIFIED_K),
        (dict(p=projection(RECTIFIED_K)), False, RECTIFIED_K),
        (dict(d=(), distortion_model="", p=projection(RECTIFIED_K), r=(0.0,) * 9), False, RECTIFIED_K),
        (dict(p=(0.0,) * 12), False, K),  # a driver that fills K alone
        (dict(p=projection(RECTIFIED_K), r=TURN), False, K),  # the raw image of a lens without distortion
    ],
)
def test_rectified_images_are_described_by_p(fields, is_rectified, k):
    rays = camera_from_info(camera_info(**fields), is_rectified).rays(grid((640, 480)))
    np.testing.assert_allclose(rays, rays_of_opencv(grid((640, 480)), k, ()), rtol=0, atol=1e-9)


def replaced(index, value):
    return K[:index] + (value,) + K[index + 1 :]


@pytest.mark.parametrize(
    "fields, words",
    [
        (dict(k=(0.0,) * 9), "only zeros in k, which stands for a camera that is not calibrated"),
        (dict(k=replaced(2, NAN), p=(0.0,) * 12), "camera matrix 500, 0, nan, .* expected fx, 0, cx"),
        (dict(k=replaced(0, INF)), "camera matrix inf"),
        (dict(k=replaced(0, -500.0)), "at least 1 pixel"),
        (dict(k=replaced(4, 5e-324)), "camera matrix 500, 0, 320, 0, 4.94066e-324"),  # an int sent by Python
        (dict(k=replaced(1, 3.0)), "camera matrix 500, 3, 320"),
        (dict(k=replaced(8, 0.0)), "expected fx, 0, cx, 0, fy, cy, 0, 0, 1"),
        (dict(d=(0.1,)), "1 coefficients in d, expected 0 or 4 or 5 for the distortion_model 'plumb_bob'"),
        (dict(d=(0.1,) * 8), "8 coefficients"),
        (dict(distortion_model="equidistant", d=(0.1,) * 5), "expected 4 for the distortion_model 'equidistant'"),
        (dict(distortion_model="rational_polynomial"), "expected 8 or 12 or 14"),
        (dict(distortion_model=""), "5 coefficients in d, expected 0 for the distortion_model ''"),
        (dict(d=(0.1, NAN, 0.0, 0.0, 0.0)), "a number in d that is not finite"),
        (dict(distortion_model="cat_eye"), "'cat_eye', expected one of plumb_bob, .* rectify the images"),
        (dict(d=(-1e300, 0.0, 0.0, 0.0, 0.0), k=replaced(2, 9.0)), "no direction for the middle of the image"),
        (dict(width=0, height=0), "is 0 x 0 pixels"),
        (dict(binning_x=1000), "binning 1000 x 1"),
        (dict(roi=dict(x_offset=400, width=320, height=240)), "a roi of 320 x 240 at 400, 0"),
        (dict(roi=dict(x_offset=700)), "a roi of 0 x 0 at 700, 0"),
    ],
)
def test_what_is_no_camera_is_refused_in_one_sentence(fields, words):
    with pytest.raises(InvalidInputError, match=words) as refusal:
        camera_from_info(camera_info(**fields))
    assert "\n" not in str(refusal.value)


def test_rectified_images_need_p():
    with pytest.raises(InvalidInputError, match="only zeros in p"):
        camera_from_info(camera_info(p=(0.0,) * 12), is_rectified=True)


ANY = st.floats(width=64) | st.sampled_from([0.0, 1.0, 500.0, 5e-324])


@settings(max_examples=150)
@given(
    st.sampled_from([*LENSES, "fisheye", "", "other"]),
    st.lists(ANY, max_size=15),
    st.lists(ANY, min_size=9, max_size=9) | st.just(K),
    st.integers(0, 2**32 - 1),
    st.integers(0, 9),
)
def test_any_numbers_make_a_camera_or_a_refusal(model, d, k, width, binning):
    info = camera_info(distortion_model=model, d=tuple(d), k=tuple(k), width=width, binning_x=binning)
    try:
        camera = camera_from_info(info)
    except InvalidInputError:
        return
    rays = camera.rays(grid(camera.size_wh))
    is_known = np.isfinite(rays).all(axis=1)
    np.testing.assert_allclose(np.linalg.norm(rays[is_known], axis=1), 1)
    assert np.isnan(rays[~is_known]).all()


def test_there_is_no_ray_where_the_lens_model_has_none():
    strong = camera_from_info(camera_info(d=(-0.6, 0.0, 0.0, 0.0, 0.0), k=(300.0, *K[1:4], 300.0, *K[5:])))
    ahead, corner = strong.rays([(320, 240), (0, 0)])
    assert np.isfinite(ahead).all() and np.isnan(corner).all()
    wide = camera_from_info(
        camera_info(distortion_model="equidistant", d=(0.0,) * 4, k=(200.0, *K[1:4], 200.0, *K[5:]))
    )
    side, behind = wide.rays([(320.5 + 200 * 1.5, 240.5), (320.5 + 200 * 1.6, 240.5)])  # 86 and 92 degrees from ahead
    np.testing.assert_allclose(side, (math.sin(1.5), 0, math.cos(1.5)), atol=1e-6)
    assert np.isnan(behind).all()


@pytest.mark.parametrize("ray", [(0.0, 0.0, -1.0), (1.0, 0.0, 0.0), (NAN, NAN, NAN)])
@pytest.mark.parametrize("model", ["plumb_bob", "equidistant"])
def test_what_is_not_in_front_has_no_point(model, ray):
    camera = camera_from_info(camera_info(distortion_model=model, d=LENSES[model]))
    assert np.isnan(camera.points([ray])).all()


def test_images_of_another_size_are_not_those_of_the_camera():
    camera = camera_from_info(camera_info(binning_x=2, binning_y=2))
    camera.check_size((320, 240))
    with pytest.raises(InvalidInputError, match="images are 640 x 480 pixels, expected 320 x 240 by camera_info"):
        camera.check_size((640, 480))


def test_a_camera_that_is_not_known_is_taken_for_one_with_a_view_of_53_degrees():
    left, middle, right = guess_camera((640, 480)).rays([(0, 240), (320, 240), (640, 240)])
    np.testing.assert_allclose(middle, (0, 0, 1), atol=1e-12)
    assert math.degrees(math.acos(left @ right)) == pytest.approx(53.13, abs=0.01)
