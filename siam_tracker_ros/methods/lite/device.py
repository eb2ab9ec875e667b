# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What `lite` sees in a frame, computed where its network lies, see `core.device_step`."""

import torch

from siam_tracker_ros.core.crop import REGION_NUMBERS
from siam_tracker_ros.core.device_crop import CropRegions, crop_regions
from siam_tracker_ros.core.device_response import at_place, size_penalty, window_on
from siam_tracker_ros.core.graphs import Graphs
from siam_tracker_ros.core.stage import stage
from siam_tracker_ros.methods.lite.network import look_weights_at
from siam_tracker_ros.methods.lite.shapes import SEARCH_CELLS, SEARCH_LOOKS, SEARCH_SIDE


class LiteStep:
    """From a frame to the confidence and the box of each cell; these few numbers are weighed on the CPU.

    The box that will most likely be chosen there is refined at once, which saves another wait for the device. If it is
    another one after all, as it may be where an online branch has a say, that one is refined when it is known.

    Args:
        network: run by torch.
    """

    def __init__(self, network: Graphs) -> None:
        self._network = network

    def __call__(
        self,
        frame_bgr: torch.Tensor,
        numbers: torch.Tensor,
        kernels: torch.Tensor,
        gate: torch.Tensor,
        extent: torch.Tensor,
    ) -> tuple[torch.Tensor, ...]:
        """Return the values that `LiteTracker.look` unpacks, and what boxes are refined and masks are drawn from.

        Args:
            frame_bgr: uint8 (H, W, 3).
            numbers: (B, N), those of the region, then those of `likely_cell`.
            kernels, gate, extent: of the Templates.
        """
        region, choice = numbers.tensor_split([REGION_NUMBERS], 1)
        with stage("crop"):
            crops = crop_regions(frame_bgr, CropRegions.of(region), SEARCH_SIDE).to(torch.uint8)
        cells, features, *maps = map(torch.as_tensor, self._network.search(crops, kernels, gate))
        cells = cells.float().flatten(2)  # (B, 5, 256)
        cell = likely_cell(cells, choice)
        box_cxcywh = at_place(cells[:, 1:], cell)
        weights = (look_weights_at(box_cxcywh, count) for count in SEARCH_LOOKS)
        (moves,) = self._network.refine(*maps, *weights, extent)
        parts = (cells, cell, torch.as_tensor(moves), features)
        return (torch.cat([part.float().reshape(len(numbers), -1) for part in parts], 1), *maps)


def likely_cell(cells: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
    """The cells int64 (B,) that LiteTracker chooses where the confidence is that of the network.

    Args:
        cells: float32 (B, 5, 256), confidence and box of each cell.
        numbers: float32 (B, CHOICE_NUMBERS), from `choice_numbers`; sizes are in units of the region's side.
    """
    influence = numbers[:, 3:]
    window = window_on(cells.device, SEARCH_CELLS + 2)[1:-1, 1:-1].flatten()
    penalty = size_penalty(numbers[:, :2], cells[:, 3:], numbers[:, 2])
    return (penalty * cells[:, 0] * (1 - influence + influence * window)).argmax(1)
