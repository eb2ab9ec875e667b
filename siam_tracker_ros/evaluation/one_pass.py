# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One-pass evaluation: a tracker gets the first box of each sequence and no further help."""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tqdm import tqdm

from siam_tracker_ros.core.session import check_same_size
from siam_tracker_ros.data.sequence_folder import Sequence, write_results
from siam_tracker_ros.drawing import write_mask
from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.evaluation.metrics import Scores, mask_iou, score_boxes
from siam_tracker_ros.evaluation.tracker import SequenceTracker


@dataclasses.dataclass(frozen=True, eq=False)
class SequenceRun:
    """Result of a tracker on one sequence.

    Attributes:
        name: the sequence's name.
        boxes_xywh: float64 (N, 4); the first is the box that was given, that of a frame of another size NaN.
        confidences: float64 (N,), 0..1; the first is 1.
        track_ms: float64 (M,), time inside `track` of each frame that was searched, without reading it.
        scores: metrics against the labels.
        remarks: sentences about frames that were not searched.
    """

    name: str
    boxes_xywh: np.ndarray
    confidences: np.ndarray
    track_ms: np.ndarray
    scores: Scores
    remarks: tuple[str, ...] = ()


def run_sequence(
    tracker: SequenceTracker,
    sequence: Sequence,
    mask_folder: str | Path | None = None,
    on_frame: Callable[[], object] = lambda: None,
    intensity_range: tuple[int, int] | None = None,
) -> SequenceRun:
    """Track one sequence from its first box to its end.

    Args:
        tracker: starts on the sequence's first box.
        sequence: where the frames and labels come from.
        mask_folder: where to write predicted masks, if the tracker has them; None writes none.
        on_frame: called after every frame.
        intensity_range: of 16-bit images, see `open_frames`.

    Raises:
        InvalidInputError: a frame cannot be read, or the first box cannot be used.
    """
    boxes, confidences, track_ms, regions = [sequence.truth_xywh[0]], [1.0], [], []
    remarks: list[str] = []
    mask_names = sequence.mask_names()
    with sequence.open(intensity_range) as frames:
        image_bgr = next(frames)
        try:
            tracker.init(image_bgr, boxes[0])
        except InvalidInputError as error:
            raise InvalidInputError(f"{sequence.folder}, first frame: {error}") from error
        on_frame()
        marked_wh = image_bgr.shape[1], image_bgr.shape[0]
        for index, image_bgr in enumerate(frames, start=1):
            on_frame()
            try:
                check_same_size((image_bgr.shape[1], image_bgr.shape[0]), marked_wh)
            except InvalidInputError as error:  # as `track` and the node do
                remarks.append(f"{sequence.name}, frame {index}: {error}")
                boxes.append(np.full(4, np.nan))
                confidences.append(0.0)
                continue
            start = time.perf_counter()
            result = tracker.track(image_bgr)
            track_ms.append(1e3 * (time.perf_counter() - start))
            boxes.append(result.box_xywh)
            confidences.append(result.score)
            if result.mask is not None and sequence.has_masks:
                regions.append(mask_iou(sequence.read_mask(mask_names[index]), result.mask))
            if result.mask is not None and mask_folder is not None:
                write_mask(Path(mask_folder) / mask_names[index], result.mask)
    boxes_xywh = np.array(boxes, dtype=np.float64)
    scores = score_boxes(sequence.truth_xywh, boxes_xywh)
    return SequenceRun(
        name=sequence.name,
        boxes_xywh=boxes_xywh,
        confidences=np.array(confidences, dtype=np.float64),
        track_ms=np.array(track_ms),
        scores=dataclasses.replace(scores, region=float(np.mean(regions))) if regions else scores,
        remarks=tuple(remarks),
    )


def run_one_pass(
    tracker: SequenceTracker,
    sequences: list[Sequence],
    results_folder: str | Path | None = None,
    intensity_range: tuple[int, int] | None = None,
) -> list[SequenceRun]:
    """Run a tracker over sequences with a progress bar.

    Args:
        tracker: see `run_sequence`.
        sequences: what to track.
        results_folder: gets NAME.txt when a sequence is done, and NAME/mask/ where there are masks; or None.
        intensity_range: of 16-bit images, see `open_frames`.
    """
    runs = []
    total = sum(len(sequence.truth_xywh) for sequence in sequences)
    with tqdm(total=total, unit="frame", disable=None) as progress:
        for sequence in sequences:
            progress.set_description(sequence.name)
            masks = None if results_folder is None else Path(results_folder) / sequence.name / "mask"
            run = run_sequence(tracker, sequence, masks, progress.update, intensity_range)
            if results_folder is not None:
                write_results(Path(results_folder) / f"{sequence.name}.txt", run.boxes_xywh, run.confidences)
            runs.append(run)
    return runs
