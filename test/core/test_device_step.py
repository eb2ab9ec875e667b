# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The mechanism of steps on a device: uploads, captures and what happens where one fails. Graphs are doubles here."""

import gc
import logging
import weakref

import numpy as np
import pytest
import torch
from device_testing import check_capturable
from quick_networks import quick_network, quick_tracker

from siam_tracker_ros import MultiTracker, create_tracker
from siam_tracker_ros.core import device_step, registry
from siam_tracker_ros.core.device_request import StepRequest
from siam_tracker_ros.core.device_step import MAX_BATCH, MAX_KEPT, DeviceStep, Upload, fill_changed
from siam_tracker_ros.demo.scene import Scene
from siam_tracker_ros.errors import InvalidSettingError
from siam_tracker_ros.executors.device import prepare_for_inference

SCENE = Scene(size_wh=(160, 120), frames=4)
FRAMES = [frame.image_bgr for frame in SCENE]


def sums(frame_bgr, numbers, *tensors, factor=1):
    """A step: the sum of the pixels times numbers, and the sum of the tensors of each target."""
    total = frame_bgr.float().sum() * factor
    return total * numbers, sum(tensors, torch.zeros(len(numbers), 1))


def request(number=1.0, *tensors, **options):
    return StepRequest([number], tensors, options)


def image(value, size_wh=(4, 3)):
    return np.full((size_wh[1], size_wh[0], 3), value, np.uint8)


class Graph:
    """A double of a captured step: it reads the memory that it was made with, as a graph does."""

    made = []

    def __init__(self, function, frame_bgr, numbers, targets):
        Graph.made.append((frame_bgr.shape, len(numbers), function.keywords))
        self.function, self.frame_bgr, self.numbers = function, frame_bgr, numbers
        self.tensors, self.filled_with = [torch.cat(each) for each in zip(*targets)], list(targets)

    def __call__(self, targets):
        fill_changed(self.tensors, self.filled_with, targets)
        return self.function(self.frame_bgr, self.numbers, *self.tensors)


@pytest.fixture
def capturing(monkeypatch):
    """Returns a DeviceStep that captures doubles."""
    monkeypatch.setattr(device_step, "CapturedStep", Graph)
    monkeypatch.setattr(Graph, "made", [])

    def make(function=sums):
        step = DeviceStep(function, "cpu")
        step._captures = True
        return step

    return make


def test_a_step_returns_values_and_what_is_kept():
    step = DeviceStep(sums, "cpu")
    values, kept = step(image(2), StepRequest([1, 0.5], [torch.ones(1, 2)], {"factor": 3}))
    np.testing.assert_array_equal(values, np.array([216, 108], np.float32))
    assert values.dtype == np.float32 and kept[0].tolist() == [[1, 1]]
    assert step.runtime == "torch"


@pytest.mark.parametrize("flip", [np.s_[:], np.s_[::-1], np.s_[:, ::-1]])
def test_an_upload_takes_images_of_any_layout(flip):
    given = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)[flip]
    upload = Upload(given.shape, torch.uint8, torch.device("cpu"))
    np.testing.assert_array_equal(upload(given).numpy(), given)
    assert upload(255 - given) is upload.tensor
    np.testing.assert_array_equal(upload.tensor.numpy(), 255 - given)


def test_a_graph_is_captured_for_each_size_and_each_option(capturing):
    step = capturing()
    assert step.runtime == "cuda_graph"
    for value, size_wh, factor in ((1, (4, 3), 1), (2, (4, 3), 1), (3, (4, 3), 2), (4, (5, 3), 2), (5, (4, 3), 1)):
        values, _ = step(image(value, size_wh), request(1, torch.ones(1, 2), factor=factor))
        assert values == [value * 3 * size_wh[0] * size_wh[1] * factor]
    assert Graph.made == [((3, 4, 3), 1, {"factor": 1}), ((3, 4, 3), 1, {"factor": 2}), ((3, 5, 3), 1, {"factor": 2})]
    step(image(1), request(1, torch.ones(1, 3), factor=1))
    assert len(Graph.made) == 4, "tensors of other shapes need a graph of their own"


def test_graphs_are_bounded_in_number_and_those_used_last_are_kept(capturing):
    step, seen = capturing(), []
    sizes = [(4 + number, 3) for number in range(MAX_KEPT + 1)]
    for size_wh in (*sizes[:MAX_KEPT], sizes[0], sizes[MAX_KEPT], sizes[0], sizes[1]):
        values, _ = step(image(1, size_wh), request())
        assert values == [3 * size_wh[0] * size_wh[1]], "a graph reads the memory that its frame is uploaded to"
        seen.append(len(Graph.made))
    full = list(range(1, MAX_KEPT + 1))
    assert seen == [*full, MAX_KEPT, MAX_KEPT + 1, MAX_KEPT + 1, MAX_KEPT + 2]
    assert len(step._graphs._values) == len(step._uploads._values) == MAX_KEPT


