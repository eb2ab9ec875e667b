# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import copy
import os
import pickle

import cv2
import numpy as np
import pytest
import torch

from siam_tracker_ros import create_tracker
from siam_tracker_ros.core.graphs import Graphs
from siam_tracker_ros.core.loading import read_network
from siam_tracker_ros.core.registry import find_model
from siam_tracker_ros.core.whitening import Whitening
from siam_tracker_ros.demo.scene import Scene
from siam_tracker_ros.executors.device import prepare_for_inference
from siam_tracker_ros.layers import filter_optimizer
from siam_tracker_ros.methods.lite import online as lite_online
from siam_tracker_ros.methods.lite import online_filter
from siam_tracker_ros.methods.lite.network import box_cover
from siam_tracker_ros.methods.lite.online import LiteOnlineSettings, LiteOnlineTracker
from siam_tracker_ros.methods.lite.online_filter import SHRINKAGE, filter_scores, whiten_samples
from siam_tracker_ros.methods.lite.tracker import LiteSettings, LiteTracker

pytestmark = pytest.mark.usefixtures("one_thread")

BOX = np.array([60.0, 40.0, 24.0, 24.0])
RED, BLUE = (30, 60, 220), (220, 60, 30)


def cheap_graphs():
    """Graphs that answer like a LiteNetwork's, from colours alone: what is bright in any channel may be the target."""
    mix = np.random.default_rng(3).normal(size=(96, 3)).astype(np.float32)
    axis = (np.arange(16) + 0.5) / 16
    xs, ys = np.meshgrid(axis, axis)
    boxes = np.stack([xs, ys, np.full_like(xs, 0.25), np.full_like(xs, 0.25)])

    def colours(crops_bgr):  # (B, 3, 16, 16)
        side = crops_bgr.shape[1] // 16
        return crops_bgr.reshape(-1, 16, side, 16, side, 3).mean((2, 4), dtype=np.float32).transpose(0, 3, 1, 2)

    def encode(crops_bgr):
        return (np.einsum("dc,nchw->ndhw", mix, colours(crops_bgr) / 255),)

    def search(crop_bgr, kernels, gate):
        (features,) = encode(crop_bgr)
        logit = cv2.blur(colours(crop_bgr)[0].max(0), (3, 3)) / 10 - 16
        cells = np.concatenate([(sigmoid(logit) * sigmoid(9.0))[None], boxes])[None].astype(np.float32)
        return cells, features, None, None, None

    def segment(fused, middle, fine, box_cxcywh):
        return (sigmoid((box_cover(torch.from_numpy(box_cxcywh), 128).numpy() - 0.5) * 18),)

    functions = {
        "encode_target": lambda *_: (None, None, None),
        "encode": encode,
        "search": search,
        "refine": lambda *_: (np.zeros((1, 4), np.float32),),
        "segment": segment,
    }
    return Graphs(functions, "numpy")


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.fixture(scope="module")
def network():
    return cheap_graphs()


def frame(*things):
    """A grey, noisy picture with squares, each (left, top, BGR)."""
    image = np.random.default_rng(1).integers(60, 90, (120, 160, 3)).astype(np.uint8)
    for left, top, colour in things:
        image[max(0, top) : max(0, top + 24), max(0, left) : max(0, left + 24)] = colour
    return image


def started(network, beside=(), **settings):
    tracker = LiteOnlineTracker(network, LiteOnlineSettings(**settings))
    tracker.init(frame((60, 40, RED), *beside), BOX)
    return tracker


def test_it_learns_on_every_fifth_frame_and_remembers_every_frame(network):
    tracker = started(network)
    results = [tracker.track(frame((60 + index, 40, RED))) for index in range(12)]
    assert [index + 1 for index, result in enumerate(results) if result.updated] == [5, 10]
    assert len(tracker._target.memory.features) == 3 + 12


