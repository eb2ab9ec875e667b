# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Files of data sets: their names by number, and text files of boxes and flags."""

import abc
import contextlib
import dataclasses
import json
import pathlib

import numpy as np


@dataclasses.dataclass(frozen=True)
class Files(abc.ABC):
    """Files of one folder by number.

    Attributes:
        folder: Path.
    """

    folder: pathlib.Path

    @abc.abstractmethod
    def name(self, number):
        """Name of the file with a number."""

    def path(self, number):
        """Path of the file with a number."""
        return self.folder / self.name(number)


@dataclasses.dataclass(frozen=True)
class NumberedFiles(Files):
    """Files that are called by their numbers.

    Attributes:
        pattern: a name by the number, as for str.format.
    """

    pattern: str

    def name(self, number):
        return self.pattern.format(number)


@dataclasses.dataclass(frozen=True)
class ListedFiles(Files):
    """Files with names of any kind.

    Attributes:
        names: the names in the order of the numbers, which count from 0.
    """

    names: tuple[str, ...]

    def name(self, number):
        return self.names[number]


def read_text(path, problems, what):
    """Content of a text file; None, and a problem, where it is missing, unreadable or empty."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        problems.add_missing(path, what)
    except (OSError, UnicodeDecodeError) as error:
        problems.add(path, f"cannot be read ({error})", what)
    else:
        if text.strip():
            return text
        problems.add(path, "is empty", what)
    return None


@contextlib.contextmanager
def noting_faults(path, problems, what):
    """Turn what goes wrong with the content of a JSON file into a problem."""
    try:
        yield
    except json.JSONDecodeError as error:
        problems.add(path, f"is not JSON ({error})", what)
    except KeyError as error:
        problems.add(path, f"has no {error} where one is needed", what)
    except (TypeError, ValueError, AttributeError) as error:
        problems.add(path, f"cannot be understood ({error})", what)


def read_names(path, problems):
    """Lines of a list of sequences, without empty ones; none, and a problem, where it cannot be read."""
    text = read_text(path, problems, "a list of sequences")
    return [] if text is None else [line.strip() for line in text.splitlines() if line.strip()]


def read_boxes(path, problems):
    """Read boxes, one a line, four numbers apart by commas, tabs or spaces.

    Returns:
        float64 (N, 4), as they are written; None, and a problem, where they cannot be read.
    """
    what = "a box of four numbers a line"
    text = read_text(path, problems, what)
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
    problems.add(path, f"line {number} is {line!r}", what)
    return None


def _is_box(line):
    try:
        return len([float(field) for field in line.replace(",", " ").split()]) == 4
    except ValueError:
        return False


def read_flags(path, count, problems):
    """Read whole numbers, one a frame, apart by commas or white space.

    Returns:
        int64 (count,); None, and a problem, where they cannot be read.
    """
    what = f"{count} whole numbers, one a frame"
    text = read_text(path, problems, what)
    if text is None:
        return None
    try:
        flags = np.array(text.replace(",", " ").split()).astype(np.float64).astype(np.int64)
    except ValueError as error:
        problems.add(path, f"cannot be read ({error})", what)
        return None
    if len(flags) != count:
        problems.add(path, f"has {len(flags)} numbers", what)
        return None
    return flags
