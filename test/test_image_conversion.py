# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import array
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.image_conversion import (
    compressed_to_bgr,
    fill_compressed,
    fill_image,
    image_to_bgr,
    image_to_depth,
)
from siam_tracker_ros.intensity import IntensityStretch

COLOR_BGR = (40, 90, 200)


def solid(height=6, width=8, color_bgr=COLOR_BGR):
    return np.full((height, width, 3), color_bgr, np.uint8)


def ramp(height=6, width=8):
    """An image in which every pixel and channel differs from its neighbours."""
    return np.arange(height * width * 3, dtype=np.uint8).reshape(height, width, 3)


def message(pixels, encoding, width=None, height=None, padding=0, big_endian=False):
    """Build an Image from rows of pixels; `padding` bytes of rubbish follow each row."""
    rows = np.ascontiguousarray(pixels)
    height = rows.shape[0] if height is None else height
    width = rows.shape[1] if width is None else width
    rows = rows.reshape(rows.shape[0], -1).view(np.uint8)
    step = rows.shape[1] + padding
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=255)
    return SimpleNamespace(
        height=height,
        width=width,
        encoding=encoding,
        is_bigendian=int(big_endian),
        step=step,
        data=array.array("B", rows.tobytes()),
    )


def compressed(data, image_format="jpeg"):
    return SimpleNamespace(data=array.array("B", data), format=image_format)


def encoded(extension, image, *options):
    return cv2.imencode(extension, image, options)[1].tobytes()


