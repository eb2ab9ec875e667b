# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Ocean with its online branch: settings that its authors published, and where they publish weights."""

from siam_tracker_ros.core.crop import SEARCH_SIDE, TEMPLATE_SIDE
from siam_tracker_ros.core.method import Method
from siam_tracker_ros.methods.ocean.method import PRESETS, result_boxes

VOT2018 = {**PRESETS["vot2018_noa"], "online_ratio": 0.5}
VOT2019 = {**PRESETS["vot2019_noa"], "online_ratio": 0.7}

METHODS = (
    Method(
        name="ocean_online",
        description="Ocean with an online branch: a classifier that learns the target while it is tracked",
        tracker_class="siam_tracker_ros.methods.ocean_online.tracker:OceanOnlineTracker",
        network_class="siam_tracker_ros.methods.ocean_online.network:OceanOnlineNetwork",
        template_side=TEMPLATE_SIDE,
        search_side=SEARCH_SIDE,
        frame_gmacs=25.4,
        defaults=VOT2019,  # those of the authors' run_video.py
        presets={
            "vot2018": VOT2018,
            "vot2019": VOT2019,
            "vot2020": VOT2019,
            "vot2018on": VOT2018,
            "vot2019on": VOT2019,
            "sots_vot2020": {**VOT2019, "online_ratio": 0.9},
        },
        checkpoint="TracKit's OceanV19on.pth",
        published="https://github.com/researchmm/TracKit",
        half_precision=False,  # the optimizer needs float32
        result_boxes=result_boxes,
        training="siam_tracker_ros.methods.ocean_online.training:TRAINING",
    ),
)
