# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""MobileNetV2 (Sandler et al. 2018, table 2) up to stride 16, with the batch norms folded into the convolutions.

Folded norms make a trunk that trains like one with frozen norms and needs no fusing before it is run.
"""

from torch import nn

CHANNELS = 96
STRIDE = 16
STAGES = (  # expansion, channels, blocks, stride of the first block
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
)


class InvertedResidual(nn.Module):
    """Expand 1x1, filter depth-wise 3x3, project 1x1; with a shortcut where the shapes allow it."""

    def __init__(self, channels_in, channels_out, stride, expansion):
        super().__init__()
        hidden = channels_in * expansion
        layers = []
        if expansion != 1:
            layers += [nn.Conv2d(channels_in, hidden, 1), nn.ReLU6(inplace=True)]
        layers += [nn.Conv2d(hidden, hidden, 3, stride, 1, groups=hidden), nn.ReLU6(inplace=True)]
        layers += [nn.Conv2d(hidden, channels_out, 1)]
        self.layers = nn.Sequential(*layers)
        self.shortcut = stride == 1 and channels_in == channels_out

    def forward(self, x):
        return x + self.layers(x) if self.shortcut else self.layers(x)


class MobileNetV2Trunk(nn.Sequential):
    """Image (B, 3, H, W) to features (B, 96, H / 16, W / 16); sides must be multiples of 16."""

    def __init__(self):
        blocks = [nn.Sequential(nn.Conv2d(3, 32, 3, 2, 1), nn.ReLU6(inplace=True))]
        channels = 32
        for expansion, channels_out, count, stride in STAGES:
            for index in range(count):
                blocks.append(InvertedResidual(channels, channels_out, stride if index == 0 else 1, expansion))
                channels = channels_out
        super().__init__(*blocks)
