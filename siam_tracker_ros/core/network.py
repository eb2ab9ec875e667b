# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the networks have in common: checkpoints, whose names become ours, and graphs, which an executor may run."""

import functools
import re
import typing
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import nn

from siam_tracker_ros.core.stage import Stage, stage
from siam_tracker_ros.executors.executor import Executor, Shape, TensorFunction, TorchExecutor

# Files that this package wrote before backbones were called that, the shipped weights among them, are read as well.
FORMER_BACKBONE_NAMES = (r"^((?:online_|search_|template_)?)trunk\.", r"\1backbone.")

State = Mapping[str, torch.Tensor]


def graph(
    stage_name: Stage, shapes: Callable[[typing.Any], Sequence[Shape]]
) -> Callable[[TensorFunction], TensorFunction]:
    """Mark a method of a Network as one that an executor may run in place of torch.

    The method takes and returns float32 tensors and nothing else.

    Args:
        stage_name: what the time in it is charged to, see `core.stage`.
        shapes: function of the network that returns the shapes of the method's arguments, None for sizes that vary.
    """

    def mark(method: TensorFunction) -> TensorFunction:
        @functools.wraps(method)
        def run(self: "Network", *tensors: torch.Tensor) -> typing.Any:
            compiled = self.compiled.get(method.__name__)
            with stage(stage_name):
                return method(self, *tensors) if compiled is None else compiled(*tensors)

        run.graph_shapes = shapes  # type: ignore[attr-defined]
        return run

    return mark


class Network(nn.Module):
    """A network that checkpoints of other projects can be loaded into, and that an executor can run.

    Attributes:
        KEY_RULES: pairs of a regular expression and its replacement, applied in turn to each name of a checkpoint.
            Our own names pass through unchanged.
        executor: what runs its graphs.
        compiled: the graphs as the executor runs them, by name; empty where torch does.
    """

    KEY_RULES: typing.ClassVar[Sequence[tuple[str, str]]] = ()

    def __init__(self) -> None:
        super().__init__()
        self.executor: Executor = TorchExecutor()
        self.compiled: dict[str, TensorFunction] = {}

    def run_by(self, executor: Executor) -> None:
        """Let an executor run the graphs, with the weights that the network has now."""
        self.compiled = {}
        for name in dir(type(self)):
            method = getattr(type(self), name)
            if hasattr(method, "graph_shapes"):
                function = functools.partial(method.__wrapped__, self)
                self.compiled[name] = executor.compile(function, method.graph_shapes(self))
        self.executor = executor

    @classmethod
    def translate_state_dict(cls, state: State) -> dict[str, torch.Tensor]:
        """Translate a state (name to tensor) from any key schema that this network's authors use into ours."""
        return {cls._translate_key(name): value for name, value in state.items()}

    @classmethod
    def _translate_key(cls, name: str) -> str:
        for pattern, replacement in (FORMER_BACKBONE_NAMES, *cls.KEY_RULES):
            name = re.sub(pattern, replacement, name)
        return name

    def imagenet_states(self, state: State) -> list[tuple[nn.Module, dict[str, torch.Tensor]]]:
        """Return what a network takes of ImageNet weights (name to tensor): pairs of a module and a state for it."""
        return [(self.backbone, self.backbone.imagenet_state(state))]

    @classmethod
    def for_state(cls, state: State) -> "Network":
        """Make the variant of this network that a state in our schema was saved from; for {} the usual one."""
        return cls()
