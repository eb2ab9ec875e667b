# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Fit the calibration of a model on labelled clips: from the evidence of a frame to the probability of a right box.

A session follows the target through the clips; its evidence is kept for each frame of which it is known whether the
box is right. Each part of the calibration is then the maximum a posteriori estimate of a logistic regression, with a
normal distribution around the shipped coefficients as prior, since a user's clips are few. What is seen in a frame
depends on the confidence in the frames before, so this is done in rounds, each with the numbers of the last one.
"""

import dataclasses
import itertools
import typing
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from siam_tracker_ros.core.confidence import (
    APPEARANCE_EVIDENCE,
    STANDINGS,
    Calibration,
    Evidence,
    Logistic,
    Standing,
    calibration_path,
)
from siam_tracker_ros.core.monitor import TargetState
from siam_tracker_ros.core.registry import find_model
from siam_tracker_ros.core.session import Observation, TargetSession
from siam_tracker_ros.core.tracker import Tracker, TrackResult
from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.evaluation.reliability import Record, Truth, auroc, expected_calibration_error, rate_boxes

PRIOR_MODEL = "lite_online"  # whose shipped calibration is the middle of the prior
PRIOR_SPREAD = 0.1  # standard deviation of a coefficient, as a share of the prior's or of 1, whichever is larger
MAX_RUN_WEIGHT = 6.0  # frames that a run of wrong boxes counts for while tracked: what follows was learned from it
FOLDS = 2  # of the clips, for figures of frames that were not fitted to
NEWTON_STEPS = 100  # at most; a few are needed
TOLERANCE = 1e-9  # of a coefficient


class LabelledClip(typing.Protocol):
    """Frames of one target with the truth, as of `loss_clips`."""

    @property
    def truth(self) -> Truth:
        """Where the target is."""
        ...

    def images_bgr(self) -> Iterator[np.ndarray]:
        """Return the frames in turn, uint8 (H, W, 3)."""
        ...


@dataclasses.dataclass(frozen=True)
class RatedFrame:
    """A frame of which it is known whether the box is right.

    Attributes:
        clip: number of its clip.
        standing, evidence: what `TargetSession` observed.
        right: whether the IoU of the box is above 0.5.
        weight: frames that it counts for in a fit, up to 1.
    """

    clip: int
    standing: Standing
    evidence: Evidence
    right: bool
    weight: float = 1.0

    def confidence(self, calibration: Calibration) -> float:
        """Return the probability, 0..1, that its box is right by a calibration."""
        return calibration.confidence(self.evidence, self.standing)


@dataclasses.dataclass(frozen=True)
class Fit:
    """Result of `fit`.

    Attributes:
        calibration: for the model.
        kept: names of the parts that are as in the prior, since their frames are all right or all wrong.
    """

    calibration: Calibration
    kept: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Figures:
    """How good confidences are, before a fit and after it; NaN where there is nothing to count.

    Attributes:
        frames: their number.
        right: share of right boxes, 0..1.
        calibration_error, auroc: before and after, see `reliability`.
    """

    frames: int
    right: float
    calibration_error: tuple[float, float]
    auroc: tuple[float, float]


class _Heard:
    """A tracker whose last result is kept: a session hides the box of a target that is lost."""

    result: TrackResult

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker

    def __getattr__(self, name: str) -> typing.Any:
        return getattr(self._tracker, name)

    def step(self, image_bgr: np.ndarray, target: typing.Any, learn: bool = True) -> tuple[typing.Any, TrackResult]:
        target, self.result = self._tracker.step(image_bgr, target, learn)
        return target, self.result


def prior_calibration(has_search: bool) -> Calibration:
    """Return the middle of the prior: the shipped calibration of PRIOR_MODEL, as far as a tracker has its evidence.

    Args:
        has_search: whether the tracker has features to search with (`tile_side`).
    """
    weights = find_model(PRIOR_MODEL).shipped_weights
    assert weights is not None
    shipped = Calibration.read(calibration_path(weights, PRIOR_MODEL))
    if has_search:
        return shipped
    return Calibration(*(_without_search(getattr(shipped, standing)) for standing in STANDINGS))


def _without_search(part: Logistic) -> Logistic:
    return Logistic(part.bias, {name: value for name, value in part.factors.items() if name not in APPEARANCE_EVIDENCE})


def rate_frames(
    tracker: Tracker, clips: Iterable[LabelledClip], on_frame: Callable[[], object] = lambda: None
) -> list[RatedFrame]:
    """Follow the target through clips, and rate the frames in which it is in view or absent.

    Args:
        tracker: with the calibration of this round.
        clips: a target is in the first frame of each.
        on_frame: called after every frame.
    """
    return [frame for number, clip in enumerate(clips) for frame in _rate_clip(tracker, number, clip, on_frame)]


def _rate_clip(
    tracker: Tracker, number: int, clip: LabelledClip, on_frame: Callable[[], object]
) -> Iterator[RatedFrame]:
    truth = clip.truth
    heard = _Heard(tracker)
    session = TargetSession(typing.cast(Tracker, heard))
    images_bgr = clip.images_bgr()
    boxes = [truth.boxes_xywh[0]]
    session.init(next(images_bgr), boxes[0])
    on_frame()
    seen: list[Observation] = []
    for image_bgr in images_bgr:
        seen.append(session.observe(image_bgr))
        boxes.append(heard.result.box_xywh)
        on_frame()
    states = [TargetState.TRACKING, *(said.state for said in seen)]
    confidences = [1.0, *(said.confidence for said in seen)]
    rated, right = rate_boxes(Record(np.array(states), np.array(confidences), np.array(boxes)), truth)
    # The first frame is never rated: its box is given.
    frames = [_rated(number, seen[i - 1], bool(right[i])) for i in np.flatnonzero(rated)]
    for (standing, is_right), run in itertools.groupby(frames, key=lambda frame: (frame.standing, frame.right)):
        same = list(run)
        # While a target is searched for, nothing is learned, and each frame is a trial of its own.
        is_event = standing == "tracked" and not is_right
        weight = min(1.0, MAX_RUN_WEIGHT / len(same)) if is_event else 1.0
        yield from (dataclasses.replace(frame, weight=weight) for frame in same)


def _rated(clip: int, seen: Observation, right: bool) -> RatedFrame:
    assert seen.standing is not None  # every frame of a clip was searched
    return RatedFrame(clip, seen.standing, seen.evidence, right)


def fit(frames: Sequence[RatedFrame], prior: Calibration) -> Fit:
    """Fit the parts of a calibration.

    Args:
        frames: of clips.
        prior: its factors are those that are fitted.

    Raises:
        InvalidInputError: in no part are there right and wrong boxes.
    """
    fitted = _fit_parts(frames, prior)
    if len(fitted.kept) == len(STANDINGS):
        own = {part: [frame.right for frame in frames if frame.standing == part] for part in STANDINGS}
        counts = " and ".join(f"{sum(right)} of {len(right)} {part} boxes" for part, right in own.items())
        raise InvalidInputError(f"{counts} are right, expected right and wrong ones to tell apart; give more sequences")
    return fitted


def _fit_parts(frames: Sequence[RatedFrame], prior: Calibration) -> Fit:
    own = {part: [frame for frame in frames if frame.standing == part] for part in STANDINGS}
    kept = tuple(part for part in STANDINGS if len({frame.right for frame in own[part]}) < 2)
    fitted = (
        getattr(prior, part) if part in kept else fit_logistic(own[part], getattr(prior, part)) for part in STANDINGS
    )
    return Fit(Calibration(*fitted), kept)


def fit_logistic(frames: Sequence[RatedFrame], prior: Logistic) -> Logistic:
    """Return the most probable logistic regression given frames and a prior, by Newton's method."""
    inputs = np.array([[1.0, *(frame.evidence[name] for name in prior.factors)] for frame in frames])  # (K, 1 + F)
    right = np.array([frame.right for frame in frames], dtype=np.float64)
    weights = np.array([frame.weight for frame in frames])
    middle = np.array([prior.bias, *prior.factors.values()])
    precision = (PRIOR_SPREAD * np.maximum(1, np.abs(middle))) ** -2

    def loss(coefficients: np.ndarray) -> float:
        total = inputs @ coefficients
        unlikeliness = weights @ (np.logaddexp(0, total) - right * total)
        return float(unlikeliness + precision @ (coefficients - middle) ** 2 / 2)

    coefficients = middle
    for _ in range(NEWTON_STEPS):
        probability = 1 / (1 + np.exp(-np.clip(inputs @ coefficients, -50, 50)))
        gradient = inputs.T @ (weights * (probability - right)) + precision * (coefficients - middle)
        hessian = (inputs.T * (weights * probability * (1 - probability))) @ inputs + np.diag(precision)
        step = np.linalg.solve(hessian, gradient)
        while np.abs(step).max() > TOLERANCE and loss(coefficients - step) > loss(coefficients):
            step = step / 2  # far from the optimum a whole step may overshoot
        coefficients = coefficients - step
        if np.abs(step).max() <= TOLERANCE:
            break
    bias, *factors = coefficients.tolist()
    return Logistic(bias, dict(zip(prior.factors, factors)))


