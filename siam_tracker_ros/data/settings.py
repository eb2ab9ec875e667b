# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Settings of a data set."""

import dataclasses
import math
import typing


@dataclasses.dataclass(frozen=True)
class DatasetSettings:
    """One data set.

    Attributes:
        format: a name in `formats.FORMATS`.
        path: folder of the data set.
        name: for the log and messages; "" for the name of the format, or for shards the set that each sample names.
        split: a name in the format's `splits`.
        share: (`lite`) relative weight of its frames when frames of all data sets are drawn.
        max_frames: maximum per track, evenly spread over the frames that show the target; 0 for all frames.
        pairs: (published recipes) pairs that it adds to a round of all data sets; None for one per image or video.
        frame_range: (published recipes) maximum distance of template and search frame, in frames of the source; `lite`
            takes any two frames of a track.
    """

    RANGES: typing.ClassVar = {"pairs": (1, math.inf)}

    format: str
    path: str
    name: str = ""
    split: str = "train"
    share: float = 1.0
    max_frames: int = 0
    pairs: int | None = None
    frame_range: int = 100
