# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""AlexNet as the Siamese trackers changed it: no padding, batch norms, stride 8 (SiamFC, Bertinetto et al. 2016)."""

import typing
from collections.abc import Mapping

import torch
from torch import nn

from siam_tracker_ros.layers.backbone import KeyRules, rename_imagenet

STAGES = (  # channels, kernel, stride, pooled, rectified
    (96, 11, 2, True, True),
    (256, 5, 1, True, True),
    (384, 3, 1, False, True),
    (384, 3, 1, False, True),
    (256, 3, 1, False, False),
)
CHANNELS = STAGES[-1][0]

# Released checkpoints number all layers; checkpoints of the training code have our names.
_NUMBERED = ((0, 1), (4, 5), (8, 9), (11, 12), (14, 15))  # convolution and norm of each stage


def alexnet_keys(official: str, own: str = "backbone") -> KeyRules:
    """Renaming rules for the backbone that checkpoints call `official`."""
    numbered = [
        (rf"^{official}\.features\.{number}\.", f"{own}.layer{stage}.{index}.")
        for stage, numbers in enumerate(_NUMBERED, start=1)
        for index, number in enumerate(numbers)
    ]
    return (*numbered, (rf"^{official}\.", f"{own}."))


class AlexNet(nn.Module):
    """Image (B, 3, H, W) to a list of one map (B, 256, h, w), stride 8: 127 pixels give 6 cells, 287 give 26."""

    TORCHVISION_WEIGHTS: typing.ClassVar[str | None] = None

    def __init__(self) -> None:
        super().__init__()
        channels_in = 3
        for number, (channels, kernel, stride, pooled, rectified) in enumerate(STAGES, start=1):
            layers: list[nn.Module] = [nn.Conv2d(channels_in, channels, kernel, stride), nn.BatchNorm2d(channels)]
            layers += [nn.MaxPool2d(3, 2)] if pooled else []
            layers += [nn.ReLU(inplace=True)] if rectified else []
            self.add_module(f"layer{number}", nn.Sequential(*layers))
            channels_in = channels

    def forward(self, image_bgr: torch.Tensor) -> list[torch.Tensor]:
        x = image_bgr
        for stage in self.children():
            x = stage(x)
        return [x]

    def imagenet_state(self, state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return the authors' ImageNet weights as a state of this backbone."""
        return rename_imagenet(state, alexnet_keys)
