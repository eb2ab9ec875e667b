# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The state of a target, judged frame by frame: is it still there?

The score of a Siamese tracker does not fall reliably when the target leaves, so one threshold on it is not enough.
Each frame is one of

    bad       no evidence of the target: the score is below `lost_score`, or below `lost_drop` times the usual score
              of this target; or less than `min_visible` of the box lies in the image; or no image could be used;
    good      not bad, the score is at least `uncertain_score` (`recover_score` once lost), and the second response
              peak is at most `distractor_ratio` times the first: nothing else looks like the target;
    doubtful  all other frames.

`uncertain_frames` frames in a row that are not good make the state UNCERTAIN. A balance goes up by one with each bad
frame and down by one with each good frame; at `lost_frames` the target is LOST, even if the score flickers on the
background. Only `recover_frames` good frames in a row lead back to TRACKING.
"""

import dataclasses
import enum
import math

from siam_tracker_ros.settings import setting

_USUAL_SCORE_RATE = 1 / 30  # about one second of video


class TargetState(enum.IntEnum):
    """State of the target; the values are those of siam_tracker_ros/msg/TrackerStatus."""

    IDLE = 0
    TRACKING = 1
    UNCERTAIN = 2
    LOST = 3


@dataclasses.dataclass(frozen=True)
class MonitorSettings:
    """Numbers of the rule in the module's docstring; lost <= uncertain <= recover score."""

    uncertain_score: float = setting(0.3, "A frame with a lower score is doubtful.", 0, 1, change="any time")
    lost_score: float = setting(
        0.2, "A frame with a lower score is bad: no evidence of the target.", 0, 1, change="any time"
    )
    recover_score: float = setting(0.35, "Once lost, only a score at least this high is good.", 0, 1, change="any time")
    lost_drop: float = setting(
        0.5, "A frame is bad under this fraction of the target's usual score.", 0, 1, change="any time"
    )
    distractor_ratio: float = setting(
        0.8,
        "A frame is doubtful when the second response peak exceeds this fraction of the first.",
        0,
        1,
        change="any time",
    )
    min_visible: float = setting(
        0.25, "A frame is bad when less of the box than this lies in it.", 0, 1, change="any time"
    )
    uncertain_frames: int = setting(2, "Frames in a row that are not good until UNCERTAIN.", 1, 1000, change="any time")
    lost_frames: int = setting(10, "Bad frames (each good one takes one off) until LOST.", 1, 1000, change="any time")
    recover_frames: int = setting(5, "Good frames in a row until TRACKING again.", 1, 1000, change="any time")


class TargetMonitor:
    """The state of one target: IDLE until `start`, then judged by `update`.

    Attributes:
        settings: numbers of the rule; another value holds from the next frame on.
    """

    _state: TargetState
    _usual_score: float
    _bad_balance: int
    _good_in_a_row: int
    _doubt_in_a_row: int

    def __init__(self, settings: MonitorSettings = MonitorSettings()) -> None:
        self.settings = settings
        self.stop()

    @property
    def state(self) -> TargetState:
        """State after the last call."""
        return self._state

    def stop(self) -> None:
        """Forget the target: IDLE."""
        self._begin(TargetState.IDLE)

    def start(self) -> None:
        """Start on a new target: TRACKING."""
        self._begin(TargetState.TRACKING)

    def lose(self) -> None:
        """Declare the target LOST on certain evidence; it can still recover."""
        self._begin(TargetState.LOST, self._usual_score)

    def update(self, score: float, peak_ratio: float = 0.0, visible: float = 1.0) -> TargetState:
        """Judge one frame and return the new state.

        Args:
            score: raw confidence, 0..1; NaN for a frame that could not be searched.
            peak_ratio: second response peak divided by the first, 0..1.
            visible: fraction of the box that lies in the image, 0..1.
        """
        if self._state == TargetState.IDLE:
            return self._state
        bad, good = self._judge(score, peak_ratio, visible)
        self._bad_balance = max(0, self._bad_balance + bad - good)
        self._good_in_a_row = self._good_in_a_row + 1 if good else 0
        self._doubt_in_a_row = 0 if good else self._doubt_in_a_row + 1
        if good:
            self._learn_usual_score(score)
        if self._good_in_a_row >= self.settings.recover_frames and self._state != TargetState.TRACKING:
            self._begin(TargetState.TRACKING, self._usual_score)
        elif self._bad_balance >= self.settings.lost_frames:
            self._state = TargetState.LOST
        elif self._doubt_in_a_row >= self.settings.uncertain_frames and self._state == TargetState.TRACKING:
            self._state = TargetState.UNCERTAIN
        return self._state

    def _begin(self, state: TargetState, usual_score: float = math.nan) -> None:
        self._state = state
        self._usual_score = usual_score
        self._bad_balance = self._good_in_a_row = self._doubt_in_a_row = 0

    def _judge(self, score: float, peak_ratio: float, visible: float) -> tuple[bool, bool]:
        """Return whether a frame is bad, and whether it is good."""
        settings = self.settings
        bad = (
            not score >= settings.lost_score  # true for NaN too
            or score < settings.lost_drop * self._usual_score  # false while the usual score is unknown
            or visible < settings.min_visible
        )
        min_score = settings.recover_score if self._state == TargetState.LOST else settings.uncertain_score
        return bad, not bad and score >= min_score and peak_ratio <= settings.distractor_ratio

    def _learn_usual_score(self, score: float) -> None:
        if math.isnan(self._usual_score):
            self._usual_score = score
        self._usual_score += _USUAL_SCORE_RATE * (score - self._usual_score)
