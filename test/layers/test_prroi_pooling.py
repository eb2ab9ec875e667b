# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings

from siam_tracker_ros.layers.prroi_pooling import prroi_pool

CELLS = (6, 5)  # rows, columns


def pool(features, box_xywh, bins, stride=1):
    return prroi_pool(features[None], torch.tensor([box_xywh], dtype=features.dtype), bins, stride)[0]


def surface_means(features, box_xywh, bins):
    """Means of the bilinear surface over the bins by Gauss-Legendre quadrature, exact between the nodes."""
    nodes, weights = np.polynomial.legendre.leggauss(2)
    padded = np.pad(features, ((0, 0), (1, 1), (1, 1)))

    def averages(start, length, cells):
        rows = np.zeros((bins, cells + 2))
        for index in range(bins):
            low, high = start + length * index / bins, start + length * (index + 1) / bins
            pieces = np.unique(np.clip(np.r_[low, np.arange(np.ceil(low), high), high], -1, cells))
            for left, right in zip(pieces[:-1], pieces[1:]):
                for node, weight in zip(nodes, weights):
                    position = (left + right) / 2 + (right - left) / 2 * node + 1
                    below = min(int(position), cells)
                    share = weight * (right - left) / 2 / (high - low)
                    rows[index, below] += share * (1 - (position - below))
                    rows[index, below + 1] += share * (position - below)
        return rows

    x, y, w, h = box_xywh
    return averages(y, h, CELLS[0]) @ padded @ averages(x, w, CELLS[1]).T


@settings(max_examples=150)
@given(
    x=st.floats(-12, 12),
    y=st.floats(-12, 12),
    w=st.one_of(st.floats(1e-3, 1), st.floats(1, 200)),
    h=st.one_of(st.floats(1e-3, 1), st.floats(1, 200)),
    bins=st.integers(1, 5),
    seed=st.integers(0, 99),
)
def test_it_is_the_mean_of_the_bilinear_surface(x, y, w, h, bins, seed):
    features = np.random.default_rng(seed).normal(size=(2, *CELLS))
    pooled = pool(torch.from_numpy(features), (x, y, w, h), bins)
    np.testing.assert_allclose(pooled.numpy(), surface_means(features, (x, y, w, h), bins), atol=1e-9)


@pytest.mark.parametrize("side", [1e-4, 1e-2, 1.0])
def test_a_tiny_box_gives_the_surface_itself_in_single_precision(side):
    features = torch.arange(30, dtype=torch.float32).reshape(1, *CELLS)  # a plane: 5 * y + x
    center = torch.tensor([2.4, 3.3])
    pooled = pool(features, (*(center - side / 2).tolist(), side, side), 1)
    assert pooled.item() == pytest.approx(5 * 3.3 + 2.4, rel=2e-3 if side < 1e-3 else 2e-5)


@pytest.mark.parametrize("box", [(1, 1, 0, 2), (1, 1, 2, 0), (3, 3, -2, 1), (3, 3, -2, -1)])
def test_a_box_without_area_gives_zero(box):
    assert pool(torch.ones(1, *CELLS), box, 2).tolist() == [[[0, 0], [0, 0]]]


@pytest.mark.parametrize("box", [(-9, 2, 8, 2), (5, 2, 3, 2), (1, 6, 3, 3), (1, -40, 3, 39)])
def test_a_box_off_the_map_gives_zero(box):
    assert pool(torch.ones(1, *CELLS), box, 3).abs().max() == 0


def test_the_stride_takes_pixels_to_cells():
    features = torch.randn(3, *CELLS)
    torch.testing.assert_close(pool(features, (16, 24, 40, 32), 4, 16), pool(features, (1, 1.5, 2.5, 2), 4))


def test_each_sample_has_its_own_box():
    features = torch.randn(2, 3, *CELLS)
    boxes = torch.tensor([[0.5, 1, 2, 3], [2, 0.2, 2.5, 1]])
    both = prroi_pool(features, boxes, 2)
    for index in range(2):
        torch.testing.assert_close(both[index], pool(features[index], boxes[index].tolist(), 2))


@pytest.mark.parametrize("box", [(0.3, 1.2, 2.9, 3.1), (-3.2, -1.1, 30.0, 4.2)])
def test_gradients_by_features_and_box_are_right(box):
    features = torch.randn(1, 2, *CELLS, dtype=torch.float64, requires_grad=True)
    boxes = torch.tensor([box], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda f, b: prroi_pool(f, b, 3), (features, boxes))
