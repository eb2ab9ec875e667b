# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`siam-tracker eval`: one-pass evaluation on labelled sequences."""

import argparse
import sys
import typing
from pathlib import Path

from siam_tracker_ros.cli.options import add_intensity_range, add_mask_value, add_model, check_masks, make_tracker
from siam_tracker_ros.cli.tables import format_table
from siam_tracker_ros.errors import InvalidInputError, InvalidSettingError

if typing.TYPE_CHECKING:
    import numpy as np

    from siam_tracker_ros.data.labelled import Videos
    from siam_tracker_ros.evaluation.one_pass import SequenceRun
    from siam_tracker_ros.evaluation.report import Evaluation

SUMMARY = "Run a model over labelled sequences in one pass and say how well it follows; or compare results."
EXAMPLE = "siam-tracker eval data/sequences --model lite --results results/lite --report report/lite"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments and options."""
    parser.add_argument(
        "sequences",
        type=Path,
        metavar="SEQUENCES_DIR",
        help="data set in its authors' layout (OTB, LaSOT, GOT-10k, TrackingNet, UAV123, VOT, DAVIS, YouTube-VOS), "
        "folder of sequences, each with images in img and x,y,w,h lines in groundtruth.txt, or one sequence",
    )
    parser.add_argument("--split", metavar="NAME", help="split of a data set (default: the usual one for evaluation)")
    add_model(parser)
    add_intensity_range(parser)
    parser.add_argument(
        "--session",
        action="store_true",
        help="follow each target as siam-tracker track does, without box while it is lost; say how losses are noticed",
    )
    parser.add_argument(
        "--results",
        type=Path,
        metavar="DIR",
        help="folder to write NAME.txt to when a sequence is done, one x,y,w,h,score line a frame, and NAME/mask/; "
        "with --session, nan,nan,nan,nan,confidence while the target is lost, and NAME/states.txt",
    )
    add_mask_value(parser)
    parser.add_argument(
        "--masks",
        type=Path,
        metavar="DIR",
        help="new folder to write the masks in --results to as the evaluators of DAVIS and YouTube-VOS read them: "
        "SEQUENCE/00000.png with the number of each object",
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on after the sequences whose results are in --results already"
    )
    parser.add_argument(
        "--report", type=Path, metavar="DIR", help="folder to write report.html, report.json and plots (PNG) to"
    )
    parser.add_argument(
        "--compare",
        type=Path,
        nargs="+",
        metavar="DIR",
        help="run no model, but compare the results in these folders, which --results or another tool wrote",
    )


def run(args: argparse.Namespace) -> None:
    """Track every sequence, or read results, and print tables of scores; write a report if one is asked for."""
    from siam_tracker_ros.data.labelled import read_videos
    from siam_tracker_ros.data.problems import Problems
    from siam_tracker_ros.evaluation.check import check_tracks
    from siam_tracker_ros.outputs import make_empty_folder, make_folder

    _check_options(args)
    problems = Problems()
    videos = read_videos(args.sequences, args.split, problems)
    attributes = videos.read_attributes(problems)
    if args.compare is None:
        check_tracks(videos.tracks, problems)
    problems.raise_any()
    for folder in (args.results, args.report):
        if folder is not None:
            make_folder(folder)
    if args.masks is not None:
        make_empty_folder(args.masks)
    if args.compare is None:
        _run_model(args, videos, attributes)
    else:
        _compare(args, videos, attributes)


def _check_options(args: argparse.Namespace) -> None:
    from siam_tracker_ros.extras import require

    if args.report is not None:
        require("--report", "matplotlib", extra="bench")
    if args.resume and args.results is None:
        raise InvalidSettingError("--resume goes on from results, but no --results DIR is given; name their folder")
    if args.masks is not None:
        if args.results is None:
            raise InvalidSettingError("--masks are made of those in --results DIR, which is not given; add it")
        check_masks(args.model)
    if args.compare is not None and args.results is not None:
        raise InvalidSettingError("--compare runs no model, so there are no --results to write; leave one of them out")
    if args.compare is not None and args.session:
        raise InvalidSettingError("--compare runs no model, so there is nothing for --session; leave one of them out")
    folders = [folder.resolve() for folder in args.compare or ()]
    for folder in args.compare or ():
        if folders.count(folder.resolve()) > 1:
            raise InvalidInputError(f"{folder} is given to --compare twice, expected each folder once")
        if not folder.is_dir():
            raise InvalidInputError(f"{folder} is not a folder, expected one with a NAME.txt per sequence")


def _run_model(args: argparse.Namespace, videos: "Videos", attributes: list[dict[str, "np.ndarray"]]) -> None:
    """Run the model over the sequences; what is done is shown however the run ends."""
    from tqdm import tqdm

    from siam_tracker_ros.core.registry import find_calibration, find_model
    from siam_tracker_ros.evaluation.one_pass import Outputs, run_one_pass
    from siam_tracker_ros.evaluation.results import describe_run, read_done, start_results, write_label_maps
    from siam_tracker_ros.evaluation.tracker import SequenceTracker, SessionTracker

    calibration = find_calibration(find_model(args.model), args.weights) if args.session else None
    description = describe_run(
        args.model, args.weights, args.preset, dict(args.settings), args.intensity_range, calibration
    )
    done = {run.name: run for run in (read_done(args.results, videos.tracks, description) if args.resume else ())}
    remaining = [track for track in videos.tracks if track.name not in done]
    own = make_tracker(args)
    tracker: SequenceTracker = SessionTracker(own) if args.session else own
    if args.results is not None:
        start_results(args.results, remaining, description)
    outputs = Outputs(args.results, args.mask_value, find_model(args.model).result_boxes)
    failures: list[InvalidInputError] = []
    try:
        for run in run_one_pass(tracker, remaining, outputs, args.intensity_range, failures.append):
            done[run.name] = run
            for remark in run.remarks:
                tqdm.write(remark, file=sys.stderr)
    finally:
        if done:
            _show(args, videos, attributes, {args.model: done})
    if args.masks is not None:
        tracks = [track for track in videos.tracks if track.name in done]
        write_label_maps(args.masks, args.results, tracks, [done[track.name] for track in tracks])
    if failures:
        raise InvalidInputError(
            f"{len(failures)} of {len(videos.tracks)} sequences ended early and are left out: "
            + "; ".join(map(str, failures))
        )


def _compare(args: argparse.Namespace, videos: "Videos", attributes: list[dict[str, "np.ndarray"]]) -> None:
    """Show the results in several folders side by side."""
    from siam_tracker_ros.data.problems import Problems
    from siam_tracker_ros.evaluation.results import read_all

    problems = Problems()
    names = [folder.resolve().name for folder in args.compare]
    if len(set(names)) < len(names):
        names = [str(folder) for folder in args.compare]
    results = {
        name: {run.name: run for run in read_all(folder, videos.tracks, problems)}
        for name, folder in zip(names, args.compare)
    }
    problems.raise_any()
    _show(args, videos, attributes, results)


def _show(
    args: argparse.Namespace,
    videos: "Videos",
    attributes: list[dict[str, "np.ndarray"]],
    results: "dict[str, dict[str, SequenceRun]]",
) -> None:
    """Print tables of the sequences that every tracker has done, and write the report."""
    from siam_tracker_ros.evaluation.report import Evaluation, write_report

    kept = [i for i, track in enumerate(videos.tracks) if all(track.name in runs for runs in results.values())]
    tracks = [videos.tracks[i] for i in kept]
    evaluation = Evaluation(
        title=f"{videos.title}: {', '.join(results)}",
        tracks=tracks,
        runs={name: [runs[track.name] for track in tracks] for name, runs in results.items()},
        attributes=[attributes[i] for i in kept],
    )
    for table in _tables(evaluation):
        print(table)
    if not any(len(run.frame_scores.frames) for runs in evaluation.runs.values() for run in runs):
        print("no frame after the first is labelled, so that there are results, but no figures", file=sys.stderr)
    if args.report is not None:
        write_report(args.report, evaluation)


def _tables(evaluation: "Evaluation") -> list[str]:
    """Return a table of a tracker's sequences, or one of trackers and one of their sequences; and one of attributes."""
    from siam_tracker_ros.evaluation.report import (
        FIGURE_COLUMNS,
        attribute_table,
        figure_row,
        format_figure,
        overall_table,
        session_table,
    )

    runs = evaluation.runs
    if len(runs) == 1:
        (own,) = runs.values()
        rows = [*(figure_row(run.name, [run]) for run in own), figure_row("mean of sequences", own)]
        tables = [format_table(["sequence", *FIGURE_COLUMNS], rows)]
    else:
        rows = [[row[0].name, *(format_figure(run.scores.mean_iou) for run in row)] for row in zip(*runs.values())]
        tables = [format_table(*overall_table(evaluation)), "", format_table(["mean IoU", *runs], rows)]
    if evaluation.sessions:
        tables += ["", format_table(*session_table(evaluation))]
    if evaluation.attribute_names:
        tables += ["", format_table(*attribute_table(evaluation))]
    return tables
