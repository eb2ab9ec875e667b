# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings

from siam_tracker_ros.core.crop import crop_context, region_corner, region_numbers
from siam_tracker_ros.core.device_crop import CropRegions, crop_input, crop_regions

FILL_BGR = (200.9, 3.2, 77)


def noise(size_wh, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (size_wh[1], size_wh[0], 3), dtype=np.uint8)


def region_of(center_xy, side, snap=None):
    corner_xy = region_corner(center_xy, side, *([snap] if snap else []))
    return CropRegions.of(torch.tensor([region_numbers(corner_xy, side, FILL_BGR)], dtype=torch.float32))


def sampled(image_bgr, center_xy, side, out_side, snap=None):
    return crop_regions(torch.from_numpy(image_bgr), region_of(center_xy, side, snap), out_side)[0].numpy()


@pytest.mark.parametrize("out_side", [1, 127, 255, 256, 831])
@pytest.mark.parametrize(
    "size_wh, center_xy, side",
    [
        ((1, 1), (0.5, 0.5), 1),
        ((1, 1), (0.5, 0.5), 90),
        ((2, 300), (1, 150), 64),
        ((300, 2), (299, 0), 255),
        ((64, 48), (-300, 20), 100),  # outside of the frame
        ((64, 48), (1e6, -1e6), 1000),
        ((64, 48), (63.9, 47.9), 127),  # over its corner
        ((64, 48), (32, 24), 20_000),
        ((640, 480), (320.5, 240.5), 255),
        ((640, 480), (100, 100), 510),
        ((640, 480), (-3.5, 477.5), 333),
    ],
)
def test_odd_regions_have_opencvs_pixels(size_wh, center_xy, side, out_side):
    image_bgr = noise(size_wh)
    expected, _ = crop_context(image_bgr, center_xy, side, out_side, FILL_BGR)
    assert np.abs(sampled(image_bgr, center_xy, side, out_side) - expected.astype(int)).max() <= 1


def test_the_corner_snaps_as_asked():
    image_bgr = noise((60, 40))
    for snap in (round, np.floor):
        expected, _ = crop_context(image_bgr, (20, 21), 10, 10, FILL_BGR, snap)
        np.testing.assert_array_equal(sampled(image_bgr, (20, 21), 10, 10, snap), expected)


@settings(max_examples=100)
@given(
    center_xy=st.tuples(st.floats(-60, 130), st.floats(-60, 110)), side=st.integers(1, 900), out_side=st.integers(1, 99)
)
def test_pixels_are_opencvs_but_for_rounding(center_xy, side, out_side):
    image_bgr = noise((70, 50))
    expected, _ = crop_context(image_bgr, center_xy, side, out_side, FILL_BGR)
    assert np.abs(sampled(image_bgr, center_xy, side, out_side) - expected.astype(int)).max() <= 1


def test_hardly_any_pixel_differs():
    image_bgr, rng, differences = noise((640, 480)), np.random.default_rng(1), []
    for _ in range(15):
        center_xy, side = rng.uniform((0, 0), (640, 480)), int(rng.integers(20, 900))
        expected, _ = crop_context(image_bgr, center_xy, side, 255, FILL_BGR)
        differences.append(np.abs(sampled(image_bgr, center_xy, side, 255) - expected.astype(int)).mean())
    assert np.mean(differences) < 0.005


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_the_input_of_a_network_has_its_type_and_layout(dtype):
    image_bgr = noise((64, 48))
    image = crop_input(torch.from_numpy(image_bgr), region_of((30, 20), 40), 40, dtype)
    assert image.dtype == dtype and image.shape == (1, 3, 40, 40)
    assert image.is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_array_equal(image[0].permute(1, 2, 0).numpy(), sampled(image_bgr, (30, 20), 40, 40))
