# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0

import numpy as np
import pytest

from siam_tracker_ros.drawing import draw_target, mask_image
from siam_tracker_ros.errors import InvalidInputError


def frame(height=120, width=160):
    return np.full((height, width, 3), 100, np.uint8)


def changed(image):
    """Rows and columns of the pixels that differ from an untouched frame."""
    return np.nonzero((image != 100).any(axis=2))


@pytest.mark.parametrize("box", [None, (np.nan,) * 4, (500, 500, 20, 20), (-90, -90, 20, 20)])
def test_no_box_in_sight_changes_no_pixel(box):
    image = frame()
    draw_target(image, box)
    assert changed(image)[0].size == 0


def test_a_box_is_an_outline_on_its_edges():
    image = frame()
    draw_target(image, (40, 30, 50, 20))
    rows, cols = changed(image)
    assert abs(rows.min() - 30) <= 2 and abs(rows.max() - 49) <= 2
    assert abs(cols.min() - 40) <= 2 and abs(cols.max() - 89) <= 2
    assert (image[34:46, 44:86] == 100).all()


@pytest.mark.parametrize(
    "box",
    [
        (-1e9, -1e9, 2e9, 2e9),
        (1e300, 0, 1, 1),
        (10, 10, 0, 0),
        (10.5, 10.5, 1, 1),
        (-20, -20, 40, 40),
        (0, 0, 160, 120),
        np.array([5, 5, 9, 9], np.float32),
    ],
)
def test_any_finite_box_can_be_drawn_with_a_caption(box):
    draw_target(frame(), box, "target 0.97")


@pytest.mark.parametrize("box", [None, (60, 50, 30, 30), (0, 0, 30, 30), (150, 110, 30, 30), (1000, 1000, 5, 5)])
def test_a_caption_stays_inside_the_frame(box):
    bare, captioned = frame(480, 640), frame(480, 640)
    draw_target(bare, box)
    draw_target(captioned, box, "lost", color_bgr=(0, 0, 255))
    assert (bare != captioned).any(axis=2).sum() > 100
    assert (captioned == 255).all(axis=2).sum() > 10  # light letters on a dark colour


def test_a_caption_longer_than_a_tiny_frame_is_cut_off():
    draw_target(frame(1, 1), (0, 0, 1, 1), "a caption that does not fit")


@pytest.mark.parametrize("dtype", [bool, np.uint8])
def test_a_mask_tints_its_own_pixels_alone(dtype):
    image, mask = frame(), np.zeros((120, 160), dtype)
    mask[20:30, 50:70] = 255 if dtype == np.uint8 else True
    draw_target(image, None, mask=mask)
    assert ((image != 100).any(axis=2) == (mask != 0)).all()


def test_an_empty_mask_changes_nothing():
    image = frame()
    draw_target(image, None, mask=np.zeros((120, 160), bool))
    assert changed(image)[0].size == 0


def test_a_polygon_takes_the_place_of_the_box():
    image = frame()
    draw_target(image, (0, 0, 160, 120), polygon=np.array([[80, 30], [110, 60], [80, 90], [50, 60]]))
    rows, cols = changed(image)
    assert abs(cols.min() - 50) <= 2 and abs(cols.max() - 110) <= 2
    assert (image[59:62, 79:82] == 100).all()


def test_it_draws_into_a_view_of_a_larger_frame():
    image = frame()
    draw_target(image[40:80, 40:100], (5, 5, 20, 20))
    rows, cols = changed(image)
    assert rows.min() >= 40 and rows.max() < 80 and cols.min() >= 40 and cols.max() < 100


@pytest.mark.parametrize(
    "image, mask, words",
    [
        (np.zeros((4, 4), np.uint8), None, "expected uint8"),
        (np.frombuffer(bytes(48), np.uint8).reshape(4, 4, 3), None, "read-only"),
        (np.zeros((4, 4, 3), np.uint8), np.zeros((4, 5), bool), r"mask is \(4, 5\), expected \(4, 4\)"),
    ],
)
def test_what_cannot_be_drawn_on_is_refused(image, mask, words):
    with pytest.raises(InvalidInputError, match=words):
        draw_target(image, (0, 0, 2, 2), mask=mask)


@pytest.mark.parametrize("part", [np.s_[:, :], np.s_[1:5, 2:7], np.s_[::2, ::-1]])
def test_a_mask_becomes_black_and_white(part):
    mask = (np.arange(48).reshape(6, 8) % 5 == 0)[part]
    shown = mask_image(mask)
    assert shown.dtype == np.uint8
    np.testing.assert_array_equal(shown, np.where(mask, 255, 0))
