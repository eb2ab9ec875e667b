# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What becomes of a target in doubt: it is held, searched for, confirmed, and told from its rivals."""

import itertools

import numpy as np
import pytest
from pattern_tracker import SIDE, SIMILAR, SIZE_WH, TARGET, PatternTracker, box_at, draw, ground

from siam_tracker_ros.core.confidence import Calibration, Logistic, logit
from siam_tracker_ros.core.monitor import MonitorSettings, TargetState
from siam_tracker_ros.core.pursuit import LEARN_INTERVAL, MAX_SIZE_CHANGE, MAX_STRANGENESS, PROBATION
from siam_tracker_ros.core.search import TILE_COST, SearchSettings
from siam_tracker_ros.core.session import TargetSession

TRACKING, UNCERTAIN, LOST = TargetState.TRACKING, TargetState.UNCERTAIN, TargetState.LOST
PLACE = 60, 60
SEEN = draw((PLACE, TARGET))
GONE = draw()
UNSURE = Logistic(logit(0.4), {})
SURE = Logistic(9.0, {})


def followed(*others, first=PLACE, search=SearchSettings()):
    """A session that has tracked the target for 12 frames, with other things in view."""
    session = TargetSession(PatternTracker(), search_settings=search)
    image_bgr = draw((first, TARGET), *others)
    session.init(image_bgr, box_at(first))
    assert {session.observe(image_bgr).state for _ in range(12)} == {TRACKING}
    return session


def lost(search=SearchSettings()):
    """A session that has lost its target, and searched the whole last frame in which that was seen."""
    session = followed(search=search)
    observe(session, [GONE] * 20)
    assert session.state == LOST
    return session


def observe(session, images_bgr):
    return [session.observe(image_bgr) for image_bgr in images_bgr]


def find(session, image_bgr):
    """Show a frame until the target is found in it."""
    assert any(session.observe(image_bgr).state == TRACKING for _ in range(60))


def changes(observations):
    return [state for state, _ in itertools.groupby(o.state for o in observations)]


def center_of(observation):
    return observation.box_xywh[:2] + observation.box_xywh[2:] / 2


def appearance_of(session):
    return session._pursuit.search.appearance


def test_without_evidence_place_and_size_stay_as_last_trusted():
    session = followed()
    observations = observe(session, [GONE] * 50)
    np.testing.assert_array_equal(session.tracker.starts[12:], [box_at(PLACE)] * 50)
    assert all(o.box_xywh[2] <= 1.1 * SIDE + 1e-9 for o in observations if o.box_xywh is not None)


@pytest.mark.parametrize("was_lost", [False, True])
def test_with_little_evidence_the_place_is_followed_and_the_size_within_bounds(was_lost):
    session = lost(SearchSettings(search_share=0.0)) if was_lost else followed()
    session.tracker.calibration, session.tracker.sure_score = Calibration(UNSURE, UNSURE, UNSURE), 1.1
    begun = len(session.tracker.starts)
    observe(session, [draw(((60 + step, 60), TARGET)) for step in range(1, 16)])
    last = session.tracker.starts[-1]
    sizes = np.array([start[2:] for start in session.tracker.starts[begun:]])
    largest = SIDE if was_lost else MAX_SIZE_CHANGE * SIDE
    assert sizes.max() == pytest.approx(largest) and (was_lost or sizes[-1].tolist() == sizes[-5].tolist())
    np.testing.assert_allclose(last[:2] + last[2:] / 2, (60 + 14, 60), atol=2)
    assert session.state == (LOST if was_lost else UNCERTAIN)


def test_a_held_place_moves_with_the_camera():
    session, wide = followed(), ground((SIZE_WH[0] + 400, SIZE_WH[1]))
    views = [wide[:, 400 - 4 * step : 400 - 4 * step + SIZE_WH[0]] for step in range(40)]
    observe(session, views)
    moved = np.diff([start[0] for start in session.tracker.starts[-31:]])
    np.testing.assert_allclose(moved, 4, atol=0.5)
    np.testing.assert_allclose([start[1] for start in session.tracker.starts[-30:]], 60 - SIDE / 2, atol=0.5)


def test_a_held_place_stays_in_the_frame():
    session, wide = followed(), ground((SIZE_WH[0] + 400, SIZE_WH[1]))
    observe(session, [wide[:, 8 * step : 8 * step + SIZE_WH[0]] for step in range(40)])
    assert session.tracker.starts[-1][0] == pytest.approx(-SIDE / 2, abs=0.5)


def test_nothing_is_learned_unless_the_target_is_tracked():
    session = followed()
    before = [TRACKING] * 12
    for image_bgr in [GONE] * 20 + [draw(((260, 180), TARGET))] * 30:
        before.append(session.state)
        session.observe(image_bgr)
    assert session.state == TRACKING and {UNCERTAIN, LOST} <= set(before)
    assert session.tracker.learned == [state == TRACKING for state in before]


