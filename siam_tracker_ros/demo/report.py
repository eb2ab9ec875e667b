# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a run of the node showed: its figures, annotated frames and a plot. No ROS in here."""

import dataclasses

import numpy as np

from siam_tracker_ros.core.monitor import TargetState
from siam_tracker_ros.drawing import GREY, STATE_COLORS_BGR, draw_target
from siam_tracker_ros.geometry import iou_xywh

WHITE = (255, 255, 255)  # BGR


@dataclasses.dataclass(frozen=True, eq=False)
class LiveRun:
    """What was recorded about N published frames, in their order.

    Attributes:
        stamps_ns: int64 (N,), the images' stamps in nanoseconds.
        start: index of the frame that the target was given in.
        processed: bool (N,), whether the tracker answered for the frame; the others were dropped.
        states: int (N,), TargetState; IDLE where not processed.
        confidences: float64 (N,), NaN where not processed or idle.
        inference_ms: float64 (N,), NaN where not processed.
        boxes_xywh: float64 (N, 4), NaN where no detection came; at `start` the box that was given.
        latencies_ms: float64 (N,), receipt of the detection minus the image's stamp; NaN where none came.
    """

    stamps_ns: np.ndarray
    start: int
    processed: np.ndarray
    states: np.ndarray
    confidences: np.ndarray
    inference_ms: np.ndarray
    boxes_xywh: np.ndarray
    latencies_ms: np.ndarray

    def __len__(self):
        return len(self.stamps_ns)


@dataclasses.dataclass(frozen=True, eq=False)
class Truth:
    """What is known about the target in N frames.

    Attributes:
        boxes_xywh: float64 (N, 4), NaN where not known.
        visibility: float64 (N,), the part of the target that can be seen, 0..1; NaN where not known.
    """

    boxes_xywh: np.ndarray
    visibility: np.ndarray

    @classmethod
    def from_boxes(cls, boxes_xywh):
        """Make the truth of labels alone: a labelled target is taken to be in full view."""
        boxes_xywh = np.asarray(boxes_xywh, dtype=np.float64).reshape(-1, 4)
        known = np.isfinite(boxes_xywh).all(axis=1) & (boxes_xywh[:, 2:] > 0).all(axis=1)
        return cls(np.where(known[:, None], boxes_xywh, np.nan), np.where(known, 1.0, np.nan))


@dataclasses.dataclass(frozen=True)
class Figures:
    """The figures of a run; NaN where there was nothing to measure.

    Attributes:
        frames: published frames.
        processed: frames that the tracker answered for.
        dropped: frames after the first one with the target that it did not answer for.
        mean_iou: mean over the processed frames after the first in which at least half of the target can be
            seen; a frame without a box counts as 0.
        iou_frames: number of frames in that mean.
        latency_ms: percentiles 50, 95 and 99 of receipt of the detection minus the image's stamp.
        overhead_ms: percentiles 50 and 95 of the latency less the inference time of the same frame.
        inference_ms: median.
        fps: processed frames a second of the images' own time.
        lost_in_view: how often the target was reported lost, beginning in a frame with all of it in view or
            one about which nothing is known.
        lost_hidden: how often it was reported lost, beginning in a frame in which some of it is hidden.
    """

    frames: int
    processed: int
    dropped: int
    mean_iou: float
    iou_frames: int
    latency_ms: tuple
    overhead_ms: tuple
    inference_ms: float
    fps: float
    lost_in_view: int
    lost_hidden: int

    def summary(self):
        """Return the one line that other programs read."""
        p50, p95, _ = self.latency_ms
        return (
            f"demo summary: mean_iou={self.mean_iou:.3f} frames={self.frames} dropped={self.dropped} "
            f"latency_p50_ms={p50:.1f} latency_p95_ms={p95:.1f} inference_ms={self.inference_ms:.1f} "
            f"fps={self.fps:.1f}"
        )


def percentiles(values, ranks):
    """Return the percentiles of the finite values as a tuple of floats, NaN where there are none."""
    values = np.asarray(values, dtype=np.float64)
    values = values[np.isfinite(values)]
    if values.size == 0:
        return (float("nan"),) * len(ranks)
    return tuple(float(value) for value in np.percentile(values, ranks))


