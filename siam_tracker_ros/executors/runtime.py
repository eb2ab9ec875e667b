# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The contract of a runtime, which runs ONNX graphs on arrays, and the loading of graphs. No torch in here."""

import importlib.util
import os
import pathlib
import re
import threading
import typing
import weakref
from collections.abc import Sequence

import cv2

from siam_tracker_ros.errors import WeightsError
from siam_tracker_ros.executors.packages import import_package

LOCATION = re.compile(rb"\n\x08location\x12([\x80-\xff]*[\x00-\x7f])")  # an entry of ONNX's TensorProto.external_data

GraphSource = bytes | pathlib.Path  # an ONNX graph; a path where its weights lie in another file beside it
Array = typing.Any  # a numpy array, or what a runtime has for a value of a graph that only its other graphs read


class LoadedGraph(typing.Protocol):
    """A graph that is ready to run. It may be called from any thread."""

    def __call__(self, *arrays: Array) -> tuple[Array, ...]:
        """Return the outputs for the inputs, in the order that the graph has them."""
        ...


class Runtime(typing.Protocol):
    """A library that runs ONNX graphs.

    Attributes:
        name: value of `runtime` in `create_tracker`.
        packages: what has to be installed for it, by the names that Python imports.
    """

    name: str
    packages: tuple[str, ...]

    def precisions(self) -> tuple[str, ...]:
        """Names of the precisions that it can compute a graph of float32 in on this machine, "fp32" first."""
        ...

    def load(self, graph: GraphSource, threads: int, precision: str, inner_names: Sequence[str] = ()) -> LoadedGraph:
        """Load a graph of float32 and uint8 tensors, to be computed by so many threads in a precision.

        In "int8", the graph says itself what of it is computed in int8; the rest is computed in float32.

        Args:
            graph: the graph.
            threads: as many are used.
            precision: one of `precisions`, or "int8".
            inner_names: outputs that are only inputs of other graphs, under the same names. They may stay in the
                runtime's memory, in its precision; `np.asarray` must read them.
        """
        ...


def fault(runtime: Runtime, device: str, precision: str = "auto") -> str | None:
    """Return why a runtime cannot run on a device in a precision here, and what to do; None if it can."""
    if device != "cpu":
        return f"it is for the CPU and the device is {device!r}; use device 'cpu'"
    for name in runtime.packages:
        try:
            import_package(name)
        except ImportError as error:
            return f"{name} cannot be imported ({error}); run `pip install {name}`"
    if precision not in ("auto", "int8", *runtime.precisions()):
        return (
            f"it computes in {' or '.join(runtime.precisions())} on this CPU and precision is {precision!r}; "
            "use precision 'auto' or 'fp32'"
        )
    return None


def is_installed(runtime: Runtime) -> bool:
    """Whether the packages of a runtime are there; they are not imported."""
    found = (importlib.util.find_spec(name) for name in runtime.packages)
    return all(spec is not None and spec.origin is not None for spec in found)  # a mere folder has no origin


def available_threads() -> int:
    """CPU threads that a graph may use: as many as OpenCV uses; torch's number differs from thread to thread."""
    return max(1, cv2.getNumThreads())


def weights_files(graph: pathlib.Path) -> list[pathlib.Path]:
    """Return the files beside that of a graph which have weights of it, and are there.

    They are those that ONNX names, or the one of OpenVINO's own format.
    """
    if graph.suffix == ".onnx":
        content, names = graph.read_bytes(), set()
        for found in LOCATION.finditer(content):
            length = sum((byte & 0x7F) << (7 * place) for place, byte in enumerate(found[1]))
            names.add(os.fsdecode(content[found.end() : found.end() + length]))
        paths = [graph.parent / name for name in sorted(names)]
    else:
        paths = [graph.with_suffix(".bin")]
    return [path for path in paths if path.is_file()]  # the runtime says what it lacks


class _Shared:
    """Graphs in use by what they are and who runs them: all trackers of a process share them."""

    def __init__(self) -> None:
        self.loaded: weakref.WeakValueDictionary[tuple[typing.Any, ...], LoadedGraph] = weakref.WeakValueDictionary()
        self.loading = threading.Lock()


_shared = _Shared()


def load_shared(
    runtime: Runtime,
    name: str,
    graph: GraphSource,
    threads: int,
    precision: str,
    inner_names: Sequence[str] = (),
) -> LoadedGraph:
    """Load a graph of a name, or return it if another tracker of this process has it loaded in the same way.

    The arguments after the name are those of `Runtime.load`.

    Raises:
        WeightsError: the runtime cannot load it.
    """
    if isinstance(graph, bytes):
        import hashlib  # which loads OpenSSL; shipped graphs are files

        content: tuple[typing.Any, ...] = (hashlib.sha256(graph).digest(),)
    else:
        content = tuple((path, path.stat().st_mtime_ns) for path in (graph, *weights_files(graph)))
    key = (runtime.name, *content, threads, precision, *inner_names)
    shared = _shared
    with shared.loading:
        loaded = shared.loaded.get(key)
        if loaded is None:
            try:
                loaded = shared.loaded[key] = runtime.load(graph, threads, precision, inner_names)
            except Exception as error:  # of the library, about a file that is damaged or not for it
                raise WeightsError(
                    f"graph {graph if isinstance(graph, pathlib.Path) else name} cannot be loaded by {runtime.name}: "
                    f"{str(error).strip().splitlines()[0]}; make it again with `siam-tracker export`, or use another "
                    "runtime"
                ) from error
        return loaded


def forget_loaded() -> None:
    """Load graphs anew from now on, even if one that is in use, or is being loaded, does not return any more."""
    global _shared
    _shared = _Shared()
