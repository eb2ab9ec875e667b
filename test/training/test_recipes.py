# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The training recipes where the authors' numbers do not reach: odd boxes, empty batches, steps that must not be."""

import math
import random

import cv2
import numpy as np
import pytest
import torch
from published_recipes import RECIPES
from torch import nn

from siam_tracker_ros.errors import InvalidInputError, InvalidSettingError
from siam_tracker_ros.methods.gradnet import training as gradnet_training
from siam_tracker_ros.methods.gradnet.network import GradNetNetwork
from siam_tracker_ros.methods.ocean import training as ocean_losses
from siam_tracker_ros.methods.ocean.network import OceanNetwork, Response
from siam_tracker_ros.methods.siammask import training as siammask_training
from siam_tracker_ros.methods.siammask.network import SiamMask
from siam_tracker_ros.methods.siammask.training import siammask_pair
from siam_tracker_ros.methods.siamrpn.anchor_targets import PYSOT_RULES, SIAMMASK_RULES, anchor_targets, search_anchors
from siam_tracker_ros.methods.siamrpn.training import classification_loss
from siam_tracker_ros.training import augmentation
from siam_tracker_ros.training import recipe as recipes
from siam_tracker_ros.training.augmentation import Augmentation
from siam_tracker_ros.training.pairs import Drawn, PreparedCrop, draw_frames, draw_round
from siam_tracker_ros.training.schedules import Schedule, WarmUp

BOTH_RULES = pytest.mark.parametrize("rules", [PYSOT_RULES, SIAMMASK_RULES], ids=["pysot", "siammask"])
ODD_BOXES = {
    "a pixel": (127, 127, 128, 128),
    "a line": (0, 127, 255, 127.5),
    "everything": (-500, -500, 800, 800),
    "outside": (-900, -900, -800, -850),
    "in a corner": (240, 240, 300, 300),
}


def draw(number=0):
    return np.random.RandomState(number)


@BOTH_RULES
@pytest.mark.parametrize("box", ODD_BOXES.values(), ids=ODD_BOXES)
@pytest.mark.parametrize("negative", [False, True])
def test_odd_boxes_have_targets_that_can_be_learned(box, negative, rules):
    found = anchor_targets(box, 25, rules, draw(), negative=negative)
    assert np.isfinite(found.offset).all()
    targets, background = (found.label == 1).sum(), (found.label == 0).sum()
    assert targets <= 16 and targets + background <= 64
    if negative:
        assert targets == 0 and background <= 16 and not found.weight.any()
    assert found.weight.sum() == pytest.approx(1 if targets else 0, abs=1e-5)
    assert ((found.weight > 0) == (found.label == 1)).all()


@pytest.mark.parametrize("box", [(5, 5, 5, 9), (5, 9, 9, 5), (math.nan, 0, 1, 1)])
def test_a_box_without_area_is_refused(box):
    with pytest.raises(InvalidInputError, match="x1 < x2"):
        anchor_targets(box, 25, PYSOT_RULES, draw())


def test_background_fills_up_in_siammask_alone():
    box = (95, 95, 159, 159)
    counts = {rules: [(anchor_targets(box, 25, rules, draw()).label == kind).sum() for kind in (1, 0)]
              for rules in (PYSOT_RULES, SIAMMASK_RULES)}  # fmt: skip
    (targets, background), (same, more) = counts.values()
    assert 0 < targets == same < 16
    assert background == 48 and more == 64 - targets


@pytest.mark.parametrize("center, cell", [((127, 127), (13, 13)), ((71, 143), (15, 6)), ((30, 220), (25, 1))])
def test_negative_anchors_lie_around_the_other_object_in_pysot(center, cell):
    """One cell further down and right than the object, as in the authors' code, and within the response."""
    cx, cy = center
    found = anchor_targets((cx - 30, cy - 20, cx + 30, cy + 20), 25, PYSOT_RULES, draw(), negative=True)
    row, column = cell
    _, rows, columns = np.nonzero(found.label == 0)
    assert len(rows) == 16
    assert np.abs(rows - row).max() <= 3 and np.abs(columns - column).max() <= 3
    around_middle = anchor_targets((cx - 30, cy - 20, cx + 30, cy + 20), 25, SIAMMASK_RULES, draw(), negative=True)
    _, rows, columns = np.nonzero(around_middle.label == 0)
    assert rows.min() >= 9 and rows.max() <= 15 and columns.min() >= 9 and columns.max() <= 15


