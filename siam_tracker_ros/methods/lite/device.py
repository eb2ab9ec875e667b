# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What `lite` sees in a frame, computed where its network lies, see `core.device_step`."""

import torch

from siam_tracker_ros.core.device_crop import CropRegions, crop_regions
from siam_tracker_ros.core.graphs import Graphs
from siam_tracker_ros.core.stage import stage
from siam_tracker_ros.methods.lite.shapes import SEARCH_SIDE


class LiteStep:
    """From a frame to the confidence and the box of each cell; these few numbers are weighed on the CPU.

    Args:
        network: run by torch.
    """

    def __init__(self, network: Graphs) -> None:
        self._network = network

    def __call__(
        self, frame_bgr: torch.Tensor, numbers: torch.Tensor, kernels: torch.Tensor, gate: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        """Return the cells (B, 5 * 16 * 16), features, and what a mask is drawn from; see `LiteNetwork.search`.

        Args:
            frame_bgr: uint8 (H, W, 3).
            numbers: (B, N), those of the region.
            kernels, gate: of the Templates.
        """
        with stage("crop"):
            crop = crop_regions(frame_bgr, CropRegions.of(numbers), SEARCH_SIDE).to(torch.uint8)
        cells, *kept = map(torch.as_tensor, self._network.search(crop, kernels, gate))
        return (cells.float().flatten(1), *kept)
