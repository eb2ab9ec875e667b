# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The network of SiamMask (Wang et al. 2019): region proposals, and a mask for the cell that is chosen."""

import typing
from collections.abc import Callable, Sequence

import torch
from torch import nn
from torch.nn import functional

from siam_tracker_ros.core.network import Network, Self, State, graph
from siam_tracker_ros.core.stage import stage
from siam_tracker_ros.layers.resnet import ResNet50, backbone_keys
from siam_tracker_ros.methods.siamrpn.network import TEMPLATE_CELLS, crop_template, make_neck, neck_keys
from siam_tracker_ros.methods.siamrpn.rpn import HEAD_KEYS, CorrelationHead, Kernels, RegionProposals, rpn_keys

WIDTH = 256
COARSE_SIDE = 63  # pixels of a mask without refinement
SEED_SIDE = 15

# Channels at each scale, the finest first: the backbone's, the reduced ones between two convolutions, the merged ones.
LATERAL = ((64, 16, 4), (256, 64, 16), (512, 128, 32))
PASSED_ON = (1, 4, 16)  # channels from each scale to the next finer one
SCALE_SIDES = (61, 31, 15)  # pixels of the patch at each scale
REFINED_SIDES = (127, 61, 31)  # pixels of the output of each scale

Index = typing.TypeVar("Index", int, torch.Tensor)
Cut = Callable[[torch.Tensor, Index, Index, int], torch.Tensor]  # a map, first row and column, side


class Template(typing.NamedTuple):
    """Kernels of a target.

    Attributes:
        proposals: kernels of the region proposals.
        mask: kernel (B, 256, 5, 5) of the mask head.
    """

    proposals: Kernels
    mask: torch.Tensor


class Response(typing.NamedTuple):
    """Output for a search region.

    Attributes:
        logits: (B, 10, 25, 25), see `rpn`.
        offsets: (B, 20, 25, 25).
        features: maps of 64, 256 and 512 channels from the backbone and of 256 from the neck, for the mask.
    """

    logits: torch.Tensor
    offsets: torch.Tensor
    features: tuple[torch.Tensor, ...]


