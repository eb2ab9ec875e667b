# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The graphs of a network as functions of arrays, for trackers that need no torch."""

import typing
from collections.abc import Callable, Mapping

import numpy as np

R = typing.TypeVar("R")
P = typing.ParamSpec("P")

Array = typing.Any  # a numpy array; between the graphs of one network also a value that stays where they run
ArrayFunction = Callable[..., tuple[Array, ...]]


class LateGraph:
    """A graph that is loaded when it is first called.

    Args:
        load: returns the graph, in each thread that calls it first the same.
    """

    def __init__(self, load: Callable[[], ArrayFunction]) -> None:
        self._load = load
        self._function: ArrayFunction | None = None

    def __call__(self, *arrays: Array) -> tuple[Array, ...]:
        """Return the outputs for the inputs."""
        if self._function is None:
            self._function = self._load()
        return self._function(*arrays)


class Graphs:
    """The graphs of one network, each a method of its own name: `graphs.search(crop_bgr, kernels, gate)`.

    Attributes:
        runtime: name of what runs them.
        precision: what they are computed in.
        device: "cpu" or "cuda:N".
    """

    def __init__(
        self, functions: Mapping[str, ArrayFunction], runtime: str, precision: str = "fp32", device: str = "cpu"
    ) -> None:
        self.functions = dict(functions)
        self.runtime = runtime
        self.precision = precision
        self.device = device

    def wrap(self, wrapper: Callable[[str, ArrayFunction], ArrayFunction]) -> None:
        """Put in place of each graph what a function of its name and it returns."""
        self.functions = {name: wrapper(name, function) for name, function in self.functions.items()}

    def __getattr__(self, name: str) -> ArrayFunction:
        try:
            return vars(self)["functions"][name]
        except KeyError:
            raise AttributeError(f"the network has no graph {name!r}") from None

    def call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function that does all work on a frame, in this thread."""
        return function(*args, **kwargs)


def to_array(array: Array) -> np.ndarray:
    """Return an output of a graph as a numpy array."""
    return array.float().cpu().numpy() if hasattr(array, "cpu") else np.asarray(array)
