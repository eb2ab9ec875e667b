# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The samples that a correlation filter is learned from, with their weights (DiMP, Bhat et al. 2019)."""

import numpy as np
import torch


class SampleMemory:
    """Samples of one target; it changes in place, since a copy for each frame would cost more than the learning.

    Args:
        features: (N, C, H, W), the first samples, which all count the same.
        boxes_xywh: (N, 4), the target in each.
        capacity: the most samples that are kept.
    """

    def __init__(self, features, boxes_xywh, capacity):
        count = len(features)
        self._features = torch.empty(
            (capacity, *features.shape[1:]),
            dtype=features.dtype,
            device=features.device,
            memory_format=torch.channels_last,
        )
        self._boxes_xywh = boxes_xywh.new_empty((capacity, 4))
        self._features[:count], self._boxes_xywh[:count] = features, boxes_xywh
        self._weights = np.full(count, 1 / count)
        self._newest = None

    def insert(self, feature, box_xywh, learning_rate):
        """Add a sample (1, C, H, W), in a full memory instead of the one that weighs least.

        The newest sample outweighs the one before by 1 / (1 - learning_rate), so that old ones fade.
        """
        weights = self._weights
        if len(weights) < len(self._features):
            index = len(weights)
            weights = np.append(weights, 0.0)
        else:
            index = int(weights.argmin())
        if self._newest is None:
            weights = weights / (1 - learning_rate)
            weights[index] = learning_rate
        else:
            weights[index] = weights[self._newest] / (1 - learning_rate)
        self._weights = weights / weights.sum()
        self._newest = index
        self._features[index], self._boxes_xywh[index] = feature[0], box_xywh

    def samples(self):
        """Features (N, C, H, W), boxes (N, 4) and weights (N,) of sum 1."""
        count = len(self._weights)
        weights = torch.from_numpy(self._weights).to(self._boxes_xywh)
        return self._features[:count], self._boxes_xywh[:count], weights
