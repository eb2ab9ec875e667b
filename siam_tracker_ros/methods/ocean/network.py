# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The network of Ocean (Zhang et al., ECCV 2020) as released: anchor-free boxes, dilated encoders, alignment head.

The network follows the released code where it differs from the paper: the three correlations of a branch are mixed
with learned softmax weights, and the object-aware head reads the regression tower.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence

import torch
from torch import nn

from siam_tracker_ros.core.crop import TEMPLATE_SIDE
from siam_tracker_ros.core.network import Network, Self, State, graph
from siam_tracker_ros.layers.backbone import KeyRules
from siam_tracker_ros.layers.blocks import ConvNorm
from siam_tracker_ros.layers.correlation import depthwise_correlation
from siam_tracker_ros.layers.deformable import DeformableConv3x3
from siam_tracker_ros.layers.resnet import ResNet50, backbone_keys

STRIDE = 8  # pixels of a search crop per cell
CHANNELS = 256
TEMPLATE_CELLS = 7  # cells of a template's features
TEMPLATE_MARGIN = 4  # cells cut from each side of the template's 15 x 15, which leaves its centre
DILATIONS = ((1, 1), (2, 1), (1, 2))  # rows, columns
TOWER_BLOCKS = 4
MAX_EXPONENT = 80.0  # of a box side; it keeps sizes finite, and no frame is that large

# From TracKit's and SOTS's names to ours.
_HEAD = r"^(?:connect_model|head)\."
HEAD_KEYS: KeyRules = (
    (_HEAD + r"cls_dw\.weight$", "classification_encoder.mixing"),
    (_HEAD + r"reg_dw\.weight$", "regression_encoder.mixing"),
    *(
        (_HEAD + rf"{official}_encode\.{matrix}_{role}\.", f"{own}_encoder.{own_role}.{index}.")
        for official, own in (("cls", "classification"), ("reg", "regression"))
        for index, matrix in enumerate(("matrix11", "matrix12", "matrix21"))
        for role, own_role in (("k", "template"), ("s", "search"))
    ),
    *(
        (_HEAD + rf"{official}_tower\.{3 * block + layer}\.", f"{own}_tower.{block}.{layer}.")
        for official, own in (("cls", "classification"), ("bbox", "regression"))
        for block in range(TOWER_BLOCKS)
        for layer in range(2)
    ),
    (_HEAD + r"cls_pred\.", "classification."),
    (_HEAD + r"bbox_pred\.", "box."),
    (_HEAD + r"adjust$", "box_scale"),
    (_HEAD + r"bias$", "box_bias"),
)


@dataclasses.dataclass(frozen=True)
class Template:
    """Kernels of a target, which slide over each search region.

    Attributes:
        classification, regression: three kernels each, (B, 256, 5, 5), (B, 256, 3, 5) and (B, 256, 5, 3).
    """

    classification: tuple[torch.Tensor, ...]
    regression: tuple[torch.Tensor, ...]


@dataclasses.dataclass(frozen=True)
class Response:
    """Output of the head for the S x S cells of the search region; S = 25 for 255 pixels, 27 for 271.

    Attributes:
        classification: (B, 1, S, S), logit of "the target is here" from the usual grid of samples.
        box_ltrb: (B, 4, S, S), distances from the cell's pixel to the box's left, top, right and bottom side in pixels
            of the search crop, all positive; see `cell_pixels`.
        alignment: (B, 1, S, S), the same logit from samples that span the cell's box, or None.
    """

    classification: torch.Tensor
    box_ltrb: torch.Tensor
    alignment: torch.Tensor | None = None


def response_cells(search_side: int) -> int:
    """Cells S along a side of the response to a search crop of `search_side` pixels."""
    return (search_side - TEMPLATE_SIDE) // STRIDE + 9


