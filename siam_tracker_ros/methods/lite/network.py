# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The network of `lite`: a MobileNetV2 backbone, pixel-wise correlation, an anchor-free head and a mask branch.

It combines pixel-wise correlation (Alpha-Refine, Yan et al. 2021), one box per cell without anchors and a confidence
that is the product of classification and localization (SiamRCR, Peng et al. 2021), scores aligned with the box that
they judge (object-aware classification, Ocean, Zhang et al. 2020), and a mask refined with finer and finer features
(SiamMask, Wang et al. 2019).
"""

import dataclasses
import typing
from collections.abc import Mapping, Sequence

import torch
from torch import nn
from torch.nn import functional

from siam_tracker_ros.core.network import Network, Value, graph
from siam_tracker_ros.executors.executor import GraphInput
from siam_tracker_ros.layers.blocks import ConvNorm, DepthwiseConv
from siam_tracker_ros.layers.imagenet import IMAGENET_MEAN_RGB, IMAGENET_STD_RGB
from siam_tracker_ros.layers.mobilenet_v2 import FINE_CHANNELS, MIDDLE_CHANNELS, MobileNetV2Backbone
from siam_tracker_ros.methods.lite.looks import LOOK_CELLS, look_steps, look_weights, move_edges
from siam_tracker_ros.methods.lite.refinement import WIDTH, BoxRefinement
from siam_tracker_ros.methods.lite.shapes import (
    CHANNELS,
    FUSED_CHANNELS,
    SEARCH_CELLS,
    SEARCH_FACTOR,
    SEARCH_LOOKS,
    SEARCH_SIDE,
    TEMPLATE_CELLS,
    TEMPLATE_LOOKS,
    TEMPLATE_SIDE,
)

BGR_MEAN, BGR_STD = (
    tuple(255 * value for value in reversed(values)) for values in (IMAGENET_MEAN_RGB, IMAGENET_STD_RGB)
)


@dataclasses.dataclass(frozen=True)
class Template:
    """The head's inputs that are the same for all frames of a target.

    Attributes:
        kernels: (B, 64, 96), one correlation kernel per template cell.
        gate: (B, 96, 1, 1), weights of the search channels.
        extent: (B, 48, 16, 16), what lies in and around the target's box, see `BoxRefinement`.
    """

    kernels: torch.Tensor
    gate: torch.Tensor
    extent: torch.Tensor


@dataclasses.dataclass(frozen=True)
class Response:
    """Output of the head for the 16 x 16 cells of the search region, and inputs of the mask branch.

    Attributes:
        classification: (B, 1, 16, 16), logit of "the target's centre is here".
        localization: (B, 1, 16, 16), logit of the expected IoU of this cell's box.
        box_cxcywh: (B, 4, 16, 16), box in units of the search region's side, 0..1 from its top left corner.
        features: (B, 96, 16, 16), backbone features of the search region alone.
        fused: (B, 128, 16, 16), features of search region and template.
        middle, fine: (B, 32, 32, 32) and (B, 24, 64, 64), backbone features at strides 8 and 4.
    """

    classification: torch.Tensor
    localization: torch.Tensor
    box_cxcywh: torch.Tensor
    features: torch.Tensor
    fused: torch.Tensor
    middle: torch.Tensor
    fine: torch.Tensor


class SearchOutput(typing.NamedTuple):
    """What a tracker sees of a Response; the last four fields are those of it.

    Attributes:
        cells: (1, 5, 16, 16), confidence 0..1 and box_cxcywh of each cell.
    """

    cells: torch.Tensor
    features: torch.Tensor
    fused: torch.Tensor
    middle: torch.Tensor
    fine: torch.Tensor


class ChannelAttention(nn.Module):
    """Squeeze-and-excitation (Hu et al. 2018)."""

    def __init__(self, channels: int, reduction: int = 4) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, channels // reduction, 1)
        self.excite = nn.Conv2d(channels // reduction, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weights = self.excite(functional.relu(self.squeeze(x.mean((2, 3), keepdim=True))))
        return x * torch.sigmoid(weights)


class TowerBlock(nn.Module):
    """Depth-wise 5x5 and point-wise convolution with a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Sequential(DepthwiseConv(channels, 5, bias=False), nn.BatchNorm2d(channels), nn.ReLU(inplace=True)),
            ConvNorm(channels, channels, relu=None),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.relu(x + self.layers(x))


