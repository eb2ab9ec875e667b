# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The rules of SiamRPN++ and SiamMask on answers made up for each, and their odd cases."""

import cv2
import numpy as np
import pytest
import torch

from siam_tracker_ros import create_tracker
from siam_tracker_ros.core.mask_shape import full_frame, largest_contour, smallest_rectangle, upright_bounds, warp_mask
from siam_tracker_ros.core.network import Network
from siam_tracker_ros.errors import InvalidSettingError
from siam_tracker_ros.geometry import order_corners, xywh_to_corners, xywh_to_cxcywh
from siam_tracker_ros.layers.alexnet import AlexNet
from siam_tracker_ros.layers.correlation import depthwise_correlation
from siam_tracker_ros.layers.mobilenet_v2 import WideMobileNetV2
from siam_tracker_ros.layers.resnet import ResNet50
from siam_tracker_ros.methods import siammask, siamrpn
from siam_tracker_ros.methods.siammask.network import Response
from siam_tracker_ros.methods.siammask.tracker import PySOTSiamMaskTracker, SiamMaskSettings, SiamMaskTracker
from siam_tracker_ros.methods.siamrpn.network import SiamRPNAlex, SiamRPNMobileNetV2, SiamRPNResNet50LongTerm
from siam_tracker_ros.methods.siamrpn.rpn import RegionProposals
from siam_tracker_ros.methods.siamrpn.tracker import SiamRPNSettings, SiamRPNTracker
from siam_tracker_ros.settings import settings_of

pytestmark = pytest.mark.slow

MODELS = (*siamrpn.METHODS, *siammask.METHODS)
SQUARE = 2  # number of the anchor of 64 x 64 pixels


def textured(seed=0, size_wh=(160, 120)):
    return np.random.default_rng(seed).integers(0, 256, (size_wh[1], size_wh[0], 3), dtype=np.uint8)


class PointingNetwork(Network):
    """Answers with one cell of one anchor, whatever it is shown; scores follow each other frame by frame."""

    def __init__(self, row, column, scores=(0.999,), offset=(0, 0, 0, 0), cells=25):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.row, self.column, self.offset = row, column, offset
        self.scores, self.asked = list(scores), []
        self.cells = cells

    def encode_template(self, image_bgr):
        return []

    def features(self, image_bgr):
        return [image_bgr]

    def propose(self, features, kernels):
        (image_bgr,) = features
        score = self.scores[min(len(self.asked), len(self.scores) - 1)]
        self.asked.append(image_bgr.shape[-1])
        cells = (image_bgr.shape[-1] - 127) // 8 + 9
        shift = (cells - 25) // 2
        logits = torch.zeros(1, 2, 5, cells, cells)
        logits[:, 0] = 12.0
        logits[0, :, SQUARE, self.row + shift, self.column + shift] = torch.tensor([0, np.log(score / (1 - score))])
        offsets = torch.zeros(1, 4, 5, cells, cells)
        offsets[0, :, SQUARE, self.row + shift, self.column + shift] = torch.tensor(self.offset, dtype=torch.float32)
        return logits.flatten(1, 2), offsets.flatten(1, 2)


def pointing_tracker(network, **settings):
    tracker = SiamRPNTracker(network, SiamRPNSettings(**{"penalty_k": 0, "window_influence": 0, "lr": 1, **settings}))
    tracker.init(textured(), (70, 50, 20, 20))
    return tracker


@pytest.mark.parametrize("row, column", [(12, 12), (10, 15), (14, 9)])
def test_the_best_anchor_becomes_a_box_in_the_frame(row, column):
    result = pointing_tracker(PointingNetwork(row, column)).track(textured())
    # 127 pixels of the template show 40 of the frame, so a cell is 8 * 40 / 127 and the anchor 64 * 40 / 127
    expected = np.array([80 + (column - 12) * 8 * 40 / 127, 60 + (row - 12) * 8 * 40 / 127])
    np.testing.assert_allclose(xywh_to_cxcywh(result.box_xywh)[:2], expected)
    np.testing.assert_allclose(result.box_xywh[2:], 20 * 0.001 + 0.999 * 64 * 40 / 127)
    assert result.score == pytest.approx(0.999)


