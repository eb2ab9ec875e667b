# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from siam_tracker_ros import create_tracker
from siam_tracker_ros.core.network import Network
from siam_tracker_ros.core.sample_memory import SampleMemory
from siam_tracker_ros.methods.ocean.network import Response, response_cells
from siam_tracker_ros.methods.ocean_online import tracker as ocean_online
from siam_tracker_ros.methods.ocean_online.network import TargetClassifier
from siam_tracker_ros.methods.ocean_online.samples import Draws, crop_patch, draw, first_patches
from siam_tracker_ros.methods.ocean_online.tracker import OceanOnlineSettings, OceanOnlineTracker, Verdict, judge

pytestmark = pytest.mark.slow

BOX = np.array([60.0, 40.0, 30.0, 24.0])


class CheapNetwork(Network):
    """Answers like an OceanOnlineNetwork, from colours alone."""

    def __init__(self):
        super().__init__()
        self.patch_mean = nn.Parameter(torch.zeros(1, 3, 1, 1), requires_grad=False)
        self.mix = nn.Parameter(torch.randn(512, 3, 1, 1), requires_grad=False)
        self.target_classifier = TargetClassifier().requires_grad_(False)
        self.target_classifier.feature = self.target_classifier.initializer = nn.Identity()

    def encode_template(self, image_bgr):
        return image_bgr.mean((2, 3), keepdim=True)

    def features(self, image_bgr):
        return image_bgr

    def respond(self, features, template, search_side, align):
        cells = response_cells(search_side)
        likeness = -(functional.adaptive_avg_pool2d(features, cells) - template).square().sum(1, keepdim=True) / 1e3
        return Response(likeness, torch.full((1, 4, cells, cells), 28.0))

    def encode_patch(self, patch_rgb):
        return self.target_classifier(functional.conv2d(functional.adaptive_avg_pool2d(patch_rgb / 255, 13), self.mix))


@pytest.fixture(autouse=True)
def few_iterations(monkeypatch):
    monkeypatch.setattr(ocean_online, "FIRST_ITERATIONS", 3)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(3)
    return CheapNetwork()


@pytest.fixture(scope="module")
def video():
    frames = np.random.default_rng(1).integers(90, 130, (24, 120, 160, 3)).astype(np.uint8)
    for index, frame in enumerate(frames):
        frame[44 + index : 60 + index, 64:86] = (30, 60, 220)
    return frames


def make_tracker(network, **settings):
    return OceanOnlineTracker(network, OceanOnlineSettings(**settings))


def boxes_of(tracker, frames):
    return np.stack([tracker.track(frame).box_xywh for frame in frames])


def test_it_learns_on_every_tenth_frame_and_remembers_every_frame(network, video):
    tracker = make_tracker(network)
    tracker.init(video[0], BOX)
    updated = [tracker.track(frame).updated for frame in video[1:22]]
    assert [index + 1 for index, is_due in enumerate(updated) if is_due] == [10, 20]
    assert len(tracker._target.memory.features) == 30 + 21


def test_it_learns_at_once_from_a_hard_negative(network, video, monkeypatch):
    tracker = make_tracker(network)
    tracker.init(video[0], BOX)
    kernel = tracker._target.kernel
    monkeypatch.setattr(ocean_online, "judge", lambda *_: Verdict.HARD_NEGATIVE)
    assert tracker.track(video[1]).updated
    assert not torch.equal(tracker._target.kernel, kernel)
    assert tracker._target.memory.weights[-1] == pytest.approx(0.02 / (0.02 + 1 / 0.98))


def test_it_learns_nothing_where_the_target_is_not_found(network, video, monkeypatch):
    tracker = make_tracker(network)
    tracker.init(video[0], BOX)
    first = tracker._target
    monkeypatch.setattr(ocean_online, "judge", lambda *_: Verdict.NOT_FOUND)
    assert not any(tracker.track(frame).updated for frame in video[1:12])
    last = tracker._target
    assert len(last.memory.features) == 30
    assert last.kernel is first.kernel
    np.testing.assert_array_equal(last.center_xy, first.center_xy)
    assert last.frames == 11


