# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Deformable 3x3 convolution (Dai et al. 2017) from standard operators: no compiled extension, exports to ONNX."""

import torch
from torch import nn
from torch.nn import functional

TAPS = 9


class DeformableConv3x3(nn.Module):
    """3x3 convolution whose nine taps sample at learned offsets; no bias, the same offsets for all channels.

    Attributes:
        weight: (channels_out, channels_in, 3, 3).
    """

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels_out, channels_in, 3, 3))
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)

    def forward(self, x: torch.Tensor, offset: torch.Tensor) -> torch.Tensor:
        """Convolve a map of at least 2 x 2 cells.

        Args:
            x: (B, channels_in, H, W).
            offset: (B, 18, H, W), distance of each tap from its place on the usual 3x3 grid, in cells: dy, dx of the
                taps row by row. Samples are bilinear, and zero outside the map.

        Returns:
            (B, channels_out, H, W).
        """
        batch, channels, height, width = x.shape
        sampled = _sample_taps(x, offset).reshape(batch, channels * TAPS, height * width)
        return (self.weight.flatten(1) @ sampled).reshape(batch, -1, height, width)


def _sample_taps(x: torch.Tensor, offset: torch.Tensor) -> torch.Tensor:
    """Values (B, C, 9 * H, W) of the map (B, C, H, W) at its taps, all rows of the first tap first."""
    batch, _, height, width = x.shape
    offset = offset.reshape(batch, TAPS, 2, height, width)
    tap = torch.arange(-1, 2, device=x.device, dtype=offset.dtype)
    row = torch.arange(height, device=x.device, dtype=offset.dtype)[:, None]
    column = torch.arange(width, device=x.device, dtype=offset.dtype)
    y = offset[:, :, 0] + row + tap[:, None].expand(3, 3).reshape(TAPS, 1, 1)  # (B, 9, H, W)
    x_ = offset[:, :, 1] + column + tap.repeat(3)[:, None, None]
    points = torch.stack([2 * x_ / (width - 1) - 1, 2 * y / (height - 1) - 1], -1)  # -1..1 between the outer cells
    return functional.grid_sample(x, points.reshape(batch, TAPS * height, width, 2), align_corners=True)
