# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""NaN and infinity in what a network computes: told in every place that reads it, and without a trace in the target."""

import functools
import itertools
import math

import numpy as np
import pytest
import torch
from quick_networks import quick_tracker, thin_network

from siam_tracker_ros import create_tracker
from siam_tracker_ros.core.monitor import MonitorSettings
from siam_tracker_ros.core.session import TargetSession
from siam_tracker_ros.demo.scene import Scene
from siam_tracker_ros.errors import NetworkOutputError

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

MODELS = ("lite", "lite_online", "siamrpn_r50", "siammask_sharp", "ocean", "ocean_online", "siamrcr", "gradnet")
FRAMES = [frame.image_bgr for frame in Scene(size_wh=(160, 120), frames=6)]
BOX = (50.0, 40.0, 30.0, 20.0)
ALL_COUNTS = MonitorSettings(lost_confidence=0, uncertain_confidence=0, recover_confidence=0, min_visible=0)


class Spoiler:
    """Puts a value into outputs of a network's graphs while it is told to.

    Attributes:
        place: flat index that is spoiled, of those that an output has; None: all of them.
        graphs: names of the graphs that it spoils; none: nothing.
    """

    def __init__(self, tracker):
        self.value, self.place, self.graphs, self.names = math.nan, None, (), []
        tracker.network.wrap(self._wrap)

    def _wrap(self, name, function):
        self.names.append(name)

        def run(*arrays):
            outputs = function(*arrays)
            return self._spoil(outputs) if name in self.graphs else outputs

        return run

    def _spoil(self, output):
        if isinstance(output, tuple | list):
            return type(output)(map(self._spoil, output))
        is_tensor = isinstance(output, torch.Tensor)
        spoiled = output.clone(memory_format=torch.contiguous_format) if is_tensor else output.copy()
        values = spoiled.reshape(-1)
        values[slice(None) if self.place is None else self.place % len(values)] = self.value
        return spoiled


@functools.cache
def spoiled_tracker(model):
    torch.manual_seed(0)
    if model.startswith("lite"):
        tracker = create_tracker(model, device="cpu", runtime="onnx")
    else:
        tracker = quick_tracker(model, thin_network(model))
    return tracker, Spoiler(tracker)


@pytest.fixture
def follow(monkeypatch):
    """Give a tracker that has followed a target for a frame, the target, and the spoiler of its network."""
    for name in ("FIRST_ITERATIONS", "LATER_ITERATIONS"):
        monkeypatch.setattr(f"siam_tracker_ros.methods.ocean_online.tracker.{name}", 1)
    spoilers = []

    def follow(model):
        tracker, spoiler = spoiled_tracker(model)
        spoilers.append(spoiler)
        target, _ = tracker.step(FRAMES[1], tracker.start(FRAMES[0], BOX))
        return tracker, target, spoiler

    yield follow
    for spoiler in spoilers:
        spoiler.graphs, spoiler.place = (), None


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of numpy, about the same
@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("model", MODELS)
def test_a_network_that_computes_no_number_is_told_and_the_target_is_as_before(follow, model, value):
    tracker, target, spoiler = follow(model)
    _, expected = tracker.step(FRAMES[2], target)
    spoiler.value, spoiler.graphs = value, spoiler.names
    for learn in (True, False):
        with pytest.raises(NetworkOutputError, match="values of the network's .* are NaN or infinite, expected finite"):
            tracker.step(FRAMES[2], target, learn)
    with pytest.raises(NetworkOutputError):
        tracker.start(FRAMES[2], BOX)
    spoiler.graphs = ()
    _, result = tracker.step(FRAMES[2], target)
    np.testing.assert_array_equal(result.box_xywh, expected.box_xywh)
    assert (result.score, result.peak_ratio) == (expected.score, expected.peak_ratio)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("model", ["lite", "siamrpn_r50", "ocean", "gradnet"])
def test_a_single_value_that_is_no_number_reaches_no_result(follow, model):
    tracker, _, spoiler = follow(model)
    session = TargetSession(tracker, ALL_COUNTS)
    session.init(FRAMES[0], BOX)
    for spoiler.place, spoiler.value in itertools.product((0, 700, 77777), (math.nan, math.inf)):
        spoiler.graphs = spoiler.names
        try:
            seen = [session.observe(FRAMES[2])]
        except NetworkOutputError:
            seen = []
        spoiler.graphs = ()
        for observation in [*seen, session.observe(FRAMES[3])]:
            numbers = [*observation.box_xywh, observation.confidence, observation.raw_score, observation.peak_ratio]
            assert np.isfinite(numbers).all(), (spoiler.place, spoiler.value)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_edges_that_are_no_number_are_told(follow, value):
    tracker, target, spoiler = follow("lite")
    spoiler.value, spoiler.graphs = value, ("refine",)
    for look in (lambda: tracker.step(FRAMES[2], target), lambda: tracker.start(FRAMES[2], BOX)):
        with pytest.raises(NetworkOutputError, match="the network's refinement"):
            look()


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_mask_that_is_no_number_is_told_whenever_it_is_read(follow, value):
    tracker, target, spoiler = follow("lite")
    spoiler.value, spoiler.graphs = value, ("segment",)
    _, result = tracker.step(FRAMES[2], target)
    for name in ("mask", "polygon", "mask"):
        with pytest.raises(NetworkOutputError, match="the network's mask"):
            getattr(result, name)
    spoiler.graphs = ()
    assert result.mask.any()


def test_a_mask_that_is_no_number_and_drawn_at_once_is_told(follow, monkeypatch):
    tracker, target, _ = follow("siammask_sharp")
    mask = tracker.network.mask
    monkeypatch.setattr(tracker.network, "mask", lambda *arguments: mask(*arguments) + math.nan)
    with pytest.raises(NetworkOutputError, match="the network's mask"):
        tracker.step(FRAMES[2], target)
