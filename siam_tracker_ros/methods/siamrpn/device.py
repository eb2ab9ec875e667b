# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The work of SiamRPN++ on a frame where its network lies, see `core.device_step`."""

import functools

import torch

from siam_tracker_ros.core.crop import REGION_NUMBERS
from siam_tracker_ros.core.device_crop import CropRegions, crop_input
from siam_tracker_ros.core.device_response import Best, choose_box
from siam_tracker_ros.methods.siamrpn.anchors import anchor_grid
from siam_tracker_ros.methods.siamrpn.network import SiamRPN, selective_level

MAX_EXPONENT = 20.0  # boxes have sides of up to 5e10 pixels, more than any frame; their areas are finite in float32


class SiamRPNStep:
    """From a frame to the best proposal of each target.

    Args:
        network: ready for inference.
    """

    def __init__(self, network: SiamRPN) -> None:
        self._network = network
        self._dtype = next(network.parameters()).dtype

    def __call__(
        self, frame_bgr: torch.Tensor, numbers: torch.Tensor, *kernels: torch.Tensor, search_side: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the values of the Best, and the features that places are compared by.

        Args:
            frame_bgr: uint8 (H, W, 3).
            numbers: (B, N), those of the region, then those of `choose_proposal`.
            *kernels: of the templates, two per level.
            search_side: side of the crops.
        """
        crop = crop_input(frame_bgr, CropRegions.of(numbers[:, :REGION_NUMBERS]), search_side, self._dtype)
        features = self._network.features(crop)
        logits, offsets = self._network.respond(*features, *kernels)
        return choose_proposal(logits, offsets, numbers[:, REGION_NUMBERS:]).values, selective_level(features)


def choose_proposal(logits: torch.Tensor, offsets: torch.Tensor, numbers: torch.Tensor) -> Best:
    """Decode all anchors and pick the best one of each target as `decode_proposals` and `best_proposal` do, in float32.

    Args:
        logits, offsets: (B, 10, S, S) and (B, 20, S, S), see `rpn`.
        numbers: those of `choose_box`.
    """
    packed = torch.cat([logits, offsets], 1).float().unflatten(1, (6, -1))  # (B, 6, 5, S, S)
    score, offset = torch.softmax(packed[:, :2], 1)[:, 1], packed[:, 2:]
    anchors = anchors_on(logits.device, logits.shape[-1])
    centers = anchors[:2] + anchors[2:] * offset[:, :2]
    sizes = anchors[2:] * offset[:, 2:].clamp(-MAX_EXPONENT, MAX_EXPONENT).exp()
    return choose_box(score, torch.cat([centers, sizes], 1), numbers)


@functools.cache  # captured graphs know the address
def anchors_on(device: torch.device, cells: int) -> torch.Tensor:
    """The anchors of `anchor_grid` on a device."""
    return torch.tensor(anchor_grid(cells), device=device)
