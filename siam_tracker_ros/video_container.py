# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a video file is as long as its container says, since OpenCV ends a file that was cut off without an error."""

import os
import typing
from pathlib import Path

_MP4 = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")  # types of the first box
_AVI, _MATROSKA, _MATROSKA_SEGMENT = b"RIFF", b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"


def is_mp4(path: Path) -> bool:
    """Whether a file is an MP4 or MOV file."""
    with path.open("rb") as file:
        return _read(file, 4, 4) in _MP4


def is_cut_off(path: Path) -> bool:
    """Whether an AVI, MP4, MOV, Matroska or WebM file is shorter than it says; False for other files."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        start = _read(file, 0, 8)
        if start[:4] == _AVI:
            return 8 + int.from_bytes(start[4:], "little") > size
        if start[:4] == _MATROSKA:
            return _matroska_end(file) > size
        return start[4:] in _MP4 and _mp4_end(file, size) > size


def _mp4_end(file: typing.BinaryIO, size: int) -> int:
    """Return where the last box ends that begins in the file."""
    place = 0
    while place < size:
        header = _read(file, place, 16)
        length = int.from_bytes(header[:4], "big")
        if length == 1:
            length = int.from_bytes(header[8:], "big")
        if length < 8:  # 0: up to the end of the file
            return size
        place += length
    return place


def _matroska_end(file: typing.BinaryIO) -> int:
    """Return where the segment with all frames ends; 0 if it does not say."""
    size, place = _element_size(file, 4)
    place += size
    if _read(file, place, 4) != _MATROSKA_SEGMENT:
        return 0
    size, place = _element_size(file, place + 4)
    return place + size if size else 0


def _element_size(file: typing.BinaryIO, place: int) -> tuple[int, int]:
    """Return the size in bytes that is written at a place, 0 if it is left open, and the place behind it."""
    first = _read(file, place, 1)
    if not first or not first[0]:
        return 0, place
    width = 9 - first[0].bit_length()  # of the number in bytes, by its leading zeros
    value = int.from_bytes(_read(file, place, width), "big") & ((1 << 7 * width) - 1)
    return (0 if value == (1 << 7 * width) - 1 else value), place + width


def _read(file: typing.BinaryIO, place: int, count: int) -> bytes:
    file.seek(place)
    return file.read(count)