def test_the_reported_score_is_neither_penalized_nor_windowed():
    network = PointingNetwork(12, 16, scores=(0.9,), offset=(0, 0, 0.5, -0.5))
    result = pointing_tracker(network, penalty_k=0.1, window_influence=0.2).track(textured())
    assert result.score == pytest.approx(0.9)


def test_a_short_term_target_is_never_lost():
    network = PointingNetwork(12, 14, scores=(0.1, 0.1))
    tracker = pointing_tracker(network)
    boxes = [tracker.track(textured()).box_xywh for _ in range(2)]
    assert network.asked == [255, 255] and not np.allclose(boxes[0], boxes[1])


def test_a_lost_target_is_searched_for_in_a_larger_region_until_it_is_surely_found():
    network = PointingNetwork(12, 14, scores=(0.9, 0.79, 0.9, 0.997, 0.9985, 0.9))
    tracker = pointing_tracker(network, long_term=True)
    boxes = np.stack([tracker.track(textured()).box_xywh for _ in range(6)])
    assert network.asked == [255, 255, 831, 831, 831, 255]
    moved = np.abs(np.diff(boxes, axis=0)).max(1) > 0
    assert list(moved) == [False, True, True, True, True], "below the low threshold the box stays, else it moves"


def test_a_new_target_is_not_lost():
    network = PointingNetwork(12, 12, scores=(0.1, 0.1, 0.999))
    tracker = pointing_tracker(network, long_term=True)
    tracker.track(textured())
    tracker.init(textured(), (70, 50, 20, 20))
    tracker.track(textured())
    assert network.asked == [255, 255]


def test_a_long_term_target_may_leave_the_frame_and_is_reported_on_its_edge():
    network = PointingNetwork(12, 12, offset=(3, 0, 0, 0))
    tracker = pointing_tracker(network, long_term=True)
    centers = np.stack([xywh_to_cxcywh(tracker.track(textured()).box_xywh)[:2] for _ in range(5)])
    assert centers[-1, 0] == 160
    network.offset = (-3, 0, 0, 0)
    back = xywh_to_cxcywh(tracker.track(textured()).box_xywh)[0]
    assert back == 160, "it was further out than its edge"


@pytest.mark.parametrize("long_term", [False, True])
@pytest.mark.parametrize("size", [-2000, -88, -20, 20, 88, 2000])
def test_absurd_answers_leave_the_target_finite(long_term, size):
    for other in (size, -size, 0):
        network = PointingNetwork(12, 12, offset=(1e20, -1e20, size, other))
        tracker = pointing_tracker(network, long_term=long_term, penalty_k=0)
        for _ in range(3):
            result = tracker.track(textured())
            assert np.isfinite(result.box_xywh).all() and 0 <= result.score <= 1
            assert (result.box_xywh[2:] >= 10).all()


@pytest.mark.parametrize("name", ["search_side", "lost_search_side"])
@pytest.mark.parametrize("side", [254, 256, 1000])
def test_a_search_side_that_the_strides_do_not_fit_is_refused(name, side):
    with pytest.raises(InvalidSettingError, match=f"{name} is {side}, expected 127 and a multiple of 8 more"):
        SiamRPNSettings(**{name: side})


def test_the_tracker_takes_the_number_of_cells_from_the_network():
    network = PointingNetwork(12, 12)
    pointing_tracker(network, search_side=303).track(textured())
    assert network.asked == [303]


