# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch

from siam_tracker_ros import create_tracker
from siam_tracker_ros.core.mask_shape import full_frame, paint_mask
from siam_tracker_ros.core.monitor import MonitorSettings, TargetState
from siam_tracker_ros.core.session import TargetSession
from siam_tracker_ros.errors import InvalidInputError, NotInitializedError
from siam_tracker_ros.executors.device import prepare_for_inference
from siam_tracker_ros.geometry import xywh_to_cxcywh
from siam_tracker_ros.layers.blocks import DepthwiseConv
from siam_tracker_ros.methods.lite.network import LiteNetwork, box_cover
from siam_tracker_ros.methods.lite.tracker import LiteSettings, LiteTracker


class PointingGraphs:
    """Answer with one confident cell, a box of a given size, moves of its edges and a mask, whatever they are shown."""

    runtime, precision, device = "numpy", "fp32", "cpu"

    def __init__(self, row, column, size=0.25, second=None, moves=(0, 0, 0, 0)):
        self.moves = np.array(moves, np.float32)
        self.score = np.full((16, 16), sigmoid(-9.0))
        self.score[row, column] = sigmoid(9.0)
        if second:
            self.score[second] = 0.5
        axis = (np.arange(16) + 0.5) / 16
        xs, ys = np.meshgrid(axis, axis)
        self.boxes = np.stack([xs, ys, np.full_like(xs, size), np.full_like(xs, size)])

    def call(self, function, *args):
        return function(*args)

    def encode_target(self, crop_bgr, box_cxcywh, middle_weights, fine_weights):
        return None, None, None

    def encode(self, crops_bgr):
        return (np.zeros((1, 1, 16, 16), np.float32),)

    def search(self, crop_bgr, kernels, gate):
        cells = np.concatenate([sigmoid(9.0) * self.score[None], self.boxes])[None].astype(np.float32)
        return cells, *self.encode(crop_bgr), None, None, None

    def refine(self, fused, middle, fine, fused_weights, middle_weights, fine_weights, extent):
        return (self.moves[None],)

    def segment(self, fused, middle, fine, box_cxcywh):
        return (torch.sigmoid((box_cover(torch.from_numpy(box_cxcywh), 128) - 0.5) * 18).numpy(),)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def textured(seed=0, size_wh=(160, 120)):
    return np.random.default_rng(seed).integers(0, 256, (size_wh[1], size_wh[0], 3), dtype=np.uint8)


def pointing_tracker(row, column, **settings):
    keywords = {name: settings.pop(name) for name in ("size", "second", "moves") if name in settings}
    return LiteTracker(PointingGraphs(row, column, **keywords), LiteSettings(**{"given_box_share": 0, **settings}))


@pytest.mark.parametrize("row, column", [(0, 0), (7, 7), (8, 8), (15, 3)])
def test_the_best_cell_becomes_a_box_in_the_frame(row, column):
    tracker = pointing_tracker(row, column, penalty_k=0, window_influence=0, lr=1)
    tracker.init(textured(), (70, 50, 20, 20))
    result = tracker.track(textured())
    # search region: 80 px round (80, 60), so a cell is 5 px and the region starts at (40, 20)
    expected = np.array([40 + (column + 0.5) * 5, 20 + (row + 0.5) * 5])
    np.testing.assert_allclose(xywh_to_cxcywh(result.box_xywh)[:2], expected, atol=0.51)
    np.testing.assert_allclose(result.box_xywh[2:], 20, atol=0.01)
    assert result.score > 0.99


@pytest.mark.parametrize("refines", [True, False])
def test_the_edges_of_the_found_box_move(refines):
    tracker = pointing_tracker(8, 8, penalty_k=0, lr=1, moves=(-0.1, 0.2, 0.3, 0.4), refines=refines)
    tracker.init(textured(), (70, 50, 20, 20))
    found = np.array([72.5, 52.5, 20, 20])  # the cell is 2.5 px right of and below the middle
    moved = found + [-0.1 * 20, 0.2 * 20, (0.3 + 0.1) * 20, (0.4 - 0.2) * 20]
    np.testing.assert_allclose(tracker.track(textured()).box_xywh, moved if refines else found, atol=0.01)


