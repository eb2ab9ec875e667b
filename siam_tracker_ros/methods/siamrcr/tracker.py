# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A tracker after SiamRCR (Peng et al., IJCAI 2021).

From the paper: the score is the product of classification and predicted localization accuracy. Our choice, as the
authors released no code: the rest is Ocean's procedure, with this score and with the size smoothed once.
"""

import dataclasses

import numpy as np
import torch

from siam_tracker_ros.core.device_step import StepFunction
from siam_tracker_ros.methods.ocean.device import StepInputs
from siam_tracker_ros.methods.ocean.tracker import AnchorFreeSettings, AnchorFreeTracker
from siam_tracker_ros.methods.siamrcr.device import SiamRCRStep
from siam_tracker_ros.methods.siamrcr.network import SiamRCRNetwork, Template
from siam_tracker_ros.settings import setting, with_default


@dataclasses.dataclass(frozen=True)
class SiamRCRSettings(AnchorFreeSettings):
    """How the response becomes a box. The defaults are plausible, not tuned: no weights are published to tune with."""

    penalty_k: float = with_default(AnchorFreeSettings, "penalty_k", 0.06)
    lr: float = with_default(AnchorFreeSettings, "lr", 0.6)
    small_target_side: int = with_default(AnchorFreeSettings, "small_target_side", 287)
    size_smoothing: int = setting(1, "How often the size is smoothed.", 1, 2)


class SiamRCRTracker(AnchorFreeTracker[Template]):
    """Runs a SiamRCRNetwork that is ready for inference; see `create_tracker`."""

    settings_class = SiamRCRSettings
    network: SiamRCRNetwork
    settings: SiamRCRSettings

    def _step_function(self) -> StepFunction:
        return SiamRCRStep(self.network)

    def _step_inputs(self, template: Template) -> StepInputs:
        return StepInputs([template.classification, template.regression])

    def _encode(self, image_bgr: torch.Tensor) -> Template:
        return self.network.encode_template(image_bgr)

    def _respond(self, features: torch.Tensor, template: Template, search_side: int) -> tuple[np.ndarray, np.ndarray]:
        response = self.network.respond(features, template)
        score = torch.sigmoid(response.classification) * torch.sigmoid(response.localization)
        packed = torch.cat([score, response.box_cxcywh], 1)[0].cpu().numpy().astype(np.float64)
        return packed[0], packed[1:]