def frame_ious(run, truth):
    """Return IoU per frame, float64 (N,): 0 for a processed frame without a box, NaN where it does not count.

    Dropped frames, the frames up to the one that the target was given in, and those in which less than half
    of the target can be seen do not count.
    """
    counts = run.processed & (truth.visibility >= 0.5) & (np.arange(len(run)) > run.start)
    return np.where(counts, iou_xywh(run.boxes_xywh, truth.boxes_xywh), np.nan)


def loss_starts(states, processed):
    """Return the indices of the frames in which the state turned to LOST, among the processed frames."""
    indices = np.flatnonzero(processed)
    lost = np.asarray(states)[indices] == TargetState.LOST
    return indices[lost & ~np.concatenate([[False], lost[:-1]])] if len(indices) else indices


def figures(run, truth):
    """Return the Figures of a run against the truth."""
    iou = frame_ious(run, truth)
    counted = iou[np.isfinite(iou)]
    losses = loss_starts(run.states, run.processed)
    hidden = int(np.count_nonzero(truth.visibility[losses] < 1))
    answered = np.flatnonzero(run.processed)
    seconds = (run.stamps_ns[answered[-1]] - run.stamps_ns[answered[0]]) / 1e9 if len(answered) > 1 else 0
    return Figures(
        frames=len(run),
        processed=len(answered),
        dropped=int(np.count_nonzero(~run.processed[run.start + 1 :])),
        mean_iou=float(counted.mean()) if len(counted) else float("nan"),
        iou_frames=len(counted),
        latency_ms=percentiles(run.latencies_ms, (50, 95, 99)),
        overhead_ms=percentiles(run.latencies_ms - run.inference_ms, (50, 95)),
        inference_ms=percentiles(run.inference_ms[run.start + 1 :], (50,))[0],
        fps=(len(answered) - 1) / seconds if seconds > 0 else float("nan"),
        lost_in_view=len(losses) - hidden,
        lost_hidden=hidden,
    )


def annotate(image_bgr, run, index, truth_xywh):
    """Draw what the tracker said about frame `index`, and the truth where it is known, in place."""
    if np.isfinite(truth_xywh).all():
        draw_target(image_bgr, truth_xywh, color_bgr=WHITE)
    if not run.processed[index]:
        text = "the target is given" if index == run.start else "no answer"
        draw_target(image_bgr, run.boxes_xywh[index], text, GREY)
        return
    state, box_xywh = TargetState(run.states[index]), run.boxes_xywh[index]
    text = state.name.lower()
    if np.isfinite(run.confidences[index]):
        text += f" {run.confidences[index]:.2f}"
    draw_target(image_bgr, box_xywh, text, STATE_COLORS_BGR[state])


def write_plot(path, run, truth):
    """Write a PNG of IoU and confidence over time; dark bands are frames in which the target is hidden."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    seconds = (run.stamps_ns - run.stamps_ns[0]) / 1e9
    figure, (top, bottom) = pyplot.subplots(2, 1, sharex=True, figsize=(9, 5), constrained_layout=True)
    iou = frame_ious(run, truth)
    top.plot(seconds, iou, color="tab:blue", linewidth=1.2)
    top.set_ylabel("IoU with the truth")
    if not np.isfinite(iou).any():
        top.text(0.5, 0.5, "no truth known", transform=top.transAxes, ha="center", va="center")
    bottom.plot(seconds, run.confidences, color="tab:gray", linewidth=0.8, zorder=1)
    for state in TargetState:
        of_state = run.processed & (run.states == state)
        if of_state.any():
            color = tuple(channel / 255 for channel in reversed(STATE_COLORS_BGR[state]))
            heights = np.nan_to_num(run.confidences[of_state])
            bottom.scatter(seconds[of_state], heights, s=9, color=color, label=state.name.lower(), zorder=2)
    bottom.set_ylabel("confidence")
    bottom.set_xlabel("time (s)")
    if run.processed.any():
        bottom.legend(loc="lower left", ncol=len(TargetState), fontsize="small")
    for axes in (top, bottom):
        axes.set_xlim(0, max(seconds[-1], 1e-3))
        axes.set_ylim(-0.03, 1.03)
        axes.grid(alpha=0.3)
        hidden = truth.visibility < 0.5
        axes.fill_between(seconds, -0.03, 1.03, where=hidden, step="mid", color="black", alpha=0.15, lw=0)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
