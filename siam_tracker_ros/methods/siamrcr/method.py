# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""SiamRCR, for which its authors published neither settings nor weights."""

from siam_tracker_ros.core.crop import SEARCH_SIDE, TEMPLATE_SIDE
from siam_tracker_ros.core.method import Method

METHODS = (
    Method(
        name="siamrcr",
        description="SiamRCR after its paper: classification and regression linked, score = p_cls * p_loc",
        tracker_class="siam_tracker_ros.methods.siamrcr.tracker:SiamRCRTracker",
        network_class="siam_tracker_ros.methods.siamrcr.network:SiamRCRNetwork",
        template_side=TEMPLATE_SIDE,
        search_side=SEARCH_SIDE,
        frame_gmacs=18.3,
        checkpoint="weights in our own schema; the authors published none",
        half_precision=False,
        training="siam_tracker_ros.methods.siamrcr.training:TRAINING",
    ),
)
