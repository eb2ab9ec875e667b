# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0

import io
import pathlib
import random
import struct

import cv2
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.images import (
    decode_bgr,
    decode_image,
    in_frame_order,
    list_images,
    read_image_bgr,
    read_labelled_bgr,
)

PICTURE = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8), (0, 0), 2)
PICTURE[:6, :6] = 20, 40, 230  # the upper left corner is red


def encoded(extension, image=PICTURE, *options):
    return cv2.imencode(extension, image, options)[1].tobytes()


def segment(marker, body):
    return b"\xff" + marker + struct.pack(">H", len(body) + 2) + body


def tagged(jpeg, orientation):
    """The JPEG with an orientation tag."""
    tag = struct.pack(">HHHIHH", 1, 0x0112, 3, 1, orientation, 0)
    return jpeg[:2] + segment(b"\xe1", b"Exif\0\0MM\0*" + struct.pack(">I", 8) + tag + bytes(4)) + jpeg[2:]


def with_preview(jpeg):
    """The JPEG with a whole, smaller JPEG inside of a segment, as cameras write it."""
    return jpeg[:2] + segment(b"\xe2", encoded(".jpg", PICTURE[::2, ::2].copy())) + jpeg[2:]


JPEG = encoded(".jpg")
PROGRESSIVE = encoded(".jpg", PICTURE, cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
RESTARTS = encoded(".jpg", PICTURE, cv2.IMWRITE_JPEG_RST_INTERVAL, 1)


@pytest.mark.parametrize(
    "stems",
    [
        ["12.05", "12.4", "12.5"],
        ["12", "12.05", "12.4", "13"],
        ["12.25", "12.5"],
        ["frame_9.5", "frame_10.25", "frame_10.5"],
        ["1700000000.0", "1700000000.0333", "1700000000.1", "1700000000.1333"],
        ["1305031102.175304", "1305031102.211214"],
        ["100.0", "100.50000000", "100.100000000", "101.0"],  # nanoseconds that are not padded
        ["100.050000000", "100.100000000"],
        ["1.8", "1.9", "1.10", "1.11"],  # a number of a scene and one of a frame
        ["1.1", "1.5", "1.9", "1.13", "1.17", "1.21", "2.1", "2.5"],  # every fourth frame of two scenes
        ["12.125", "12.25", "12.375", "12.5", "12.625", "12.75"],
        ["a1.05", "a1.4", "b1.05", "b1.5"],
        ["1", "2", "10"],
        ["12.05", "12.4", "extra"],
        ["left", "right"],
    ],
)
def test_names_with_numbers_are_in_the_order_of_time(stems):
    paths = [pathlib.Path(f"{stem}.png") for stem in stems]
    shuffled = random.Random(0).sample(paths, len(paths))
    assert in_frame_order(shuffled) == in_frame_order(reversed(paths)) == paths


@hypothesis.given(
    st.integers(0, 2**31), st.sampled_from([0.01, 0.02, 1 / 30, 0.04, 0.05, 0.1, 0.25]), st.integers(2, 5)
)
def test_times_as_python_writes_them_are_in_order(start, step, digits):
    times = sorted({round(start + i * step, digits) for i in range(120)})
    paths = [pathlib.Path(f"{time}.jpg") for time in times]
    assert in_frame_order(reversed(paths)) == paths


def test_what_is_no_frame_is_not_listed(tmp_path):
    for name in ("2.jpg", "10.JPG", "3.PnG", "._2.jpg", ".DS_Store", "Thumbs.db", "desktop.ini", ".hidden.png"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "4.png").mkdir()
    assert [path.name for path in list_images(tmp_path)] == ["2.jpg", "3.PnG", "10.JPG"]


def test_a_name_that_is_not_utf_8_is_read(tmp_path):
    path = tmp_path / b"caf\xe9.png".decode("utf-8", "surrogateescape")
    path.write_bytes(encoded(".png"))
    (listed,) = list_images(tmp_path)
    np.testing.assert_array_equal(read_image_bgr(listed), PICTURE)


@pytest.mark.parametrize("make", [lambda jpeg: jpeg, with_preview], ids=["plain", "preview"])
@pytest.mark.parametrize("jpeg", [JPEG, PROGRESSIVE, RESTARTS], ids=["baseline", "progressive", "restarts"])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.8, 0.99])
def test_a_jpeg_that_is_cut_short_is_refused_and_named(jpeg, make, share):
    head = len(make(jpeg)) - len(jpeg)
    cut = make(jpeg)[: head + int(share * len(jpeg))]
    with pytest.raises(InvalidInputError, match="a.jpg cannot be decoded.*complete"):
        decode_bgr(cut, "a.jpg")


