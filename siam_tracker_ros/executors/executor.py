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
    """Runs the graphs of a network: its functions of tensors alone, which it marks as `core.network.graph`.

    Attributes:
        name: what `create_tracker` takes as `runtime`.
    """

    name: str

    @staticmethod
    def fault(device: torch.device) -> str | None:
        """Return what keeps this executor from running on a device here, and what to do; None for nothing."""
        ...

    def compile(self, function: TensorFunction, shapes: Sequence[Shape]) -> TensorFunction:
        """Return a function that gives the same answers.

        Args:
            function: of tensors alone, with the weights that it has now.
            shapes: of its arguments.
        """
        ...

    def call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Do all work on a frame: return what a function returns, or raise what it raises."""
        ...


class TorchExecutor:
    """PyTorch itself, on any device: a graph is run as it is."""

    name = "torch"

    @staticmethod
    def fault(device: torch.device) -> str | None:
        """Return None: PyTorch is always there."""
        return None

    def compile(self, function: TensorFunction, shapes: Sequence[Shape]) -> TensorFunction:
        """Return the function itself."""
        return function

    def call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function in this thread."""
        return function(*args, **kwargs)