@pytest.mark.parametrize("share, looks", [(0.3, 5), (0.0, 1)])
def test_the_first_frame_is_looked_at_once_in_each_way(share, looks):
    """From several places for the box, and mirrored and blurred for the filter."""
    network, called = cheap_graphs(), []
    network.wrap(lambda name, function: lambda *arrays: called.append(name) or function(*arrays))
    started(network, given_box_share=share)
    assert called.count("search") == looks + 2 and "encode" not in called


def test_its_memory_is_bounded(network, monkeypatch):
    monkeypatch.setattr(lite_online, "MEMORY_SAMPLES", 5)
    tracker = started(network)
    for _ in range(8):
        tracker.track(frame((60, 40, RED)))
    assert len(tracker._target.memory.features) == 5


def test_it_learns_at_once_from_something_that_looks_alike(network):
    for colour, learns in ((RED, True), (BLUE, False)):
        tracker = started(network)
        kernel = tracker._target.kernel
        assert not tracker.track(frame((60, 40, RED))).updated
        assert tracker.track(frame((60, 40, RED), (96, 40, colour))).updated == learns
        assert tracker._target.kernel is kernel
        for _ in range(lite_online.UPDATE_FRAMES):
            tracker.track(frame((60, 40, RED)))
        assert np.array_equal(tracker._target.kernel, kernel) != learns


def learning(network):
    """A tracker whose filter is being learned, and the filter that it will have."""
    tracker = started(network)
    for _ in range(lite_online.UPDATE_INTERVAL):
        tracker.track(frame((60, 40, RED)))
    return tracker, tracker._target.update.kernel()


def next_kernel(tracker):
    for _ in range(lite_online.UPDATE_FRAMES):
        tracker.track(frame((60, 40, RED)))
    return tracker._target.kernel


def test_a_target_that_learns_can_be_copied(network, monkeypatch):
    tracker, expected = learning(network)
    for process, copied in (
        (os.getpid(), copy.deepcopy(tracker._target)),
        (os.getpid(), pickle.loads(pickle.dumps(tracker._target))),
        (os.getpid() + 1, pickle.loads(pickle.dumps(tracker._target))),
    ):
        monkeypatch.setattr(os, "getpid", lambda process=process: process)
        tracker._target = copied
        np.testing.assert_array_equal(next_kernel(tracker), expected)


def test_it_learns_where_no_thread_can_be_started(network, monkeypatch):
    """As when the main thread has ended."""
    _, expected = learning(network)

    def refuse(pool, function):
        raise RuntimeError("cannot schedule new futures after interpreter shutdown")

    monkeypatch.setattr("concurrent.futures.ThreadPoolExecutor.submit", refuse)
    tracker, _ = learning(network)
    np.testing.assert_array_equal(next_kernel(tracker), expected)


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_it_learns_on_in_a_forked_process(network):
    tracker, expected = learning(network)
    child = os.fork()
    if child == 0:
        os._exit(0 if np.array_equal(next_kernel(tracker), expected) else 1)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("seen", [(), ((96, 40, BLUE),)], ids=["nothing", "something else"])
def test_it_learns_nothing_where_the_target_is_gone(network, seen):
    tracker = started(network, [(96, 40, BLUE)])
    kernel = tracker._target.kernel
    results = [tracker.track(frame(*seen)) for _ in range(6)]
    assert not any(result.updated for result in results)
    assert len(tracker._target.memory.features) == 3
    assert tracker._target.kernel is kernel and tracker._target.frames == 6


def test_the_filter_tells_apart_what_lite_cannot(network):
    image = frame((84, 40, RED), (60, 40, BLUE))  # the target has moved, the other thing is where it was
    lite = LiteTracker(network, LiteSettings())
    lite.init(frame((60, 40, RED)), BOX)
    assert lite.track(image).box_xywh[0] < 66
    assert started(network, [(24, 40, BLUE)], online_ratio=0.8).track(image).box_xywh[0] > 72


