# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""GradNet: its published settings, and where its authors publish weights."""

from siam_tracker_ros.core.crop import SEARCH_SIDE, TEMPLATE_SIDE
from siam_tracker_ros.core.method import Method

METHODS = (
    Method(
        name="gradnet",
        description="two AlexNets, a template that gradients of the tracking loss adapt every five frames",
        tracker_class="siam_tracker_ros.methods.gradnet.tracker:GradNetTracker",
        network_class="siam_tracker_ros.methods.gradnet.network:GradNetNetwork",
        template_side=TEMPLATE_SIDE,
        search_side=SEARCH_SIDE,
        frame_gmacs=8.2,
        presets={"otb2015": {}},
        checkpoint="base_l5_1t_49/model_epoch49.ckpt.index, .data-00000-of-00001 beside it",
        published="https://github.com/LPXTT/GradNet-Tensorflow",
        half_precision=False,
        training="siam_tracker_ros.methods.gradnet.training:TRAINING",
    ),
)
