# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from siam_tracker_ros.errors import InvalidSettingError
from siam_tracker_ros.intensity import FULL_RANGE, IntensityStretch, parse_intensity_range

GREY = np.linspace(0, 255, 64 * 48).reshape(48, 64).round().astype(np.uint16)


@pytest.mark.parametrize(
    "image",
    [
        GREY * 257,
        GREY * 200,
        np.array([[0x0000, 0x00FF, 0x0100], [0x7FFF, 0x8000, 0xFFFF]], np.uint16),
        np.full((5, 7), 90 * 256 + 17, np.uint16),
        np.zeros((5, 7), np.uint16),
        np.full((5, 7), 65535, np.uint16),
        np.where(GREY > 100, 65535, 0).astype(np.uint16),
        (np.arange(48, dtype=np.uint16) * 1000).reshape(4, 4, 3),
    ],
    ids=["full", "most", "few pixels", "constant", "black", "white", "two values", "colour"],
)
def test_an_image_that_fills_the_range_or_has_no_contrast_keeps_its_high_byte(image):
    stretch = IntensityStretch()
    for _ in range(3):
        np.testing.assert_array_equal(stretch.to_uint8(image), image >> 8)


@pytest.mark.parametrize(
    "scale, offset",
    [(16, 0), (4, 0), (4, 7000), (2, 29000), (1, 12345), (1, 65535 - 255), (64, 0), (16, 61000)],
)
@pytest.mark.parametrize("shape", [(48, 64), (48, 64, 1), (48, 16, 4)])
def test_a_narrow_range_uses_the_grey_levels(scale, offset, shape):
    image = IntensityStretch().to_uint8((GREY * scale + offset).astype(np.uint16).reshape(shape))
    assert image.dtype == np.uint8 and image.shape == shape
    assert np.ptp(image) > 200
    assert (np.diff(image.ravel().astype(int)) >= 0).all(), "the order of intensities is kept"


def test_noise_is_not_amplified():
    noise = np.random.default_rng(0).integers(7000, 7020, (48, 64)).astype(np.uint16)
    assert np.ptp(IntensityStretch().to_uint8(noise)) <= 20


def test_missing_and_saturated_pixels_do_not_count():
    image = (GREY * 4 + 7000).astype(np.uint16)
    image[:10], image[-2:] = 0, 65535
    stretch = IntensityStretch()
    seen = stretch.to_uint8(image)
    low, high = stretch.range
    assert 6500 < low < 7200 and 7900 < high < 8300
    assert not seen[:10].any() and (seen[-2:] == 255).all()


def test_the_range_is_steady_and_follows_slowly():
    stretch = IntensityStretch()
    cold, warm = (GREY * 4 + 7000).astype(np.uint16), (GREY * 4 + 7400).astype(np.uint16)
    for _ in range(100):
        first = stretch.to_uint8(cold)
    before = stretch.range
    stretch.to_uint8(warm)
    assert 0 < stretch.range[0] - before[0] < 20
    assert np.abs(stretch.to_uint8(cold).astype(int) - first).max() < 10
    for _ in range(500):
        seen = stretch.to_uint8(warm)
    assert abs(stretch.range[0] - before[0] - 400) < 5
    assert np.abs(seen.astype(int) - first).max() <= 2


def test_streams_do_not_share_a_range():
    low, high = (IntensityStretch() for _ in range(2))
    low.to_uint8((GREY + 1000).astype(np.uint16))
    assert high.range is None and str(high) == ""
    high.to_uint8((GREY + 9000).astype(np.uint16))
    assert low.range[1] < 2000 < high.range[0]


def test_a_fixed_range_is_kept():
    stretch = IntensityStretch((1000, 2000))
    assert str(stretch) == ""
    seen = stretch.to_uint8(np.array([[0, 1000, 1500, 2000, 65535]], np.uint16))
    assert seen.tolist() == [[0, 0, 128, 255, 255]]
    assert stretch.range == (1000, 2000) and str(stretch) == "1000..2000"


def test_the_whole_range_may_be_fixed():
    image = (GREY + 1000).astype(np.uint16)
    np.testing.assert_array_equal(IntensityStretch(FULL_RANGE).to_uint8(image), image >> 8)


@hypothesis.given(st.integers(0, 65535), st.integers(1, 16384), st.integers(0, 2**32 - 1))
def test_every_image_is_mapped_in_order(offset, span, seed):
    image = np.minimum(np.random.default_rng(seed).integers(0, span, (12, 16)) + offset, 65535).astype(np.uint16)
    seen = IntensityStretch().to_uint8(image)
    order = np.argsort(image.ravel(), kind="stable")
    assert (np.diff(seen.ravel()[order].astype(int)) >= 0).all()


@pytest.mark.parametrize("text, expected", [("auto", None), ("7000,9000", (7000, 9000)), ("0, 65535", FULL_RANGE)])
def test_a_range_is_parsed(text, expected):
    assert parse_intensity_range(text) == expected


@pytest.mark.parametrize(
    "text, words",
    [
        ("", "''"),
        ("7000", "'7000'"),
        ("7000,8000,9000", "'7000,8000,9000'"),
        ("7000.5,8000", "expected auto"),
        ("9000,7000", "9000 to 7000"),
        ("7000,7000", "7000 to 7000"),
        ("-1,7000", "-1 to 7000"),
        ("0,65536", "0 to 65536"),
    ],
)
def test_a_bad_range_is_refused(text, words):
    with pytest.raises(InvalidSettingError, match=words):
        parse_intensity_range(text)
