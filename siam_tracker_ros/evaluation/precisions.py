# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a precision below float32 costs a model on labelled sequences; and inputs of its graphs, to quantize them."""

import collections
import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from siam_tracker_ros.core.graphs import ArrayFunction
from siam_tracker_ros.core.running import Running
from siam_tracker_ros.core.tracker import Tracker
from siam_tracker_ros.data.track import Track
from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.evaluation.metrics import mean_scores
from siam_tracker_ros.evaluation.one_pass import SequenceRun, run_sequence
from siam_tracker_ros.evaluation.tracker import SequenceTracker

SAMPLE_FRAMES = 128  # in which inputs are recorded

COST_COLUMNS = ("precision", "runtime", "mean IoU", "loss", "frames/s ratio")


@dataclasses.dataclass(frozen=True)
class Cost:
    """What one way to run a model costs, and brings.

    Attributes:
        way: the way.
        mean_iou: of one pass over the sequences, each with the same weight.
        loss: how much lower that is than the one in float32.
        speed: frames per second over those in float32.
    """

    way: Running
    mean_iou: float
    loss: float
    speed: float


def measure_costs(
    trackers: Mapping[Running, SequenceTracker], tracks: Sequence[Track], on_frame: Callable[[], object] = lambda: None
) -> list[Cost]:
    """Run trackers over sequences, in turns, so that other programs slow all of them alike.

    Args:
        trackers: the same model run in several ways; the first one is that in float32.
        tracks: what to track.
        on_frame: called after every frame of every tracker.

    Raises:
        InvalidInputError: no frame after the first is labelled; or a frame cannot be read.
    """
    runs: dict[Running, list[SequenceRun]] = {way: [] for way in trackers}
    for track in tracks:
        for way, tracker in trackers.items():
            runs[way].append(run_sequence(tracker, track, on_frame=on_frame))
    iou = {way: mean_scores(run.scores for run in own).mean_iou for way, own in runs.items()}
    took_ms = {way: sum(float(run.track_ms.sum()) for run in own) for way, own in runs.items()}
    first = next(iter(trackers))
    if np.isnan(iou[first]):
        raise InvalidInputError(
            "no frame of the sequences after the first is labelled, so that no loss can be measured; label more, "
            "or leave the measurement out"
        )
    return [Cost(way, iou[way], iou[first] - iou[way], took_ms[first] / took_ms[way]) for way in trackers]


def losses(costs: Iterable[Cost]) -> dict[str, float]:
    """Return what each precision but float32 costs, by its name: the most of all runtimes, to four decimals."""
    found: dict[str, float] = {}
    for cost in costs:
        if cost.way.precision != "fp32":
            found[cost.way.precision] = max(_rounded(cost.loss), found.get(cost.way.precision, -np.inf))
    return found


def cost_rows(costs: Iterable[Cost]) -> list[list[str]]:
    """Return a row of text per cost, under COST_COLUMNS."""
    return [
        [
            cost.way.precision,
            cost.way.runtime,
            f"{cost.mean_iou:.4f}",
            f"{_rounded(cost.loss):+.4f}",
            f"{cost.speed:.2f}",
        ]
        for cost in costs
    ]


def _rounded(loss: float) -> float:
    return round(loss, 4) + 0.0  # which is never a negative zero


def record_inputs(
    tracker: Tracker, tracks: Sequence[Track], on_frame: Callable[[], object] = lambda: None
) -> dict[str, list[tuple[np.ndarray, ...]]]:
    """Return inputs that graphs of a tracker's network have when it tracks, by the graphs' names.

    At most SAMPLE_FRAMES frames are taken, evenly spread over those that follow a labelled one. In each, the target is
    tracked from its box in the frame before. What only runs when a target is started, or searched for in the whole
    frame, is left out.

    Args:
        tracker: the recorder stays in its network.
        tracks: where the targets are.
        on_frame: called after every frame that is taken.

    Raises:
        InvalidInputError: there is no such frame; or one cannot be read.
    """
    recorded: dict[str, list[tuple[np.ndarray, ...]]] = collections.defaultdict(list)
    records = False

    def recording(name: str, function: ArrayFunction) -> ArrayFunction:
        def run(*arrays: object) -> tuple[object, ...]:
            if records:
                recorded[name].append(tuple(np.array(array) for array in arrays))
            return function(*arrays)

        return run

    tracker.network.wrap(recording)
    frames = [(track, i) for track in tracks for i in range(1, len(track)) if track.present[i - 1]]
    chosen = np.linspace(0, len(frames) - 1, min(SAMPLE_FRAMES, len(frames))).round().astype(int)
    for track, i in (frames[number] for number in chosen):
        before_bgr, image_bgr = track.image_bgr(i - 1), track.image_bgr(i)
        with contextlib.suppress(InvalidInputError):  # of a box that is too small, or outside of the frame
            target = tracker.start(before_bgr, track.boxes_xywh[i - 1])
            records = True
            _, result = tracker.step(image_bgr, target)
            _ = result.mask  # which may be drawn now
        records = False
        on_frame()
    if not recorded:
        raise InvalidInputError("no frame of the sequences follows one with a usable box; give labelled sequences")
    return dict(recorded)