@BOTH_RULES
def test_the_given_generator_alone_decides(rules):
    box = (60, 112, 183, 145)
    first, again, other = (anchor_targets(box, 25, rules, draw(number)).label for number in (1, 1, 2))
    assert (first == again).all() and (first != other).any()


def test_offsets_lead_every_anchor_to_the_box():
    box = np.array([80.5, 60.0, 171.0, 190.25])
    offset = anchor_targets(box, 25, PYSOT_RULES, draw()).offset.astype(float)
    anchors = search_anchors(25).astype(float)
    center = anchors[:2] + offset[:2] * anchors[2:]
    half = anchors[2:] * np.exp(offset[2:]) / 2
    reached = np.concatenate([center - half, center + half])
    np.testing.assert_allclose(reached, np.broadcast_to(box[:, None, None, None], reached.shape), atol=1e-4)


@pytest.mark.parametrize(
    "targets, background, count_singletons, expected",
    [
        (0, 0, True, 0),
        (0, 0, False, 0),
        (1, 0, True, 0.5 * math.log(2)),
        (1, 0, False, 0),
        (0, 1, False, 0),
        (1, 5, True, math.log(2)),
        (1, 5, False, 0.5 * math.log(2)),
        (2, 2, False, math.log(2)),
    ],
)
def test_a_class_without_members_gives_no_loss(targets, background, count_singletons, expected):
    label = torch.full((1, 5, 4, 4), -1)
    label.flatten()[:targets] = 1
    label.flatten()[20 : 20 + background] = 0
    logits = torch.zeros(1, 10, 4, 4, requires_grad=True)
    loss = classification_loss(logits, label, count_singletons)
    loss.backward()
    assert loss.item() == pytest.approx(expected, abs=1e-6)
    assert torch.isfinite(logits.grad).all() and bool(logits.grad.any()) == (expected > 0)


def test_confidence_in_the_right_class_costs_nothing():
    label = torch.full((1, 5, 4, 4), -1)
    label[0, 2, 1, :], label[0, 4, 3, :] = 1, 0
    logits = torch.zeros(1, 10, 4, 4)
    logits[:, 5 + 2, 1], logits[:, 4, 3] = 30, 30
    assert classification_loss(logits, label).item() == pytest.approx(0, abs=1e-6)


def test_masks_and_windows_come_in_the_same_order():
    cells = torch.zeros(2, 25, 25, dtype=torch.bool)
    cells[0, 3, 20] = cells[0, 20, 3] = cells[1, 12, 12] = True
    rows, columns = torch.meshgrid(torch.arange(25.0), torch.arange(25.0), indexing="ij")
    logits = (100 * rows + columns).expand(2, 9, 25, 25) + torch.tensor([0.0, 1000.0])[:, None, None, None]
    columns_found = siammask_training.mask_columns(logits, cells, side=3)
    assert columns_found.shape == (3, 3, 3)
    assert columns_found[:, 0, 0].tolist() == [320, 2003, 2212]
    x = torch.arange(255.0).expand(2, 255, 255)  # a window starts 32 pixels before 8 * column
    windows = siammask_training.mask_windows(x, cells, 32)
    assert windows.shape == (3, 127, 127)
    assert windows[:, 63, 63].tolist() == [8 * column - 32 + 63 for column in (20, 3, 12)]


def test_no_mask_no_loss_and_no_gradient_from_outside():
    logits = torch.randn(2, 63, 63, requires_grad=True)
    nothing = siammask_training.mask_loss(logits[:0], torch.zeros(0, 127, 127))
    assert nothing.item() == 0
    assert [
        value.item() for value in siammask_training.mask_agreement(logits[:0], torch.zeros(0, 127, 127)).values()
    ] == [
        0,
        0,
        0,
    ]
    outside = siammask_training.mask_loss(logits, torch.zeros(2, 127, 127))
    (nothing + outside).backward()
    assert outside.item() == pytest.approx(math.log(2), abs=1e-6)
    assert not logits.grad.any()