class AlignedScores(nn.Module):
    """Corrections of the two scores of a cell from 3x3 points spread over its box (after Ocean, section 3.3).

    Attributes:
        steps: (9, 1, 2), places of the points as x, y, from the box's centre in units of its size.
    """

    steps: torch.Tensor

    def __init__(self, channels: int, width: int = 32) -> None:
        super().__init__()
        self.reduce = ConvNorm(channels, width)
        self.judge = nn.Sequential(ConvNorm(9 * width, 2 * width), nn.Conv2d(2 * width, 2, 1))
        nn.init.zeros_(self.judge.get_parameter("1.weight"))
        nn.init.zeros_(self.judge.get_parameter("1.bias"))
        step = torch.tensor([-1.0, 0.0, 1.0]) / 3
        steps = torch.cartesian_prod(step, step).flip(1)  # (9, 2) as x, y
        self.register_buffer("steps", steps[:, None], persistent=False)

    def forward(self, fused: torch.Tensor, box_cxcywh: torch.Tensor) -> torch.Tensor:
        """Return the corrections (B, 2, 16, 16), which are added to the logits."""
        reduced = self.reduce(fused)  # (B, 32, 16, 16)
        box = box_cxcywh.detach().flatten(2).transpose(1, 2)[:, None]  # (B, 1, 256, 4)
        points = (box[..., :2] + self.steps * box[..., 2:]) * 2 - 1  # (B, 9, 256, 2), -1..1 for grid_sample
        seen = functional.grid_sample(reduced.to(points.dtype), points, align_corners=False)  # (B, 32, 9, 256)
        seen = seen.flatten(1, 2).unflatten(2, fused.shape[2:])  # (B, 288, 16, 16)
        return self.judge(seen.to(reduced.dtype))


