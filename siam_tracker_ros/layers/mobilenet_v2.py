# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""MobileNetV2 (Sandler et al. 2018, table 2): the backbone of `lite` and the wider one of SiamRPN++.

The backbone of `lite` ends at stride 16. Its batch norms are folded into the convolutions: it trains as with frozen
norms, and needs no fusing before inference. The backbone of SiamRPN++ has stride 8, norms, dilated last stages and no
padding in strided layers.
"""

import typing
from collections.abc import Iterable, Mapping

import torch
from torch import nn

from siam_tracker_ros.layers.backbone import KeyRules, rename_imagenet
from siam_tracker_ros.layers.blocks import ConvNorm, DepthwiseConv

CHANNELS = 96
MIDDLE_CHANNELS = 32
FINE_CHANNELS = 24
STRIDE = 16
STAGES = (  # expansion, channels, blocks, stride of the first block
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
)

NORM_EPS = 1e-5

WIDE_STEM = 44
WIDE_STAGES = (  # expansion, channels, blocks, stride and dilation of the first block, dilation of the others
    (1, 22, 1, 1, 1, 1),
    (6, 33, 2, 2, 1, 1),
    (6, 44, 3, 2, 1, 1),
    (6, 89, 4, 1, 1, 2),
    (6, 134, 3, 1, 2, 2),
    (6, 224, 3, 1, 2, 4),
    (6, 448, 1, 1, 4, 4),
)

# From PySOT's names inside a backbone to ours.
_BLOCK_KEYS = tuple(
    (rf"(layer[1-7]\.\d+)\.conv\.{official}\.", rf"\1.layers.{own}.")
    for official, own in ((0, "0.0"), (1, "0.1"), (3, "1.0"), (4, "1.1"), (6, "2.0"), (7, "2.1"))
)


def wide_mobilenet_keys(official: str, own: str = "backbone") -> KeyRules:
    """Renaming rules for the wide backbone that checkpoints call `official`."""
    return ((rf"^{official}\.", f"{own}."), *_BLOCK_KEYS)


class Residual(nn.Module):
    """Layers, with a shortcut where the shapes allow it."""

    def __init__(self, layers: Iterable[nn.Module], shortcut: bool) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.shortcut = shortcut

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.layers(x) if self.shortcut else self.layers(x)


class InvertedResidual(Residual):
    """Expand 1x1, filter depth-wise 3x3, project 1x1; norms are folded.

    While it is frozen in training on a CPU, each convolution and its activation are one operation, oneDNN's, which
    torch.compile uses as well: an activation alone takes as long as a convolution, since it waits for memory.
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int, expansion: int) -> None:
        hidden = channels_in * expansion
        layers: list[nn.Module] = []
        if expansion != 1:
            layers += [nn.Conv2d(channels_in, hidden, 1), nn.ReLU6(inplace=True)]
        layers += [DepthwiseConv(hidden, 3, stride), nn.ReLU6(inplace=True)]
        layers += [nn.Conv2d(hidden, channels_out, 1)]
        super().__init__(layers, stride == 1 and channels_in == channels_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        learns = x.requires_grad or any(weight.requires_grad for weight in self.parameters())
        if learns or not self.training or not _has_fused_convolutions(x):
            return super().forward(x)
        filtered = x
        layers = list(self.layers)
        for layer, following in zip(layers, [*layers[1:], None]):
            if isinstance(layer, nn.Conv2d):
                filtered = _convolve(filtered, layer, isinstance(following, nn.ReLU6))
        return x + filtered if self.shortcut else filtered


def _has_fused_convolutions(x: torch.Tensor) -> bool:
    if x.device.type != "cpu" or not torch.backends.mkldnn.is_available():
        return False
    return x.dtype == torch.float32 or (x.dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _convolve(x: torch.Tensor, layer: nn.Conv2d, relu6: bool) -> torch.Tensor:
    """Convolve, in the precision of x, and apply ReLU6."""
    weight, bias = layer.weight.to(x.dtype), typing.cast(torch.Tensor, layer.bias).to(x.dtype)
    shape = layer.padding, layer.stride, layer.dilation, layer.groups
    activation = ("hardtanh", [0.0, 6.0], "") if relu6 else ("none", [], "")
    return torch.ops.mkldnn._convolution_pointwise(x, weight, bias, *shape, *activation)


class WideInvertedResidual(Residual):
    """The same with norms, dilated, not padded where it strides, and with an expansion layer even for a factor of 1."""

    def __init__(self, channels_in: int, channels_out: int, stride: int, dilation: int, expansion: int) -> None:
        hidden = channels_in * expansion
        padding = dilation if stride == 1 else 0
        layers = [
            ConvNorm(channels_in, hidden, relu=nn.ReLU6),
            ConvNorm(hidden, hidden, 3, stride, padding, dilation, groups=hidden, relu=nn.ReLU6),
            ConvNorm(hidden, channels_out, relu=None),
        ]
        super().__init__(layers, stride == 1 and channels_in == channels_out)


class MobileNetV2Backbone(nn.Sequential):
    """Image (B, 3, H, W) to features (B, 96, H / 16, W / 16); sides must be multiples of 16."""

    TORCHVISION_WEIGHTS: typing.ClassVar[str | None] = "MobileNet_V2_Weights.IMAGENET1K_V1"
    FINE_BLOCKS, MIDDLE_BLOCKS = 4, 7  # blocks after which the stride is 4 and 8

    def __init__(self) -> None:
        blocks: list[nn.Module] = [nn.Sequential(nn.Conv2d(3, 32, 3, 2, 1), nn.ReLU6(inplace=True))]
        channels = 32
        for expansion, channels_out, count, stride in STAGES:
            for index in range(count):
                blocks.append(InvertedResidual(channels, channels_out, stride if index == 0 else 1, expansion))
                channels = channels_out
        super().__init__(*blocks)

    def pyramid(self, image_bgr: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Features of three strides: (B, 24, H / 4, W / 4), (B, 32, H / 8, W / 8) and (B, 96, H / 16, W / 16)."""
        x, on_the_way = image_bgr, []
        for number, block in enumerate(self, start=1):
            x = block(x)
            if number in (self.FINE_BLOCKS, self.MIDDLE_BLOCKS):
                on_the_way.append(x)
        return *on_the_way, x

    def imagenet_state(self, state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return torchvision's weights as a state of this backbone: convolutions for BGR with folded norms."""
        norms = {}
        for name in sorted(state, key=_by_number):  # files do not keep the layers' order
            folder, _, number = name.removesuffix(".weight").rpartition(".")
            norm = f"{folder}.{int(number) + 1}" if name.endswith(".weight") and number.isdecimal() else None
            if state[name].ndim == 4 and f"{norm}.running_var" in state:
                norms[name] = norm
        layers = [name for name, module in self.named_modules() if isinstance(module, nn.Conv2d)]
        folded = {}
        for index, (name, norm, layer) in enumerate(zip(norms, norms.values(), layers)):
            weight, bias, mean, variance = (
                state[f"{norm}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")
            )
            gain = weight / (variance + NORM_EPS).sqrt()
            kernel = state[name] * gain[:, None, None, None]
            folded[f"{layer}.weight"] = kernel.flip(1) if index == 0 else kernel
            folded[f"{layer}.bias"] = bias - mean * gain
        return folded


class WideMobileNetV2(nn.Module):
    """Image (B, 3, H, W) to a list of eight features: stem (44 channels, stride 2), then a map for each stage.

    Stages have 22, 33, 44 (stride 8), 89, 134, 224 and 448 channels: 1.4 times the usual width, rounded down. An image
    of 127 pixels gives 15 cells at stride 8, one of 255 pixels 31.
    """

    TORCHVISION_WEIGHTS: typing.ClassVar[str | None] = None

    def __init__(self) -> None:
        super().__init__()
        self.layer0 = ConvNorm(3, WIDE_STEM, 3, 2, relu=nn.ReLU6)
        channels = WIDE_STEM
        for number, (expansion, channels_out, count, stride, first, rest) in enumerate(WIDE_STAGES, start=1):
            blocks = [WideInvertedResidual(channels, channels_out, stride, first, expansion)]
            blocks += [WideInvertedResidual(channels_out, channels_out, 1, rest, expansion) for _ in range(count - 1)]
            self.add_module(f"layer{number}", nn.Sequential(*blocks))
            channels = channels_out

    def forward(self, image_bgr: torch.Tensor) -> list[torch.Tensor]:
        features = [image_bgr]
        for stage in self.children():
            features.append(stage(features[-1]))
        return features[1:]

    def imagenet_state(self, state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return the authors' ImageNet weights as a state of this backbone."""
        return rename_imagenet(state, wide_mobilenet_keys)


def _by_number(name: str) -> list[tuple[bool, int | str]]:
    return [(part.isdecimal(), int(part) if part.isdecimal() else part) for part in name.split(".")]