def test_negative_and_maskless_pairs_teach_no_mask():
    label = torch.full((3, 5, 25, 25), -1)
    label[0, 2, 12, 12] = 1
    label[1, :, 9:16, 9:16] = 0
    label[2, 0, 3, 4] = 1
    cells = siammask_training.mask_cells(label)
    assert torch.nonzero(cells).tolist() == [[0, 12, 12], [2, 3, 4]]


def test_the_box_loss_of_ocean_is_nil_at_the_box_and_without_one():
    distance, inside = (torch.from_numpy(part)[None] for part in ocean_losses.distance_target((90, 80, 170, 150)))
    assert ocean_losses.ocean_box_loss(distance, distance, inside).item() == pytest.approx(0, abs=1e-6)
    assert ocean_losses.ocean_box_loss(distance + 5, distance, inside).item() > 0.1
    wanted = torch.ones(1, 4, 25, 25, requires_grad=True)
    nothing = ocean_losses.ocean_box_loss(wanted, distance, torch.zeros_like(inside))
    nothing.backward()
    assert nothing.item() == 0 and not wanted.grad.any()


def test_cells_on_a_side_are_not_in_the_box():
    _, inside = ocean_losses.distance_target((127 - 16, 127 - 8, 127 + 16, 127 + 8))
    assert inside.sum() == 3 and inside[12, 11:14].all()


def test_the_object_aware_loss_teaches_the_boxes_too():
    distance, inside = (torch.from_numpy(part)[None] for part in ocean_losses.distance_target((90, 80, 170, 150)))
    boxes = (distance.abs() + 4).requires_grad_()
    target = ocean_losses.aligned_target(boxes, distance, inside)
    assert (target[inside == 0] == 0).all() and 0 < target[inside > 0].min() and target.max() <= 1
    ocean_losses.ocean_aligned_loss(torch.ones(1, 25, 25), boxes, distance, inside).backward()
    assert boxes.grad.any()


def test_an_object_aware_loss_that_is_not_a_number_is_dropped():
    boxes = torch.full((1, 4, 25, 25), math.nan)
    loss = ocean_losses.ocean_aligned_loss(torch.ones(1, 25, 25), boxes, boxes, torch.ones(1, 25, 25))
    assert loss.item() == 0


@pytest.mark.parametrize(
    "shift, cells", [((0, 0), 13), ((7.99, -7.99), 13), ((-96, 0), 9), ((96, 96), 6), ((900, 0), 0)]
)
def test_the_diamond_ends_at_the_response(shift, cells):
    assert ocean_losses.class_target(shift).sum() == cells


def ocean_answer(align):
    shape = (2, 1, 25, 25)
    answer = Response(torch.zeros(shape), torch.full((2, 4, 25, 25), 20.0), torch.zeros(shape) if align else None)

    class Network:
        def encode_template(self, image):
            return None

        def __call__(self, image, template):
            return answer

    return Network()


@pytest.mark.parametrize("align", [True, False])
def test_ocean_has_its_third_loss_with_the_object_aware_head_alone(align):
    distance, inside = ocean_losses.distance_target((90, 80, 170, 150))
    parts = {"class_target": ocean_losses.class_target((0, 0)), "distance": distance, "inside": inside}
    batch = {name: torch.from_numpy(part)[None].expand(2, *part.shape) for name, part in parts.items()}
    losses = ocean_losses.ocean_objective(ocean_answer(align), {"template": None, "search": None, **batch})
    assert set(losses) == {"classification", "box", *(["aligned"] if align else [])}
    assert torch.isfinite(recipes.weighted_total(losses, RECIPES["ocean"].loss_weights))
    assert losses["classification"].item() == pytest.approx(math.log(2), abs=1e-6)


