# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One target through doubt: what speaks for a box, where to look next, and what may be learned.

While the target is tracked, its looks and those of its rivals are remembered. When the confidence falls, nothing is
learned, and the frame is searched; where nothing is seen of the target, its place and its size stay as they were last
trusted. A candidate of the search becomes the place to look at if it looks more like the target than what is followed
now; it has to prove itself in several frames, and the search goes on for a while after that.
"""

import collections
import dataclasses
import typing

import numpy as np

from siam_tracker_ros.core.appearance import Appearance, Description, Peak, Region
from siam_tracker_ros.core.confidence import APPEARANCE_EVIDENCE, Evidence, Standing, logit
from siam_tracker_ros.core.monitor import MonitorSettings, TargetState
from siam_tracker_ros.core.motion import CameraMotion
from siam_tracker_ros.core.search import Search, SearchSettings, is_same_place

if typing.TYPE_CHECKING:
    from siam_tracker_ros.core.tracker import Tracker, TrackResult  # which imports torch

LEARN_CONFIDENCE = 0.8  # from which on the target's looks are remembered
MAX_STRANGENESS = 0.25  # of a look that is remembered: what differs all at once may be something else
LEARN_INTERVAL = 5  # frames
PROBATION = 15  # tracked frames at a place that was found, before the search ends and anything is remembered again
RECENT_SIZES = 15  # trusted frames, the median size of which is held
MAX_SIZE_CHANGE = 1.5  # over the size when doubt began, up to which a target in doubt is followed
USUAL_SCORE = 0.0  # logit that a target's usual score is taken for at first
USUAL_LIKENESS = 0.7  # likeness, in the same way
USUAL_FRAMES = 30  # over which both are averaged
GUESS_FRAMES = 3  # that the first guesses of both count for
MAX_JUMP = 0.75  # root areas off the expected place, above which a box has to prove itself as one that was found
AMBIGUITY_FRAMES = 12  # for which a candidate that was not followed counts against the one that is
ALIKE = 0.85  # share of the likeness of what is followed, above which a candidate is as good
MIN_PREFERENCE = 0.2  # of a candidate, to look at it
MIN_GAIN = 0.1  # in preference, to leave a place that is not hopeless for another one


@dataclasses.dataclass(frozen=True, eq=False)
class Verdict:
    """What one frame's result is worth.

    Attributes:
        confidence: 0..1, the probability that the box is right.
        ambiguous: whether another place in view was as good in the last frames.
        elsewhere: whether the box is not where the target was last trusted to be, and not yet confirmed.
        standing, evidence: what the confidence was made of.
        region, description: features around the box, and what is in it; None where they are not at hand.
    """

    confidence: float
    ambiguous: bool
    elsewhere: bool
    standing: Standing
    evidence: Evidence
    region: Region | None
    description: Description | None


class Pursuit:
    """One target of one tracker; made anew for each target.

    Attributes:
        box_xywh: where the target was last trusted, float64 (4,), moved with the camera while it is in doubt.
        search: the search for it; None if the tracker has no features to search with.
    """

    def __init__(
        self,
        tracker: "Tracker",
        search_settings: SearchSettings,
        image_bgr: np.ndarray,
        target: typing.Any,
        box_xywh: np.ndarray,
    ) -> None:
        """Begin with the target in a box of the first frame."""
        self.box_xywh = box_xywh
        self.search: Search | None = None
        if tracker.tile_side:
            appearance = Appearance.of(tracker.first_region(image_bgr, target, box_xywh), box_xywh)
            self.search = Search(tracker, search_settings, appearance, image_bgr, box_xywh)
        self._tracker = tracker
        self._size_wh = image_bgr.shape[1], image_bgr.shape[0]
        self._camera = CameraMotion()
        self._velocity = np.zeros(2)  # pixels per frame
        self._place_xywh = box_xywh  # where the target is looked for
        self._elsewhere = False  # whether what is followed is not where the target was expected
        self._confidence = 1.0
        self._preference = 1.0
        self._usual_score, self._usual_likeness = USUAL_SCORE, USUAL_LIKENESS
        self._usual_frames = GUESS_FRAMES
        self._recent_wh = collections.deque([box_xywh[2:]], RECENT_SIZES)  # sizes in trusted frames
        self._tracked_frames = 0  # since the target was last in doubt
        self._on_probation = False  # after the target was taken up at a place that was found
        self._frames = 0
        self._passed_over: list[tuple[int, Peak]] = []  # candidates that were not followed, with the frame's number

    @property
    def is_searching(self) -> bool:
        """Whether frames are searched for the target."""
        return self.search is not None and self.search.is_running

    def next_place(self, image_bgr: np.ndarray, target: typing.Any, settings: MonitorSettings) -> typing.Any:
        """Return the target where it is to be looked for in a frame; while it is searched for, search some tiles."""
        self._frames += 1
        search = self.search
        if search is None or not search.is_running:
            return target
        shift_xy = self._camera.shift(image_bgr)
        self.box_xywh = self._shifted(self.box_xywh, shift_xy)
        self._place_xywh = self._shifted(self._place_xywh, shift_xy)
        target = self._tracker.move(target, self._place_xywh)
        search.run(image_bgr, self._tracker.move(target, self.box_xywh), self.box_xywh)
        if not search.candidates:
            return target
        best, own = search.candidates[0], MIN_PREFERENCE
        if self._confidence >= settings.lost_confidence:
            own = max(own, self._preference + MIN_GAIN)
        if search.preference(best.description, best.likeness) < own:
            return target
        self._elsewhere = self._elsewhere or not is_same_place(best.box_xywh, self._place_xywh)
        self._place_xywh = best.box_xywh
        return self._tracker.move(target, best.box_xywh)

    def judge(self, image_bgr: np.ndarray, target: typing.Any, result: "TrackResult", state: TargetState) -> Verdict:
        """Weigh what the tracker found; `state` is that of the frame before."""
        jumped = self._jump(result.box_xywh) > MAX_JUMP
        self._elsewhere = self.search is not None and (self._elsewhere or jumped)
        is_followed = state != TargetState.LOST and not self._elsewhere
        is_tracked = is_followed and state == TargetState.TRACKING
        score = logit(result.score)
        evidence = {"score": score, "drop": self._usual_score - score, "peak_ratio": result.peak_ratio}
        evidence |= dict.fromkeys(APPEARANCE_EVIDENCE, 0.0)  # where the tracker has no features
        region, description, ambiguous = result.region, None, False
        if self.search is not None:
            if region is None and (not is_tracked or self.search.is_running or self._is_time_to_learn):
                center_xy = result.box_xywh[:2] + result.box_xywh[2:] / 2
                region = self._tracker.region(image_bgr, target, center_xy)
            if region is not None:
                appearance = self.search.appearance
                description = appearance.describe(region, result.box_xywh)
                evidence["likeness"] = appearance.likeness(description)
                evidence["first_likeness"] = appearance.first_likeness(description)
                evidence["strangeness"] = self._usual_likeness - evidence["likeness"]
                evidence["rival"] = appearance.rival_excess(description, evidence["likeness"])
                self._preference = self.search.preference(description, evidence["likeness"])
            if not is_tracked or self.search.is_running:
                ambiguous = self._is_ambiguous(result.box_xywh, evidence["likeness"])
        standing: Standing = "found"
        if is_followed:
            standing = "tracked" if is_tracked and not self._on_probation else "doubted"
        confidence = self._tracker.calibration.confidence(evidence, standing)
        return Verdict(confidence, ambiguous, self._elsewhere, standing, evidence, region, description)

    def settle(
        self,
        image_bgr: np.ndarray,
        target: typing.Any,
        result: "TrackResult",
        verdict: Verdict,
        state: TargetState,
        was_lost: bool,
        settings: MonitorSettings,
    ) -> typing.Any:
        """Return the target as it is kept after a frame, learn from the frame, and start or end the search.

        Args:
            image_bgr: the frame.
            target, result: what the tracker made of it.
            verdict: from `judge`.
            state: the state after this frame.
            was_lost: whether the target was LOST since it was last TRACKING.
            settings: the bounds of confidence.
        """
        self._confidence = verdict.confidence
        is_tracked = state == TargetState.TRACKING and verdict.confidence >= settings.uncertain_confidence
        if is_tracked:
            self._trust(image_bgr, result, verdict)
        if self.search is None:
            return target
        if is_tracked:
            if self._on_probation:  # something may still look more like the target
                return target
            self.search.stop()
            self._camera.stop()
            self._passed_over = []
            return target
        self._tracked_frames, self._velocity = 0, np.zeros(2)
        if state != TargetState.TRACKING and not self.search.is_running:
            self.box_xywh, self._place_xywh = self._usually_large(self.box_xywh), self._usually_large(self._place_xywh)
            self.search.start(target, self._size_wh, self.box_xywh)
        return self._tracker.move(target, self._held_xywh(result.box_xywh, verdict.confidence, was_lost, settings))

    def _held_xywh(
        self, box_xywh: np.ndarray, confidence: float, was_lost: bool, settings: MonitorSettings
    ) -> np.ndarray:
        """Return the box from which the target in doubt is looked for in the next frame."""
        if confidence < settings.lost_confidence:  # nothing is there
            if self._elsewhere:  # back to the last trusted place
                self._place_xywh, self._elsewhere = self.box_xywh, False
        elif confidence < settings.uncertain_confidence:  # the place is taken over, the size not wholly
            center_xy, size_wh = box_xywh[:2] + box_xywh[2:] / 2, self._place_xywh[2:]
            if not self._elsewhere and not was_lost:
                last_wh = self.box_xywh[2:]
                size_wh = box_xywh[2:].clip(last_wh / MAX_SIZE_CHANGE, last_wh * MAX_SIZE_CHANGE)
            self._place_xywh = np.concatenate([center_xy - size_wh / 2, size_wh])
        else:
            self._place_xywh = box_xywh
        self._place_xywh = self._shifted(self._place_xywh, np.zeros(2))
        return self._place_xywh

    def _trust(self, image_bgr: np.ndarray, result: "TrackResult", verdict: Verdict) -> None:
        """Take over a box that is the target's, and remember its looks now and then."""
        moved = result.box_xywh[:2] + result.box_xywh[2:] / 2 - self.box_xywh[:2] - self.box_xywh[2:] / 2
        self._velocity = (self._velocity + moved) / 2 if self._tracked_frames > 0 else np.zeros(2)
        self.box_xywh = self._place_xywh = result.box_xywh
        self._recent_wh.append(result.box_xywh[2:])
        self._on_probation = self._elsewhere or (self._on_probation and self._tracked_frames < PROBATION)
        self._elsewhere = False
        self._tracked_frames += 1
        if verdict.confidence < LEARN_CONFIDENCE:
            return
        self._usual_frames = min(self._usual_frames + 1, USUAL_FRAMES)
        self._usual_score += (verdict.evidence["score"] - self._usual_score) / self._usual_frames
        if self.search is None or verdict.region is None or verdict.description is None:
            return
        self._usual_likeness += (verdict.evidence["likeness"] - self._usual_likeness) / self._usual_frames
        is_usual = not self._on_probation and verdict.evidence["strangeness"] <= MAX_STRANGENESS
        if is_usual and self._is_time_to_learn:
            self.search.remember(image_bgr, verdict.region, result.box_xywh, verdict.description)

    @property
    def _is_time_to_learn(self) -> bool:
        return self._frames % LEARN_INTERVAL == 0

    def _jump(self, box_xywh: np.ndarray) -> float:
        """Distance of a box from where what is followed was expected, in root areas of the target."""
        place = self._place_xywh
        away = box_xywh[:2] + box_xywh[2:] / 2 - place[:2] - place[2:] / 2
        return float(np.linalg.norm(away - self._velocity) / max(1.0, np.sqrt(self.box_xywh[2:].prod())))

    def _is_ambiguous(self, box_xywh: np.ndarray, likeness: float) -> bool:
        """Whether another place was as good in the last frames, so that neither can be trusted."""
        assert self.search is not None
        elsewhere = [peak for peak in self.search.candidates if not is_same_place(peak.box_xywh, box_xywh)]
        recent = [(frame, peak) for frame, peak in self._passed_over if self._frames - frame < AMBIGUITY_FRAMES]
        self._passed_over = recent + [(self._frames, peak) for peak in elsewhere]
        appearance = self.search.appearance
        return any(
            peak.likeness >= ALIKE * likeness
            and not is_same_place(peak.box_xywh, box_xywh)
            and appearance.rivalry(peak.description) <= peak.likeness
            for _, peak in self._passed_over
        )

    def _usually_large(self, box_xywh: np.ndarray) -> np.ndarray:
        """Return a box of the target's usual size: a target that is covered bit by bit shrinks while it is trusted."""
        size_wh = np.median(self._recent_wh, 0)
        return np.concatenate([box_xywh[:2] + box_xywh[2:] / 2 - size_wh / 2, size_wh])

    def _shifted(self, box_xywh: np.ndarray, shift_xy: np.ndarray) -> np.ndarray:
        """Return a box that is moved, with its centre kept in the frame."""
        center_xy = np.clip(box_xywh[:2] + box_xywh[2:] / 2 + shift_xy, 0, self._size_wh)
        return np.concatenate([center_xy - box_xywh[2:] / 2, box_xywh[2:]])
