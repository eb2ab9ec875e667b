# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`siam-tracker calibrate`: fit the confidence of a model to labelled sequences, and measure what precisions cost."""

import argparse
import dataclasses
import math
import sys
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path

from siam_tracker_ros.arguments import positive_int_argument
from siam_tracker_ros.cli.losses import describe_loss, measure_losses
from siam_tracker_ros.cli.options import add_model, make_tracker
from siam_tracker_ros.cli.tables import format_table
from siam_tracker_ros.errors import InvalidInputError, InvalidSettingError

if typing.TYPE_CHECKING:
    from siam_tracker_ros.core.running import Running
    from siam_tracker_ros.data.track import Track
    from siam_tracker_ros.evaluation.calibration import Figures
    from siam_tracker_ros.evaluation.loss_clips import Clip, WholeSequence

SUMMARY = (
    "Fit the confidence of a model with its weights to labelled sequences, so that it is the share of boxes that are "
    "right, and measure what faster precisions cost it there."
)
EXAMPLE = "siam-tracker calibrate data/sequences --model lite_online --weights own.safetensors"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments and options."""
    parser.add_argument(
        "sequences",
        type=Path,
        metavar="SEQUENCES_DIR",
        help="labelled sequences, as for siam-tracker eval; clips in which the target goes and comes back are made of "
        "those with a box in every frame",
    )
    add_model(parser)
    parser.add_argument(
        "--clips", type=positive_int_argument, default=3, metavar="N", help="clips of each kind (default: 3)"
    )
    parser.add_argument(
        "--rounds",
        type=positive_int_argument,
        default=2,
        metavar="N",
        help="times that the clips are run, each with the numbers fitted before (default: 2)",
    )
    parser.add_argument(
        "--precisions",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="measure what each precision below float32 that this machine has costs in mean IoU; precision auto then "
        "takes those that cost at most 0.005 (default: yes)",
    )
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="file to write (default: beside the weights, where it is found)"
    )


def run(args: argparse.Namespace) -> None:
    """Run the clips, fit, measure, print tables and write the calibration."""
    from tqdm import tqdm

    from siam_tracker_ros.core.confidence import STANDINGS
    from siam_tracker_ros.data.labelled import read_videos
    from siam_tracker_ros.data.problems import Problems
    from siam_tracker_ros.evaluation.calibration import compare, fit, prior_calibration, rate_frames
    from siam_tracker_ros.evaluation.check import check_tracks
    from siam_tracker_ros.outputs import make_folder

    output = _output(args)
    problems = Problems()
    tracks = read_videos(args.sequences, problems=problems).tracks
    check_tracks(tracks, problems)
    problems.raise_any()
    tracker = make_tracker(args)
    make_folder(output.parent)
    clips = _make_clips(tracks, args.clips)
    before, prior = tracker.calibration, prior_calibration(bool(tracker.tile_side))
    total = args.rounds * sum(len(clip.truth) for clip in clips)
    with tqdm(total=total, unit="frame", disable=None) as progress:
        for number in range(args.rounds):
            progress.set_description(f"round {number + 1}")
            frames = rate_frames(tracker, clips, progress.update)
            fitted = fit(frames, prior)
            tracker.calibration = fitted.calibration
    for part in fitted.kept:
        print(
            f"{part}: right and wrong boxes are needed to fit, and there are not both; the shipped numbers are kept",
            file=sys.stderr,
        )
    print(_table(compare(frames, before, prior)))
    losses = {**before.losses, **_measure_losses(args, tracks)}
    dataclasses.replace(fitted.calibration, losses=losses).write(output)
    print(f"{output}:")
    for part in STANDINGS:
        logistic = getattr(fitted.calibration, part)
        print(f"  {part}: {logistic.bias:+.2f}" + "".join(f" {v:+.2f} {name}" for name, v in logistic.factors.items()))
    for precision, loss in losses.items():
        print(f"  {precision}: {describe_loss(loss)}")


def _measure_losses(args: argparse.Namespace, tracks: "Sequence[Track]") -> dict[str, float]:
    """Print what each precision below float32 costs on sequences, and return it by their names."""
    from siam_tracker_ros.core.registry import find_model
    from siam_tracker_ros.core.running import Running, narrow_ways

    if not args.precisions:
        return {}
    ways = narrow_ways(find_model(args.model), args.weights, args.device, args.runtime)
    if not ways:
        print("no precision below float32 here whose loss could be measured", file=sys.stderr)
        return {}
    return measure_losses(lambda way: make_tracker(_run_by(args, way)), [Running(args.runtime, "fp32"), *ways], tracks)


def _run_by(args: argparse.Namespace, way: "Running") -> argparse.Namespace:
    """Return arguments with another runtime and precision, on the CPU."""
    return argparse.Namespace(**{**vars(args), "device": "cpu", "runtime": way.runtime, "precision": way.precision})


def _output(args: argparse.Namespace) -> Path:
    """Return the file to write."""
    from siam_tracker_ros.core.confidence import calibration_path
    from siam_tracker_ros.core.registry import find_model

    shipped = find_model(args.model).shipped_weights
    if args.output is not None:
        if args.output.is_dir():
            raise InvalidInputError(f"--output {args.output} is a folder, expected the name of a file to write")
        return args.output
    if args.weights in (None, "random"):
        raise InvalidSettingError(
            f"the weights of {args.model} are {args.weights or 'those in the package'}, so that there is no place for "
            "a calibration beside them; give --weights FILE, or --output FILE to write it elsewhere"
        )
    weights = Path(args.weights)
    if shipped is not None and weights.exists() and weights.samefile(shipped):
        raise InvalidSettingError(
            f"{weights} is in the package, where nothing is written; copy it and give the copy as --weights, or give "
            "--output FILE"
        )
    return calibration_path(weights, args.model)


def _make_clips(tracks: "Sequence[Track]", count: int) -> "list[Clip | WholeSequence]":
    """Make clips of all kinds, and the sequences as they are."""
    import numpy as np

    from siam_tracker_ros.evaluation.loss_clips import KINDS, ClipMaker, WholeSequence

    maker = ClipMaker(tracks)
    clips: list[Clip | WholeSequence] = []
    for kind in KINDS:
        made = maker.clips(kind, count)
        clips += made
        if len(made) < count:
            print(f"{kind}: {len(made)} of {count} clips, the sequences allow no more", file=sys.stderr)
    for track in tracks:
        # A gap in labels would pass for a loss: only where absence is labelled does a frame without box tell of one.
        absent = np.full(len(track), False) if track.absent is None else track.absent
        clips.append(WholeSequence(track, absent))
    return clips


def _table(figures: "Mapping[str, Figures]") -> str:
    def shown(value: float) -> str:
        return "-" if math.isnan(value) else f"{value:.3f}"

    rows = [
        [name, str(own.frames), shown(own.right), *map(shown, own.calibration_error), *map(shown, own.auroc)]
        for name, own in figures.items()
    ]
    header = ["boxes", "frames", "right", "ECE before", "after", "AUROC before", "after"]
    return format_table(header, rows)
