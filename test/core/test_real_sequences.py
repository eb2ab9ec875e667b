# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Every model over real video. Random weights find nothing, but they must not fail, and neither must what they meet."""

import numpy as np
import pytest

from siam_tracker_ros import create_tracker, list_models
from siam_tracker_ros.data.labelled import read_videos

pytestmark = pytest.mark.slow

SEQUENCES = ("crossing", "davis-car-shadow", "davis-libby")
FRAMES = 4


@pytest.mark.parametrize("info", list_models(), ids=lambda info: info.name)
def test_real_video_gives_finite_answers(shared_data, info):
    lost_search = {"confidence_low": 0.0} if info.name == "siamrpn_r50_lt" else {}  # which takes seconds a frame
    tracker = create_tracker(info.name, weights=info.shipped_weights or "random", **lost_search)
    for name in SEQUENCES:
        (track,) = read_videos(shared_data / "sequences" / name).tracks
        tracker.init(track.image_bgr(0), track.boxes_xywh[0])
        for index in range(1, 1 + FRAMES):
            image_bgr = track.image_bgr(index)
            result = tracker.track(image_bgr)
            assert np.isfinite(result.box_xywh).all()
            assert 0 <= result.score <= 1
            assert 0 <= result.peak_ratio <= 1
            if info.has_masks:
                assert result.mask.shape == image_bgr.shape[:2]
                assert np.isfinite(result.polygon).all()