def test_the_score_falls_when_something_else_is_in_the_targets_place(network):
    tracker = started(network, [(24, 40, BLUE)])
    present, replaced = (tracker.track(frame((60, 40, colour))).score for colour in (RED, BLUE))
    assert replaced < 0.8 * present


def test_without_its_share_it_is_lite(network):
    lite, online = LiteTracker(network, LiteSettings()), started(network, online_ratio=0.0)
    lite.init(frame((60, 40, RED)), BOX)
    for index in range(7):
        image = frame((60 + 4 * index, 40 - 3 * index, RED), (20, 20, BLUE))
        expected, result = lite.track(image), online.track(image)
        np.testing.assert_array_equal(result.box_xywh, expected.box_xywh)
        np.testing.assert_array_equal(result.mask, expected.mask)
        assert (result.score, result.peak_ratio) == (expected.score, expected.peak_ratio)


def test_init_on_a_running_tracker_is_as_on_a_fresh_one(network):
    used = started(network)
    for index in range(7):
        used.track(frame((60 + 5 * index, 40, BLUE), (80, 40, RED)))
    used.init(frame((60, 40, RED)), BOX)
    fresh = started(network)
    for index in range(7):
        image = frame((60 + 3 * index, 40, RED))
        one, other = used.track(image), fresh.track(image)
        np.testing.assert_array_equal(one.box_xywh, other.box_xywh)
        assert one.score == other.score


def test_one_tracker_can_follow_two_targets_in_turns(network):
    tracker, alone = started(network), started(network)
    first = tracker._target
    tracker.init(frame((20, 70, BLUE)), np.array([20.0, 70.0, 24.0, 24.0]))
    second = tracker._target
    for index in range(7):
        image = frame((60 + 3 * index, 40, RED), (20, 70 - 2 * index, BLUE))
        first, result = tracker._step(image, first)
        second, _ = tracker._step(image, second)
        np.testing.assert_array_equal(result.box_xywh, alone.track(image).box_xywh)


@pytest.mark.parametrize("column", range(4, 12))
def test_the_filter_peaks_on_the_targets_cell(network, column):
    tracker = started(network)
    left = 60 + 6 * (column - 7.5)  # a cell is 6 pixels
    view = tracker.siamese.look(frame((round(left), 40, RED)), tracker._target.siamese)
    feature = whiten_samples(np.moveaxis(view.features, 1, -1), tracker._target.whitening)
    online = filter_scores(feature, tracker._target.kernel)
    assert online.shape == (16, 16) and online.min() >= 0 and 0.3 < online.max() <= 1
    assert abs(online.sum(0).argmax() - column) <= 1 and online.sum(1).argmax() in (7, 8)


@pytest.mark.parametrize(
    "box",
    [(80, 60, 1, 1), (0, 0, 160, 120), (158, 118, 2, 2), (-10, -10, 24, 24), (0, 59, 160, 2), (-200, -200, 600, 500)],
)
@pytest.mark.parametrize("value", [None, 0, 255])
def test_odd_boxes_and_flat_pictures_give_finite_answers(network, box, value):
    images = [
        frame((60 + 40 * index, 40, RED)) if value is None else np.full((120, 160, 3), value, np.uint8)
        for index in range(6)
    ]
    tracker = LiteOnlineTracker(network, LiteOnlineSettings())
    tracker.init(images[0], np.array(box, np.float64))
    for image in images:
        result = tracker.track(image)
        assert np.isfinite(result.box_xywh).all()
        assert 0 <= result.score <= 1 and 0 <= result.peak_ratio <= 1
    assert np.isfinite(tracker._target.kernel).all()


def test_whitened_samples_vary_alike_in_all_directions():
    random = np.random.default_rng(2)
    features = random.normal(size=(3, 16, 16, 8)) @ random.normal(size=(8, 8)) + 5
    white = whiten_samples(features, Whitening.of(features, SHRINKAGE))
    assert np.abs(np.square(white).mean((1, 2, 3)) - 1).max() < 1e-3
    spread, white_spread = (np.linalg.eigvalsh(np.cov(cells.reshape(-1, 8).T)) for cells in (features, white))
    assert spread[-1] / spread[2] > 5 and white_spread[-1] / white_spread[2] < 2


