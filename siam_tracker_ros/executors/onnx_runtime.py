# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime on the CPU, in float32 or int8."""

from collections.abc import Sequence

import numpy as np

from siam_tracker_ros.executors.runtime import GraphSource, LoadedGraph

SPIN_US = 20  # microseconds that a thread spins while it waits for work
SPIN_BOUNDED_SINCE = (1, 26)  # version of ONNX Runtime; before it, a thread that may spin does so for milliseconds


class OnnxRuntime:
    """ONNX Runtime on the CPU, in float32 or int8."""

    name = "onnx"
    packages: tuple[str, ...] = ("onnxruntime",)

    def precisions(self) -> tuple[str, ...]:
        """Only "fp32"."""
        return ("fp32",)

    def load(self, graph: GraphSource, threads: int, precision: str, inner_names: Sequence[str] = ()) -> LoadedGraph:
        """Load a graph; all its outputs are arrays: ONNX Runtime takes longer to hand out memory of its own."""
        return _OnnxGraph(graph, threads)


class _OnnxGraph:
    def __init__(self, graph: GraphSource, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        # If other programs run as well, a thread that spins takes the core that the thread it waits for needs. On two
        # busy cores the median frame of `lite` took 39 ms without spinning and 275 ms with it. A few microseconds of
        # spinning save the short waits between layers from sleeping and waking: an eighth of a frame's time.
        can_bound = tuple(map(int, onnxruntime.__version__.split(".")[:2])) >= SPIN_BOUNDED_SINCE
        options.add_session_config_entry("session.intra_op.allow_spinning", str(int(can_bound)))
        options.add_session_config_entry("session.intra_op.spin_duration_us", str(SPIN_US))
        source = graph if isinstance(graph, bytes) else str(graph)
        self._session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        self._inputs = [value.name for value in self._session.get_inputs()]

    def __call__(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        contiguous = (np.ascontiguousarray(array) for array in arrays)
        return tuple(self._session.run(None, dict(zip(self._inputs, contiguous, strict=True))))