def compare(frames: Sequence[RatedFrame], before: Calibration, prior: Calibration) -> dict[str, Figures]:
    """Return figures of all frames and of each part, with another calibration and with fits to the other clips.

    Args:
        frames: of clips; every second clip is fitted for the confidences of the others.
        before: the other calibration.
        prior: see `fit`.
    """
    fits = [_fit_parts([frame for frame in frames if frame.clip % FOLDS != fold], prior) for fold in range(FOLDS)]
    after = [frame.confidence(fits[frame.clip % FOLDS].calibration) for frame in frames]
    earlier = [frame.confidence(before) for frame in frames]
    right = np.array([frame.right for frame in frames], dtype=bool)
    standings = np.array([frame.standing for frame in frames])
    chosen = {"all": np.full(len(frames), True)}
    chosen |= {standing: standings == standing for standing in STANDINGS}
    return {
        name: Figures(
            frames=int(own.sum()),
            right=float(right[own].mean()) if own.any() else np.nan,
            calibration_error=_both(expected_calibration_error, earlier, after, right, own),
            auroc=_both(auroc, earlier, after, right, own),
        )
        for name, own in chosen.items()
    }


def _both(
    figure: Callable[[np.ndarray, np.ndarray], float],
    earlier: Sequence[float],
    after: Sequence[float],
    right: np.ndarray,
    own: np.ndarray,
) -> tuple[float, float]:
    return figure(np.array(earlier)[own], right[own]), figure(np.array(after)[own], right[own])
