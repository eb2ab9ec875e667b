# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Each of the published methods learns eight easy pairs, which it did not know before."""

import dataclasses

import cv2
import numpy as np
import pytest
import torch
from drawn_shards import TARGETS, draw_crop, draw_ellipse, write_shard
from published_recipes import RECIPES
from quick_networks import CELLS, QUICK, SEARCH_SIDE, WIDTH, Remembering, quick, remembered, tiny_pairs
from torch import nn
from torch.nn import functional

from siam_tracker_ros.core.crop import TEMPLATE_SIDE
from siam_tracker_ros.core.mask_shape import full_frame, warp_mask
from siam_tracker_ros.core.response import hann_window
from siam_tracker_ros.geometry import cxcywh_to_xywh, iou_xywh, ltrb_to_cxcywh
from siam_tracker_ros.layers.blocks import ConvNorm
from siam_tracker_ros.layers.filter_optimizer import correlate as filter_response
from siam_tracker_ros.methods.gradnet.network import GradNetNetwork
from siam_tracker_ros.methods.gradnet.tracker import UPSAMPLING, GradNetSettings
from siam_tracker_ros.methods.gradnet.training import adapted_scores
from siam_tracker_ros.methods.ocean.network import OceanNetwork, cell_pixels
from siam_tracker_ros.methods.ocean_online.network import PATCH_STRIDE, OceanOnlineNetwork, TargetClassifier
from siam_tracker_ros.methods.ocean_online.training import FILTER_STEPS, score_target
from siam_tracker_ros.methods.siammask.network import SiamMask, SiamMaskBase
from siam_tracker_ros.methods.siammask.tracker import FIRST_CELL
from siam_tracker_ros.methods.siammask.training import (
    MASK_PADDING,
    MASK_SIDE,
    mask_agreement,
    mask_cells,
    mask_windows,
    refined_masks,
)
from siam_tracker_ros.methods.siamrpn.anchors import STRIDE
from siam_tracker_ros.methods.siamrpn.proposals import decode_proposals
from siam_tracker_ros.training.augmentation import Augmentation
from siam_tracker_ros.training.batches import PublishedBatches
from siam_tracker_ros.training.published import PublishedCurriculum, PublishedLearner
from siam_tracker_ros.training.schedules import Schedule

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def rectangles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rectangles")
    write_shard(folder / "tracks-00.tar")
    return folder


