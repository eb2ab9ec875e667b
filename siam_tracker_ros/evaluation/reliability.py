# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether the state and the confidence of a tracker can be trusted: is the target lost, and is it found again?

Figures compare the record of a run with the truth. The first frame, in which the box is given, never counts. A frame
in which the target is neither in view (`Truth.in_view`) nor absent counts nowhere: it enters, leaves or has no label.
"""

import dataclasses
import functools
import math
import typing
from collections.abc import Callable, Sequence

import numpy as np

from siam_tracker_ros.core.monitor import TargetState
from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.geometry import intersection_xywh, iou_xywh

CORRECT_IOU = 0.5  # a box is right above this
HELD_IOU = 0.3  # a box is still on the target above this
WRONG_IOU = 0.1  # a box is on something else below this
MIN_VISIBLE = 0.5  # share of the target from which it is in view
NEAR_SIDES = 2  # a target that returns is near up to so many of its sides (root of its area) from where it was last
WRONG_FRAMES = 5  # a clip is confidently wrong from so many frames on
CALIBRATION_BINS = 10

Place = typing.Literal["near", "elsewhere"]


@dataclasses.dataclass(frozen=True)
class Departure:
    """One time that the target goes.

    Attributes:
        gone: first frame in which it is absent.
        back: first frame after that in which it is in view, or None.
        end: the next departure's `gone`, or the number of frames.
        place: where it returns, seen from where it was last; None without a return.
    """

    gone: int
    back: int | None
    end: int
    place: Place | None


@dataclasses.dataclass(frozen=True, eq=False)
class Truth:
    """What is to be seen in N frames.

    Attributes:
        boxes_xywh: float64 (N, 4), the whole target in pixels of the frame; NaN where it is not known.
        visible: float64 (N,), 0..1, the share of the box that is in the frame and not covered; NaN where not known.
        absent: bool (N,), nothing of the target is to be seen.
        size_wh: width and height of the frames.
    """

    boxes_xywh: np.ndarray
    visible: np.ndarray
    absent: np.ndarray
    size_wh: tuple[int, int]

    @classmethod
    def of_labels(cls, boxes_xywh: np.ndarray, size_wh: tuple[int, int], absent: np.ndarray | None = None) -> "Truth":
        """Take the labels of a real sequence.

        Args:
            boxes_xywh: (N, 4), NaN where there is no box.
            size_wh: width and height of the frames.
            absent: bool (N,), the frames without target; None for all frames without box.
        """
        boxes_xywh = np.asarray(boxes_xywh, dtype=np.float64)
        present = np.isfinite(boxes_xywh).all(axis=1)
        if absent is None:
            return cls(boxes_xywh, present.astype(np.float64), ~present, size_wh)
        return cls(boxes_xywh, np.where(present | absent, present.astype(np.float64), np.nan), absent, size_wh)

    def __len__(self) -> int:
        return len(self.boxes_xywh)

    def first(self, frames: int) -> "Truth":
        """Return the truth of the first frames alone."""
        return Truth(self.boxes_xywh[:frames], self.visible[:frames], self.absent[:frames], self.size_wh)

    @functools.cached_property
    def in_view(self) -> np.ndarray:
        """Bool (N,), frames in which at least half of the target is to be seen."""
        return np.isfinite(self.boxes_xywh).all(axis=1) & ~self.absent & (np.nan_to_num(self.visible) >= MIN_VISIBLE)

    @functools.cached_property
    def departures(self) -> tuple[Departure, ...]:
        """Each time that a target that was in view becomes absent."""
        spans: list[tuple[int, int | None]] = []
        back = _next(self.in_view, 0)
        while back is not None and (gone := _next(self.absent, back)) is not None:
            back = _next(self.in_view, gone)
            spans.append((gone, back))
        ends = [*(gone for gone, _ in spans[1:]), len(self)]
        return tuple(Departure(*span, end, self._place(*span)) for span, end in zip(spans, ends))

    def _place(self, gone: int, back: int | None) -> Place | None:
        if back is None:
            return None
        last = self.boxes_xywh[np.flatnonzero(self.in_view[:gone])[-1]]
        now = self.boxes_xywh[back]
        distance = np.abs((now[:2] + now[2:] / 2) - (last[:2] + last[2:] / 2)).max()
        return "near" if distance <= NEAR_SIDES * math.sqrt(last[2] * last[3]) else "elsewhere"


@dataclasses.dataclass(frozen=True, eq=False)
class Record:
    """What a tracker said of N frames.

    Attributes:
        states: int64 (N,), values of TargetState.
        confidences: float64 (N,); NaN counts as 0.
        boxes_xywh: float64 (N, 4), NaN where no box was given.
    """

    states: np.ndarray
    confidences: np.ndarray
    boxes_xywh: np.ndarray

    def __len__(self) -> int:
        return len(self.states)

    @functools.cached_property
    def has_box(self) -> np.ndarray:
        """Bool (N,), frames for which a box was given."""
        return np.isfinite(self.boxes_xywh).all(axis=1)


@dataclasses.dataclass(frozen=True)
class Reliability:
    """Figures of a tracker on some clips; shares are 0..1, and NaN where there is nothing to count.

    Attributes:
        clips, departures, returns: numbers of clips, of times that the target goes, and of times that it returns.
        lost_10, lost_30: share of departures after which the state is LOST within so many frames.
        lost_delay: median of the frames until LOST; infinite where it is mostly never.
        false_lost, false_uncertain: share of the trackable frames in which the state is that one.
        redetected_30, redetected_90: share of returns after which the target is TRACKING within so many frames.
        near_30, near_90, elsewhere_30, elsewhere_90: the same, of the returns to one kind of place.
        wrong_clips: share of clips with at least WRONG_FRAMES confidently wrong frames.
        wrong_frames: share of frames that are confidently wrong.
        calibration_error, auroc: of the confidence, see the functions.
        iou: mean IoU over the frames with the target in view; a frame without box counts 0.
    """

    clips: int
    departures: int
    returns: int
    lost_10: float
    lost_30: float
    lost_delay: float
    false_lost: float
    false_uncertain: float
    redetected_30: float
    redetected_90: float
    near_30: float
    near_90: float
    elsewhere_30: float
    elsewhere_90: float
    wrong_clips: float
    wrong_frames: float
    calibration_error: float
    auroc: float
    iou: float


@dataclasses.dataclass(frozen=True)
class LongTerm:
    """Figures of a tracker on real sequences in which the target is absent at times.

    Attributes:
        sequences, departures, returns: their numbers.
        precision, recall: means of `precision_recall` over the sequences in which it is in view.
        f: `f_score` of these two, as in VOT-LT.
        redetected_30, redetected_90, lost_delay, wrong_frames, calibration_error: as in `Reliability`.
    """

    sequences: int
    departures: int
    returns: int
    precision: float
    recall: float
    f: float
    redetected_30: float
    redetected_90: float
    lost_delay: float
    wrong_frames: float
    calibration_error: float


def frame_iou(record: Record, truth: Truth) -> np.ndarray:
    """IoU of the boxes with the target, float64 (N,), 0 without a box or a label.

    At the border it is the higher one of the whole boxes' and of their parts in the frame: trackers differ in whether
    they continue a box beyond it.

    Raises:
        InvalidInputError: record and truth have different lengths.
    """
    if len(record) != len(truth):
        raise InvalidInputError(f"record has {len(record)} frames and the truth {len(truth)}, expected one length")
    boxes = record.boxes_xywh, truth.boxes_xywh
    inside = (intersection_xywh(boxes_xywh, [0, 0, *truth.size_wh]) for boxes_xywh in boxes)
    return np.maximum(iou_xywh(*boxes), iou_xywh(*inside))


def lost_delays(record: Record, truth: Truth) -> np.ndarray:
    """Frames from each departure until the state is LOST, float64 (D,); 0 for LOST on the very frame.

    Infinite where it is never LOST before the target returns.
    """
    lost = record.states == TargetState.LOST
    spans = [
        (departure.gone, departure.end if departure.back is None else departure.back) for departure in truth.departures
    ]
    return np.array([_delay(lost[start:stop]) for start, stop in spans], dtype=np.float64)


def redetection_delays(record: Record, truth: Truth) -> np.ndarray:
    """Frames from each return until the target is TRACKING with the right box, float64 (R,).

    Infinite where that is never so before it goes again.
    """
    found = (record.states == TargetState.TRACKING) & (frame_iou(record, truth) > CORRECT_IOU)
    returns = [departure for departure in truth.departures if departure.back is not None]
    return np.array([_delay(found[departure.back : departure.end]) for departure in returns], dtype=np.float64)


def return_places(truth: Truth) -> list[Place]:
    """Place of each return, in the order of `redetection_delays`."""
    return [departure.place for departure in truth.departures if departure.place is not None]


def trackable(record: Record, truth: Truth) -> np.ndarray:
    """Frames in which LOST or UNCERTAIN is false, bool (N,): the target is in view, and the tracker has it.

    It has it while its boxes are on it (IoU > HELD_IOU), and when it gives no box while its last one was. After an
    absence it has to be re-detected first.
    """
    iou = frame_iou(record, truth)
    found = (record.states == TargetState.TRACKING) & (iou > CORRECT_IOU)
    result = np.zeros(len(truth), dtype=bool)
    held, away = True, False  # the first box is given
    for i in range(1, len(truth)):
        if truth.absent[i]:
            held, away = False, True
        elif truth.in_view[i] and record.has_box[i]:
            away = away and not found[i]
            held = not away and bool(iou[i] > HELD_IOU)
        result[i] = truth.in_view[i] and held
    return result


def confidently_wrong(record: Record, truth: Truth) -> np.ndarray:
    """Frames that are TRACKING on something else or on nothing, bool (N,)."""
    off_target = truth.in_view & (frame_iou(record, truth) < WRONG_IOU)
    return (record.states == TargetState.TRACKING) & (truth.absent | off_target) & _counted(truth)


def rate_boxes(record: Record, truth: Truth) -> tuple[np.ndarray, np.ndarray]:
    """Return the frames, bool (N,), of which it is known whether the box is right, and those in which it is, bool (N,).

    Where the target is in view and no box is given, nobody sees whether it is: such a frame is left out.
    """
    right = truth.in_view & (frame_iou(record, truth) > CORRECT_IOU)
    return (truth.absent | (truth.in_view & record.has_box)) & _counted(truth), right


def rated_confidences(record: Record, truth: Truth) -> tuple[np.ndarray, np.ndarray]:
    """Return the confidences (K,) of the frames that `rate_boxes` rates, and whether their box is right, bool (K,)."""
    rated, right = rate_boxes(record, truth)
    return np.nan_to_num(record.confidences[rated]), right[rated]


def expected_calibration_error(confidences: np.ndarray, right: np.ndarray, bins: int = CALIBRATION_BINS) -> float:
    """Mean distance between confidence and share of right boxes (Naeini et al. 2015), 0..1.

    Args:
        confidences: float64 (K,), 0..1; a value outside makes the result NaN, since it is no probability.
        right: bool (K,).
        bins: equal parts of 0..1; the distance is taken in each and weighed by its number of frames.

    Returns:
        NaN without frames.
    """
    if len(confidences) == 0 or confidences.min() < 0 or confidences.max() > 1:
        return math.nan
    chosen = np.minimum((confidences * bins).astype(int), bins - 1)
    excess = np.bincount(chosen, weights=confidences - right, minlength=bins)
    return float(np.abs(excess).sum() / len(confidences))


def auroc(confidences: np.ndarray, right: np.ndarray) -> float:
    """Area under the ROC curve: the chance that a right box has the higher confidence than a wrong one, a tie is half.

    Args:
        confidences: float64 (K,), of any range.
        right: bool (K,).

    Returns:
        0..1; NaN where all are right or all are wrong.
    """
    n_right = int(np.count_nonzero(right))
    n_wrong = len(right) - n_right
    if n_right == 0 or n_wrong == 0:
        return math.nan
    _, inverse, counts = np.unique(confidences, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]  # those of a tie share their mean
    return float((ranks[right].sum() - n_right * (n_right + 1) / 2) / (n_right * n_wrong))


def precision_recall(record: Record, truth: Truth) -> tuple[float, float]:
    """Tracking precision and recall of VOT-LT (Lukezic et al. 2018), 0..1; the tracker decides when it gives a box.

    Precision is the mean IoU over the frames with a box, 0 where the target is absent, and 1 if no box is given. Recall
    is the sum of the same IoUs over the number of frames with the target in view; NaN if there are none.
    """
    iou = np.where(truth.in_view, frame_iou(record, truth), 0.0)
    given = record.has_box & (truth.in_view | truth.absent) & _counted(truth)
    total, in_view = float(iou[given].sum()), int(np.count_nonzero(truth.in_view & _counted(truth)))
    return total / int(given.sum()) if given.any() else 1.0, total / in_view if in_view else math.nan


def f_score(precision: float, recall: float) -> float:
    """Harmonic mean of precision and recall, 0..1."""
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def thresholded(record: Record, min_uncertain: float, min_tracking: float) -> Record:
    """Judge the scores of a tracker by two bounds: LOST below the first, TRACKING from the second on.

    Args:
        record: with the tracker's score as confidence; its states do not matter. A frame without box is LOST.
        min_uncertain, min_tracking: the bounds, the first not above the second.
    """
    states = np.where(record.confidences >= min_tracking, TargetState.TRACKING, TargetState.UNCERTAIN)
    states = np.where(record.has_box & (record.confidences >= min_uncertain), states, TargetState.LOST)
    states[:1] = TargetState.TRACKING
    boxes_xywh = np.where((states == TargetState.LOST)[:, None], np.nan, record.boxes_xywh)
    return Record(states.astype(np.int64), record.confidences, boxes_xywh)


def choose_thresholds(
    records: Sequence[Record], truths: Sequence[Truth], false_lost: float = 0.02
) -> tuple[float, float]:
    """Choose the bounds for `thresholded`, the lower one first.

    One is the score that this share of the right boxes falls below. The other tells right boxes best from wrong ones
    and absent targets, in balanced accuracy.

    Raises:
        InvalidInputError: no box is right, or none is wrong.
    """
    rated = [rated_confidences(record, truth) for record, truth in zip(records, truths, strict=True)]
    scores, right = _join([part for part, _ in rated]), _join([part for _, part in rated]) > 0
    if right.all() or not right.any():
        raise InvalidInputError(
            f"{np.count_nonzero(right)} of {len(right)} boxes are right, expected right and wrong ones; take more clips"
        )
    careful = float(np.quantile(scores[right], false_lost))
    bounds = np.unique(scores)
    missed, refused = (np.searchsorted(np.sort(part), bounds) / len(part) for part in (scores[right], scores[~right]))
    best = float(bounds[np.argmax(refused - missed)])
    return min(careful, best), max(careful, best)


def summarize(records: Sequence[Record], truths: Sequence[Truth]) -> Reliability:
    """Return the figures of one tracker over clips; frames, departures and returns of all clips are pooled.

    Raises:
        InvalidInputError: a record and its truth have different lengths.
    """
    pairs = list(zip(records, truths, strict=True))
    delays = _join([lost_delays(*pair) for pair in pairs])
    found = _join([redetection_delays(*pair) for pair in pairs])
    near = np.array([place == "near" for truth in truths for place in return_places(truth)], dtype=bool)
    states_of_held = _join([record.states[trackable(record, truth)] for record, truth in pairs])
    wrong = [confidently_wrong(*pair) for pair in pairs]
    judged = sum(int(((truth.in_view | truth.absent) & _counted(truth)).sum()) for truth in truths)
    rated = [rated_confidences(*pair) for pair in pairs]
    confidences, right = _join([part for part, _ in rated]), _join([part for _, part in rated]) > 0
    iou = _join([frame_iou(record, truth)[truth.in_view & _counted(truth)] for record, truth in pairs])
    return Reliability(
        clips=len(pairs),
        departures=len(delays),
        returns=len(found),
        lost_10=_share(delays <= 10),
        lost_30=_share(delays <= 30),
        lost_delay=_median(delays),
        false_lost=_share(states_of_held == TargetState.LOST),
        false_uncertain=_share(states_of_held == TargetState.UNCERTAIN),
        redetected_30=_share(found <= 30),
        redetected_90=_share(found <= 90),
        near_30=_share(found[near] <= 30),
        near_90=_share(found[near] <= 90),
        elsewhere_30=_share(found[~near] <= 30),
        elsewhere_90=_share(found[~near] <= 90),
        wrong_clips=_share(np.array([frames.sum() >= WRONG_FRAMES for frames in wrong])),
        wrong_frames=sum(int(frames.sum()) for frames in wrong) / judged if judged else math.nan,
        calibration_error=expected_calibration_error(confidences, right),
        auroc=auroc(confidences, right),
        iou=_share(iou),
    )


def summarize_longterm(records: Sequence[Record], truths: Sequence[Truth]) -> LongTerm:
    """Return the long-term figures of one tracker over real sequences; all but precision and recall are pooled.

    Raises:
        InvalidInputError: a record and its truth have different lengths.
    """
    pooled = summarize(records, truths)
    shares = np.array([precision_recall(*pair) for pair in zip(records, truths)]).reshape(-1, 2)
    known = shares[np.isfinite(shares).all(axis=1)]
    precision, recall = known.mean(axis=0).tolist() if len(known) else (math.nan, math.nan)
    return LongTerm(
        sequences=pooled.clips,
        departures=pooled.departures,
        returns=pooled.returns,
        precision=precision,
        recall=recall,
        f=f_score(precision, recall),
        redetected_30=pooled.redetected_30,
        redetected_90=pooled.redetected_90,
        lost_delay=pooled.lost_delay,
        wrong_frames=pooled.wrong_frames,
        calibration_error=pooled.calibration_error,
    )


def _next(flags: np.ndarray, start: int) -> int | None:
    """Return the first index from `start` on at which a flag is set."""
    later = np.flatnonzero(flags[start:])
    return start + int(later[0]) if len(later) else None


def _delay(flags: np.ndarray) -> float:
    first = _next(flags, 0)
    return math.inf if first is None else float(first)


def _counted(truth: Truth) -> np.ndarray:
    return np.arange(len(truth)) > 0


def _join(parts: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.empty(0), *parts])


def _share(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else math.nan


def _median(delays: np.ndarray) -> float:
    """Return the lower median, which is one of the values: between a number and infinity there is no mean."""
    return float(np.sort(delays)[(len(delays) - 1) // 2]) if len(delays) else math.nan


def _percent(share: float, digits: int = 0) -> str:
    return "-" if math.isnan(share) else f"{100 * share:.{digits}f}"


def _tenths(share: float) -> str:
    return _percent(share, 1)


def _fraction(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"


def _delay_text(frames: float) -> str:
    return "-" if math.isnan(frames) else "never" if math.isinf(frames) else f"{frames:.0f}"


# Title and format of each figure; shares are in percent.
_RELIABILITY_TABLE: dict[str, tuple[str, Callable[[float], str]]] = {
    "clips": ("clips", str),
    "lost_10": ("LOST<=10", _percent),
    "lost_30": ("<=30", _percent),
    "lost_delay": ("delay", _delay_text),
    "false_lost": ("false LOST", _tenths),
    "false_uncertain": ("false UNC.", _tenths),
    "redetected_30": ("found<=30", _percent),
    "redetected_90": ("<=90", _percent),
    "near_30": ("near<=30", _percent),
    "near_90": ("<=90", _percent),
    "elsewhere_30": ("elsewhere<=30", _percent),
    "elsewhere_90": ("<=90", _percent),
    "wrong_clips": ("wrong clips", _percent),
    "wrong_frames": ("wrong frames", _tenths),
    "calibration_error": ("ECE", _fraction),
    "auroc": ("AUROC", _fraction),
    "iou": ("IoU", _fraction),
}
_LONG_TERM_TABLE: dict[str, tuple[str, Callable[[float], str]]] = {
    "sequences": ("sequences", str),
    "departures": ("departures", str),
    "returns": ("returns", str),
    "precision": ("precision", _fraction),
    "recall": ("recall", _fraction),
    "f": ("F", _fraction),
    "redetected_30": ("found<=30", _percent),
    "redetected_90": ("<=90", _percent),
    "lost_delay": ("LOST delay", _delay_text),
    "wrong_frames": ("wrong frames", _tenths),
    "calibration_error": ("ECE", _fraction),
}
RELIABILITY_COLUMNS = tuple(title for title, _ in _RELIABILITY_TABLE.values())
LONG_TERM_COLUMNS = tuple(title for title, _ in _LONG_TERM_TABLE.values())


def reliability_row(name: str, figures: Reliability) -> list[str]:
    """Return a name and figures under RELIABILITY_COLUMNS as text: shares in percent, "-" for what is not known."""
    return [name, *(form(getattr(figures, figure)) for figure, (_, form) in _RELIABILITY_TABLE.items())]


def longterm_row(name: str, figures: LongTerm) -> list[str]:
    """Return a name and figures under LONG_TERM_COLUMNS as text."""
    return [name, *(form(getattr(figures, figure)) for figure, (_, form) in _LONG_TERM_TABLE.items())]
