# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What runs the graphs of a torch network: torch itself, or a runtime that they are exported to."""

import functools
import pathlib
import typing
from collections.abc import Callable, Mapping, Sequence

from siam_tracker_ros.executors.runtime import GraphSource, LoadedGraph, Runtime, available_threads, load_shared

if typing.TYPE_CHECKING:  # whoever has a torch network has imported it
    import torch

R = typing.TypeVar("R")
P = typing.ParamSpec("P")
Shape = Sequence[int | None]  # None for a size that varies
TensorFunction = Callable[..., typing.Any]  # of tensors alone; returns a tensor, or a list or tuple of tensors


class GraphInput(typing.NamedTuple):
    """An argument of a graph.

    Attributes:
        name: unique in the graph.
        shape: sizes, None for one that varies.
        dtype: "float32" or "uint8".
    """

    name: str
    shape: Shape
    dtype: str = "float32"


class Executor(typing.Protocol):
    """Runs the graphs of a network: its methods of tensors alone, which `core.network.graph` marks.

    Attributes:
        name: value of `runtime` in `create_tracker`.
        precision: what the graphs are computed in; for torch it follows from the network's weights.
    """

    name: str
    precision: str

    def compile(self, name: str, function: TensorFunction, inputs: Sequence[GraphInput]) -> TensorFunction:
        """Return a function with the same results.

        Args:
            name: of the graph.
            function: function of tensors alone, with the weights that it has now.
            inputs: its arguments.
        """
        ...

    def call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function that does all work on a frame: return its result, or raise its exception."""
        ...


class TorchExecutor:
    """PyTorch itself, on any device; graphs run as they are."""

    name = "torch"

    def __init__(self, precision: str = "fp32") -> None:
        self.precision = precision

    def compile(self, name: str, function: TensorFunction, inputs: Sequence[GraphInput]) -> TensorFunction:
        """Return the function itself."""
        return function

    def call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function in this thread."""
        return function(*args, **kwargs)


class RuntimeExecutor:
    """A runtime, to which the graphs are exported. The work that is left to torch is done in a LoneThread.

    Args:
        runtime: the runtime.
        precision: what it computes in.
        files: graphs that were exported earlier, by name; the others are exported in memory.
    """

    def __init__(
        self, runtime: Runtime, precision: str = "fp32", files: Mapping[str, pathlib.Path] | None = None
    ) -> None:
        from siam_tracker_ros.executors.lone_thread import LoneThread

        self.name = runtime.name
        self.precision = precision
        self._runtime = runtime
        self._files = files or {}
        self._thread = LoneThread()

    def compile(self, name: str, function: TensorFunction, inputs: Sequence[GraphInput]) -> TensorFunction:
        """Return a TensorGraph; it keeps the weights that the function, or the file, has now."""
        import torch

        from siam_tracker_ros.executors.export import example, export_graph

        source: GraphSource = self._files[name] if name in self._files else export_graph(function, inputs)
        graph = load_shared(self._runtime, name, source, available_threads(), self.precision)
        with torch.inference_mode():
            returns_tensor = isinstance(function(*map(example, inputs)), torch.Tensor)
        return TensorGraph(graph, returns_tensor)

    def call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function in the lone thread."""
        return self._thread(functools.partial(function, *args, **kwargs))


class TensorGraph:
    """A loaded graph as a function of tensors on the CPU.

    Args:
        graph: the graph.
        returns_tensor: whether it returns one tensor, not a tuple.
    """

    def __init__(self, graph: LoadedGraph, returns_tensor: bool) -> None:
        self._graph = graph
        self._returns_tensor = returns_tensor

    def __call__(self, *tensors: "torch.Tensor") -> typing.Any:
        """Return the result of the function, a list as a tuple, for tensors of the declared shapes."""
        import torch

        results = tuple(torch.from_numpy(answer) for answer in self._graph(*(tensor.numpy() for tensor in tensors)))
        return results[0] if self._returns_tensor else results
