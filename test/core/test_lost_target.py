# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The default tracker loses a target that is drawn on a rendered frame, and finds it again."""

import itertools

import cv2
import numpy as np
import pytest

from siam_tracker_ros import create_tracker
from siam_tracker_ros.core.monitor import TargetState
from siam_tracker_ros.core.session import TargetSession
from siam_tracker_ros.demo.scene import Scene

pytestmark = pytest.mark.slow

SIZE_WH = 320, 240
TRACKING, UNCERTAIN, LOST = TargetState.TRACKING, TargetState.UNCERTAIN, TargetState.LOST
EMPTY = Scene(SIZE_WH, frames=1)[0].image_bgr
W, H = 32, 40


def patches(seed):
    """A thing of coloured patches, uint8 (40, 32, 3)."""
    colors = np.random.default_rng(seed).integers(0, 256, (5, 4, 3), dtype=np.uint8)
    return cv2.resize(colors, (W, H), interpolation=cv2.INTER_NEAREST)


THING, OTHER = patches(3), patches(4)


def draw(*placed):
    """The rendered frame with things on it, each with its left and top."""
    image_bgr = EMPTY.copy()
    for thing, x, y in placed:
        image_bgr[y : y + H, x : x + W] = thing
    return image_bgr


@pytest.fixture(scope="module")
def tracker():
    return create_tracker(device="cpu", precision="fp32")


def tracked(tracker, *others):
    """A session that has followed the thing for 20 frames, from (60, 60) to (80, 60)."""
    session = TargetSession(tracker)
    session.init(draw((THING, 60, 60), *others), (60, 60, W, H))
    for step in range(1, 21):
        assert session.observe(draw((THING, 60 + step, 60), *others)).state == TRACKING
    return session


def test_a_target_that_is_gone_is_lost_and_its_box_neither_swells_nor_drifts(tracker):
    session = tracked(tracker)
    held, targets = [], []
    for _ in range(50):
        state = session.observe(draw()).state
        held.append(session._target.siamese.box_cxcywh)
        targets.append(session._target)
    assert state == LOST
    np.testing.assert_array_equal(held[10:], held[10:11] * 40)
    np.testing.assert_allclose(held[-1], (80 + W / 2, 60 + H / 2, W, H), atol=4)
    assert all(target.kernel is targets[10].kernel for target in targets[10:])


@pytest.mark.parametrize("place", [(0, 0), (288, 200), (250, 10)])
def test_a_target_that_returns_elsewhere_is_found_and_confirmed(tracker, place):
    session = tracked(tracker)
    observations = [session.observe(draw()) for _ in range(20)]
    observations += [session.observe(draw((THING, *place))) for _ in range(30)]
    states = [state for state, _ in itertools.groupby(o.state for o in observations)]
    assert states[-4:] == [UNCERTAIN, LOST, UNCERTAIN, TRACKING] and observations[-1].redetections == 1
    np.testing.assert_allclose(observations[-1].box_xywh, (*place, W, H), atol=5)


def test_what_stood_beside_the_target_is_not_taken_for_it_when_that_is_gone(tracker):
    other = OTHER, 180, 150
    session = tracked(tracker, other)
    assert TRACKING not in [session.observe(draw(other)).state for _ in range(40)][4:]
