# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch
from torch.nn import functional

from siam_tracker_ros.methods.lite.looks import LOOK_CELLS, LOOK_FACTOR, look_steps, look_weights, move_edges
from siam_tracker_ros.methods.lite.network import LiteNetwork
from siam_tracker_ros.methods.lite.refinement import BoxRefinement, _look

BOXES = [
    (0.5, 0.5, 0.25, 0.25),
    (0.3, 0.7, 0.6, 0.1),
    (0.02, 0.9, 0.5, 0.4),
    (1.2, 0.5, 0.1, 0.1),
    (3.0, 3.0, 0.1, 0.1),
]


def weights_of(box, cells):
    return look_weights(np.array([box]), look_steps(np.arange(LOOK_CELLS)), np.arange(cells))


@pytest.mark.parametrize("box", BOXES)
def test_a_look_samples_as_grid_sample_does(box):
    torch.manual_seed(0)
    fine, middle = torch.rand(1, 24, 64, 64), torch.rand(1, 32, 32, 32)
    got = _look((fine, middle), [torch.from_numpy(weights_of(box, cells)).float() for cells in (64, 32)])
    x, y = (
        (box[axis] + (np.arange(LOOK_CELLS) / LOOK_CELLS + 0.5 / LOOK_CELLS - 0.5) * LOOK_FACTOR * box[axis + 2]) * 2
        - 1
        for axis in (0, 1)
    )
    points = torch.from_numpy(np.stack(np.meshgrid(x, y), -1)).float()[None]  # (1, 16, 16, 2)
    wanted = torch.cat([functional.grid_sample(map, points, align_corners=False) for map in (fine, middle)], 1)
    torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("box", BOXES)
def test_weights_are_the_same_by_torch(box):
    by_torch = look_weights(torch.tensor([box]), look_steps(torch.arange(LOOK_CELLS)), torch.arange(64))
    np.testing.assert_allclose(by_torch.numpy(), weights_of(box, 64), atol=1e-4)


def test_weights_add_up_to_one_inside_of_the_map_and_to_nothing_far_outside():
    inside, outside = weights_of(BOXES[0], 64).sum(-1), weights_of(BOXES[-1], 64).sum(-1)
    np.testing.assert_allclose(inside, 1)
    assert not outside.any()


@pytest.mark.parametrize(
    "moves, expected",
    [
        ((0, 0, 0, 0), (0.5, 0.4, 0.2, 0.1)),
        ((0.1, 0.1, 0.1, 0.1), (0.52, 0.41, 0.2, 0.1)),  # all to the right and down
        ((-0.1, 0, 0.1, 0), (0.5, 0.4, 0.24, 0.1)),
        ((0, 0.4, 0, -0.4), (0.5, 0.4, 0.2, 0.02)),
    ],
)
def test_edges_move_in_units_of_the_size(moves, expected):
    box = np.array([[0.5, 0.4, 0.2, 0.1]])
    np.testing.assert_allclose(np.concatenate(move_edges(box, np.array([moves])), 1)[0], expected)


def test_a_refinement_that_has_learned_nothing_moves_nothing_and_one_that_has_keeps_a_size():
    torch.manual_seed(0)
    refinement = BoxRefinement().eval()
    weights = [torch.from_numpy(weights_of(BOXES[0], cells)).float().expand(3, -1, -1, -1) for cells in (16, 32, 64)]
    fused, middle, fine = torch.randn(3, 128, 16, 16), torch.randn(3, 32, 32, 32), torch.randn(3, 24, 64, 64)
    template = refinement.encode_template((middle, fine), weights[1:])
    assert not refinement(fused, (middle, fine), weights, template).any()
    torch.nn.init.normal_(refinement.moves[-1].weight, std=100)
    moves = refinement(fused, (middle, fine), weights, template)
    assert 0.3 < moves.abs().max() <= 0.4
    _, size = move_edges(torch.tensor([[0.5, 0.5, 0.2, 0.2]]), moves)
    assert (size > 0).all()


def test_weights_from_before_the_refinement_get_one_that_moves_nothing():
    state = {name: value for name, value in LiteNetwork().state_dict().items() if not name.startswith("refinement.")}
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    added = LiteNetwork.own_state(state, "test")
    assert torch.equal(torch.rand(1), expected), "the caller's random numbers stay as they are"
    assert added.keys() == LiteNetwork().state_dict().keys()
    assert not added["refinement.moves.2.weight"].any() and added["refinement.moves.0.weight"].any()
