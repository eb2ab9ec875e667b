# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A network after "SiamRCR: Reciprocal Classification and Regression for Visual Object Tracking" (Peng et al., 2021).

Published at IJCAI 2021, pages 952 to 958, without code or weights. From the paper: an anchor-free head of
classification and regression; reciprocal links, by which each of the two weights the other's loss at each positive
sample; a localization branch, which predicts the accuracy of the box and replaces the link from the regression at
inference. A box is regressed as size and centre offset, and the score is the product of classification and
localization.

Our choices, which nothing published confirms: Ocean's backbone, neck and towers with one depth-wise correlation per
branch; localization from the regression tower; offsets in cells, sizes as logarithms of cells.
"""

import dataclasses
import math

import torch
from torch import nn

from siam_tracker_ros.core.network import graph
from siam_tracker_ros.layers.blocks import ConvNorm
from siam_tracker_ros.layers.correlation import depthwise_correlation
from siam_tracker_ros.methods.ocean.network import (
    CHANNELS,
    STRIDE,
    AnchorFreeNetwork,
    at_least_float32,
    cell_pixels,
    make_tower,
)

MAX_EXPONENT = 10.0  # boxes have sides of 0.0004 to 176,000 pixels
USUAL_SIDE = 64.0  # pixels of a target in a search crop; the initial size of the boxes


@dataclasses.dataclass(frozen=True)
class Template:
    """Kernels (B, 256, 5, 5) of a target, which slide over each search region."""

    classification: torch.Tensor
    regression: torch.Tensor


@dataclasses.dataclass(frozen=True)
class Response:
    """Output of the head for the S x S cells of the search region; S = 25 for 255 pixels.

    Attributes:
        classification: (B, 1, S, S), logit of "the target is here".
        localization: (B, 1, S, S), logit of the expected IoU of this cell's box.
        box_cxcywh: (B, 4, S, S), boxes in pixels of the search crop, from its middle pixel, side // 2.
    """

    classification: torch.Tensor
    localization: torch.Tensor
    box_cxcywh: torch.Tensor


def decode_box(regression: torch.Tensor) -> torch.Tensor:
    """Boxes (B, 4, S, S) of a Response, from the regression (B, 4, S, S) of the head: dx, dy, log w, log h."""
    offset, log_size = regression.split(2, 1)
    size = log_size.clamp(-MAX_EXPONENT, MAX_EXPONENT).exp() * STRIDE
    return torch.cat([_cell_centers(regression) + offset * STRIDE, size], 1)


def encode_box(box_cxcywh: torch.Tensor) -> torch.Tensor:
    """Regression (B, 4, S, S) for a box at each cell (B, 4, S, S); the inverse of `decode_box`."""
    center, size = box_cxcywh.split(2, 1)
    return torch.cat([(center - _cell_centers(box_cxcywh)) / STRIDE, (size / STRIDE).log()], 1)


def _cell_centers(like: torch.Tensor) -> torch.Tensor:
    """Centres x, y (2, S, S) of the cells of a map (B, 4, S, S) in pixels from the crop's middle pixel."""
    cell = cell_pixels(like.shape[-1], like.device).to(like)
    return torch.stack(torch.meshgrid(cell, cell, indexing="xy"))


class CorrelationBranch(nn.Module):
    """Adapts the neck's features to one branch and correlates search region and template."""

    def __init__(self, channels: int = CHANNELS) -> None:
        super().__init__()
        self.template = ConvNorm(channels, channels, 3)
        self.search = ConvNorm(channels, channels, 3)
        self.tower = make_tower(channels)

    def forward(self, features: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
        """Tower features (B, 256, H - 6, W - 6) of search features (B, 256, H, W) and a kernel (B, 256, 5, 5)."""
        return self.tower(depthwise_correlation(self.search(features), kernel))


class SiamRCRNetwork(AnchorFreeNetwork):
    """Finds a template in a search region.

    `encode_template` runs once per target, `forward` once per frame. Images are BGR, 0..255, any float type.
    """

    def __init__(self, channels: int = CHANNELS) -> None:
        super().__init__(channels)
        self.classification_branch = CorrelationBranch(channels)
        self.regression_branch = CorrelationBranch(channels)
        self.classification = nn.Conv2d(channels, 1, 3, padding=1)
        self.localization = nn.Conv2d(channels, 1, 3, padding=1)
        self.box = nn.Conv2d(channels, 4, 3, padding=1)
        for head in (self.classification, self.localization, self.box):
            nn.init.normal_(head.weight, std=0.01)
            nn.init.zeros_(head.get_parameter("bias"))
        with torch.no_grad():
            self.box.get_parameter("bias")[2:] = math.log(USUAL_SIDE / STRIDE)

    def encode_template(self, image_bgr: torch.Tensor) -> Template:
        """Return the Template of crops (B, 3, 127, 127)."""
        features = self.template_features(image_bgr)
        return Template(self.classification_branch.template(features), self.regression_branch.template(features))

    def forward(self, image_bgr: torch.Tensor, template: Template) -> Response:
        """Return the Response of search crops (B, 3, side, side) to a Template of batch size B or 1."""
        return self.respond(self.features(image_bgr), template)

    def respond(self, features: torch.Tensor, template: Template) -> Response:
        """Return the Response for the `features` (B, 256, H, W) of search crops."""
        return Response(*self.head(features, template.classification, template.regression))

    @graph(
        "head",
        lambda network: ((1, network.box.in_channels, None, None), *[(1, network.box.in_channels, 5, 5)] * 2),
    )
    def head(
        self, features: torch.Tensor, classification_kernel: torch.Tensor, regression_kernel: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return classification, localization and box_cxcywh of a Response, from the `features` of search crops."""
        classification = self.classification_branch(features, classification_kernel)
        regression = self.regression_branch(features, regression_kernel)
        return (
            at_least_float32(self.classification(classification)),
            at_least_float32(self.localization(regression)),
            decode_box(at_least_float32(self.box(regression))),
        )
