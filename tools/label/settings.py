# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How clips are labelled."""

import dataclasses
import math
import typing


@dataclasses.dataclass(frozen=True)
class LabelSettings:
    """How clips are labelled.

    Attributes:
        rate: frames per second that are used; of a folder of images every frame is used.
        clip_frames: maximum number of used frames per clip, from its start.
        longest_side: larger frames are shrunk to this side, pixels.
        scene_change: difference of the colour histograms of two frames, 0..1, above which a new scene begins.
        hop: frames from one search for targets to the next.
        reach: frames over which a target is tracked from there.
        targets: maximum number of targets per search.
        clip_tracks: maximum number of tracks per clip.
        agreement: minimum IoU of the forward and the backward box in a frame that is kept.
        score: minimum score of both.
        min_frames: a shorter stretch is dropped.
        min_samples, max_samples: frames that are stored per track.
        change: minimum difference of the crops of two stored frames, mean grey levels. A target that stands still in a
            still image has too few such frames and is dropped.
    """

    RANGES: typing.ClassVar = {
        **dict.fromkeys(("scene_change", "agreement", "score"), (0.0, 1.0)),
        **dict.fromkeys(("clip_frames", "longest_side", "hop", "targets", "clip_tracks"), (1, math.inf)),
        **dict.fromkeys(("reach", "min_frames", "min_samples", "max_samples"), (2, math.inf)),
        "rate": (0.01, math.inf),
    }

    rate: float = 10.0
    clip_frames: int = 150
    longest_side: int = 1280
    scene_change: float = 0.35
    hop: int = 20
    reach: int = 40
    targets: int = 3
    clip_tracks: int = 6
    agreement: float = 0.7
    score: float = 0.4
    min_frames: int = 10
    min_samples: int = 6
    max_samples: int = 12
    change: float = 9.0
