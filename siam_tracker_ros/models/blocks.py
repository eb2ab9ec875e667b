# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The layers that every published network here is made of."""

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
