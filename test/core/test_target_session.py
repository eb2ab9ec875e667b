# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest
from node_doubles import SquareTracker, scene

from siam_tracker_ros.core.monitor import MonitorSettings, TargetState
from siam_tracker_ros.core.session import TargetSession
from siam_tracker_ros.errors import InvalidInputError

BOX = (70, 50, 20, 20)


@pytest.fixture
def session():
    session = TargetSession(SquareTracker(), MonitorSettings(lost_frames=3))
    session.warm_up()
    return session


def test_idle_before_init_even_after_the_warm_up(session):
    observation = session.observe(scene((80, 60)))
    assert observation.state == TargetState.IDLE
    assert observation.box_xywh is None and math.isnan(observation.confidence)
    assert session.miss().state == session.hold().state == TargetState.IDLE


def test_box_and_age_follow_the_target(session):
    session.init(scene((80, 60)), BOX, "a", "car")
    for age in range(1, 6):
        observation = session.observe(scene((80 + 3 * age, 60)))
        assert (observation.state, observation.age, observation.frames_lost) == (TargetState.TRACKING, age, 0)
        np.testing.assert_array_equal(observation.box_xywh, (70 + 3 * age, 50, 20, 20))
    assert (session.target_id, session.class_id) == ("a", "car")


def test_no_box_and_no_mask_once_lost_and_both_back_after_recovery(session):
    session.init(scene((80, 60)), BOX, "a", "car")
    observations = [session.observe(scene(None)) for _ in range(6)]
    assert [o.state for o in observations][2:] == [TargetState.LOST] * 4
    assert [o.box_xywh is None for o in observations] == [False, False, True, True, True, True]
    assert [o.frames_lost for o in observations] == [0, 0, 1, 2, 3, 4]
    observations = [session.observe(scene((80, 60))) for _ in range(6)]
    assert observations[-1].state == TargetState.TRACKING and observations[-1].box_xywh is not None
    assert observations[-1].frames_lost == 0


@pytest.mark.parametrize("box", [(math.nan, 0, 9, 9), (500, 500, 9, 9), (0, 0, 0, 9)])
def test_a_failing_init_keeps_the_target_held(session, box):
    session.init(scene((80, 60)), BOX, "a", "car")
    session.observe(scene((90, 60)))
    with pytest.raises(InvalidInputError):
        session.init(scene((20, 20)), box, "b", "dog")
    observation = session.observe(scene((95, 60)))
    np.testing.assert_array_equal(observation.box_xywh, (85, 50, 20, 20))
    assert (session.target_id, session.class_id, observation.age) == ("a", "car", 2)


def test_init_on_a_held_target_is_as_on_none(session):
    fresh = TargetSession(SquareTracker(), MonitorSettings(lost_frames=3))
    session.init(scene((30, 30)), (20, 20, 30, 10), "a", "car")
    for _ in range(9):
        session.observe(scene(None))
    for either in (session, fresh):
        either.init(scene((80, 60)), BOX, "b", "dog")
    for x in range(80, 95):
        first, second = session.observe(scene((x, 60))), fresh.observe(scene((x, 60)))
        np.testing.assert_array_equal(first.box_xywh, second.box_xywh)
        assert (first.state, first.age, first.frames_lost) == (second.state, second.age, second.frames_lost)


def test_another_image_size_loses_the_target_and_the_old_one_finds_it_again(session):
    session.init(scene((80, 60)), BOX, "a", "car")
    with pytest.raises(InvalidInputError, match="320 x 240 pixels, expected 160 x 120.*a new box is given"):
        session.observe(scene((80, 60), (320, 240)))
    assert session.state == TargetState.LOST
    assert session.miss().box_xywh is None
    for _ in range(MonitorSettings.recover_frames):
        observation = session.observe(scene((80, 60)))
    assert observation.state == TargetState.TRACKING
    session.init(scene((80, 60), (320, 240)), BOX, "a", "car")
    assert session.observe(scene((80, 60), (320, 240))).state == TargetState.TRACKING


def test_frames_that_cannot_be_used_count_as_frames_without_the_target(session):
    session.init(scene((80, 60)), BOX, "a", "car")
    observations = [session.miss() for _ in range(4)]
    assert [o.state.name for o in observations] == ["TRACKING", "UNCERTAIN", "LOST", "LOST"]
    assert all(o.box_xywh is None and o.confidence == 0 for o in observations)
    assert observations[-1].age == 4 and observations[-1].frames_lost == 2


def test_hold_keeps_the_target_but_claims_nothing_about_it(session):
    session.init(scene((80, 60)), BOX, "a", "car")
    session.observe(scene((80, 60)))
    for _ in range(20):
        held = session.hold()
        assert (held.state, held.age, held.confidence, held.box_xywh) == (TargetState.UNCERTAIN, 1, 0.0, None)
    assert session.observe(scene((90, 60))).age == 2


def test_reset(session):
    session.init(scene((80, 60)), BOX, "a", "car")
    session.reset()
    assert session.target_id == session.class_id == ""
    assert session.observe(scene((80, 60))).state == TargetState.IDLE


def test_a_box_that_leaves_the_image_is_lost_though_the_score_is_high():
    class Drifting(SquareTracker):
        def track(self, image_bgr):
            return super().track(scene((300, 60), (400, 120)))

    session = TargetSession(Drifting(), MonitorSettings(lost_frames=3))
    session.init(scene((80, 60)), BOX, "a", "car")
    assert [session.observe(scene((80, 60))).state for _ in range(3)][-1] == TargetState.LOST
