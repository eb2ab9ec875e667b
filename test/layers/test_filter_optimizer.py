# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from golden_data import golden
from torch.nn import functional

from siam_tracker_ros.layers.filter_optimizer import FilterOptimizer, correlate, correlate_adjoint


def golden_case(name):
    return {key: torch.from_numpy(value) for key, value in golden(f"ocean_gradnet/online_optimizer_{name}").items()}


def golden_optimizer(case):
    optimizer = FilterOptimizer().to(case["feat"].dtype)
    official = {"label": "label_w", "mask": "mask_w", "spatial_weight": "spatial_w"}
    optimizer.load_state_dict({key: case[official.get(key, key)] for key in optimizer.state_dict()})
    return optimizer


# In single precision the sign in the score's slope makes many iterations amplify rounding.
CASES = ["default", "perturbed", "default_f64", "perturbed_f64"]
TOLERANCE = {1: (1e-5, 1e-9), 3: (1e-5, 1e-9), 25: (1e-1, 1e-7)}  # by iterations: single, double precision


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("iterations", [1, 3, 25])
@pytest.mark.parametrize("name", CASES)
@torch.inference_mode()
def test_filters_scores_and_losses_are_the_released_codes(name, iterations, weighted):
    case = golden_case(name)
    ending = f"_it{iterations}" + ("_sw" if weighted else "")
    weights = case["sample_weight"] if weighted else None
    kernel, losses = golden_optimizer(case)(case["w0"], case["feat"], case["bb"], iterations, weights)
    bound = TOLERANCE[iterations][name.endswith("f64")]
    torch.testing.assert_close(kernel, case["w" + ending], rtol=0, atol=bound)
    torch.testing.assert_close(correlate(case["test"], kernel), case["score" + ending], rtol=0, atol=bound)
    torch.testing.assert_close(torch.stack(losses).flatten(), case["loss" + ending], rtol=0, atol=bound)


@pytest.mark.parametrize("name", CASES)
def test_maps_are_the_released_codes(name):
    case = golden_case(name)
    maps = golden_optimizer(case).maps(case["bb"], (14, 14))
    for found, key in zip(maps, ("label_map", "target_mask", "spatial")):
        torch.testing.assert_close(found, case[key], rtol=0, atol=1e-12 if name.endswith("f64") else 1e-5)


def test_fresh_tables_are_the_released_initial_values():
    case, optimizer = golden_case("default"), FilterOptimizer()
    torch.testing.assert_close(optimizer.label, case["label_w"])
    torch.testing.assert_close(optimizer.mask, case["mask_w"])
    torch.testing.assert_close(optimizer.spatial_weight, case["spatial_w"])
    torch.testing.assert_close(optimizer.log_step_length, case["log_step_length"])
    torch.testing.assert_close(optimizer.filter_reg, case["filter_reg"])


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("shape", [(1, 3, 13, 13), (5, 8, 13, 13), (2, 1, 6, 9)])
def test_correlation_and_its_adjoint_are_those_of_a_convolution(shape, memory_format):
    features = torch.randn(shape, dtype=torch.float64).contiguous(memory_format=memory_format)
    kernel = torch.randn(1, shape[1], 4, 4, dtype=torch.float64, requires_grad=True)
    expected = functional.conv2d(features, kernel, padding=2)
    torch.testing.assert_close(correlate(features, kernel), expected)
    scores = torch.randn_like(expected)
    (gradient,) = torch.autograd.grad(expected, kernel, scores)
    torch.testing.assert_close(correlate_adjoint(features, scores), gradient)


@pytest.mark.parametrize("box", [(-500.0, -500.0, 1.0, 1.0), (1e9, 0.0, 1.0, 1.0), (0.0, 0.0, 1e-3, 1e5)])
def test_a_target_far_off_the_patch_still_gives_finite_filters(box):
    optimizer, features = FilterOptimizer(), torch.randn(2, 4, 13, 13)
    kernel, losses = optimizer(torch.zeros(1, 4, 4, 4), features, torch.tensor([box, box]), 3)
    assert kernel.isfinite().all()
    assert torch.stack(losses).isfinite().all()


def test_a_filter_without_samples_that_matter_stays_finite():
    kernel, _ = FilterOptimizer()(torch.zeros(1, 4, 4, 4), torch.zeros(2, 4, 13, 13), torch.ones(2, 4), 3)
    assert kernel.abs().max() == 0


def test_steps_lower_the_loss():
    optimizer, features = FilterOptimizer(), torch.randn(6, 16, 13, 13) * 0.1
    boxes = torch.tensor([[80.0, 80, 50, 60]]).repeat(6, 1)
    _, losses = optimizer(torch.zeros(1, 16, 4, 4), features, boxes, 8)
    assert losses[-1] < 0.6 * losses[0]
