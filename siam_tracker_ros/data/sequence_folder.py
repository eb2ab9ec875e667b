# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Labelled sequences and result files on disk.

A sequence is a folder:

    img/              the frames, in natural order of their names
    groundtruth.txt   one `x,y,w,h` line per frame in pixels, top-left origin; `nan,nan,nan,nan` for no label
    mask/             optional: one 0/255 PNG per frame

A result file has one `x,y,w,h,score` line per frame. Its first line is the box that the tracker was given. The line of
a frame in which the target was reported lost is `nan,nan,nan,nan,score`. Numbers are separated by commas,
spaces or tabs.
"""

import dataclasses
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from siam_tracker_ros.data.files import decode_text
from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.frames import FrameSource, open_frames
from siam_tracker_ros.images import decode_image, list_images
from siam_tracker_ros.outputs import write_atomic


@dataclasses.dataclass(frozen=True, eq=False)
class Sequence:
    """Frames with a known target.

    Attributes:
        name: name of the folder.
        folder: Path of the folder.
        truth_xywh: float64 (N, 4) in pixels, NaN where a frame is not labelled; the first frame always is.
    """

    name: str
    folder: Path
    truth_xywh: np.ndarray

    def open(self, intensity_range: tuple[int, int] | None = None) -> FrameSource:
        """Open the frames, as `open_frames` does; there are as many as there are rows in truth_xywh."""
        return open_frames(self.folder / "img", intensity_range)

    @property
    def has_masks(self) -> bool:
        """Whether the frames have labelled masks."""
        return (self.folder / "mask").is_dir()

    def read_mask(self, name: str) -> np.ndarray:
        """Read a labelled mask, bool (H, W), by its file name; raise InvalidInputError where it cannot be read."""
        path = self.folder / "mask" / name
        try:
            return decode_image(path.read_bytes(), path, cv2.IMREAD_GRAYSCALE) > 127
        except OSError as error:
            raise InvalidInputError(f"{path} cannot be read ({error}), expected a 0/255 PNG") from error

    def mask_names(self) -> list[str]:
        """File names of the masks, one per frame: the labelled masks' names where there are any."""
        if self.has_masks:
            return [path.name for path in list_images(self.folder / "mask")]
        return [f"{i:06d}.png" for i in range(1, len(self.truth_xywh) + 1)]


def load_sequence(folder: str | Path) -> Sequence:
    """Load one sequence folder; raise InvalidInputError where its frames and labels do not match."""
    folder = Path(folder)
    truth = read_boxes(folder / "groundtruth.txt")
    if len(truth) == 0 or not np.isfinite(truth[0]).all():
        raise InvalidInputError(
            f"{folder / 'groundtruth.txt'}, line 1: expected the first frame's box x,y,w,h, with which tracking starts"
        )
    sequence = Sequence(folder.resolve().name, folder, truth)
    with sequence.open() as frames:
        if frames.frame_count != len(truth):
            raise InvalidInputError(
                f"{folder} has {frames.frame_count} images in img and {len(truth)} lines in groundtruth.txt, "
                "expected one line per image"
            )
    if len(sequence.mask_names()) != len(truth):
        raise InvalidInputError(f"{folder / 'mask'} has {len(sequence.mask_names())} files, expected {len(truth)}")
    return sequence


def load_sequences(folder: str | Path) -> list[Sequence]:
    """Load every sequence in a folder, sorted by name, or the one sequence that the folder itself is.

    Subfolders without a groundtruth.txt are ignored.

    Raises:
        InvalidInputError: there is no sequence, or the frames and labels of one do not match.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InvalidInputError(f"{folder} is not a folder, expected a folder of sequences")
    if (folder / "groundtruth.txt").exists():
        return [load_sequence(folder)]
    found = sorted(path.parent for path in folder.glob("*/groundtruth.txt"))
    if not found:
        raise InvalidInputError(
            f"{folder} has no sequence in it, expected subfolders with images in img and boxes in groundtruth.txt"
        )
    return [load_sequence(path) for path in found]


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


def result_line(box_xywh: Iterable[float], score: float) -> str:
    """Return one line of a result file, with its line end."""
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
