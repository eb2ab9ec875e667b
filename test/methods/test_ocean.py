# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch

from siam_tracker_ros import create_tracker
from siam_tracker_ros.core.network import Network
from siam_tracker_ros.core.registry import find_model
from siam_tracker_ros.executors.device import prepare_for_inference
from siam_tracker_ros.geometry import ltrb_to_cxcywh
from siam_tracker_ros.methods.ocean.method import METHODS, PRESETS
from siam_tracker_ros.methods.ocean.network import OceanNetwork, Response, alignment_offset, cell_pixels, response_cells
from siam_tracker_ros.methods.ocean.tracker import OceanSettings, OceanTracker
from siam_tracker_ros.settings import settings_of

pytestmark = pytest.mark.slow

PLAIN = {"penalty_k": 0.0, "window_influence": 0.0}


class PointingNetwork(Network):
    """Answers with one confident cell and a box of given distances there, whatever it is shown."""

    def __init__(self, row, column, ltrb=(20.0, 20.0, 20.0, 20.0), alignment=None, elsewhere=None):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.cell, self.ltrb, self.alignment, self.elsewhere = (row, column), ltrb, alignment, elsewhere
        self.aligned = []

    def encode_template(self, image_bgr):
        return image_bgr

    def features(self, image_bgr):
        return image_bgr

    def respond(self, features, template, search_side, align=True):
        self.aligned.append(align)
        cells = response_cells(search_side)
        classification = torch.full((1, 1, cells, cells), -9.0)
        classification[0, 0, self.cell[0], self.cell[1]] = 9.0
        boxes = torch.tensor(self.elsewhere or self.ltrb)[None, :, None, None].repeat(1, 1, cells, cells)
        boxes[0, :, self.cell[0], self.cell[1]] = torch.tensor(self.ltrb)
        alignment = torch.full_like(classification, self.alignment) if self.alignment is not None else None
        return Response(classification, boxes, alignment)


def textured(size_wh=(160, 120), seed=0):
    return np.random.default_rng(seed).integers(0, 256, (size_wh[1], size_wh[0], 3), dtype=np.uint8)


def pointing_tracker(network, **settings):
    return OceanTracker(network, OceanSettings(**settings))


@pytest.mark.parametrize("row, column", [(0, 0), (12, 12), (13, 12), (24, 3)])
def test_the_best_cell_becomes_a_box(row, column):
    tracker = pointing_tracker(PointingNetwork(row, column), lr=1.0, **PLAIN)
    tracker.init(textured(), (70, 50, 20, 20))
    result = tracker.track(textured())
    scale = 127 / 40  # the template's crop shows 40 pixels
    center = [80 + (column - 12) * 8 / scale, 60 + (row - 12) * 8 / scale]
    expected = np.clip(center, 0, (160, 120))
    size = 20 + (40 / scale - 20) * float(torch.sigmoid(torch.tensor(9.0))) ** 2
    np.testing.assert_allclose(result.box_xywh[2:], size, rtol=1e-6)
    np.testing.assert_allclose(result.box_xywh[:2], expected - size / 2, atol=1e-4)
    assert result.score == pytest.approx(float(torch.sigmoid(torch.tensor(9.0))))


@pytest.mark.parametrize("name", ["ocean", "ocean_online"])
@pytest.mark.parametrize(
    "box, written",
    [
        ((10, 20, 30, 40), (10, 20, 30, 40)),
        ((-3.5, 20, 30, 40), (0, 20, 30, 40)),
        ((-3, -0.5, 30, 40), (0, 0, 30, 40)),
        ((700, 900, 30, 40), (700, 900, 30, 40)),
        ((np.nan,) * 4, (np.nan,) * 4),
    ],
)
def test_result_files_have_the_corners_of_the_authors(name, box, written):
    np.testing.assert_array_equal(find_model(name).result_boxes(np.array([box])), [written])


@pytest.mark.parametrize("times, expected", [(1, 0.5), (2, 0.25)])
def test_size_is_smoothed_once_or_twice(times, expected):
    tracker = pointing_tracker(PointingNetwork(12, 12, (40.0,) * 4), lr=0.5, size_smoothing=times, **PLAIN)
    tracker.init(textured(), (70, 50, 20, 20))
    width = tracker.track(textured()).box_xywh[2]
    found = 80 * 40 / 127
    assert (width - 20) / (found - 20) == pytest.approx(expected, rel=1e-3)


def test_the_penalty_prefers_the_old_size():
    network = PointingNetwork(12, 12, (200.0, 1.0, 200.0, 1.0), elsewhere=(31.75,) * 4)
    free, strict = (pointing_tracker(network, penalty_k=k, window_influence=0.0, lr=0.0) for k in (0.0, 1.0))
    for tracker, best in ((free, True), (strict, False)):
        tracker.init(textured(), (70, 50, 20, 20))
        assert (tracker.track(textured()).score > 0.9) == best


def test_the_window_decides_between_equals():
    tracker = pointing_tracker(PointingNetwork(0, 0), penalty_k=0.0, window_influence=1.0)
    tracker.init(textured(), (70, 50, 20, 20))
    result = tracker.track(textured())
    np.testing.assert_allclose(result.box_xywh[:2] + result.box_xywh[2:] / 2, (80, 60), atol=1e-6)


