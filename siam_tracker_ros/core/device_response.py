# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The formulas of `core.response` for tensors on a device, in float32 and without a look at any value."""

import functools
import typing

import torch

from siam_tracker_ros.core.response import PEAK_RADIUS, hann_window

MIN_SIZE, MAX_SIZE = 1e-6, 1e9  # of boxes; their areas and the ratios of these stay finite in float32


class Best(typing.NamedTuple):
    """The best boxes of B responses, in tensors.

    Attributes:
        row, column: int64 (B,), their cells.
        values: float32 (B, BEST_VALUES), what `BestBox.unpack` takes of each.
    """

    row: torch.Tensor
    column: torch.Tensor
    values: torch.Tensor


def choose_box(score: torch.Tensor, boxes: torch.Tensor, numbers: torch.Tensor) -> Best:
    """Pick the box with the highest score after penalty and window of each response, the first of equal ones.

    Args:
        score: float32 (B, A, S, S), 0..1, of A boxes per cell.
        boxes: float32 (B, 4, A, S, S) as cxcywh in pixels of the search crop, from its middle.
        numbers: float32 (B, CHOICE_NUMBERS), from `choice_numbers`.
    """
    size_wh, penalty_k, influence = numbers[:, :2], numbers[:, 2], numbers[:, 3].view(-1, 1, 1, 1)
    cells = score.shape[-1]
    penalty = size_penalty(size_wh, boxes[:, 2:], penalty_k)
    response = penalty * score * (1 - influence) + window_on(score.device, cells) * influence
    place = response.flatten(1).argmax(1)
    row, column = torch.div(place, cells, rounding_mode="floor") % cells, place % cells
    best = score.flatten(1).gather(1, place[:, None])  # (B, 1)
    ratio = peak_ratio(score, row, column, best[:, 0])
    values = [row, column, at_place(boxes.flatten(2), place), best, penalty.flatten(1).gather(1, place[:, None]), ratio]
    return Best(row, column, torch.cat([value.float().view(len(place), -1) for value in values], 1))


def at_place(boxes: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
    """Of N boxes (B, 4, N) those (B, 4) at the places int64 (B,), which are not read."""
    return boxes.gather(2, place[:, None, None].expand(-1, boxes.shape[1], 1))[..., 0]


def peak_ratio(score: torch.Tensor, row: torch.Tensor, column: torch.Tensor, best: torch.Tensor) -> torch.Tensor:
    """Highest score (B, A, S, S) away from cells (B,), divided by those of the best boxes there; (B,), 0..1."""
    axis = torch.arange(score.shape[-1], device=score.device)
    near_rows, near_columns = ((axis - at[:, None]).abs() <= PEAK_RADIUS for at in (row, column))
    rest = score.amax(1).masked_fill(near_rows[:, :, None] & near_columns[:, None], 0).amax((1, 2))
    return (rest / best.clamp(min=1e-9)).clamp(max=1)


def size_penalty(size_wh: torch.Tensor, boxes_wh: torch.Tensor, penalty_k: torch.Tensor) -> torch.Tensor:
    """Factor (B, ...), 0..1, for the change of size and shape from (B, 2) to sizes (B, 2, ...); 1 for none.

    penalty_k: (B,), strength of the penalty.
    """
    one_per_row = (-1, *[1] * (boxes_wh.ndim - 2))
    penalty_k = penalty_k.view(one_per_row)
    old_w, old_h = (side.view(one_per_row) for side in size_wh.clamp(MIN_SIZE, MAX_SIZE).unbind(1))
    new_w, new_h = boxes_wh.clamp(MIN_SIZE, MAX_SIZE).unbind(1)
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
