# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`siam-tracker compare`: whether two runs of `siam-tracker eval` differ by more than chance."""

import argparse
from pathlib import Path

from siam_tracker_ros.cli.options import add_half, path_names
from siam_tracker_ros.cli.tables import format_table
from siam_tracker_ros.errors import InvalidInputError

SUMMARY = (
    "Pair the sequences of two runs of eval and say whether the second differs from the first by more than chance."
)
EXAMPLE = "siam-tracker compare results/lite results/lite_online"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments and options."""
    for name, place in (("first", "RUN_A"), ("second", "RUN_B")):
        parser.add_argument(
            name, type=Path, metavar=place, help="folder that eval --results wrote, or the scores.json in it"
        )
    add_half(parser, "pair")


def run(args: argparse.Namespace) -> None:
    """Print the scores of each sequence, their mean difference and whether it is told from chance."""
    from siam_tracker_ros.evaluation.report import difference_table, pair_table
    from siam_tracker_ros.evaluation.run_scores import RunScores, check_pairs
    from siam_tracker_ros.evaluation.starts import HALVES

    paths = [args.first, args.second]
    if args.first.resolve() == args.second.resolve():
        raise InvalidInputError(f"{args.first} is given twice, expected two runs")
    first, second = map(RunScores.read, paths)
    check_pairs(first, second)
    if args.half in HALVES:
        first, second = first.within(args.half), second.within(args.half)
        if not first.sequences:
            raise InvalidInputError(f"the runs have no sequence in half {args.half}; leave --half out")
    runs = dict(zip(path_names(paths), (first, second)))
    print(format_table(*pair_table(runs)))
    print()
    print(format_table(*difference_table(runs, args.half == "both")))
