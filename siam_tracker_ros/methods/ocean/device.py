# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The work of Ocean on a frame where its network lies, see `core.device_step`."""

import abc
import typing
from collections.abc import Hashable, Mapping, Sequence

import torch

from siam_tracker_ros.core.crop import REGION_NUMBERS
from siam_tracker_ros.core.device_crop import CropRegions, crop_input
from siam_tracker_ros.core.device_response import choose_box
from siam_tracker_ros.core.response import CHOICE_NUMBERS
from siam_tracker_ros.geometry import ltrb_to_cxcywh
from siam_tracker_ros.methods.ocean.network import AnchorFreeNetwork, OceanNetwork, Template, cell_pixels


class StepInputs(typing.NamedTuple):
    """What the step of one method is given beside what all of them are.

    Attributes:
        tensors: those of the template.
        numbers: what differs from frame to frame.
        options: what is known before it runs.
    """

    tensors: Sequence[torch.Tensor]
    numbers: Sequence[float] = ()
    options: Mapping[str, Hashable] = {}


class AnchorFreeStep(abc.ABC):
    """From a frame to the best box of each target, for any network that predicts one box per cell.

    Args:
        network: ready for inference.
    """

    def __init__(self, network: AnchorFreeNetwork) -> None:
        self._network = network
        self._dtype = next(network.parameters()).dtype

    def __call__(
        self,
        frame_bgr: torch.Tensor,
        numbers: torch.Tensor,
        *template: torch.Tensor,
        search_side: int,
        **options: Hashable,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the values of the Best, and the neck's features.

        Args:
            frame_bgr: uint8 (H, W, 3).
            numbers: (B, N), those of the region, of `choose_box`, and then those of the StepInputs.
            *template, **options: of the StepInputs.
            search_side: side of the crops.
        """
        region, choice, own = numbers.tensor_split([REGION_NUMBERS, REGION_NUMBERS + CHOICE_NUMBERS], 1)
        features = self._network.features(crop_input(frame_bgr, CropRegions.of(region), search_side, self._dtype))
        score, boxes = self._respond(features, template, own, search_side, **options)
        return choose_box(score, boxes[:, :, None], choice).values, features

    @abc.abstractmethod
    def _respond(
        self,
        features: torch.Tensor,
        template: Sequence[torch.Tensor],
        numbers: torch.Tensor,
        search_side: int,
        **options: typing.Any,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return confidence (B, 1, S, S) and boxes (B, 4, S, S) as cxcywh, in pixels from the crop's middle pixel.

        Both are float32.
        """


class OceanStep(AnchorFreeStep):
    """From a frame to Ocean's best box."""

    _network: OceanNetwork

    def _respond(
        self,
        features: torch.Tensor,
        template: Sequence[torch.Tensor],
        numbers: torch.Tensor,
        search_side: int,
        align: bool = True,
        **options: typing.Any,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        kernels = Template(tuple(template[:3]), tuple(template[3:]))
        response = self._network.respond(features, kernels, search_side, align)
        score = torch.sigmoid(response.classification)
        if response.alignment is not None:
            ratio = numbers.view(-1, 1, 1, 1)
            score = ratio * score + (1 - ratio) * torch.sigmoid(response.alignment)
        cell = cell_pixels(score.shape[-1], score.device)
        points = torch.stack(torch.meshgrid(cell, cell, indexing="xy"), -1)  # (S, S, 2)
        return score, ltrb_to_cxcywh(response.box_ltrb.movedim(1, -1), points).movedim(-1, 1)
