# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which data sets a training run reads, and how much of each."""

import dataclasses
import math
import typing


@dataclasses.dataclass(frozen=True)
class DatasetSettings:
    """One data set.

    Attributes:
        format: a name in `datasets.FORMATS`.
        path: folder of the data set.
        name: how it is called in the log and in messages; "" for the format's name, and of shards for the name of
            the set that each sample is from.
        split: the part of it to read, as the format calls it; see `datasets.FORMATS`.
        share: how often its frames are drawn, next to those of other sets, in comparison with their number, by
            `lite`.
        max_frames: frames of a track, at most, evenly spread over those that show the target; 0 for all frames.
        pairs: number of pairs that it adds to a round of all data sets, in the published recipes; None for one of
            each of its pictures or videos.
        frame_range: frames, at most, between template and search region, counted in the source, in the published
            recipes; `lite` takes any two of a track.
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
