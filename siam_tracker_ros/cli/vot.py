# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`siam-tracker vot`: a model as a tracker of vot-toolkit."""

import argparse
import sys

from siam_tracker_ros.cli.options import add_model, make_tracker
from siam_tracker_ros.errors import InvalidInputError

SUMMARY = (
    "Track what vot-toolkit asks for, over the TraX protocol; in its trackers.ini: protocol = trax and command = "
    "siam-tracker vot --model lite."
)
EXAMPLE = "siam-tracker vot --model siammask_sharp --weights SiamMask_DAVIS.pth"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_model(parser)


def run(args: argparse.Namespace) -> None:
    """Answer the toolkit until it quits."""
    from siam_tracker_ros.toolkits.vot import serve

    if sys.stdin.isatty():
        raise InvalidInputError(
            "standard input is a terminal, expected vot-toolkit; write into its trackers.ini: protocol = trax and "
            f"command = siam-tracker vot --model {args.model}"
        )
    serve(make_tracker(args), args.model)
