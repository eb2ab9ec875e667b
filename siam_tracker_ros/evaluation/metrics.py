# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The metrics of one-pass evaluation: how well predicted boxes match the labelled ones."""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np

from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.geometry import iou_xywh, xywh_to_cxcywh

SUCCESS_THRESHOLDS = np.linspace(0, 1, 21)
PRECISION_THRESHOLDS = np.arange(51.0)  # pixels
PRECISION_PIXELS = 20
LOST_IOU, LOST_FRAMES = 0.2, 5  # a target is lost at the end if the mean over the last frames that count is lower


@dataclasses.dataclass(frozen=True)
class Scores:
    """Metrics of one sequence, each NaN where no frame counts.

    Attributes:
        frames: number of frames that count: the labelled ones after the first, in which the box was given.
        mean_iou: mean intersection over union.
        auc: area under the success curve, the mean over 21 thresholds 0..1 of the share of frames with a higher IoU.
        precision20: share of frames whose box centre lies within 20 pixels of the labelled one.
        region: region similarity J of DAVIS (Perazzi et al. 2016), the mean intersection over union of masks; NaN where
            the labels or the tracker have no masks.
    """

    frames: int
    mean_iou: float
    auc: float
    precision20: float
    region: float = np.nan


@dataclasses.dataclass(frozen=True, eq=False)
class FrameScores:
    """How well each frame of one sequence is met; the arrays have a row for each frame that counts.

    Attributes:
        frames: int64 (N,), which frames count: the labelled ones after the first.
        iou: float64 (N,), 0 for a prediction that is not finite.
        offset_px: float64 (N,), distance of the box centres in pixels, infinite for a prediction that is not finite.
    """

    frames: np.ndarray
    iou: np.ndarray
    offset_px: np.ndarray

    def within(self, chosen: np.ndarray) -> "FrameScores":
        """Return those of the frames that are True in a bool array over all frames of the sequence."""
        kept = chosen[self.frames]
        return FrameScores(self.frames[kept], self.iou[kept], self.offset_px[kept])

    def success(self) -> np.ndarray:
        """Share of frames with a higher IoU than each of SUCCESS_THRESHOLDS, float64; NaN without frames."""
        return _share(self.iou[:, None] > SUCCESS_THRESHOLDS)

    def precision(self) -> np.ndarray:
        """Share of frames whose offset is at most each of PRECISION_THRESHOLDS, float64; NaN without frames."""
        return _share(self.offset_px[:, None] <= PRECISION_THRESHOLDS)

    @property
    def is_lost(self) -> bool | None:
        """Whether the target is lost at the end, see LOST_IOU; None without frames."""
        return bool(self.iou[-LOST_FRAMES:].mean() < LOST_IOU) if len(self.frames) else None

    def summary(self, region: float = np.nan) -> Scores:
        """Return the metrics of the sequence."""
        if len(self.frames) == 0:
            return Scores(0, np.nan, np.nan, np.nan, region)
        return Scores(
            frames=len(self.frames),
            mean_iou=float(self.iou.mean()),
            auc=float(self.success().mean()),
            precision20=float((self.offset_px <= PRECISION_PIXELS).mean()),
            region=region,
        )


def score_frames(
    truth_xywh: Sequence[Sequence[float]] | np.ndarray, predicted_xywh: Sequence[Sequence[float]] | np.ndarray
) -> FrameScores:
    """Compare predicted boxes (N, 4) with labelled ones (N, 4), frame by frame.

    A label that is not finite or has no area does not count.

    Raises:
        InvalidInputError: the arrays have other shapes.
    """
    truth, predicted = (np.asarray(boxes, dtype=np.float64) for boxes in (truth_xywh, predicted_xywh))
    if truth.ndim != 2 or truth.shape != predicted.shape or truth.shape[1] != 4:
        raise InvalidInputError(
            f"labels are {truth.shape} and predictions {predicted.shape}, expected both (frames, 4), one box per frame"
        )
    counted = np.array(np.isfinite(truth).all(axis=1) & (truth[:, 2:] > 0).all(axis=1))
    counted[:1] = False
    truth, predicted = truth[counted], predicted[counted]
    found = np.isfinite(predicted).all(axis=1)
    offset = (xywh_to_cxcywh(predicted) - xywh_to_cxcywh(truth))[:, :2]
    return FrameScores(
        frames=np.flatnonzero(counted),
        iou=np.where(found, iou_xywh(truth, predicted), 0.0),
        offset_px=np.where(found, np.hypot(offset[:, 0], offset[:, 1]), np.inf),
    )


def score_boxes(
    truth_xywh: Sequence[Sequence[float]] | np.ndarray, predicted_xywh: Sequence[Sequence[float]] | np.ndarray
) -> Scores:
    """Score predicted boxes (N, 4) against labelled ones (N, 4); see `score_frames`."""
    return score_frames(truth_xywh, predicted_xywh).summary()


def mask_iou(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Intersection over union of two masks, bool (H, W); 1 where both are empty.

    Raises:
        InvalidInputError: the masks have two sizes.
    """
    if truth.shape != predicted.shape:
        raise InvalidInputError(f"label mask is {truth.shape} and predicted mask {predicted.shape}, expected one size")
    union = np.count_nonzero(truth | predicted)
    return np.count_nonzero(truth & predicted) / union if union else 1.0


def mean_scores(scores: Iterable[Scores]) -> Scores:
    """Mean over sequences, which all have the same weight whatever their length; frames are added up.

    Each metric is the mean over the sequences that have it: a sequence of which no frame counts, or that has no masks,
    leaves the others' mean as it is.
    """
    scores = list(scores)
    names = [field.name for field in dataclasses.fields(Scores) if field.name != "frames"]
    means = {name: mean_of_known([getattr(s, name) for s in scores]) for name in names}
    return Scores(frames=sum(s.frames for s in scores), **means)


def _share(met: np.ndarray) -> np.ndarray:
    """Return the mean over rows of a bool array (N, K), NaN without rows."""
    return met.mean(axis=0) if len(met) else np.full(met.shape[1], np.nan)


def mean_of_known(values: Iterable[float]) -> float:
    """Return the mean of those values that are not NaN; NaN without any."""
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else np.nan
