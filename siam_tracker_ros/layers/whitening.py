# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whitened features: without what all cells have in common, so that a filter on them is learned in few steps."""

import dataclasses

import torch
from torch.nn import functional

SHRINKAGE = 0.1  # of the mean variance, added to each variance: directions that hardly vary hold mostly noise
MIN_ENERGY = 1e-5


@dataclasses.dataclass(frozen=True, eq=False)
class Whitening:
    """Subtracts the mean, equalizes the variance of all directions, then scales each sample to a mean energy of 1.

    Attributes:
        mean: (1, C, 1, 1).
        projection: (C, C, 1, 1), symmetric.
    """

    mean: torch.Tensor
    projection: torch.Tensor

    @classmethod
    def of(cls, features: torch.Tensor) -> "Whitening":
        """Whitening of samples (N, C, H, W), from the statistics of all their cells."""
        mean = features.mean((0, 2, 3), keepdim=True)
        cells = (features - mean).transpose(0, 1).flatten(1)  # (C, N * H * W)
        variances, directions = torch.linalg.eigh(cells @ cells.T / cells.shape[1])
        floor = SHRINKAGE * variances.mean().clamp(min=0) + MIN_ENERGY
        scales = (variances.clamp(min=0) + floor).rsqrt()
        return cls(mean, (directions * scales @ directions.T)[..., None, None])

    def __call__(self, features: torch.Tensor) -> torch.Tensor:
        """Whiten samples (N, C, H, W); the result is in channels-last order."""
        white = functional.conv2d(features - self.mean, self.projection)
        energy = white.square().mean((1, 2, 3), keepdim=True) + MIN_ENERGY
        return (white * energy.rsqrt()).contiguous(memory_format=torch.channels_last)
