# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis.extra.numpy import arrays

from siam_tracker_ros import geometry
from siam_tracker_ros.errors import InvalidInputError

COORDINATE = st.floats(-5000, 5000)
SIDE = st.floats(0.01, 5000)
BOXES_XYWH = st.tuples(COORDINATE, COORDINATE, SIDE, SIDE).map(np.array)


@pytest.mark.parametrize(
    "there, back",
    [
        (geometry.xywh_to_xyxy, geometry.xyxy_to_xywh),
        (geometry.xywh_to_cxcywh, geometry.cxcywh_to_xywh),
    ],
)
@given(boxes=arrays(np.float64, (3, 4), elements=st.floats(0.01, 5000)))
def test_conversions_round_trip(there, back, boxes):
    np.testing.assert_allclose(back(there(boxes)), boxes, rtol=0, atol=1e-9)
    np.testing.assert_allclose(back(there(torch.from_numpy(boxes))).numpy(), boxes, rtol=0, atol=1e-9)


@given(box=BOXES_XYWH)
def test_centre_form_and_corner_form_agree(box):
    np.testing.assert_allclose(
        geometry.cxcywh_to_xyxy(geometry.xywh_to_cxcywh(box)), geometry.xywh_to_xyxy(box), atol=1e-8
    )


ANGLE = st.floats(-10, 10)


