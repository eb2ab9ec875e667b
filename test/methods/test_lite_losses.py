# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import dataclasses

import pytest
import torch

from siam_tracker_ros.methods.lite.losses import LossSettings, gaussian_map, lite_losses, mask_loss, quality_focal_loss
from siam_tracker_ros.methods.lite.network import LiteNetwork, Response, box_cover
from siam_tracker_ros.training.losses import iou_and_giou

pytestmark = pytest.mark.usefixtures("one_thread")

EVEN = torch.ones(())
LABEL = torch.tensor([[0.5, 0.5, 0.25, 0.25], [0.3125, 0.625, 0.1875, 0.3125]])
ALONE = LossSettings(reciprocal=0.0, mask_box_jitter=0.0)


@pytest.mark.parametrize(
    "first, second, iou, giou",
    [
        ((0, 0, 1, 1), (0, 0, 1, 1), 1.0, 1.0),
        ((0, 0, 1, 1), (1, 0, 2, 1), 0.0, 0.0),
        ((0, 0, 1, 1), (3, 0, 4, 1), 0.0, -0.5),
        ((0, 0, 2, 1), (1, 0, 3, 1), 1 / 3, 1 / 3),
    ],
)
def test_giou_table(first, second, iou, giou):
    got = iou_and_giou(torch.tensor([first]).float(), torch.tensor([second]).float())
    assert [value.item() for value in got] == pytest.approx([iou, giou], abs=1e-5)


def test_gaussian_peaks_with_one_at_the_centre_cell():
    weight = gaussian_map(torch.tensor([[0.3, 0.7, 0.2, 0.4]]))
    assert weight.shape == (1, 1, 16, 16)
    assert weight.max() == 1
    assert weight[0, 0, 11, 4] == 1
    assert weight[0, 0, 11 + 2, 4] > weight[0, 0, 11, 4 + 2], "the taller side falls off more slowly"


def test_quality_focal_loss_is_least_at_the_target():
    target = torch.full((1, 1, 2, 2), 0.7)
    at_target = quality_focal_loss(torch.logit(target), target, EVEN)
    assert at_target == 0
    assert quality_focal_loss(torch.zeros(1, 1, 2, 2), target, EVEN) > 0
    hard = torch.full((1, 1, 1, 1), -3.0)
    probability = torch.sigmoid(hard)
    expected = (1 - probability) ** 2 * -torch.log(probability)
    assert quality_focal_loss(hard, torch.ones(1, 1, 1, 1), EVEN) == pytest.approx(expected.item())


class Answering:
    """A network that gives one Response and one mask, whatever it is shown."""

    def __init__(self, response, mask_logits, label):
        self.response = response
        self.mask_logits = mask_logits
        self.label, self.refines, self.told_boxes = label, True, []

    def encode_template(self, image_bgr, box_cxcywh):
        return None

    def refined(self, response, template, box_cxcywh):
        self.told_boxes.append(box_cxcywh)
        return self.label if self.refines else box_cxcywh

    def __call__(self, image_bgr, template):
        return self.response

    def mask(self, response, box_cxcywh):
        self.told_box = box_cxcywh
        return self.mask_logits


def perfect_network(label=LABEL):
    boxes = label[:, :, None, None].expand(-1, -1, 16, 16).clone()
    classification = torch.logit(gaussian_map(label), eps=1e-6)
    nothing = torch.zeros(len(label), 1, 1, 1)
    sure = torch.full((len(label), 1, 16, 16), 12.0)
    return Answering(
        Response(classification, sure, boxes, nothing, nothing, nothing, nothing),
        (box_cover(label, 128) - 0.5) * 30,
        label,
    )


def batch_of(label=LABEL, present=True, has_mask=True):
    count = len(label)
    return {
        "template": torch.zeros(count, 3, 8, 8),
        "search": torch.zeros(count, 3, 8, 8),
        "template_box": torch.tensor([[0.5, 0.5, 0.5, 0.5]]).expand(count, -1),
        "search_box": label,
        "present": torch.full((count,), present),
        "exact": torch.full((count,), False),
        "mask": box_cover(label, 256),
        "has_mask": torch.full((count,), has_mask),
    }


def test_a_perfect_network_costs_nothing():
    losses = lite_losses(perfect_network(), batch_of(), ALONE)
    assert losses["total"] < 0.02
    assert losses["iou"] == pytest.approx(1)
    assert losses["mask_iou"] > 0.95


