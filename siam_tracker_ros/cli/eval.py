# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`siam-tracker eval`: one-pass evaluation on labelled sequences."""

import argparse
import sys
import typing
from pathlib import Path

import numpy as np

from siam_tracker_ros.cli.options import add_intensity_range, add_model, make_tracker
from siam_tracker_ros.cli.tables import format_table

if typing.TYPE_CHECKING:
    from siam_tracker_ros.evaluation.metrics import Scores

SUMMARY = "Run a model over labelled sequences in one pass and print how well it follows."
EXAMPLE = "siam-tracker eval data/sequences --model lite --results results/lite"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments and options."""
    parser.add_argument(
        "sequences",
        type=Path,
        metavar="SEQUENCES_DIR",
        help="folder of sequences, each with images in img and x,y,w,h lines in groundtruth.txt; or one",
    )
    add_model(parser)
    add_intensity_range(parser)
    parser.add_argument(
        "--results",
        type=Path,
        metavar="DIR",
        help="folder to write NAME.txt to, one x,y,w,h,score line a frame",
    )


def run(args: argparse.Namespace) -> None:
    """Track every sequence and print a table with the scores of each, and their mean."""
    from siam_tracker_ros.data.sequence_folder import load_sequences
    from siam_tracker_ros.evaluation.metrics import mean_scores
    from siam_tracker_ros.evaluation.one_pass import run_one_pass

    sequences = load_sequences(args.sequences)
    runs = run_one_pass(make_tracker(args), sequences, args.results, args.intensity_range)
    for remark in (remark for run in runs for remark in run.remarks):
        print(remark, file=sys.stderr)
    mean, all_ms = mean_scores(run.scores for run in runs), np.concatenate([run.track_ms for run in runs])
    rows = [_row(run.name, run.scores, run.track_ms) for run in runs]
    header = ["sequence", "frames", "mean IoU", "AUC", "precision@20", "J of masks", "ms/frame"]
    print(format_table(header, [*rows, _row("mean of sequences", mean, all_ms)]))


def _row(name: str, scores: "Scores", track_ms: np.ndarray) -> list[str]:
    figures = (scores.mean_iou, scores.auc, scores.precision20, scores.region)
    median = f"{np.median(track_ms):.1f}" if len(track_ms) else "-"
    return [name, str(scores.frames), *("-" if np.isnan(figure) else f"{figure:.3f}" for figure in figures), median]