def test_the_appearance_is_remembered_while_tracked_alone_and_not_before_a_probation_is_over():
    session = followed()
    memory = appearance_of(session).memory
    assert len(memory) == 12 // LEARN_INTERVAL
    trusted = 0
    for image_bgr in [GONE] * 20 + [draw(((260, 180), TARGET))] * 30:
        state = session.observe(image_bgr).state
        trusted = trusted + 1 if state == TRACKING and session._redetections else 0
        if trusted <= PROBATION:
            assert appearance_of(session).memory == memory
    observe(session, [draw(((260, 180), TARGET))] * (PROBATION + LEARN_INTERVAL - trusted))
    assert len(appearance_of(session).memory) > len(memory)


@pytest.mark.parametrize("place", [(13, 13), (307, 13), (13, 227), (307, 227), (160, 120), (66, 70)])
def test_a_target_that_returns_anywhere_is_found(place):
    session = lost()
    observations = observe(session, [draw((place, TARGET))] * 60)
    assert observations[-1].state == TRACKING and observations[-1].redetections == 1
    np.testing.assert_allclose(center_of(observations[-1]), place, atol=1)


def test_a_target_that_returns_is_uncertain_before_it_is_tracked_and_has_no_box_while_it_is_lost():
    session = followed()
    observations = observe(session, [GONE] * 20 + [draw(((260, 180), TARGET))] * 40)
    assert changes(observations)[-4:] == [UNCERTAIN, LOST, UNCERTAIN, TRACKING]
    assert all((o.box_xywh is None) == (o.state == LOST) for o in observations)
    found = [o for o in observations[20:] if o.state != LOST]
    first_tracked = [o.state for o in found].index(TRACKING)
    assert 2 <= first_tracked + 1 <= MonitorSettings.recover_frames


def test_a_target_that_returns_elsewhere_before_it_was_lost_has_to_prove_itself_too():
    session = followed(search=SearchSettings(search_share=10.0))
    observe(session, [GONE] * 4)
    assert session.state == UNCERTAIN
    found = next(o for o in observe(session, [draw(((260, 180), TARGET))] * 4) if o.confidence > 0.5)
    assert found.state == UNCERTAIN and found.standing == "found"


def test_one_good_frame_finds_nothing():
    session = lost()
    observations = observe(session, [SEEN, GONE, GONE] * 10)
    assert {o.state for o in observations} == {LOST}
    assert max(o.confidence for o in observations) > 0.9


def test_a_better_one_that_shows_up_soon_after_a_similar_one_was_found_takes_its_place():
    similar, target = ((260, 60), SIMILAR), ((60, 200), TARGET)
    session = lost(SearchSettings(search_share=10.0))
    find(session, draw(similar))
    observations = observe(session, [draw(similar, target)] * 40)
    assert changes(observations) == [TRACKING, UNCERTAIN, TRACKING]
    np.testing.assert_allclose(center_of(observations[-1]), target[0], atol=2)
    assert observations[-1].search_progress == 0  # the search ends with the probation


@pytest.mark.parametrize("confidence", [0.72, 0.99])
def test_the_search_ends_soon_after_the_target_was_found_whatever_the_confidence(confidence):
    session, image_bgr = lost(), draw(((260, 180), TARGET))
    find(session, image_bgr)
    likely = Logistic(logit(confidence), {})
    session.tracker.calibration = Calibration(likely, likely, likely)
    observations = observe(session, [image_bgr] * 2 * PROBATION)
    assert {o.state for o in observations} == {TRACKING}
    assert [o.search_progress > 0 for o in observations] == [True] * (PROBATION - 1) + [False] * (PROBATION + 1)


def test_of_two_that_are_alike_neither_is_taken_until_one_leaves():
    one, other = ((100, 180), TARGET), ((60, 200), TARGET)
    session = lost(SearchSettings(search_share=10.0))  # all of the frame at once
    assert TRACKING not in changes(observe(session, [draw(one, other)] * 60))
    observations = observe(session, [draw(one)] * 30)
    assert observations[-1].state == TRACKING
    np.testing.assert_allclose(center_of(observations[-1]), one[0], atol=2)


@pytest.mark.parametrize("place", [(110, 60), (200, 180)], ids=["in the search region", "elsewhere in view"])
@pytest.mark.parametrize("is_known", [True, False])
def test_what_was_seen_beside_the_target_is_not_taken_for_it(place, is_known):
    similar = place, SIMILAR
    session = followed(similar) if is_known else followed()
    observations = observe(session, [draw(similar)] * 80)
    assert (TRACKING in changes(observations[2:])) == (not is_known)


