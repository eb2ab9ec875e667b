# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import math

import pytest

from siam_tracker_ros.core.monitor import MonitorSettings, TargetMonitor, TargetState

IDLE, TRACKING, UNCERTAIN, LOST = TargetState

SETTINGS = MonitorSettings(
    uncertain_score=0.5,
    lost_score=0.3,
    recover_score=0.7,
    lost_drop=0.5,
    distractor_ratio=0.8,
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


def states(monitor, scores, **evidence):
    return [monitor.update(score, **evidence) for score in scores]


def test_idle_stays_idle_whatever_is_seen():
    monitor = TargetMonitor(SETTINGS)
    assert states(monitor, [0.0, 1.0, math.nan] * 10) == [IDLE] * 30


def test_a_good_score_keeps_tracking():
    assert states(started(), [0.9] * 50) == [TRACKING] * 50


@pytest.mark.parametrize("scores", [[0.0] * 10, [math.nan] * 10, [-math.inf] * 10])
def test_no_evidence_goes_through_uncertain_to_lost_and_stays(scores):
    assert states(started(), scores) == [TRACKING] + [UNCERTAIN] * 3 + [LOST] * 6


def test_one_bad_frame_changes_nothing():
    assert states(started(), [0.9, 0.0, 0.9, 0.0, 0.9] * 5) == [TRACKING] * 25


def test_a_score_that_flickers_on_the_background_does_not_hide_the_loss():
    found = states(started(), [0.9] * 5 + [0.1, 0.1, 0.9] * 6)
    assert found[-1] == LOST
    assert found[:6] == [TRACKING] * 6


def test_a_doubtful_score_is_uncertain_for_ever_but_not_lost():
    assert states(started(), [0.4] * 100) == [TRACKING] + [UNCERTAIN] * 99


def test_a_target_of_high_scores_is_lost_when_the_score_halves_though_it_is_above_the_threshold():
    monitor = started()
    states(monitor, [0.95] * 20)
    assert states(monitor, [0.45] * 5)[-1] == LOST


def test_a_target_of_moderate_scores_keeps_them():
    monitor = started()
    states(monitor, [0.6] * 20)
    assert LOST not in states(monitor, [0.45] * 50)


def test_the_usual_score_does_not_follow_bad_frames_down():
    monitor = started()
    states(monitor, [0.95] * 20)
    states(monitor, [0.9 * 0.98**i for i in range(60)])
    assert monitor.state == LOST


def test_a_distractor_makes_it_uncertain_at_any_score():
    assert states(started(), [0.95] * 3, peak_ratio=0.9) == [TRACKING, UNCERTAIN, UNCERTAIN]


def test_a_box_outside_the_image_is_lost_at_any_score():
    assert states(started(), [0.95] * 6, visible=0.1)[-1] == LOST


def test_uncertain_needs_several_good_frames_to_track_again():
    monitor = started()
    states(monitor, [0.4] * 3)
    assert states(monitor, [0.9, 0.9, 0.4, 0.9, 0.9, 0.9]) == [UNCERTAIN] * 5 + [TRACKING]


@pytest.mark.parametrize(
    "score, peak_ratio, recovers",
    [
        (0.8, 0.0, True),
        (0.7, 0.8, True),
        (0.69, 0.0, False),
        (0.9, 0.81, False),
        (math.nan, 0.0, False),
    ],
)
def test_lost_needs_a_row_of_better_frames_to_track_again(score, peak_ratio, recovers):
    found = states(lost(), [score] * 4, peak_ratio=peak_ratio)
    assert found == ([LOST, LOST, TRACKING, TRACKING] if recovers else [LOST] * 4)


def test_good_frames_that_are_not_in_a_row_do_not_recover():
    assert set(states(lost(), [0.9, 0.9, 0.6] * 10)) == {LOST}


def test_after_recovery_the_target_can_be_lost_again_as_at_first():
    monitor = lost()
    states(monitor, [0.0] * 100 + [0.9] * 3)
    assert states(monitor, [0.0] * 5) == [TRACKING] + [UNCERTAIN] * 3 + [LOST]


def test_a_new_target_knows_nothing_of_the_old_one():
    monitor = started()
    states(monitor, [0.95] * 30 + [0.0] * 10)
    monitor.start()
    assert states(monitor, [0.6, 0.45, 0.6, 0.45, 0.6]) == [TRACKING] * 5


def test_the_values_are_those_of_the_message():
    status = pytest.importorskip("siam_tracker_ros.msg").TrackerStatus
    assert {state.name: int(state) for state in TargetState} == {
        "IDLE": status.IDLE,
        "TRACKING": status.TRACKING,
        "UNCERTAIN": status.UNCERTAIN,
        "LOST": status.LOST,
    }
