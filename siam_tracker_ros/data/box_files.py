# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Box files: the boxes of own footage, and result files.

A file of boxes has one `x,y,w,h` line per frame in pixels, top-left origin; `nan,nan,nan,nan` for no label. A result
file has one `x,y,w,h,score` line per frame. Its first line is the box that the tracker was given. The line of a frame
in which the target was reported lost is `nan,nan,nan,nan,score`. Numbers are separated by commas, spaces or tabs.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from siam_tracker_ros.data.files import decode_text
from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.outputs import write_atomic

_NO_BOX = (np.nan,) * 4


def read_boxes(path: str | Path) -> np.ndarray:
    """Read a ground-truth file as float64 (N, 4), NaN where a frame is not labelled."""
    return np.array(_read_rows(path, columns=(4,)), dtype=np.float64).reshape(-1, 4)


def read_results(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Read a result file as boxes, float64 (N, 4), and scores, float64 (N,), NaN where it has no score."""
    rows = [row if len(row) == 5 else [*row, np.nan] for row in _read_rows(path, columns=(4, 5))]
    table = np.array(rows, dtype=np.float64).reshape(-1, 5)
    return table[:, :4], table[:, 4]


def write_results(path: str | Path, boxes_xywh: Iterable[Iterable[float]], scores: Iterable[float]) -> None:
    """Write a result file from boxes (N, 4), NaN where lost, and scores (N,); its folder is created."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [result_line(box, score) for box, score in zip(boxes_xywh, scores, strict=True)]
    write_atomic(path, "".join(lines).encode())


def result_line(box_xywh: Iterable[float] | None, score: float) -> str:
    """Return one line of a result file, with its line end; of a frame without a box for None."""
    box_xywh = _NO_BOX if box_xywh is None else box_xywh
    return ",".join(f"{value:.3f}" for value in (*box_xywh, score)) + "\n"


def _read_rows(path: str | Path, columns: tuple[int, ...]) -> list[list[float]]:
    path = Path(path)
    try:
        lines = decode_text(path.read_bytes()).splitlines()
    except FileNotFoundError:
        raise InvalidInputError(f"{path} does not exist, expected a text file of boxes, one per line") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(
            f"{path} cannot be read: {error}; expected a text file of boxes, one per line"
        ) from None
    while lines and not lines[-1].strip():
        lines.pop()
    return [_parse(path, number, line, columns) for number, line in enumerate(lines, start=1)]


def _parse(path: Path, number: int, line: str, columns: tuple[int, ...]) -> list[float]:
    fields = line.replace(",", " ").split()
    expected = " or ".join({4: "four numbers x,y,w,h", 5: "five numbers x,y,w,h,score"}[n] for n in columns)
    if len(fields) not in columns:
        raise InvalidInputError(f"{path}, line {number}: {line!r} has {len(fields)} fields, expected {expected}")
    try:
        return [float(field) for field in fields]
    except ValueError:
        raise InvalidInputError(f"{path}, line {number}: {line!r} is not all numbers, expected {expected}") from None
