# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The heads of SiamRPN++ (Li et al. 2019): depth-wise correlation, region proposals, layer-wise aggregation."""

import torch
from torch import nn

from siam_tracker_ros.layers.blocks import ConvNorm
from siam_tracker_ros.layers.correlation import depthwise_correlation
from siam_tracker_ros.methods.siamrpn.anchors import RATIOS

# From the names that PySOT and SiamMask use inside a correlation head to ours.
HEAD_KEYS = (
    (r"\.conv_kernel\.", ".kernel."),
    (r"\.conv_search\.", ".search."),
    (r"\.head\.(0)\.", r".predict.0.0."),
    (r"\.head\.(1)\.", r".predict.0.1."),
    (r"\.head\.(3)\.", r".predict.1."),
)


def rpn_keys(official, own="rpn"):
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

    def __init__(self, channels, channels_out):
        super().__init__()
        self.channels = channels
        self.kernel = ConvNorm(channels, channels, 3)
        self.search = ConvNorm(channels, channels, 3)
        self.predict = nn.Sequential(ConvNorm(channels, channels), nn.Conv2d(channels, channels_out, 1))

    def encode_template(self, features):
        """Kernel (B, C, h - 2, w - 2) of template features (B, C, h, w)."""
        return self.kernel(features)

    def correlate(self, features, kernel):
        """Response (B, C, H - h + 1, W - w + 1) of search features (B, C, H, W)."""
        return depthwise_correlation(self.search(features), kernel)

    def forward(self, features, kernel):
        return self.predict(self.correlate(features, kernel))


class ProposalLevel(nn.Module):
    """Region proposals from the features of one level."""

    def __init__(self, channels):
        super().__init__()
        self.classification = CorrelationHead(channels, 2 * len(RATIOS))
        self.regression = CorrelationHead(channels, 4 * len(RATIOS))


class RegionProposals(nn.Module):
    """A score and a box for each anchor at each cell, averaged over levels.

    Args:
        widths: channels of each level.
        weighted: whether the average has learned weights, which pass a softmax; else it is a plain mean.
    """

    def __init__(self, widths, weighted):
        super().__init__()
        self.levels = nn.ModuleList(ProposalLevel(width) for width in widths)
        self.weighted = weighted
        if weighted:
            self.classification_weight = nn.Parameter(torch.ones(len(widths)))
            self.regression_weight = nn.Parameter(torch.ones(len(widths)))

    def kernel_shapes(self, template_cells):
        """Shapes of all kernels, level by level, of template features (1, its width, cells, cells)."""
        side = template_cells - 2
        return [(1, level.classification.channels, side, side) for level in self.levels for _ in range(2)]

    def encode_template(self, features):
        """Pairs of kernels, for classification and regression, from one map of template features a level."""
        return [
            (level.classification.encode_template(level_features), level.regression.encode_template(level_features))
            for level, level_features in zip(self.levels, features, strict=True)
        ]

    def forward(self, features, kernels):
        """Return logits (B, 10, S, S) and offsets (B, 20, S, S).

        The logits are five of the background, then five of the target; the offsets five of each of x, y, width and
        height: in units of the anchor's size, for width and height as logarithms.
        """
        levels = list(zip(self.levels, features, kernels, strict=True))
        logits = [level.classification(feature, kernel) for level, feature, (kernel, _) in levels]
        offsets = [level.regression(feature, kernel) for level, feature, (_, kernel) in levels]
        if not self.weighted:
            return sum(logits) / len(logits), sum(offsets) / len(offsets)
        return _weighted(logits, self.classification_weight), _weighted(offsets, self.regression_weight)


def _weighted(outputs, weights):
    return sum(weight * output for weight, output in zip(torch.softmax(weights, 0).unbind(), outputs, strict=True))