@pytest.mark.parametrize(
    "failure", [torch.OutOfMemoryError("CUDA out of memory.\nTried"), RuntimeError("operation not permitted")]
)
def test_where_a_capture_fails_one_warning_is_given_and_frames_are_computed_without(capturing, caplog, failure):
    step = capturing()
    step(image(1), request())

    def fail(*arguments):
        raise failure

    device_step.CapturedStep = fail
    with caplog.at_level(logging.WARNING):
        for value in (1, 2):
            values, _ = step(image(value, (5, 3)), request())
            assert values == [45 * value]
        assert step(image(3), request()).values == [108]
    assert step.runtime == "torch" and len(caplog.records) == 1
    message = caplog.text
    assert "no CUDA graph can be made of a frame of 5 x 3 pixels (" in message and "Tried" not in message
    assert str(failure).partition("\n")[0] in message and "use runtime 'torch'" in message


def test_a_failure_of_the_step_itself_is_not_hidden():
    def fail(*arguments):
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        DeviceStep(fail, "cpu")(image(1), request())


@pytest.fixture
def uploads(monkeypatch):
    """The frames that are uploaded."""
    seen, real = [], Upload.__call__

    def note(upload, array):
        if upload.tensor.ndim == 3:
            seen.append(array)
        return real(upload, array)

    monkeypatch.setattr(Upload, "__call__", note)
    return seen


def test_a_shared_frame_is_uploaded_once(uploads):
    step, frame, other = DeviceStep(sums, "cpu"), image(1), image(2)
    with step.unchanged(frame):
        assert [step(frame, request()).values[0] for _ in range(3)] == [36] * 3
        assert len(uploads) == 1
        assert step(other, request()).values == [72] and step(frame, request()).values == [36]
        assert len(uploads) == 3, "the memory has held another image in between"
    frame[:] = 5
    assert step(frame, request()).values == [180], "outside of the context an image may change"


@pytest.fixture
def counted():
    """Returns a step that notes the number of targets of each run, and the notes."""
    seen = []

    def note(frame_bgr, numbers, *tensors, **options):
        seen.append(len(numbers))
        return sums(frame_bgr, numbers, *tensors, **options)

    return note, seen


def answers(step, frame, requests):
    return [(step(frame, each).values.tolist(), step(frame, each).kept[0].tolist()) for each in requests]


def some_requests(count, **options):
    return [request(number + 1.0, torch.full((1, 2), 10.0 * number), **options) for number in range(count)]


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_announced_requests_are_answered_in_one_batch_each_with_its_own_part(counted, count):
    function, seen = counted
    step, frame, requests = DeviceStep(function, "cpu"), image(1), some_requests(count)
    with step.unchanged(frame, requests):
        assert seen == [], "nothing is done before the first of them is made"
        for each in (requests, requests[::-1]):
            assert sorted(answers(step, frame, each)) == [
                ([36.0 * (number + 1)], [[10.0 * number] * 2]) for number in range(count)
            ]
    assert seen == [count]


def test_what_was_not_announced_is_answered_alone(counted):
    function, seen = counted
    step, frame, (first, second, third) = DeviceStep(function, "cpu"), image(1), some_requests(3)
    with step.unchanged(frame, [first, second]):
        assert answers(step, frame, [third]) == [([108.0], [[20.0, 20.0]])] and seen == [1, 1]
        moved = StepRequest([7.0], first.tensors)
        assert answers(step, frame, [moved, second]) == [([252.0], [[0.0, 0.0]]), ([72.0], [[10.0, 10.0]])]
        assert seen == [1, 1, 1, 1, 2]
        step(image(2), first)
        assert seen == [1, 1, 1, 1, 2, 1], "an answer is that of its frame"
    step(frame, first)
    assert seen == [1, 1, 1, 1, 2, 1, 1], "outside of the context a frame may change"


def test_the_tensors_of_what_was_announced_are_kept_so_that_no_others_are_taken_for_them():
    step, frame, tensor = DeviceStep(sums, "cpu"), image(1), torch.ones(1, 2)
    kept = weakref.ref(tensor)
    with step.unchanged(frame, [request(1, tensor)]):
        assert step(frame, request(1, tensor)).kept[0].tolist() == [[1, 1]]
        del tensor
        assert kept() is not None
    assert kept() is None


def test_batches_are_of_the_same_options_and_bounded(counted):
    function, seen = counted
    step, frame = DeviceStep(function, "cpu"), image(1)
    requests = [*some_requests(MAX_BATCH + 3), *some_requests(2, factor=2)]
    with step.unchanged(frame, requests):
        values = [step(frame, each).values[0] for each in requests]
    assert values == [*(36 * (number + 1) for number in range(MAX_BATCH + 3)), 72, 144]
    assert seen == [MAX_BATCH, 3, 2]


def test_a_batch_that_fails_is_not_tried_again(counted):
    function, seen = counted

    def fail_together(frame_bgr, numbers, *tensors):
        if len(numbers) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return function(frame_bgr, numbers, *tensors)

    step, frame, requests = DeviceStep(fail_together, "cpu"), image(1), some_requests(3)
    with step.unchanged(frame, requests):
        with pytest.raises(torch.OutOfMemoryError):
            step(frame, requests[1])
        assert [step(frame, each).values[0] for each in requests] == [36, 72, 108]
    assert seen == [1, 1, 1]


