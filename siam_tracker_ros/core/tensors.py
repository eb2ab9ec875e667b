# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Crops as the input of a torch network."""

import numpy as np
import torch
from torch import nn

from siam_tracker_ros.core.stage import stage


@stage("crop")
def crops_to_tensor(crops_bgr: np.ndarray, network: nn.Module) -> torch.Tensor:
    """Convert crops, uint8 (B, H, W, 3), to the input (B, 3, H, W) of a network, of its type and on its device."""
    return torch.from_numpy(crops_bgr).permute(0, 3, 1, 2).to(next(network.parameters()))
