# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What runs a network: on which device, by which runtime, in which precision; "auto" measures what is installed.

Networks that are Graphs run without torch, from ONNX files that come with the package or that `siam-tracker export`
wrote. All others are torch networks, whose graphs a runtime may run, from such files as well.
"""

import dataclasses
import functools
import logging
import os
import pathlib
import typing
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from siam_tracker_ros.core.confidence import NARROW_PRECISIONS
from siam_tracker_ros.core.graphs import ArrayFunction, Graphs, LateGraph
from siam_tracker_ros.core.method import Method
from siam_tracker_ros.errors import InvalidSettingError, WeightsError, shown
from siam_tracker_ros.executors import RUNTIMES, TORCH, check_runtime, choice
from siam_tracker_ros.executors.device import resolve_device
from siam_tracker_ros.executors.runtime import GraphSource, available_threads, fault, is_installed, load_shared
from siam_tracker_ros.extras import require

if typing.TYPE_CHECKING:
    from siam_tracker_ros.core.network import Compiled, Network

logger = logging.getLogger(__name__)

Weights = str | os.PathLike[str] | Mapping[str, typing.Any] | None

GRAPH_SUFFIXES = {"onnx": ".onnx", "openvino": ".xml"}  # by the runtime whose own format it is

MAX_LOSS = 0.005  # of mean IoU, that a precision may cost for "auto" to choose it in place of float32

NEEDS = {  # of a precision on a CPU
    "bf16": "OpenVINO and a CPU with bfloat16 instructions",
    "int8": "ONNX Runtime or OpenVINO, and as weights a folder that `siam-tracker export MODEL --precision int8` wrote",
}

TRIAL_SIZE_WH = (320, 240)
TRIAL_BOX_XYWH = (120.0, 90.0, 80.0, 60.0)


@dataclasses.dataclass(frozen=True)
class Running:
    """One way to run a network.

    Attributes:
        runtime: "torch" or a name of `executors.RUNTIMES`.
        precision: "fp32", "bf16" or "int8".
    """

    runtime: str
    precision: str

    def __str__(self) -> str:
        return f"{self.runtime} in {self.precision}"

    @classmethod
    def parse(cls, text: str) -> "Running":
        """Return what `str` made the text of."""
        runtime, _, precision = text.partition(" in ")
        return cls(runtime, precision)


def make_network(
    method: Method,
    settings: typing.Any,
    weights: Weights,
    device: str,
    precision: str,
    runtime: str,
    losses: Mapping[str, float],
) -> "Network | Graphs":
    """Make the network of a method's trackers, ready to run; see `create_tracker`.

    Args:
        method: the method.
        settings: those of its tracker.
        weights, device, precision, runtime: as in `create_tracker`.
        losses: what precisions cost these weights, see `Calibration`.

    Raises:
        InvalidSettingError, WeightsError: as in `create_tracker`.
    """
    device = resolve_device(device)
    check_precision(precision, device, method)
    check_runtime(runtime, device, precision)
    uses_graphs = bool(method.tracker_class.graph_names)
    names: Sequence[str] = [TORCH]
    if device == "cpu" and runtime != TORCH:
        installed = [name for name in RUNTIMES if is_installed(RUNTIMES[name])]
        names = [*installed, *([] if uses_graphs and installed else [TORCH])] if runtime == "auto" else [runtime]
    names = _readers(method, weights, names)
    precisions = _precisions(precision, losses)
    if uses_graphs and names != [TORCH]:
        return _load_graphs(method, settings, weights, precisions, names)
    if names == [TORCH] and device == "cpu":
        ways_to_run(method, weights, names, precisions)  # refuses what torch cannot do
    network = _read_torch_network(method, weights, device, precision)
    if uses_graphs:
        return network.on_arrays()
    if device == "cpu":
        files = exported_graphs(method, weights)

        @functools.cache  # those that were tried are not made again
        def compile_by(way: Running) -> "Compiled":
            quantized = exported_graphs(method, weights, "int8") if way.precision == "int8" else {}
            return network.compile_by(_executor(way, {**files, **quantized}))

        def trial(way: Running) -> Callable[[], object]:
            network.run_compiled(compile_by(way))
            step = _trial(method, network, settings)

            def run() -> object:
                network.run_compiled(compile_by(way))
                return step()

            return run

        network.run_compiled(compile_by(_choose(method, weights, names, precisions, trial)))
    return network


def _precisions(precision: str, losses: Mapping[str, float]) -> tuple[str, ...]:
    """Return the precision that is asked for; for "auto" float32 and those that are known to cost hardly anything."""
    if precision != "auto":
        return (precision,)
    return ("fp32", *sorted(name for name, loss in losses.items() if loss <= MAX_LOSS))


def ways_to_run(method: Method, weights: Weights, names: Sequence[str], precisions: Sequence[str]) -> list[Running]:
    """Return the ways to run a model on a CPU.

    Args:
        method: the model.
        weights: see `create_tracker`.
        names: "torch" and names of RUNTIMES, all installed.
        precisions: those that come into question.

    Raises:
        InvalidSettingError: nothing among the names has such a precision here.
    """
    ways = _ways_to_run(method, weights, names, precisions)
    if not ways:
        needs = " or ".join(f"{name!r}, which needs {NEEDS[name]}" for name in precisions)
        raise InvalidSettingError(f"precision is {needs}; use auto or fp32")
    return ways


def narrow_ways(method: Method, weights: Weights, device: str = "auto", runtime: str = "auto") -> list[Running]:
    """Return the ways to run a model below float32 that there are here; none on a GPU.

    Args:
        method: the model.
        weights, device, runtime: see `create_tracker`.
    """
    if resolve_device(device) != "cpu":
        return []
    names = [name for name in RUNTIMES if runtime in ("auto", name) and fault(RUNTIMES[name], "cpu") is None]
    return _ways_to_run(method, weights, _readers(method, weights, names), NARROW_PRECISIONS) if names else []


def _ways_to_run(method: Method, weights: Weights, names: Sequence[str], precisions: Sequence[str]) -> list[Running]:
    quantized = ("int8",) if exported_graphs(method, weights, "int8") else ()
    return [
        Running(name, way)
        for name in names
        for way in (("fp32",) if name == TORCH else (*RUNTIMES[name].precisions(), *quantized))
        if way in precisions
    ]


def _choose(
    method: Method,
    weights: Weights,
    names: Sequence[str],
    precisions: Sequence[str],
    trial: Callable[[Running], Callable[[], object]],
) -> Running:
    """Return the fastest way to run a model: as it was measured earlier, or as it is measured now.

    Args:
        method, weights, names, precisions: see `ways_to_run`.
        trial: returns a function that tracks one frame in one way.
    """
    if len(names) == 1 and (names[0] == TORCH or len(precisions) == 1):
        return ways_to_run(method, weights, names, precisions)[0]
    key = choice.key(method.name, names, precisions)
    known = choice.recall(key)  # before libraries are imported that it may not need
    if known is not None:
        way = Running.parse(known)
        if way.runtime in names and way in _ways_to_run(method, weights, [way.runtime], precisions):
            return way
    usable = [name for name in names if name == TORCH or len(names) == 1 or _is_usable(name)]
    ways = ways_to_run(method, weights, usable, precisions)
    if len(ways) == 1:
        return ways[0]
    trials, failure = {}, None
    for way in ways:
        try:
            trials[str(way)] = trial(way)
        except Exception as error:  # whatever a library raises that does not get along with this machine
            failure = error
            logger.warning("runtime: %s is left out, it cannot run %s here (%s)", way, method.name, error)
    if not trials and failure is not None:
        raise failure
    return Running.parse(choice.remember(key, choice.measure(trials)))


def _is_usable(name: str) -> bool:
    reason = fault(RUNTIMES[name], "cpu")
    if reason is not None:
        logger.warning("runtime: %s is left out: %s", name, reason)
    return reason is None


def _readers(method: Method, weights: Weights, names: Sequence[str]) -> Sequence[str]:
    """Return which of "torch" and names of RUNTIMES can run weights: OpenVINO's own format is for it alone."""
    if all(path.suffix != GRAPH_SUFFIXES["openvino"] for path in exported_graphs(method, weights).values()):
        return names
    readers = [name for name in names if name in ("openvino", TORCH)]
    if not readers:
        raise InvalidSettingError(
            f"weights {weights} are graphs for OpenVINO and the runtime is {' or '.join(names)}; use runtime "
            "'openvino', which needs the package openvino, or export them again with --format onnx"
        )
    return readers