def test_the_online_scores_pick_the_cell_and_the_siamese_ones_the_confidence(network, video):
    results = []
    for ratio in (0.0, 1.0):
        tracker = make_tracker(network, online_ratio=ratio)
        tracker.init(video[0], BOX)
        results.append(tracker.track(video[8]))
    assert not np.allclose(results[0].box_xywh, results[1].box_xywh)
    assert all(0 <= result.score <= 1 for result in results)


def test_init_on_a_running_tracker_is_as_on_a_fresh_one(network, video):
    used, fresh = make_tracker(network), make_tracker(network)
    used.init(video[5], [10, 10, 20, 50])
    boxes_of(used, video[6:8])
    for tracker in (used, fresh):
        tracker.init(video[0], BOX)
    np.testing.assert_array_equal(boxes_of(used, video[1:12]), boxes_of(fresh, video[1:12]))


def test_two_trackers_share_no_state(network, video):
    alone, first, second = (make_tracker(network) for _ in range(3))
    for tracker in (alone, first):
        tracker.init(video[0], BOX)
    second.init(video[3], [100, 80, 20, 20])
    expected = boxes_of(alone, video[1:12])
    interleaved = []
    for frame in video[1:12]:
        interleaved.append(first.track(frame).box_xywh)
        second.track(frame)
    np.testing.assert_array_equal(interleaved, expected)


@pytest.mark.parametrize(
    "box",
    [(0, 0, 1, 1), (159, 119, 1, 1), (-40, -30, 41, 31), (150, 3, 900, 2), (-700, -500, 1600, 1200), (0, 0, 160, 120)],
)
def test_odd_boxes_give_finite_targets(network, video, box):
    tracker = make_tracker(network)
    tracker.init(video[0], box)
    for frame in video[1:4]:
        result = tracker.track(frame)
        assert np.isfinite(result.box_xywh).all()
        assert np.isfinite(result.score)
    assert tracker._target.kernel.isfinite().all()


def test_a_frame_of_another_size_is_tracked(network, video):
    tracker = make_tracker(network)
    tracker.init(video[0], BOX)
    for shape in ((40, 30, 3), (1, 1, 3), (300, 200, 3)):
        assert np.isfinite(tracker.track(np.zeros(shape, np.uint8)).box_xywh).all()


def test_random_weights_run():
    tracker = create_tracker("ocean_online", weights="random", device="cpu")
    frames = np.random.default_rng(0).integers(0, 256, (3, 90, 120, 3)).astype(np.uint8)
    tracker.init(frames[0], (30, 30, 25, 40))
    for frame in frames[1:]:
        result = tracker.track(frame)
        assert np.isfinite([*result.box_xywh, result.score, result.peak_ratio]).all()


@pytest.mark.parametrize(
    "preset, expected",
    [
        (None, (0.06, 0.644, 0.484, 255, 287, 0.7)),
        ("VOT2018", (0.187, 0.8, 0.64, 271, 287, 0.5)),
        ("vot2018on", (0.187, 0.8, 0.64, 271, 287, 0.5)),
        ("vot2019", (0.06, 0.644, 0.484, 255, 287, 0.7)),
        ("VOT2019ON", (0.06, 0.644, 0.484, 255, 287, 0.7)),
        ("vot2020", (0.06, 0.644, 0.484, 255, 287, 0.7)),
        ("SOTS-VOT2020", (0.06, 0.644, 0.484, 255, 287, 0.9)),
    ],
)
def test_presets_are_the_published_settings(preset, expected, monkeypatch):
    monkeypatch.setattr("siam_tracker_ros.core.loading.read_network", lambda *_: CheapNetwork())
    settings = create_tracker("ocean_online", weights="random", preset=preset, device="cpu").settings
    names = ("penalty_k", "lr", "window_influence", "search_side", "small_target_side", "online_ratio")
    assert tuple(getattr(settings, name) for name in names) == expected


