# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One-pass evaluation: a tracker gets the first box of each sequence and no further help.

What is scored is what a result file holds, so that figures of a run and of its files are the same.
"""

import dataclasses
import functools
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from siam_tracker_ros.core.monitor import TargetState
from siam_tracker_ros.core.session import check_same_size
from siam_tracker_ros.data.box_files import write_results
from siam_tracker_ros.data.track import Track
from siam_tracker_ros.drawing import write_mask
from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.evaluation.metrics import FrameScores, Scores, mask_iou, score_frames
from siam_tracker_ros.evaluation.tracker import SequenceTracker, SessionTracker
from siam_tracker_ros.intensity import IntensityStretch
from siam_tracker_ros.outputs import write_atomic

DECIMALS = 3  # of the numbers in a result file

BoxRule = Callable[[np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True, eq=False)
class SequenceRun:
    """Result of a tracker on one sequence of N frames.

    Attributes:
        name: the sequence's name.
        truth_xywh: float64 (N, 4), the labels, NaN where there is none.
        boxes_xywh: float64 (N, 4), as in the result file; the first is the box that was given.
        confidences: float64 (N,), 0..1; the first is 1.
        track_ms: float64 (N - 1,), time inside `track`, without reading the frame; (0,) if it is not known.
        region: see `Scores`.
        remarks: sentences about frames that could not be searched.
        states: int64 (N,), values of TargetState, where the target was followed by a session; None elsewhere.
    """

    name: str
    truth_xywh: np.ndarray
    boxes_xywh: np.ndarray
    confidences: np.ndarray
    track_ms: np.ndarray
    region: float = np.nan
    remarks: tuple[str, ...] = ()
    states: np.ndarray | None = None

    @functools.cached_property
    def frame_scores(self) -> FrameScores:
        """Comparison of the boxes with the labels, frame by frame."""
        return score_frames(self.truth_xywh, self.boxes_xywh)

    @property
    def scores(self) -> Scores:
        """Metrics against the labels."""
        return self.frame_scores.summary(self.region)


@dataclasses.dataclass(frozen=True)
class Outputs:
    """What a run writes, and how.

    Attributes:
        folder: gets NAME.txt when a sequence is done, NAME/mask/ where there are masks, and NAME/states.txt where there
            are states; None writes nothing.
        mask_value: of the target's pixels in masks: 255, or 1 as other tools want it.
        box_rule: what becomes of boxes (N, 4) in result files; see `core.method.Method.result_boxes`.
    """

    folder: Path | None = None
    mask_value: int = 255
    box_rule: BoxRule | None = None


def result_file(folder: Path, name: str) -> Path:
    """Return the path of a sequence's boxes in a folder of results."""
    return folder / f"{name}.txt"


def mask_folder(folder: Path, name: str) -> Path:
    """Return the folder of a sequence's masks in a folder of results."""
    return folder / name / "mask"


def state_file(folder: Path, name: str) -> Path:
    """Return the path of a sequence's states in a folder of results: the name of a TargetState per line."""
    return folder / name / "states.txt"


def run_sequence(
    tracker: SequenceTracker,
    track: Track,
    outputs: Outputs = Outputs(),
    intensity_range: tuple[int, int] | None = None,
    on_frame: Callable[[], object] = lambda: None,
) -> SequenceRun:
    """Track one sequence from its first box to its end.

    Args:
        tracker: starts on the sequence's first box; the states of a SessionTracker are kept.
        track: the frames and labels.
        outputs: what to write.
        intensity_range: of 16-bit images, see `open_frames`.
        on_frame: called after every frame.

    Raises:
        InvalidInputError: a frame cannot be read, or the first box cannot be used.
    """
    boxes, confidences, track_ms, regions = [track.boxes_xywh[0]], [1.0], [], []
    masks = None if outputs.folder is None else mask_folder(outputs.folder, track.name)
    if masks is not None and masks.is_dir():
        shutil.rmtree(masks)  # of an earlier run, which may have had a mask where this one has none
    stretch, remarks = IntensityStretch(intensity_range), []
    first_bgr = track.image_bgr(0, stretch)
    try:
        tracker.init(first_bgr, boxes[0])
    except InvalidInputError as error:
        raise InvalidInputError(f"{track.path(0)}: {error}") from error
    on_frame()
    session, states = tracker if isinstance(tracker, SessionTracker) else None, [TargetState.TRACKING]
    for index in range(1, len(track)):
        image_bgr = track.image_bgr(index, stretch)
        on_frame()
        try:
            check_same_size(_size_wh(image_bgr), _size_wh(first_bgr))
        except InvalidInputError as error:  # as `track` and the node do
            remarks.append(f"{track.name}, frame {index}: {error}")
            boxes.append(np.full(4, np.nan))
            confidences.append(0.0)
            if session is not None:
                session.skip(image_bgr)
                states.append(session.state)
            continue
        start = time.perf_counter()
        result = tracker.track(image_bgr)
        track_ms.append(1e3 * (time.perf_counter() - start))
        boxes.append(result.box_xywh)
        confidences.append(result.score)
        if session is not None:
            states.append(session.state)
        truth = track.mask(index) if result.outline.has_mask else None
        if truth is not None and result.mask is not None:
            regions.append(mask_iou(truth > 0, result.mask))
        if masks is not None and result.mask is not None:
            write_mask(masks / f"{track.label_name(index)}.png", result.mask, outputs.mask_value)
    predicted = np.array(boxes, dtype=np.float64)
    if outputs.box_rule is not None:
        predicted[1:] = outputs.box_rule(predicted[1:])
    return SequenceRun(
        name=track.name,
        truth_xywh=track.boxes_xywh,
        boxes_xywh=predicted.round(DECIMALS),
        confidences=np.array(confidences, dtype=np.float64),
        track_ms=np.array(track_ms),
        region=float(np.mean(regions)) if regions else np.nan,
        remarks=tuple(remarks),
        states=None if session is None else np.array(states),
    )


def run_one_pass(
    tracker: SequenceTracker,
    tracks: Sequence[Track],
    outputs: Outputs = Outputs(),
    intensity_range: tuple[int, int] | None = None,
    on_error: Callable[[InvalidInputError], object] | None = None,
) -> Iterator[SequenceRun]:
    """Run a tracker over sequences with a progress bar, and yield each run when it is done and written.

    Args:
        tracker: see `run_sequence`.
        tracks: what to track.
        outputs: what to write.
        intensity_range: of 16-bit images, see `open_frames`.
        on_error: called with an error that ends a sequence, which is then left out; None raises it.
    """
    with tqdm(total=sum(map(len, tracks)), unit="frame", disable=None) as progress:
        for track in tracks:
            progress.set_description(track.name)
            try:
                run = run_sequence(tracker, track, outputs, intensity_range, progress.update)
            except InvalidInputError as error:
                if on_error is None:
                    raise
                on_error(error)
                continue
            if outputs.folder is not None:
                if run.states is not None:
                    names = [TargetState(state).name for state in run.states.tolist()]
                    state_file(outputs.folder, run.name).parent.mkdir(parents=True, exist_ok=True)
                    write_atomic(state_file(outputs.folder, run.name), "".join(f"{n}\n" for n in names).encode())
                write_results(result_file(outputs.folder, run.name), run.boxes_xywh, run.confidences)
            yield run


def _size_wh(image_bgr: np.ndarray) -> tuple[int, int]:
    return image_bgr.shape[1], image_bgr.shape[0]
