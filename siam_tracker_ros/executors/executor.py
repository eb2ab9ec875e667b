# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The contract of an executor, and PyTorch as one."""

import typing
from collections.abc import Callable, Sequence

import torch

R = typing.TypeVar("R")
P = typing.ParamSpec("P")
Shape = Sequence[int | None]  # None for a size that varies
TensorFunction = Callable[..., typing.Any]  # of tensors alone; returns a tensor, or a list or tuple of tensors


class Executor(typing.Protocol):
    """Runs the graphs of a network: its methods of tensors alone, which `core.network.graph` marks.

    Attributes:
        name: value of `runtime` in `create_tracker`.
    """

    name: str

    @staticmethod
    def fault(device: torch.device) -> str | None:
        """Return why this executor cannot run on a device here, and what to do; None if it can."""
        ...

    def compile(self, function: TensorFunction, shapes: Sequence[Shape]) -> TensorFunction:
        """Return a function with the same results.

        Args:
            function: function of tensors alone, with the weights that it has now.
            shapes: shapes of its arguments.
        """
        ...

    def call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function that does all work on a frame: return its result, or raise its exception."""
        ...


class TorchExecutor:
    """PyTorch itself, on any device; graphs run as they are."""

    name = "torch"

    @staticmethod
    def fault(device: torch.device) -> str | None:
        """Return None: PyTorch is always available."""
        return None

    def compile(self, function: TensorFunction, shapes: Sequence[Shape]) -> TensorFunction:
        """Return the function itself."""
        return function

    def call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function in this thread."""
        return function(*args, **kwargs)
