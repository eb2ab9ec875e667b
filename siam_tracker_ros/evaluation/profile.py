# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where the time of a frame goes: into the crop, the backbone, the head, or the rest of `track`.

Code marks these stages with `core.stage`, and one run of `torch.profiler` collects the marks. The profiler slows small
operations down, so this is a run of its own, beside the one that is timed.
"""

import math
import os
import time
import typing
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from siam_tracker_ros.core.graphs import Graphs
from siam_tracker_ros.core.network import Network
from siam_tracker_ros.evaluation.tracker import SequenceTracker

MARKED = ("crop", "backbone", "head")
STAGES = (*MARKED, "post")

os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # else torch's profiler prints that it starts and stops


class ProfiledTracker(SequenceTracker, typing.Protocol):
    """A tracker whose stages are marked.

    Attributes:
        network: says on which device and in which thread it works.
    """

    network: Network | Graphs


class Mark(typing.NamedTuple):
    """One visit of a stage, on the clock of the profiler in microseconds.

    Attributes:
        on_gpu: whether it spans the work that a stage queued on a GPU, not the call that queued it.
    """

    stage: str
    start_us: float
    end_us: float
    on_gpu: bool = False


def stage_shares(
    tracker: ProfiledTracker,
    frames_bgr: Sequence[np.ndarray],
    box_xywh: Sequence[float] | np.ndarray,
    limit_s: float = math.inf,
) -> Mapping[str, float]:
    """Track through frames and return the share of `track` that each stage takes, as a mapping of stage to 0..1.

    crop: cutting regions out of the frame, and their way to the device; backbone: features of these crops; head: the
    rest of the network, with what it learns while it tracks; post: all else.

    Args:
        tracker: a Tracker, as `create_tracker` makes it.
        frames_bgr: frames, uint8 (H, W, 3), at least two.
        box_xywh: the target in the first frame.
        limit_s: begin no further frame after so many seconds.
    """
    tracker.init(frames_bgr[0], box_xywh)
    on_gpu = tracker.network.device != "cpu"
    profiler = profile(activities=[ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])])
    total_s = 0.0
    call = tracker.network.call
    call(profiler.start)  # a profiler sees the marks of the thread that starts it
    try:
        for image_bgr in frames_bgr[1:]:
            start = time.perf_counter()
            tracker.track(image_bgr)
            if on_gpu:
                torch.cuda.synchronize()  # what was queued last belongs to this frame
            total_s += time.perf_counter() - start
            if total_s > limit_s:
                break
    finally:
        call(profiler.stop)
    spent_us = charge(
        Mark(event.name, event.time_range.start, event.time_range.end, event.device_type != DeviceType.CPU)
        for event in profiler.events()
        if event.name in MARKED
    )
    shares = {stage: spent_us[stage] / (1e6 * total_s) for stage in MARKED}
    return {**shares, "post": 1 - sum(shares.values())}


def charge(marks: Iterable[Mark]) -> Mapping[str, float]:
    """Return the microseconds of each marked stage, where each moment counts once.

    Of the marks that are open at a moment the one that started last counts: of a mark inside another, the inner one.
    While a GPU works, the marks of its work count, not those of the calls that wait for it or queue more.
    """
    marks = sorted(marks, key=lambda mark: (mark.on_gpu, mark.start_us, -mark.end_us))
    edges = sorted({edge for mark in marks for edge in (mark.start_us, mark.end_us)})
    spent_us = dict.fromkeys(MARKED, 0.0)
    for start_us, end_us in zip(edges, edges[1:]):
        opened = [mark for mark in marks if mark.start_us <= start_us and end_us <= mark.end_us]
        if opened:
            spent_us[opened[-1].stage] += end_us - start_us
    return spent_us
