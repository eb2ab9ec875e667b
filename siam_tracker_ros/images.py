# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Image files: which files of a folder are frames, in which order, and decoding them.

Every reader lists and decodes images here, so that all of them accept and refuse the same files.
"""

import re
import typing
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np

from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.image_headers import check_size, is_white_at_zero, what_is_cut
from siam_tracker_ros.intensity import IntensityStretch

IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})

_DECIMAL_END = re.compile(r"(.*[0-9])\.([0-9]+)")


def is_hidden(name: str) -> bool:
    """Whether a file or folder is no part of the data by its name, such as .DS_Store, or ._0001.jpg of a Mac's copy."""
    return name.startswith(".")


def is_hidden_below(path: Path, folder: Path) -> bool:
    """Whether a path in a folder is hidden, or lies in a hidden folder there."""
    return any(map(is_hidden, path.relative_to(folder).parts))


def find(folder: Path, pattern: str) -> Iterator[Path]:
    """Yield what matches a pattern of Path.glob in a folder and is not hidden there."""
    return (path for path in folder.glob(pattern) if not is_hidden_below(path, folder))


def list_images(folder: str | Path) -> list[Path]:
    """Return the images of a folder in the order of the frames: files with a name in IMAGE_SUFFIXES, not hidden.

    Raises:
        OSError: the folder cannot be listed.
    """
    return in_frame_order(path for path in Path(folder).iterdir() if is_image_name(path.name) and path.is_file())


def is_image_name(name: str) -> bool:
    """Whether a file is an image by its name."""
    return not is_hidden(name) and Path(name).suffix.lower() in IMAGE_SUFFIXES


def in_frame_order(paths: Iterable[Path]) -> list[Path]:
    """Sort files by their names: numbers in them by value, as `natural_key` does.

    If the names end in decimal numbers, as str() writes seconds, these are compared as such: 12.05, 12.4, 12.5.
    """
    paths = list(paths)
    ends = [end for end in (_DECIMAL_END.fullmatch(path.stem) for path in paths) if end]
    return sorted(paths, key=_decimal_key if _are_fractions([(end[1], end[2]) for end in ends]) else natural_key)


def natural_key(path: Path) -> tuple[list[int | str], str]:
    """Sort key that compares the digits in a file's name as numbers: frame9 before frame10."""
    parts = re.split(r"([0-9]+)", path.name)
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], path.name


def _decimal_key(path: Path) -> tuple[list[int | str], str]:
    """Sort key that compares decimal numbers: of digits behind a point, the first counts most."""
    parts = re.split(r"([0-9]+)(?:\.([0-9]+))?", path.stem)
    return [int(part) if i % 3 == 1 else part or "" for i, part in enumerate(parts)], path.name


def _are_fractions(numbers: list[tuple[str, str]]) -> bool:
    """Whether digits behind a point are fractions, of which 5 is more than 25. Else they count, as nanoseconds do.

    Counts have no zeros in front, or are of one width, in which both orders are the same. Fractions have no zeros at
    their end, as str() writes them; of several counts, some have, or they rise in equal steps. Nanoseconds have nine
    digits.

    Args:
        numbers: what stands in front of the last point in each name, and the digits behind it.
    """
    widths = {len(digits) for _, digits in numbers}
    if len(widths) < 2:
        return False
    long = [digits for _, digits in numbers if len(digits) > 1]
    if any(digits.startswith("0") for digits in long):
        return True
    return max(widths) != 9 and not any(digits.endswith("0") for digits in long) and not _rise_in_equal_steps(numbers)


def _rise_in_equal_steps(numbers: list[tuple[str, str]]) -> bool:
    """Whether the digits behind equal fronts are whole numbers in equal steps, such as 1.5, 1.9, 1.13."""
    behind: dict[str, list[int]] = {}
    for front, digits in numbers:
        behind.setdefault(front, []).append(int(digits))
    series = [sorted(values) for values in behind.values() if len(values) > 2]
    return bool(series) and all(len(set(np.diff(values))) == 1 for values in series)


