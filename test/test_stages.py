# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where the time of a frame goes, by a clock that the parts of a made-up tracker turn on themselves."""

import sys
import types

import numpy as np
import pytest
import torch

from siam_tracker_ros import create_tracker, list_models
from siam_tracker_ros.evaluation import stages
from siam_tracker_ros.evaluation.stages import stage_shares
from siam_tracker_ros.layers.mobilenet_v2 import Residual
from siam_tracker_ros.layers.resnet import Bottleneck

FRAMES = [np.zeros((120, 160, 3), np.uint8)] * 5
BOX = (60.0, 40.0, 40.0, 30.0)


class Clock:
    """Stands still but for what the parts say that they take."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        return self.now


class Part(torch.nn.Module):
    def __init__(self, clock, seconds):
        super().__init__()
        self.clock, self.seconds = clock, seconds
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self):
        self.clock.now += self.seconds


class Network(torch.nn.Module):
    __module__ = "siam_tracker_ros.models.made_up"

    def __init__(self, clock):
        super().__init__()
        self.clock = clock
        self.backbone = torch.nn.Sequential(Part(clock, 8.0))
        self.classification = Part(clock, 1.0)

    def features(self):
        self.clock.now += 0.5
        self.backbone[0]()  # a part of the backbone alone

    def forward(self):
        self.features()
        self.classification()

    def refine(self):
        self.clock.now += 0.5


class MadeUpTracker:
    """Takes 1 s to crop, 8 s in the backbone, 1 + 0.5 + 0.5 + 4 s in the head, 2 s for the rest."""

    def __init__(self, module, clock):
        self.module, self.clock = module, clock
        self.network = Network(clock)
        self.frames = 0

    def init(self, image_bgr, box_xywh):
        self.clock.now += 1000

    def track(self, image_bgr):
        self.frames += 1
        self.module.crop_region()
        self.network()
        self.network.refine()
        self.clock.now += 2
        self.module.correlate()


@pytest.fixture
def tracker(monkeypatch):
    clock = Clock()
    module = types.ModuleType("siam_tracker_ros.trackers.made_up")

    def crop_region():
        clock.now += 1

    def correlate():
        clock.now += 4

    correlate.__module__ = "siam_tracker_ros.models.made_up"
    module.crop_region, module.correlate = crop_region, correlate
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(stages.time, "perf_counter", clock.perf_counter)
    return MadeUpTracker(module, clock)


def test_each_second_goes_to_the_stage_that_took_it(tracker):
    shares = stage_shares(tracker, FRAMES, BOX)
    expected = {"crop": 1 / 17, "backbone": 8 / 17, "head": 6 / 17, "post": 2 / 17}
    assert shares == pytest.approx(expected)
    assert tracker.frames == len(FRAMES) - 1


def test_no_frame_begins_after_the_limit(tracker):
    stage_shares(tracker, FRAMES, BOX, limit_s=20.0)
    assert tracker.frames == 2


def test_nothing_is_left_behind(tracker):
    tracker.network.refine = lambda: None  # in place of the class's method, as an ONNX session is
    before = dict(vars(tracker.module)), dict(vars(tracker.network))
    stage_shares(tracker, FRAMES, BOX)
    assert (dict(vars(tracker.module)), dict(vars(tracker.network))) == before
    hooks = [m._forward_hooks | m._forward_pre_hooks for m in tracker.network.modules()]
    assert not any(hooks)


def test_a_failure_leaves_nothing_behind_either(tracker):
    tracker.module.correlate = None
    with pytest.raises(TypeError):
        stage_shares(tracker, FRAMES, BOX)
    assert "features" not in vars(tracker.network)
    assert tracker.module.crop_region.__name__ == "crop_region" and tracker.module.crop_region.__closure__


@pytest.mark.parametrize("model", list_models(), ids=lambda model: model.name)
def test_every_residual_block_is_in_a_backbone(model):
    with torch.device("meta"):
        network = model.network_class.for_state({})
    assert all("backbone" in name for name, part in network.named_modules() if isinstance(part, (Bottleneck, Residual)))


@pytest.mark.parametrize("model", [model.name for model in list_models() if model.frame_gmacs < 7])
def test_every_stage_of_a_model_is_found(model):
    tracker = create_tracker(model, weights="random", device="cpu")
    shares = stage_shares(tracker, FRAMES[:3], BOX)
    assert sum(shares.values()) == pytest.approx(1) and min(shares.values()) > 0
