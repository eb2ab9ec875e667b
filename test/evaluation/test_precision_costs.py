# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is measured of a precision, and which inputs of graphs are recorded."""

import dataclasses
import types

import numpy as np
import pytest
import torch
from drawn_tracks import drawn_track

from siam_tracker_ros.core.graphs import Graphs
from siam_tracker_ros.core.network import Network, graph
from siam_tracker_ros.core.running import Running
from siam_tracker_ros.core.tracker import Tracker, TrackResult
from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.evaluation import precisions
from siam_tracker_ros.evaluation.precisions import Cost, cost_rows, losses, measure_costs, record_inputs

FP32, BF16 = Running("onnx", "fp32"), Running("openvino", "bf16")
INT8 = Running("onnx", "int8"), Running("openvino", "int8")


class Shifted:
    """A tracker whose boxes are the labels, shifted to the right."""

    def __init__(self, tracks, shift):
        self.labels = {tuple(track.boxes_xywh[0]): track.boxes_xywh for track in tracks}
        self.shift = shift

    def init(self, image_bgr, box_xywh):
        self.boxes = iter(self.labels[tuple(box_xywh)][1:])

    def track(self, image_bgr):
        return TrackResult(next(self.boxes) + (self.shift, 0, 0, 0), 0.9)


def shifted_iou(shift):
    return (24 - shift) / (24 + shift)


def test_the_loss_is_the_mean_iou_below_float32():
    tracks = [drawn_track("a", 5), drawn_track("b", 9, size_wh=(200, 160))]
    frames = []
    trackers = {FP32: Shifted(tracks, 1), BF16: Shifted(tracks, 4), INT8[0]: Shifted(tracks, 0)}
    costs = measure_costs(trackers, tracks, lambda: frames.append(1))
    assert [cost.way for cost in costs] == list(trackers) and len(frames) == 3 * 14
    expected = [shifted_iou(shift) for shift in (1, 4, 0)]
    assert [cost.mean_iou for cost in costs] == pytest.approx(expected, abs=1e-6)
    assert [cost.loss for cost in costs] == pytest.approx([0, expected[0] - expected[1], expected[0] - 1], abs=1e-6)
    assert costs[0].speed == 1 and all(cost.speed > 0 for cost in costs)
    assert losses(costs) == {"bf16": round(expected[0] - expected[1], 4), "int8": round(expected[0] - 1, 4)}


def test_each_sequence_has_the_same_weight():
    tracks = [drawn_track("a", 2), drawn_track("b", 30, size_wh=(200, 160))]
    worse = Shifted(tracks, 0)
    worse.labels[tuple(tracks[0].boxes_xywh[0])] = tracks[0].boxes_xywh + (24, 0, 0, 0)
    costs = measure_costs({FP32: Shifted(tracks, 0), BF16: worse}, tracks)
    assert costs[1].loss == pytest.approx(0.5)


def test_without_labels_nothing_is_measured():
    track = drawn_track(frames=3, absent=(1, 2))
    with pytest.raises(InvalidInputError, match="no frame of the sequences after the first is labelled"):
        measure_costs({FP32: Shifted([track], 0)}, [track])


def test_of_several_runtimes_the_largest_loss_counts():
    costs = [Cost(FP32, 0.8, 0.0, 1.0), Cost(INT8[0], 0.79, 0.01, 1.5), Cost(INT8[1], 0.82, -0.02, 2.0)]
    assert losses(costs) == {"int8": 0.01} and losses(costs[:1]) == {}
    assert str(losses([Cost(BF16, 0.8, -1e-6, 1.0)])) == "{'bf16': 0.0}"
    assert cost_rows(costs)[1] == ["int8", "onnx", "0.7900", "+0.0100", "1.50"]


@dataclasses.dataclass(frozen=True)
class Place:
    box_xywh: np.ndarray


class Sees(Tracker[Place]):
    """A tracker that runs one graph when it starts, one in each frame and one for a mask."""

    settings_class = types.SimpleNamespace
    target_class = Place

    def __init__(self):
        names = ("encode", "search", "segment")
        super().__init__(Graphs({name: lambda array: (2 * array,) for name in names}, "numpy"), None)
        self.began = []

    def _start(self, image_bgr, box_xywh):
        self.began.append(box_xywh)
        self.network.encode(box_xywh)
        return Place(box_xywh)

    def _step(self, image_bgr, target):
        (doubled,) = self.network.search(target.box_xywh)
        np.testing.assert_array_equal(doubled, 2 * target.box_xywh)
        self.network.segment(np.zeros(1))
        return target, TrackResult(target.box_xywh, 0.9)


def test_what_runs_in_each_frame_is_recorded(monkeypatch):
    monkeypatch.setattr(precisions, "SAMPLE_FRAMES", 4)
    tracks = [drawn_track("a", 5, absent=(2,)), drawn_track("b", 6)]
    tracker, frames = Sees(), []
    recorded = record_inputs(tracker, tracks, lambda: frames.append(1))
    assert recorded.keys() == {"search", "segment"} and len(recorded["search"]) == len(frames) == 4
    # Of the frames 1, 2, 4 of the one and 1 to 5 of the other, which follow a box, every second one.
    expected = [tracks[0].boxes_xywh[0], tracks[0].boxes_xywh[1], tracks[1].boxes_xywh[1], tracks[1].boxes_xywh[4]]
    begins = [sample[0] for sample in recorded["search"]]
    np.testing.assert_array_equal(begins[0], expected[0])
    np.testing.assert_array_equal(begins[-1], expected[-1])
    np.testing.assert_array_equal(begins, tracker.began)
    tracker.init(tracks[1].image_bgr(0), tracks[1].boxes_xywh[0])
    tracker.track(tracks[1].image_bgr(1))
    assert len(recorded["search"]) == 4, "nothing is recorded afterwards"


def test_few_frames_are_all_taken():
    assert len(record_inputs(Sees(), [drawn_track(frames=4)])["search"]) == 3


@pytest.mark.parametrize("boxes", [np.full((3, 4), np.nan), np.tile([900.0, 900, 20, 20], (3, 1))])
def test_frames_without_a_usable_box_are_refused(boxes):
    track = dataclasses.replace(drawn_track(frames=3), boxes_xywh=boxes)
    with pytest.raises(InvalidInputError, match="no frame of the sequences follows one with a usable box"):
        record_inputs(Sees(), [track])


class Doubles(Network):
    """A torch network of one graph."""

    @graph("head", lambda network: ((1, 3),))
    def double(self, x):
        return 2 * x


def test_the_graphs_of_a_torch_network_are_wrapped_as_well():
    network, seen = Doubles(), []

    def note(name, function):
        return lambda *tensors: seen.append(name) or function(*tensors)

    network.wrap(note)
    torch.testing.assert_close(network.double(torch.ones(1, 3)), torch.full((1, 3), 2.0))
    assert seen == ["double"]