def read_image_bgr(
    path: str | Path, size_wh: tuple[int, int] | None = None, stretch: IntensityStretch | None = None
) -> np.ndarray:
    """Read one image file as uint8 (H, W, 3) BGR: grey becomes three equal channels, alpha is dropped.

    Args:
        path: of the file.
        size_wh: width and height that the labels of the image state. None: they state none, and an orientation tag
            turns the image, as viewers do. Otherwise it is turned only if its sides are exchanged without it.
        stretch: of the stream that the image belongs to. None: of this image alone.

    Raises:
        InvalidInputError: the file is missing, damaged or cut short.
    """
    try:
        with open(path, "rb", buffering=0) as file:  # a buffer takes a copy more
            content = file.read()
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be read ({error}), expected an image; unpack it again") from error
    if size_wh is None:
        return decode_bgr(content, path, stretch=stretch)
    image_bgr = decode_bgr(content, path, turn=False, stretch=stretch)
    if _size_wh(image_bgr) != size_wh and _size_wh(image_bgr) == size_wh[::-1]:
        return decode_bgr(content, path, stretch=stretch)
    return image_bgr


def read_labelled_bgr(
    path: str | Path, size_wh: tuple[int, int], stretch: IntensityStretch | None = None
) -> np.ndarray:
    """Read one image file as `read_image_bgr` does, in the size that its labels state.

    Raises:
        InvalidInputError: the file is missing, damaged or cut short, or has another size.
    """
    image_bgr = read_image_bgr(path, size_wh, stretch)
    if _size_wh(image_bgr) != size_wh:
        raise InvalidInputError(
            "{} has {} x {} pixels, expected {} x {} as its labels state; unpack both again".format(
                path, *_size_wh(image_bgr), *size_wh
            )
        )
    return image_bgr


def decode_bgr(
    content: typing.Any, source: object, turn: bool = True, stretch: IntensityStretch | None = None
) -> np.ndarray:
    """Decode an image to uint8 (H, W, 3) BGR.

    Args:
        content: bytes, or another buffer of bytes.
        source: what the message of an error names.
        turn: turn it by its orientation tag. OpenCV turns a TIFF in any case.
        stretch: of the stream that a 16-bit image belongs to. None: of this image alone.

    Raises:
        InvalidInputError: it is damaged or cut short.
    """
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH
    image = decode_image(content, source, flags if turn else flags | cv2.IMREAD_IGNORE_ORIENTATION)
    if image.dtype == np.uint16:
        if is_white_at_zero(_bytes(content)):
            image = ~image  # OpenCV does so for 8 bits alone
        return (IntensityStretch() if stretch is None else stretch).to_uint8(image)
    if image.dtype != np.uint8:
        raise InvalidInputError(f"{source} has pixels of {image.dtype}, expected 8 or 16 bits; convert it")
    return image


def decode_image(content: typing.Any, source: object, flags: int = cv2.IMREAD_COLOR) -> np.ndarray:
    """Decode an image with cv2's IMREAD flags.

    A JPEG or PNG that is cut short is refused: OpenCV may fill its lower part with grey. An absurd size is refused
    before memory is taken for it, see `image_headers.check_size`.

    Args:
        content: bytes, or another buffer of bytes.
        source: what the message of an error names.
        flags: cv2's IMREAD flags.

    Raises:
        InvalidInputError: it is damaged, cut short or too large, or its format is not known.
    """
    content = _bytes(content)
    check_size(content, source)
    cut = what_is_cut(content)
    image = None if cut else _try_to_decode(content, flags)
    if image is not None:
        return image
    as_it_is = None if cut else _try_to_decode(content, cv2.IMREAD_UNCHANGED)
    if as_it_is is not None:
        raise InvalidInputError(
            f"{source} cannot be decoded: its pixels are {as_it_is.dtype}, expected grey or colour of 8 or 16 bits; "
            "convert it"
        )
    reason = f": it is a {cut} without its end" if cut else ""
    raise InvalidInputError(
        f"{source} cannot be decoded{reason}, expected a complete image; copy, unpack or send it again"
    )


def _try_to_decode(content: memoryview, flags: int) -> np.ndarray | None:
    try:
        return cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except cv2.error:  # raised instead of None for some sizes and depths
        return None


def _bytes(content: typing.Any) -> memoryview:
    return memoryview(content).cast("B")


def _size_wh(image: np.ndarray) -> tuple[int, int]:
    return image.shape[1], image.shape[0]
