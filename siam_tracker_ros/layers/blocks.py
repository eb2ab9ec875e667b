# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Layers that the networks are made of."""

import torch
from torch import nn


class ConvNorm(nn.Sequential):
    """Convolution, batch norm and activation in one module, so that the norm can be folded into the convolution.

    Args:
        relu: class of the activation, or None.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: int = 1,
        stride: int = 1,
        padding: int = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        bias: bool = False,
        relu: type[nn.ReLU] | type[nn.ReLU6] | None = nn.ReLU,
    ) -> None:
        super().__init__(
            nn.Conv2d(channels_in, channels_out, kernel, stride, padding, dilation, groups, bias),
            nn.BatchNorm2d(channels_out),
            *([relu(inplace=True)] if relu else []),
        )


class DepthwiseConv(nn.Conv2d):
    """One kernel per channel, for maps (B, channels, H, W); padded so that a stride of 1 keeps their size.

    On a CPU it learns in the precision of its weights whatever autocast says: in bfloat16 the gradient takes two to
    three times as long.
    """

    def __init__(self, channels: int, kernel: int, stride: int = 1, bias: bool = True) -> None:
        super().__init__(channels, channels, kernel, stride, kernel // 2, groups=channels, bias=bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.device.type != "cpu" or not x.requires_grad:
            return super().forward(x)
        with torch.autocast("cpu", enabled=False):
            return super().forward(x.to(self.weight.dtype))
