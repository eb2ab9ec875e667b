# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The second look of `lite`: the edges of a found box are moved to where the target ends.

A cell of the head sees its box at stride 16. The refinement sees it at strides 4 and 8 too, wherever it lies, beside
the box that was given in the template: that tells how tightly boxes of this target are drawn. It is a second stage as
in Cascade R-CNN (Cai and Vasconcelos 2018), for the one box that was found.
"""

from collections.abc import Iterable

import torch
from torch import nn

from siam_tracker_ros.layers.blocks import ConvNorm
from siam_tracker_ros.layers.mobilenet_v2 import FINE_CHANNELS, MIDDLE_CHANNELS
from siam_tracker_ros.methods.lite.looks import LOOK_CELLS, MAX_MOVE
from siam_tracker_ros.methods.lite.shapes import FUSED_CHANNELS

WIDTH = 48
REDUCED_CHANNELS = 24
NARROW_CELLS = LOOK_CELLS // 4  # of a look after two strides of 2


class BoxRefinement(nn.Module):
    """Moves the edges of a box, by what lies in and around it.

    Until it has learned, it moves nothing.
    """

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__()
        self.reduce = ConvNorm(FUSED_CHANNELS, REDUCED_CHANNELS)
        self.template = ConvNorm(MIDDLE_CHANNELS + FINE_CHANNELS, width, relu=None)
        self.search = ConvNorm(REDUCED_CHANNELS + MIDDLE_CHANNELS + FINE_CHANNELS, width, relu=None)
        self.narrow = nn.Sequential(
            nn.ReLU(inplace=True), ConvNorm(width, 64, 3, 2, 1), ConvNorm(64, 64, 3, 2, 1), nn.Flatten()
        )
        self.moves = nn.Sequential(nn.Linear(64 * NARROW_CELLS**2, 128), nn.ReLU(inplace=True), nn.Linear(128, 4))
        nn.init.zeros_(self.moves.get_parameter("2.weight"))
        nn.init.zeros_(self.moves.get_parameter("2.bias"))

    def encode_template(self, maps: Iterable[torch.Tensor], weights: Iterable[torch.Tensor]) -> torch.Tensor:
        """Return what `forward` needs of the template, (B, 48, 16, 16).

        Args:
            maps: backbone features at strides 8 and 4, (B, 32, 16, 16) and (B, 24, 32, 32).
            weights: of the target's box in each of them, see `look_weights`.
        """
        return self.template(_look(maps, weights))

    def forward(
        self,
        fused: torch.Tensor,
        maps: Iterable[torch.Tensor],
        weights: Iterable[torch.Tensor],
        template: torch.Tensor,
    ) -> torch.Tensor:
        """Return how far each edge moves right or down, (B, 4) as left, top, right, bottom, in units of the box's size.

        Args:
            fused: (B, 128, 16, 16), of a Response.
            maps: backbone features at strides 8 and 4, (B, 32, 32, 32) and (B, 24, 64, 64).
            weights: of the box in `fused` and in each of the maps, see `look_weights`.
            template: of `encode_template`.
        """
        look = _look((self.reduce(fused), *maps), weights)  # (B, 80, 16, 16)
        return MAX_MOVE * torch.tanh(self.moves(self.narrow(self.search(look) + template)).float())


def _look(maps: Iterable[torch.Tensor], weights: Iterable[torch.Tensor]) -> torch.Tensor:
    """Features (B, C, 16, 16) at the points of a look, of all maps (B, ..., H, H) with their weights (B, 2, 16, H)."""
    looks = []
    for map, weight in zip(maps, weights, strict=True):
        across, down = weight.to(map.dtype).split(1, 1)  # (B, 1, 16, H) each
        looks.append(down @ map @ across.transpose(2, 3))
    return torch.cat(looks, 1)
