# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siam_tracker_ros.core.motion import CameraMotion

NOISE = np.random.default_rng(0).integers(0, 256, (75, 100, 3), dtype=np.uint8)
WORLD = cv2.resize(NOISE, (800, 600), interpolation=cv2.INTER_CUBIC)
OTHER_WORLD = cv2.resize(np.random.default_rng(9).permuted(NOISE), (800, 600), interpolation=cv2.INTER_CUBIC)
SIZE_WH = 480, 360


def view(x, y, size_wh=SIZE_WH, world=WORLD):
    return world[y : y + size_wh[1], x : x + size_wh[0]]


def shift(*images_bgr):
    """The shift of the last of some frames."""
    motion = CameraMotion()
    return [motion.shift(image_bgr) for image_bgr in images_bgr][-1]


@pytest.mark.parametrize(
    "images_bgr",
    [
        (view(100, 100),),  # the first frame
        (view(100, 100), cv2.resize(view(110, 100), (320, 240))),  # another size
        (np.full((360, 480, 3), 90, np.uint8), np.full((360, 480, 3), 90, np.uint8)),  # blank
        (view(100, 100), np.full((360, 480, 3), 90, np.uint8)),  # covered
        (view(100, 100), np.zeros((360, 480, 3), np.uint8)),
        (view(100, 100), view(100, 100, world=OTHER_WORLD)),
        (np.zeros((1, 1, 3), np.uint8), np.zeros((1, 1, 3), np.uint8)),
        (np.zeros((2, 2000, 3), np.uint8), np.zeros((2, 2000, 3), np.uint8)),
    ],
    ids=["first", "other size", "blank", "covered", "dark", "cut", "one pixel", "line"],
)
def test_there_is_no_shift_where_none_can_be_measured(images_bgr):
    np.testing.assert_array_equal(shift(*images_bgr), (0, 0))


def test_after_a_stop_the_next_frame_is_a_first_one():
    motion = CameraMotion()
    motion.shift(view(100, 100))
    motion.stop()
    np.testing.assert_array_equal(motion.shift(view(110, 100)), (0, 0))
    np.testing.assert_allclose(motion.shift(view(120, 100)), (-10, 0), atol=1)


def test_after_another_size_the_shift_is_measured_again():
    small = (320, 240)
    np.testing.assert_allclose(shift(view(100, 100), view(0, 0, small), view(8, 0, small)), (-8, 0), atol=1)


@settings(max_examples=25)
@given(st.integers(-24, 24), st.integers(-24, 24))
def test_the_shift_is_that_of_what_stands_still(x, y):
    np.testing.assert_allclose(shift(view(100, 100), view(100 - x, 100 - y)), (x, y), atol=1)


@pytest.mark.parametrize("size_wh", [(120, 90), (240, 180), (480, 360), (700, 360)])
def test_the_shift_is_in_pixels_of_the_frame_at_any_size(size_wh):
    np.testing.assert_allclose(shift(view(90, 90, size_wh), view(84, 93, size_wh)), (6, -3), atol=1)


def test_what_moves_on_its_own_does_not_count():
    first, second = view(100, 100).copy(), view(106, 100).copy()
    patch = cv2.resize(NOISE[::-1], (120, 120), interpolation=cv2.INTER_NEAREST)
    first[40:160, 40:160], second[40:160, 80:200] = patch, patch
    np.testing.assert_allclose(shift(first, second), (-6, 0), atol=1)


@pytest.mark.parametrize("angle, zoom", [(0, 1.0), (5, 1.0), (0, 1.05), (-3, 0.97)])
def test_a_zoom_and_a_turn_leave_the_shift_of_the_middle(angle, zoom):
    turn = cv2.getRotationMatrix2D((340, 280), angle, zoom)  # about the middle of the first view
    turned = cv2.warpAffine(WORLD, turn, (800, 600))
    np.testing.assert_allclose(shift(view(100, 100), view(90, 100, world=turned)), (10, 0), atol=3)


def test_a_frame_is_not_changed():
    image_bgr = view(100, 100).copy()
    shift(image_bgr, image_bgr)
    np.testing.assert_array_equal(image_bgr, view(100, 100))
