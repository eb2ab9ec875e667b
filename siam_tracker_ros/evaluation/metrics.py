# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The metrics of one-pass evaluation: how well predicted boxes match the labelled ones."""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np

from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.geometry import iou_xywh, xywh_to_cxcywh

SUCCESS_THRESHOLDS = np.linspace(0, 1, 21)
PRECISION_PIXELS = 20


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


def score_boxes(
    truth_xywh: Sequence[Sequence[float]] | np.ndarray, predicted_xywh: Sequence[Sequence[float]] | np.ndarray
) -> Scores:
    """Score predicted boxes (N, 4) against labelled ones (N, 4).

    A label that is not finite or has no area does not count; a prediction that is not finite counts as IoU 0.

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
    if len(truth) == 0:
        return Scores(0, np.nan, np.nan, np.nan)
    found = np.isfinite(predicted).all(axis=1)
    iou = np.where(found, iou_xywh(truth, predicted), 0.0)
    offset = (xywh_to_cxcywh(predicted) - xywh_to_cxcywh(truth))[:, :2]
    near = found & (np.hypot(offset[:, 0], offset[:, 1]) <= PRECISION_PIXELS)
    return Scores(
        frames=len(truth),
        mean_iou=float(iou.mean()),
        auc=float((iou[:, None] > SUCCESS_THRESHOLDS).mean()),
        precision20=float(near.mean()),
    )


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
    means = {name: _mean_of_known([getattr(s, name) for s in scores]) for name in names}
    return Scores(frames=sum(s.frames for s in scores), **means)


def _mean_of_known(values: Sequence[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else np.nan
