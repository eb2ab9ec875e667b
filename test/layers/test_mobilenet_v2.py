# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest
import torch

from siam_tracker_ros.layers import mobilenet_v2
from siam_tracker_ros.layers.mobilenet_v2 import InvertedResidual, MobileNetV2Backbone

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def fused(monkeypatch):
    """Counts the fused convolutions."""
    real, found = mobilenet_v2._convolve, []
    monkeypatch.setattr(mobilenet_v2, "_convolve", lambda *arguments: found.append(arguments) or real(*arguments))
    return found


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="torch was built without oneDNN")
@pytest.mark.parametrize("expansion, channels, stride", [(1, 8, 1), (6, 16, 1), (6, 24, 2)])
def test_a_frozen_block_computes_the_same_with_fused_convolutions(fused, expansion, channels, stride):
    block = InvertedResidual(16, channels, stride, expansion).train().requires_grad_(False)
    x = 3 * torch.randn(2, 16, 12, 12)
    quick = block(x)
    assert len(fused) == (2 if expansion == 1 else 3)
    torch.testing.assert_close(quick, block.eval()(x))
    assert len(fused) < 4, "a block in use has its layers one by one"


def test_a_block_that_learns_has_gradients(fused):
    block = InvertedResidual(16, 16, 1, 6).train()
    block(torch.randn(1, 16, 8, 8)).sum().backward()
    assert not fused and all(weight.grad is not None for weight in block.parameters())
    block.requires_grad_(False)
    x = torch.randn(1, 16, 8, 8, requires_grad=True)
    block(x).sum().backward()
    assert not fused and x.grad is not None, "those before it learn"


@pytest.mark.skipif(
    not (torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()),
    reason="the CPU has no bfloat16",
)
def test_a_frozen_backbone_keeps_to_autocast(fused):
    backbone = MobileNetV2Backbone().requires_grad_(False)
    image = torch.randn(1, 3, 64, 64)
    with torch.autocast("cpu", torch.bfloat16):
        quick, usual = backbone.train().pyramid(image), backbone.eval().pyramid(image)
    assert len(fused) > 30
    for own, other in zip(quick, usual):
        assert own.dtype == other.dtype == torch.bfloat16
        torch.testing.assert_close(own.float(), other.float(), atol=0.02 * float(other.float().abs().max()), rtol=0)