class MaskNetwork(PointingNetwork):
    """The same with a mask: an ellipse, turned by 30 degrees, in the window of the cell."""

    def __init__(self, *arguments, axes=(40, 16), **keywords):
        super().__init__(*arguments, **keywords)
        mask = cv2.ellipse(np.zeros((127, 127), np.uint8), (63, 63), axes, 30, 0, 360, 1, -1)
        self.mask_logits = torch.from_numpy(mask)[None].float() * 20 - 10

    def forward(self, image_bgr, template):
        features = self.features(image_bgr)
        return Response(*self.propose(features, template), features)

    def mask(self, response, template, row, column):
        assert (row, column) == (self.row, self.column)
        return self.mask_logits


def mask_tracker(network, tracker_class=SiamMaskTracker, box_xywh=(140, 90, 40, 60), **settings):
    tracker = tracker_class(network, SiamMaskSettings(**settings))
    tracker.init(textured(size_wh=(320, 240)), box_xywh)
    return tracker


def shape_of(mask):
    return largest_contour(mask, (0, 0))


@pytest.mark.parametrize("tracker_class", [SiamMaskTracker, PySOTSiamMaskTracker])
@pytest.mark.parametrize("row, column", [(12, 12), (4, 20)])
def test_the_mask_lies_in_the_window_of_its_cell(tracker_class, row, column):
    tracker = mask_tracker(MaskNetwork(row, column), tracker_class)
    result = tracker.track(textured(1, (320, 240)))
    assert result.mask.shape == (240, 320) and result.mask.dtype == bool
    side = np.sqrt(90 * 110)  # of the frame that the template shows
    center_yx = np.argwhere(result.mask).mean(0)
    np.testing.assert_allclose(
        center_yx, np.array([120, 160]) + np.array([row - 12, column - 12]) * 8 * side / 127, atol=2
    )
    assert abs(result.mask.sum() - np.pi * 40 * 16 * (side / 127) ** 2) < 0.1 * result.mask.sum()


def test_box_generations():
    results = {
        generation: mask_tracker(MaskNetwork(12, 13), box_generation=generation).track(textured(1, (320, 240)))
        for generation in ("released", "axis_aligned", "rotated")
    }
    masks = [result.mask for result in results.values()]
    assert (masks[0] == masks[1]).all() and (masks[0] == masks[2]).all()
    ys, xs = np.nonzero(masks[0])
    bounds = np.array([xs.min(), ys.min(), xs.max() + 1 - xs.min(), ys.max() + 1 - ys.min()], float)
    np.testing.assert_array_equal(results["axis_aligned"].box_xywh, bounds)
    np.testing.assert_array_equal(results["axis_aligned"].polygon, xywh_to_corners(bounds))
    np.testing.assert_array_equal(results["rotated"].polygon, results["released"].polygon)
    w, h = results["rotated"].box_xywh[2:] - 1
    sides = np.linalg.norm(np.diff(results["rotated"].polygon, axis=0), axis=1)
    assert w * h == pytest.approx(sides[0] * sides[1])
    np.testing.assert_allclose(
        xywh_to_cxcywh(results["rotated"].box_xywh)[:2], results["rotated"].polygon.mean(0), atol=1e-6
    )
    assert not np.allclose(results["released"].box_xywh, results["rotated"].box_xywh, atol=1)


@pytest.mark.parametrize("generation", ["axis_aligned", "rotated"])
def test_the_next_search_does_not_depend_on_the_generation(generation):
    network = MaskNetwork(11, 13)
    one, other = mask_tracker(network), mask_tracker(network, box_generation=generation)
    for seed in range(3):
        masks = [tracker.track(textured(seed, (320, 240))).mask for tracker in (one, other)]
        np.testing.assert_array_equal(*masks)


@pytest.mark.parametrize("generation", ["released", "axis_aligned", "rotated"])
@pytest.mark.parametrize("tracker_class, clips", [(SiamMaskTracker, False), (PySOTSiamMaskTracker, True)])
def test_without_a_mask_the_polygon_is_the_regressions(tracker_class, clips, generation):
    network = MaskNetwork(12, 24, axes=(2, 2), offset=(2, 0, 3, 0))  # right of the frame, and wider
    settings = {"penalty_k": 0, "window_influence": 0, "box_generation": generation}
    tracker = mask_tracker(network, tracker_class, (300, 90, 40, 60), **settings)
    result = tracker.track(textured(1, (320, 240)))
    corners = xywh_to_corners(result.box_xywh)
    assert result.box_xywh[2] == 320, "the box is clipped"
    assert np.allclose(result.polygon, corners) == clips
    if not clips:
        assert np.ptp(result.polygon[:, 0]) > 320