@pytest.mark.parametrize("ratio, expected", [(1.0, 0.99988), (0.75, 0.75 * 0.99988 + 0.125), (0.0, 0.5)])
def test_ratio_weighs_the_usual_classification(ratio, expected):
    network = PointingNetwork(12, 12, alignment=0.0)
    tracker = pointing_tracker(network, ratio=ratio, **PLAIN)
    tracker.init(textured(), (70, 50, 20, 20))
    score = tracker.track(textured()).score
    assert network.aligned == [ratio < 1]
    if ratio < 1:
        assert score == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    "box, expected", [((10, 10, 8, 8), 271), ((10, 10, 9, 9), 255), ((10, 10, 6, 12), 271), ((10, 10, 77, 1), 255)]
)
def test_small_targets_get_a_larger_search_crop(box, expected):
    tracker = pointing_tracker(PointingNetwork(12, 12))
    tracker.init(textured((160, 120)), box)  # 0.004 of the frame is 76.8 pixels
    assert tracker._target.search_side == expected
    tracker.track(textured())
    tracker.track(textured())
    assert tracker._target.search_side == expected


def test_blend_changes_the_choice_and_nothing_else():
    tracker = pointing_tracker(PointingNetwork(3, 3), lr=0.0, **PLAIN)
    tracker.init(textured(), (70, 50, 20, 20))

    def other(response):
        assert response.shape == (25, 25)
        response = np.zeros_like(response)
        response[12, 14] = 1
        return response

    target, result = tracker.follow(textured(), tracker._target, blend=other)
    assert result.score < 0.01
    np.testing.assert_allclose(target.box_cxcywh, (80 + 2 * 8 * 40 / 127, 60, 20, 20), atol=1e-9)


@pytest.mark.parametrize("side", range(127, 512, 4))
def test_response_cells_agree_with_the_backbone(side):
    stem = (side - 7) // 2 + 1
    pooled = (stem - 1) // 2 + 1
    assert response_cells(side) == (pooled - 3) // 2 + 1 - 6


def test_cells_lie_around_the_middle_pixel():
    assert cell_pixels(25).tolist() == list(range(-96, 97, 8))


def test_distances_become_boxes():
    box = ltrb_to_cxcywh(np.array([[1.0, 2.0, 5.0, 2.0]]), np.array([[10.0, 20.0]]))
    np.testing.assert_array_equal(box, [[12, 20, 6, 4]])


def test_alignment_spans_the_box():
    """The outer taps lie on the box's sides, a pixel apart from its size, and the middle one in its centre."""
    ltrb = torch.tensor([24.0, 8.0, 40.0, 24.0], dtype=torch.float64)[None, :, None, None].expand(1, 4, 25, 25)
    offset = alignment_offset(ltrb, 255).reshape(3, 3, 2, 25, 25)[..., 12, 12]
    at = offset + torch.stack(torch.meshgrid(torch.arange(-1, 2), torch.arange(-1, 2), indexing="ij"), -1)
    torch.testing.assert_close(at[1, 1], torch.tensor([8.0, 8.0], dtype=torch.float64) / 8 - 1 / 16)
    span = at[2, 2] - at[0, 0]
    torch.testing.assert_close(span, torch.tensor([33.0, 65.0], dtype=torch.float64) / 8)


@pytest.mark.parametrize("align", [True, False])
def test_the_state_decides_on_the_alignment_head(align):
    with torch.device("meta"):
        state = OceanNetwork(align).state_dict()
        assert (OceanNetwork.for_state(state).alignment is not None) == align
        assert OceanNetwork.for_state({}).alignment is not None


@pytest.mark.parametrize("name", ["OTB2015", "otb-15", "OTB_100", "otb"])
def test_a_benchmark_has_many_names(name):
    assert create_tracker("ocean", weights="random", preset=name).settings == OceanSettings(**PRESETS["otb2015"])


def test_presets_are_settings_in_range():
    (info,) = METHODS
    assert info.presets is PRESETS
    for preset in PRESETS.values():
        assert preset.keys() == settings_of(OceanSettings).keys()
        for name, value in vars(OceanSettings(**preset)).items():
            rule = settings_of(OceanSettings)[name].rule
            assert rule.low <= value <= rule.high
            assert isinstance(value, (int, float))
    assert info.count_parameters() == 26_459_217


@pytest.fixture(scope="module")
def random_network():
    torch.manual_seed(0)
    return prepare_for_inference(OceanNetwork(), torch.device("cpu"), torch.float32)


ODD_BOXES = [(0, 0, 1, 1), (-300, -200, 310, 205), (50, 40, 1, 60), (-400, -280, 900, 600), (95.5, 63.5, 8, 3)]


@pytest.mark.parametrize("box", ODD_BOXES)
def test_odd_boxes_stay_finite(random_network, box):
    tracker = OceanTracker(random_network, OceanSettings())
    tracker.init(textured((96, 64)), box)
    for seed in range(2):
        result = tracker.track(textured((96, 64), seed))
        assert np.isfinite(result.box_xywh).all()
        assert (result.box_xywh[2:] >= 10).all()
        assert 0 <= result.score <= 1
        assert 0 <= result.peak_ratio <= 1


@pytest.mark.parametrize("exponent", [-1e4, 1e4])
@pytest.mark.filterwarnings("error")
def test_boxes_out_of_all_bounds_stay_finite(random_network, exponent):
    bias = random_network.box_bias.detach().clone()
    try:
        random_network.box_bias += exponent
        tracker = OceanTracker(random_network, OceanSettings(penalty_k=0.0))
        tracker.init(textured((96, 64)), (30, 20, 20, 20))
        result = tracker.track(textured((96, 64)))
        assert np.isfinite(result.box_xywh).all()
        assert np.isfinite(result.score)
    finally:
        random_network.box_bias.copy_(bias)


def test_double_precision():
    network = OceanNetwork(align=False)
    tracker = OceanTracker(network.double().eval(), OceanSettings())
    tracker.init(textured(), (70, 50, 20, 20))
    assert tracker._target.template.regression[0].dtype == torch.float64
    assert np.isfinite(tracker.track(textured()).box_xywh).all()
