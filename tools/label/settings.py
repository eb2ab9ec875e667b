# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How clips are labelled."""

import dataclasses

from siam_tracker_ros.settings import setting


@dataclasses.dataclass(frozen=True)
class LabelSettings:
    """How clips are labelled."""

    rate: float = setting(10.0, "Frames per second that are used; of a folder of images every frame is used.", 0.01)
    clip_frames: int = setting(150, "Maximum number of used frames per clip, from its start.", 1)
    longest_side: int = setting(1280, "Larger frames are shrunk to this side, in pixels.", 1)
    scene_change: float = setting(
        0.35, "Difference of the colour histograms of two frames above which a new scene begins.", 0, 1
    )
    hop: int = setting(20, "Frames from one search for targets to the next.", 1)
    reach: int = setting(40, "Frames over which a target is tracked from where it was found.", 2)
    targets: int = setting(3, "Maximum number of targets per search.", 1)
    clip_tracks: int = setting(6, "Maximum number of tracks per clip.", 1)
    agreement: float = setting(0.7, "Minimum IoU of the forward and the backward box in a frame that is kept.", 0, 1)
    score: float = setting(0.4, "Minimum score of the forward and the backward box in a frame that is kept.", 0, 1)
    min_frames: int = setting(10, "Minimum number of frames of a stretch that is kept.", 2)
    min_samples: int = setting(6, "Minimum number of stored frames per track.", 2)
    max_samples: int = setting(12, "Maximum number of stored frames per track.", 2)
    change: float = setting(
        9.0,
        "Minimum difference of the crops of two stored frames, in mean grey levels. A target that stands still in a "
        "still image has too few such frames and is dropped.",
    )