@pytest.mark.parametrize("threshold, fewer", [(0.0, False), (1.0, True)])
def test_the_mask_threshold_is_strict(threshold, fewer):
    result = mask_tracker(MaskNetwork(12, 12), PySOTSiamMaskTracker, mask_threshold=threshold).track(
        textured(1, (320, 240))
    )
    assert result.mask.any() != fewer and not result.mask.all()


@pytest.mark.parametrize("size_wh", [(320, 240), (333, 77), (64, 500), (3, 2), (1, 1)])
@pytest.mark.parametrize("corner, side", [((-22.3, 101.7), 84.6), ((250, 180), 140), ((-500, 0), 90), ((1, 1), 2.5)])
@pytest.mark.parametrize("border", [0.0, -1.0])
def test_only_where_the_window_lies_is_warped_and_nothing_is_missing(size_wh, corner, side, border):
    mask = np.random.default_rng(0).random((63, 63), dtype=np.float32)
    part, first_xy = warp_mask(mask, corner, side, size_wh, border)
    width, height = size_wh
    zoom = 63 / side
    a, b = (width - 1) / (width * zoom), (height - 1) / (height * zoom)
    whole = cv2.warpAffine(
        mask, np.array([[a, 0, a * corner[0] * zoom], [0, b, b * corner[1] * zoom]]), size_wh, borderValue=border
    )
    ours = np.full((height, width), border, np.float32)
    ours[first_xy[1] : first_xy[1] + part.shape[0], first_xy[0] : first_xy[0] + part.shape[1]] = part
    np.testing.assert_array_equal(ours, whole)
    np.testing.assert_array_equal(full_frame(part > 0.3, first_xy, size_wh), whole > 0.3)


@pytest.mark.parametrize("step", [1, -1])
@pytest.mark.parametrize("first", range(4))
@pytest.mark.parametrize(
    "corners",
    [[(0, 0), (9, 0), (9, 5), (0, 5)], [(3, 0), (9, 4), (6, 9), (0, 5)], [(-8, -2), (1, -9), (4, -4), (-5, 3)]],
)
def test_corners_are_ordered(corners, first, step):
    turned = np.roll(corners, first, axis=0)[::step]
    np.testing.assert_array_equal(order_corners(turned), corners)


def test_the_largest_part_gives_the_shape():
    mask = np.zeros((100, 200), bool)
    mask[10:20, 10:20] = True
    mask[40:61, 50:111] = True
    contour = shape_of(mask)
    np.testing.assert_array_equal(upright_bounds(contour), (50, 40, 61, 21))
    np.testing.assert_allclose(smallest_rectangle(contour), [[50, 40], [110, 40], [110, 60], [50, 60]], atol=1e-4)
    np.testing.assert_array_equal(largest_contour(mask[30:], (7, 30)), contour + (7, 0))


@pytest.mark.parametrize("side, has_shape", [(0, False), (1, False), (11, False), (12, True)])
def test_a_small_part_has_no_shape(side, has_shape):
    mask = np.zeros((50, 50), bool)
    mask[20 : 20 + side, 20 : 20 + side] = True  # its outline encloses (side - 1) ** 2
    assert (shape_of(mask) is not None) == has_shape
    assert largest_contour(np.empty((0, 0), bool), (0, 0)) is None