def test_masks_without_weight_are_not_even_drawn():
    network = perfect_network()
    network.mask = None
    losses = lite_losses(network, batch_of(), dataclasses.replace(ALONE, mask=0.0))
    assert losses["total"] < 0.02 and not {"mask", "mask_iou"} & losses.keys()


def test_a_wrong_box_costs():
    network = perfect_network()
    network.response.box_cxcywh[:, 2:] *= 2
    losses = lite_losses(network, batch_of(), ALONE)
    assert losses["overlap"] > 0.5
    assert losses["iou"] == pytest.approx(0.25)


def test_an_absent_target_teaches_no_box_no_mask_and_no_confidence():
    losses = lite_losses(perfect_network(), batch_of(present=False), ALONE)
    for name in ("overlap", "localization", "mask", "iou", "mask_iou"):
        assert losses[name] == 0, name
    assert losses["classification"] > 1, "confidence where there is no target costs"


def test_a_wrong_mask_costs_only_where_there_is_one_to_learn():
    network = perfect_network()
    network.mask_logits = -network.mask_logits
    assert lite_losses(network, batch_of(), ALONE)["mask"] > 3
    assert lite_losses(network, batch_of(has_mask=False), ALONE)["mask"] == 0


def test_a_box_that_is_not_refined_costs_in_units_of_its_size():
    network = perfect_network()
    network.refines = False
    network.response.box_cxcywh[:, 2:] *= 1.25
    losses = lite_losses(network, batch_of(), ALONE)
    assert losses["refined_iou"] == pytest.approx(losses["iou"].item()) == pytest.approx(0.64)
    assert losses["refinement"] > (2 * 0.36 + 4 * 0.125) / 3, "the first of the three boxes that are refined"
    assert lite_losses(network, batch_of(present=False), ALONE)["refinement"] == 0
    assert lite_losses(perfect_network(), batch_of(), ALONE)["refinement"] == 0


def test_boxes_near_the_found_one_and_near_the_label_are_refined():
    network = perfect_network()
    network.response.box_cxcywh[1, :2] = 0.1  # another thing was found in the second pair
    lite_losses(network, batch_of(), ALONE)
    found, near_found, near_label = network.told_boxes
    assert found[0].tolist() == LABEL[0].tolist() and found[1].tolist() != LABEL[1].tolist()
    for boxes in (found, near_found, near_label):
        iou, _ = iou_and_giou(_corners(boxes), _corners(LABEL))
        assert (iou > 0.3).all()


@pytest.mark.parametrize(
    "logit, target, expected", [(0.0, 1.0, 5 * 0.693147 + 1 - 17 / 25), (0.0, 0.0, 5 * 0.693147 + 8 / 9)]
)
def test_mask_loss_by_hand(logit, target, expected):
    loss = mask_loss(torch.full((1, 1, 4, 4), logit), torch.full((1, 1, 4, 4), target), torch.tensor([True]))
    assert loss.item() == pytest.approx(expected, abs=1e-4)


def test_masks_of_pairs_that_do_not_count_change_nothing():
    logits = torch.randn(2, 1, 4, 4)
    target = torch.ones(2, 1, 4, 4)
    both = mask_loss(logits, target, torch.tensor([True, False]))
    assert both == mask_loss(logits[:1], target[:1], torch.tensor([True]))


@pytest.mark.parametrize("jitter", [0.0, 0.1])
def test_the_mask_branch_is_told_about_where_the_target_is(jitter):
    network = perfect_network()
    lite_losses(network, batch_of(), dataclasses.replace(ALONE, mask_box_jitter=jitter))
    iou, _ = iou_and_giou(_corners(network.told_box), _corners(LABEL))
    assert (iou == 1).all() if jitter == 0 else ((iou > 0.3) & (iou < 1)).all()


def _corners(box_cxcywh):
    center, half = box_cxcywh[:, :2], box_cxcywh[:, 2:] / 2
    return torch.cat([center - half, center + half], 1)


def taught(box_cxcywh=LABEL[0], score=0.0):
    """A teacher that finds the same box and score in each cell of one pair."""
    boxes = torch.as_tensor(box_cxcywh)[None, :, None, None].expand(-1, -1, 16, 16).clone()
    return {"teacher_boxes": boxes, "teacher_score": torch.full((1, 1, 16, 16), score)}


