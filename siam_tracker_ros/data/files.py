# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Files of data sets: file names by frame number, folders of images, and text files of boxes and flags."""

import abc
import contextlib
import dataclasses
import json
import pathlib
from collections.abc import Iterator

import numpy as np

from siam_tracker_ros import images
from siam_tracker_ros.data.problems import Problems


@dataclasses.dataclass(frozen=True)
class Files(abc.ABC):
    """Files of one folder by number."""

    folder: pathlib.Path

    @abc.abstractmethod
    def name(self, number: int) -> str:
        """Return the name of the file with a number."""

    def path(self, number: int) -> pathlib.Path:
        """Return the path of the file with a number."""
        return self.folder / self.name(number)


@dataclasses.dataclass(frozen=True)
class NumberedFiles(Files):
    """Files with their number in the name.

    Attributes:
        pattern: of the name, for str.format.
    """

    pattern: str

    def name(self, number: int) -> str:
        return self.pattern.format(number)


@dataclasses.dataclass(frozen=True)
class ListedFiles(Files):
    """Files with arbitrary names.

    Attributes:
        names: by number, counted from 0.
    """

    names: tuple[str, ...]

    def name(self, number: int) -> str:
        return self.names[number]


def decode_text(content: bytes, errors: str = "strict") -> str:
    """Decode UTF-8; a byte order mark, as editors on Windows write it, is no part of the text.

    Args:
        content: of the file.
        errors: "surrogateescape" for text with names of files, which need not be UTF-8: they are found as they are.

    Raises:
        UnicodeDecodeError: it is no UTF-8.
    """
    return content.decode("utf-8-sig", errors)


def read_text(path: pathlib.Path, problems: Problems, expected: str, errors: str = "strict") -> str | None:
    """Return the content of a text file, see `decode_text`; None, and note a problem, if it cannot be read."""
    try:
        text = decode_text(path.read_bytes(), errors)
    except FileNotFoundError:
        problems.add_missing(path, expected)
    except (OSError, UnicodeDecodeError) as error:
        problems.add(path, f"cannot be read ({error})", expected)
    else:
        if text.strip():
            return text
        problems.add(path, "is empty", expected)
    return None


@contextlib.contextmanager
def noting_faults(path: pathlib.Path, problems: Problems, expected: str) -> Iterator[None]:
    """Turn errors from the content of a JSON file into a problem."""
    try:
        yield
    except json.JSONDecodeError as error:
        problems.add(path, f"is not JSON ({error})", expected)
    except KeyError as error:
        problems.add(path, f"has no {error} where one is needed", expected)
    except (TypeError, ValueError, AttributeError) as error:
        problems.add(path, f"cannot be understood ({error})", expected)


def read_names(path: pathlib.Path, problems: Problems) -> list[str]:
    """Return the lines of a list of sequences, without empty ones; [], and note a problem, if it cannot be read."""
    text = read_text(path, problems, "a list of sequences", "surrogateescape")
    return [] if text is None else [line.strip() for line in text.splitlines() if line.strip()]


def read_boxes(path: pathlib.Path, problems: Problems) -> np.ndarray | None:
    """Read one box per line: four numbers, separated by commas, tabs or spaces.

    Returns:
        float64 (N, 4), as written in the file; None, and note a problem, if they cannot be read.
    """
    expected = "a box of four numbers per line"
    text = read_text(path, problems, expected)
    if text is None:
        return None
    lines = text.rstrip().splitlines()
    try:
        boxes = np.loadtxt([line.replace(",", " ") for line in lines], np.float64, comments=None, ndmin=2)
    except ValueError:
        boxes = np.empty(0)
    if boxes.shape == (len(lines), 4):
        return boxes
    number, line = next(((i, line) for i, line in enumerate(lines, 1) if not _is_box(line)), (1, lines[0]))
    problems.add(path, f"line {number} is {line!r}", expected)
    return None


def _is_box(line: str) -> bool:
    try:
        return len([float(field) for field in line.replace(",", " ").split()]) == 4
    except ValueError:
        return False


def list_images(folder: pathlib.Path, problems: Problems) -> ListedFiles | None:
    """Return the images of a folder in the order of the frames; None, and note a problem, if there are none."""
    if not folder.is_dir():
        problems.add_missing(folder, "one image per box")
        return None
    paths = images.list_images(folder)
    if not paths:
        problems.add(folder, "holds no image", "one image per box")
        return None
    return ListedFiles(folder, tuple(path.name for path in paths))


def pad_first_box(boxes: np.ndarray, folder: pathlib.Path, problems: Problems) -> np.ndarray:
    """Return the box of the first frame and NaN for the others, float64 (N, 4), where only the first is published.

    Args:
        boxes: float64 (1, 4).
        folder: of the N images.
        problems: as for `list_images`.
    """
    files = list_images(folder, problems)
    return np.pad(boxes, ((0, len(files.names) - 1 if files else 0), (0, 0)), constant_values=np.nan)


def read_flags(path: pathlib.Path, count: int, problems: Problems) -> np.ndarray | None:
    """Read one whole number per frame, separated by commas or white space.

    Returns:
        int64 (count,); None, and note a problem, if they cannot be read.
    """
    expected = f"{count} whole numbers, one per frame"
    text = read_text(path, problems, expected)
    if text is None:
        return None
    try:
        values = np.array(text.replace(",", " ").split()).astype(np.float64)
    except ValueError as error:
        problems.add(path, f"cannot be read ({error})", expected)
        return None
    flags = values[values % 1 == 0].astype(np.int64)  # neither fractions nor NaN
    if len(flags) != count:
        problems.add(path, f"has {len(flags)} whole numbers", expected)
        return None
    return flags
