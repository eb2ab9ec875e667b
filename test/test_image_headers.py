# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import struct
import zlib

import cv2
import numpy as np
import pytest

from benchmarks import malformed
from siam_tracker_ros import images
from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.image_headers import MAX_PIXELS, check_size, what_is_cut
from siam_tracker_ros.images import decode_bgr

FILES = malformed.files()
READABLE = [name for name in FILES if name not in ("hdr", "pfm", "ras")]
HUGE = 60_000  # pixels of a side; the square of it is above MAX_PIXELS


def put(name, place, layout, *values):
    """A file with numbers written over a part of its header."""
    data = bytearray(FILES[name])
    struct.pack_into(layout, data, place, *values)
    return bytes(data)


def tag_place(number):
    """Where a tag of the TIFF lies."""
    data = FILES["tiff"]
    (place,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, place)
    return next(p for p in range(place + 2, place + 2 + 12 * count, 12) if data[p : p + 2] == struct.pack("<H", number))


def big_tiff(width, height):
    """The head of a BigTIFF in big-endian order."""
    entries = b"".join(struct.pack(">HHQI4x", tag, 4, 1, value) for tag, value in ((256, width), (257, height)))
    return b"MM\0+" + struct.pack(">HHQQ", 8, 0, 16, 2) + entries


HUGE_FILES = {
    "jpg": lambda: put("jpg", FILES["jpg"].index(b"\xff\xc0") + 5, ">HH", HUGE, HUGE),
    "png": lambda: put("png", 16, ">II", 2**31 - 1, 2**31 - 1),
    "bmp": lambda: put("bmp", 18, "<ii", HUGE, -HUGE),
    "ppm": lambda: b"P6\n# a comment\n60000 60000\n255\n" + bytes(100),
    "tiff": lambda: put("tiff", tag_place(256), "<HHII", 256, 4, 1, HUGE * HUGE),
    "tiff, big": lambda: big_tiff(HUGE, HUGE),
    "webp": lambda: b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0" + bytes(4) + 2 * (HUGE - 1).to_bytes(3, "little"),
    "gif": lambda: put("gif", 6, "<HH", HUGE, HUGE),
    "avif": lambda: put("avif", FILES["avif"].index(b"ispe") + 8, ">II", HUGE, HUGE),
    "jp2": lambda: put("jp2", FILES["jp2"].index(b"\xff\x4f\xff\x51") + 8, ">II", HUGE, HUGE),
}


@pytest.mark.parametrize("name", READABLE)
def test_a_picture_of_each_format_passes_and_is_decoded_in_its_size(name):
    check_size(FILES[name], name)
    image = cv2.imdecode(np.frombuffer(FILES[name], np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    if image is None or image.dtype == np.float32:
        pytest.skip("not what a tracker is given")
    assert decode_bgr(FILES[name], name).shape == (*malformed.SIZE_WH[::-1], 3)


@pytest.mark.parametrize("name", [name for name in HUGE_FILES if name.partition(",")[0] in FILES])
def test_an_absurd_size_is_refused_before_anything_is_decoded(name, monkeypatch):
    monkeypatch.setattr(images, "_try_to_decode", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(InvalidInputError, match=rf"^x cannot be decoded: .* \d+ x \d+ pixels .*at most {MAX_PIXELS}"):
        decode_bgr(HUGE_FILES[name](), "x")


def test_a_size_that_so_few_bytes_cannot_hold_is_refused():
    few = put("jpg", FILES["jpg"].index(b"\xff\xc0") + 5, ">HH", 8000, 8000)
    with pytest.raises(
        InvalidInputError, match=rf"JPEG of 8000 x 8000 pixels in {len(few)} bytes, expected a complete"
    ):
        decode_bgr(few, "x")


@pytest.mark.parametrize("kind", ["grey", "1 bit"])
def test_the_most_that_a_png_can_hold_is_decoded(kind):
    """One colour in a large image: 4000 times less than its pixels."""
    image = np.zeros((3000, 4000), np.uint8)
    options = [cv2.IMWRITE_PNG_BILEVEL, 1] if kind == "1 bit" else []
    data = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 9, *options])[1].tobytes()
    assert len(data) < image.size // 500
    assert decode_bgr(data, "x").shape == (3000, 4000, 3)


@pytest.mark.parametrize(
    "data, words",
    [
        (b"", r"it begins with b'', expected a complete image in one of the formats JPEG, PNG, TIFF"),
        (b"\0" * 100, r"it begins with b'\\x00"),
        (FILES["png"][:20], "PNG that states no size"),
        (b"P5 7", "PNM that states no size"),
        (put("png", 16, ">II", 0, 10), "PNG that states no size"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "JPEG that states no size"),
        (b"II*\0\xff\xff\xff\xff", "TIFF that states no size"),
        (b"MM\0+" + b"\xff" * 12, "TIFF that states no size"),
    ],
)
def test_what_is_no_image_is_refused_with_what_was_received(data, words):
    with pytest.raises(InvalidInputError, match=f"^x cannot be decoded: .*{words}"):
        decode_bgr(data, "x")


@pytest.mark.parametrize("kept", [0.3, 0.9, 0.999])
def test_a_png_without_its_end_is_refused(kept):
    data = FILES["png"]
    with pytest.raises(InvalidInputError, match="it is a PNG without its end"):
        decode_bgr(data[: int(len(data) * kept)], "x")
    assert what_is_cut(data) == "" and what_is_cut(data + b"more") == ""


def test_a_png_with_a_comment_of_any_length_is_whole():
    data, comment = FILES["png"], b"tEXt" + b"Comment\0" + b"IEND" * 100
    chunk = struct.pack(">I", len(comment) - 4) + comment + struct.pack(">I", zlib.crc32(comment))
    assert decode_bgr(data[:33] + chunk + data[33:], "x").shape == (*malformed.SIZE_WH[::-1], 3)
