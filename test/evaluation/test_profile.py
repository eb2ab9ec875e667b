# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where the time of a frame goes, by the marks in the code."""

import types

import numpy as np
import pytest
import torch
from quick_networks import quick_tracker

from siam_tracker_ros import create_tracker, list_models
from siam_tracker_ros.core.network import Network
from siam_tracker_ros.core.registry import find_model
from siam_tracker_ros.core.stage import stage
from siam_tracker_ros.evaluation.profile import STAGES, Mark, charge, stage_shares
from siam_tracker_ros.executors.lone_thread import LoneThread

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

FRAMES = [np.zeros((120, 160, 3), np.uint8)] * 4
BOX = (60.0, 40.0, 40.0, 30.0)
# The network of `lite` is one graph, which counts as backbone, and its mask is drawn when it is read.
UNMARKED = {"lite": {"head"}}  # with random weights nothing is found, so nothing is refined
KINDS = {model.tracker_class: model.name for model in reversed(list_models())}  # a model for each kind of tracker


class OneLayer(Network):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def forward(self, x):
        return self.layer(x)


class MadeUpTracker:
    """Has one mark inside another and fails where it is told to."""

    def __init__(self, fails_at=None):
        self.network = OneLayer()
        self.frames, self.fails_at = 0, fails_at

    def init(self, image_bgr, box_xywh):
        with stage("crop"):
            self.network(torch.zeros(1))

    def track(self, image_bgr):
        self.network.call(self._step)

    def _step(self):
        self.frames += 1
        if self.frames == self.fails_at:
            raise RuntimeError("no target")
        with stage("head"), stage("backbone"):
            self.network(torch.zeros(1000, 1))


@pytest.mark.parametrize(
    "marks, expected",
    [
        ([], {}),
        ([Mark("crop", 0, 3), Mark("head", 5, 9)], {"crop": 3, "head": 4}),
        # One mark inside another, in the order in which they end.
        ([Mark("backbone", 2, 6), Mark("head", 0, 10)], {"backbone": 4, "head": 6}),
        ([Mark("crop", 2, 6), Mark("crop", 0, 10)], {"crop": 10}),
        ([Mark("backbone", 0, 6), Mark("head", 0, 10)], {"backbone": 6, "head": 4}),
        # Calls that only queue work: a GPU begins a little later and is at it while the next call is made.
        (
            [Mark("backbone", 0, 2), Mark("head", 2, 3), Mark("backbone", 1, 7, True), Mark("head", 7, 9, True)],
            {"backbone": 7, "head": 2},
        ),
        ([Mark("crop", 10, 12), Mark("head", 7, 11, True)], {"head": 4, "crop": 1}),
    ],
)
def test_each_moment_goes_to_one_stage(marks, expected):
    assert charge(marks) == {"crop": 0, "backbone": 0, "head": 0, **expected}


@pytest.mark.parametrize("in_thread", [False, True])
def test_marks_count_in_the_thread_that_works(in_thread):
    tracker = MadeUpTracker()
    if in_thread:
        tracker.network.executor = types.SimpleNamespace(call=LoneThread())
    shares = stage_shares(tracker, FRAMES, BOX)
    assert tuple(shares) == STAGES and sum(shares.values()) == pytest.approx(1)
    assert shares["crop"] == 0, "the first frame counts"
    assert min(shares["backbone"], shares["head"], shares["post"]) > 0
    assert tracker.frames == len(FRAMES) - 1


def test_no_frame_begins_after_the_limit():
    tracker = MadeUpTracker()
    stage_shares(tracker, FRAMES, BOX, limit_s=0.0)
    assert tracker.frames == 1


def test_the_profiler_stops_after_a_failure():
    with pytest.raises(RuntimeError, match="no target"):
        stage_shares(MadeUpTracker(fails_at=2), FRAMES, BOX)
    assert stage_shares(MadeUpTracker(), FRAMES, BOX)["backbone"] > 0


def test_nothing_is_printed(capfd):
    stage_shares(MadeUpTracker(), FRAMES, BOX)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", KINDS.values())
def test_every_stage_of_a_tracker_is_marked(name):
    shares = stage_shares(quick_tracker(name), FRAMES[:3], BOX)
    assert sum(shares.values()) == pytest.approx(1)
    assert {stage for stage, share in shares.items() if share == 0} == UNMARKED.get(name, set())


@pytest.mark.parametrize("model", ["lite", "lite_online", "siamrpn_alex"])
def test_every_stage_is_marked_where_onnx_runtime_executes_it(model):
    pytest.importorskip("onnxruntime")
    weights = None if find_model(model).shipped_weights else "random"
    shares = stage_shares(create_tracker(model, weights, runtime="onnx", device="cpu"), FRAMES[:3], BOX)
    assert sum(shares.values()) == pytest.approx(1)
    assert {stage for stage, share in shares.items() if share == 0} == set()
