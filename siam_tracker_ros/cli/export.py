# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`siam-tracker export`: a model as graphs for other programs, and for tracking without torch."""

import argparse
import dataclasses
import typing
from pathlib import Path

from siam_tracker_ros.errors import InvalidSettingError

if typing.TYPE_CHECKING:
    from siam_tracker_ros.core.method import Method
    from siam_tracker_ros.data.track import Track

SUMMARY = "Write a model's graphs as ONNX or OpenVINO files, and check them against torch."
EXAMPLE = "siam-tracker export lite --weights my_lite.safetensors --output my_lite"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments and options."""
    parser.add_argument("model", metavar="MODEL", help="a name that `siam-tracker models` lists")
    parser.add_argument(
        "--weights", metavar="FILE", help="a checkpoint (default: the weights shipped with the model), or random"
    )
    parser.add_argument(
        "--output",
        metavar="FOLDER",
        required=True,
        help="folder to write; it can be given as --weights, and as the node's parameter weights",
    )
    parser.add_argument(
        "--format", choices=("onnx", "openvino"), default="onnx", help="kind of the files (default: onnx)"
    )
    parser.add_argument(
        "--precision",
        choices=("fp32", "fp16", "int8"),
        default="fp32",
        help="fp16 stores the weights in half the size and computes as without it; int8 adds graphs that are computed "
        "in int8 (default: fp32)",
    )
    parser.add_argument(
        "--calibrate-with",
        type=Path,
        metavar="SEQUENCES_DIR",
        help="labelled sequences, as for siam-tracker eval, that show which values occur in the graphs; for int8",
    )
    parser.add_argument(
        "--check",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="run each graph and compare it with torch, and measure what int8 costs in mean IoU on the sequences "
        "(default: yes)",
    )


def run(args: argparse.Namespace) -> None:
    """Export the model and print the files."""
    from siam_tracker_ros.extras import require

    require("export", "torch", "onnx", extra="torch")
    if args.precision == "int8":
        require("int8", "onnxruntime", extra="torch")
    from siam_tracker_ros.core.exporting import check_export, export_model
    from siam_tracker_ros.core.registry import find_model

    method, output = find_model(args.model), Path(args.output)
    check_export(output, args.format, args.check)
    tracks = _read_tracks(args)
    samples = _record(args, tracks) if tracks else None
    half = args.precision == "fp16"
    for graph in export_model(method, args.weights, output, args.format, args.check, half, samples):
        checked = "" if graph.difference is None else f", within {graph.difference:.0e} of torch"
        print(f"{graph.path}{checked}")
    if tracks and args.check:
        _measure_int8(method, output, tracks)
    elif tracks:
        print("int8: not measured; precision auto does not take it until siam-tracker calibrate has measured it")
    print(f"{args.output}: give it as weights of {args.model}")


def _read_tracks(args: argparse.Namespace) -> "list[Track]":
    """Return the sequences to calibrate with; [] where none are needed."""
    from siam_tracker_ros.data.labelled import read_videos
    from siam_tracker_ros.data.problems import Problems
    from siam_tracker_ros.evaluation.check import check_tracks

    if args.precision != "int8":
        if args.calibrate_with is not None:
            raise InvalidSettingError(
                f"--calibrate-with is for --precision int8, and precision is {args.precision}; leave one of them out"
            )
        return []
    if args.calibrate_with is None:
        raise InvalidSettingError(
            "--precision int8 needs the values that occur in the graphs when the model tracks; give labelled sequences "
            "with --calibrate-with SEQUENCES_DIR, such as a folder of images with groundtruth.txt (docs/datasets.md)"
        )
    problems = Problems()
    tracks = read_videos(args.calibrate_with, problems=problems).tracks
    check_tracks(tracks, problems)
    problems.raise_any()
    return tracks


def _record(args: argparse.Namespace, tracks: "list[Track]") -> dict[str, list[tuple[typing.Any, ...]]]:
    """Track in some frames, and return the inputs of the graphs."""
    from tqdm import tqdm

    from siam_tracker_ros.core.registry import create_tracker
    from siam_tracker_ros.evaluation.precisions import record_inputs

    tracker = create_tracker(args.model, args.weights, device="cpu", precision="fp32", runtime="onnx")
    with tqdm(desc="calibrate", unit="frame", disable=None) as progress:
        return record_inputs(tracker, tracks, progress.update)


def _measure_int8(method: "Method", folder: Path, tracks: "list[Track]") -> None:
    """Measure what int8 costs, print it and write it into the calibration in the folder."""
    from siam_tracker_ros.cli.losses import describe_loss, measure_losses
    from siam_tracker_ros.core.confidence import calibration_path
    from siam_tracker_ros.core.registry import create_tracker, find_calibration
    from siam_tracker_ros.core.running import Running, narrow_ways

    ways = [way for way in narrow_ways(method, folder, "cpu") if way.precision == "int8"]
    losses = measure_losses(
        lambda way: create_tracker(method.name, folder, device="cpu", precision=way.precision, runtime=way.runtime),
        [Running("auto", "fp32"), *ways],
        tracks,
    )
    calibration = find_calibration(method, folder)
    dataclasses.replace(calibration, losses={**calibration.losses, **losses}).write(
        calibration_path(folder, method.name)
    )
    print(f"int8: {describe_loss(losses['int8'])}")
