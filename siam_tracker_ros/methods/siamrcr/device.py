# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The work of SiamRCR on a frame where its network lies, see `core.device_step`."""

import typing
from collections.abc import Sequence

import torch

from siam_tracker_ros.methods.ocean.device import AnchorFreeStep
from siam_tracker_ros.methods.siamrcr.network import SiamRCRNetwork, Template


class SiamRCRStep(AnchorFreeStep):
    """From a frame to SiamRCR's best box."""

    _network: SiamRCRNetwork

    def _respond(
        self,
        features: torch.Tensor,
        template: Sequence[torch.Tensor],
        numbers: torch.Tensor,
        search_side: int,
        **options: typing.Any,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        response = self._network.respond(features, Template(*template))
        return torch.sigmoid(response.classification) * torch.sigmoid(response.localization), response.box_cxcywh