@pytest.mark.parametrize(
    "backbone, sizes",
    [
        (AlexNet, {127: [(256, 6)], 287: [(256, 26)]}),
        (WideMobileNetV2, {127: [(44, 63), (22, 63), (33, 31), (44, 15), (89, 15), (134, 15), (224, 15), (448, 15)]}),
        (ResNet50, {127: [(64, 61), (256, 31), (512, 15), (1024, 15), (2048, 15)], 831: [(64, 413), (256, 207)]}),
    ],
)
def test_sizes_of_features(backbone, sizes):
    with torch.device("meta"):
        network = backbone()
        for side, expected in sizes.items():
            features = network(torch.empty(1, 3, side, side))
            assert [(map.shape[1], map.shape[3]) for map in features][: len(expected)] == expected


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_each_sample_is_correlated_with_its_own_kernel(layout):
    search, kernel = (torch.randn(3, 8, side, side).to(memory_format=layout) for side in (9, 5))
    together = depthwise_correlation(search, kernel)
    shared = depthwise_correlation(search, kernel[1:2])
    torch.testing.assert_close(shared[1], together[1])
    for index in range(3):
        alone = depthwise_correlation(search[index : index + 1], kernel[index : index + 1])
        torch.testing.assert_close(alone, together[index : index + 1])
    by_hand = (search[0, 2, 3:8, 1:6] * kernel[0, 2]).sum()
    torch.testing.assert_close(together[0, 2, 3, 1], by_hand)


def test_levels_are_averaged_as_their_weights_say():
    heads = {weighted: RegionProposals((8, 8, 8), weighted).eval() for weighted in (True, False)}
    heads[True].load_state_dict(heads[False].state_dict(), strict=False)
    features = [torch.randn(1, 8, 9, 9) for _ in range(3)]
    template = [feature[:, :, :5, :5] for feature in features]
    with torch.inference_mode():
        plain, equal = (head(features, head.encode_template(template)) for head in (heads[False], heads[True]))
        torch.testing.assert_close(plain, equal)
        heads[True].classification_weight.copy_(torch.tensor([0.0, 100.0, 0.0]))
        only = heads[True](features, heads[True].encode_template(template))[0]
        level = heads[True].levels[1].classification
        torch.testing.assert_close(only, level(features[1], level.encode_template(template[1])))


@pytest.mark.parametrize("network_class", [SiamRPNAlex, SiamRPNMobileNetV2, SiamRPNResNet50LongTerm])
def test_weights_of_another_network_pick_the_usual_variant(network_class):
    foreign = {"neck.0.0.weight": torch.empty(9, 1), "weight": torch.empty(3)}
    with torch.device("meta"):
        states = [network_class.for_state(state).state_dict() for state in ({}, foreign)]
    assert states[0].keys() == states[1].keys()


@pytest.mark.parametrize("info", MODELS, ids=lambda info: info.name)
def test_presets_are_settings_in_range(info):
    ranges = settings_of(info.tracker_class.settings_class)
    for preset in (info.defaults, *info.presets.values()):
        assert preset.keys() <= ranges.keys()
        settings = info.tracker_class.settings_class(**{**info.defaults, **preset})
        assert settings.penalty_k <= 1 and settings.window_influence <= 1 and settings.lr <= 1


ODD_BOXES = [(-300, -200, 420, 260), (3, 3, 1, 1), (-39, 20, 40.5, 1), (80, 60, 1, 60), (0, 0, 64, 48)]


@pytest.mark.parametrize(
    "model, boxes", [("siamrpn_alex", 5), ("siamrpn_mobilev2", 2), ("siammask_r50", 2), ("siammask_base", 2)]
)
def test_random_weights_follow_odd_targets_without_a_nan(model, boxes):
    tracker = create_tracker(model, weights="random", device="cpu")
    for seed, box in enumerate(ODD_BOXES[:boxes]):
        tracker.init(textured(seed), box)
        for size_wh in ((64, 48), (1, 1)):
            result = tracker.track(textured(seed, size_wh))
            assert np.isfinite(result.box_xywh).all() and np.isfinite(result.score)
            if result.mask is not None:
                assert result.mask.shape == size_wh[::-1] and np.isfinite(result.polygon).all()