@pytest.mark.parametrize(
    "teacher_box, listened", [((0.1, 0.1, 0.2, 0.2), False), ((0.5, 0.5, 0.24, 0.26), True)], ids=["far", "near"]
)
def test_the_teacher_counts_only_where_it_agrees_with_the_label(teacher_box, listened):
    label = LABEL[:1]
    teacher = taught(teacher_box)
    alone = lite_losses(perfect_network(label), batch_of(label), ALONE)["total"]
    total = lite_losses(perfect_network(label), {**batch_of(label), **teacher}, ALONE)["total"]
    assert (total > alone) == listened and (total == alone) == (not listened)
    deaf = dataclasses.replace(ALONE, teacher_score_share=0.0, teacher_box_share=0.0)
    assert lite_losses(perfect_network(label), {**batch_of(label), **teacher}, deaf)["total"] == alone


def test_where_the_target_is_absent_the_teachers_scores_count():
    network, batch = perfect_network(LABEL[:1]), batch_of(LABEL[:1], present=False)
    network.response.classification[:] = torch.logit(torch.tensor(0.3))
    told = lite_losses(network, {**batch, **taught(score=0.3)}, ALONE)
    assert told["classification"] < 1e-6 < lite_losses(network, batch, ALONE)["classification"]
    assert told["overlap"] == 0, "but it teaches no box"


@pytest.mark.parametrize("exact", [False, True])
def test_each_cell_learns_the_box_of_the_strongest_cell_near_it(exact):
    label, wide, stray = LABEL[:1], (0.5, 0.5, 0.3, 0.25), (0.9, 0.1, 0.1, 0.4)
    teacher = taught(stray, score=0.1)
    teacher["teacher_boxes"][0, :, 8, 8] = torch.tensor(wide)
    teacher["teacher_score"][0, 0, 8, 8] = 0.9
    batch = {**batch_of(label), **teacher, "exact": torch.tensor([exact])}
    network = perfect_network(label)
    boxes = network.response.box_cxcywh
    boxes[0] = torch.tensor(stray)[:, None, None]
    boxes[0, :, 6:11, 6:11] = torch.tensor(wide)[:, None, None]
    far = dataclasses.replace(ALONE, teacher_box_share=1.0, teacher_power=10.0)
    overlap = lite_losses(network, batch, far)["overlap"]
    if exact:
        assert overlap == pytest.approx(1 - 0.25 / 0.3, abs=1e-3), "a random box is exactly the target"
        return
    assert overlap < 1e-5
    boxes[0, :, 6, 10] = torch.tensor(stray)
    assert lite_losses(network, batch, far)["overlap"] > 0.04, "one of the 25 cells near it"
    boxes[0, :, 6, 10] = torch.tensor(wide)
    boxes[0, :, 0, 0] = torch.tensor(wide)
    assert lite_losses(network, batch, far)["overlap"] < 1e-5, "its score to the power is nothing"
    assert lite_losses(network, batch, dataclasses.replace(far, teacher_power=1.0))["overlap"] > 1e-3


def test_reciprocal_links_spare_the_confidence_of_cells_whose_box_is_wrong():
    network = perfect_network()
    network.response.box_cxcywh[:, 2:] *= 3
    network.response.classification.fill_(-3.0)
    linked = lite_losses(network, batch_of(), dataclasses.replace(ALONE, reciprocal=1.0))
    assert linked["classification"] < 0.5 * lite_losses(network, batch_of(), ALONE)["classification"]


def test_reciprocal_links_let_the_box_of_the_confident_cell_count_most():
    network = perfect_network(LABEL[:1])
    network.response.classification.fill_(-9.0)
    network.response.classification[:, :, 8, 8] = 9.0
    network.response.box_cxcywh[:, 2:, 8, 8] *= 3
    linked = lite_losses(network, batch_of(LABEL[:1]), dataclasses.replace(ALONE, reciprocal=1.0))
    assert linked["overlap"] > 0.8
    assert lite_losses(network, batch_of(LABEL[:1]), ALONE)["overlap"] < 0.5


def test_every_parameter_learns():
    torch.manual_seed(0)
    network = LiteNetwork()
    for last in (network.aligned.judge[-1], network.refinement.moves[-1]):
        torch.nn.init.normal_(last.weight, std=0.01)  # starts at zero, which stops what is before it
    batch = batch_of()
    batch["template"], batch["search"] = torch.rand(2, 3, 128, 128) * 255, torch.rand(2, 3, 256, 256) * 255
    lite_losses(network, batch, LossSettings())["total"].backward()
    still = [name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert still == []
