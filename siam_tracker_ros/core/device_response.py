# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The formulas of `core.response` for tensors on a device, in float32 and without a look at any value."""

import functools
import typing

import torch

from siam_tracker_ros.core.response import PEAK_RADIUS, hann_window

MIN_SIZE, MAX_SIZE = 1e-6, 1e9  # of boxes; their areas and the ratios of these stay finite in float32


class Best(typing.NamedTuple):
    """The best box of a response, in tensors.

    Attributes:
        row, column: int64 (1,), its cell.
        values: float32 (BEST_VALUES,), what `BestBox.unpack` takes.
    """

    row: torch.Tensor
    column: torch.Tensor
    values: torch.Tensor


def choose_box(score: torch.Tensor, boxes: torch.Tensor, numbers: torch.Tensor) -> Best:
    """Pick the box with the highest score after penalty and window, the first of equal ones.

    Args:
        score: float32 (A, S, S), 0..1, of A boxes per cell.
        boxes: float32 (4, A, S, S) as cxcywh in pixels of the search crop, from its middle.
        numbers: float32 (CHOICE_NUMBERS,), from `choice_numbers`.
    """
    size_wh, penalty_k, influence = numbers[:2], numbers[2], numbers[3]
    cells = score.shape[-1]
    penalty = size_penalty(size_wh, boxes[2:], penalty_k)
    response = penalty * score * (1 - influence) + window_on(score.device, cells) * influence
    place = response.argmax().view(1)  # an index without dimensions would be read from the device
    row, column = torch.div(place, cells, rounding_mode="floor") % cells, place % cells
    best = score.flatten()[place]
    ratio = peak_ratio(score, row, column, best)
    box = boxes.flatten(1)[:, place].flatten()
    values = [row, column, box, best, penalty.flatten()[place], ratio]
    return Best(row, column, torch.cat([value.float() for value in values]))


def peak_ratio(score: torch.Tensor, row: torch.Tensor, column: torch.Tensor, best: torch.Tensor) -> torch.Tensor:
    """Highest score (A, S, S) away from a cell, divided by that of the best box there; (1,), 0..1."""
    axis = torch.arange(score.shape[-1], device=score.device)
    near_rows, near_columns = ((axis - at).abs() <= PEAK_RADIUS for at in (row, column))
    rest = score.amax(0).masked_fill(near_rows[:, None] & near_columns, 0).amax()
    return (rest / best.clamp(min=1e-9)).clamp(max=1)


def size_penalty(size_wh: torch.Tensor, boxes_wh: torch.Tensor, penalty_k: torch.Tensor) -> torch.Tensor:
    """Factor (...), 0..1, for the change of size and shape from (2,) to sizes (2, ...); 1 for none."""
    old_w, old_h = size_wh.clamp(MIN_SIZE, MAX_SIZE).unbind()
    new_w, new_h = boxes_wh.clamp(MIN_SIZE, MAX_SIZE).unbind()
    extent = _larger(_context_side(new_w, new_h) / _context_side(old_w, old_h))
    return torch.exp(-penalty_k * (extent * _larger((old_w / old_h) / (new_w / new_h)) - 1))


def _context_side(w: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
    return torch.sqrt((w + (w + h) / 2) * (h + (w + h) / 2))


def _larger(ratio: torch.Tensor) -> torch.Tensor:
    return torch.maximum(ratio, 1 / ratio)


@functools.cache  # captured graphs know the address
def window_on(device: torch.device, cells: int) -> torch.Tensor:
    """Hann window float32 (cells, cells) on a device."""
    return torch.tensor(hann_window(cells), dtype=torch.float32, device=device)