def test_graphs_are_captured_for_numbers_of_targets_that_are_powers_of_two(capturing):
    step = capturing()
    for value, count in enumerate((1, 2, 3, 4, 3, 5, 8, 6, 1), start=1):
        frame, requests = image(value), some_requests(count)
        with step.unchanged(frame, requests):
            assert [step(frame, each).values[0] for each in requests] == [36 * value * (n + 1) for n in range(count)]
            assert [step(frame, each).kept[0][0, 0] for each in requests] == [10 * n for n in range(count)]
    assert [count for _, count, _ in Graph.made] == [1, 2, 4, 8]


def test_only_the_tensors_of_changed_targets_are_copied():
    given = [[torch.full((1, 2), float(row))] for row in range(3)]
    own, filled_with = [torch.cat([row[0] for row in given])], list(given)
    given[0][0][:] = 9  # which shows whether it is copied again
    other = [torch.full((1, 2), 5.0)]
    fill_changed(own, filled_with, [given[0], other, given[2]])
    assert own[0].tolist() == [[0, 0], [5, 5], [2, 2]]
    fill_changed(own, filled_with, [given[2], other, given[0]])
    assert own[0].tolist() == [[2, 2], [5, 5], [9, 9]]


def test_targets_of_one_frame_share_its_upload(uploads):
    tracker = quick_tracker("siamrpn_r50")
    tracker.use_device_step()
    targets = MultiTracker(tracker)
    for shift in (0, 10):
        targets.add(FRAMES[0], np.array(SCENE[0].box_xywh) + [shift, 0, 0, 0])
    for frame in FRAMES[1:3]:
        alone = [tracker.step(frame, session._target)[1].score for session in targets]
        uploads.clear()
        together = [observation.raw_score for observation in targets.observe(frame).values()]
        np.testing.assert_allclose(together, alone, atol=1e-6)
        assert len(uploads) == 1


def test_a_network_is_freed_with_its_tracker():
    tracker = quick_tracker("siamrpn_r50")
    tracker.use_device_step()
    tracker.init(FRAMES[0], SCENE[0].box_xywh)
    tracker.track(FRAMES[1])
    network = weakref.ref(tracker.network)
    gc.disable()
    try:
        del tracker
        assert network() is None
    finally:
        gc.enable()


@pytest.fixture
def on_gpu(monkeypatch):
    """Networks say that they lie on a GPU."""

    def make_network(method, *arguments):
        network = quick_network(method.name)
        network.__class__ = type("OnGpu", (type(network),), {"device": "cuda:0"})
        return network

    monkeypatch.setattr(registry, "make_network", make_network)


@pytest.mark.parametrize(
    "runtime, expected", [("auto", "cuda_graph"), ("cuda_graph", "cuda_graph"), ("torch", "torch")]
)
def test_on_a_gpu_steps_are_captured_unless_torch_is_asked_for(on_gpu, runtime, expected):
    tracker = create_tracker("siamrpn_r50", "random", device="cuda", runtime=runtime)
    assert (tracker.runtime, tracker.device) == (expected, "cuda:0")
    assert tracker.has_device_step


def test_a_model_of_which_nothing_can_be_captured_says_so(on_gpu):
    assert create_tracker("ocean_online", "random", device="cuda").runtime == "torch"
    with pytest.raises(InvalidSettingError, match="nothing of ocean_online can be captured as a CUDA graph; use auto"):
        create_tracker("ocean_online", "random", device="cuda", runtime="cuda_graph")


def test_cuda_graphs_are_refused_on_a_cpu():
    with pytest.raises(InvalidSettingError, match="runtime is 'cuda_graph' on device 'cpu', but it needs CUDA; use"):
        create_tracker("siamrpn_alex", "random", device="cpu", runtime="cuda_graph")


def test_on_a_cpu_the_usual_step_is_taken():
    tracker = create_tracker("siamrpn_alex", "random", device="cpu", runtime="torch")
    assert tracker._device_step is None


@pytest.mark.parametrize(
    "function, error",
    [
        (lambda frame, numbers: (numbers * torch.arange(2),), "on device cpu"),
        (lambda frame, numbers: (numbers * torch.arange(2).to(numbers),), "on the CPU"),
        (lambda frame, numbers: (numbers[numbers.argmax()][None],), "meta"),
        (lambda frame, numbers: (numbers[numbers > 0],), "meta|nonzero|dynamic"),
    ],
)
def test_what_cannot_be_captured_is_found_out(function, error):
    with pytest.raises((AssertionError, RuntimeError, NotImplementedError), match=error):
        check_capturable(function, torch.zeros(3, 4, 3, dtype=torch.uint8), torch.zeros(2))


def test_networks_can_be_prepared_for_the_meta_device():
    network = prepare_for_inference(quick_network("siamrpn_r50"), torch.device("meta"), torch.float16)
    assert {(p.device.type, p.dtype) for p in network.parameters()} == {("meta", torch.float16)}