def test_whitening_of_a_flat_picture_is_finite():
    features = np.ones((3, 16, 16, 8))
    np.testing.assert_array_equal(whiten_samples(features, Whitening.of(features, SHRINKAGE)), np.zeros_like(features))


def test_the_filter_is_that_of_dimp():
    """The filter in numpy against the one in torch, whose tables begin as those of DiMP's training."""
    random = np.random.default_rng(0)
    features = random.normal(size=(5, 16, 16, 12)).astype(np.float32)
    kernel = (0.01 * random.normal(size=(16, 12))).astype(np.float32)
    boxes_xywh = np.concatenate([random.uniform(3, 9, (5, 2)), random.uniform(1, 5, (5, 2))], 1)
    weights = random.dirichlet(np.ones(5))
    as_torch = torch.from_numpy(features).permute(0, 3, 1, 2)
    torch_kernel = torch.from_numpy(kernel).T.reshape(1, 12, 4, 4).flip(2, 3)

    scores = filter_optimizer.correlate(as_torch, torch_kernel)
    np.testing.assert_allclose(online_filter.correlate(features, kernel), scores[:, 0].numpy(), atol=1e-6)
    back = filter_optimizer.correlate_adjoint(as_torch, scores).flip(2, 3).reshape(12, 16).T
    np.testing.assert_allclose(
        online_filter.correlate_adjoint(features, scores[:, 0].numpy()), back.numpy(), rtol=1e-4, atol=1e-5
    )
    optimizer = filter_optimizer.FilterOptimizer(stride=1.0).requires_grad_(False)
    inputs = (torch.from_numpy(values).float() for values in (boxes_xywh, weights))
    boxes, sample_weight = inputs
    expected, _ = optimizer(torch_kernel, as_torch, boxes, 4, sample_weight)
    centers_xy = boxes_xywh[:, :2] + boxes_xywh[:, 2:] / 2
    improved = online_filter.result_of(online_filter.improving(kernel, features, centers_xy, weights, 4))
    assert np.abs(improved - kernel).max() > 1e-3
    np.testing.assert_allclose(improved, expected.flip(2, 3).reshape(12, 16).T.numpy(), rtol=1e-3, atol=1e-6)


def test_the_real_network_runs_from_lites_weights():
    assert find_model("lite_online").shipped_weights == find_model("lite").shipped_weights
    tracker = create_tracker("lite_online", weights="random", device="cpu")
    tracker.init(frame((60, 40, RED)), BOX)
    kernel = tracker._target.kernel
    assert kernel.shape == (16, 96) and np.isfinite(kernel).all() and np.abs(kernel).max() > 0
    assert np.isfinite(tracker.track(frame((64, 40, RED))).box_xywh).all()


@pytest.mark.parametrize("model", ["lite", "lite_online"])
def test_half_precision_gives_the_same_track(model):
    """As "auto" chooses it on a GPU."""
    method = find_model(model)
    assert method.half_precision
    scene = Scene(size_wh=(320, 240), frames=12)
    tracks = []
    for dtype in (torch.float32, torch.float16):
        network = prepare_for_inference(read_network(method, None), torch.device("cpu"), dtype)
        tracker = method.tracker_class(network.on_arrays(), method.tracker_class.settings_class())
        tracker.init(scene[0].image_bgr, scene[0].box_xywh)
        tracks.append([tracker.track(scene[number].image_bgr) for number in range(1, 12)])
    assert tracker.precision == "fp16"
    for expected, result in zip(*tracks):
        np.testing.assert_allclose(result.box_xywh, expected.box_xywh, atol=0.05)
        assert (result.mask != expected.mask).sum() <= 5
