# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""OpenVINO on the CPU, in float32 or int8, or in bfloat16 where the CPU has instructions for it."""

import functools
import io
import logging
import pathlib
import threading
import typing
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from siam_tracker_ros.executors import kept_graphs
from siam_tracker_ros.executors.packages import import_package
from siam_tracker_ros.executors.runtime import Array, GraphSource, LoadedGraph

logger = logging.getLogger(__name__)

PRECISION_HINTS = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}


class OpenVino:
    """OpenVINO on the CPU, in float32, bfloat16 or int8."""

    name = "openvino"
    packages: tuple[str, ...] = ("openvino",)

    def precisions(self) -> tuple[str, ...]:
        """ "fp32", and "bf16" if the CPU has instructions for it: without them OpenVINO would compute in float32."""
        capable = "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        return ("fp32", "bf16") if capable else ("fp32",)

    def load(self, graph: GraphSource, threads: int, precision: str, inner_names: Sequence[str] = ()) -> LoadedGraph:
        """Load a graph."""
        return _OpenVinoGraph(graph, threads, precision, inner_names)


class _InnerValue:
    """An output that stays in OpenVINO's memory, to be an input of another graph.

    Attributes:
        tensor: of float32, or of bfloat16.
    """

    def __init__(self, tensor: typing.Any) -> None:
        self.tensor = tensor

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> np.ndarray:
        values = self.tensor.data
        if values.dtype != np.float32:  # the bits of bfloat16 are the upper half of those of float32
            values = (values.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
        return np.array(values, dtype)  # a copy, which lives longer than the tensor


class _OpenVinoGraph:
    def __init__(self, graph: GraphSource, threads: int, precision: str, inner_names: Sequence[str]) -> None:
        options = {
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": PRECISION_HINTS[precision],
            "PERFORMANCE_HINT": "LATENCY",
            "ENABLE_CPU_PINNING": False,  # a pinned thread waits for its core while another one is free
        }
        self._model = _compile(graph, options, inner_names if precision == "bf16" else ())
        self._types = [port.element_type for port in self._model.inputs]
        self._inner = {
            number: (port.element_type, port.shape)
            for number, port in enumerate(self._model.outputs)
            if port.names & set(inner_names)
        }
        self._new_tensor = import_package("openvino").Tensor
        self._requests = threading.local()  # a request is for one thread at a time

    def __call__(self, *arrays: Array) -> tuple[Array, ...]:
        request = getattr(self._requests, "own", None)
        if request is None:
            request = self._requests.own = self._model.create_infer_request()
        inputs = [array if isinstance(array, _InnerValue) else _shareable(array) for array in arrays]
        tensors = [self._tensor(number, each) for number, each in enumerate(inputs)]  # `inputs` holds their memory
        types = [tensor.element_type for tensor in tensors]
        if types != self._types:  # OpenVINO would take inputs that are left out from the last call
            expected, given = (", ".join(each.to_string() for each in every) for every in (self._types, types))
            raise ValueError(f"inputs are {given or 'none'}, expected {expected}")
        for number, tensor in enumerate(tensors):
            request.set_input_tensor(number, tensor)
        inner = {number: _InnerValue(self._new_tensor(*kind)) for number, kind in self._inner.items()}
        for number, value in inner.items():
            request.set_output_tensor(number, value.tensor)
        # With arguments, `infer` would do what is above as well, in a tenth of a millisecond.
        results = request.infer(share_outputs=True).values()  # the request has memory for one result
        return tuple(inner.get(number) or result.copy() for number, result in enumerate(results))

    def _tensor(self, number: int, array: Array) -> typing.Any:
        """Return an array, or an output of another graph, as an input's tensor."""
        if isinstance(array, _InnerValue):
            return array.tensor
        tensor = self._new_tensor(array, shared_memory=True)
        narrow = number < len(self._types) and self._types[number].to_string() == "bf16"
        if not narrow or tensor.element_type.to_string() != "f32":
            return tensor
        bits = array.view(np.uint32)  # of a graph that does not name its outputs, as those exported by earlier versions
        rounded = ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)  # to the nearest, ties to even
        converted = self._new_tensor(self._types[number], array.shape)
        converted.data.view(np.uint16)[...] = rounded
        return converted


def _shareable(array: np.ndarray) -> np.ndarray:
    """Return an array whose memory OpenVINO can read."""
    return array if array.flags.carray else array.copy()


def _compile(graph: GraphSource, options: dict[str, typing.Any], narrow_names: Sequence[str]) -> typing.Any:
    """Return a compiled model: of a file, the one that an earlier start has compiled, if nothing has changed.

    Its inputs and outputs of the narrow names are in bfloat16, those that it has of them.

    OpenVINO's own cache is not used: it goes by the path and the time of a graph's file, not by its weights, which lie
    in another one, and it does not notice that a file of its own is damaged.
    """
    core = _core()
    if isinstance(graph, bytes):  # torch made it, which takes much longer than to compile it
        return core.compile_model(_read(graph, narrow_names), "CPU", options)
    name, description = graph.stem, _describe(graph, options, narrow_names)
    kept = kept_graphs.recall(name, description)
    if kept is not None:
        try:
            return core.import_model(kept, "CPU", options)
        except RuntimeError as error:
            logger.info("graph %s: OpenVINO does not take what it compiled earlier (%s)", name, error)
    model = core.compile_model(_read(graph, narrow_names), "CPU", options)
    compiled = io.BytesIO()
    try:
        model.export_model(compiled)
    except RuntimeError as error:
        logger.info("graph %s: OpenVINO does not give what it compiled (%s)", name, error)
        return model
    if _describe(graph, options, narrow_names) == description:  # else the files were written at the same time
        kept_graphs.keep(name, description, compiled.getbuffer())
    return model


def _read(graph: GraphSource, narrow_names: Sequence[str]) -> typing.Any:
    model = _core().read_model(graph)
    if not narrow_names:
        return model
    openvino = import_package("openvino")
    changed = openvino.preprocess.PrePostProcessor(model)
    for ports, side in ((model.inputs, changed.input), (model.outputs, changed.output)):
        for number, port in enumerate(ports):
            if port.names & set(narrow_names):
                side(number).tensor().set_element_type(openvino.Type.bf16)
    return changed.build()


def _describe(graph: pathlib.Path, options: dict[str, typing.Any], narrow_names: Sequence[str]) -> str:
    machine = [_core().get_property("CPU", name) for name in ("FULL_DEVICE_NAME", "OPTIMIZATION_CAPABILITIES")]
    version = import_package("openvino").get_version()
    return kept_graphs.describe(graph, f"OpenVINO {version}", *map(str, machine), str(options), *narrow_names)


@functools.cache
def _core() -> typing.Any:
    return import_package("openvino").Core()