def test_gradnet_learns_through_its_step_but_not_in_the_search_backbone():
    network = GradNetNetwork()
    optimizer = recipes.start_stage(network, RECIPES["gradnet"], 0)
    batch = {"template": torch.rand(2, 3, 127, 127) * 255, "search": torch.rand(2, 3, 239, 239) * 255}
    losses = RECIPES["gradnet"].objective(network, batch)
    norm = recipes.take_step(network, optimizer, recipes.weighted_total(losses, RECIPES["gradnet"].loss_weights))
    assert norm > 0
    assert all(weight.grad is None for weight in network.search_backbone.parameters())
    assert all(weight.grad.any() for weight in network.gradient_stage.conv.parameters() if weight.ndim > 1)
    assert network.template_backbone.stage1.norm.training and not network.search_backbone.stage1.norm.training


def test_gradnets_weight_decay_spares_biases_and_norms():
    with torch.device("meta"):
        network = GradNetNetwork()
    optimizer = recipes.start_stage(network, RECIPES["gradnet"], 0)
    decay = {group["weight_decay"]: {weight.ndim for weight in group["params"]} for group in optimizer.param_groups}
    assert decay == {5e-4: {4}, 0.0: {1}}


@pytest.mark.parametrize("warm_up", [None, WarmUp(0.001, 0.005), WarmUp(0.001, 0.004, epochs=2)])
def test_rates_rise_and_fall_within_their_bounds(warm_up):
    schedule = Schedule(12, 0.005, 0.0005, warm_up)
    table = schedule.table()
    rising = warm_up.epochs if warm_up else 0
    assert len(table) == 12
    assert (np.diff(table[:rising]) > 0).all() and (np.diff(table[rising:]) < 0).all()
    assert table[rising] == pytest.approx(0.005) and table[-1] == pytest.approx(0.0005)
    assert schedule.rate(11, 0.1) == pytest.approx(0.00005)
    with pytest.raises(IndexError):
        schedule.rate(12)


def meta_network(kind):
    with torch.device("meta"):
        return kind()


def test_frozen_parts_keep_their_norms_except_in_ocean():
    network = meta_network(OceanNetwork)
    optimizer = recipes.start_stage(network, RECIPES["ocean"], 9)
    assert all(module.training for module in network.modules())
    assert not any(weight.requires_grad for weight in network.backbone.parameters())
    assert [group["multiplier"] for group in optimizer.param_groups] == [1.0]
    optimizer = recipes.start_stage(network, RECIPES["ocean"], 10)
    assert [group["multiplier"] for group in optimizer.param_groups] == [0.1, 1.0]
    learning = {name for name, weight in network.named_parameters() if weight.requires_grad}
    assert {name for name, _ in network.named_parameters()} - learning == {
        "backbone.stem.0.weight",
        "backbone.stem.1.weight",
        "backbone.stem.1.bias",
    }


def test_an_ocean_without_the_object_aware_head_can_be_trained():
    with torch.device("meta"):
        network = OceanNetwork(align=False)
    recipes.start_stage(network, RECIPES["ocean"], 0)


def test_every_weight_of_siammask_learns_or_not_as_its_stage_says():
    network = meta_network(SiamMask)
    recipes.start_stage(network, RECIPES["siammask_sharp"], 3)
    learning = {name.split(".")[0] for name, weight in network.named_parameters() if weight.requires_grad}
    assert learning == {"neck", "coarse", "refinement"}  # the neck's gradient is computed and thrown away
    assert not network.neck.training and not network.rpn.training and network.coarse.training
    assert all(RECIPES["siammask_sharp"].changes_at(epoch) for epoch in range(20))
    assert [epoch for epoch in range(20) if RECIPES["siammask_base"].changes_at(epoch)] == [0, 10]


