# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Several targets that a device step looks for at once, through MultiTracker; the step runs on the CPU here."""

import numpy as np
import pytest
from quick_networks import quick_tracker

from siam_tracker_ros import InvalidInputError, MultiTracker, TargetSession, TargetState, create_tracker
from siam_tracker_ros.demo.scene import Scene

SCENE = Scene(size_wh=(320, 240), frames=4)
FRAMES = [frame.image_bgr for frame in SCENE]
BOX = np.array(SCENE[0].box_xywh)
BOXES = [BOX, BOX + [40, 20, 0, 0], np.array([296.0, 214, 36, 40])]  # the last one reaches over the corner of the frame
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def trackers():
    """Returns a tracker of a model with a device step, made once."""
    made = {}

    def get(model="lite"):
        if model not in made:
            if model.startswith("lite"):
                arguments = {"device": "cpu", "precision": "fp32", "runtime": "torch", "given_box_share": 0}
                made[model] = create_tracker(model, **arguments)
            else:
                made[model] = quick_tracker(model)
            made[model].use_device_step()
        return made[model]

    return get


@pytest.fixture
def batches(monkeypatch):
    """Returns a function of a tracker: the number of targets of each run of its step from then on."""

    def note(tracker):
        step, seen = tracker._device_step, []
        function = step._function

        def noting(frame_bgr, numbers, *tensors, **options):
            seen.append(len(numbers))
            return function(frame_bgr, numbers, *tensors, **options)

        monkeypatch.setattr(step, "_function", noting)
        return seen

    return note


def same_targets(tracker, boxes=BOXES):
    """Targets followed together, and sessions of the same ones, each alone."""
    several = MultiTracker(tracker)
    for number, box in enumerate(boxes):
        several.add(FRAMES[0], box, str(number))
    alone = [TargetSession(tracker) for _ in boxes]
    for session, box in zip(alone, boxes, strict=True):
        session.init(FRAMES[0], box)
    return several, alone


def check_same(observed, expected):
    assert observed.state == expected.state
    assert observed.confidence == pytest.approx(expected.confidence, abs=1e-4)
    assert observed.raw_score == pytest.approx(expected.raw_score, abs=1e-4)
    assert (observed.box_xywh is None) == (expected.box_xywh is None)
    if expected.box_xywh is not None:
        np.testing.assert_allclose(observed.box_xywh, expected.box_xywh, atol=0.02)


@pytest.mark.parametrize("model", ["lite", "lite_online", "siamrpn_r50"])
def test_targets_are_looked_for_at_once_and_found_as_if_each_were_alone(trackers, batches, model):
    tracker = trackers(model)
    several, alone = same_targets(tracker)
    for image_bgr in FRAMES[1:]:
        expected = [session.observe(image_bgr) for session in alone]
        announced = sum(session.next_target is not None for session in several)
        seen = batches(tracker)
        for observed, single in zip(several.observe(image_bgr).values(), expected, strict=True):
            check_same(observed, single)
        assert announced in seen
    assert announced == 3 or model == "siamrpn_r50", "random weights lose their targets"


def test_one_target_is_a_batch_of_one(trackers, batches):
    several, (alone,) = same_targets(trackers(), BOXES[:1])
    expected, seen = alone.observe(FRAMES[1]), batches(trackers())
    check_same(several.observe(FRAMES[1])["0"], expected)
    assert seen == [1]


def search(session):
    session._pursuit.search.start(session._target, (320, 240), BOXES[1])


def test_a_target_that_is_searched_for_is_looked_for_alone_where_the_search_says(trackers, batches):
    several, alone = same_targets(trackers())
    for session in (several.get("1"), alone[1]):
        session._monitor.lose()
        search(session)
    expected, seen = [session.observe(FRAMES[1]) for session in alone], batches(trackers())
    for observed, single in zip(several.observe(FRAMES[1]).values(), expected, strict=True):
        check_same(observed, single)
    assert seen == [2, 1] and several.get("1").state == TargetState.LOST


def test_what_happens_to_a_target_after_it_was_announced_holds(trackers, batches):
    tracker = trackers()
    several, alone = same_targets(tracker)
    alone[1].init(FRAMES[0], BOX + [2, 1, 0, 0])
    search(alone[2])
    expected, seen = [session.observe(FRAMES[1]) for session in alone], batches(tracker)
    with several.sharing(FRAMES[1], several):
        several.add(FRAMES[0], BOX + [2, 1, 0, 0], "1")  # anew
        seen.clear()
        search(several.get("2"))
        observed = [session.observe(FRAMES[1]) for session in several]
        several.remove("0")
    for one, single in zip(observed, expected, strict=True):
        check_same(one, single)
    assert seen[:2] == [3, 1], "the first one with what was announced; the one that is another now, alone"
    assert list(several.observe(FRAMES[2])) == ["1", "2"]


def test_the_order_of_the_targets_does_not_matter(trackers, batches):
    several, alone = same_targets(trackers())
    expected, seen = [session.observe(FRAMES[1]) for session in alone], batches(trackers())
    with several.sharing(FRAMES[1], several):
        for session, single in reversed(list(zip(several, expected, strict=True))):
            check_same(session.observe(FRAMES[1]), single)
    assert seen == [3]


def test_frames_of_another_size_are_refused_and_the_next_ones_found_in(trackers, batches):
    several, alone = same_targets(trackers())
    seen = batches(trackers())
    other_bgr = np.ascontiguousarray(FRAMES[1][:-16, :-16])
    with pytest.raises(InvalidInputError, match="image is 304 x 224 pixels"):
        several.observe(other_bgr)
    assert seen == [], "no target was looked for"
    several.add(other_bgr, BOX, "small")
    small = TargetSession(trackers())
    small.init(other_bgr, BOX)
    expected = small.observe(other_bgr)
    with several.sharing(other_bgr, several):
        check_same(several.get("small").observe(other_bgr), expected)
    expected = [session.observe(FRAMES[2]) for session in alone[1:]]
    seen.clear()
    with several.sharing(FRAMES[2], several):
        for name, single in zip("12", expected, strict=True):
            check_same(several.get(name).observe(FRAMES[2]), single)
    assert seen[0] == 4


def test_without_a_device_step_nothing_is_shared():
    tracker = create_tracker("lite", device="cpu", given_box_share=0)
    several, alone = same_targets(tracker, BOXES[:2])
    expected = [session.observe(FRAMES[1]) for session in alone]
    for observed, single in zip(several.observe(FRAMES[1]).values(), expected, strict=True):
        np.testing.assert_array_equal(observed.box_xywh, single.box_xywh)


def test_a_method_that_announces_nothing_is_computed_alone(trackers, batches, monkeypatch):
    tracker = trackers("siamrpn_r50")
    seen = batches(tracker)
    targets = [tracker.start(FRAMES[0], box) for box in BOXES]
    expected = [tracker.step(FRAMES[1], target)[1].box_xywh for target in targets]
    request = tracker._step_request
    answers = iter([None] * len(BOXES))  # to what is announced; then each step asks for its own
    monkeypatch.setattr(tracker, "_step_request", lambda target: next(answers, request(target)))
    with tracker.sharing(FRAMES[1], targets):
        boxes = [tracker.step(FRAMES[1], target)[1].box_xywh for target in targets]
    assert seen == [1] * 6
    np.testing.assert_array_equal(boxes, expected)