def test_a_target_that_passes_behind_a_similar_thing_is_the_one_that_is_tracked_afterwards():
    standing, session = ((130, 60), SIMILAR), TargetSession(PatternTracker())
    session.init(draw((PLACE, TARGET), standing), box_at(PLACE))
    observations = observe(session, [draw(((60 + 2 * step, 60), TARGET), standing) for step in range(70)])
    hidden = observations[29:42]  # by more than half
    assert TRACKING not in changes(hidden)
    assert observations[-1].state == TRACKING
    np.testing.assert_allclose(center_of(observations[-1]), (198, 60), atol=2)


@pytest.mark.parametrize("steps, is_tracked", [((22,), False), ((12,), True), ((6, 12, 16, 22, 22), True)])
def test_a_box_that_jumps_has_to_be_confirmed_and_one_that_speeds_up_has_not(steps, is_tracked):
    session = followed()
    xs = [60, *(60 + np.cumsum(steps))]
    observations = observe(session, [draw(((x, 60), TARGET)) for x in xs + [xs[-1]] * 7])
    moving = [o.state for o in observations[1 : len(xs)]]
    assert moving == [TRACKING if is_tracked else UNCERTAIN] * len(steps)
    assert observations[-1].state == TRACKING


@pytest.mark.parametrize("per_frame", [0.0, 0.5, 1.0, 1.75, 5.0])
@pytest.mark.parametrize("size_wh", [(640, 480), (1920, 1080), (3840, 2160)])
def test_the_time_of_the_search_follows_its_share_and_not_the_size_of_the_frame(size_wh, per_frame):
    place, empty = (300, 200), ground(size_wh)
    settings = SearchSettings(search_share=per_frame * TILE_COST)
    session = TargetSession(PatternTracker(), search_settings=settings)
    session.init(draw((place, TARGET), on=empty), box_at(place))
    while session.state == TRACKING:
        session.observe(empty)
    counts = []
    for _ in range(8):
        session.tracker.tiles.clear()
        session.observe(empty)
        counts.append(len(session.tracker.tiles))
    np.testing.assert_array_equal(np.cumsum(counts), np.floor(np.arange(1, 9) * per_frame))


def test_without_a_search_the_target_is_found_where_it_was():
    session = followed(search=SearchSettings(search_share=0.0))
    observations = observe(session, [GONE] * 20 + [draw(((260, 180), TARGET))] * 40 + [SEEN] * 10)
    assert changes(observations)[-4:] == [UNCERTAIN, LOST, UNCERTAIN, TRACKING]
    assert {o.state for o in observations[20:60]} == {LOST}
    assert {(o.candidates, o.search_progress) for o in observations} == {(0, 0.0)}


def test_other_settings_hold_for_a_search_that_runs():
    session = lost()
    session.set_search_settings(SearchSettings(search_share=0.0))
    session.tracker.tiles.clear()
    observe(session, [GONE] * 10)
    assert not session.tracker.tiles
    session.set_search_settings(SearchSettings(min_likeness=0.99))
    assert {o.candidates for o in observe(session, [draw(((200, 180), SIMILAR))] * 60)} == {0}


def test_a_look_that_is_strange_all_at_once_is_not_remembered():
    session = followed()
    session.tracker.calibration = Calibration(SURE, SURE, SURE)
    known = len(appearance_of(session).memory)
    observations = observe(session, [draw((PLACE, TARGET[::-1]))] * LEARN_INTERVAL)
    assert {o.state for o in observations} == {TRACKING}
    assert min(o.evidence["strangeness"] for o in observations) > MAX_STRANGENESS
    assert len(appearance_of(session).memory) == known
    observe(session, [SEEN] * LEARN_INTERVAL)
    assert len(appearance_of(session).memory) == known + 1


def test_what_is_followed_on_in_doubt_is_judged_by_numbers_of_its_own():
    session = followed()
    session.tracker.calibration = Calibration(UNSURE, Logistic(logit(0.3), {}), SURE)
    observations = observe(session, [SEEN] * 6)
    assert [(o.standing, round(o.confidence, 6)) for o in observations] == [("tracked", 0.4)] * 2 + [
        ("doubted", 0.3)
    ] * 4


def test_the_usual_likeness_is_learned_from_the_target_itself():
    session = TargetSession(PatternTracker())
    session.init(SEEN, box_at(PLACE))
    strangeness = [o.evidence["strangeness"] for o in observe(session, [SEEN] * 90)]
    assert strangeness[0] < -0.25 and strangeness[6] > -0.15 and abs(strangeness[-1]) < 0.03


def test_the_candidates_of_a_lost_target_are_where_something_looks_like_it():
    session = lost(SearchSettings(search_share=10.0))
    session.observe(GONE)
    assert session.candidates_xywh == []
    place = 220, 160
    seen = session.observe(draw((place, TARGET)))
    assert len(session.candidates_xywh) == seen.candidates > 0
    first = session.candidates_xywh[0]  # of one of the sizes that are looked for
    assert first[:2] + first[2:] / 2 == pytest.approx(place, abs=SIDE / 3)
    session.reset()
    assert session.candidates_xywh == []
