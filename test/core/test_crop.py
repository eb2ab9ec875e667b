# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import tracemalloc

import cv2
import hypothesis.strategies as st
import numpy as np
import pytest
from golden_data import golden, pysot_video
from hypothesis import given, settings

from siam_tracker_ros.core.crop import crop_context, mean_bgr, round_half_up


@pytest.mark.parametrize("snap, kind", [(round_half_up, "floor"), (round, "bankers")])
@pytest.mark.parametrize("number", range(10))
def test_crop_equals_the_released_codes(number, snap, kind):
    utilities = golden("pysot/utils_pysot")
    crops = utilities if kind == "floor" else golden("pysot/train_siammask_base")
    frame = pysot_video()[0][0]
    center_x, center_y, out_side, side = utilities["crop_cases"][number]
    crop, _ = crop_context(frame, (center_x, center_y), int(side), int(out_side), utilities["crop_avg_bgr"], snap)
    np.testing.assert_array_equal(crop.transpose(2, 0, 1), crops[f"crop{number}_{kind}"])


def test_fill_is_the_first_frames_mean():
    np.testing.assert_array_equal(mean_bgr(pysot_video()[0][0]), golden("pysot/utils_pysot")["crop_avg_bgr"])


def padded_frame_crop(image, center_xy, side, out_side, fill):
    """What `crop_context` should give, the slow way: the whole frame in a wide border."""
    margin = side + 200
    padded = cv2.copyMakeBorder(image, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=fill)
    x0, y0 = (int(np.floor(center - (side + 1) / 2 + 0.5)) + margin for center in center_xy)
    return cv2.resize(padded[y0 : y0 + side, x0 : x0 + side], (out_side, out_side))


@settings(max_examples=60)
@given(
    center=st.tuples(st.floats(-60, 130), st.floats(-60, 110)), side=st.integers(1, 300), out_side=st.integers(1, 64)
)
def test_crop_equals_a_crop_of_the_padded_frame(center, side, out_side):
    image = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    crop, _ = crop_context(image, center, side, out_side, (1, 2, 3))
    np.testing.assert_array_equal(crop, padded_frame_crop(image, center, side, out_side, (1, 2, 3)))


@pytest.mark.parametrize("side, out_side", [(512, 64), (700, 64), (1021, 127), (2811, 255), (64, 1), (99, 3)])
@pytest.mark.parametrize("center", [(35.0, 25.0), (-80.5, 130.2), (300, 20)])
def test_large_regions_are_sampled_to_the_same_pixels(side, out_side, center):
    image = np.random.default_rng(1).integers(0, 256, (330, 470, 3), dtype=np.uint8)
    crop, _ = crop_context(image, center, side, out_side, (1, 2, 3))
    np.testing.assert_array_equal(crop, padded_frame_crop(image, center, side, out_side, (1, 2, 3)))


@settings(max_examples=60)
@given(
    center=st.tuples(st.floats(-60, 130), st.floats(-60, 110)), side=st.integers(1, 900), out_side=st.integers(1, 64)
)
def test_pixels_that_need_not_be_exact_are_only_rounded_otherwise(center, side, out_side):
    image = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    crop, origin = crop_context(image, center, side, out_side, (1, 2, 3), exact=False)
    expected, expected_origin = crop_context(image, center, side, out_side, (1, 2, 3))
    assert origin == expected_origin
    steps = 1 if int(cv2.__version__.partition(".")[0]) >= 5 else 8  # OpenCV 4 rounds positions to 1/32 of a pixel
    assert np.abs(crop.astype(int) - expected).max() <= steps


@pytest.mark.parametrize("exact", [True, False])
def test_a_huge_region_costs_no_huge_copy(exact):
    tracemalloc.start()
    crop_context(np.zeros((48, 64, 3), np.uint8), (30, 20), 100_000, 256, (0, 0, 0), exact=exact)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6


@pytest.mark.parametrize("center", [(1e7, 5), (-1e7, 5), (5, 1e7), (5, -1e7)])
def test_a_region_far_from_the_frame_is_fill_alone(center):
    crop, _ = crop_context(np.full((20, 30, 3), 200, np.uint8), center, 40, 16, (9.9, 8.2, 7))
    assert crop.shape == (16, 16, 3)
    assert (crop == (9, 8, 7)).all()


def test_only_the_region_is_padded(monkeypatch):
    padded = []
    make_border = cv2.copyMakeBorder

    def record(*arguments, **keywords):
        padded.append(make_border(*arguments, **keywords).shape)
        return make_border(*arguments, **keywords)

    monkeypatch.setattr(cv2, "copyMakeBorder", record)
    crop_context(np.zeros((1080, 1920, 3), np.uint8), (-20, 5), 100, 64, (0, 0, 0))
    assert padded == [(100, 100, 3)]


def test_one_pixel_frame_and_one_pixel_region():
    image = np.array([[[1, 2, 3]]], np.uint8)
    crop, origin = crop_context(image, (0.5, 0.5), 1, 4, (0, 0, 0))
    assert origin == (0, 0)
    assert (crop == (1, 2, 3)).all()


def test_origin_maps_the_crop_back_to_the_frame():
    image = np.zeros((60, 80, 3), np.uint8)
    image[30, 44] = 255
    crop, (x0, y0) = crop_context(image, (40, 28), 20, 20, (0, 0, 0))
    row, column = np.argwhere(crop[..., 0] == 255)[0]
    assert (x0 + column, y0 + row) == (44, 30)
