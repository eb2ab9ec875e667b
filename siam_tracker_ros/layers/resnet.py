# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""ResNet-50 as the Siamese trackers changed it: stride 8, dilated last stages (SiamRPN++, Li et al. 2019, section 3.2).

Differences from the usual ResNet-50: the first convolution and every strided 3x3 are not padded, the shortcuts of the
later stages are 3x3, and the first block of a dilated stage has half the dilation of the others.
"""

import typing
from collections.abc import Mapping

import torch
from torch import nn

from siam_tracker_ros.layers.backbone import KeyRules, rename_imagenet
from siam_tracker_ros.layers.blocks import ConvNorm
from siam_tracker_ros.layers.imagenet import IMAGENET_MEAN_RGB, IMAGENET_STD_RGB

STAGES = (  # channels inside a block, blocks, stride of the first block, dilation
    (64, 3, 1, 1),
    (128, 4, 2, 1),
    (256, 6, 1, 2),
    (512, 3, 1, 4),
)
EXPANSION = 4

# From the names that PySOT, SiamMask, TracKit and SOTS use inside a backbone to ours.
BLOCK_KEYS = tuple(
    (rf"((?:layer\d|layeronline)\.\d+)\.{official}\.", rf"\1.{own}.")
    for official, own in (
        ("conv1", "reduce.0"),
        ("bn1", "reduce.1"),
        ("conv2", "spatial.0"),
        ("bn2", "spatial.1"),
        ("conv3", "expand.0"),
        ("bn3", "expand.1"),
        ("downsample", "shortcut"),
    )
)


def backbone_keys(official: str, own: str = "backbone") -> KeyRules:
    """Renaming rules for the backbone that checkpoints call `official`."""
    prefix = official.replace(".", r"\.")
    return (
        (rf"^{prefix}\.conv1\.", f"{own}.stem.0."),
        (rf"^{prefix}\.bn1\.", f"{own}.stem.1."),
        (rf"^{prefix}\.", f"{own}."),
        *BLOCK_KEYS,
    )


class Bottleneck(nn.Module):
    """Reduce 1x1, filter 3x3, expand 1x1, and a shortcut."""

    def __init__(
        self, channels_in: int, channels: int, stride: int = 1, dilation: int = 1, shortcut_kernel: int | None = None
    ) -> None:
        super().__init__()
        padding = dilation if stride == 1 else 0
        self.reduce = ConvNorm(channels_in, channels)
        self.spatial = ConvNorm(channels, channels, 3, stride, padding, dilation)
        self.expand = ConvNorm(channels, channels * EXPANSION, relu=None)
        self.shortcut: nn.Module = nn.Identity()
        if shortcut_kernel:
            padding = padding if shortcut_kernel > 1 else 0
            dilation = dilation if shortcut_kernel > 1 else 1
            self.shortcut = ConvNorm(
                channels_in, channels * EXPANSION, shortcut_kernel, stride, padding, dilation, relu=None
            )
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.relu(self.expand(self.spatial(self.reduce(x))) + self.shortcut(x))


def make_stage(channels_in: int, channels: int, blocks: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    """A stage of bottlenecks; the shortcut of the first stage is 1x1, those of the others are 3x3."""
    first = Bottleneck(channels_in, channels, stride, max(1, dilation // 2), 1 if channels == STAGES[0][0] else 3)
    rest = [Bottleneck(channels * EXPANSION, channels, 1, dilation) for _ in range(blocks - 1)]
    return nn.Sequential(first, *rest)


class ResNet50(nn.Module):
    """Image (B, 3, H, W) to a list of features: stem (64 channels, stride 2), then a map for each stage.

    Stages have 256 (stride 4), 512, 1024 and 2048 channels (stride 8). An image of 127 pixels gives maps of 61, 31,
    15, 15 and 15 cells, one of 255 pixels 125, 63, 31, 31 and 31.
    """

    TORCHVISION_WEIGHTS: typing.ClassVar[str | None] = "ResNet50_Weights.IMAGENET1K_V1"

    layer1: nn.Sequential
    layer2: nn.Sequential

    def __init__(self, stages: int = 4) -> None:
        super().__init__()
        self.stem = ConvNorm(3, 64, 7, 2)
        self.pool = nn.MaxPool2d(3, 2, 1)
        channels_in = 64
        for number, (channels, blocks, stride, dilation) in enumerate(STAGES[:stages], start=1):
            self.add_module(f"layer{number}", make_stage(channels_in, channels, blocks, stride, dilation))
            channels_in = channels * EXPANSION
        self.stages = stages

    def forward(self, image_bgr: torch.Tensor) -> list[torch.Tensor]:
        features = [self.stem(image_bgr)]
        x = self.pool(features[0])
        for number in range(1, self.stages + 1):
            x = getattr(self, f"layer{number}")(x)
            features.append(x)
        return features

    def imagenet_state(self, state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return ImageNet weights, in torchvision's or the authors' names, as a state of this backbone.

        Torchvision's network takes other inputs, so its first layer is adapted: apart from padding and dilation, the
        same image gives the same features.
        """
        if _is_torchvisions(state) and "conv1.weight" in state:
            state = {**state, **_for_raw_bgr(state)}
        return rename_imagenet(state, backbone_keys)


def _is_torchvisions(state: Mapping[str, torch.Tensor]) -> bool:
    """True for torchvision's weights: their shortcuts are 1 x 1, those of the authors' files are 3 x 3."""
    shortcut = state.get("layer2.0.downsample.0.weight")
    return shortcut is not None and shortcut.shape[2:] == (1, 1)


def _for_raw_bgr(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The first layer for BGR in 0..255, equal to the given one for normalized RGB; it is not padded."""
    kernel, mean, std = state["conv1.weight"], torch.tensor(IMAGENET_MEAN_RGB), torch.tensor(IMAGENET_STD_RGB)
    kernel = kernel / std[:, None, None]
    constant = (kernel * mean[:, None, None]).sum((1, 2, 3))
    return {
        "conv1.weight": (kernel / 255).flip(1),
        "bn1.running_mean": state["bn1.running_mean"] + constant,
    }