def test_moves_of_the_edges_do_not_add_up_over_frames():
    tracker = pointing_tracker(8, 8, lr=1, moves=(-0.1, -0.1, 0.1, 0.1))
    tracker.init(textured(), (70, 50, 20, 20))
    for _ in range(6):
        np.testing.assert_allclose(tracker.track(textured()).box_xywh[2:], 24, atol=0.01)


def test_a_hidden_target_keeps_the_box_that_was_shown():
    tracker = pointing_tracker(8, 8, lr=1, moves=(-0.1, -0.1, 0.1, 0.1), hold_score=0.3)
    tracker.init(textured(), (70, 50, 20, 20))
    shown = tracker.track(textured()).box_xywh
    tracker.network.score[:] = 0.01
    np.testing.assert_array_equal(tracker.track(textured()).box_xywh, shown)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_later_boxes_differ_from_what_is_found_as_the_given_one_did(share):
    tracker = pointing_tracker(8, 8, penalty_k=0, window_influence=0, lr=1, given_box_share=share)
    tracker.init(textured(), (68, 54, 24, 16))  # the network finds 1 / 4 of the region, a square
    ratio = np.array([24, 16]) / np.sqrt(24 * 16)
    found_wh = np.sqrt(24 * 16) * ratio**share
    np.testing.assert_allclose(tracker.track(textured()).box_xywh[2:], found_wh, rtol=0.03)


def test_a_given_box_that_is_unlike_what_is_found_says_nothing_of_later_ones():
    tracker = pointing_tracker(8, 8, size=0.6, penalty_k=0, window_influence=0, lr=1, given_box_share=0.5)
    tracker.init(textured(), (70, 50, 20, 20))
    np.testing.assert_allclose(tracker.track(textured()).box_xywh[2:], 0.6 * 80)


def test_score_is_the_product_before_window_and_penalty():
    tracker = pointing_tracker(2, 13, size=0.5, penalty_k=1.0, window_influence=0.2)
    tracker.init(textured(), (70, 50, 20, 20))
    assert tracker.track(textured()).score == pytest.approx(sigmoid(9.0) ** 2, abs=1e-6)


def test_the_window_prefers_the_centre_among_equals():
    tracker = pointing_tracker(1, 1, window_influence=0.5)
    tracker.network.score[8, 8] = sigmoid(9.0)
    tracker.init(textured(), (70, 50, 20, 20))
    center = xywh_to_cxcywh(tracker.track(textured()).box_xywh)[:2]
    assert np.abs(center - (80, 60)).max() < 4


def test_size_follows_by_the_learning_rate_whatever_the_score():
    tracker = pointing_tracker(8, 8, size=0.5, lr=0.5, penalty_k=0)
    tracker.network.score[8, 8] = 0.5
    tracker.init(textured(), (70, 50, 20, 20))
    np.testing.assert_allclose(tracker.track(textured()).box_xywh[2:], 20 + (40 - 20) * 0.5, atol=1e-3)


def test_peak_ratio_counts_only_other_peaks():
    alone, rivalled = pointing_tracker(8, 8), pointing_tracker(8, 8, second=(2, 2))
    for tracker in (alone, rivalled):
        tracker.init(textured(), (70, 50, 20, 20))
    assert alone.track(textured()).peak_ratio < 0.01
    assert rivalled.track(textured()).peak_ratio == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("row, column", [(2, 2), (7, 7), (8, 8), (13, 3)])
def test_the_mask_lies_in_the_frame_where_the_box_does(row, column):
    tracker = pointing_tracker(row, column, window_influence=0, lr=1)
    tracker.init(textured(), (70, 50, 20, 20))
    result = tracker.track(textured())
    assert result.mask.dtype == bool and result.mask.shape == (120, 160)
    rows, columns = np.nonzero(result.mask)
    x, y, w, h = np.round(result.box_xywh)
    found = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    np.testing.assert_allclose(found, [x, y, x + w, y + h], atol=1)
    np.testing.assert_allclose(result.polygon.min(0), [x, y], atol=2)


