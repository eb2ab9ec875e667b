# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Ocean: settings that its authors published, and where they publish weights."""

import numpy as np

from siam_tracker_ros.core.crop import SEARCH_SIDE, TEMPLATE_SIDE
from siam_tracker_ros.core.method import Method


def result_boxes(boxes_xywh: np.ndarray) -> np.ndarray:
    """Return boxes (..., 4) as TracKit writes them into result files: the corner is moved into the frame, where it is
    left of it or above it; the size stays."""
    return np.concatenate([np.maximum(boxes_xywh[..., :2], 0), boxes_xywh[..., 2:]], axis=-1)


def _preset(
    penalty_k: float,
    lr: float,
    window_influence: float,
    search_side: int,
    small_target_side: int,
    ratio: float = 1.0,
    size_smoothing: int = 2,
) -> dict[str, float]:
    return {
        "penalty_k": penalty_k,
        "lr": lr,
        "window_influence": window_influence,
        "search_side": search_side,
        "small_target_side": small_target_side,
        "ratio": ratio,
        "size_smoothing": size_smoothing,
    }


VOT2018_ON = _preset(0.187, 0.800, 0.640, 271, 287)
VOT2019_ON = _preset(0.060, 0.644, 0.484, 255, 287)

# The alignment head is switched off where the authors do so: on all benchmarks but VOT.
PRESETS = {
    "vot2018": _preset(0.021, 0.730, 0.321, 255, 271, ratio=0.93),
    "vot2019": _preset(0.062, 0.765, 0.380, 255, 271, ratio=0.94),
    # VOT without the alignment head: the settings of the online variant, as its authors advise.
    "vot2018_noa": VOT2018_ON,
    "vot2019_noa": VOT2019_ON,
    "vot2020_noa": VOT2019_ON,
    "vot2018_on": VOT2018_ON,
    "vot2019_on": VOT2019_ON,
    "otb2015": _preset(0.087, 0.408, 0.366, 271, 271),
    "got10k": _preset(0.022, 0.799, 0.118, 255, 255),
    "lasot": _preset(0.110, 0.700, 0.200, 255, 255),
    # From SiameseTracking4UAV, not from the authors.
    "uav123": _preset(0.080, 0.305, 0.440, 127, 287),
    # SOTS trained Ocean again, without alignment, and chose settings for that checkpoint.
    "sots_otb2015": _preset(0.109, 0.519, 0.200, 271, 287, size_smoothing=1),
    "sots_vot2019": _preset(0.042, 0.654, 0.443, 255, 287, size_smoothing=1),
    "sots_got10k": _preset(0.023, 0.800, 0.160, 255, 287, size_smoothing=1),
    "sots_lasot": _preset(0.109, 0.519, 0.200, 271, 287, size_smoothing=1),
    "sots_trackingnet": _preset(0.109, 0.519, 0.200, 271, 287, size_smoothing=1),
    "sots_tnl2k": _preset(0.034, 0.313, 0.284, 271, 287, size_smoothing=1),
    "sots_uav123": _preset(0.034, 0.313, 0.284, 271, 287, size_smoothing=1),
    "sots_nfs30": _preset(0.144, 0.720, 0.153, 255, 287, size_smoothing=1),
    "sots_tc128": _preset(0.134, 0.300, 0.284, 271, 271, size_smoothing=1),
    "sots_totb": _preset(0.133, 0.385, 0.383, 255, 287, size_smoothing=1),
}

METHODS = (
    Method(
        name="ocean",
        description="Ocean: anchor-free, with the object-aware alignment head where the checkpoint has one",
        tracker_class="siam_tracker_ros.methods.ocean.tracker:OceanTracker",
        network_class="siam_tracker_ros.methods.ocean.network:OceanNetwork",
        template_side=TEMPLATE_SIDE,
        search_side=SEARCH_SIDE,
        frame_gmacs=20.5,
        presets=PRESETS,
        checkpoint="TracKit's OceanV.pth or OceanNoOA.pth, or SOTS's Ocean.pth",
        published="https://github.com/researchmm/TracKit or https://github.com/JudasDie/SOTS",
        half_precision=False,
        result_boxes=result_boxes,
        training="siam_tracker_ros.methods.ocean.training:TRAINING",
    ),
)
