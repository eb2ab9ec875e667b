# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""OpenVINO on the CPU, in float32 or int8, or in bfloat16 where the CPU has instructions for it."""

import functools
import io
import logging
import pathlib
import threading
import typing

import numpy as np

from siam_tracker_ros.executors import kept_graphs
from siam_tracker_ros.executors.packages import import_package
from siam_tracker_ros.executors.runtime import GraphSource, LoadedGraph

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

    def load(self, graph: GraphSource, threads: int, precision: str) -> LoadedGraph:
        """Load a graph."""
        return _OpenVinoGraph(graph, threads, precision)


class _OpenVinoGraph:
    def __init__(self, graph: GraphSource, threads: int, precision: str) -> None:
        options = {
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": PRECISION_HINTS[precision],
            "PERFORMANCE_HINT": "LATENCY",
            "ENABLE_CPU_PINNING": False,  # a pinned thread waits for its core while another one is free
        }
        self._model = _compile(graph, options)
        self._types = [given.get_element_type().to_dtype() for given in self._model.inputs]
        self._results = range(len(self._model.outputs))
        self._requests = threading.local()  # a request is for one thread at a time

    def __call__(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        request = getattr(self._requests, "own", None)
        if request is None:
            request = self._requests.own = self._model.create_infer_request()
        types = [array.dtype for array in arrays]
        if types != self._types:  # OpenVINO would take inputs that are left out from the last call, and convert others
            expected, given = (", ".join(map(str, each)) for each in (self._types, types))
            raise ValueError(f"inputs are {given or 'none'}, expected {expected}")
        contiguous = [np.ascontiguousarray(array) for array in arrays]
        results = request.infer(contiguous, share_inputs=True)  # outputs are copies: the request has memory for one
        return tuple(results[index] for index in self._results)


def _compile(graph: GraphSource, options: dict[str, typing.Any]) -> typing.Any:
    """Return a compiled model: of a file, the one that an earlier start has compiled, if nothing has changed.

    OpenVINO's own cache is not used: it goes by the path and the time of a graph's file, not by its weights, which lie
    in another one, and it does not notice that a file of its own is damaged.
    """
    core = _core()
    if isinstance(graph, bytes):  # torch made it, which takes much longer than to compile it
        return core.compile_model(core.read_model(graph), "CPU", options)
    name, description = graph.stem, _describe(graph, options)
    kept = kept_graphs.recall(name, description)
    if kept is not None:
        try:
            return core.import_model(kept, "CPU", options)
        except RuntimeError as error:
            logger.info("graph %s: OpenVINO does not take what it compiled earlier (%s)", name, error)
    model = core.compile_model(core.read_model(graph), "CPU", options)
    compiled = io.BytesIO()
    try:
        model.export_model(compiled)
    except RuntimeError as error:
        logger.info("graph %s: OpenVINO does not give what it compiled (%s)", name, error)
        return model
    if _describe(graph, options) == description:  # else the files were written at the same time
        kept_graphs.keep(name, description, compiled.getbuffer())
    return model


def _describe(graph: pathlib.Path, options: dict[str, typing.Any]) -> str:
    machine = [_core().get_property("CPU", name) for name in ("FULL_DEVICE_NAME", "OPTIMIZATION_CAPABILITIES")]
    version = import_package("openvino").get_version()
    return kept_graphs.describe(graph, f"OpenVINO {version}", *map(str, machine), str(options))


@functools.cache
def _core() -> typing.Any:
    return import_package("openvino").Core()
