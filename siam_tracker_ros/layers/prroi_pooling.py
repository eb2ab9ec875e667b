# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Precise RoI pooling (Jiang et al. 2018, IoU-Net): the mean of a bilinear surface over each bin of a box.

The integral is exact and separable: a bin's mean is Wy F Wx^T over the bin's area, where Wy and Wx hold the integrals
of the nodes' hat functions over the bin's two sides.
"""

import torch

from siam_tracker_ros.geometry import xywh_to_xyxy


def prroi_pool(features: torch.Tensor, boxes_xywh: torch.Tensor, bins: int, stride: float = 1) -> torch.Tensor:
    """Pool each sample's features inside its own box.

    Features are nodes of a bilinear surface, node i of a row at coordinate i, and zero outside the map.

    Args:
        features: (N, C, H, W).
        boxes_xywh: (N, 4) in pixels of the image, of the features' type.
        bins: number of bins along each side of the box.
        stride: pixels from one feature to the next.

    Returns:
        (N, C, bins, bins); 0 for a box without area. Differentiable by features and boxes.
    """
    x1, y1, x2, y2 = (xywh_to_xyxy(boxes_xywh) / stride).unbind(1)
    weights_y = _hat_integrals(y1, y2, bins, features.shape[2])  # (N, bins, H)
    weights_x = _hat_integrals(x1, x2, bins, features.shape[3])  # (N, bins, W)
    sums = weights_y[:, None] @ features @ weights_x[:, None].mT  # (N, C, bins, bins)
    area = (x2 - x1).clamp(min=0) * (y2 - y1).clamp(min=0) / bins**2
    has_area = area > 0
    return sums * (has_area / torch.where(has_area, area, 1))[:, None, None, None]


def _hat_integrals(start: torch.Tensor, end: torch.Tensor, bins: int, nodes: int) -> torch.Tensor:
    """Integral over each bin of [start, end] of each node's hat function max(0, 1 - |t - node|): (N, bins, nodes)."""
    width = (end - start).clamp(min=0) / bins
    edges = start[:, None] + width[:, None] * torch.arange(bins + 1, dtype=start.dtype, device=start.device)
    offsets = edges[:, :, None] - torch.arange(nodes, dtype=start.dtype, device=start.device)  # (N, bins + 1, nodes)
    rising, falling = offsets.clamp(-1, 0), offsets.clamp(0, 1)
    # On either slope, the integral is the length of the piece times the height at its middle.
    return _piece(rising, 1) + _piece(falling, -1)


def _piece(clamped: torch.Tensor, slope: int) -> torch.Tensor:
    first, last = clamped[:, :-1], clamped[:, 1:]
    return (last - first) * (1 + slope * (first + last) / 2)
