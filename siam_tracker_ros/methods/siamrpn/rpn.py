# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The heads of SiamRPN++ (Li et al. 2019): depth-wise correlation, region proposals, layer-wise aggregation."""

import functools
import typing
from collections.abc import Iterable, Sequence

import torch
from torch import nn

from siam_tracker_ros.layers.backbone import KeyRules
from siam_tracker_ros.layers.blocks import ConvNorm
from siam_tracker_ros.layers.correlation import depthwise_correlation
from siam_tracker_ros.methods.siamrpn.anchors import RATIOS

# From the names that PySOT and SiamMask use inside a correlation head to ours.
HEAD_KEYS: KeyRules = (
    (r"\.conv_kernel\.", ".kernel."),
    (r"\.conv_search\.", ".search."),
    (r"\.head\.(0)\.", r".predict.0.0."),
    (r"\.head\.(1)\.", r".predict.0.1."),
    (r"\.head\.(3)\.", r".predict.1."),
)

Kernels = Sequence[tuple[torch.Tensor, torch.Tensor]]  # of classification and regression, for each level


def rpn_keys(official: str, own: str = "rpn") -> KeyRules:
    """Renaming rules for the region proposals, of one level or several, that checkpoints call `official`."""
    levels = tuple((rf"^{official}\.rpn{level + 2}\.", f"{own}.levels.{level}.") for level in range(3))
    return (
        *levels,
        (rf"^{official}\.cls_weight$", f"{own}.classification_weight"),
        (rf"^{official}\.loc_weight$", f"{own}.regression_weight"),
        (rf"^{official}\.", f"{own}.levels.0."),
        (rf"^({own}\.levels\.\d)\.cls\.", r"\1.classification."),
        (rf"^({own}\.levels\.\d)\.loc\.", r"\1.regression."),
    )


class CorrelationHead(nn.Module):
    """Correlates a search region with a template, channel by channel, and predicts from each cell of the response."""

    def __init__(self, channels: int, channels_out: int) -> None:
        super().__init__()
        self.channels = channels
        self.kernel = ConvNorm(channels, channels, 3)
        self.search = ConvNorm(channels, channels, 3)
        self.predict = nn.Sequential(ConvNorm(channels, channels), nn.Conv2d(channels, channels_out, 1))

    def encode_template(self, features: torch.Tensor) -> torch.Tensor:
        """Kernel (B, C, h - 2, w - 2) of template features (B, C, h, w)."""
        return self.kernel(features)

    def correlate(self, features: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
        """Response (B, C, H - h + 1, W - w + 1) of search features (B, C, H, W)."""
        return depthwise_correlation(self.search(features), kernel)

    def forward(self, features: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
        return self.predict(self.correlate(features, kernel))


class ProposalLevel(nn.Module):
    """Region proposals from the features of one level."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.classification = CorrelationHead(channels, 2 * len(RATIOS))
        self.regression = CorrelationHead(channels, 4 * len(RATIOS))


class RegionProposals(nn.Module):
    """A score and a box for each anchor at each cell, averaged over levels.

    Args:
        widths: channels of each level.
        weighted: whether the average has learned weights, which pass a softmax; otherwise it is a plain mean.
    """

    def __init__(self, widths: Sequence[int], weighted: bool) -> None:
        super().__init__()
        self.levels = nn.ModuleList(ProposalLevel(width) for width in widths)
        self.weighted = weighted
        if weighted:
            self.classification_weight = nn.Parameter(torch.ones(len(widths)))
            self.regression_weight = nn.Parameter(torch.ones(len(widths)))

    def kernel_shapes(self, template_cells: int) -> list[tuple[int, int, int, int]]:
        """Shapes of all kernels, level by level, of template features (1, its width, cells, cells)."""
        side = template_cells - 2
        return [(1, level.classification.channels, side, side) for level in self._levels() for _ in range(2)]

    def encode_template(self, features: Iterable[torch.Tensor]) -> Kernels:
        """Kernels from one map of template features per level."""
        return [
            (level.classification.encode_template(level_features), level.regression.encode_template(level_features))
            for level, level_features in zip(self._levels(), features, strict=True)
        ]

    def forward(self, features: Iterable[torch.Tensor], kernels: Kernels) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits (B, 10, S, S) and offsets (B, 20, S, S).

        The logits are five of the background, then five of the target. The offsets are five of each of x, y, width and
        height, relative to the anchor's size; those of width and height are logarithms.
        """
        levels = list(zip(self._levels(), features, kernels, strict=True))
        logits = [level.classification(feature, kernel) for level, feature, (kernel, _) in levels]
        offsets = [level.regression(feature, kernel) for level, feature, (_, kernel) in levels]
        if not self.weighted:
            return _mean(logits), _mean(offsets)
        return _weighted(logits, self.classification_weight), _weighted(offsets, self.regression_weight)

    def _levels(self) -> list[ProposalLevel]:
        return typing.cast(list[ProposalLevel], list(self.levels))  # nn.ModuleList has no type for its entries


def _mean(outputs: Sequence[torch.Tensor]) -> torch.Tensor:
    return functools.reduce(torch.add, outputs) / len(outputs)


def _weighted(outputs: Sequence[torch.Tensor], weights: torch.Tensor) -> torch.Tensor:
    shares = torch.softmax(weights, 0).unbind()
    return functools.reduce(torch.add, [share * output for share, output in zip(shares, outputs, strict=True)])
