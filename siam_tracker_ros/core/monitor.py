# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The state of a target, judged frame by frame: is it still there?

A tracker always finds something, so one threshold on one frame is not enough. Each frame is one of

    bad       no evidence of the target: the confidence is below `lost_confidence`, or below `uncertain_confidence` for
              a box that is not where it was expected, or less than `min_visible` of the box lies in the image, or no
              image could be used;
    good      not bad, the confidence is at least `uncertain_confidence`, and nothing else in view looks as much like
              the target; `recover_confidence` is asked for once LOST, and of a box that is not where it was expected;
    doubtful  all other frames.

`uncertain_frames` frames in a row that are not good make the state UNCERTAIN. A balance goes up by one with each bad
frame and down by one with each good frame; at `lost_frames` the target is LOST, even if the confidence flickers on the
background. `uncertain_frames` good frames in a row make a LOST target UNCERTAIN, and only `recover_frames` of them
lead back to TRACKING.
"""

import dataclasses
import enum

from siam_tracker_ros.errors import InvalidSettingError
from siam_tracker_ros.settings import setting


class TargetState(enum.IntEnum):
    """State of the target; the values are those of siam_tracker_ros/msg/TrackerStatus."""

    IDLE = 0
    TRACKING = 1
    UNCERTAIN = 2
    LOST = 3


@dataclasses.dataclass(frozen=True)
class MonitorSettings:
    """Numbers of the rule in the module's docstring; lost <= uncertain <= recover confidence."""

    uncertain_confidence: float = setting(0.55, "A frame with a lower confidence is doubtful.", 0, 1, change="any time")
    lost_confidence: float = setting(
        0.25, "A frame with a lower confidence is bad: no evidence of the target.", 0, 1, change="any time"
    )
    recover_confidence: float = setting(
        0.7, "A target that is lost, or not where it was expected, needs this confidence.", 0, 1, change="any time"
    )
    min_visible: float = setting(
        0.25, "A frame is bad when less of the box than this lies in it.", 0, 1, change="any time"
    )
    uncertain_frames: int = setting(2, "Frames in a row that are not good until UNCERTAIN.", 1, 1000, change="any time")
    lost_frames: int = setting(6, "Bad frames (each good one takes one off) until LOST.", 1, 1000, change="any time")
    recover_frames: int = setting(5, "Good frames in a row until TRACKING again.", 1, 1000, change="any time")

    def check_order(self) -> None:
        """Raise InvalidSettingError where the bounds of the confidence are out of order."""
        if not self.lost_confidence <= self.uncertain_confidence <= self.recover_confidence:
            raise InvalidSettingError(
                f"lost_confidence {self.lost_confidence:g}, uncertain_confidence {self.uncertain_confidence:g}, "
                f"recover_confidence {self.recover_confidence:g} are out of order, expected lost <= uncertain <= "
                "recover; set them together"
            )


class TargetMonitor:
    """The state of one target: IDLE until `start`, then judged by `update`.

    Attributes:
        settings: numbers of the rule; another value holds from the next frame on.
    """

    _state: TargetState
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
        self._begin(TargetState.LOST)

    def doubt(self) -> None:
        """Declare the target UNCERTAIN on certain evidence, unless it is LOST: it has to be confirmed."""
        if self._state == TargetState.TRACKING:
            self._state, self._good_in_a_row = TargetState.UNCERTAIN, 0

    def update(
        self, confidence: float, visible: float = 1.0, ambiguous: bool = False, elsewhere: bool = False
    ) -> TargetState:
        """Judge one frame and return the new state.

        Args:
            confidence: 0..1; NaN for a frame that could not be searched.
            visible: fraction of the box that lies in the image, 0..1.
            ambiguous: whether something else in view looks as much like the target.
            elsewhere: whether the box is not where the target was expected: it has to be confirmed.
        """
        if self._state == TargetState.IDLE:
            return self._state
        if elsewhere:
            self.doubt()
        bad, good = self._judge(confidence, visible, ambiguous, elsewhere)
        self._bad_balance = max(0, self._bad_balance + bad - (good and not elsewhere))
        self._good_in_a_row = self._good_in_a_row + 1 if good else 0
        self._doubt_in_a_row = 0 if good else self._doubt_in_a_row + 1
        if self._good_in_a_row >= self.settings.recover_frames and self._state != TargetState.TRACKING:
            self._begin(TargetState.TRACKING)
        elif self._state == TargetState.LOST and self._good_in_a_row >= self.settings.uncertain_frames:
            self._state = TargetState.UNCERTAIN  # found, not yet confirmed; few bad frames lead back
            self._bad_balance = max(0, self.settings.lost_frames - self.settings.uncertain_frames)
        elif self._bad_balance >= self.settings.lost_frames and not good:
            self._state = TargetState.LOST
        elif self._doubt_in_a_row >= self.settings.uncertain_frames and self._state == TargetState.TRACKING:
            self._state = TargetState.UNCERTAIN
        return self._state

    def _begin(self, state: TargetState) -> None:
        self._state = state
        self._bad_balance = self._good_in_a_row = self._doubt_in_a_row = 0

    def _judge(self, confidence: float, visible: float, ambiguous: bool, elsewhere: bool) -> tuple[bool, bool]:
        """Return whether a frame is bad, and whether it is good."""
        settings = self.settings
        least = settings.uncertain_confidence if elsewhere else settings.lost_confidence
        bad = not confidence >= least or visible < settings.min_visible  # true for NaN too
        is_found = elsewhere or self._state == TargetState.LOST
        enough = settings.recover_confidence if is_found else settings.uncertain_confidence
        return bad, not bad and confidence >= enough and not ambiguous
