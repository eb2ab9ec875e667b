# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A tracker after SiamRCR (Peng et al., IJCAI 2021).

From the paper: the score is the product of classification and predicted localization accuracy. Our choice, as the
authors released no code: all else is Ocean's procedure, with this score in place of Ocean's and the size smoothed once.
"""

import dataclasses

import numpy as np
import torch

from siam_tracker_ros.core.method import Method
from siam_tracker_ros.methods.ocean.network import SEARCH_SIDE, TEMPLATE_SIDE
from siam_tracker_ros.methods.ocean.tracker import OceanTracker
from siam_tracker_ros.methods.siamrcr.network import SiamRCRNetwork
from siam_tracker_ros.settings import setting


@dataclasses.dataclass(frozen=True)
class SiamRCRSettings:
    """How the response becomes a box. The defaults are plausible, not tuned: no weights are published to tune with."""

    penalty_k: float = setting(
        0.06, "Strength of the penalty on changes of size and shape from frame to frame; 0 switches it off.", 0, 1
    )
    window_influence: float = setting(0.38, "Share of the Hann window in what picks the best cell.", 0, 1)
    lr: float = setting(
        0.6, "How much of a new size is taken over at full confidence; position is taken over whole.", 0, 1
    )
    search_side: int = setting(255, "Side of the search crop in pixels of the network's input.", 127, 511)
    small_target_side: int = setting(
        287, "As `search_side`, for targets under 0.4 % of the first frame's area.", 127, 511
    )
    size_smoothing: int = setting(1, "How often the size is smoothed.", 1, 2)


class SiamRCRTracker(OceanTracker):
    """Runs a SiamRCRNetwork that is ready for inference; see `create_tracker`."""

    settings_class = SiamRCRSettings

    def _respond(self, image_bgr, template):
        response = self.network(image_bgr, template)
        score = torch.sigmoid(response.classification) * torch.sigmoid(response.localization)
        packed = torch.cat([score, response.box_cxcywh], 1)[0].cpu().numpy().astype(np.float64)
        return packed[0], packed[1:]


METHODS = (
    Method(
        name="siamrcr",
        description="SiamRCR after its paper: classification and regression linked, score = p_cls * p_loc",
        tracker_class=SiamRCRTracker,
        network_class=SiamRCRNetwork,
        template_side=TEMPLATE_SIDE,
        search_side=SEARCH_SIDE,
        frame_gmacs=18.3,
        checkpoint="weights in our own schema; the authors published none",
        half_precision=False,
        training="siam_tracker_ros.methods.siamrcr.training:TRAINING",
    ),
)
