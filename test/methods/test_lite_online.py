# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from siam_tracker_ros import create_tracker
from siam_tracker_ros.core.network import Network
from siam_tracker_ros.core.registry import find_model
from siam_tracker_ros.layers.whitening import Whitening
from siam_tracker_ros.methods.lite import online as lite_online
from siam_tracker_ros.methods.lite.network import Response, box_cover
from siam_tracker_ros.methods.lite.online import LiteOnlineSettings, LiteOnlineTracker, online_score
from siam_tracker_ros.methods.lite.tracker import LiteSettings, LiteTracker

pytestmark = pytest.mark.usefixtures("one_thread")

BOX = np.array([60.0, 40.0, 24.0, 24.0])
RED, BLUE = (30, 60, 220), (220, 60, 30)


class CheapNetwork(Network):
    """Answers like a LiteNetwork, from colours alone: what is bright in any channel may be the target."""

    def __init__(self):
        super().__init__()
        self.mix = nn.Parameter(torch.randn(96, 3, 1, 1), requires_grad=False)
        axis = (torch.arange(16) + 0.5) / 16
        size = torch.full((16, 16), 0.25)
        self.boxes = torch.stack([axis.expand(16, 16), axis[:, None].expand(16, 16), size, size])[None]

    def encode_template(self, image_bgr, cover):
        return None

    def backbone_features(self, image_bgr):
        return (functional.conv2d(functional.adaptive_avg_pool2d(image_bgr / 255, 16), self.mix),)

    def forward(self, image_bgr, template):
        (features,) = self.backbone_features(image_bgr)
        colours = functional.adaptive_avg_pool2d(image_bgr, 16)
        logit = functional.avg_pool2d(colours.amax(1, keepdim=True), 3, 1, 1) / 10 - 16
        return Response(logit, torch.full_like(logit, 9.0), self.boxes, features, features, None, None)

    def mask(self, response, box_cxcywh):
        return (box_cover(box_cxcywh, 128) - 0.5) * 18


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(3)
    return CheapNetwork()


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
    assert len(tracker._target.memory.samples()[0]) == 3 + 12


def test_its_memory_is_bounded(network, monkeypatch):
    monkeypatch.setattr(lite_online, "MEMORY_SAMPLES", 5)
    tracker = started(network)
    for _ in range(8):
        tracker.track(frame((60, 40, RED)))
    assert len(tracker._target.memory.samples()[0]) == 5


def test_it_learns_at_once_from_something_that_looks_alike(network):
    for colour, learns in ((RED, True), (BLUE, False)):
        tracker = started(network)
        kernel = tracker._target.kernel
        assert not tracker.track(frame((60, 40, RED))).updated
        assert tracker.track(frame((60, 40, RED), (96, 40, colour))).updated == learns
        assert torch.equal(tracker._target.kernel, kernel) != learns


@pytest.mark.parametrize("seen", [(), ((96, 40, BLUE),)], ids=["nothing", "something else"])
def test_it_learns_nothing_where_the_target_is_gone(network, seen):
    tracker = started(network, [(96, 40, BLUE)])
    kernel = tracker._target.kernel
    results = [tracker.track(frame(*seen)) for _ in range(6)]
    assert not any(result.updated for result in results)
    assert len(tracker._target.memory.samples()[0]) == 3
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
    online = online_score(tracker._target.whitening(view.response.features), tracker._target.kernel)
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
    assert torch.isfinite(tracker._target.kernel).all()


def test_whitened_features_vary_alike_in_all_directions():
    torch.manual_seed(0)
    features = torch.einsum("dc,nchw->ndhw", torch.randn(8, 8), torch.randn(3, 8, 16, 16)) + 5
    white = Whitening.of(features)(features)
    cells = white.transpose(0, 1).flatten(1)
    assert white.square().mean((1, 2, 3)).sub(1).abs().max() < 1e-3
    spread = torch.linalg.eigvalsh(torch.cov(features.transpose(0, 1).flatten(1)))
    white_spread = torch.linalg.eigvalsh(torch.cov(cells))
    assert spread[-1] / spread[2] > 5 and white_spread[-1] / white_spread[2] < 2


def test_whitening_of_a_flat_picture_is_finite():
    features = torch.ones(3, 8, 16, 16)
    assert torch.equal(Whitening.of(features)(features), torch.zeros(3, 8, 16, 16))


def test_the_real_network_runs_from_lites_weights():
    info = find_model("lite_online")
    assert info.shipped_weights == find_model("lite").shipped_weights
    lite = create_tracker("lite", weights="random", device="cpu", runtime="torch")
    tracker = create_tracker("lite_online", weights="random", device="cpu")
    assert lite.network.state_dict().keys() == tracker.network.state_dict().keys()
    tracker.init(frame((60, 40, RED)), BOX)
    kernel = tracker._target.kernel
    assert kernel.shape == (1, 96, 4, 4) and torch.isfinite(kernel).all() and kernel.abs().max() > 0
    assert np.isfinite(tracker.track(frame((64, 40, RED))).box_xywh).all()
