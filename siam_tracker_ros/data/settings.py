# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Settings of a data set."""

import dataclasses

from siam_tracker_ros.settings import setting


@dataclasses.dataclass(frozen=True)
class DatasetSettings:
    """One data set."""

    format: str = setting(meaning="Name of a format in `formats.FORMATS`.")
    path: str = setting(meaning="Folder of the data set.")
    name: str = setting(
        "",
        'Name for the log and messages; "" for the name of the format, or for shards the set that each sample names.',
    )
    split: str = setting("train", "Name of a split in the format's `splits`.")
    share: float = setting(
        1.0, "Relative weight of its frames when frames of all data sets are drawn; for `lite` only."
    )
    max_frames: int = setting(
        0, "Maximum per track, evenly spread over the frames that show the target; 0 for all frames."
    )
    leave_out: dict[str, int] | None = setting(
        None,
        "By name of a track, the number of the frame from which on it is left out, because its labels are wrong; 0 for "
        "all of it. None leaves out nothing.",
    )
    pairs: int | None = setting(
        None,
        "Pairs that it adds to a round of all data sets; None for one per image or video. For published recipes only.",
        1,
    )
    frame_range: int = setting(
        100,
        "Maximum distance of template and search frame, in frames of the source. For published recipes only: `lite` "
        "takes any two frames of a track.",
    )