def bayer(pattern, height=8, width=8):
    """A mosaic of COLOR_BGR as a sensor with this pattern sees it, named by its first four pixels."""
    value = dict(zip("bgr", COLOR_BGR))
    mosaic = np.empty((height, width), np.uint8)
    for i, letter in enumerate(pattern):
        mosaic[i // 2 :: 2, i % 2 :: 2] = value[letter]
    return mosaic


def yuv(order):
    """A mid-grey-ish colour in packed 4:2:2, every other pixel brighter: Y 100, 140, U 110, V 160."""
    sample = {"u": 110, "v": 160}
    luma = iter((100, 140))
    pair = np.array([next(luma) if letter == "y" else sample[letter] for letter in order], np.uint8)
    return np.tile(pair, (4, 4)).reshape(4, 8, 2)


@pytest.mark.parametrize(
    "change, words",
    [
        (dict(height=0), "8 x 0"),
        (dict(width=0), "0 x 6"),
        (dict(step=23), "step is 23 bytes, expected at least 24"),
        (dict(step=0), "step is 0 bytes"),
        (dict(data=array.array("B")), "0 bytes, expected 144"),
        (dict(data=array.array("B", bytes(143))), "143 bytes, expected 144"),
        (dict(height=2**31), "144 bytes, expected"),
        (dict(encoding="rgba8"), "step is 24 bytes, expected at least 32"),
    ],
)
def test_a_message_that_contradicts_itself_is_refused(change, words):
    msg = message(ramp(), "bgr8")
    vars(msg).update(change)
    with pytest.raises(InvalidInputError, match=words):
        image_to_bgr(msg)


@pytest.mark.parametrize("encoding", ["", "BGR8", "32FC1", "nv16", "rubbish"])
def test_an_unknown_encoding_is_refused_with_the_list_of_known_ones(encoding):
    with pytest.raises(InvalidInputError, match=f"'{encoding}'.*bayer_bggr8.*yuv422_yuy2.*cv_bridge"):
        image_to_bgr(message(ramp(), encoding))


@pytest.mark.parametrize(
    "encoding, shape",
    [
        ("yuv422", (4, 7, 2)),
        ("yuv422_yuy2", (4, 7, 2)),
        ("nv12", (9, 8)),
        ("nv12", (6, 7)),
        ("nv21", (9, 8)),
        ("nv21", (6, 7)),
    ],
)
def test_odd_sides_are_refused_where_colour_is_shared_between_pixels(encoding, shape):
    height = 5 if shape == (9, 8) else 4
    with pytest.raises(InvalidInputError, match="even sides"):
        image_to_bgr(message(np.zeros(shape, np.uint8), encoding, height=height))


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize(
    "encoding, from_bgr",
    [
        ("bgr8", lambda image: image),
        ("8UC3", lambda image: image),
        ("rgb8", lambda image: image[..., ::-1]),
        ("bgra8", lambda image: np.dstack([image, image[..., 0]])),
        ("8UC4", lambda image: np.dstack([image, image[..., 0]])),
        ("rgba8", lambda image: np.dstack([image[..., ::-1], image[..., 0]])),
    ],
)
def test_colour_encodings_are_exact(encoding, from_bgr, padding):
    image = image_to_bgr(message(from_bgr(ramp()), encoding, padding=padding))
    np.testing.assert_array_equal(image, ramp())


@pytest.mark.parametrize("encoding", ["mono8", "8UC1"])
@pytest.mark.parametrize("padding", [0, 3])
def test_grey_becomes_three_equal_channels(encoding, padding):
    grey = ramp()[..., 0]
    image = image_to_bgr(message(grey, encoding, padding=padding))
    np.testing.assert_array_equal(image, np.dstack([grey] * 3))


@pytest.mark.parametrize("encoding", ["mono16", "16UC1"])
@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize("padding", [0, 4])
def test_sixteen_bit_grey_keeps_the_high_byte(encoding, big_endian, padding):
    grey = np.array([[0x0000, 0x00FF, 0x0100], [0x7FFF, 0x8000, 0xFFFF]])
    stored = grey.astype(">u2" if big_endian else "<u2")
    image = image_to_bgr(message(stored, encoding, width=3, padding=padding, big_endian=big_endian))
    np.testing.assert_array_equal(image, np.dstack([grey >> 8] * 3))


@pytest.mark.parametrize("big_endian", [False, True])
def test_sixteen_bit_colour_keeps_the_high_byte(big_endian):
    stored = (ramp()[..., ::-1].astype(np.uint16) * 256 + 17).astype(">u2" if big_endian else "<u2")
    np.testing.assert_array_equal(image_to_bgr(message(stored, "rgb16", width=8, big_endian=big_endian)), ramp())


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
@pytest.mark.parametrize("padding", [0, 2])
def test_bayer_patterns_are_named_by_their_first_four_pixels(pattern, padding):
    image = image_to_bgr(message(bayer(pattern), f"bayer_{pattern}8", padding=padding))
    np.testing.assert_array_equal(image, solid(8, 8))


def test_bayer_of_sixteen_bits():
    stored = (bayer("grbg").astype(np.uint16) * 256).astype("<u2")
    np.testing.assert_array_equal(image_to_bgr(message(stored, "bayer_grbg16", width=8)), solid(8, 8))


@pytest.mark.parametrize("padding", [0, 6])
@pytest.mark.parametrize(
    "encoding, order",
    [
        ("yuv422", "uyvy"),
        ("uyvy", "uyvy"),
        ("yuv422_yuy2", "yuyv"),
        ("yuyv", "yuyv"),
    ],
)
def test_packed_yuv(encoding, order, padding):
    image = image_to_bgr(message(yuv(order), encoding, padding=padding)).astype(int)
    # BT.601, video range: R = 1.164 (Y - 16) + 1.596 (V - 128), and so on.
    for column, luma in ((0, 100), (1, 140)):
        grey = 1.164 * (luma - 16)
        expected = (
            grey + 2.018 * (110 - 128),
            grey - 0.813 * (160 - 128) - 0.391 * (110 - 128),
            grey + 1.596 * 32,
        )
        np.testing.assert_allclose(image[:, column::2], np.broadcast_to(expected, (4, 4, 3)), atol=2)


@pytest.mark.parametrize("padding", [0, 8])
@pytest.mark.parametrize("encoding, u_column", [("nv12", 0), ("nv21", 1)])
def test_nv12_and_nv21_have_half_as_many_rows_of_colour(encoding, u_column, padding):
    height, width = 4, 6
    rows = np.full((height * 3 // 2, width), 120, np.uint8)
    rows[height:, u_column::2], rows[height:, 1 - u_column :: 2] = 90, 180
    image = image_to_bgr(message(rows, encoding, height=height, padding=padding))
    assert image.shape == (height, width, 3)
    grey = 1.164 * (120 - 16)
    expected = (grey + 2.018 * (90 - 128), grey - 0.813 * (180 - 128) - 0.391 * (90 - 128), grey + 1.596 * 52)
    np.testing.assert_allclose(image.astype(int), np.broadcast_to(expected, image.shape), atol=2)


@pytest.mark.parametrize("padding", [0, 7])
def test_nv24_has_a_colour_for_every_pixel(padding):
    height, width = 5, 7
    rng = np.random.default_rng(0)
    luma, u, v = (rng.integers(low, high, (height, width)) for low, high in ((60, 200), (90, 160), (90, 160)))
    planes = np.full((3 * height, width + padding), 255, np.uint8)
    planes[:height, :width] = luma
    colour = planes[height:].reshape(height, -1)
    colour[:, 0 : 2 * width : 2], colour[:, 1 : 2 * width : 2] = u, v
    msg = message(planes, "nv24", width=width, height=height)
    grey = 1.164 * (luma - 16.0)
    expected = [grey + 2.018 * (u - 128), grey - 0.813 * (v - 128) - 0.391 * (u - 128), grey + 1.596 * (v - 128)]
    np.testing.assert_allclose(image_to_bgr(msg), np.dstack(expected).clip(0, 255), atol=1)


@pytest.mark.parametrize("padding", [0, 5])
def test_bgr8_is_a_view_of_the_message(padding):
    msg = message(ramp(), "bgr8", padding=padding)
    assert np.shares_memory(image_to_bgr(msg), np.frombuffer(msg.data, np.uint8))


def test_one_pixel():
    np.testing.assert_array_equal(image_to_bgr(message(solid(1, 1), "bgr8")), solid(1, 1))


def test_data_after_the_last_row_is_ignored():
    msg = message(ramp(), "bgr8")
    msg.data.extend(b"tail")
    np.testing.assert_array_equal(image_to_bgr(msg), ramp())


def test_cv_bridge_takes_what_is_left_where_it_is_installed(monkeypatch):
    class CvBridge:
        def imgmsg_to_cv2(self, msg, encoding):
            if msg.encoding != "32FC3":
                raise RuntimeError("Unrecognized image encoding")
            assert encoding == "bgr8"
            return solid()

    monkeypatch.setitem(__import__("sys").modules, "cv_bridge", SimpleNamespace(CvBridge=CvBridge))
    np.testing.assert_array_equal(image_to_bgr(message(ramp(), "32FC3")), solid())
    with pytest.raises(InvalidInputError, match="'rubbish'.*Unrecognized image encoding"):
        image_to_bgr(message(ramp(), "rubbish"))


@pytest.mark.parametrize("extension, tolerance", [(".png", 0), (".jpg", 3)])
def test_compressed_images(extension, tolerance):
    image = compressed_to_bgr(compressed(encoded(extension, solid(32, 48))))
    assert image.shape == (32, 48, 3)
    np.testing.assert_allclose(image.astype(int), solid(32, 48).astype(int), atol=tolerance)


@pytest.mark.parametrize("image", [np.full((8, 8), 70, np.uint8), np.full((8, 8), 70 * 256 + 9, np.uint16)])
def test_a_compressed_grey_image_becomes_three_channels_of_eight_bits(image):
    np.testing.assert_array_equal(compressed_to_bgr(compressed(encoded(".png", image), "png")), solid(8, 8, (70,) * 3))


GREY = np.linspace(0, 255, 64).reshape(8, 8).round().astype(np.uint16)


@pytest.mark.parametrize(
    "make",
    [
        lambda grey, stretch: image_to_bgr(message(grey, "mono16", width=8), stretch),
        lambda grey, stretch: image_to_bgr(message(grey.astype(">u2"), "16UC1", width=8, big_endian=True), stretch),
        lambda grey, stretch: image_to_bgr(message(grey, "mono16", width=8, padding=6), stretch),
        lambda grey, stretch: image_to_bgr(message(np.dstack([grey] * 3), "rgb16", width=8), stretch),
        lambda grey, stretch: compressed_to_bgr(compressed(encoded(".png", grey), "mono16; png compressed "), stretch),
        lambda grey, stretch: compressed_to_bgr(compressed(encoded(".tiff", grey), "16UC1; tiff compressed "), stretch),
    ],
    ids=["mono16", "16UC1", "padded", "rgb16", "png", "tiff"],
)
@pytest.mark.parametrize("stretch", [None, IntensityStretch(), IntensityStretch((7000, 8020))])
def test_sixteen_bits_of_a_narrow_range_are_stretched(make, stretch):
    image = make(4 * GREY + 7000, stretch)
    assert image.shape == (8, 8, 3) and image.dtype == np.uint8
    assert np.ptp(image) > 200 and (np.diff(image[..., 0].ravel().astype(int)) >= 0).all()


def test_a_narrow_bayer_image_of_sixteen_bits_keeps_its_colours_apart():
    stored = (bayer("grbg").astype(np.uint16) * 4 + 7000).astype("<u2")
    blue, green, red = image_to_bgr(message(stored, "bayer_grbg16", width=8))[4, 4].astype(int)
    assert red - green > 60 and green - blue > 20


RGB = np.ascontiguousarray(solid(32, 48)[..., ::-1])


@pytest.mark.parametrize(
    "image_format, extension, stored",
    [
        ("jpeg", ".jpg", solid(32, 48)),
        ("png", ".png", solid(32, 48)),
        ("jpg; rgb", ".jpg", solid(32, 48)),
        ("", ".jpg", solid(32, 48)),
        ("bgr8; jpeg compressed bgr8", ".jpg", solid(32, 48)),
        ("rgb8; jpeg compressed bgr8", ".jpg", solid(32, 48)),
        ("rgb8;jpeg compressed bgr8", ".jpg", solid(32, 48)),
        ("rgb8; jpeg compressed rgb8", ".jpg", RGB),
        ("bgr8; jpeg compressed rgb8", ".jpg", RGB),
        ("RGB8; JPEG compressed RGB8", ".jpg", RGB),
        ("rgb8; jpeg compressed ", ".jpg", RGB),
        ("rgb8; png compressed bgr8", ".png", solid(32, 48)),
        ("rgb16; png compressed bgr16", ".png", solid(32, 48).astype(np.uint16) * 257),
        ("rgba8; png compressed bgra8", ".png", np.dstack([solid(32, 48), RGB[..., 0]])),
        ("rgb8; tiff compressed ", ".tiff", RGB),
        ("rgb8; tiff compressed", ".tiff", RGB),
        ("rgb16; tiff compressed ", ".tiff", RGB.astype(np.uint16) * 257),
        ("rgba8; tiff compressed ", ".tiff", np.dstack([RGB, RGB[..., 0]])),
        ("bgr8; tiff compressed ", ".tiff", solid(32, 48)),
        ("bgra8; tiff compressed ", ".tiff", np.dstack([solid(32, 48), RGB[..., 0]])),
        ("yuv422; jpeg compressed bgr8", ".jpg", solid(32, 48)),
        ("bayer_rggb8; jpeg compressed bgr8", ".jpg", solid(32, 48)),
        ("bayer_rggb8; png compressed ", ".png", bayer("rggb", 32, 48)),
        ("bayer_gbrg16; tiff compressed ", ".tiff", bayer("gbrg", 32, 48).astype(np.uint16) * 256),
    ],
)
def test_the_format_says_in_which_order_colours_were_compressed(image_format, extension, stored):
    image = compressed_to_bgr(compressed(encoded(extension, stored), image_format))
    np.testing.assert_allclose(image.astype(int), solid(32, 48).astype(int), atol=3)


NOISE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
JPEG = encoded(".jpg", NOISE)
PROGRESSIVE = encoded(".jpg", NOISE, cv2.IMWRITE_JPEG_PROGRESSIVE, 1)


@pytest.mark.parametrize(
    "data, image_format, words",
    [
        (b"", "jpeg", "no data"),
        (b"rubbish", "jpeg", "cannot be decoded"),
        (b"\xff\xd8", "jpeg", "cannot be decoded"),
        (JPEG[: len(JPEG) // 2], "jpeg", "without its end"),
        (JPEG[:-2], "jpeg", "without its end"),
        (PROGRESSIVE[: len(PROGRESSIVE) // 2], "jpeg", "without its end"),
        (bytes(200) + JPEG[200:], "jpeg", "cannot be decoded"),
        (JPEG[:20] + bytes(400) + JPEG[420:], "jpeg", "cannot be decoded"),
        (b"\x00" * 12 + encoded(".png", NOISE), "16UC1; compressedDepth png", "depth image"),
    ],
)
def test_a_compressed_image_that_is_damaged_is_refused(data, image_format, words):
    with pytest.raises(InvalidInputError, match=words) as error:
        compressed_to_bgr(compressed(data, image_format))
    assert f"{len(data)} bytes" in str(error.value)


@pytest.mark.parametrize("tail", [b"", bytes(64), b"\x12\x34"])
@pytest.mark.parametrize("jpeg", [JPEG, PROGRESSIVE])
def test_rubbish_after_a_jpeg_does_no_harm(jpeg, tail):
    np.testing.assert_array_equal(compressed_to_bgr(compressed(jpeg + tail)), compressed_to_bgr(compressed(jpeg)))


@pytest.mark.parametrize(
    "image, encoding, step",
    [
        (ramp(), "bgr8", 24),
        (ramp()[..., 0], "mono8", 8),
        (ramp()[::2, ::2], "bgr8", 12),
    ],
)
def test_fill_image(image, encoding, step):
    header = object()
    msg = fill_image(SimpleNamespace(data=array.array("B")), image, encoding, header)
    assert (msg.height, msg.width, msg.encoding, msg.step) == (*image.shape[:2], encoding, step)
    assert msg.header is header and msg.is_bigendian == 0
    assert bytes(msg.data) == image.tobytes()


@pytest.mark.parametrize(
    "image, encoding",
    [
        (ramp(), "mono8"),
        (ramp()[..., 0], "bgr8"),
        (ramp().astype(float), "bgr8"),
        (ramp()[..., :2], "bgr8"),
    ],
)
def test_fill_image_refuses_the_wrong_shape(image, encoding):
    with pytest.raises(ValueError):
        fill_image(SimpleNamespace(data=array.array("B")), image, encoding, None)


@pytest.mark.parametrize(
    "image, encoding, image_format, exact",
    [
        (solid(32, 48), "bgr8", "bgr8; jpeg compressed bgr8", False),
        (ramp()[::2, ::2, 0], "mono8", "mono8; png compressed ", True),
    ],
)
def test_fill_compressed(image, encoding, image_format, exact):
    header = object()
    msg = fill_compressed(SimpleNamespace(data=array.array("B")), image, encoding, header, 90)
    assert msg.header is header and msg.format == image_format
    decoded = compressed_to_bgr(msg).astype(int)
    difference = np.abs(decoded - (image if image.ndim == 3 else image[..., None])).max()
    assert difference == 0 if exact else difference < 8


@pytest.mark.parametrize("padding", [0, 6])
@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize("encoding, kind, unit_m", [("16UC1", "u2", 1e-3), ("mono16", "u2", 1e-3), ("32FC1", "f4", 1)])
def test_depths_have_the_unit_of_their_encoding(encoding, kind, unit_m, big_endian, padding):
    metres = np.array([[0.0, 0.5, 1.25], [2.0, 40.0, 65.0]])
    stored = (metres / unit_m).astype((">" if big_endian else "<") + kind)
    depth = image_to_depth(message(stored, encoding, width=3, padding=padding, big_endian=big_endian))
    np.testing.assert_array_equal(depth.values * depth.unit_m, metres)


@pytest.mark.parametrize(
    "change, words",
    [
        (dict(encoding="bgr8"), "the encoding of the depth image is 'bgr8', expected 16UC1 .* or 32FC1"),
        (dict(encoding=""), "the encoding of the depth image is ''"),
        (dict(step=3), "image step is 3 bytes, expected at least 16"),
        (dict(height=600), "image has 96 bytes, expected 9600"),
    ],
)
def test_what_is_no_depth_image_is_refused(change, words):
    msg = message(np.ones((6, 8), np.uint16), "16UC1")
    vars(msg).update(change)
    with pytest.raises(InvalidInputError, match=words):
        image_to_depth(msg)
