# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A model as a folder of graphs, with its weights and its calibration: `siam-tracker export`."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from siam_tracker_ros.core.confidence import Calibration, calibration_path
from siam_tracker_ros.core.loading import read_network
from siam_tracker_ros.core.method import Method
from siam_tracker_ros.core.registry import find_calibration, list_models
from siam_tracker_ros.core.running import GRAPH_SUFFIXES, Weights, graph_file_name, graph_files, weights_file_name
from siam_tracker_ros.errors import InvalidInputError, InvalidSettingError, WeightsError
from siam_tracker_ros.executors import RUNTIMES
from siam_tracker_ros.executors.device import prepare_for_inference
from siam_tracker_ros.executors.executor import GraphInput, TensorFunction
from siam_tracker_ros.executors.export import example, export_graph, halve_weights
from siam_tracker_ros.executors.packages import import_package
from siam_tracker_ros.executors.quantize import quantize_graph
from siam_tracker_ros.executors.runtime import GraphSource, available_threads, fault
from siam_tracker_ros.outputs import write_atomic
from siam_tracker_ros.weights.checkpoint import save_weights

MAX_DIFFERENCE = 1e-3  # of an output, over its largest value
MAX_HALF_DIFFERENCE = 1e-2  # the same, of a graph that stores its weights in float16

Samples = Mapping[str, Sequence[Sequence[np.ndarray]]]  # inputs that graphs have had, by their names


@dataclasses.dataclass(frozen=True)
class ExportedGraph:
    """A graph that was written.

    Attributes:
        path: its file.
        difference: largest difference between what it and torch compute, over the largest value; None if not checked,
            as one in int8, of which what it costs the tracks can be measured alone.
    """

    path: pathlib.Path
    difference: float | None


def export_model(
    method: Method,
    weights: Weights,
    folder: pathlib.Path,
    runtime: str = "onnx",
    check: bool = True,
    half: bool = False,
    samples: Samples | None = None,
) -> list[ExportedGraph]:
    """Write the graphs of a model, its weights and its calibration into a folder, which is a value of `weights`.

    Args:
        method: the model.
        weights: as in `create_tracker`.
        folder: made if it does not exist; the graphs of this model in it are replaced.
        runtime: "onnx" for ONNX files, or "openvino" for OpenVINO's own format.
        check: whether each graph is run, and compared with torch.
        half: whether the graphs store their weights in float16, in half the size; they compute as they would without.
        samples: inputs of graphs; of each of these a second one is written, which is computed in int8.

    Raises:
        InvalidInputError: see `check_export`.
        InvalidSettingError: no graph with samples has a convolution.
        WeightsError: the weights are missing, damaged or made for another network, or a graph does not compute what
            torch computes.
    """
    check_export(folder, runtime, check)
    network = read_network(method, weights)
    folder.mkdir(parents=True, exist_ok=True)
    _write_calibrations(method, weights, folder)
    save_weights(network, folder / weights_file_name(method), torch.float32)
    prepare_for_inference(network, torch.device("cpu"), torch.float32)
    for path in (*graph_files(method, folder).values(), *graph_files(method, folder, "int8").values()):
        path.unlink()  # of another format, or of a network that had other graphs
        path.with_suffix(".bin").unlink(missing_ok=True)
    written = []
    for name, (function, inputs) in network.graphs().items():
        graph = export_graph(function, inputs)
        path = folder / graph_file_name(method, name, GRAPH_SUFFIXES[runtime])
        _write(halve_weights(graph) if half else graph, path, runtime)
        difference = _difference(path, function, inputs, runtime) if check else None
        max_difference = MAX_HALF_DIFFERENCE if half else MAX_DIFFERENCE
        if difference is not None and not difference <= max_difference:
            path.unlink()
            raise WeightsError(
                f"graph {name} of {method.name} computes something else than torch: the largest difference is "
                f"{difference:.1e} of the largest value, expected at most {max_difference:.0e}; it was not kept"
            )
        written.append(ExportedGraph(path, difference))
        quantized = quantize_graph(graph, samples[name]) if samples is not None and name in samples else None
        if quantized is not None:
            path = folder / graph_file_name(method, name, GRAPH_SUFFIXES[runtime], "int8")
            _write(quantized, path, runtime)
            written.append(ExportedGraph(path, None))
    if samples is not None and not graph_files(method, folder, "int8"):
        raise InvalidSettingError(f"no graph of {method.name} has a convolution to compute in int8; use fp32")
    return written


def check_export(folder: pathlib.Path, runtime: str, check: bool) -> None:
    """Check that a model can be exported: arguments of `export_model`.

    Raises:
        InvalidInputError: the folder is a file, or a runtime that is needed is not installed.
    """
    if folder.exists() and not folder.is_dir():
        raise InvalidInputError(f"output {folder} is a file, expected the name of a folder")
    reason = fault(RUNTIMES[runtime], "cpu") if check or runtime == "openvino" else None
    if reason is not None:
        raise InvalidInputError(f"format is {runtime}, but {reason}")


def _write_calibrations(method: Method, weights: Weights, folder: pathlib.Path) -> None:
    """Write the calibrations of all methods that share the weights; what int8 costs is that of other graphs."""
    for other in list_models():
        if weights_file_name(other) == weights_file_name(method):
            calibration = find_calibration(other, weights)
            losses = {name: loss for name, loss in calibration.losses.items() if name != "int8"}
            path = calibration_path(folder, other.name)
            path.unlink(missing_ok=True)  # of weights that were there
            if (calibration := dataclasses.replace(calibration, losses=losses)) != Calibration():
                calibration.write(path)


def _write(graph: bytes, path: pathlib.Path, runtime: str) -> None:
    if runtime != "openvino":
        write_atomic(path, graph)
        return
    openvino = import_package("openvino")
    try:
        openvino.save_model(openvino.Core().read_model(graph), path, compress_to_fp16=False)
    except RuntimeError as error:  # it does not say why
        for part in (path, path.with_suffix(".bin")):
            part.unlink(missing_ok=True)
        raise InvalidInputError(
            f"{path} cannot be written: {error}; check the folder's rights and the space on the disk"
        ) from error


def _difference(path: GraphSource, function: TensorFunction, inputs: list[GraphInput], runtime: str) -> float:
    generator = torch.Generator().manual_seed(0)
    tensors = []
    for given in inputs:
        like = example(given)
        values = torch.rand(like.shape, generator=generator)
        tensors.append((255 * values).to(like.dtype) if given.dtype == "uint8" else values)
    with torch.inference_mode():
        answer = function(*tensors)
    expected = [answer] if isinstance(answer, torch.Tensor) else list(answer)
    answers = RUNTIMES[runtime].load(path, available_threads(), "fp32")(*(tensor.numpy() for tensor in tensors))
    differences = [
        np.abs(given - right.numpy()).max() / max(1e-6, float(right.abs().max()))
        for given, right in zip(answers, expected, strict=True)
    ]
    return float(max(differences))
