# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`siam-tracker convert`: a checkpoint of the authors as safetensors."""

import argparse
from pathlib import Path

from siam_tracker_ros.errors import InvalidInputError

SUMMARY = "Write the authors' checkpoint as safetensors with this package's names; its content tells which model it is."
EXAMPLE = "siam-tracker convert SiamMask_DAVIS.pth siammask_davis.safetensors"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments and options."""
    parser.add_argument(
        "source",
        metavar="IN",
        help=".pth, .pt, .model, .safetensors, .npz, or a TensorFlow checkpoint (its .index file)",
    )
    parser.add_argument("target", metavar="OUT.safetensors", help="file to write")
    parser.add_argument("--model", help="the model that it is meant for (default: the one that it fits)")
    parser.add_argument("--half", action="store_true", help="store 16 bits a number: half the size, rounded")


def run(args: argparse.Namespace) -> None:
    """Convert the checkpoint and print which models take the file written."""
    from siam_tracker_ros.weights.convert import convert_weights

    if Path(args.target).exists() and Path(args.source).exists() and Path(args.target).samefile(args.source):
        raise InvalidInputError(f"{args.target} is both read and written; give the output another name")
    methods = convert_weights(args.source, args.target, args.model, args.half)
    print(f"{args.target}: weights for {' or '.join(method.name for method in methods)}")
