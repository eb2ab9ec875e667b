# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Samples that a correlation filter is learned from, with their weights (DiMP, Bhat et al. 2019)."""

import dataclasses
import typing
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Sample = typing.TypeVar("Sample")  # features of one frame, a tensor or an array


@dataclasses.dataclass(frozen=True, eq=False)
class SampleMemory(typing.Generic[Sample]):
    """Samples of one target, a value: `insert` returns another memory, which shares the samples that stay.

    Attributes:
        features: N samples.
        boxes_xywh: N boxes of the target in its sample, (4,) each.
        weights: float64 (N,), of sum 1.
        capacity: maximum of N.
        newest: index of the sample that was inserted last; None before the first `insert`.
    """

    features: tuple[Sample, ...]
    boxes_xywh: tuple[npt.NDArray[np.float64], ...]
    weights: npt.NDArray[np.float64]
    capacity: int
    newest: int | None = None

    @classmethod
    def of(cls, features: Sequence[Sample], boxes_xywh: Sequence[np.ndarray], capacity: int) -> "SampleMemory[Sample]":
        """Return a memory of first samples, each with its box (4,), and equal weights."""
        count = len(features)
        return cls(tuple(features), tuple(boxes_xywh), np.full(count, 1 / count), capacity)

    def insert(self, feature: Sample, box_xywh: np.ndarray, learning_rate: float) -> "SampleMemory[Sample]":
        """Return the memory with one more sample, which replaces the one of least weight if the memory is full.

        The weight of the new sample is that of the newest one divided by 1 - learning_rate, so that old samples fade.

        Args:
            feature: the sample.
            box_xywh: (4,).
            learning_rate: 0..1.
        """
        weights, features, boxes_xywh = self.weights.copy(), list(self.features), list(self.boxes_xywh)
        if len(features) < self.capacity:
            index = len(features)
            weights = np.append(weights, 0.0)
            features.append(feature)
            boxes_xywh.append(box_xywh)
        else:
            index = int(weights.argmin())
            features[index], boxes_xywh[index] = feature, box_xywh
        if self.newest is None:
            weights = weights / (1 - learning_rate)
            weights[index] = learning_rate
        else:
            weights[index] = weights[self.newest] / (1 - learning_rate)
        return SampleMemory(tuple(features), tuple(boxes_xywh), weights / weights.sum(), self.capacity, index)
