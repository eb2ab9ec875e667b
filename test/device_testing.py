# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a function of tensors could be captured as a CUDA graph, found out without CUDA."""

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class NoTensorOfTheCpu(TorchDispatchMode):
    """Refuses each operation that takes or makes a tensor on the CPU: a capture can neither copy it nor wait for it."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        tensors = [leaf for leaf in tree_leaves((args, kwargs, result)) if isinstance(leaf, torch.Tensor)]
        assert all(tensor.device.type != "cpu" for tensor in tensors), f"{func} has a tensor on the CPU"
        return result


def check_capturable(function, *tensors, **options):
    """Run a step on the meta device, whose tensors have no values to read, and then watch a second run.

    Args:
        function: the step; its network is on that device.
        *tensors: what it is given, on any device.
        **options: its options.
    """
    given = [torch.empty_like(tensor, device="meta") for tensor in tensors]
    with torch.inference_mode():
        first = function(*given, **options)
        with NoTensorOfTheCpu():
            second = function(*given, **options)
    shapes = [(tensor.shape, tensor.dtype) for tensor in second]
    assert shapes == [(tensor.shape, tensor.dtype) for tensor in first] and second[0].dtype == torch.float32
