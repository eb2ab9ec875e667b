# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import io

import numpy as np
import pytest
import torch
from torch.nn import functional

from siam_tracker_ros.layers.deformable import DeformableConv3x3


def make(channels_in, channels_out, height, width, batch=1, reach=2.0):
    conv = DeformableConv3x3(channels_in, channels_out).double()
    x = torch.randn(batch, channels_in, height, width, dtype=torch.float64)
    offset = reach * torch.randn(batch, 18, height, width, dtype=torch.float64)
    return conv, x, offset


def sample(plane, y, x):
    """Bilinear value of a map at a point, 0 outside, from its definition."""
    height, width = plane.shape
    value = 0.0
    for row in (int(np.floor(y)), int(np.floor(y)) + 1):
        for column in (int(np.floor(x)), int(np.floor(x)) + 1):
            if 0 <= row < height and 0 <= column < width:
                value += (1 - abs(y - row)) * (1 - abs(x - column)) * plane[row, column]
    return value


@pytest.mark.parametrize("batch, height, width, reach", [(1, 5, 5, 0.7), (2, 4, 6, 2.0), (1, 2, 3, 9.0)])
def test_it_is_the_definition_point_by_point(batch, height, width, reach):
    conv, x, offset = make(3, 2, height, width, batch, reach)
    weight = conv.weight.detach().numpy()
    expected = np.zeros((batch, 2, height, width))
    for b, row, column, tap in np.ndindex(batch, height, width, 9):
        dy, dx = offset[b, 2 * tap : 2 * tap + 2, row, column].tolist()
        y, x_ = row + tap // 3 - 1 + dy, column + tap % 3 - 1 + dx
        values = np.array([sample(plane, y, x_) for plane in x[b].numpy()])
        expected[b, :, row, column] += weight[:, :, tap // 3, tap % 3] @ values
    np.testing.assert_allclose(conv(x, offset).detach(), expected, rtol=0, atol=1e-12)


def test_without_offset_it_is_a_usual_convolution():
    conv, x, offset = make(4, 5, 7, 9)
    expected = functional.conv2d(x, conv.weight, padding=1)
    torch.testing.assert_close(conv(x, 0 * offset), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("away", [-1e30, -8.0, 8.0, 1e30])
def test_far_outside_all_is_zero(away):
    conv, x, offset = make(2, 3, 6, 6)
    assert (conv(x, torch.full_like(offset, away)) == 0).all()


def test_gradients_reach_map_offset_and_weight():
    conv, x, offset = make(2, 2, 3, 4, reach=0.3)
    inputs = x.requires_grad_(), (offset + 0.37).requires_grad_(), conv.weight
    assert torch.autograd.gradcheck(
        lambda x, offset, weight: torch.func.functional_call(conv, {"weight": weight}, (x, offset)), inputs
    )


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_it_can_be_traced():
    conv, x, offset = make(4, 3, 5, 6)
    traced = torch.jit.trace(conv, (x, offset))
    _, other, far = make(4, 3, 5, 6, reach=3)
    torch.testing.assert_close(traced(other, far), conv(other, far))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_it_exports_to_onnx_as_standard_operators():
    onnx, onnxruntime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    conv, x, offset = make(4, 3, 5, 6, batch=2)
    conv, x, offset = conv.float(), x.float(), offset.float()
    file = io.BytesIO()
    torch.onnx.export(conv, (x, offset), file, opset_version=16, dynamo=False, input_names=["x", "offset"])
    graph = onnx.load_model_from_string(file.getvalue()).graph
    assert all(node.domain in ("", "ai.onnx") for node in graph.node)
    session = onnxruntime.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])
    (answer,) = session.run(None, {"x": x.numpy(), "offset": offset.numpy()})
    np.testing.assert_allclose(answer, conv(x, offset).detach(), rtol=0, atol=1e-5)
