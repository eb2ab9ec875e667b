# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from siam_tracker_ros import (
    InvalidInputError,
    MonitorSettings,
    MultiTracker,
    TargetSession,
    TargetState,
    create_tracker,
)
from siam_tracker_ros.demo.scene import Scene

SCENE = Scene(size_wh=(320, 240), frames=12)
FIRST = SCENE[0].image_bgr
BOX = np.array(SCENE[0].box_xywh)
OTHER = BOX + [40, 20, 0, 0]
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def tracker():
    return create_tracker("lite_online", device="cpu", precision="fp32")


@pytest.mark.parametrize(
    "field, name, words",
    [
        ("target_id", "x" * 129, "target_id is 'xxx.*, a text of 129 characters, expected at most 128"),
        (
            "target_id",
            "two\nlines",
            r"target_id is 'two\\nlines', a text of 9 characters, expected .* printed on one line",
        ),
        ("class_id", "\x1b[31m", r"class_id is '\\x1b\[31m'"),
        ("class_id", "\ud800", r"class_id is '\\ud800'"),
    ],
)
def test_a_name_that_would_break_lines_is_refused(tracker, field, name, words):
    several = MultiTracker(tracker)
    with pytest.raises(InvalidInputError, match=words):
        several.add(FIRST, BOX, **{field: name})
    assert len(several) == 0
    assert several.add(FIRST, BOX, **{field: "漢" * 128})


def test_each_target_is_followed_as_if_it_were_alone(tracker):
    several = MultiTracker(tracker, 3)
    alone = {name: TargetSession(tracker) for name in ("rover", "place")}
    for name, box in (("rover", BOX), ("place", OTHER)):
        several.add(FIRST, box, name, "thing")
        alone[name].init(FIRST, box, name, "thing")
    for number in range(1, 12):
        seen = several.observe(SCENE[number].image_bgr)
        assert list(seen) == ["rover", "place"]
        for name, session in alone.items():
            expected = session.observe(SCENE[number].image_bgr)
            assert (seen[name].state, seen[name].confidence) == (expected.state, expected.confidence)
            np.testing.assert_array_equal(seen[name].box_xywh, expected.box_xywh)


def test_targets_come_and_go_by_their_names(tracker):
    several = MultiTracker(tracker, 3)
    assert len(several) == 0 and several.observe(FIRST) == {}
    names = [several.add(FIRST, BOX).target_id, several.add(FIRST, BOX, "2", "car").target_id]
    names.append(several.add(FIRST, OTHER).target_id)
    assert names == ["1", "2", "3"] and [session.class_id for session in several] == ["", "car", ""]
    with pytest.raises(InvalidInputError, match=r"3 targets are followed \(1, 2, 3\) and max_targets is 3; remove one"):
        several.add(FIRST, BOX)
    several.remove("2")
    assert several.get("2") is None and [session.target_id for session in several] == ["1", "3"]
    assert several.add(FIRST, BOX).target_id == "2"
    with pytest.raises(InvalidInputError, match="target_id is 'x', expected one of those followed: 1, 3, 2"):
        several.remove("x")
    several.clear()
    assert len(several) == 0


def test_a_known_name_starts_its_target_anew_and_another_may_make_room(tracker):
    several = MultiTracker(tracker, 1)
    session = several.add(FIRST, BOX, "a")
    several.observe(SCENE[1].image_bgr)
    assert several.add(FIRST, OTHER, "a") is session and len(several) == 1
    assert several.add(FIRST, BOX, "b", instead_of="a").target_id == "b"
    assert [session.target_id for session in several] == ["b"]


@pytest.mark.parametrize("instead_of", ["", "a"])
def test_a_refused_target_changes_nothing(tracker, instead_of):
    several = MultiTracker(tracker, 2)
    several.add(FIRST, BOX, "a")
    with pytest.raises(InvalidInputError):
        several.add(FIRST, (10, 10, 0, 5), "b", instead_of=instead_of)
    assert [session.target_id for session in several] == ["a"]
    assert several.observe(SCENE[1].image_bgr)["a"].state == TargetState.TRACKING


def test_settings_hold_for_targets_now_and_later(tracker):
    several = MultiTracker(tracker, 2)
    before = several.add(FIRST, BOX)
    settings = MonitorSettings(lost_confidence=0.9, uncertain_confidence=0.95, recover_confidence=0.99)
    several.set_monitor_settings(settings)
    for session in (before, several.add(FIRST, OTHER)):
        assert session._monitor.settings == settings


def test_no_target_at_all_is_refused(tracker):
    with pytest.raises(InvalidInputError, match="max_targets is 0, expected a whole number, at least 1"):
        MultiTracker(tracker, 0)