@given(box=BOXES_XYWH, theta=ANGLE, start=st.integers(0, 3), reverse=st.booleans())
def test_rotated_boxes_come_back_whatever_corner_they_begin_at(box, theta, start, reverse):
    corners = geometry.cxcywht_to_corners([*box, theta])
    given_corners = np.roll(corners[::-1] if reverse else corners, start, axis=0)
    found = geometry.corners_to_cxcywht(given_corners)
    assert abs(found[4]) <= np.pi / 4 + 1e-9
    again = geometry.cxcywht_to_corners(found)
    distances = np.linalg.norm(again[:, None] - corners[None], axis=-1)  # (4, 4)
    np.testing.assert_allclose(distances.min(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(distances.min(axis=1), 0, atol=1e-6)
    assert np.prod(found[2:4]) == pytest.approx(np.prod(box[2:]))


@given(box=BOXES_XYWH)
def test_a_box_that_is_not_rotated_has_the_corners_of_an_upright_one(box):
    cxcywh = geometry.xywh_to_cxcywh(box)
    corners = geometry.xywh_to_corners(box)
    np.testing.assert_allclose(geometry.cxcywht_to_corners([*cxcywh, 0.0]), corners, atol=1e-9)
    np.testing.assert_allclose(geometry.corners_to_cxcywht(corners), [*cxcywh, 0.0], atol=1e-8)


@given(box=BOXES_XYWH, theta=st.floats(-np.pi / 4 + 1e-3, np.pi / 4 - 1e-3), shift=COORDINATE)
def test_rotated_boxes_near_upright_keep_their_five_numbers(box, theta, shift):
    found = geometry.corners_to_cxcywht(geometry.cxcywht_to_corners([*box, theta]) + [shift, -shift])
    np.testing.assert_allclose(found[:4], box + [shift, -shift, 0, 0], atol=1e-8)
    assert max(box[2:]) * abs(found[4] - theta) < 1e-7, "the angle of a tiny box far out is that of its corners"


@pytest.mark.parametrize(
    "corners, expected",
    [
        ([[0, 0], [4, 0], [4, 2], [0, 2]], [2, 1, 4, 2, 0]),
        ([[1, 0], [5, 4], [4, 5], [0, 1]], [2.5, 2.5, 32**0.5, 2**0.5, np.pi / 4]),
        ([[0, 1], [2, 0], [4, 4], [2, 5]], [2, 2.5, 5**0.5, 20**0.5, np.arctan2(-1, 2)]),
        ([[3, 7], [3, 7], [3, 7], [3, 7]], [3, 7, 0, 0, 0]),
        ([[0, 0], [0, 0], [0, 8], [0, 8]], [0, 4, 0, 8, 0]),
        ([[0, 0], [3, 3], [3, 3], [0, 0]], [1.5, 1.5, 18**0.5, 0, np.pi / 4]),
    ],
)
def test_known_rotated_boxes(corners, expected):
    np.testing.assert_allclose(geometry.corners_to_cxcywht(corners), expected, atol=1e-12)


@given(box=BOXES_XYWH, theta=ANGLE)
def test_the_upright_box_of_a_rotated_one_touches_its_corners(box, theta):
    corners = geometry.cxcywht_to_corners([*box, theta])
    np.testing.assert_allclose(
        geometry.cxcywht_to_cxcywh([*box, theta]), geometry.corners_to_cxcywh(corners), atol=1e-8
    )


def test_theta_turns_clockwise_on_the_screen():
    top_left, top_right, *_ = geometry.cxcywht_to_corners([0, 0, 10, 4, 0.1])
    assert top_right[1] > top_left[1], "y points down"


def test_known_values():
    box = np.array([10.0, 20.0, 30.0, 40.0])
    assert geometry.xywh_to_xyxy(box).tolist() == [10, 20, 40, 60]
    assert geometry.xywh_to_cxcywh(box).tolist() == [25, 40, 30, 40]
    assert geometry.xywh_to_corners(box).tolist() == [[10, 20], [40, 20], [40, 60], [10, 60]]
    assert geometry.normalized_to_pixels([0.5, 0.25, 0.1, 1], (640, 480)).tolist() == [320, 120, 64, 480]
    assert geometry.pixels_to_normalized([320, 120, 64, 480], (640, 480)).tolist() == [0.5, 0.25, 0.1, 1]


@pytest.mark.parametrize(
    "first, second, expected",
    [
        ((0, 0, 0, 0), (0, 0, 0, 0), 0.0),
        ((0, 0, 10, 10), (np.nan, 0, 10, 10), 0.0),
        ((0, 0, 10, 10), (0, 0, -10, 10), 0.0),
        ((0, 0, 10, 10), (10, 0, 10, 10), 0.0),
        ((0, 0, 1, 1), (0, 0, 1, 1), 1.0),
        ((0, 0, 10, 10), (5, 0, 10, 10), 1 / 3),
        ((0, 0, 10, 10), (2, 2, 5, 5), 0.25),
    ],
)
def test_iou_table(first, second, expected):
    assert geometry.iou_xywh(first, second) == pytest.approx(expected)


@given(first=BOXES_XYWH, second=BOXES_XYWH, shift=COORDINATE)
def test_iou_is_symmetric_bounded_and_moves_along(first, second, shift):
    iou = geometry.iou_xywh(first, second)
    assert 0 <= iou <= 1 + 1e-9
    assert iou == geometry.iou_xywh(second, first)
    moved = np.array([shift, -shift, 0, 0])
    assert geometry.iou_xywh(first + moved, second + moved) == pytest.approx(iou, abs=1e-6)


@pytest.mark.parametrize(
    "box, words",
    [
        (None, "four numbers"),
        ((), "four numbers"),
        ((1, 2, 3), "four numbers"),
        ("12,3,4,5", "four numbers"),
        ((np.nan, 0, 10, 10), "not finite"),
        ((0, 0, np.inf, 10), "not finite"),
        ((0, 0, 0, 10), "at least 1 x 1"),
        ((0, 0, 10, -4), "at least 1 x 1"),
        ((0, 0, 0.5, 10), "at least 1 x 1"),
        ((0, 0, 1e300, 1e300), "at most 10 times"),
        ((-1e18, 0, 2e18, 10), "at most 10 times"),
        ((0, 0, 10, 501), "at most 10 times"),
        ((100, 0, 10, 10), "outside the 100 x 50 image"),
        ((0, 50, 10, 10), "outside the 100 x 50 image"),
        ((-10, 0, 10, 10), "outside the 100 x 50 image"),
    ],
)
def test_bad_boxes_are_refused(box, words):
    with pytest.raises(InvalidInputError, match=words):
        geometry.check_box_xywh(box, (100, 50))


@pytest.mark.parametrize(
    "box", [(0, 0, 1, 1), (-9, -9, 10, 10), (99.5, 49.5, 10, 10), (-50, -50, 500, 500), (0, 0, 1000, 500)]
)
def test_good_boxes_come_back_unclipped(box):
    checked = geometry.check_box_xywh(box, (100, 50))
    assert checked.dtype == np.float64
    assert checked.tolist() == list(box)


@pytest.mark.parametrize(
    "image, words",
    [
        (None, "NoneType"),
        (np.zeros((0, 5, 3), np.uint8), r"\(0, 5, 3\)"),
        (np.zeros((5, 5), np.uint8), r"\(5, 5\)"),
        (np.zeros((5, 5, 4), np.uint8), r"\(5, 5, 4\)"),
        (np.zeros((5, 5, 3), np.float32), "float32"),
    ],
)
def test_bad_images_are_refused(image, words):
    with pytest.raises(InvalidInputError, match=words):
        geometry.check_image_bgr(image)


def test_one_pixel_image_is_accepted_as_it_is():
    image = np.zeros((1, 1, 3), np.uint8)
    assert geometry.check_image_bgr(image) is image
