# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("pymavlink", reason="MAVLink needs pymavlink")

from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.geometry import cxcywh_to_xyxy
from siam_tracker_ros.mavlink.regions import MIN_SIDE, point_alone, point_box, rectangle_box

SIZE_WH = (640, 480)
NAN = math.nan
ALL = st.floats(width=32)
FRACTIONS = st.floats(0, 1, width=32)
SIZES = st.tuples(st.integers(1, 8000), st.integers(1, 8000))


@pytest.mark.parametrize(
    "corners, words",
    [
        ((NAN, 0.1, 0.5, 0.5), "corners (nan, 0.1) and (0.5, 0.5) expected in 0..1"),
        ((0.1, 0.1, math.inf, 0.5), "corners (0.1, 0.1) and (inf, 0.5) expected in 0..1"),
        ((-0.01, 0.1, 0.5, 0.5), "expected in 0..1, as fractions of the image's width and height"),
        ((0.1, 0.1, 0.5, 1.01), "expected in 0..1"),
        ((100, 100, 200, 200), "corners (100, 100) and (200, 200) expected in 0..1"),
        ((0.5, 0.1, 0.1, 0.5), "corners are (0.5, 0.1) and (0.1, 0.5), expected the top left one first"),
        ((0.1, 0.5, 0.5, 0.1), "expected the top left one first, then the bottom right one"),
        ((0.0, 0.0, 0.0, 0.0), "the box is 0 x 0 pixels, expected at least 4 x 4; mark the whole target"),
        ((0.5, 0.5, 0.5, 0.9), "the box is 0 x 192 pixels, expected at least 4 x 4"),
        ((0.5, 0.5, 0.505, 0.9), "the box is 3.2 x 192 pixels"),
    ],
)
def test_rectangles_that_cannot_be_meant(corners, words):
    with pytest.raises(InvalidInputError) as refusal:
        rectangle_box(corners, SIZE_WH)
    assert words in str(refusal.value)


def test_a_rectangle():
    assert rectangle_box((0.25, 0.5, 0.75, 0.6), SIZE_WH).tolist() == pytest.approx([0.5, 0.55, 0.5, 0.1])


def test_the_last_bit_of_a_corner_does_not_matter():
    above = float(np.nextafter(np.float32(1), np.float32(2)))
    assert rectangle_box((-1e-7, 0.0, above, 1.0), SIZE_WH).tolist() == [0.5, 0.5, 1.0, 1.0]


@pytest.mark.parametrize(
    "point, radius, point_size, words",
    [
        ((NAN, 0.5), 0.0, 0.1, "point (nan, 0.5) expected in 0..1"),
        ((0.5, -0.1), 0.0, 0.1, "point (0.5, -0.1) expected in 0..1"),
        ((320, 240), 0.0, 0.1, "point (320, 240) expected in 0..1"),
        ((0.5, 0.5), NAN, 0.0, "radius nan expected in 0..1"),
        ((0.5, 0.5), 0.0, 0.0, "the box is 0 x 0 pixels, expected at least 4 x 4"),
        ((0.5, 0.5), 0.0, 0.005, "the box is 3.2 x 3.2 pixels"),
    ],
)
def test_points_that_cannot_be_meant(point, radius, point_size, words):
    with pytest.raises(InvalidInputError) as refusal:
        point_box(point, radius, point_size, SIZE_WH)
    assert words in str(refusal.value)


@pytest.mark.parametrize("point", [(NAN, 0.5), (0.5, -0.1), (1.1, 0.5), (320, 240)])
def test_a_point_alone_that_cannot_be_meant(point):
    with pytest.raises(InvalidInputError, match=r"expected in 0..1, as fractions"):
        point_alone(point)


def test_the_last_bit_of_a_point_does_not_matter():
    above = float(np.nextafter(np.float32(1), np.float32(2)))
    assert point_alone((-1e-7, above)).tolist() == [0, 1, 0, 0]


@pytest.mark.parametrize(
    "point, radius, point_size, expected_xyxy",
    [
        ((0.5, 0.5), NAN, 0.1, [288, 208, 352, 272]),
        ((0.5, 0.5), 0.05, 0.0, [288, 208, 352, 272]),
        ((0.0, 1.0), 0.0, 0.1, [0, 448, 32, 480]),
        ((0.5, 0.5), 0.0, 1.0, [0, 0, 640, 480]),
    ],
)
def test_a_point_is_a_square_of_pixels_cut_off_at_the_image(point, radius, point_size, expected_xyxy):
    box_xyxy = cxcywh_to_xyxy(point_box(point, radius, point_size, SIZE_WH)) * [640, 480, 640, 480]
    assert box_xyxy.tolist() == pytest.approx(expected_xyxy)


@given(st.lists(ALL | FRACTIONS, min_size=4, max_size=4), SIZES)
def test_a_rectangle_is_refused_or_lies_in_the_image(corners, size_wh):
    check(lambda: rectangle_box(corners, size_wh), size_wh)


@given(st.tuples(ALL | FRACTIONS, ALL | FRACTIONS), ALL, FRACTIONS, SIZES)
def test_a_point_is_refused_or_lies_in_the_image(point, radius, point_size, size_wh):
    check(lambda: point_box(point, radius, point_size, size_wh), size_wh)


def check(make_box, size_wh):
    try:
        box_cxcywh = make_box()
    except InvalidInputError as error:
        assert "expected" in str(error)
        return
    assert ((box_cxcywh >= 0) & (box_cxcywh <= 1)).all()  # what ~/init takes
    box_xyxy = cxcywh_to_xyxy(box_cxcywh)
    assert (box_xyxy >= -1e-12).all() and (box_xyxy <= 1 + 1e-12).all()
    assert (box_cxcywh[2:] * size_wh >= MIN_SIDE * (1 - 1e-9)).all()