class MaskBranch(nn.Module):
    """Predicts the mask of the object in a box, from coarse features to fine ones (after SiamMask's refinement)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.coarse = nn.Sequential(ConvNorm(channels + 1, 48), TowerBlock(48))
        self.middle = nn.Sequential(ConvNorm(48 + MIDDLE_CHANNELS + 1, 32), TowerBlock(32))
        self.fine = nn.Sequential(ConvNorm(32 + FINE_CHANNELS + 1, 24), TowerBlock(24))
        self.mask = nn.Conv2d(24, 4, 3, padding=1)

    def forward(
        self, fused: torch.Tensor, middle: torch.Tensor, fine: torch.Tensor, box_cxcywh: torch.Tensor
    ) -> torch.Tensor:
        """Return logits (B, 1, 128, 128) of the search region; box_cxcywh: (B, 4) in units of its side."""
        x = fused
        for stage, side_features in ((self.coarse, None), (self.middle, middle), (self.fine, fine)):
            if side_features is not None:
                x = torch.cat([functional.interpolate(x, scale_factor=2.0), side_features.to(x.dtype)], 1)
            x = stage(torch.cat([x, box_cover(box_cxcywh, x.shape[-1]).to(x.dtype)], 1))
        return functional.pixel_shuffle(self.mask(x), 2)


class LiteNetwork(Network):
    """Finds a template in a search region.

    `encode_template` runs once per target, `forward` once per frame, then `refined` for the box that was chosen, and
    `mask` if a mask is needed. Images are BGR, 0..255, any float type.

    Attributes:
        mean, std: (1, 3, 1, 1), BGR, 0..255.
        cell_centers: (1, 2, 16, 16), as x, y in units of the search region's side.
    """

    mean: torch.Tensor
    std: torch.Tensor
    cell_centers: torch.Tensor

    def __init__(self, width: int = FUSED_CHANNELS, tower_blocks: int = 3) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(BGR_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(BGR_STD).view(1, 3, 1, 1), persistent=False)
        self.backbone = MobileNetV2Backbone()
        self.inside = nn.Parameter(torch.zeros(1, CHANNELS, 1, 1))  # marks template cells that the box covers
        self.kernel = nn.Conv2d(CHANNELS, CHANNELS, 1)
        self.query = nn.Conv2d(CHANNELS, CHANNELS, 1)
        self.gate = nn.Linear(CHANNELS, CHANNELS)
        self.fuse = nn.Sequential(
            ConvNorm(TEMPLATE_CELLS**2 + CHANNELS, width), ChannelAttention(width), ConvNorm(width, width, 3, padding=1)
        )
        self.classification_tower = nn.Sequential(*(TowerBlock(width) for _ in range(tower_blocks)))
        self.box_tower = nn.Sequential(*(TowerBlock(width) for _ in range(tower_blocks)))
        self.classification = nn.Conv2d(width, 1, 1)
        self.localization = nn.Conv2d(width, 1, 1)
        self.box = nn.Conv2d(width, 4, 1)
        self.aligned = AlignedScores(width)
        self.refinement = BoxRefinement()
        self.mask_branch = MaskBranch(width)
        nn.init.normal_(self.box.weight, std=0.01)
        nn.init.zeros_(self.box.get_parameter("bias"))
        nn.init.constant_(self.classification.get_parameter("bias"), -4.0)  # few cells are the target's
        axis = (torch.arange(SEARCH_CELLS) + 0.5) / SEARCH_CELLS
        centers = torch.stack([axis.expand(SEARCH_CELLS, -1), axis[:, None].expand(-1, SEARCH_CELLS)])
        self.register_buffer("cell_centers", centers[None], persistent=False)

    @classmethod
    def own_state(cls, weights: Mapping[str, Value], what: str) -> dict[str, Value]:
        """See `Network`. To weights from before there was a refinement, one is added that moves nothing."""
        state = super().own_state(weights, what)
        if any(name.startswith("refinement.") for name in state):
            return state
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            added = {f"refinement.{name}": value for name, value in BoxRefinement().state_dict().items()}
        return state | typing.cast(dict[str, Value], added)

    def backbone_features(self, image_bgr: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Backbone features of images (B, 3, H, W) at strides 4, 8 and 16, see `MobileNetV2Backbone.pyramid`."""
        return self.backbone.pyramid((image_bgr - self.mean) / self.std)

    def encode_template(self, image_bgr: torch.Tensor, box_cxcywh: torch.Tensor) -> Template:
        """Return the Template of crops (B, 3, 128, 128).

        box_cxcywh: float32 (B, 4), the target's box in units of the crop's side.
        """
        weights = [look_weights_at(box_cxcywh, cells) for cells in TEMPLATE_LOOKS]
        return self._encode_template(image_bgr, box_cover(box_cxcywh), weights)

    def _encode_template(
        self, image_bgr: torch.Tensor, cover: torch.Tensor, weights: Sequence[torch.Tensor]
    ) -> Template:
        fine, middle, features = self.backbone_features(image_bgr)  # (B, 96, 8, 8) the last
        kernels = self.kernel(features + self.inside * cover).flatten(2).transpose(1, 2)  # (B, 64, 96)
        mean = (features * cover).sum((2, 3)) / cover.sum((2, 3)).clamp(min=1e-3)  # (B, 96)
        gate = 2 * torch.sigmoid(self.gate(mean))[..., None, None]
        extent = self.refinement.encode_template((middle, fine), weights)
        return Template(kernels / CHANNELS**0.5, gate, extent)

    def forward(self, image_bgr: torch.Tensor, template: Template) -> Response:
        """Return the Response of search crops (B, 3, 256, 256) to a Template of the same batch size."""
        fine, middle, features = self.backbone_features(image_bgr)
        classification, localization, box_cxcywh, fused = self.head(features, template.kernels, template.gate)
        return Response(classification, localization, box_cxcywh, features, fused, middle, fine)

    def head(
        self, features: torch.Tensor, kernels: torch.Tensor, gate: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return classification, localization, box_cxcywh and fused of a Response.

        features: (B, 96, 16, 16), backbone features of the search region; kernels, gate: of a Template.
        """
        query = self.query(features).flatten(2)  # (B, 96, 256)
        correlation = torch.bmm(kernels, query).unflatten(2, features.shape[2:])  # (B, 64, 16, 16)
        fused = self.fuse(torch.cat([correlation, features * gate], 1))  # (B, 128, 16, 16)
        classification, box = self.classification_tower(fused), self.box_tower(fused)
        offset, log_size = self.box(box).float().chunk(2, 1)  # cells; logarithm of the size over the usual one
        size = torch.exp(log_size.clamp(-4, 2)) / SEARCH_FACTOR
        box_cxcywh = torch.cat([self.cell_centers + offset / SEARCH_CELLS, size], 1)
        scores = torch.cat([self.classification(classification), self.localization(box)], 1).float()
        scores = scores + self.aligned(fused, box_cxcywh).float()
        return scores[:, :1], scores[:, 1:], box_cxcywh, fused

    def refined(self, response: Response, template: Template, box_cxcywh: torch.Tensor) -> torch.Tensor:
        """Return the box (B, 4) that fits better than one that was found in a Response.

        box_cxcywh: float32 (B, 4), in units of the search region's side; it gets no gradient.
        """
        box = box_cxcywh.detach()
        weights = [look_weights_at(box, cells) for cells in SEARCH_LOOKS]
        moves = self.refinement(response.fused, (response.middle, response.fine), weights, template.extent)
        return torch.cat(move_edges(box, moves), 1)

    def mask(self, response: Response, box_cxcywh: torch.Tensor) -> torch.Tensor:
        """Logits (B, 1, 128, 128) of "this belongs to the target" in the search region of a Response.

        box_cxcywh: (B, 4), the target's box in units of the search region's side.
        """
        return self.mask_branch(response.fused, response.middle, response.fine, box_cxcywh).float()

    @graph(
        "backbone",
        lambda network: (
            _crops("crop_bgr", 1, TEMPLATE_SIDE),
            GraphInput("box_cxcywh", (1, 4)),
            *_looks(("middle", "fine"), TEMPLATE_LOOKS),
        ),
    )
    def encode_target(
        self, crop_bgr: torch.Tensor, box_cxcywh: torch.Tensor, middle_weights: torch.Tensor, fine_weights: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Kernels, gate and extent of a Template.

        Args:
            crop_bgr: uint8 (1, 128, 128, 3).
            box_cxcywh: (1, 4), the target's box in it.
            middle_weights, fine_weights: of that box, see `look_weights`.
        """
        cover = box_cover(box_cxcywh).to(self.inside.dtype)
        template = self._encode_template(self._image(crop_bgr), cover, (middle_weights, fine_weights))
        return template.kernels, template.gate, template.extent

    @graph(
        "backbone",
        lambda network: (
            _crops("crop_bgr", 1, SEARCH_SIDE),
            GraphInput("kernels", (1, TEMPLATE_CELLS**2, CHANNELS)),
            GraphInput("gate", (1, CHANNELS, 1, 1)),
        ),
    )
    def search(self, crop_bgr: torch.Tensor, kernels: torch.Tensor, gate: torch.Tensor) -> SearchOutput:
        """Find a target in a search crop, uint8 (1, 256, 256, 3)."""
        fine, middle, features = self.backbone_features(self._image(crop_bgr))
        classification, localization, box_cxcywh, fused = self.head(features, kernels, gate)
        confidence = torch.sigmoid(classification) * torch.sigmoid(localization)
        return SearchOutput(torch.cat([confidence, box_cxcywh], 1), features, fused, middle, fine)

    @graph(
        "head",
        lambda network: (
            *_maps(),
            *_looks(("fused", "middle", "fine"), SEARCH_LOOKS),
            GraphInput("extent", (1, WIDTH, LOOK_CELLS, LOOK_CELLS)),
        ),
    )
    def refine(
        self,
        fused: torch.Tensor,
        middle: torch.Tensor,
        fine: torch.Tensor,
        fused_weights: torch.Tensor,
        middle_weights: torch.Tensor,
        fine_weights: torch.Tensor,
        extent: torch.Tensor,
    ) -> torch.Tensor:
        """How far the edges of a box move (1, 4), see `BoxRefinement`.

        Args:
            fused, middle, fine: of `search`.
            fused_weights, middle_weights, fine_weights: of the box, see `look_weights`.
            extent: of `encode_target`.
        """
        return self.refinement(fused, (middle, fine), (fused_weights, middle_weights, fine_weights), extent)

    @graph(
        "head",
        lambda network: (
            *_maps(),
            GraphInput("box_cxcywh", (1, 4)),
        ),
    )
    def segment(
        self, fused: torch.Tensor, middle: torch.Tensor, fine: torch.Tensor, box_cxcywh: torch.Tensor
    ) -> torch.Tensor:
        """Probability (1, 1, 128, 128) of "this belongs to the target", from what `search` returns and a box (1, 4)."""
        return torch.sigmoid(self.mask_branch(fused, middle, fine, box_cxcywh).float())

    @graph("backbone", lambda network: (_crops("crops_bgr", None, SEARCH_SIDE),))
    def encode(self, crops_bgr: torch.Tensor) -> torch.Tensor:
        """Backbone features (B, 96, 16, 16) of search crops, uint8 (B, 256, 256, 3)."""
        return self.backbone_features(self._image(crops_bgr))[-1]

    def _image(self, crops_bgr: torch.Tensor) -> torch.Tensor:
        """Crops, uint8 (B, H, W, 3), as the input (B, 3, H, W)."""
        return crops_bgr.permute(0, 3, 1, 2).to(self.inside.dtype)


def look_weights_at(box_cxcywh: torch.Tensor, cells: int) -> torch.Tensor:
    """Weights (B, 2, 16, cells) of boxes (B, 4), see `look_weights`."""
    steps, cells_of_map = (torch.arange(count, device=box_cxcywh.device) for count in (LOOK_CELLS, cells))
    return look_weights(box_cxcywh, look_steps(steps), cells_of_map)


def _maps() -> list[GraphInput]:
    """What `search` returns for `refine` and `segment`."""
    channels = {"fused": FUSED_CHANNELS, "middle": MIDDLE_CHANNELS, "fine": FINE_CHANNELS}
    return [
        GraphInput(name, (1, number, cells, cells)) for (name, number), cells in zip(channels.items(), SEARCH_LOOKS)
    ]


def _looks(names: Sequence[str], cells: Sequence[int]) -> list[GraphInput]:
    return [GraphInput(f"{name}_weights", (1, 2, LOOK_CELLS, count)) for name, count in zip(names, cells)]


def _crops(name: str, count: int | None, side: int) -> GraphInput:
    return GraphInput(name, (count, side, side, 3), "uint8")


def box_cover(box_cxcywh: torch.Tensor, cells: int = TEMPLATE_CELLS) -> torch.Tensor:
    """Share (B, 1, cells, cells) of each cell of a crop that is covered by boxes (B, 4) in units of the crop's side."""
    edges = torch.arange(cells + 1, device=box_cxcywh.device) / cells  # (cells + 1,)
    low = (box_cxcywh[:, :2] - box_cxcywh[:, 2:] / 2)[..., None]  # (B, 2, 1)
    high = (box_cxcywh[:, :2] + box_cxcywh[:, 2:] / 2)[..., None]
    cover = (torch.minimum(high, edges[1:]) - torch.maximum(low, edges[:-1])).clamp(min=0) * cells  # (B, 2, cells)
    return (cover[:, 1, :, None] * cover[:, 0, None, :])[:, None]
