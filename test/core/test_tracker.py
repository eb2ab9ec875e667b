# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`start` and `step` are functions of their arguments: a target is a value."""

import gc
import weakref

import numpy as np
import pytest
from quick_networks import quick_tracker

from siam_tracker_ros import InvalidInputError, create_tracker
from siam_tracker_ros.demo.scene import Scene

pytestmark = pytest.mark.slow

SCENE = Scene(size_wh=(160, 120), frames=4)
FRAMES = [frame.image_bgr for frame in SCENE]
ONE_OF_EACH = ["lite", "lite_online", "siamrpn_alex", "siammask_base", "ocean", "ocean_online", "siamrcr", "gradnet"]


def make(model):
    if model.startswith("lite"):
        return create_tracker(model, device="cpu", runtime="torch")
    return quick_tracker(model)


def follow(tracker, target, frames):
    targets, results = [], []
    for image_bgr in frames:
        target, result = tracker.step(image_bgr, target)
        targets.append(target)
        results.append(np.append(result.box_xywh, [result.score, result.peak_ratio]))
    return targets, results


@pytest.mark.parametrize("model", ONE_OF_EACH)
def test_a_target_of_before_is_as_it_was(model):
    tracker = make(model)
    first = tracker.start(FRAMES[0], SCENE[0].box_xywh)
    targets, expected = follow(tracker, first, FRAMES[1:])
    _, again = follow(tracker, first, FRAMES[1:2])
    _, last = follow(tracker, targets[1], FRAMES[3:])
    np.testing.assert_array_equal(again, expected[:1])
    np.testing.assert_array_equal(last, expected[2:])


@pytest.mark.parametrize("runtime", ["torch", "onnx"])
def test_a_network_is_freed_with_its_tracker(runtime):
    if runtime == "onnx":
        pytest.importorskip("onnxruntime")
    tracker = create_tracker("lite", device="cpu", runtime=runtime)
    tracker.init(FRAMES[0], SCENE[0].box_xywh)
    tracker.track(FRAMES[1])
    network = weakref.ref(tracker.network)
    gc.disable()  # no references in a circle, which would keep a GPU's memory until some later collection
    try:
        del tracker
        assert network() is None
    finally:
        gc.enable()


def test_init_and_track_are_start_and_step():
    pure, holding = make("lite_online"), make("lite_online")
    _, expected = follow(pure, pure.start(FRAMES[0], SCENE[0].box_xywh), FRAMES[1:])
    holding.init(FRAMES[0], SCENE[0].box_xywh)
    for image_bgr, values in zip(FRAMES[1:], expected):
        result = holding.track(image_bgr)
        np.testing.assert_array_equal(np.append(result.box_xywh, [result.score, result.peak_ratio]), values)


@pytest.mark.parametrize(
    "image_bgr, box_xywh, words",
    [
        (None, (10, 10, 20, 20), "image is NoneType"),
        (FRAMES[0].astype(float), (10, 10, 20, 20), "image is float64"),
        (FRAMES[0], (10, 10, 0, 20), "expected at least 1 x 1"),
        (FRAMES[0], (500, 10, 20, 20), "lies outside the 160 x 120 image"),
        (FRAMES[0], "box", "expected four numbers"),
    ],
)
def test_start_refuses_what_cannot_be_used(image_bgr, box_xywh, words):
    with pytest.raises(InvalidInputError, match=words):
        make("lite").start(image_bgr, box_xywh)


def test_step_refuses_what_cannot_be_used():
    lite, online = make("lite"), make("lite_online")
    target = lite.start(FRAMES[0], SCENE[0].box_xywh)
    with pytest.raises(InvalidInputError, match="target is LiteTarget, expected LiteOnlineTarget"):
        online.step(FRAMES[1], target)
    with pytest.raises(InvalidInputError, match="image is uint8"):
        lite.step(FRAMES[1][..., 0], target)
