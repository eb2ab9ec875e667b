# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import math

import pytest

from siam_tracker_ros.core.monitor import MonitorSettings, TargetMonitor, TargetState

IDLE, TRACKING, UNCERTAIN, LOST = TargetState

SETTINGS = MonitorSettings(
    uncertain_confidence=0.5,
    lost_confidence=0.3,
    recover_confidence=0.7,
    min_visible=0.25,
    uncertain_frames=2,
    lost_frames=5,
    recover_frames=3,
)


def started(settings=SETTINGS):
    monitor = TargetMonitor(settings)
    monitor.start()
    return monitor


def lost():
    monitor = started()
    monitor.lose()
    return monitor


def states(monitor, confidences, **evidence):
    return [monitor.update(confidence, **evidence) for confidence in confidences]


def test_idle_stays_idle_whatever_is_seen_or_declared():
    monitor = TargetMonitor(SETTINGS)
    monitor.doubt()
    assert states(monitor, [0.0, 1.0, math.nan] * 10) == [IDLE] * 30
    assert states(monitor, [0.9] * 10, elsewhere=True) == [IDLE] * 10


@pytest.mark.parametrize("confidence", [math.nan, -math.inf, 0.0, 0.29])
@pytest.mark.parametrize("evidence", [{}, {"elsewhere": True}, {"ambiguous": True}])
def test_no_evidence_goes_through_uncertain_to_lost_and_stays(confidence, evidence):
    first = UNCERTAIN if evidence.get("elsewhere") else TRACKING
    assert states(started(), [confidence] * 10, **evidence) == [first] + [UNCERTAIN] * 3 + [LOST] * 6


@pytest.mark.parametrize(
    "confidence, visible, state",
    [
        (0.95, 0.0, LOST),
        (0.95, 0.24, LOST),
        (0.95, 0.25, TRACKING),
        (0.29, 1.0, LOST),
        (0.3, 1.0, UNCERTAIN),
        (0.49, 1.0, UNCERTAIN),
        (0.5, 1.0, TRACKING),
        (math.inf, 1.0, TRACKING),
    ],
)
def test_bounds_belong_to_the_better_side(confidence, visible, state):
    assert states(started(), [confidence] * 6, visible=visible)[-1] == state


@pytest.mark.parametrize(
    "confidence, evidence, found",
    [
        (math.nan, {}, [LOST] * 4),
        (0.69, {}, [LOST] * 4),
        (0.95, {"ambiguous": True}, [LOST] * 4),
        (0.95, {"visible": 0.2}, [LOST] * 4),
        (0.7, {}, [LOST, UNCERTAIN, TRACKING, TRACKING]),
        (0.95, {}, [LOST, UNCERTAIN, TRACKING, TRACKING]),
    ],
)
def test_lost_needs_a_row_of_better_frames_and_is_uncertain_before_it_is_tracked(confidence, evidence, found):
    assert states(lost(), [confidence] * 4, **evidence) == found


def test_found_elsewhere_is_confirmed_after_a_row_of_good_frames_too():
    assert states(lost(), [0.95] * 4, elsewhere=True) == [LOST, UNCERTAIN, TRACKING, UNCERTAIN]
    monitor = lost()
    states(monitor, [0.95] * 3, elsewhere=True)
    assert states(monitor, [0.95] * 3) == [TRACKING] * 3


def test_one_good_frame_finds_nothing_and_confirms_nothing():
    assert states(lost(), [0.95, 0.0] * 20) == [LOST] * 40


def test_what_was_found_but_not_confirmed_is_lost_again_after_few_bad_frames():
    monitor = lost()
    assert states(monitor, [0.95, 0.95, 0.0, 0.0]) == [LOST, UNCERTAIN, UNCERTAIN, LOST]


def test_good_frames_that_are_not_in_a_row_do_not_confirm():
    assert TRACKING not in states(lost(), [0.9, 0.9, 0.4] * 10)


