# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Report on a run of the node: figures, annotated video and plot."""

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from siam_tracker_ros.core.monitor import TargetState
from siam_tracker_ros.drawing import GREY, STATE_COLORS_BGR, draw_target
from siam_tracker_ros.frames import VideoSink
from siam_tracker_ros.geometry import iou_xywh
from siam_tracker_ros.outputs import PendingFile

WHITE = (255, 255, 255)  # BGR


@dataclasses.dataclass(frozen=True, eq=False)
class LiveRun:
    """Record of N published frames, in their order.

    Attributes:
        stamps_ns: int64 (N,), stamps of the images in nanoseconds.
        start: index of the frame in which the target was given.
        processed: bool (N,), whether the tracker answered for the frame; the others were dropped.
        states: int (N,), TargetState; IDLE where not processed.
        confidences: float64 (N,), NaN where not processed or idle.
        inference_ms: float64 (N,), NaN where not processed.
        boxes_xywh: float64 (N, 4) in pixels, NaN without a detection; at `start` the box that was given.
        latencies_ms: float64 (N,), receipt of the detection minus the stamp of the image; NaN without a detection.
    """

    stamps_ns: np.ndarray
    start: int
    processed: np.ndarray
    states: np.ndarray
    confidences: np.ndarray
    inference_ms: np.ndarray
    boxes_xywh: np.ndarray
    latencies_ms: np.ndarray

    def __len__(self) -> int:
        return len(self.stamps_ns)


@dataclasses.dataclass(frozen=True, eq=False)
class Truth:
    """Ground truth of N frames.

    Attributes:
        boxes_xywh: float64 (N, 4) in pixels, NaN where not known.
        visibility: float64 (N,), visible fraction of the target, 0..1; NaN where not known.
    """

    boxes_xywh: np.ndarray
    visibility: np.ndarray

    @classmethod
    def from_boxes(cls, boxes_xywh: np.ndarray | Sequence) -> "Truth":
        """Return the truth from labels (N, 4) alone: a labelled target is taken to be fully visible."""
        boxes_xywh = np.asarray(boxes_xywh, dtype=np.float64).reshape(-1, 4)
        known = np.all(np.isfinite(boxes_xywh), axis=1) & np.all(boxes_xywh[:, 2:] > 0, axis=1)
        return cls(np.where(known[:, None], boxes_xywh, np.nan), np.where(known, 1.0, np.nan))


@dataclasses.dataclass(frozen=True)
class Figures:
    """Figures of a run; NaN where there was nothing to measure.

    Attributes:
        frames: published frames.
        processed: frames that the tracker answered for.
        dropped: frames after `LiveRun.start` that the tracker did not answer for.
        mean_iou: mean over the processed frames after `LiveRun.start` in which at least half of the target is visible;
            a frame without a box counts as 0.
        iou_frames: number of frames in that mean.
        latency_ms: percentiles 50, 95 and 99 of receipt of the detection minus the stamp of the image.
        overhead_ms: percentiles 50 and 95 of the latency minus the inference time of the same frame.
        inference_ms: median.
        fps: processed frames per second, by the stamps of the images.
        lost_in_view: number of losses that begin in a frame with the target fully visible or of unknown visibility.
        lost_hidden: number of losses that begin in a frame with the target partly or fully hidden.
    """

    frames: int
    processed: int
    dropped: int
    mean_iou: float
    iou_frames: int
    latency_ms: tuple[float, ...]
    overhead_ms: tuple[float, ...]
    inference_ms: float
    fps: float
    lost_in_view: int
    lost_hidden: int

    def table(self) -> str:
        """Return the figures for people, in four lines."""
        p50, p95, p99 = self.latency_ms
        rest50, rest95 = self.overhead_ms
        return f"""\
frames    {self.frames} published; with the target {self.processed} received, {self.dropped} dropped
latency   p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms, from image stamp to receipt of the detection
          inference {self.inference_ms:.1f} ms; all the rest p50 {rest50:.1f} ms, p95 {rest95:.1f} ms
losses    {self.lost_in_view} with the target in full view, {self.lost_hidden} while it was hidden
accuracy  mean IoU {self.mean_iou:.3f} over the {self.iou_frames} frames with a known target in view"""

    def summary(self) -> str:
        """Return the figures for programs, in one line."""
        p50, p95, _ = self.latency_ms
        return (
            f"demo summary: mean_iou={self.mean_iou:.3f} frames={self.frames} dropped={self.dropped} "
            f"latency_p50_ms={p50:.1f} latency_p95_ms={p95:.1f} inference_ms={self.inference_ms:.1f} "
            f"fps={self.fps:.1f}"
        )


def percentiles(values: np.ndarray | Sequence[float], ranks: Sequence[float]) -> tuple[float, ...]:
    """Return the percentiles of the finite values, NaN where there are none."""
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    if known.size == 0:
        return (float("nan"),) * len(ranks)
    return tuple(float(value) for value in np.percentile(known, ranks))


def frame_ious(run: LiveRun, truth: Truth) -> np.ndarray:
    """Return the IoU of each frame, float64 (N,): 0 for a processed frame without a box, NaN where it does not count.

    Dropped frames, the frames up to `run.start`, and those with less than half of the target visible do not count.
    """
    counts = run.processed & (truth.visibility >= 0.5) & (np.arange(len(run)) > run.start)
    return np.where(counts, iou_xywh(run.boxes_xywh, truth.boxes_xywh), np.nan)


def loss_starts(states: np.ndarray, processed: np.ndarray) -> np.ndarray:
    """Return the indices of the processed frames in which the state changed to LOST."""
    indices = np.flatnonzero(processed)
    lost = np.asarray(states)[indices] == TargetState.LOST
    return indices[lost & ~np.concatenate([[False], lost[:-1]])] if len(indices) else indices


def figures(run: LiveRun, truth: Truth) -> Figures:
    """Return the Figures of a run, compared with the truth."""
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


def annotate(image_bgr: np.ndarray, run: LiveRun, index: int, truth_xywh: np.ndarray) -> None:
    """Draw the result of frame `index`, and the true box where it is known, in place."""
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


def write_video(path: Path, rate: float, run: LiveRun, frames: Iterable[tuple[np.ndarray, np.ndarray, float]]) -> Truth:
    """Write the annotated video and return the truth, which comes with the frames.

    Args:
        path: file to write.
        rate: frames per second.
        run: record of the frames.
        frames: image_bgr, box_xywh and visibility of each frame, as `Clip.read` yields them.
    """
    truth = Truth(np.full((len(run), 4), np.nan), np.full(len(run), np.nan))
    with VideoSink(path, rate) as sink:
        for index, (image_bgr, box_xywh, visibility) in enumerate(frames):
            truth.boxes_xywh[index], truth.visibility[index] = box_xywh, visibility
            annotate(image_bgr, run, index, box_xywh)
            sink.write(image_bgr)
    return truth


def write_plot(path: Path, run: LiveRun, truth: Truth) -> None:
    """Write a PNG of IoU and confidence over time; dark bands are frames with the target hidden."""
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
    with PendingFile(path) as pending:
        figure.savefig(pending.partial, dpi=110)
    pyplot.close(figure)
