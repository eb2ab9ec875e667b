# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The toy's network: two convolutions and a correlation."""

import torch
from torch import nn

from siam_tracker_ros.core.network import Network, graph
from siam_tracker_ros.layers.correlation import depthwise_correlation

TEMPLATE_SIDE, SEARCH_SIDE = 127, 255  # pixels
STRIDE = 8  # pixels a cell
CHANNELS = 16
TEMPLATE_CELLS, SCORE_CELLS = 15, 17


class ToyNetwork(Network):
    """Scores (B, 17, 17) of search regions (B, 3, 255, 255) for templates (B, 3, 127, 127)."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(3, 8, 7, 4), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.Conv2d(8, CHANNELS, 3, 2)
        )
        self.gain = nn.Parameter(torch.tensor(1.0))

    @graph("backbone", lambda network: ((None, 3, None, None),))
    def encode(self, image_bgr: torch.Tensor) -> torch.Tensor:
        """Features (B, 16, H / 8, W / 8) of images, BGR, 0..255."""
        return self.backbone(image_bgr / 255)

    def forward(self, image_bgr: torch.Tensor, template: torch.Tensor) -> torch.Tensor:
        """Scores (B, 17, 17) of search regions for the features of a template."""
        response = depthwise_correlation(self.encode(image_bgr), template)  # (B, 16, 17, 17)
        return self.gain * response.mean(1) / TEMPLATE_CELLS**2