PEAKS = [  # second peak as (row, column, height), size of the target in cells, verdict
    ((2, 2, 0.44), (2, 2), Verdict.NORMAL),
    ((2, 2, 0.46), (2, 2), Verdict.HARD_NEGATIVE),
    ((7, 9, 0.90), (4, 4), Verdict.NORMAL),  # within the target's own peak
    ((7, 9, 0.90), (2, 4), Verdict.HARD_NEGATIVE),
    ((9, 7, 0.90), (4, 2), Verdict.HARD_NEGATIVE),
    ((13, 13, 0.90), (0.1, 0.1), Verdict.HARD_NEGATIVE),
    ((2, 2, 0.90), (1e6, 1e6), Verdict.NORMAL),
]


@pytest.mark.parametrize("peak, size, verdict", PEAKS)
def test_verdicts(peak, size, verdict):
    score = np.full((14, 14), -0.1)
    score[7, 7] = 1.0
    score[peak[:2]] = peak[2]
    assert judge(score, np.array(size)) is verdict


@pytest.mark.parametrize(
    "value, verdict", [(-1e-3, Verdict.NOT_FOUND), (np.nan, Verdict.NOT_FOUND), (0, Verdict.NORMAL)]
)
def test_verdicts_on_flat_maps(value, verdict):
    assert judge(np.full((14, 14), value), np.array([3.0, 3.0])) is verdict


def padded_patch(image, center_xy, side):
    """The patch by padding the whole image."""
    pad = 400
    padded = np.pad(image, ((pad, pad), (pad, pad), (0, 0)), mode="edge")
    (x, y) = (int(value) - (side - 1) // 2 + pad for value in center_xy)
    region = torch.from_numpy(padded[y : y + side, x : x + side, ::-1].copy()).permute(2, 0, 1)[None].double()
    return functional.interpolate(region, (32, 32), mode="bilinear", align_corners=False)


@pytest.mark.parametrize("side", [2, 3, 31, 32, 33, 66])
@pytest.mark.parametrize("center", [(40.9, 30.2), (0, 0), (-10.7, 59.4), (79, -200), (300.5, 300.5)])
def test_patches_repeat_the_edge_of_the_image(side, center):
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3)).astype(np.uint8)
    patch, patch_center, scale = crop_patch(image, np.array(center), side, 32, torch.zeros(1, dtype=torch.float64))
    torch.testing.assert_close(patch, padded_patch(image, center, side), rtol=0, atol=1e-12)
    even = 0.5 if side % 2 == 0 else 0
    np.testing.assert_allclose(patch_center, np.trunc(center) + even)
    assert scale == side / 32


@pytest.mark.parametrize("region_side, stride", [(66.0, 1), (68.0, 2), (97.0, 2), (99.6, 3), (5000.0, 156)])
def test_large_regions_are_thinned_out(region_side, stride):
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3)).astype(np.uint8)
    patch, patch_center, scale = crop_patch(image, np.array([41.0, 29.0]), region_side, 32, torch.zeros(1))
    assert patch.shape == (1, 3, 32, 32)
    assert scale == stride * round(region_side / stride) / 32
    cells = round(region_side / stride)
    first = np.array([41, 29]) // stride - (cells - 1) // 2
    np.testing.assert_allclose(patch_center, stride * first + (stride * cells - 1) / 2)


def wide_patch():
    """A smooth patch whose values are its coordinates: x in red, y in green."""
    y, x = torch.meshgrid(torch.arange(448.0), torch.arange(448.0), indexing="ij")
    return torch.stack([x, y, torch.zeros_like(x)])[None].double()


