# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch
from hypothesis import given, strategies
from torch.nn import functional

from siam_tracker_ros.core.network import Network
from siam_tracker_ros.executors.device import prepare_for_inference
from siam_tracker_ros.geometry import cxcywh_to_xyxy
from siam_tracker_ros.methods.siamrcr import METHODS
from siam_tracker_ros.methods.siamrcr.network import Response, SiamRCRNetwork, decode_box, encode_box
from siam_tracker_ros.methods.siamrcr.tracker import SiamRCRSettings, SiamRCRTracker
from siam_tracker_ros.methods.siamrcr.training import (
    box_loss,
    classification_loss,
    label_cells,
    localization_loss,
    siamrcr_losses,
)
from siam_tracker_ros.training.losses import iou_and_giou

pytestmark = pytest.mark.slow

CELLS = 25
BOX = torch.tensor([[5.0, -3.0, 60.0, 40.0], [0.0, 0.0, 9.0, 14.0]], dtype=torch.float64)


def random_response(seed=0, requires_grad=False):
    generator = torch.Generator().manual_seed(seed)
    classification, localization, regression = (
        torch.randn(2, channels, CELLS, CELLS, generator=generator, dtype=torch.float64).requires_grad_(requires_grad)
        for channels in (1, 1, 4)
    )
    return (classification, localization, regression), Response(classification, localization, decode_box(regression))


positions = strategies.floats(-2000, 2000)
sides = strategies.floats(0.01, 5000)


@given(x=positions, y=positions, w=sides, h=sides)
def test_a_box_survives_encoding_and_decoding(x, y, w, h):
    box = torch.tensor([x, y, w, h], dtype=torch.float64)[None, :, None, None].expand(1, 4, 27, 27)
    torch.testing.assert_close(decode_box(encode_box(box)), box, rtol=1e-12, atol=1e-9)


@given(values=strategies.lists(strategies.floats(-9, 9), min_size=4, max_size=4))
def test_an_answer_survives_decoding_and_encoding(values):
    answer = torch.tensor(values, dtype=torch.float64)[None, :, None, None].expand(1, 4, 25, 25)
    torch.testing.assert_close(encode_box(decode_box(answer)), answer, rtol=1e-9, atol=1e-9)


def test_decoded_boxes_lie_where_their_cells_do():
    boxes = decode_box(torch.zeros(1, 4, CELLS, CELLS))
    assert boxes[0, :, 12, 12].tolist() == [0, 0, 8, 8]
    assert boxes[0, :, 12, 14].tolist() == [16, 0, 8, 8]
    assert boxes[0, :, 0, 12].tolist() == [0, -96, 8, 8]


@pytest.mark.parametrize(
    "box, positives, ignored",
    [
        ((0, 0, 1, 1), 13, 0),  # a disc of two cells, larger than the target
        ((0, 0, 80, 80), 13, 11 * 11 - 13),
        ((4, 4, 1, 1), 12, 0),
        ((500, 0, 20, 20), 0, 0),  # the target lies outside the crop
    ],
)
def test_labels_of_cells(box, positives, ignored):
    positive, negative = label_cells(torch.tensor([box], dtype=torch.float64), CELLS)
    assert not (positive & negative).any()
    assert int(positive.sum()) == positives
    assert (~positive & ~negative).sum() == ignored


@pytest.mark.parametrize("weight", [1.0, 0.37])
def test_with_constant_weights_the_losses_are_the_plain_ones(weight):
    _, response = random_response()
    logits = response.classification[:, 0]
    positive, negative = label_cells(BOX, CELLS)
    constant = torch.full_like(logits, weight)
    plain = functional.binary_cross_entropy_with_logits(logits, positive.double(), reduction="none")
    balanced = (plain[positive].mean() + plain[negative].mean()) / 2
    torch.testing.assert_close(classification_loss(logits, positive, negative, constant), balanced)
    giou = torch.rand_like(logits)
    torch.testing.assert_close(box_loss(giou, positive, constant), (1 - giou)[positive].mean())


def test_weights_shift_losses_towards_what_the_other_branch_trusts():
    positive, negative = label_cells(BOX, CELLS)
    cells = positive.nonzero()
    logits, good = torch.zeros(2, CELLS, CELLS), tuple(cells[0])
    logits[good] = -3  # unsure where the box is good
    trust = torch.full_like(logits, 0.1)
    unweighted = classification_loss(logits, positive, negative, trust)
    trust[good] = 1.0
    assert classification_loss(logits, positive, negative, trust) > unweighted
    giou = torch.ones_like(logits)
    giou[good] = 0  # a bad box where the target is seen
    assert box_loss(giou, positive, trust) > box_loss(giou, positive, torch.ones_like(trust))


def test_localization_learns_the_iou_of_positives():
    _, response = random_response()
    logits = response.localization[:, 0]
    positive, _ = label_cells(BOX, CELLS)
    iou = torch.rand_like(logits)
    expected = functional.binary_cross_entropy_with_logits(logits[positive], iou[positive])
    torch.testing.assert_close(localization_loss(logits, positive, iou), expected)


@pytest.mark.parametrize(
    "loss, reaches",
    [("classification", (True, False, False)), ("box", (False, False, True)), ("localization", (False, True, False))],
)
def test_weights_pass_no_gradient_to_the_other_branch(loss, reaches):
    branches, response = random_response(requires_grad=True)
    losses = siamrcr_losses(response, BOX)
    gradients = torch.autograd.grad(losses[loss], branches, allow_unused=True)
    for gradient, reached in zip(gradients, reaches, strict=True):
        amount = 0.0 if gradient is None else float(gradient.abs().max())
        assert (amount > 0) == reached
        assert reached or amount == 0.0