def cell_pixels(cells: int, device: torch.device | None = None) -> torch.Tensor:
    """Positions (S,) of cells 0..S-1 along an axis, in pixels of the search crop from its middle pixel, side // 2."""
    return (torch.arange(cells, device=device) - cells // 2) * STRIDE


def at_least_float32(x: torch.Tensor) -> torch.Tensor:
    """The tensor in float32, or as it is if it is more precise; boxes need it."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def make_tower(channels: int = CHANNELS, blocks: int = TOWER_BLOCKS) -> nn.Sequential:
    """A stack of 3x3 convolutions that keeps the size of a map."""
    return nn.Sequential(*(ConvNorm(channels, channels, 3, padding=1, bias=True) for _ in range(blocks)))


class DilatedEncoder(nn.Module):
    """Three correlations of template and search region, dilated along no axis, rows and columns, and their mix."""

    def __init__(self, channels: int = CHANNELS) -> None:
        super().__init__()
        self.template, self.search = (
            nn.ModuleList(ConvNorm(channels, channels, 3, dilation=dilation) for dilation in DILATIONS)
            for _ in range(2)
        )
        self.mixing = nn.Parameter(torch.ones(len(DILATIONS)))

    def encode_template(self, features: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Kernels of template features (B, 256, 7, 7), each times its share in the mix."""
        shares = self.mixing.softmax(0)
        return tuple(share * encode(features) for share, encode in zip(shares, self.template, strict=True))

    def forward(self, features: torch.Tensor, kernels: Sequence[torch.Tensor]) -> torch.Tensor:
        """Correlation (B, 256, H - 6, W - 6) of search features (B, 256, H, W) with the template's kernels."""
        correlations = [
            depthwise_correlation(encode(features), kernel) for encode, kernel in zip(self.search, kernels, strict=True)
        ]
        return functools.reduce(torch.add, correlations)


class AlignmentHead(nn.Module):
    """Classifies each cell by the content of its box: a 3x3 convolution whose taps span the box."""

    def __init__(self, channels: int = CHANNELS) -> None:
        super().__init__()
        self.deformable = DeformableConv3x3(channels, channels)
        self.classification = nn.Conv2d(channels, 1, 1)

    def forward(self, features: torch.Tensor, box_ltrb: torch.Tensor, search_side: int) -> torch.Tensor:
        """Logits (B, 1, S, S) of features (B, 256, S, S) and boxes (B, 4, S, S) in a search crop of that side."""
        offset = alignment_offset(box_ltrb, search_side)
        return self.classification(torch.relu(self.deformable(features, offset)))


def alignment_offset(box_ltrb: torch.Tensor, search_side: int) -> torch.Tensor:
    """Offsets (B, 18, S, S) in cells, dy, dx of nine taps, that spread a 3x3 kernel over each cell's box.

    The box's centre counts from the exact middle of the crop, the cells from its middle pixel. For an odd side, the
    released code, and so this one, samples 1/16 cell up and left.
    """
    left, top, right, bottom = box_ltrb.unbind(1)  # (B, S, S) each
    middle = search_side / 2 - search_side // 2
    center = torch.stack([bottom - top, right - left], 1) / 2 - middle  # (B, 2, S, S), y and x
    reach = (torch.stack([bottom + top, right + left], 1) + 1) / STRIDE / 2 - 1  # cells beyond a tap's usual place
    tap = torch.arange(-1, 2, device=box_ltrb.device, dtype=box_ltrb.dtype)
    tap = torch.stack(torch.meshgrid(tap, tap, indexing="ij"), -1).reshape(9, 2, 1, 1)
    return (center[:, None] / STRIDE + tap * reach[:, None]).flatten(1, 2)


class AnchorFreeNetwork(Network):
    """A backbone and a neck, for heads that predict one box per cell. Images are BGR, 0..255, any float type.

    Attributes:
        backbone: ResNet50 of three stages, stride 8, 1024 channels.
        neck: narrows its last features.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.backbone = ResNet50(stages=3)
        self.neck = ConvNorm(1024, channels, relu=None)

    @graph("backbone", lambda network: ((1, 3, None, None),))
    def features(self, image_bgr: torch.Tensor) -> torch.Tensor:
        """The neck's features (B, 256, H / 8, W / 8)."""
        return self.neck(self.backbone(image_bgr)[-1])

    def template_features(self, image_bgr: torch.Tensor) -> torch.Tensor:
        """The central features (B, 256, 7, 7) of template crops (B, 3, 127, 127)."""
        inside = slice(TEMPLATE_MARGIN, -TEMPLATE_MARGIN)
        return self.features(image_bgr)[..., inside, inside]


class OceanNetwork(AnchorFreeNetwork):
    """Finds a template in a search region.

    `encode_template` runs once per target, `forward` once per frame. Images are BGR, 0..255, any float type.

    Attributes:
        alignment: the object-aware head, or None.
    """

    KEY_RULES = (
        (r"^feature_extractor\.", ""),
        *backbone_keys("features.features"),
        *backbone_keys("backbone"),
        (r"^neck\.downsample\.", "neck."),
        *HEAD_KEYS,
        (r"^align_head\.rpn_conv\.conv\.", "alignment.deformable."),
        (r"^align_head\.rpn_cls\.", "alignment.classification."),
    )

    def __init__(self, align: bool = True, channels: int = CHANNELS) -> None:
        super().__init__(channels)
        self.classification_encoder = DilatedEncoder(channels)
        self.regression_encoder = DilatedEncoder(channels)
        self.classification_tower = make_tower(channels)
        self.regression_tower = make_tower(channels)
        self.classification = nn.Conv2d(channels, 1, 3, padding=1)
        self.box = nn.Conv2d(channels, 4, 3, padding=1)
        self.box_scale = nn.Parameter(torch.full((1,), 0.1))
        self.box_bias = nn.Parameter(torch.ones(1, 4, 1, 1))
        self.alignment = AlignmentHead(channels) if align else None

    @classmethod
    def for_state(cls: Callable[..., Self], state: State) -> Self:
        """Make the network with the alignment head, unless the state is from a network without."""
        return cls(align=not state or any(name.startswith("alignment.") for name in state))

    def encode_template(self, image_bgr: torch.Tensor) -> Template:
        """Return the Template of crops (B, 3, 127, 127)."""
        features = self.template_features(image_bgr)
        return Template(
            self.classification_encoder.encode_template(features), self.regression_encoder.encode_template(features)
        )

    def forward(self, image_bgr: torch.Tensor, template: Template, align: bool = True) -> Response:
        """Return the Response of search crops (B, 3, side, side) to a Template of batch size B or 1.

        align: whether to run the alignment head, if there is one.
        """
        return self.respond(self.features(image_bgr), template, image_bgr.shape[-1], align)

    def respond(self, features: torch.Tensor, template: Template, search_side: int, align: bool = True) -> Response:
        """Return the Response for the `features` (B, 256, H, W) of search crops of that side."""
        classification, box_ltrb, regression = self.head(features, *template.classification, *template.regression)
        alignment = None
        if align and self.alignment is not None:
            alignment = at_least_float32(self.alignment(regression, box_ltrb, search_side))
        return Response(classification, box_ltrb, alignment)

    @graph("head", lambda network: ((1, network.box.in_channels, None, None), *(2 * network.kernel_shapes())))
    def head(self, features: torch.Tensor, *kernels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return classification and box_ltrb of a Response, and the regression tower's features (B, 256, S, S).

        kernels: three of a Template's classification, then three of its regression.
        """
        regression = self.regression_tower(self.regression_encoder(features, kernels[3:]))
        exponent = at_least_float32(self.box_scale * self.box(regression) + self.box_bias)
        box_ltrb = exponent.clamp(-MAX_EXPONENT, MAX_EXPONENT).exp()
        tower = self.classification_tower(self.classification_encoder(features, kernels[:3]))
        return at_least_float32(0.1 * self.classification(tower)), box_ltrb, regression

    def kernel_shapes(self) -> list[tuple[int, int, int, int]]:
        """Shapes of the three kernels of a branch for one target."""
        channels = self.box.in_channels
        return [(1, channels, TEMPLATE_CELLS - 2 * rows, TEMPLATE_CELLS - 2 * columns) for rows, columns in DILATIONS]
