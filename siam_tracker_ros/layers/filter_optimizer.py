# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A correlation filter that distinguishes a target from its surroundings (DiMP, Bhat et al. 2019, section 3.3).

Steepest descent on a squared loss whose label, mask and spatial weight are learned functions of the distance to the
target; the length of a step follows from the Gauss-Newton approximation of the loss. Correlation is linear in the
filter, so its adjoint and the loss' Jacobian are closed forms, and no gradient is recorded at run time.
"""

import math
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

FILTER_CELLS = 4
DISTANCE_BINS = 100
BINS_PER_CELL = 10
MIN_REGULARIZATION = 1e-3
MIN_CURVATURE = 1e-8
LABEL_SIGMA = 0.85  # cells


def correlate(features: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """Score maps of features under a filter.

    Args:
        features: (N, C, H, W).
        kernel: (1, C, 4, 4).

    Returns:
        (N, 1, H + 1, W + 1): the filter's centre lies on the corners of the feature cells.
    """
    return _fold(_rows(features) @ _columns(kernel), features.shape)


def correlate_adjoint(features: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
    """Adjoint of `correlate` in the filter: filter (1, C, 4, 4) of features (N, C, H, W), scores (N, 1, H+1, W+1)."""
    return _kernel(_rows(features).mT @ _unfold(scores))


# A matrix product followed by 4 x 4 shifted sums reads the features once. A convolution with a single output channel
# reads them once per cell of the filter.


def _rows(features: torch.Tensor) -> torch.Tensor:
    """Features as rows (N * H * W, C); a view if they are in channels-last order."""
    return features.permute(0, 2, 3, 1).flatten(0, 2)


def _columns(kernel: torch.Tensor) -> torch.Tensor:
    return kernel.flip(2, 3).reshape(-1, FILTER_CELLS**2)  # (C, 16)


def _kernel(columns: torch.Tensor) -> torch.Tensor:
    return columns.reshape(1, -1, FILTER_CELLS, FILTER_CELLS).flip(2, 3)


def _fold(products: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    products = products.reshape(shape[0], -1, FILTER_CELLS**2).mT  # (N, 16, H * W)
    return functional.fold(products, (shape[2] + 1, shape[3] + 1), FILTER_CELLS, padding=1)


def _unfold(scores: torch.Tensor) -> torch.Tensor:
    return functional.unfold(scores, FILTER_CELLS, padding=1).mT.flatten(0, 1)  # (N * H * W, 16)


class FilterOptimizer(nn.Module):
    """Improves a filter on features and boxes; see the module.

    The label, the mask (before its sigmoid) and the spatial weight are tables over the distance in cells to the
    target's centre. They have ten entries per cell and are interpolated linearly; the last entry holds beyond.
    """

    def __init__(self, stride: float = 16) -> None:
        super().__init__()
        self.stride = stride
        distance = torch.arange(DISTANCE_BINS).reshape(1, -1, 1, 1) / BINS_PER_CELL
        label = torch.exp(-(distance**2) / (2 * LABEL_SIGMA**2))
        self.log_step_length = nn.Parameter(torch.tensor([math.log(0.9)]))
        self.filter_reg = nn.Parameter(torch.tensor([0.1]))
        self.label = nn.Parameter(label - label.min())
        self.mask = nn.Parameter(3 * torch.tanh(2 - distance))
        self.spatial_weight = nn.Parameter(torch.ones_like(distance))

    def maps(
        self, boxes_xywh: torch.Tensor, size_hw: tuple[int, int]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Label, mask 0..1 and spatial weight, (N, 1, h, w) each, of boxes (N, 4) in pixels for maps of h x w cells."""
        center_x, center_y = ((boxes_xywh[:, :2] + boxes_xywh[:, 2:] / 2) / self.stride).unbind(1)
        rows, columns = (torch.arange(cells, dtype=boxes_xywh.dtype, device=boxes_xywh.device) for cells in size_hw)
        along_y, along_x = rows - center_y[:, None], columns - center_x[:, None]  # (N, h), (N, w)
        distance = torch.sqrt(along_y[:, :, None] ** 2 + along_x[:, None] ** 2)[:, None]  # (N, 1, h, w)
        position = (distance * BINS_PER_CELL).clamp(max=DISTANCE_BINS - 1)
        below = position.floor().clamp(max=DISTANCE_BINS - 2)
        label, mask, spatial_weight = (
            torch.lerp(table[below.long()], table[below.long() + 1], position - below)
            for table in (self.label.flatten(), self.mask.flatten(), self.spatial_weight.flatten())
        )
        return label, torch.sigmoid(mask), spatial_weight

    def forward(
        self,
        kernel: torch.Tensor,
        features: torch.Tensor,
        boxes_xywh: torch.Tensor,
        iterations: int,
        sample_weight: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Improve a filter on samples.

        Args:
            kernel: (1, C, 4, 4).
            features: (N, C, H, W); channels-last order saves a copy.
            boxes_xywh: (N, 4), the target in each sample, in pixels of the patch; the centre is x + w / 2.
            iterations: number of steps.
            sample_weight: (N,), of sum 1; None: all samples have the same weight.

        Returns:
            The filter, and the loss before each step and after the last: iterations + 1 tensors of one number.
        """
        samples = features.shape[0]
        features = features.contiguous(memory_format=torch.channels_last)
        label, mask, spatial_weight = self.maps(boxes_xywh, (features.shape[2] + 1, features.shape[3] + 1))
        if sample_weight is None:
            weight = spatial_weight * math.sqrt(1 / samples)
        else:
            weight = spatial_weight * sample_weight.sqrt().reshape(-1, 1, 1, 1)
        regularization = (self.filter_reg**2).clamp(min=MIN_REGULARIZATION**2)
        step_length = self.log_step_length.exp()
        # Far from the target (mask 0) only positive scores count as errors: act(s) = s for s >= 0, mask * s below.
        mean_slope, slope_change = (1 + mask) / 2, (1 - mask) / 2

        scores = correlate(features, kernel)
        losses = []
        for _ in range(iterations):
            slope = mean_slope + slope_change * scores.sign()
            residual = weight * (slope * scores - label)
            losses.append(residual.square().sum() + regularization * kernel.square().sum())
            gradient = correlate_adjoint(features, slope * weight * residual) + regularization * kernel
            gradient_scores = correlate(features, gradient)
            squared = gradient.square().sum()
            curvature = (weight * slope * gradient_scores).square().sum() + regularization * squared
            step = step_length * squared / curvature.clamp(min=MIN_CURVATURE)
            kernel = kernel - step * gradient
            scores = scores - step * gradient_scores
        residual = weight * ((mean_slope + slope_change * scores.sign()) * scores - label)
        losses.append(residual.square().sum() + regularization * kernel.square().sum())
        return kernel, losses
