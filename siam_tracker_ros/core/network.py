# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the networks have in common: checkpoints, whose names are translated, and graphs, which an executor may run."""

import functools
import typing
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import nn

from siam_tracker_ros.core.graphs import ArrayFunction, Graphs
from siam_tracker_ros.core.stage import Stage, stage
from siam_tracker_ros.errors import WeightsError
from siam_tracker_ros.executors.executor import Executor, GraphInput, Shape, TensorFunction, TorchExecutor
from siam_tracker_ros.layers.backbone import Backbone, KeyRules, rename_key
from siam_tracker_ros.weights.checkpoint import fitting_part

# Files that this package wrote before backbones were called that, the shipped weights among them, are read as well.
FORMER_BACKBONE_NAMES = (r"^((?:online_|search_|template_)?)trunk\.", r"\1backbone.")

MIN_LIKENESS = 0.5  # share of names and shapes in common, for weights to look like those of a network
MIN_SIZE = 0.25  # share of the usual number of tensors, below which weights are not those of any variant of a network

Array = torch.Tensor | np.ndarray
State = Mapping[str, Array]  # weights by name
Value = typing.TypeVar("Value", torch.Tensor, np.ndarray, Array)
Self = typing.TypeVar("Self", bound="Network")
P = typing.ParamSpec("P")
R = typing.TypeVar("R")


class Compiled(typing.NamedTuple):
    """The graphs of a network as an executor runs them.

    Attributes:
        executor: the executor.
        functions: the graphs that it runs in place of torch, by name.
    """

    executor: Executor
    functions: dict[str, TensorFunction]


def graph(
    stage_name: Stage, inputs: Callable[[typing.Any], Sequence[Shape | GraphInput]]
) -> Callable[[Callable[typing.Concatenate[Self, P], R]], Callable[typing.Concatenate[Self, P], R]]:
    """Mark a method of a Network as a graph: an executor may run it in place of torch.

    The method takes tensors by position, and returns a tensor, or a list or tuple of tensors.

    Args:
        stage_name: stage that its time counts as, see `core.stage`.
        inputs: function of the network that returns the method's arguments. Of one in float32 the shape is enough.
    """

    def mark(method: Callable[typing.Concatenate[Self, P], R]) -> Callable[typing.Concatenate[Self, P], R]:
        @functools.wraps(method)
        def run(network: Self, /, *args: P.args, **kwargs: P.kwargs) -> R:
            compiled = network.compiled.get(method.__name__)
            with stage(stage_name):
                return method(network, *args, **kwargs) if compiled is None else compiled(*args, **kwargs)

        vars(run)["graph_inputs"] = inputs
        return run

    return mark