def test_a_hidden_target_has_an_empty_mask_and_keeps_its_box():
    tracker = pointing_tracker(7, 7, hold_score=1.0)
    tracker.init(textured(), (70, 50, 20, 20))
    result = tracker.track(textured())
    assert not result.mask.any() and result.mask.shape == (120, 160)
    np.testing.assert_allclose(result.box_xywh, (70, 50, 20, 20))
    np.testing.assert_allclose(result.polygon, [(70, 50), (90, 50), (90, 70), (70, 70)])


@pytest.mark.parametrize(
    "cells, corner_xy, side, expected_xyxy",
    [
        ((), (10, 10), 64, None),
        ((slice(0, 8), slice(0, 8)), (10, 20), 8, (10, 20, 18, 28)),  # a cell is a pixel, all of it
        ((slice(2, 6), slice(0, 8)), (10, 20), 80, (10, 40, 90, 80)),  # ten pixels a cell
        ((slice(2, 6), slice(0, 8)), (-40, 20), 80, (0, 40, 40, 80)),  # over the left edge
        ((slice(0, 8), slice(0, 8)), (500, 500), 80, None),
        ((slice(0, 8), slice(0, 8)), (-80, 0), 80, None),
        ((slice(0, 8), slice(0, 8)), (-1000, -1000), 4000, (0, 0, 100, 90)),
        ((slice(3, 4), slice(5, 6)), (10, 20), 8, (15, 23, 16, 24)),  # one pixel
    ],
)
def test_paint_mask_puts_cells_where_they_belong(cells, corner_xy, side, expected_xyxy):
    probability = np.zeros((8, 8), np.float32)
    if cells:
        probability[cells] = 1
    part, (left, top) = paint_mask(probability, 0.5, corner_xy, side, (100, 90))
    if expected_xyxy is None:
        assert not part.any()
        return
    mask = full_frame(part, (left, top), (100, 90))
    rows, columns = np.nonzero(mask)
    found = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    np.testing.assert_allclose(found, expected_xyxy, atol=max(0, side / 8 / 2 - 0.5) if side > 8 else 0)


def test_a_target_that_leaves_is_reported_outside_and_looked_for_at_the_edge():
    tracker = pointing_tracker(0, 0)
    tracker.init(textured(), (0, 0, 20, 20))
    for _ in range(20):
        result = tracker.track(textured())
    # from the search region round the frame's corner, (0, 0), its first cell lies 37.5 px further out
    np.testing.assert_allclose(xywh_to_cxcywh(result.box_xywh)[:2], -37.5, atol=0.51)


def test_a_target_that_leaves_the_frame_is_lost_however_high_its_score():
    session = TargetSession(pointing_tracker(0, 0), MonitorSettings())
    session.init(textured(), (0, 0, 20, 20), "1", "target")
    observations = [session.observe(textured()) for _ in range(MonitorSettings().lost_frames)]
    assert observations[-1].state == TargetState.LOST and observations[-1].box_xywh is None
    assert observations[-1].raw_score > 0.99


@pytest.fixture(scope="module")
def random_lite():
    return create_tracker("lite", weights="random")


def test_track_before_init_says_so():
    with pytest.raises(NotInitializedError, match="call init"):
        create_tracker("lite", weights="random", runtime="torch").track(textured())


def test_a_failed_init_keeps_the_target(random_lite):
    random_lite.init(textured(), (40, 30, 30, 20))
    expected = random_lite.track(textured(1)).box_xywh
    random_lite.init(textured(), (40, 30, 30, 20))
    with pytest.raises(InvalidInputError):
        random_lite.init(textured(), (40, 30, 0, 20))
    with pytest.raises(InvalidInputError):
        random_lite.track(None)
    np.testing.assert_array_equal(random_lite.track(textured(1)).box_xywh, expected)


def test_second_init_equals_a_fresh_one(random_lite):
    random_lite.init(textured(3), (10, 10, 60, 60))
    random_lite.track(textured(4))
    random_lite.init(textured(), (40, 30, 30, 20))
    fresh = create_tracker("lite", weights="random")
    fresh.init(textured(), (40, 30, 30, 20))
    for seed in range(1, 4):
        used, new = random_lite.track(textured(seed)), fresh.track(textured(seed))
        np.testing.assert_array_equal(used.box_xywh, new.box_xywh)
        assert used.score == new.score