def test_a_box_elsewhere_ends_tracking_at_once_and_at_any_confidence():
    monitor = started()
    states(monitor, [0.95] * 10)
    assert monitor.update(0.95, elsewhere=True) == UNCERTAIN
    assert states(monitor, [0.95] * 2) == [UNCERTAIN, TRACKING]


def test_a_box_elsewhere_that_is_likelier_wrong_is_as_good_as_none():
    assert states(started(), [0.4] * 5, elsewhere=True) == [UNCERTAIN] * 4 + [LOST]
    assert set(states(started(), [0.6] * 50, elsewhere=True)) == {UNCERTAIN}
    assert LOST not in states(started(), [0.4] * 50)


def test_doubt_asks_for_confirmation_but_does_not_find_a_lost_target():
    monitor = started()
    monitor.doubt()
    assert monitor.state == UNCERTAIN
    assert states(monitor, [0.95] * 3) == [UNCERTAIN, UNCERTAIN, TRACKING]
    monitor.lose()
    monitor.doubt()
    assert monitor.state == LOST


def test_ambiguous_is_uncertain_at_any_confidence_and_never_lost():
    assert states(started(), [0.95] * 50, ambiguous=True) == [TRACKING] + [UNCERTAIN] * 49


def test_a_confidence_that_flickers_on_the_background_does_not_hide_the_loss():
    found = states(started(), [0.9] * 5 + [0.1, 0.1, 0.9] * 6)
    assert found[-1] == LOST
    assert found[:6] == [TRACKING] * 6


def test_one_bad_frame_changes_nothing():
    assert states(started(), [0.9, 0.0, 0.9, 0.0, 0.9] * 5) == [TRACKING] * 25


def test_a_doubtful_confidence_is_uncertain_for_ever_but_not_lost():
    assert states(started(), [0.4] * 100) == [TRACKING] + [UNCERTAIN] * 99


def test_uncertain_needs_several_good_frames_to_track_again():
    monitor = started()
    states(monitor, [0.4] * 3)
    assert states(monitor, [0.9, 0.9, 0.4, 0.6, 0.6, 0.6]) == [UNCERTAIN] * 5 + [TRACKING]


def test_a_box_elsewhere_has_to_be_better_than_one_in_its_place():
    for confidence, state in ((0.69, UNCERTAIN), (0.7, TRACKING)):
        monitor = started()
        states(monitor, [0.4] * 3)
        assert states(monitor, [confidence] * 3, elsewhere=True)[-1] == state


def test_after_recovery_the_target_can_be_lost_again_as_at_first():
    monitor = lost()
    states(monitor, [0.0] * 100 + [0.9] * 3)
    assert states(monitor, [0.0] * 5) == [TRACKING] + [UNCERTAIN] * 3 + [LOST]


def test_a_new_target_knows_nothing_of_the_old_one():
    monitor = started()
    states(monitor, [0.95] * 30 + [0.0] * 10)
    monitor.start()
    assert states(monitor, [0.6, 0.45, 0.6, 0.45, 0.6]) == [TRACKING] * 5


def test_other_settings_hold_from_the_next_frame_on():
    monitor = started()
    assert states(monitor, [0.4] * 3)[-1] == UNCERTAIN
    monitor.settings = MonitorSettings(uncertain_confidence=0.35, recover_confidence=0.35, recover_frames=2)
    assert states(monitor, [0.4] * 2) == [UNCERTAIN, TRACKING]


def test_a_good_confidence_keeps_tracking():
    assert states(started(), [0.9] * 50) == [TRACKING] * 50


def test_the_values_are_those_of_the_message():
    status = pytest.importorskip("siam_tracker_ros.msg").TrackerStatus
    assert {state.name: int(state) for state in TargetState} == {
        "IDLE": status.IDLE,
        "TRACKING": status.TRACKING,
        "UNCERTAIN": status.UNCERTAIN,
        "LOST": status.LOST,
    }