class Refinement(nn.Module):
    """Refines the response of one cell to a mask of 127 x 127 with the backbone's finer features.

    A patch of the search region around the cell is merged in at three scales, the coarsest first.
    """

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__()
        self.seed = nn.ConvTranspose2d(width, LATERAL[-1][-1], SEED_SIDE, SEED_SIDE)
        self.lateral = nn.ModuleList(_two_convolutions(*channels) for channels in LATERAL)
        self.vertical = nn.ModuleList(_two_convolutions(*[channels[-1]] * 3) for channels in LATERAL)
        self.merge = nn.ModuleList(
            nn.Conv2d(channels[-1], onward, 3, padding=1) for channels, onward in zip(LATERAL, PASSED_ON, strict=True)
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_uniform_(module.weight, a=1)  # as the authors do; it matters, as there are no norms

    def forward(self, patches: Sequence[torch.Tensor], response: torch.Tensor) -> torch.Tensor:
        """Logits (B, 1, 127, 127) from a cell's patches of three feature maps and its response (B, 256, 1, 1)."""
        x = self.seed(response)  # (B, 32, 15, 15)
        for scale in (2, 1, 0):
            x = self.vertical[scale](x) + self.lateral[scale](patches[scale])
            x = self.merge[scale](functional.interpolate(x, size=(REFINED_SIDES[scale],) * 2))
        return x


def _two_convolutions(channels_in: int, channels: int, channels_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(channels, channels_out, 3, padding=1),
        nn.ReLU(inplace=True),
    )


def cut_patches(features: Sequence[torch.Tensor], row: Index, column: Index, cut: Cut[Index]) -> list[torch.Tensor]:
    """Patches (B, C, side, side) of three feature maps around a cell, the finest first, which are refined with.

    Args:
        features: maps (B, C, H, W).
        row, column: the cell, as numbers or as tensors.
        cut: cuts a square out of a map, such as `cut_square`.
    """
    steps = [2 ** (2 - scale) for scale in range(len(SCALE_SIDES))]  # cells of a map per cell of the response
    margins = [4 * step for step in steps]
    return [
        cut(map, row * step - margin, column * step - margin, side)
        for map, step, margin, side in zip(features, steps, margins, SCALE_SIDES, strict=True)
    ]


def cut_square(features: torch.Tensor, top: int, left: int, side: int) -> torch.Tensor:
    """The square (B, C, side, side) of features (B, C, H, W) whose first cell is (top, left).

    It is zero outside of the features; the square alone is padded.
    """
    bottom, right = top + side, left + side
    height, width = features.shape[2:]
    inside = features[:, :, max(0, top) : bottom, max(0, left) : right]
    return functional.pad(inside, (max(0, -left), max(0, right - width), max(0, -top), max(0, bottom - height)))


class SiamMask(Network):
    """ResNet-50 up to its third stage, a neck, region proposals and masks, with refinement if the checkpoint has it.

    `encode_template` runs once per target, `forward` once per frame, `mask` for the chosen cell. Images are BGR,
    0..255.
    """

    KEY_RULES = (
        *backbone_keys("features.features"),
        *backbone_keys("backbone"),
        *neck_keys("features"),
        *neck_keys("neck"),
        *rpn_keys("rpn_model"),
        *rpn_keys("rpn_head"),
        (r"^mask_model\.mask\.", "mask_head."),
        (r"^refine_model\.", "refine_head."),
        (r"^mask_head\.", "coarse."),
        (r"^refine_head\.deconv\.", "refinement.seed."),
        (r"^refine_head\.v(\d)\.", r"refinement.lateral.\1."),
        (r"^refine_head\.h(\d)\.", r"refinement.vertical.\1."),
        *((rf"^refine_head\.post{2 - scale}\.", f"refinement.merge.{scale}.") for scale in range(3)),
        *HEAD_KEYS,
    )
    REFINED = True  # without a checkpoint

    def __init__(self, refined: bool | None = None, width: int = WIDTH) -> None:
        super().__init__()
        self.backbone = ResNet50(stages=3)
        self.neck = nn.ModuleList(make_neck([1024], [width]))
        self.rpn = RegionProposals([width], False)
        self.coarse = CorrelationHead(width, COARSE_SIDE**2)
        self.refinement = Refinement(width) if (self.REFINED if refined is None else refined) else None

    @classmethod
    def for_state(cls: Callable[..., Self], state: State) -> Self:
        return cls(any(name.startswith("refinement.") for name in state)) if state else cls()

    @graph("backbone", lambda network: ((1, 3, None, None),))
    def features(self, image_bgr: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Maps of 64, 256 and 512 channels from the backbone, and of 256 from the neck."""
        *fine, last = self.backbone(image_bgr)
        return (*fine, self.neck[0](last))

    def encode_template(self, image_bgr: torch.Tensor) -> Template:
        """Return the Template of crops (B, 3, 127, 127)."""
        features = crop_template(self.features(image_bgr)[-1])  # (B, 256, 7, 7)
        return Template(self.rpn.encode_template([features]), self.coarse.encode_template(features))

    def forward(self, image_bgr: torch.Tensor, template: Template) -> Response:
        """Return the Response of search crops (B, 3, 255, 255) to a Template."""
        features = self.features(image_bgr)
        (kernels,) = template.proposals
        return Response(*self.propose(features[-1], *kernels), features)

    @graph(
        "head", lambda network: ((1, network.coarse.channels, None, None), *network.rpn.kernel_shapes(TEMPLATE_CELLS))
    )
    def propose(
        self, features: torch.Tensor, classification_kernel: torch.Tensor, regression_kernel: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits and offsets of a Response, from the neck's features and the kernels of the proposals."""
        return self.rpn([features], [(classification_kernel, regression_kernel)])

    @stage("head")
    def mask(self, response: Response, template: Template, row: int, column: int) -> torch.Tensor:
        """Logits (B, side, side) of the mask for the window of 127 pixels at one cell.

        The side is 127 with refinement and 63 without. The mask head is computed for this cell alone; the authors' code
        computes it for all cells and discards most masks.
        """
        return self.mask_around(response.features, template.mask, row, column, cut_square)

    def mask_around(
        self, features: Sequence[torch.Tensor], kernel: torch.Tensor, row: Index, column: Index, cut: Cut[Index]
    ) -> torch.Tensor:
        """The same from the features of a Response, the mask's kernel and a cell; see `cut_patches`."""
        *fine, last = features
        cell = self.coarse.correlate(cut(last, row, column, TEMPLATE_CELLS), kernel)  # (B, 256, 1, 1)
        if self.refinement is None:
            return self.coarse.predict(cell).reshape(-1, COARSE_SIDE, COARSE_SIDE)
        return self.refinement(cut_patches(fine, row, column, cut), cell)[:, 0]


class SiamMaskBase(SiamMask):
    """The same without refinement, unless the checkpoint has it."""

    REFINED = False
