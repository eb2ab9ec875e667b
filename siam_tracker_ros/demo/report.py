# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Report on a run of the node: figures, annotated video and plot."""

import dataclasses
import functools
import math
import typing
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from siam_tracker_ros.core.monitor import TargetState
from siam_tracker_ros.drawing import GREY, STATE_COLORS_BGR, draw_target
from siam_tracker_ros.frames import VideoSink
from siam_tracker_ros.geometry import iou_xywh
from siam_tracker_ros.outputs import PendingFile

WHITE = (255, 255, 255)  # BGR
IN_VIEW = 0.5  # visible fraction of the target from which it is in view
ON_TARGET = 0.5  # IoU from which a box is on a target
STATES = TargetState.TRACKING, TargetState.UNCERTAIN, TargetState.LOST


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


class TrueFrame(typing.NamedTuple):
    """A frame, and what is to be seen in it.

    Attributes:
        image_bgr: uint8 (H, W, 3).
        box_xywh: float64 (4,), the whole target in pixels; NaN where it is not known or outside the frame.
        visibility: visible fraction of the target, 0..1; NaN where not known.
        distractors_xywh: float64 (K, 4), the target's look-alikes; NaN where outside the frame.
    """

    image_bgr: np.ndarray
    box_xywh: np.ndarray
    visibility: float
    distractors_xywh: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Truth:
    """Ground truth of N frames; the arrays are as in `TrueFrame`.

    Attributes:
        boxes_xywh: float64 (N, 4).
        visibility: float64 (N,).
        distractors_xywh: float64 (N, K, 4); K is 0 where none are known.
    """

    boxes_xywh: np.ndarray
    visibility: np.ndarray
    distractors_xywh: np.ndarray

    @classmethod
    def from_boxes(cls, boxes_xywh: np.ndarray | Sequence) -> "Truth":
        """Return the truth from labels (N, 4) alone: a labelled target is taken to be fully visible."""
        boxes_xywh = np.asarray(boxes_xywh, dtype=np.float64).reshape(-1, 4)
        known = np.all(np.isfinite(boxes_xywh), axis=1) & np.all(boxes_xywh[:, 2:] > 0, axis=1)
        distractors_xywh = np.empty((len(boxes_xywh), 0, 4))
        return cls(np.where(known[:, None], boxes_xywh, np.nan), np.where(known, 1.0, np.nan), distractors_xywh)

    @functools.cached_property
    def in_view(self) -> np.ndarray:
        """Bool (N,), frames in which at least half of the target is visible."""
        return self.visibility >= IN_VIEW

    @functools.cached_property
    def absent(self) -> np.ndarray:
        """Bool (N,), frames in which nothing of the target is visible."""
        return self.visibility == 0