def test_losses_are_made_of_iou_and_confidence():
    _, response = random_response()
    losses = siamrcr_losses(response, BOX)
    positive, negative = label_cells(BOX, CELLS)
    boxes = response.box_cxcywh.movedim(1, -1)
    iou, giou = iou_and_giou(cxcywh_to_xyxy(boxes), cxcywh_to_xyxy(BOX)[:, None, None].expand_as(boxes))
    confidence = torch.sigmoid(response.classification[:, 0])
    weights = (confidence * positive) / (confidence * positive).sum()
    torch.testing.assert_close(losses["box"], ((1 - giou) * weights).sum())
    logits = response.classification[:, 0]
    torch.testing.assert_close(losses["classification"], classification_loss(logits, positive, negative, iou))
    torch.testing.assert_close(losses["localization"], localization_loss(response.localization[:, 0], positive, iou))


def test_without_positives_the_losses_are_finite():
    branches, response = random_response(requires_grad=True)
    losses = siamrcr_losses(response, torch.tensor([[900.0, 0, 20, 20]] * 2, dtype=torch.float64))
    assert losses["box"] == losses["localization"] == 0
    for gradient in torch.autograd.grad(sum(losses.values()), branches):
        assert torch.isfinite(gradient).all()


def test_a_head_learns_one_pair():
    """The three losses together pull free answers to the true box, a confident cell and a true localization score."""
    _, response = random_response()
    answers = [(0.1 * value).requires_grad_() for value in random_response(1)[0]]
    optimizer = torch.optim.Adam(answers, lr=0.1)
    for _ in range(200):
        response = Response(answers[0], answers[1], decode_box(answers[2]))
        optimizer.zero_grad()
        sum(siamrcr_losses(response, BOX).values()).backward()
        optimizer.step()
    score = (torch.sigmoid(response.classification) * torch.sigmoid(response.localization))[:, 0]
    for index in range(2):
        best = np.unravel_index(int(score[index].argmax()), (CELLS, CELLS))
        assert score[index][best] > 0.8
        torch.testing.assert_close(response.box_cxcywh[index][(slice(None), *best)], BOX[index], rtol=0, atol=2.0)


class ScoringNetwork(Network):
    """Answers with given logits and boxes of 40 pixels at the cells, whatever it is shown."""

    def __init__(self, classification, localization):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.logits = classification, localization

    def encode_template(self, image_bgr):
        return None

    def features(self, image_bgr):
        return image_bgr

    def respond(self, features, template):
        regression = torch.zeros(1, 4, CELLS, CELLS)
        regression[:, 2:] = np.log(40 / 8)
        return Response(*self.logits, decode_box(regression))


def textured(size_wh=(160, 120), seed=0):
    return np.random.default_rng(seed).integers(0, 256, (size_wh[1], size_wh[0], 3), dtype=np.uint8)


def test_the_score_is_classification_times_localization():
    classification, localization = (torch.full((1, 1, CELLS, CELLS), -4.0) for _ in range(2))
    classification[0, 0, 12, 3] = 5.0  # sure of the class, not of the box
    localization[0, 0, 3, 12] = 5.0  # sure of the box, not of the class
    classification[0, 0, 14, 12] = localization[0, 0, 14, 12] = 1.0
    plain = SiamRCRSettings(penalty_k=0.0, window_influence=0.0, lr=1.0)
    tracker = SiamRCRTracker(ScoringNetwork(classification, localization), plain)
    tracker.init(textured(), (70, 50, 20, 20))
    result = tracker.track(textured())
    assert result.score == pytest.approx(float(torch.sigmoid(torch.tensor(1.0))) ** 2)
    scale = 127 / 40
    size = 20 + result.score * (40 / scale - 20)
    np.testing.assert_allclose(result.box_xywh, (80 - size / 2, 60 + 16 / scale - size / 2, size, size), atol=1e-5)


@pytest.fixture(scope="module")
def random_network():
    torch.manual_seed(0)
    return prepare_for_inference(SiamRCRNetwork.for_state({}), torch.device("cpu"), torch.float32)


@pytest.mark.parametrize("box", [(0, 0, 1, 1), (-300, -200, 310, 205), (95.5, 63.5, 8, 3)])
def test_odd_boxes_stay_finite(random_network, box):
    tracker = SiamRCRTracker(random_network, SiamRCRSettings())
    tracker.init(textured((96, 64)), box)
    for seed in range(2):
        result = tracker.track(textured((96, 64), seed))
        assert np.isfinite(result.box_xywh).all()
        assert 0 <= result.score <= 1


def test_shapes_of_the_response(random_network):
    with torch.inference_mode():
        template = random_network.encode_template(torch.zeros(1, 3, 127, 127))
        response = random_network(torch.zeros(2, 3, 271, 271), template)
    assert template.regression.shape == (1, 256, 5, 5)
    assert response.classification.shape == response.localization.shape == (2, 1, 27, 27)
    assert response.box_cxcywh.shape == (2, 4, 27, 27)


def test_model_info():
    (info,) = METHODS
    assert info.name == "siamrcr"
    assert info.count_parameters() == 21_148_742
    with torch.device("meta"):
        state = SiamRCRNetwork().state_dict()
    assert SiamRCRNetwork.translate_state_dict(state).keys() == state.keys()
