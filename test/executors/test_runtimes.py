# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What ONNX Runtime answers in place of torch, and which of the two is chosen."""

import sys

import numpy as np
import pytest
import torch
from quick_networks import quick_network

from siam_tracker_ros import InvalidSettingError, create_tracker
from siam_tracker_ros.core.registry import find_model, make_tracker_settings
from siam_tracker_ros.demo.scene import Scene
from siam_tracker_ros.executors import EXECUTORS, TorchExecutor, select_executor
from siam_tracker_ros.executors.device import prepare_for_inference
from siam_tracker_ros.executors.onnx_runtime import OnnxFunction

pytestmark = pytest.mark.usefixtures("one_thread")

CPU, CUDA = torch.device("cpu"), torch.device("cuda:0")


class Sums(torch.nn.Module):
    """Two methods of tensors; the weight is there to be seen in the graph."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor([2.0, 3.0, 5.0]).reshape(1, 3, 1, 1), requires_grad=False)

    def total(self, image):
        return (image * self.weight).sum((1, 2, 3))

    def parts(self, image, offset):
        return image + offset, image[:, :1] - offset


@pytest.fixture(scope="module")
def onnx_runtime():
    pytest.importorskip("onnx")
    return pytest.importorskip("onnxruntime")


@pytest.fixture
def without_onnx_runtime(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)


@pytest.mark.parametrize("model", ["lite", "lite_online"])
def test_a_track_is_that_of_torch(onnx_runtime, model):
    scene = Scene(size_wh=(320, 240), frames=7)
    trackers = [create_tracker(model, device="cpu", runtime=runtime) for runtime in ("torch", "onnx")]
    assert [tracker.runtime for tracker in trackers] == ["torch", "onnx"]
    states = [tracker.network.state_dict() for tracker in trackers]
    assert states[0].keys() == states[1].keys()
    first, *others = (frame.image_bgr for frame in scene)
    for tracker in trackers:
        tracker.init(first, scene[0].box_xywh)
    for image_bgr in others:
        expected, result = (tracker.track(image_bgr) for tracker in trackers)
        assert expected.score > 0.5 and expected.mask.sum() > 100
        np.testing.assert_allclose(result.box_xywh, expected.box_xywh, rtol=0, atol=1e-3)
        assert (result.score, result.peak_ratio) == pytest.approx((expected.score, expected.peak_ratio), abs=1e-4)
        assert (result.mask != expected.mask).sum() <= 2, "only pixels at the threshold may differ"
        assert result.updated == expected.updated


@pytest.mark.parametrize("shape", [(1, 3, 8, 8), (3, 3, 1, 5)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_size_that_varies_may_be_any(onnx_runtime, shape, layout):
    sums = Sums().eval()
    image = torch.rand(shape).to(memory_format=layout)
    total = OnnxFunction(sums.total, ((None, 3, None, None),))
    with torch.inference_mode():
        torch.testing.assert_close(total(image), sums.total(image))


@pytest.mark.parametrize(
    ("version", "may_spin"), [("1.15.0", "0"), ("1.25.1", "0"), ("1.26.0", "1"), ("1.31.1", "1"), ("2.0.0", "1")]
)
def test_threads_spin_where_it_can_be_bounded(onnx_runtime, monkeypatch, version, may_spin):
    monkeypatch.setattr(onnx_runtime, "__version__", version)
    entries = {}
    taken = onnx_runtime.SessionOptions.add_session_config_entry

    def note(self, key, value):
        entries[key] = value
        taken(self, key, value)

    monkeypatch.setattr(onnx_runtime.SessionOptions, "add_session_config_entry", note)
    OnnxFunction(Sums().eval().total, ((1, 3, 4, 4),))
    assert entries["session.intra_op.allow_spinning"] == may_spin
    assert 0 < int(entries["session.intra_op.spin_duration_us"]) <= 100


def test_several_answers_are_a_tuple(onnx_runtime):
    sums = Sums().eval()
    image, offset = torch.rand(1, 3, 4, 4), torch.rand(1, 1, 1, 1)
    parts = OnnxFunction(sums.parts, ((1, 3, 4, 4), (1, 1, 1, 1)))
    torch.testing.assert_close(parts(image, offset), sums.parts(image, offset))


@pytest.mark.parametrize(
    "arguments, words",
    [
        ([torch.zeros(1, 3, 5, 5)], "Got invalid dimensions"),
        ([torch.zeros(1, 3, 4, 4, dtype=torch.float64)], "Unexpected input data type"),
        ([torch.zeros(1, 3, 4, 4)] * 2, "zip"),
        ([], "zip"),
    ],
)
def test_what_does_not_fit_the_graph_is_refused(onnx_runtime, arguments, words):
    total = OnnxFunction(Sums().eval().total, ((1, 3, 4, 4),))
    with pytest.raises(Exception, match=words):
        total(*arguments)


@pytest.mark.parametrize(
    "runtime, device, preferred, expected",
    [
        ("auto", CPU, ("onnx",), "onnx"),
        ("auto", CPU, (), "torch"),
        ("auto", CUDA, ("onnx",), "torch"),
        ("torch", CPU, ("onnx",), "torch"),
        ("torch", CUDA, ("onnx",), "torch"),
        ("onnx", CPU, (), "onnx"),
    ],
)
def test_the_runtime_that_is_chosen(onnx_runtime, runtime, device, preferred, expected):
    assert select_executor(runtime, device, preferred).name == expected


def test_auto_is_torch_where_onnx_runtime_is_missing(without_onnx_runtime):
    assert create_tracker("lite", weights="random", device="cpu").runtime == "torch"


@pytest.mark.parametrize(
    "runtime, device, words",
    [
        ("ONNX", CPU, "runtime is 'ONNX', expected one of auto, torch, onnx"),
        ("onnx", CUDA, "runtime is 'onnx', but it is for the CPU and the device is 'cuda:0'; use device 'cpu'"),
        ("onnx", CPU, "onnxruntime cannot be imported .*; run `pip install onnx onnxruntime`"),
    ],
)
def test_a_runtime_that_cannot_be_is_refused(without_onnx_runtime, runtime, device, words):
    with pytest.raises(InvalidSettingError, match=words):
        select_executor(runtime, device, ("onnx",))


@pytest.mark.slow
@pytest.mark.parametrize(
    "model, search_side",
    [
        ("siamrpn_alex", 287),
        ("siamrpn_r50", 271),
        ("siammask_base", None),
        ("siammask_sharp", None),
        ("ocean", 287),
        ("ocean_online", 255),
        ("siamrcr", 271),
        ("gradnet", None),
    ],
)
def test_every_network_is_run_by_onnx_runtime_too(onnx_runtime, model, search_side):
    """Sizes that vary are other than those that the graphs were made with."""
    trackers = []
    for runtime in ("torch", "onnx"):
        torch.manual_seed(0)
        network = prepare_for_inference(quick_network(model), CPU, torch.float32)
        network.run_by(select_executor(runtime, CPU))
        method = find_model(model)
        settings = make_tracker_settings(method, None, {"search_side": search_side} if search_side else {})
        trackers.append(method.tracker_class(network, settings))
    assert not trackers[0].network.compiled and trackers[1].network.compiled
    scene = Scene(size_wh=(320, 240), frames=3)
    targets = [tracker.start(scene[0].image_bgr, scene[0].box_xywh) for tracker in trackers]
    for frame in list(scene)[1:]:
        steps = [tracker.step(frame.image_bgr, target) for tracker, target in zip(trackers, targets)]
        targets = [target for target, _ in steps]
        expected, result = (result for _, result in steps)
        np.testing.assert_allclose(result.box_xywh, expected.box_xywh, rtol=0, atol=1e-2)
        assert result.score == pytest.approx(expected.score, abs=1e-4)


class Doubling(TorchExecutor):
    """An executor that another package might bring: it counts what it runs."""

    name = "doubling"

    def __init__(self):
        self.ran = []

    def compile(self, function, shapes):
        return lambda *tensors: self.ran.append(function) or function(*tensors)


def test_a_new_executor_is_one_class_and_one_line(monkeypatch):
    monkeypatch.setattr("siam_tracker_ros.executors.EXECUTORS", (*EXECUTORS, Doubling))
    tracker = create_tracker("siamrpn_alex", weights="random", device="cpu", runtime="doubling")
    scene = Scene(size_wh=(160, 120), frames=2)
    tracker.init(scene[0].image_bgr, scene[0].box_xywh)
    tracker.track(scene[1].image_bgr)
    assert tracker.runtime == "doubling" and len(tracker.network.executor.ran) == 3