class Network(nn.Module):
    """A network that checkpoints of other projects can be loaded into, and that an executor can run.

    Attributes:
        KEY_RULES: renaming rules for the names of a checkpoint. Our own names pass through unchanged.
        executor: what runs the graphs.
        compiled: the graphs that the executor runs in place of torch, by name.
    """

    KEY_RULES: typing.ClassVar[KeyRules] = ()

    def __init__(self) -> None:
        super().__init__()
        self.executor: Executor = TorchExecutor()
        self.compiled: dict[str, TensorFunction] = {}

    def run_by(self, executor: Executor) -> None:
        """Let an executor run the graphs, with the weights that the network has now."""
        self.run_compiled(self.compile_by(executor))

    def compile_by(self, executor: Executor) -> "Compiled":
        """Return the graphs as an executor runs them, with the weights that the network has now."""
        functions = {}
        for name, (function, inputs) in self.graphs().items():
            compiled = executor.compile(name, function, inputs)
            if compiled is not function:  # which holds the network, that would never be freed by its references
                functions[name] = compiled
        return Compiled(executor, functions)

    def run_compiled(self, compiled: "Compiled") -> None:
        """Let an executor run the graphs that it has compiled."""
        self.executor, self.compiled = compiled

    def wrap(self, wrapper: Callable[[str, TensorFunction], TensorFunction]) -> None:
        """Put in place of each graph what a function of its name and it returns."""
        graphs = {name: function for name, (function, _) in self.graphs().items()} | self.compiled
        self.compiled = {name: wrapper(name, function) for name, function in graphs.items()}

    def graphs(self) -> dict[str, tuple[TensorFunction, list[GraphInput]]]:
        """Return the graphs by name: the function of tensors that torch runs, and its arguments."""
        methods = ((name, getattr(type(self), name)) for name in dir(type(self)))
        return {
            name: (functools.partial(method.__wrapped__, self), _graph_inputs(method.graph_inputs(self)))
            for name, method in methods
            if hasattr(method, "graph_inputs")
        }

    def on_arrays(self) -> Graphs:
        """Return the graphs as functions of arrays that torch runs, where the weights lie and in their type."""
        weight = next(self.parameters())
        functions = {name: _on_arrays(getattr(self, name), weight) for name in self.graphs()}
        precision = "fp16" if weight.dtype == torch.float16 else "fp32"
        return Graphs(functions, TorchExecutor.name, precision, str(weight.device))

    @property
    def runtime(self) -> str:
        """Name of what runs the graphs."""
        return self.executor.name

    @property
    def precision(self) -> str:
        """What the graphs are computed in."""
        return self.executor.precision

    @property
    def device(self) -> str:
        """Where the weights lie, "cpu" or "cuda:N"."""
        return str(next(self.parameters()).device)

    def call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function that does all work on a frame, in the thread that the executor wants."""
        return self.executor.call(function, *args, **kwargs)

    @classmethod
    def translate_state_dict(cls, state: Mapping[str, Value]) -> dict[str, Value]:
        """Translate a state from any names that this network's authors use into ours."""
        return {cls._translate_key(name): value for name, value in state.items()}

    @classmethod
    def own_state(cls, weights: Mapping[str, Value], what: str) -> dict[str, Value]:
        """Translate the weights of a checkpoint, in which the network may be a part of what was saved.

        Args:
            weights: mapping of name to tensor or array, with the authors' names or ours.
            what: name of the source, for the message.

        Raises:
            WeightsError: several parts of the checkpoint look like this network.
        """

        def fits(part: Mapping[str, Value]) -> bool:  # its size first: a likeness needs a network to be made
            return (
                len(part) >= MIN_SIZE * cls._usual_size()
                and cls.likeness(cls.translate_state_dict(part)) >= MIN_LIKENESS
            )

        return cls.translate_state_dict(fitting_part(weights, fits, what))

    @classmethod
    @functools.cache
    def _usual_size(cls) -> int:
        """Return the number of tensors of the usual variant of this network."""
        with torch.device("meta"):
            return len(cls.for_state({}).state_dict())

    @classmethod
    def likeness(cls, state: State) -> float:
        """Return the share of names and shapes that a state in our names and the network have in common, 0..1."""
        with torch.device("meta"):
            expected = _shapes(cls.for_state(state).state_dict())
        given = _shapes(state)
        return len(expected & given) / max(1, len(expected | given))

    @classmethod
    def _translate_key(cls, name: str) -> str:
        return rename_key(name, (FORMER_BACKBONE_NAMES, *cls.KEY_RULES))

    def imagenet_states(self, state: Mapping[str, torch.Tensor]) -> list[tuple[nn.Module, dict[str, torch.Tensor]]]:
        """Return the modules that ImageNet weights fit, each with its state of these weights.

        Raises:
            WeightsError: the network has no such module.
        """
        backbone = getattr(self, "backbone", None)
        if not isinstance(backbone, nn.Module) or not isinstance(backbone, Backbone):
            raise WeightsError(f"{type(self).__name__} has no backbone that ImageNet weights fit")
        return [(backbone, backbone.imagenet_state(state))]

    @classmethod
    def for_state(cls: type[Self], state: State) -> Self:
        """Make the variant of this network that a state in our names was saved from; for {} the usual one."""
        return cls()


def _graph_inputs(inputs: Sequence[Shape | GraphInput]) -> list[GraphInput]:
    return [
        given if isinstance(given, GraphInput) else GraphInput(f"input_{index}", given)
        for index, given in enumerate(inputs)
    ]


def _on_arrays(function: TensorFunction, weight: torch.Tensor) -> ArrayFunction:
    """A graph as a function of arrays; what it returns stays on a GPU until it is asked for."""

    def tensor(array: Array) -> torch.Tensor:
        given = torch.from_numpy(np.ascontiguousarray(array)) if isinstance(array, np.ndarray) else array
        return given.to(weight.device, weight.dtype if given.is_floating_point() else None)

    def run(*arrays: Array) -> tuple[Array, ...]:
        with torch.inference_mode():
            answer = function(*map(tensor, arrays))
        answers = (answer,) if isinstance(answer, torch.Tensor) else tuple(answer)
        return answers if weight.is_cuda else tuple(each.numpy() for each in answers)

    return run


def _shapes(state: State) -> set[tuple[str, tuple[int, ...]]]:
    return {(name, tuple(value.shape)) for name, value in state.items() if not name.endswith("num_batches_tracked")}