@dataclasses.dataclass(frozen=True)
class Absence:
    """One time that the target is absent. Delays are in published frames, 0 for the very frame.

    Attributes:
        first: index of the first frame in which it is absent.
        back: index of the first frame after that in which it is in view, or None.
        lost_after: frames from `first` until the state is LOST; infinite if it is not before `back`.
        found_after: frames from `back` until the state is TRACKING with the box on the target; infinite if it is not
            before the next absence, NaN without a return.
    """

    first: int
    back: int | None
    lost_after: float
    found_after: float

    def line(self) -> str:
        """Return it for people, in one line."""
        found = "it did not return"
        if self.back is not None:
            found = f"from the return until TRACKING on it: {_count(self.found_after)}"
        return f"from frame {self.first} on; frames until LOST: {_count(self.lost_after)}, {found}"


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
        lost_hidden: number of losses that begin in a frame with the target partly or fully hidden, or absent.
        absences: each time that the target is absent.
        mistaken: number of frames with the state TRACKING and the box on a look-alike; None where none is known.
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
    absences: tuple[Absence, ...]
    mistaken: int | None

    def table(self) -> str:
        """Return the figures for people: five lines, one for each absence, and one on look-alikes if any are known."""
        p50, p95, p99 = self.latency_ms
        rest50, rest95 = self.overhead_ms
        table = f"""\
frames    {self.frames} published; with the target {self.processed} received, {self.dropped} dropped
latency   p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms, from image stamp to receipt of the detection
          inference {self.inference_ms:.1f} ms; all the rest p50 {rest50:.1f} ms, p95 {rest95:.1f} ms
losses    {self.lost_in_view} with the target in full view, {self.lost_hidden} while it was hidden or out of view
accuracy  mean IoU {self.mean_iou:.3f} over the {self.iou_frames} frames with a known target in view"""
        lines = [f"absence   {absence.line()}" for absence in self.absences]
        if self.mistaken is not None:
            lines.append(f"mistakes  {self.mistaken} frames TRACKING with the box on a look-alike")
        return "\n".join([table, *lines])

    def summary(self) -> str:
        """Return the figures for programs, in one line; of several absences the longest delays."""
        p50, p95, _ = self.latency_ms
        lost_after = max((absence.lost_after for absence in self.absences), default=math.nan)
        returns = [absence.found_after for absence in self.absences if absence.back is not None]
        return (
            f"demo summary: mean_iou={self.mean_iou:.3f} frames={self.frames} dropped={self.dropped} "
            f"latency_p50_ms={p50:.1f} latency_p95_ms={p95:.1f} inference_ms={self.inference_ms:.1f} "
            f"fps={self.fps:.1f} lost_after={lost_after:.0f} found_after={max(returns, default=math.nan):.0f} "
            f"mistaken={'nan' if self.mistaken is None else self.mistaken}"
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
    counts = run.processed & truth.in_view & (np.arange(len(run)) > run.start)
    return np.where(counts, iou_xywh(run.boxes_xywh, truth.boxes_xywh), np.nan)


def loss_starts(states: np.ndarray, processed: np.ndarray) -> np.ndarray:
    """Return the indices of the processed frames in which the state changed to LOST."""
    indices = np.flatnonzero(processed)
    lost = np.asarray(states)[indices] == TargetState.LOST
    return indices[lost & ~np.concatenate([[False], lost[:-1]])] if len(indices) else indices


def absences(run: LiveRun, truth: Truth) -> tuple[Absence, ...]:
    """Return each time that the target becomes absent after `run.start`."""
    lost = run.processed & (run.states == TargetState.LOST)
    found = (run.states == TargetState.TRACKING) & (frame_ious(run, truth) >= ON_TARGET)
    spans: list[tuple[int, int | None]] = []
    back: int | None = run.start
    while back is not None and (first := _next(truth.absent, back)) is not None:
        back = _next(truth.in_view, first)
        spans.append((first, back))
    ends = [*(first for first, _ in spans[1:]), len(run)]
    return tuple(
        Absence(first, back, _delay(lost[first:back]), math.nan if back is None else _delay(found[back:end]))
        for (first, back), end in zip(spans, ends)
    )


def mistaken_frames(run: LiveRun, truth: Truth) -> np.ndarray:
    """Return bool (N,), frames with the state TRACKING and the box on a look-alike rather than on the target."""
    on_target = iou_xywh(run.boxes_xywh, truth.boxes_xywh)
    on_others = iou_xywh(run.boxes_xywh[:, None], truth.distractors_xywh).max(axis=1, initial=0.0)
    return (run.states == TargetState.TRACKING) & (on_others >= ON_TARGET) & (on_others > on_target)


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
        absences=absences(run, truth),
        mistaken=int(np.count_nonzero(mistaken_frames(run, truth))) if truth.distractors_xywh.shape[1] else None,
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


def write_video(path: Path, rate: float, run: LiveRun, frames: Iterable[TrueFrame]) -> Truth:
    """Write the annotated video and return the truth, which comes with the frames.

    Args:
        path: file to write.
        rate: frames per second.
        run: record of the frames.
        frames: the frames again, as `Clip.read` yields them.
    """
    rows = []
    with VideoSink(path, rate) as sink:
        for index, frame in enumerate(frames):
            rows.append((frame.box_xywh, frame.visibility, frame.distractors_xywh))
            annotate(frame.image_bgr, run, index, frame.box_xywh)
            sink.write(frame.image_bgr)
    missing = len(run) - len(rows)
    columns = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    return Truth(
        *(np.pad(column, [(0, missing)] + [(0, 0)] * (column.ndim - 1), constant_values=np.nan) for column in columns)
    )


def write_plot(path: Path, run: LiveRun, truth: Truth) -> None:
    """Write a PNG of IoU, confidence and state over time; frames with the target hidden or absent are shaded."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    seconds = (run.stamps_ns - run.stamps_ns[0]) / 1e9
    figure, panels = pyplot.subplots(
        3, 1, sharex=True, figsize=(9, 6), height_ratios=(3, 3, 1.2), constrained_layout=True
    )
    top, middle, bottom = panels
    iou = frame_ious(run, truth)
    top.plot(seconds, iou, color="tab:blue", linewidth=1.2)
    top.set_ylabel("IoU with the truth")
    if not np.isfinite(iou).any():
        top.text(0.5, 0.5, "no truth known", transform=top.transAxes, ha="center", va="center")
    middle.plot(seconds, run.confidences, color="tab:gray", linewidth=0.8, zorder=1)
    middle.set_ylabel("confidence")
    for state in STATES:
        of_state = run.processed & (run.states == state)
        color = tuple(channel / 255 for channel in reversed(STATE_COLORS_BGR[state]))
        middle.scatter(seconds[of_state], np.nan_to_num(run.confidences[of_state]), s=9, color=color, zorder=2)
        bottom.scatter(seconds[of_state], np.full(np.count_nonzero(of_state), -state), s=12, marker="s", color=color)
    bottom.set_yticks([-state for state in STATES], [state.name.lower() for state in STATES])
    bottom.set_xlabel("time (s)")
    for axes, (low, high) in zip(panels, ((-0.03, 1.03), (-0.03, 1.03), (-3.6, -0.4)), strict=True):
        axes.set_xlim(0, max(seconds[-1], 1e-3))
        axes.set_ylim(low, high)
        axes.grid(alpha=0.3)
        for shaded, darkness, label in (
            ((truth.visibility < IN_VIEW) & ~truth.absent, 0.12, "target hidden"),
            (truth.absent, 0.3, "target out of view"),
        ):
            if shaded.any():
                style = {"step": "mid", "color": "black", "alpha": darkness, "lw": 0, "label": label}
                axes.fill_between(seconds, low, high, where=shaded, **style)
    if top.get_legend_handles_labels()[0]:
        top.legend(loc="lower left", fontsize="small")
    with PendingFile(path) as pending:
        figure.savefig(pending.partial, dpi=110)
    pyplot.close(figure)


def _next(mask: np.ndarray, start: int) -> int | None:
    """Return the first index from `start` on at which a mask (N,) holds, or None."""
    indices = np.flatnonzero(mask[start:])
    return start + int(indices[0]) if len(indices) else None


def _delay(mask: np.ndarray) -> float:
    """Return the first index at which a mask (N,) holds, infinite if there is none."""
    first = _next(mask, 0)
    return math.inf if first is None else float(first)


def _count(frames: float) -> str:
    """Return a number of frames for people."""
    return "never" if math.isinf(frames) else f"{frames:.0f}"