@pytest.mark.parametrize("extension", [".bmp", ".png", ".ppm", ".tiff", ".webp"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_every_image_that_is_cut_short_is_refused(extension, share):
    content = encoded(extension)
    with pytest.raises(InvalidInputError, match="cannot be decoded"):
        decode_bgr(content[: int(share * len(content))], "it")


@pytest.mark.parametrize("tail", [b"", bytes(7), b"\xff\xda\x12\x34", b"rubbish\xff\xd9\xff\xda" * 9])
@pytest.mark.parametrize("jpeg", [JPEG, PROGRESSIVE, RESTARTS, with_preview(JPEG)])
def test_what_follows_a_whole_jpeg_does_no_harm(jpeg, tail):
    np.testing.assert_array_equal(decode_bgr(jpeg + tail, "it"), decode_bgr(jpeg, "it"))


def is_red(pixel_bgr):
    return np.abs(pixel_bgr.astype(int) - (20, 40, 230)).max() < 40


CORNERS = {1: (2, 2), 2: (2, -3), 3: (-3, -3), 4: (-3, 2), 5: (2, 2), 6: (2, -3), 7: (-3, -3), 8: (-3, 2)}


@pytest.mark.parametrize("orientation, corner", CORNERS.items())
def test_a_jpeg_is_turned_by_its_tag_unless_its_labels_fit_as_it_is_stored(orientation, corner, tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(tagged(JPEG, orientation))
    turned = read_image_bgr(path)
    assert turned.shape == ((24, 32, 3) if orientation < 5 else (32, 24, 3)) and is_red(turned[corner])
    stored = read_image_bgr(path, size_wh=(32, 24))
    assert stored.shape == (24, 32, 3) and is_red(stored[2, 2])
    if orientation > 4:
        np.testing.assert_array_equal(read_image_bgr(path, size_wh=(24, 32)), turned)


@pytest.mark.parametrize("size_wh", [(24, 32), (64, 48), (32, 25)])
def test_an_image_of_another_size_than_its_labels_is_refused(size_wh, tmp_path):
    (tmp_path / "a.jpg").write_bytes(JPEG)
    with pytest.raises(InvalidInputError, match=r"a.jpg has 32 x 24 pixels, expected {} x {}".format(*size_wh)):
        read_labelled_bgr(tmp_path / "a.jpg", size_wh)


@pytest.mark.parametrize("orientation, corner", CORNERS.items())
def test_a_tiff_is_turned_by_its_tag(orientation, corner, tmp_path):
    images = pytest.importorskip("PIL.Image")
    file = io.BytesIO()
    images.fromarray(PICTURE[..., ::-1]).save(file, "TIFF", tiffinfo={274: orientation})
    (tmp_path / "a.tiff").write_bytes(file.getvalue())
    image = read_image_bgr(tmp_path / "a.tiff")
    assert image.shape == ((24, 32, 3) if orientation < 5 else (32, 24, 3)) and is_red(image[corner])


@pytest.mark.parametrize("shape", [(24, 32), (24, 32, 3)])
def test_an_image_of_other_pixels_is_refused_for_what_it_is(shape):
    celsius = np.linspace(20, 40, np.prod(shape)).reshape(shape).astype(np.float32)
    with pytest.raises(InvalidInputError, match="a.tiff .*pixels .*float32, expected .*8 or 16 bits"):
        decode_bgr(encoded(".tiff", celsius), "a.tiff")


@pytest.mark.parametrize("buffer", [bytes, bytearray, memoryview, lambda content: np.frombuffer(content, np.uint8)])
def test_any_buffer_is_decoded(buffer):
    np.testing.assert_array_equal(decode_image(buffer(encoded(".png")), "it"), PICTURE)


def test_a_missing_image_is_named(tmp_path):
    with pytest.raises(InvalidInputError, match="nowhere.png cannot be read"):
        read_image_bgr(tmp_path / "nowhere.png")