@pytest.fixture(scope="module")
def ellipses(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ellipses")
    write_shard(folder / "tracks-00.tar", draw=draw_ellipse)
    return folder


def settle(network, encode, side=143, draw=draw_ellipse):
    """Give norms that do not learn the statistics of pictures: features are of the size that learned ones have."""
    pictures = np.stack([draw(target, 0)[0] for target in range(TARGETS)])
    start = (pictures.shape[1] - side) // 2
    pictures = torch.from_numpy(pictures[:, start : start + side, start : start + side]).permute(0, 3, 1, 2).float()
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.momentum = 1.0
    network.train()
    with torch.no_grad():
        encode(pictures)


def learn(name, network, folder, steps, rate, measure, **changes):
    """Learn eight pairs by a recipe's own objective, groups and steps.

    The backbone stays frozen, as in the first epochs of each recipe: neither its input nor its output changes. The
    measure, a function of network and batch, is above 0.9 afterwards and was not before.
    """
    recipe = RECIPES[name]
    groups = tuple(group for group in recipe.groups if not group.modules[0].startswith(("backbone", "online_backbone")))
    small = {"search_side": SEARCH_SIDE, "cells": CELLS, "search": Augmentation(shift=32, scale=0.18)}
    changes = {"schedule": Schedule(steps // 10, rate, rate / 30), "groups": groups, **small, **changes}
    recipe = dataclasses.replace(recipe, pairs=10 * TARGETS, batch=TARGETS, negative=0.0, grey=0.0, **changes)
    batch = PublishedBatches(tiny_pairs(recipe, folder), TARGETS).draw(0)
    learner, curriculum = PublishedLearner(network, recipe), PublishedCurriculum(recipe)
    with torch.no_grad():
        assert measure(network.eval(), batch) < 0.9
    optimizer = None
    for step in range(curriculum.steps):
        if curriculum.changes_at(step):
            optimizer = curriculum.start_stage(learner, step, optimizer)
        curriculum.set_rates(optimizer, step)
        loss = learner(batch)["total"]
        curriculum.take_step(learner, optimizer, loss, torch.Tensor.backward)
    with torch.no_grad():
        assert measure(network.eval(), batch) > 0.9


def anchor_boxes(batch):
    """The boxes xywh (B, 4) that the anchors' offsets were made of, from the middle of the search region."""
    logits = torch.zeros(1, 10, *batch["label"].shape[-2:])
    return [
        cxcywh_to_xywh(decode_proposals(logits, offset.reshape(1, 20, *logits.shape[2:]))[1][:, 0, 0, 0])
        for offset in batch["offset"]
    ]


def proposed(logits, offsets):
    """The best anchor's cell and box xywh of each answer, without penalty and window."""
    for one_logits, one_offsets in zip(logits[:, None], offsets[:, None]):
        score, boxes = decode_proposals(one_logits, one_offsets)
        best = np.unravel_index(score.argmax(), score.shape)
        yield best[1:], cxcywh_to_xywh(boxes[(slice(None), *best)])


def anchor_iou(network, batch):
    logits, offsets = network(batch["search"], network.encode_template(batch["template"]))
    found = [box for _, box in proposed(logits, offsets)]
    return iou_xywh(found, anchor_boxes(batch)).mean()


# The other recipes of siamrpn_r50 learn the same, of other batches or with other weights of its levels.
@pytest.mark.parametrize(
    "name, steps, rate, changes",
    [
        ("siamrpn_alex", 300, 0.1, {"cells": 9}),  # AlexNet is not padded
        ("siamrpn_r50", 100, 0.05, {}),
    ],
)
def test_siamrpn_learns_eight_pairs(name, steps, rate, changes, rectangles, one_thread):
    learn(name, remembered(QUICK[name]()), rectangles, steps, rate, anchor_iou, **changes)


def ocean_iou(network, batch):
    """The lower one of the mean IoUs at the best cells of both scores."""
    response = network(batch["search"], network.encode_template(batch["template"]))
    cell = cell_pixels(batch["distance"].shape[-1])
    points = torch.stack(torch.meshgrid(cell, cell, indexing="xy"), -1)  # (13, 13, 2)
    ious = []
    for score in (response.classification, response.alignment):
        best = score.flatten(1).argmax(1)
        boxes = [
            [
                cxcywh_to_xywh(ltrb_to_cxcywh(one.movedim(0, -1), points)).flatten(0, 1)[place].numpy()
                for one, place in zip(distances, best)
            ]
            for distances in (response.box_ltrb, batch["distance"])
        ]
        ious.append(iou_xywh(*boxes).mean())
    return min(ious)


def test_ocean_learns_eight_pairs(rectangles, one_thread):
    network = quick(OceanNetwork, channels=2 * WIDTH)
    settle(network.backbone, network.backbone, draw=draw_crop)
    changes = {"search_side": 159, "cells": 13, "search": Augmentation(shift=24, scale=0.18)}  # a step takes long
    learn("ocean", remembered(network), rectangles, 160, 0.05, ocean_iou, **changes)


def siamrcr_iou(network, batch):
    response = network(batch["search"], network.encode_template(batch["template"]))
    score = torch.sigmoid(response.classification) * torch.sigmoid(response.localization)
    best = score.flatten(1).argmax(1)
    found = [boxes.flatten(1)[:, place].numpy() for boxes, place in zip(response.box_cxcywh, best)]
    return iou_xywh(cxcywh_to_xywh(np.stack(found)), cxcywh_to_xywh(batch["box"].numpy())).mean()


def test_siamrcr_learns_eight_pairs(rectangles, one_thread):
    network = QUICK["siamrcr"]()
    settle(network.backbone, network.backbone, draw=draw_crop)
    learn("siamrcr", remembered(network), rectangles, 120, 0.05, siamrcr_iou)


# Masks are learned by Adam, in few steps, and of a search region that is as near the target as in the second stage.
BY_ADAM = {"optimizer": "adam", "weight_decay": 0.0}
NEAR = {"search_side": 127, "search": Augmentation(shift=8, scale=0.05)}
PADDED_CELLS = 9  # of 127 pixels


def siammask_iou(network, batch):
    """The lower one of the mean IoUs of boxes and of the best cells' masks, which count within the search region."""
    template = network.encode_template(batch["template"])
    response = network(batch["search"], template)
    places, boxes = zip(*proposed(response.logits, response.offsets))
    cells = torch.zeros(TARGETS, PADDED_CELLS, PADDED_CELLS, dtype=torch.bool)
    logits = []
    for target, (row, column) in enumerate(places):
        cells[target, row, column] = True
        logits.append(network.mask(response, template, int(row), int(column))[target])
    windows = mask_windows(batch["mask"], cells, MASK_PADDING)
    sized = functional.interpolate(torch.stack(logits)[:, None], windows.shape[1:], mode="bilinear", align_corners=True)
    logits = torch.where(windows == 0, -1, sized[:, 0])
    return min(iou_xywh(boxes, anchor_boxes(batch)).mean(), mask_agreement(logits, windows)["mask_iou"].item())


def test_a_perfect_mask_is_decoded_where_the_target_is(ellipses):
    recipe = dataclasses.replace(RECIPES["siammask_base"], pairs=TARGETS, batch=TARGETS, negative=0.0)
    batch = PublishedBatches(tiny_pairs(recipe, ellipses), TARGETS).draw(0)
    cells = mask_cells(batch["label"])
    side_wh = (recipe.search_side,) * 2
    for (pair, row, column), window in zip(cells.nonzero(), mask_windows(batch["mask"], cells, MASK_PADDING)):
        corner_xy = (np.array([column, row]) - FIRST_CELL) * STRIDE
        values, first_xy = warp_mask((window > 0).float().numpy(), corner_xy, MASK_SIDE, side_wh, 0.0)
        found, expected = full_frame(values > 0.5, first_xy, side_wh), batch["mask"][pair].numpy() > 0
        assert (found & expected).sum() / (found | expected).sum() > 0.95  # the authors are half a pixel off


def test_siammask_learns_eight_pairs(ellipses, one_thread):
    network = quick(SiamMaskBase, width=4 * WIDTH)  # a cell's mask has no more shapes than channels
    settle(network.backbone, network.backbone)
    changes = {"cells": PADDED_CELLS, **NEAR, **BY_ADAM}
    learn("siammask_base", remembered(network), ellipses, 80, 0.004, siammask_iou, **changes)


def test_siammasks_refinement_learns_eight_pairs(ellipses, one_thread):
    def mask_iou(network, batch):
        logits, windows = refined_masks(network, batch)
        assert len(logits) == TARGETS
        return mask_agreement(logits, windows)["mask_iou"]

    network = quick(SiamMask, width=WIDTH)
    settle(network.backbone, network.backbone)
    changes = {"cells": 1, "renews_optimizer": False, **NEAR, **BY_ADAM}
    learn("siammask_sharp", remembered(network), ellipses, 20, 0.003, mask_iou, **changes)


class QuickGradBackbone(nn.Module):
    """As many cells as GradNet's backbones have, of few channels."""

    def __init__(self, channels=64):
        super().__init__()
        self.shallow = nn.Sequential(ConvNorm(3, 16, 11, 4), ConvNorm(16, channels, 7, 2))
        self.deepen = nn.Sequential(
            *[ConvNorm(channels, channels, 3) for _ in range(2)], nn.Conv2d(channels, channels, 3)
        )

    def forward(self, image):
        return self.deepen(self.shallow(image))


def gradnet_iou(network, batch):
    """Mean IoU of boxes of the target's size where the tracker sees the peak, and of those in the middle."""
    for part in (network.template_backbone, network.gradient_stage):
        part.train()  # its norms gather statistics over ten thousands of steps
    with torch.enable_grad():
        scores = adapted_scores(network, batch)[:, 0].detach().numpy()  # (8, 15, 15)
    side = scores.shape[-1] * UPSAMPLING
    window = hann_window(side) / hann_window(side).sum()
    influence = GradNetSettings().window_influence
    size_wh = np.full(2, TEMPLATE_SIDE / 2)  # of the template, half is the target
    found = []
    for score in scores:
        response = cv2.resize(score, (side, side), interpolation=cv2.INTER_CUBIC)
        response -= response.min()
        response = (1 - influence) * response / response.sum() + influence * window
        row, column = np.unravel_index(response.argmax(), response.shape)
        shift_xy = STRIDE * (np.array([column, row]) - side // 2) / UPSAMPLING
        found.append(np.hstack([shift_xy - size_wh / 2, size_wh]))
    return iou_xywh(found, np.tile(np.hstack([-size_wh / 2, size_wh]), (len(found), 1))).mean()


def test_gradnet_learns_eight_videos_with_one_template(ellipses, one_thread):
    """It has no boxes: all cells within two of the target's centre have one label, and a size is found by scales."""
    recipe, channels = RECIPES["gradnet"], 64
    network = GradNetNetwork()
    network.search_backbone, network.template_backbone = QuickGradBackbone(channels), QuickGradBackbone(channels)
    network.gradient_stage = nn.Sequential(ConvNorm(channels, channels, relu=None), nn.Tanh())
    settle(network.search_backbone, network.search_backbone, recipe.search_side)
    network.search_backbone = Remembering(network.search_backbone.eval())
    own = {"search_side": recipe.search_side, "cells": recipe.cells, "search": Augmentation(shift=0, scale=0.0)}
    schedule = Schedule(10, 0.003, 0.0005)
    learn("gradnet", network, ellipses, 100, 0.003, gradnet_iou, schedule=schedule, **own, **BY_ADAM)


class QuickClassifier(TargetClassifier):
    """The same of few channels."""

    def __init__(self, channels=64):
        super().__init__()
        self.feature = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.initializer = nn.Conv2d(channels, channels, 3, padding=1)


def online_iou(network, batch):
    """Mean IoU of the targets with boxes at the peaks of the scores, as of a bell between the cells.

    The sizes are those of the patches that the filters were learned of: this branch finds centres alone.
    """
    found, expected = [], batch["search_box"][:, 0].numpy()
    classifier = network.target_classifier
    for patch, box, judged in zip(batch["template"], batch["template_box"], batch["search"]):
        features = network.encode_patch(patch)
        kernel, _ = classifier.optimizer(classifier.initial_filter(features, box), features, box, FILTER_STEPS)
        found.append(bell_peak(filter_response(network.encode_patch(judged), kernel)[0, 0].numpy()))
    size_wh = batch["template_box"][:, 0, 2:].numpy()
    return iou_xywh(np.hstack([np.array(found) * PATCH_STRIDE - size_wh / 2, size_wh]), expected).mean()


def bell_peak(score):
    """Column and row of a bell's top, from the logarithms of the highest cell and its neighbours."""
    row, column = np.unravel_index(score[1:-1, 1:-1].argmax(), np.array(score.shape) - 2) + np.ones(2, int)
    near = np.log(score[row - 1 : row + 2, column - 1 : column + 2].clip(1e-3))
    return [
        place + (first - last) / min(2 * (first - 2 * middle + last), -1e-3)
        for place, (first, middle, last) in ((column, near[1]), (row, near[:, 1]))
    ]


def test_the_bell_of_oceans_online_branch_has_its_peak_on_the_target():
    box = torch.tensor([[40.5, 52.0, 37.0, 29.0]])
    column, row = bell_peak(score_target(box, 11)[0, 0].numpy())
    assert (column * PATCH_STRIDE, row * PATCH_STRIDE) == pytest.approx((59, 66.5), abs=1e-3)


def test_oceans_online_branch_learns_eight_targets(ellipses, one_thread):
    """It has no boxes. Filters that are learned of one patch find the target in another, to parts of a cell."""
    channels = 64
    network = quick(OceanOnlineNetwork, 2)
    network.online_backbone = ConvNorm(512, channels, 3, 2)
    network.target_classifier = QuickClassifier(channels)
    settle(network, network.encode_stage, 224)
    for name in ("stem", "layer1", "layer2"):
        setattr(network.backbone, name, Remembering(getattr(network.backbone, name)))
    network.online_backbone = Remembering(network.online_backbone)
    near = {"template": Augmentation(8, 0.0), "search": Augmentation(16, 0.0)}
    changes = {"frames": 1, "search_side": 160, "cells": 10, **near}
    learn("ocean_online", network, ellipses, 40, 0.001, online_iou, **changes)
