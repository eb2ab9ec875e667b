# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`siam-tracker export`: a model as graphs for other programs, and for tracking without torch."""

import argparse
from pathlib import Path

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
        "--check",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="run each graph and compare it with torch (default: yes)",
    )


def run(args: argparse.Namespace) -> None:
    """Export the model and print the files."""
    from siam_tracker_ros.extras import require

    require("export", "torch", "onnx", extra="torch")
    from siam_tracker_ros.core.exporting import export_model
    from siam_tracker_ros.core.registry import find_model

    for graph in export_model(find_model(args.model), args.weights, Path(args.output), args.format, args.check):
        checked = "" if graph.difference is None else f", within {graph.difference:.0e} of torch"
        print(f"{graph.path}{checked}")
    print(f"{args.output}: give it as weights of {args.model}")
