# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime in place of torch for the graphs of a network: on a CPU it takes about half the time.

The graphs are exported in memory from the network as it is. There is one file of weights, and nothing is written.
"""

import functools
import importlib
import inspect
import io
import typing
import warnings
from collections.abc import Callable, Sequence

import numpy as np
import torch

from siam_tracker_ros.executors.executor import P, R, Shape, TensorFunction
from siam_tracker_ros.executors.lone_thread import LoneThread

OPSET = 17  # the newest that torch 2.0 writes
EXAMPLE_BATCH, EXAMPLE_SIDE = 2, 128  # for sizes that vary
SPIN_US = 20  # microseconds that a thread spins while it waits for work
SPIN_BOUNDED_SINCE = (1, 26)  # version of ONNX Runtime; before it, a thread that may spin does so for milliseconds


class OnnxRuntimeExecutor:
    """ONNX Runtime on the CPU. The work that is left to torch is done in a `LoneThread`."""

    name = "onnx"

    def __init__(self) -> None:
        self._thread = LoneThread()

    @staticmethod
    def fault(device: torch.device) -> str | None:
        """Return why ONNX Runtime, or `onnx`, which writes the graphs, cannot run; None if both can."""
        if device.type != "cpu":
            return f"it is for the CPU and the device is {str(device)!r}; use device 'cpu'"
        for name in ("onnx", "onnxruntime"):
            try:
                importlib.import_module(name)
            except ImportError as error:
                return f"{name} cannot be imported ({error}); run `pip install onnx onnxruntime`"
        return None

    def compile(self, function: TensorFunction, shapes: Sequence[Shape]) -> TensorFunction:
        """Return an OnnxFunction; it keeps the weights that the function has now."""
        return OnnxFunction(function, shapes)

    def call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function in the lone thread."""
        return self._thread(functools.partial(function, *args, **kwargs))


class OnnxFunction:
    """A function of float32 tensors on the CPU, run by ONNX Runtime with as many threads as torch uses now.

    Args:
        function: returns a tensor, or a list or tuple of tensors.
        shapes: shapes of its arguments, None for sizes that vary.
    """

    def __init__(self, function: TensorFunction, shapes: Sequence[Shape]) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 3
        # If other programs run as well, a thread that spins takes the core that the thread it waits for needs. On two
        # busy cores the median frame of `lite` took 39 ms without spinning and 275 ms with it. A few microseconds of
        # spinning save the short waits between layers from sleeping and waking: an eighth of a frame's time.
        can_bound = tuple(map(int, onnxruntime.__version__.split(".")[:2])) >= SPIN_BOUNDED_SINCE
        options.add_session_config_entry("session.intra_op.allow_spinning", str(int(can_bound)))
        options.add_session_config_entry("session.intra_op.spin_duration_us", str(SPIN_US))
        example = tuple(torch.zeros(_example_shape(shape)) for shape in shapes)
        with torch.inference_mode():
            self._returns_tensor = isinstance(function(*example), torch.Tensor)
        graph = _export(function, example, shapes)
        self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        self._inputs = [value.name for value in self._session.get_inputs()]

    def __call__(self, *tensors: torch.Tensor) -> typing.Any:
        """Return the result of the function, a list as a tuple, for tensors of the declared shapes."""
        # Not `contiguous`: torch would split this small work among threads, which then wait for each other.
        arrays = (np.ascontiguousarray(tensor.numpy()) for tensor in tensors)
        answers = self._session.run(None, dict(zip(self._inputs, arrays, strict=True)))
        results = tuple(torch.from_numpy(answer) for answer in answers)
        return results[0] if self._returns_tensor else results


def _example_shape(shape: Shape) -> list[int]:
    usual = (EXAMPLE_BATCH, *[EXAMPLE_SIDE] * (len(shape) - 1))
    return [own if size is None else size for size, own in zip(shape, usual)]


class _Module(torch.nn.Module):
    """A function as a module without parameters, so that its weights become constants of the graph."""

    def __init__(self, function: TensorFunction) -> None:
        super().__init__()
        self.forward = function


def _export(function: TensorFunction, example: tuple[torch.Tensor, ...], shapes: Sequence[Shape]) -> bytes:
    """Return a function as the bytes of an ONNX graph."""
    names = [f"input_{index}" for index in range(len(shapes))]
    varying = {
        name: {axis: f"{name}_{axis}" for axis, size in enumerate(shape) if size is None}
        for name, shape in zip(names, shapes)
    }
    # Tracing takes a fraction of the time of the newer exporter, which torch before 2.5 does not have, and needs fewer
    # packages. Torch warns that tracing is deprecated, and that sizes become constants, which is right for fixed ones.
    tracing: dict[str, typing.Any] = {}
    if "dynamo" in inspect.signature(torch.onnx.export).parameters:
        tracing["dynamo"] = False
    graph = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        torch.onnx.export(
            _Module(function),
            example,
            graph,  # type: ignore[arg-type]  # tracing writes to files as well, which the annotation leaves out
            input_names=names,
            dynamic_axes=varying,
            opset_version=OPSET,
            **tracing,
        )
    return graph.getvalue()