class Small(nn.Module):
    """Two weights: one that learns, one whose gradient piles up."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Parameter(torch.tensor([1.0])), nn.Parameter(torch.tensor([1.0]))
        self.missing = None

    def forward(self, gain=1.0):
        return (self.first + self.second) * gain


def small_recipe(**changes):
    values = {**vars(RECIPES["siamrpn_alex"]), "groups": (recipes.Group(("first", "missing")),), **changes}
    return recipes.Recipe(**values)


@pytest.mark.parametrize("max_grad_norm, moved", [(10.0, 10.0), (None, 1000.0)])
def test_the_gradient_is_cut_to_its_norm(max_grad_norm, moved):
    network = Small()
    recipe = small_recipe(weight_decay=0.0)
    optimizer = recipes.start_stage(network, recipe, 0)
    assert recipes.take_step(network, optimizer, network(1000.0).sum(), max_grad_norm) == pytest.approx(1000)
    assert 1 - network.first.item() == pytest.approx(moved * recipe.schedule.rate(0), rel=1e-3)
    assert network.second.item() == 1


def test_what_piles_up_counts_in_the_norm():
    network = Small()
    optimizer = recipes.start_stage(network, small_recipe(stale_gradient_modules=("second",)), 0)
    norms = [recipes.take_step(network, optimizer, network().sum()) for _ in range(3)]
    assert norms == pytest.approx([math.hypot(1, count) for count in (1, 2, 3)])
    assert network.second.item() == 1


def test_a_module_that_is_not_there_is_named():
    with pytest.raises(InvalidSettingError, match="frist"):
        recipes.start_stage(Small(), small_recipe(groups=(recipes.Group(("frist",)),)), 0)


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_fit_together(name):
    recipe = RECIPES[name]
    if name == "ocean_online":
        assert recipe.cells == recipe.search_side // 16
    else:
        assert (recipe.search_side - 127) % 8 == 0
    if recipe.anchors:
        anchors = search_anchors(recipe.cells, recipe.search_side)
        assert 0 <= anchors[:2].min() and anchors[:2].max() < recipe.search_side
    assert recipe.schedule.table().shape == (recipe.schedule.epochs,)
    assert recipe.changes_at(0)


def picture(side=511):
    rng = np.random.default_rng(0)
    return cv2.resize(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8), (side, side))


@pytest.mark.parametrize(
    "side, scale, shift", [(126, (1, 1), (0, 0)), (254, (3, 0.5), (0, 0)), (254, (1, 1), (900, -900))]
)
def test_a_view_stays_in_its_picture(side, scale, shift):
    window, scale_found = augmentation.varied_window(511, side, np.array(shift), np.array(scale))
    assert window[:2].min() >= -0.5 and window[2:].max() <= 511
    np.testing.assert_allclose(window[2:] - window[:2], side * scale_found)
    assert scale_found.max() <= 511 / side


def test_corners_of_a_window_come_to_lie_on_corner_pixels():
    image = np.zeros((100, 100, 3), np.uint8)
    image[20, 30], image[80, 90] = 200, 100
    view = augmentation.warp_window(image, (30, 20, 90, 80), 31)
    assert view[0, 0, 0] == 200 and view[30, 30, 0] == 100
    assert (view > 0).sum() == 2 * 3


@pytest.mark.parametrize("side", [1, 3, 5, 45])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_blur_keeps_brightness(side, share):
    kernel = augmentation.cross_kernel(side, share)
    assert kernel.shape == (side, side) and kernel.sum() == pytest.approx(1)
    assert np.count_nonzero(kernel) <= 2 * side - 1


def test_colours_move_together_and_are_not_clipped():
    image = np.zeros((4, 4, 3), np.uint8)
    moved = augmentation.shift_color(image, [0, 0, 1])
    np.testing.assert_allclose(moved[0, 0], [-4.88324118, 1.82968581, 0.41940627], rtol=1e-6)
    assert (moved == moved[0, 0]).all()


@pytest.mark.parametrize("kind", ["pysot", "siammask", "ocean"])
def test_views_show_the_target_where_their_box_says(kind):
    image = np.zeros((511, 511, 3), np.uint8)
    box = augmentation.prepared_box((61, 42))
    x1, y1, x2, y2 = np.rint(box).astype(int)
    image[y1:y2, x1:x2] = 255
    varied = Augmentation(64, 0.18, color=0.0)
    for number in range(5):
        if kind == "pysot":
            view, found = augmentation.augment_pysot(image, box, 255, varied, draw(number))
        elif kind == "siammask":
            view, found, mask = siammask_training.augment_siammask(
                image, box, 255, varied, random.Random(number), draw(number), image[..., 0] > 0
            )
            assert (mask == (view[..., 0] > 127)).mean() > 0.995
        else:
            view, found, shift = ocean_losses.augment_ocean(image, box, 255, varied, draw(number))
            assert np.abs(shift).max() <= 64
        rows, columns = np.nonzero(view[..., 0] > 127)
        edges = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        np.testing.assert_allclose(edges, found, atol=1.6)


def test_a_flipped_view_has_a_flipped_box():
    image, box = picture(), augmentation.prepared_box((61, 42))
    plain, flipped = Augmentation(4, 0.05, color=0.0), Augmentation(4, 0.05, color=0.0, flip=1.0)
    view, found = augmentation.augment_pysot(image, box, 127, plain, draw(5))
    mirrored, mirrored_box = augmentation.augment_pysot(image, box, 127, flipped, draw(5))
    np.testing.assert_array_equal(mirrored, view[:, ::-1])
    np.testing.assert_allclose(mirrored_box, [126 - found[2], found[1], 126 - found[0], found[3]])


@pytest.mark.parametrize("most", [0.0, 0.05])
def test_jittered_colours_stay_near(most):
    image = picture(64)
    jittered = ocean_losses.jitter_color(image, draw(2), most)
    assert jittered.dtype == np.uint8 and jittered.shape == image.shape
    difference = np.abs(jittered.astype(int) - image)
    assert difference.max() <= (5 if most == 0 else 80) and (difference.mean() > 1) == (most > 0)


def test_more_contrast_leaves_black_black():
    class OnlyContrast:
        draws = iter([0.5, 1.0, 0.5, 0.5])  # brightness, contrast, saturation, hue

        def random(self):
            return next(self.draws)

        def permutation(self, count):
            return range(count)

    image = np.zeros((4, 8, 3), np.uint8)
    image[:, 4:] = 200
    jittered = ocean_losses.jitter_color(image, OnlyContrast(), 0.05)
    assert (jittered[:, :4] == 0).all() and (jittered[:, 4:] == 205).all()


@pytest.mark.parametrize("side", [127, 239, 255])
def test_gradnets_view_is_of_the_middle(side):
    columns = np.broadcast_to(np.arange(255, dtype=np.float32)[None, :, None], (255, 255, 3))
    views = [gradnet_training.augment_gradnet(columns, side, np.zeros((3, 3)), draw(number)) for number in range(5)]
    assert {view.shape for view in views} == {(side, side, 3)}
    middles = [view[0, side // 2, 0] for view in views]
    assert np.abs(np.array(middles) - 127).max() <= 5
    assert all((np.diff(view[0, :, 0]) >= 0).all() for view in views)


@pytest.mark.parametrize("box", [(100, 60, 161, 102), (-20, -10, 41, 32), (300, 200, 361, 242)])
def test_the_prepared_crop_has_the_target_in_its_middle(box):
    image = np.full((240, 320, 3), 50, np.uint8)
    x1, y1, x2, y2 = box
    image[max(y1, 0) : y2, max(x1, 0) : x2] = 250
    crop = augmentation.prepare_crop(image, box)
    mask = augmentation.prepare_mask((image[..., 0] == 250).astype(np.uint8), box)
    assert crop.shape == (511, 511, 3) and mask.shape == (511, 511)
    left, top, right, bottom = augmentation.prepared_box((x2 - x1, y2 - y1))
    size = 508 / 511  # the crop's pixels are a little larger than those the box is told in
    rows, columns = np.nonzero(mask)
    if x1 >= 0:
        assert columns.min() == pytest.approx(255 - (255 - left) * size, abs=2)
        assert rows.min() == pytest.approx(255 - (255 - top) * size, abs=2)
    else:
        assert columns.max() == pytest.approx(255 + (right - 255) * size, abs=2)
        assert rows.max() == pytest.approx(255 + (bottom - 255) * size, abs=2)
    assert crop[0, 0] == pytest.approx(image.mean((0, 1)), abs=1) or 0 <= augmentation.prepared_window(box)[0]


def test_inclusive_boxes_are_a_pixel_larger():
    inclusive = augmentation.prepared_window((10, 10, 19, 29), inclusive=True)
    assert np.ptp(inclusive[[0, 2]]) == pytest.approx(np.ptp(augmentation.prepared_window((10, 10, 20, 30))[[0, 2]]))


def prepared(number, size_wh=(61, 42), mask=True):
    image = cv2.resize(np.random.default_rng(number).integers(0, 256, (40, 40, 3), dtype=np.uint8), (511, 511))
    x1, y1, x2, y2 = np.rint(augmentation.prepared_box(size_wh)).astype(int)
    inside = np.zeros((511, 511), bool)
    inside[y1:y2, x1:x2] = True
    return PreparedCrop(image, size_wh, inside if mask else None)


def make_pair(name, number, negative=False):
    recipe = RECIPES[name]
    crops = [[prepared(first + frame) for frame in range(recipe.frames)] for first in (1, 4)]
    return recipe.training.make_pair(recipe, Drawn(*crops, draw(number), negative, np.eye(3)))


@pytest.mark.parametrize("name", RECIPES)
def test_pairs_have_what_their_objective_takes(name):
    recipe = RECIPES[name]
    first, again, other = (make_pair(name, number) for number in (1, 1, 2))
    side, cells = recipe.search_side, recipe.cells
    shapes = {
        "template": (3, 127, 127), "search": (3, side, side), "label": (5, cells, cells),
        "offset": (4, 5, cells, cells), "weight": (5, cells, cells), "mask": (side, side), "has_mask": (),
        "class_target": (cells, cells), "distance": (4, cells, cells), "inside": (cells, cells), "box": (4,),
    }  # fmt: skip
    if name == "ocean_online":
        patches, boxes = (3, 3, side, side), (3, 4)
        shapes.update(template=patches, search=patches, template_box=boxes, search_box=boxes)
    assert {part: value.shape for part, value in first.items()} == {part: shapes[part] for part in first}
    kinds = {"label": np.int64, "has_mask": bool}
    assert all(value.dtype == kinds.get(part, np.float32) for part, value in first.items())
    assert all((first[part] == again[part]).all() for part in first)
    assert (first["search"] != other["search"]).any()


@pytest.mark.parametrize("name", ["siamrpn_alex", "siammask_base"])
def test_a_negative_pair_teaches_no_box_and_no_mask(name):
    pair = make_pair(name, 0, negative=True)
    assert pair["label"].max() == 0 and not pair["weight"].any()
    if "mask" in pair:
        assert not pair["has_mask"] and (pair["mask"] == -1).all()


def test_masks_follow_the_view_and_may_be_missing():
    pair = make_pair("siammask_sharp", 3)
    assert set(np.unique(pair["mask"])) == {-1, 1} and pair["has_mask"]
    recipe = RECIPES["siammask_sharp"]
    without = siammask_pair(recipe, Drawn([prepared(1)], [prepared(4, mask=False)], draw(3), False))
    np.testing.assert_array_equal(without["search"], pair["search"])
    assert not without["has_mask"]


def test_grey_crops_are_grey():
    image = prepared(1).without_color().image_bgr
    assert (image == image[..., :1]).all()


@pytest.mark.parametrize("step, frame_range, apart", [(1, 100, 9), (1, 3, 3), (5, 3, 0), (5, 10, 10), (1, 0, 0)])
@pytest.mark.parametrize("count", [2, 6])
def test_frames_lie_near_the_first_one_in_their_source(step, frame_range, apart, count):
    numbers, random_state = np.arange(10) * step, draw()
    rows = np.array([draw_frames(numbers, frame_range, random_state, count) for _ in range(300)])
    assert rows.shape == (300, count) and rows.min() == 0 and rows.max() == 9
    assert np.abs(numbers[rows] - numbers[rows[:, :1]]).max() == apart


def test_a_single_frame_is_both_template_and_search_region():
    assert draw_frames(np.array([7]), 100, draw()) == [0, 0]


def test_a_round_uses_each_data_set_as_much_as_it_says():
    picks = draw_round([10, 7, 4], [25, None, 0], draw()).tolist()
    count = [[number for own, number in picks if own == data_set] for data_set in range(3)]
    assert sorted(count[1]) == list(range(7)) and count[2] == []
    assert len(count[0]) == 25 and {count[0].count(number) for number in range(10)} == {2, 3}
    assert [own for own, _ in picks] != sorted(own for own, _ in picks)
