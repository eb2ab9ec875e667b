# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest
from node_doubles import SquareTracker, scene
from pattern_tracker import TARGET, PatternTracker, box_at, draw

from siam_tracker_ros.core.monitor import MonitorSettings, TargetState
from siam_tracker_ros.core.pursuit import PROBATION
from siam_tracker_ros.core.search import SearchSettings
from siam_tracker_ros.core.session import Observation, TargetSession
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


def fields(observation):
    return {
        "state": observation.state.name,
        "has box": observation.box_xywh is not None,
        "confidence": round(observation.confidence, 1),
        "raw_score": round(observation.raw_score, 1),
        "candidates": observation.candidates,
        "is searching": observation.search_progress > 0,
        "redetections": observation.redetections,
        "has evidence": bool(observation.evidence),
    }


def expected_fields(state, has_box, confidence, raw_score, candidates=0, searching=False, found=0, evidence=True):
    values = (state, has_box, confidence, raw_score, candidates, searching, found, evidence)
    return dict(zip(fields(Observation(TargetState.IDLE)), values))


def test_an_observation_without_a_target_says_nothing(session):
    nothing = {"candidates": 0, "search_progress": 0.0, "redetections": 0, "age": 0, "frames_lost": 0}
    for observation in (session.observe(scene(None)), session.miss(), session.hold()):
        assert {name: getattr(observation, name) for name in nothing} == nothing
        assert math.isnan(observation.confidence) and math.isnan(observation.raw_score)
        assert not observation.evidence and not observation.updated


def test_observations_of_all_states():
    session = TargetSession(PatternTracker(), MonitorSettings(), SearchSettings(search_share=10.0))
    seen, gone, elsewhere = draw(((60, 60), TARGET)), draw(), draw(((260, 180), TARGET))
    session.init(seen, box_at((60, 60)))
    assert fields(session.observe(seen)) == expected_fields("TRACKING", True, 1.0, 1.0)
    assert fields(session.miss()) == expected_fields("TRACKING", False, 0.0, 0.0, evidence=False)
    assert fields(session.hold()) == expected_fields("UNCERTAIN", False, 0.0, 0.0, evidence=False)
    while (observation := session.observe(gone)).state != TargetState.LOST:
        assert observation.box_xywh is not None
    for _ in range(5):
        observation = session.observe(gone)
    assert fields(observation) == expected_fields("LOST", False, 0.0, round(observation.raw_score, 1), searching=True)
    assert 0 < observation.raw_score < 0.5
    assert fields(session.miss()) == expected_fields("LOST", False, 0.0, 0.0, searching=True, evidence=False)
    assert fields(session.hold()) == expected_fields("LOST", False, 0.0, 0.0, searching=True, evidence=False)
    states = []
    while (observation := session.observe(elsewhere)).state != TargetState.TRACKING:
        states.append(observation.state)
        assert observation.candidates > 0 and observation.search_progress > 0 and observation.redetections == 0
    assert states[-1] == TargetState.UNCERTAIN and observation.standing == "found"
    observation = session.observe(elsewhere)
    assert fields(observation) == expected_fields("TRACKING", True, 1.0, 1.0, 1, searching=True, found=1)
    for _ in range(PROBATION):
        observation = session.observe(elsewhere)
    assert fields(observation) == expected_fields("TRACKING", True, 1.0, 1.0, found=1)
    assert fields(session.hold()) == expected_fields("UNCERTAIN", False, 0.0, 0.0, found=1, evidence=False)
    session.reset()
    assert fields(session.hold()) | {"confidence": 0, "raw_score": 0} == expected_fields(
        "IDLE", False, 0, 0, evidence=False
    )
    session.init(seen, box_at((60, 60)))
    assert session.observe(seen).redetections == 0


def test_an_image_of_another_size_during_a_search_interrupts_it():
    session = TargetSession(PatternTracker())
    session.init(draw(((60, 60), TARGET)), box_at((60, 60)))
    for _ in range(20):
        before = session.observe(draw())
    for _ in range(3):
        with pytest.raises(InvalidInputError, match="320 x 240 as when the target was marked"):
            session.observe(draw()[::2])
        between = session.miss()
        assert (between.state, between.box_xywh) == (TargetState.LOST, None)
    assert between.frames_lost == before.frames_lost + 3 and between.age == before.age + 3
    after = session.observe(draw())
    assert after.search_progress > before.search_progress
    states = [session.observe(draw(((260, 180), TARGET))).state for _ in range(40)]
    assert states[-1] == TargetState.TRACKING


def test_an_image_of_another_size_while_tracked_counts_as_a_loss_that_has_to_be_confirmed():
    session = TargetSession(PatternTracker())
    seen = draw(((60, 60), TARGET))
    session.init(seen, box_at((60, 60)))
    session.observe(seen)
    with pytest.raises(InvalidInputError):
        session.observe(seen[::2])
    session.miss()
    found = [session.observe(seen) for _ in range(MonitorSettings.recover_frames)]
    uncertain = ["UNCERTAIN"] * (MonitorSettings.recover_frames - 2)
    assert [o.state.name for o in found] == ["LOST", *uncertain, "TRACKING"]
    assert found[-1].redetections == 1


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
        def step(self, image_bgr, target, learn=True):
            return super().step(scene((300, 60), (400, 120)), target, learn)

    session = TargetSession(Drifting(), MonitorSettings(lost_frames=3))
    session.init(scene((80, 60)), BOX, "a", "car")
    assert [session.observe(scene((80, 60))).state for _ in range(3)][-1] == TargetState.LOST
