# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What an image file states of itself: its format, its size, and whether it is complete. Nothing is decoded.

A decoder allocates what the file states, before it finds out that the file is damaged.
"""

import math
import re
import struct
from collections.abc import Callable, Iterator

from siam_tracker_ros.errors import InvalidInputError

MAX_PIXELS = 200_000_000
"""Pixels of an image that is decoded; more than cameras have."""

_JPEG_MARKER = re.compile(rb"\xff([\x02-\xcf\xd8-\xfe])")  # one with a segment; no stuffed 0xFF, no restart
_JPEG_SCAN, _JPEG_END = 0xDA, 0xD9
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # which state the size
_PNM = re.compile(rb"P[1-6](?:\s|#[^\n]*\n)+(\d{1,20})(?:\s|#[^\n]*\n)+(\d{1,20})")
_WIDTH, _HEIGHT, _PHOTOMETRIC, _TILE_WIDTH, _TILE_HEIGHT = 256, 257, 262, 322, 323  # tags of TIFF
_TIFF_VALUES = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 16: "Q", 17: "q"}  # by their types

_MOST_PIXELS_PER_BYTE = {
    "JPEG": 512,  # a block of 8 x 8 pixels takes a bit or more
    "PNG": 8 * 1032,  # by which deflate compresses at most
}

Size = tuple[int, int]
Content = bytes | bytearray | memoryview


def check_size(content: Content, source: object) -> None:
    """Check that an image can be decoded in the memory that cameras need.

    Args:
        content: the file.
        source: what the message of an error names.

    Raises:
        InvalidInputError: it is of no format that is known here, states no size, or more pixels than MAX_PIXELS or than
            a file of its length can hold.
    """
    name = _format(content)
    if name is None:
        raise InvalidInputError(
            f"{source} cannot be decoded: it begins with {bytes(content[:8])!r}, expected a complete image in one of "
            f"the formats {', '.join(_SIZES)}; copy, unpack or send it again"
        )
    try:
        width, height = _SIZES[name](content)
    except (struct.error, ValueError, IndexError, OverflowError):  # cut off, or a place far beyond the end
        width = height = 0
    if width < 1 or height < 1:
        raise InvalidInputError(
            f"{source} cannot be decoded: it is a {name} that states no size, expected a complete image; copy, unpack "
            "or send it again"
        )
    if width * height > min(MAX_PIXELS, len(content) * _MOST_PIXELS_PER_BYTE.get(name, MAX_PIXELS)):
        raise InvalidInputError(
            f"{source} cannot be decoded: it is a {name} of {width} x {height} pixels in {len(content)} bytes, "
            f"expected a complete image of at most {MAX_PIXELS}; copy, unpack or send it again"
        )


def what_is_cut(content: Content) -> str:
    """Return the format of a JPEG or PNG of which the end is missing, "" for other files."""
    name = _format(content)
    is_cut = (name == "JPEG" and _is_cut_jpeg(content)) or (name == "PNG" and _is_cut_png(content))
    return name if name and is_cut else ""


def is_white_at_zero(content: Content) -> bool:
    """Whether it is a TIFF in which 0 means white: its PhotometricInterpretation is 0."""
    if _format(content) != "TIFF":
        return False
    try:
        return any(tag == _PHOTOMETRIC and value == 0 for tag, value in _tiff_tags(content))
    except (struct.error, OverflowError):  # beyond the end
        return False


def _format(content: Content) -> str | None:
    start = bytes(content[:12])
    return next((name for name, signature in _SIGNATURES.items() if signature.match(start)), None)


def _jpeg_markers(content: Content) -> Iterator[tuple[int, int]]:
    """Yield the markers of a JPEG and where each ends; what lies in a segment, such as a preview, is passed over."""
    place = 2
    while (marker := _JPEG_MARKER.search(content, place)) is not None:
        yield marker[1][0], marker.end()
        place = marker.end() + int.from_bytes(content[marker.end() : marker.end() + 2], "big")


def _is_cut_jpeg(content: Content) -> bool:
    if bytes(content[-2:]) == bytes((0xFF, _JPEG_END)):
        return False
    scanned = False
    for marker, _ in _jpeg_markers(content):
        if marker == _JPEG_END and scanned:
            return False
        scanned = scanned or marker == _JPEG_SCAN
    return scanned


def _is_cut_png(content: Content) -> bool:
    """Whether a chunk reaches beyond the end, for which OpenCV takes memory, or the last one is missing."""
    place = 8
    while place + 12 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, place)
        place += 12 + length
        if kind == b"IEND":
            return place > len(content)
    return True


def _jpeg_size(content: Content) -> Size:
    for marker, place in _jpeg_markers(content):
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", content, place + 3)
            return width, height
        if marker == _JPEG_SCAN:
            break
    return 0, 0


def _tiff_tags(content: Content) -> Iterator[tuple[int, int]]:
    """Yield tag and value of the numbers in the first directory of a TIFF or BigTIFF."""
    order = "<" if bytes(content[:1]) == b"I" else ">"
    is_big = content[2] + content[3] == 43
    offset, entries, entry = ("Q", "Q", "HHQ") if is_big else ("I", "H", "HHI")
    (place,) = struct.unpack_from(order + offset, content, 8 if is_big else 4)
    (count,) = struct.unpack_from(order + entries, content, place)
    place += struct.calcsize(order + entries)
    before, after = struct.calcsize(order + entry), struct.calcsize(order + offset)
    for _ in range(min(count, 65535)):
        tag, kind, length = struct.unpack_from(order + entry, content, place)
        if kind in _TIFF_VALUES and length == 1:
            yield tag, struct.unpack_from(order + _TIFF_VALUES[kind], content, place + before)[0]
        place += before + after


def _tiff_size(content: Content) -> Size:
    tags = list(_tiff_tags(content))
    width, height, tile_width, tile_height = (
        max((value for tag, value in tags if tag == wanted), default=0)
        for wanted in (_WIDTH, _HEIGHT, _TILE_WIDTH, _TILE_HEIGHT)
    )
    return (max(width, tile_width), max(height, tile_height)) if width and height else (0, 0)


def _bmp_size(content: Content) -> Size:
    is_old = struct.unpack_from("<I", content, 14) == (12,)
    width, height = struct.unpack_from("<HH" if is_old else "<ii", content, 18)
    return width, abs(height)  # negative: from the top down


def _pnm_size(content: Content) -> Size:
    stated = _PNM.match(content)
    return (0, 0) if stated is None else (int(stated[1]), int(stated[2]))


def _webp_size(content: Content) -> Size:
    kind = bytes(content[12:16])
    if kind == b"VP8X":
        width, height = (int.from_bytes(content[place : place + 3], "little") for place in (24, 27))
        return width + 1, height + 1
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", content, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", content, 26)
        return width & 0x3FFF, height & 0x3FFF
    return 0, 0


def _avif_size(content: Content) -> Size:
    """Return the largest size that the properties in the box `meta` state."""
    data = bytes(content)
    start = data.index(b"meta")
    end = start - 4 + int.from_bytes(data[start - 4 : start], "big")
    properties = re.finditer(b"ispe", data[start:end])
    sizes = [struct.unpack_from(">II", data, start + found.end() + 4) for found in properties]
    return max(sizes, key=math.prod, default=(0, 0))


def _jpeg2000_size(content: Content) -> Size:
    place = bytes(content).index(b"\xff\x4f\xff\x51") + 8  # the codestream; what is around it may state another size
    right, bottom, left, top = struct.unpack_from(">4I", content, place)
    return right - left, bottom - top


def _png_size(content: Content) -> Size:
    return struct.unpack_from(">II", content, 16)


def _gif_size(content: Content) -> Size:
    return struct.unpack_from("<HH", content, 6)


_SIGNATURES = {
    "JPEG": re.compile(rb"\xff\xd8"),
    "PNG": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "TIFF": re.compile(rb"II[*+]\0|MM\0[*+]"),
    "WebP": re.compile(rb"RIFF....WEBP", re.DOTALL),
    "BMP": re.compile(rb"BM"),
    "PNM": re.compile(rb"P[1-6]\s"),
    "AVIF": re.compile(rb"....ftyp", re.DOTALL),
    "JPEG 2000": re.compile(rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51"),
    "GIF": re.compile(rb"GIF8"),
}
_SIZES: dict[str, Callable[[Content], Size]] = {
    "JPEG": _jpeg_size,
    "PNG": _png_size,
    "TIFF": _tiff_size,
    "WebP": _webp_size,
    "BMP": _bmp_size,
    "PNM": _pnm_size,
    "AVIF": _avif_size,
    "JPEG 2000": _jpeg2000_size,
    "GIF": _gif_size,
}
