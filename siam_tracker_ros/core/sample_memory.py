# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Samples that a correlation filter is learned from, with their weights (DiMP, Bhat et al. 2019)."""

import dataclasses

import numpy as np
import numpy.typing as npt
import torch


@dataclasses.dataclass(frozen=True, eq=False)
class SampleMemory:
    """Samples of one target, a value: `insert` returns another memory, which shares the samples that stay.

    Attributes:
        features: N tensors (1, C, H, W).
        boxes_xywh: N tensors (1, 4), the target in each sample.
        weights: float64 (N,), of sum 1.
        capacity: maximum of N.
        newest: index of the sample that was inserted last; None before the first `insert`.
    """

    features: tuple[torch.Tensor, ...]
    boxes_xywh: tuple[torch.Tensor, ...]
    weights: npt.NDArray[np.float64]
    capacity: int
    newest: int | None = None

    @classmethod
    def of(cls, features: torch.Tensor, boxes_xywh: torch.Tensor, capacity: int) -> "SampleMemory":
        """Return a memory of first samples (N, C, H, W) with boxes (N, 4) and equal weights."""
        count = len(features)
        return cls(features.split(1), boxes_xywh.split(1), np.full(count, 1 / count), capacity)

    def insert(self, feature: torch.Tensor, box_xywh: torch.Tensor, learning_rate: float) -> "SampleMemory":
        """Return the memory with one more sample, which replaces the one of least weight if the memory is full.

        The weight of the new sample is that of the newest one divided by 1 - learning_rate, so that old samples fade.

        Args:
            feature: (1, C, H, W).
            box_xywh: (4,).
            learning_rate: 0..1.
        """
        weights, features, boxes_xywh = self.weights.copy(), list(self.features), list(self.boxes_xywh)
        if len(features) < self.capacity:
            index = len(features)
            weights = np.append(weights, 0.0)
            features.append(feature)
            boxes_xywh.append(box_xywh[None])
        else:
            index = int(weights.argmin())
            features[index], boxes_xywh[index] = feature, box_xywh[None]
        if self.newest is None:
            weights = weights / (1 - learning_rate)
            weights[index] = learning_rate
        else:
            weights[index] = weights[self.newest] / (1 - learning_rate)
        return SampleMemory(tuple(features), tuple(boxes_xywh), weights / weights.sum(), self.capacity, index)

    def samples(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return features (N, C, H, W), boxes (N, 4) and weights (N,) of sum 1."""
        boxes_xywh = torch.cat(self.boxes_xywh)
        return torch.cat(self.features), boxes_xywh, torch.from_numpy(self.weights).to(boxes_xywh)