def _load_graphs(
    method: Method, settings: typing.Any, weights: Weights, precisions: Sequence[str], names: Sequence[str]
) -> Graphs:
    sources = graph_sources(method, weights)

    @functools.cache  # those that were tried are not loaded again
    def load(way: Running) -> Graphs:
        threads = available_threads()
        quantized = exported_graphs(method, weights, "int8") if way.precision == "int8" else {}
        runtime, tracker_class = RUNTIMES[way.runtime], method.tracker_class
        functions: dict[str, ArrayFunction] = {}
        for name, own in sources.items():
            source, inner = quantized.get(name, own), tracker_class.inner_names
            load_graph = functools.partial(load_shared, runtime, name, source, threads, way.precision, inner)
            functions[name] = LateGraph(load_graph) if name in tracker_class.late_names else load_graph()
        return Graphs(functions, way.runtime, way.precision)

    return load(_choose(method, weights, names, precisions, lambda way: _trial(method, load(way), settings)))


def check_precision(precision: str, device: str, method: Method) -> None:
    """Check a precision.

    Raises:
        InvalidSettingError: an unknown name, or one that the device or the method does not have.
    """
    if precision not in ("auto", "fp32", "fp16", *NARROW_PRECISIONS):
        raise InvalidSettingError(
            f"precision is {shown(precision)}, expected auto, fp32, fp16, {' or '.join(NARROW_PRECISIONS)}"
        )
    kind = device.partition(":")[0]
    if precision == "fp16" and kind != "cuda":
        raise InvalidSettingError(f"precision is 'fp16' on device {kind!r}, but it needs CUDA; use auto or fp32")
    if precision == "fp16" and not method.half_precision:
        raise InvalidSettingError("precision is 'fp16', which this model cannot run in; use auto or fp32")
    if precision in NARROW_PRECISIONS and kind != "cpu":
        raise InvalidSettingError(
            f"precision is {precision!r} on device {kind!r}, but it is for a CPU; use auto or fp16"
        )


