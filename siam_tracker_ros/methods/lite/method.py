# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`lite_online`, the default, and `lite`."""

from siam_tracker_ros.core.method import Method
from siam_tracker_ros.methods.lite.shapes import SEARCH_SIDE, TEMPLATE_SIDE

METHODS = (
    Method(
        name="lite_online",
        description="the default: lite with an online branch, a filter that learns the target while it is tracked",
        tracker_class="siam_tracker_ros.methods.lite.online:LiteOnlineTracker",
        network_class="siam_tracker_ros.methods.lite.network:LiteNetwork",
        template_side=TEMPLATE_SIDE,
        search_side=SEARCH_SIDE,
        frame_gmacs=0.39,
        checkpoint="lite's weights, which come with the package",
        weights="lite",
        has_masks=True,
    ),
    Method(
        name="lite",
        description="small anchor-free network of this project with masks",
        tracker_class="siam_tracker_ros.methods.lite.tracker:LiteTracker",
        network_class="siam_tracker_ros.methods.lite.network:LiteNetwork",
        template_side=TEMPLATE_SIDE,
        search_side=SEARCH_SIDE,
        frame_gmacs=0.39,
        checkpoint="its own weights, which come with the package",
        has_masks=True,
        training="siam_tracker_ros.methods.lite.training:TRAINING",
    ),
)