@pytest.mark.parametrize(
    "size_wh, box",
    [
        ((1, 1), (0, 0, 1, 1)),
        ((160, 120), (0, 0, 1, 1)),
        ((160, 120), (-30, -30, 40, 40)),
        ((160, 120), (150, 110, 60, 60)),
        ((160, 120), (-200, -200, 600, 600)),
        ((160, 120), (5, 5, 100, 2)),
        ((17, 400), (5, 5, 100, 2)),
    ],
)
def test_odd_boxes_and_frames_give_finite_results(random_lite, size_wh, box):
    random_lite.init(textured(0, size_wh), box)
    for seed in range(3):
        result = random_lite.track(textured(seed, size_wh))
        assert np.isfinite(result.box_xywh).all()
        assert (result.box_xywh[2:] > 0).all()
        assert 0 <= result.score <= 1
        assert 0 <= result.peak_ratio <= 1


def test_the_frame_is_not_written_to(random_lite):
    image = textured()
    image.setflags(write=False)
    random_lite.init(image, (40, 30, 30, 20))
    random_lite.track(image)


def test_two_trackers_share_no_target():
    first, second = (create_tracker("lite", weights="random", runtime="torch") for _ in range(2))
    first.init(textured(), (40, 30, 30, 20))
    expected = first.track(textured(1)).box_xywh
    first.init(textured(), (40, 30, 30, 20))
    second.init(textured(5), (80, 60, 50, 50))
    second.track(textured(6))
    np.testing.assert_array_equal(first.track(textured(1)).box_xywh, expected)


def test_folding_norms_changes_no_answer():
    torch.manual_seed(0)
    network = LiteNetwork()
    torch.nn.init.normal_(network.refinement.moves[-1].weight, std=0.01)
    template_bgr, search_bgr = torch.rand(2, 3, 128, 128) * 255, torch.rand(2, 3, 256, 256) * 255
    in_template, box = torch.tensor([[0.5, 0.5, 0.5, 0.5]] * 2), torch.tensor([[0.5, 0.5, 0.3, 0.2]] * 2)

    def answers():
        template = network.encode_template(template_bgr, in_template)
        response = network(search_bgr, template)
        scores = response.classification, response.localization, response.box_cxcywh
        return *scores, network.refined(response, template, box), network.mask(response, box)

    network.train()
    with torch.no_grad():
        answers()  # moves the running statistics off 0 and 1
        network.eval()
        expected = answers()
        prepare_for_inference(network, torch.device("cpu"), torch.float32)
        assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in network.modules())
        assert not torch.equal(expected[3], box)
        for got, wanted in zip(answers(), expected, strict=True):
            torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "box, expected_sum",
    [
        ((0.5, 0.5, 1.0, 1.0), 64.0),
        ((0.5, 0.5, 0.5, 0.5), 16.0),
        ((0.5, 0.5, 0.1, 0.2), 64 * 0.02),
        ((0.0, 0.0, 0.5, 0.5), 4.0),
        ((2.0, 2.0, 0.5, 0.5), 0.0),
        ((0.5, 0.5, 3.0, 3.0), 64.0),
    ],
)
def test_box_cover_counts_the_covered_cells(box, expected_sum):
    cover = box_cover(torch.tensor([box]))
    assert cover.shape == (1, 1, 8, 8)
    assert cover.sum().item() == pytest.approx(expected_sum, abs=1e-4)
    assert 0 <= cover.min() and cover.max() <= 1 + 1e-6


@pytest.mark.parametrize("learns, dtype", [(True, torch.float32), (False, torch.bfloat16)])
def test_depthwise_layers_learn_in_the_precision_of_their_weights_on_a_cpu(learns, dtype):
    layer = DepthwiseConv(4, 5)
    x = torch.rand(2, 4, 8, 8, requires_grad=learns)
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(x)
    assert y.dtype == dtype and y.shape == x.shape
    torch.testing.assert_close(y.float(), layer(x), rtol=0, atol=0 if learns else 0.02)


def test_all_of_lites_depthwise_layers_do():
    grouped = [layer for layer in LiteNetwork().modules() if isinstance(layer, torch.nn.Conv2d) and layer.groups > 1]
    assert grouped and all(isinstance(layer, DepthwiseConv) for layer in grouped)
