# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The response of a Siamese network and the box made of it: context, penalty, window, peaks, limits."""

import dataclasses
import functools
import typing
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from siam_tracker_ros.core.finite import check_finite
from siam_tracker_ros.settings import setting

PEAK_RADIUS = 3  # cells around the best one that belong to the same peak
CHOICE_NUMBERS = 4  # what `choice_numbers` returns
BEST_VALUES = 9  # what `BestBox.unpack` takes
MIN_SIDE = 10.0  # pixels of a target, in the published trackers

Number = typing.TypeVar("Number", float, np.ndarray)


@dataclasses.dataclass(frozen=True)
class ResponseSettings:
    """How a response becomes a box, after SiamRPN (Li et al. 2018)."""

    penalty_k: float = setting(
        0.05, "Strength of the penalty on changes of size and shape from frame to frame; 0 switches it off.", 0, 1
    )
    window_influence: float = setting(0.42, "Share of the Hann window in the choice of the best cell.", 0, 1)
    lr: float = setting(
        0.38, "Share of a new size that is taken over at full confidence; the position is taken over whole.", 0, 1
    )


class BestBox(typing.NamedTuple):
    """The box of the best cell of a response.

    Attributes:
        row, column: the cell.
        box_cxcywh: float64 (4,), the box in pixels of the search crop, from the crop's middle.
        score: 0..1, its confidence without penalty and window.
        penalty: 0..1, factor for its change of size and shape; 1 for no change.
        peak_ratio: 0..1, highest score away from its cell divided by its own.
    """

    row: int
    column: int
    box_cxcywh: np.ndarray
    score: float
    penalty: float
    peak_ratio: float

    @classmethod
    def unpack(cls, values: np.ndarray) -> "BestBox":
        """Return the box that `device_response.choose_box` packed into values.

        Raises:
            NetworkOutputError: a value is NaN or infinite.
        """
        check_finite("response", values)
        row, column, *box_cxcywh, score, penalty, ratio = values.tolist()
        return cls(int(row), int(column), np.array(box_cxcywh), score, penalty, ratio)


def choice_numbers(size_wh: Iterable[float], penalty_k: float, window_influence: float) -> list[float]:
    """Return what `device_response.choose_box` needs, which differs from frame to frame.

    Args:
        size_wh: last size of the target in pixels of the search crop.
        penalty_k: strength of the penalty on changes of size and shape.
        window_influence: 0..1, share of the Hann window.
    """
    return [*size_wh, penalty_k, window_influence]


def context_side(w: Number, h: Number) -> Number:
    """Side of the square around a target of w x h pixels with half its mean side of context on each side.

    SiamFC (Bertinetto et al. 2016, equation 15). Numbers or arrays.
    """
    return np.sqrt((w + (w + h) / 2) * (h + (w + h) / 2))


def size_change(old_wh: np.ndarray, new_wh: np.ndarray) -> np.ndarray:
    """Change of size and shape from (2,) to sizes (2, ...), 1 for none (SiamRPN, Li et al. 2018)."""
    old_w, old_h = old_wh
    new_w, new_h = new_wh
    extent = _larger(context_side(new_w, new_h) / context_side(old_w, old_h))
    return extent * _larger((old_w / old_h) / (new_w / new_h))


def _larger(ratio: np.ndarray) -> np.ndarray:
    return np.maximum(ratio, 1 / ratio)


@functools.cache
def hann_window(cells: int) -> npt.NDArray[np.float64]:
    """Cosine window float64 (cells, cells), not writable: 1 in the middle, 0 along the edges."""
    window = np.outer(np.hanning(cells), np.hanning(cells))
    window.setflags(write=False)
    return window


def peak_index(response: np.ndarray) -> tuple[int, ...]:
    """Index of the highest value of a response of any shape, the first of equal ones.

    Raises:
        NetworkOutputError: a value is NaN, which counts as the highest, or infinity is the highest.
    """
    index = tuple(int(place) for place in np.unravel_index(response.argmax(), response.shape))
    check_finite("response", response[index])
    return index


def peak_cell(response: np.ndarray) -> tuple[int, int]:
    """Row and column of the highest value of a response (S, S), see `peak_index`."""
    row, column = peak_index(response)
    return row, column


def peak_ratio(score: np.ndarray, row: int, column: int) -> float:
    """Highest score (S, S) away from the best cell, divided by the score of the best cell; 0..1."""
    rest = score.copy()
    rest[max(0, row - PEAK_RADIUS) : row + PEAK_RADIUS + 1, max(0, column - PEAK_RADIUS) : column + PEAK_RADIUS + 1] = 0
    return float(min(1.0, rest.max() / max(score[row, column], 1e-9)))


def clip_to_frame(box_cxcywh: np.ndarray, image_bgr: np.ndarray, min_side: float = MIN_SIDE) -> npt.NDArray[np.float64]:
    """Move the centre of a box into the frame, and limit its sides to at least `min_side` and at most the frame's."""
    frame_wh = image_bgr.shape[1], image_bgr.shape[0]
    center_xy = np.clip(box_cxcywh[:2], 0, frame_wh)
    return np.concatenate([center_xy, np.maximum(min_side, np.minimum(box_cxcywh[2:], frame_wh))])
