# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The networks of SiamRPN++ (Li et al. 2019), with three backbones."""

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import nn

from siam_tracker_ros.core.network import Network, Self, State, graph
from siam_tracker_ros.layers.alexnet import CHANNELS as ALEXNET_CHANNELS
from siam_tracker_ros.layers.alexnet import AlexNet, alexnet_keys
from siam_tracker_ros.layers.backbone import KeyRules
from siam_tracker_ros.layers.blocks import ConvNorm
from siam_tracker_ros.layers.mobilenet_v2 import WideMobileNetV2, wide_mobilenet_keys
from siam_tracker_ros.layers.resnet import ResNet50, backbone_keys
from siam_tracker_ros.methods.siamrpn.rpn import HEAD_KEYS, Kernels, RegionProposals, rpn_keys

TEMPLATE_CELLS = 7  # cells of a template's features that the target fills


def neck_keys(official: str, own: str = "neck") -> KeyRules:
    """Renaming rules for the neck, of one level or several, that checkpoints call `official`."""
    levels = tuple((rf"^{official}\.downsample{level + 2}\.downsample\.", f"{own}.{level}.") for level in range(3))
    return (*levels, (rf"^{official}\.downsample\.downsample\.", f"{own}.0."))


def make_neck(channels: Sequence[int], widths: Sequence[int]) -> list[ConvNorm]:
    """A convolution 1x1 for each level, without ReLU."""
    return [ConvNorm(level, width, relu=None) for level, width in zip(channels, widths, strict=True)]


def crop_template(features: torch.Tensor) -> torch.Tensor:
    """The central 7 x 7 cells of template features (B, C, H, W), or all if there are fewer.

    The cells further out are affected by the padding of earlier layers.
    """
    top, left = (max(0, size - TEMPLATE_CELLS) // 2 for size in features.shape[2:])
    return features[:, :, top : top + TEMPLATE_CELLS, left : left + TEMPLATE_CELLS]


def selective_level(features: Sequence[torch.Tensor]) -> torch.Tensor:
    """The level, of one or three, that places are compared by.

    Of three it is the middle one. Our choice, not measured: earlier levels know textures rather than objects, later
    ones kinds of objects rather than one of a kind.
    """
    return features[len(features) // 2]


class SiamRPN(Network):
    """A backbone, a neck that narrows each level's features, and region proposals.

    `encode_template` runs once per target, `forward` once per frame. Images are BGR, 0..255.
    """

    template_cells = TEMPLATE_CELLS

    def __init__(
        self, backbone: nn.Module, levels: Sequence[int], neck: Iterable[nn.Module], rpn: RegionProposals
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.levels = levels
        self.neck = nn.ModuleList(neck)
        self.rpn = rpn

    @graph("backbone", lambda network: ((1, 3, None, None),))
    def features(self, image_bgr: torch.Tensor) -> Sequence[torch.Tensor]:
        """One map for each level, (B, its width, H / 8, W / 8)."""
        features = self.backbone(image_bgr)
        return [narrow(features[level]) for narrow, level in zip(self.neck, self.levels, strict=True)]

    def encode_template(self, image_bgr: torch.Tensor) -> Kernels:
        """Kernels of the proposals from template crops (B, 3, 127, 127)."""
        return self.rpn.encode_template([crop_template(feature) for feature in self.features(image_bgr)])

    def forward(self, image_bgr: torch.Tensor, kernels: Kernels) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits (B, 10, S, S) and offsets (B, 20, S, S) of search crops (B, 3, side, side); see `rpn`."""
        return self.propose(self.features(image_bgr), kernels)

    def propose(self, features: Sequence[torch.Tensor], kernels: Kernels) -> tuple[torch.Tensor, torch.Tensor]:
        """The same from the `features` of the search crops."""
        return self.respond(*features, *(kernel for pair in kernels for kernel in pair))

    @graph("head", lambda network: network.respond_shapes())
    def respond(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The same from one map of features per level, followed by two kernels per level."""
        count = len(self.levels)
        features, kernels = tensors[:count], tensors[count:]
        return self.rpn(features, list(zip(kernels[::2], kernels[1::2], strict=True)))

    def respond_shapes(self) -> list[tuple[int | None, ...]]:
        """Shapes of the arguments of `respond`."""
        kernels = self.rpn.kernel_shapes(self.template_cells)
        return [*((1, channels, None, None) for _, channels, *_ in kernels[::2]), *kernels]


class SiamRPNAlex(SiamRPN):
    """With AlexNet, one level and no neck; a search region of 287 pixels gives S = 21."""

    template_cells = 6
    KEY_RULES = (*alexnet_keys("backbone"), *rpn_keys("rpn_head"), *HEAD_KEYS)

    def __init__(self) -> None:
        super().__init__(AlexNet(), (0,), [nn.Identity()], RegionProposals([ALEXNET_CHANNELS], False))


class MultiLevelSiamRPN(SiamRPN):
    """With three levels. A checkpoint determines the width of each, and whether their average has learned weights."""

    def __init__(
        self,
        backbone: nn.Module,
        levels: Sequence[int],
        channels: Sequence[int],
        widths: Sequence[int],
        weighted: bool,
    ) -> None:
        super().__init__(backbone, levels, make_neck(channels, widths), RegionProposals(widths, weighted))

    @classmethod  # the subclasses have constructors of their own, with widths and weighted
    def for_state(cls: Callable[..., Self], state: State) -> Self:
        narrowed = [f"neck.{level}.0.weight" for level in range(3)]
        if not all(name in state for name in narrowed):
            return cls()
        return cls(tuple(state[name].shape[0] for name in narrowed), "rpn.classification_weight" in state)


class SiamRPNMobileNetV2(MultiLevelSiamRPN):
    """With the wide MobileNetV2; a search region of 255 pixels gives S = 25, one of 831 gives 97."""

    KEY_RULES = (*wide_mobilenet_keys("backbone"), *neck_keys("neck"), *rpn_keys("rpn_head"), *HEAD_KEYS)

    def __init__(self, widths: Sequence[int] = (256, 256, 256), weighted: bool = False) -> None:
        super().__init__(WideMobileNetV2(), (3, 5, 7), (44, 134, 448), widths, weighted)


class SiamRPNResNet50(MultiLevelSiamRPN):
    """With ResNet-50; a search region of 255 pixels gives S = 25, one of 831 gives 97."""

    KEY_RULES = (*backbone_keys("backbone"), *neck_keys("neck"), *rpn_keys("rpn_head"), *HEAD_KEYS)

    def __init__(self, widths: Sequence[int] = (256, 256, 256), weighted: bool = True) -> None:
        super().__init__(ResNet50(), (2, 3, 4), (512, 1024, 2048), widths, weighted)


class SiamRPNResNet50Otb(SiamRPNResNet50):
    """The same as its authors trained it for OTB, with the plain average of the levels."""

    def __init__(self, widths: Sequence[int] = (256, 256, 256), weighted: bool = False) -> None:
        super().__init__(widths, weighted)


class SiamRPNResNet50LongTerm(SiamRPNResNet50):
    """The same with the widths of the authors' long-term checkpoint."""

    def __init__(self, widths: Sequence[int] = (128, 256, 512), weighted: bool = True) -> None:
        super().__init__(widths, weighted)
