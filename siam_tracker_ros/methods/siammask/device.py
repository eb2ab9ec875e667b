# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The work of SiamMask on a frame where its network lies, see `core.device_step`."""

import math

import numpy as np
import torch

from siam_tracker_ros.core.crop import REGION_NUMBERS, SEARCH_SIDE
from siam_tracker_ros.core.device_crop import CropRegions, crop_input, is_within
from siam_tracker_ros.core.response import BEST_VALUES, BestBox
from siam_tracker_ros.methods.siammask.network import SiamMask
from siam_tracker_ros.methods.siamrpn.device import choose_proposal


class SiamMaskStep:
    """From a frame to the best proposal and its mask of each target.

    Args:
        network: ready for inference.
    """

    def __init__(self, network: SiamMask) -> None:
        self._network = network
        self._dtype = next(network.parameters()).dtype

    def __call__(
        self,
        frame_bgr: torch.Tensor,
        numbers: torch.Tensor,
        classification_kernel: torch.Tensor,
        regression_kernel: torch.Tensor,
        mask_kernel: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what `unpack_mask` takes, and the neck's features.

        Args:
            frame_bgr: uint8 (H, W, 3).
            numbers: (B, N), those of the region, then those of `choose_proposal`.
            classification_kernel, regression_kernel, mask_kernel: of the Templates.
        """
        crop = crop_input(frame_bgr, CropRegions.of(numbers[:, :REGION_NUMBERS]), SEARCH_SIDE, self._dtype)
        features = self._network.features(crop)
        logits, offsets = self._network.propose(features[-1], classification_kernel, regression_kernel)
        chosen = choose_proposal(logits, offsets, numbers[:, REGION_NUMBERS:])
        mask = self._network.mask_around(features, mask_kernel, chosen.row, chosen.column, gather_square)
        return torch.cat([chosen.values, torch.sigmoid(mask).float().flatten(1)], 1), features[-1]


def gather_square(features: torch.Tensor, top: torch.Tensor, left: torch.Tensor, side: int) -> torch.Tensor:
    """The same as `cut_square` for places in tensors, int64 (B,), which are not read."""
    height, width = features.shape[2:]
    steps = torch.arange(side, device=features.device)
    rows, columns = top[:, None] + steps, left[:, None] + steps  # (B, side)
    inside = is_within(rows, height)[:, :, None] & is_within(columns, width)[:, None]
    rows, columns = rows.clamp(0, height - 1)[:, :, None], columns.clamp(0, width - 1)[:, None]
    of_each = torch.arange(len(top), device=features.device)[:, None, None]
    square = features[of_each, :, rows, columns].permute(0, 3, 1, 2)
    return square.masked_fill(~inside[:, None], 0)


def unpack_mask(values: np.ndarray) -> tuple[BestBox, np.ndarray]:
    """Box and probability, float32 (127, 127) or (63, 63), of its mask from the values of a SiamMaskStep."""
    probability = values[BEST_VALUES:]
    side = math.isqrt(probability.size)
    return BestBox.unpack(values[:BEST_VALUES]), probability.reshape(side, side)