def test_first_patches_are_moved_mirrored_blurred_and_turned():
    shifts = np.array([(index - 9, 2 * index - 20) for index in range(18)])
    patches, moved = first_patches(wide_patch(), 224, Draws(shifts, np.ones((7, 512), bool)))
    assert patches.shape == (23, 3, 224, 224)
    np.testing.assert_array_equal(moved[5:], shifts)
    x, y = patches[:, 0], patches[:, 1]
    middle = 223.5
    for index in range(5):
        assert (x[index, 0, 0], y[index, 0, 0]) == (112 - moved[index, 0], 112 - moved[index, 1])
    assert (x[5, 0, 0], y[5, 0, 0]) == (447 - (112 - shifts[0, 0]), 112 - shifts[0, 1])
    for index in range(6, 11):  # a blur leaves a plane as it is
        assert x[index, 5, 9].item() == pytest.approx(112 + 9 - moved[index, 0], abs=1e-9)
        assert y[index, 5, 9].item() == pytest.approx(112 + 5 - moved[index, 1], abs=1e-9)
    angle = np.deg2rad(-60)
    at_x, at_y = 112 + 9 - moved[21, 0] - middle, 112 + 5 - moved[21, 1] - middle
    assert x[21, 5, 9].item() == pytest.approx(middle + np.cos(angle) * at_x - np.sin(angle) * at_y, abs=1e-9)
    assert y[21, 5, 9].item() == pytest.approx(middle + np.sin(angle) * at_x + np.cos(angle) * at_y, abs=1e-9)


def test_draws_repeat_and_stay_in_reach():
    draws, again = (draw(np.random.default_rng(1234), 224, 512) for _ in range(2))
    np.testing.assert_array_equal(draws.shifts_xy, again.shifts_xy)
    np.testing.assert_array_equal(draws.kept_channels, again.kept_channels)
    assert np.abs(draws.shifts_xy).max() <= 224 / 6
    assert draws.shifts_xy.shape == (18, 2)
    assert draws.kept_channels.shape == (7, 512)
    assert draws.kept_channels.mean() == pytest.approx(0.8, abs=0.03)
    assert len(np.unique(draws.shifts_xy)) > 20


def test_the_memory_weighs_new_samples_more_and_drops_what_weighs_least():
    memory = SampleMemory.of([0.0, 0.0], list(np.zeros((2, 4))), capacity=4)
    weights = np.array([0.5, 0.5])
    for number in range(1, 7):
        memory = memory.insert(float(number), np.full(4, float(number)), 0.25)
        if number == 1:
            weights = np.append(weights / 0.75, 0.25)
        elif number == 2:
            weights = np.append(weights, weights[2] / 0.75)
            newest = 3
        else:
            oldest = weights.argmin()
            weights[oldest] = weights[newest] / 0.75
            newest = oldest
        weights /= weights.sum()
        np.testing.assert_allclose(memory.weights, weights, rtol=1e-6)
        assert len(memory.features) == len(memory.boxes_xywh) == min(4, 2 + number)
    np.testing.assert_array_equal(memory.features, np.array(memory.boxes_xywh)[:, 0])
    assert sorted(memory.features) == [0, 0, 5, 6]  # the first samples still weigh more


def test_the_target_state_is_not_changed_by_the_next_frame_but_for_its_memory(network, video):
    tracker = make_tracker(network)
    tracker.init(video[0], BOX)
    before = tracker._target
    copies = {field.name: getattr(before, field.name) for field in dataclasses.fields(before)}
    tracker.track(video[1])
    assert tracker._target is not before
    assert all(getattr(before, name) is value for name, value in copies.items())


@pytest.mark.parametrize("height, width", [(20, 500), (1, 1), (3, 200)])
def test_a_region_much_larger_than_the_image_still_shows_it(height, width):
    image = np.full((height, width, 3), 9, np.uint8)
    patch, _, _ = crop_patch(image, np.array([width - 1.0, height]), 20000.0, 64, torch.zeros(1))
    assert patch.shape == (1, 3, 64, 64)
    assert (patch == 9).all()
