# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The layers that the networks here are made of."""

import torch
from torch import nn


class ConvNorm(nn.Sequential):
    """Convolution, batch norm, and ReLU unless told otherwise; one module, so that the norm can be folded."""

    def __init__(
        self, channels_in, channels_out, kernel=1, stride=1, padding=0, dilation=1, groups=1, bias=False, relu=nn.ReLU
    ):
        super().__init__(
            nn.Conv2d(channels_in, channels_out, kernel, stride, padding, dilation, groups, bias),
            nn.BatchNorm2d(channels_out),
            *([relu(inplace=True)] if relu else []),
        )


class DepthwiseConv(nn.Conv2d):
    """One kernel a channel, for maps (B, channels, H, W); padded so that a stride of 1 keeps their size.

    On a CPU it learns in the precision of its weights whatever autocast says: in bfloat16 the gradient takes two to
    three times as long.
    """

    def __init__(self, channels, kernel, stride=1, bias=True):
        super().__init__(channels, channels, kernel, stride, kernel // 2, groups=channels, bias=bias)

    def forward(self, x):
        if x.device.type != "cpu" or not x.requires_grad:
            return super().forward(x)
        with torch.autocast("cpu", enabled=False):
            return super().forward(x.to(self.weight.dtype))
