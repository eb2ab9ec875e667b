# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A method as another package would bring it: what SiamFC (Bertinetto et al. 2016) does, as small as it can be."""

from siam_tracker_ros.core.method import Method
from toy_method.network import SEARCH_SIDE, TEMPLATE_SIDE, ToyNetwork
from toy_method.tracker import ToyTracker

METHOD = Method(
    name="toy",
    description="one correlation, for a test",
    tracker_class=ToyTracker,
    network_class=ToyNetwork,
    template_side=TEMPLATE_SIDE,
    search_side=SEARCH_SIDE,
    frame_gmacs=0.02,
    presets={"still": {"window_influence": 1.0}},
    training="toy_method.training:TRAINING",
)
