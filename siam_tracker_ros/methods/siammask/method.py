# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""SiamMask: settings that its authors and PySOT published, and where they publish weights."""

from siam_tracker_ros.core.crop import SEARCH_SIDE, TEMPLATE_SIDE
from siam_tracker_ros.core.method import Method
from siam_tracker_ros.methods.siamrpn.method import preset

VOT = preset(0.04, 0.42, 0.25, mask_threshold=0.30)
VOT2018 = preset(0.10, 0.41, 0.32, mask_threshold=0.15)
DAVIS = preset(0.04, 0.40, 1.0, mask_threshold=0.35)
PRESETS = {
    "vot": VOT,
    "vot2016": VOT,
    "vot2018": VOT2018,
    "vot2019": VOT,
    "davis": DAVIS,
    "youtube_vos": DAVIS,
    # The defaults of each program, without a configuration file.
    "siammask": preset(0.09, 0.39, 0.38, mask_threshold=0.30),
    "pysot": preset(0.04, 0.44, 0.40, mask_threshold=0.30),
}
PYSOT_PRESETS = {**PRESETS, "vot2016": VOT2018, "vot2019": VOT2018}

METHODS = (
    Method(
        name="siammask_r50",
        description="SiamMask with refined masks, by PySOT's rules",
        tracker_class="siam_tracker_ros.methods.siammask.tracker:PySOTSiamMaskTracker",
        network_class="siam_tracker_ros.methods.siammask.network:SiamMask",
        template_side=TEMPLATE_SIDE,
        search_side=SEARCH_SIDE,
        frame_gmacs=15.8,
        defaults=VOT2018,
        presets=PYSOT_PRESETS,
        checkpoint="PySOT's siammask_r50_l3; takes SiamMask's files as well",
        published="https://github.com/STVIR/pysot/blob/master/MODEL_ZOO.md",
        has_masks=True,
    ),
    Method(
        name="siammask_base",
        description="SiamMask with masks of 63 pixels, by its authors' rules",
        tracker_class="siam_tracker_ros.methods.siammask.tracker:SiamMaskTracker",
        network_class="siam_tracker_ros.methods.siammask.network:SiamMaskBase",
        template_side=TEMPLATE_SIDE,
        search_side=SEARCH_SIDE,
        frame_gmacs=15.5,
        defaults=PRESETS["siammask"],
        presets=PRESETS,
        checkpoint="what SiamMask's siammask_base trains; takes the refined files as well",
        published="https://github.com/foolwood/SiamMask",
        has_masks=True,
        training="siam_tracker_ros.methods.siammask.training:BASE",
    ),
    Method(
        name="siammask_sharp",
        description="SiamMask with refined masks, by its authors' rules",
        tracker_class="siam_tracker_ros.methods.siammask.tracker:SiamMaskTracker",
        network_class="siam_tracker_ros.methods.siammask.network:SiamMask",
        template_side=TEMPLATE_SIDE,
        search_side=SEARCH_SIDE,
        frame_gmacs=15.8,
        defaults=DAVIS,
        presets=PRESETS,
        checkpoint="SiamMask_DAVIS.pth, SiamMask_VOT.pth or SiamMask_VOT_LD.pth",
        published="https://github.com/foolwood/SiamMask",
        has_masks=True,
        training="siam_tracker_ros.methods.siammask.training:REFINEMENT",
    ),
)