def graph_sources(method: Method, weights: Weights) -> dict[str, GraphSource]:
    """Return the graphs of a method by name: files, where there are any, or exported with the given weights."""
    folder = method.shipped_weights.parent if weights is None and method.shipped_weights is not None else None
    folder = _exported_folder(weights) or folder
    if folder is not None:
        files = graph_files(method, folder)
        missing = [name for name in method.tracker_class.graph_names if name not in files]
        if not missing:
            return {name: files[name] for name in method.tracker_class.graph_names}
        if weights is not None:
            raise WeightsError(
                f"folder {folder} has no file {graph_file_name(method, missing[0])}; give the folder that "
                f"`siam-tracker export {method.name}` wrote, or a file of weights"
            )
    network = _read_torch_network(method, weights, "cpu", "fp32")
    from siam_tracker_ros.executors.export import export_graph

    return {name: export_graph(function, inputs) for name, (function, inputs) in network.graphs().items()}


def exported_graphs(method: Method, weights: Weights, precision: str = "fp32") -> dict[str, pathlib.Path]:
    """Return the `graph_files` of the folder that weights are; {} if they are none."""
    folder = _exported_folder(weights)
    return {} if folder is None else graph_files(method, folder, precision)


def _exported_folder(weights: Weights) -> pathlib.Path | None:
    if isinstance(weights, (str, os.PathLike)) and weights not in ("", "random") and pathlib.Path(weights).is_dir():
        return pathlib.Path(weights)
    return None


def graph_files(method: Method, folder: pathlib.Path, precision: str = "fp32") -> dict[str, pathlib.Path]:
    """Return the files of a method's graphs in a folder, by the graphs' names; of two kinds OpenVINO's.

    Args:
        method: the method.
        folder: where they are.
        precision: "fp32", or "int8" for the quantized ones, which not every graph has.
    """
    files = {}
    for suffix in GRAPH_SUFFIXES.values():
        for path in folder.glob(graph_file_name(method, "*", suffix)):
            _, graph, *narrow, _ = path.name.split(".")
            if narrow == ([] if precision == "fp32" else [precision]):
                files[graph] = path
    return files


def graph_file_name(method: Method, graph: str, suffix: str = ".onnx", precision: str = "fp32") -> str:
    """Name of the file of one of a method's graphs; methods with the same weights share them."""
    narrow = "" if precision == "fp32" else f".{precision}"
    return f"{method.weights or method.name}.{graph}{narrow}{suffix}"


def weights_file_name(method: Method) -> str:
    """Name of the file of weights beside a method's graphs."""
    return f"{method.weights or method.name}.safetensors"


def _read_torch_network(method: Method, weights: Weights, device: str, precision: str) -> "Network":
    require(f"model {method.name} with these weights or on this device", "torch", extra="torch")
    import torch

    from siam_tracker_ros.core.loading import read_network
    from siam_tracker_ros.executors.device import apply_pending_threads, prepare_for_inference

    on_gpu = device != "cpu"
    half = on_gpu and method.half_precision and precision != "fp32"
    dtype = torch.float16 if half else torch.float32
    apply_pending_threads()
    with torch.inference_mode(False):  # GradNet takes gradients through its weights, which tensors of that mode forbid
        return prepare_for_inference(read_network(method, weights), torch.device(device), dtype)


def _executor(way: Running, files: Mapping[str, pathlib.Path]) -> typing.Any:
    from siam_tracker_ros.executors.executor import RuntimeExecutor, TorchExecutor

    if way.runtime == TORCH:
        return TorchExecutor(way.precision)
    return RuntimeExecutor(RUNTIMES[way.runtime], way.precision, files)


def _trial(method: Method, network: "Network | Graphs", settings: typing.Any) -> Callable[[], object]:
    """Return a function that tracks one frame."""
    width, height = TRIAL_SIZE_WH
    image_bgr = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    tracker = method.tracker_class(network, settings)
    target = tracker.start(image_bgr, TRIAL_BOX_XYWH)
    return lambda: tracker.step(image_bgr, target)
