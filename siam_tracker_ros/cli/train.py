# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`siam-tracker train`: a training run from a YAML file."""

import argparse
from pathlib import Path

from siam_tracker_ros.cli.arguments import add_set

SUMMARY = "Train a model as a YAML file says."
EXAMPLE = "siam-tracker train config/train/lite.yaml --set data.datasets.0.path=shards --set output=runs/lite"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments and options."""
    parser.add_argument("config", type=Path, metavar="CONFIG.yaml", help="settings of the run")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint in the output folder")
    add_set(parser, "overrides", "put a value in place of the file's; may be repeated")


def run(args: argparse.Namespace) -> None:
    """Train, and print the path of the weights once, also where several processes train together."""
    from siam_tracker_ros.training.train import is_rank_zero, train_from_config

    weights = train_from_config(args.config, resume=args.resume, overrides=dict(args.overrides))
    if is_rank_zero():
        print(weights)
