# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`siam-tracker eval`: evaluation on labelled sequences, in one pass or from many starts."""

import argparse
import dataclasses
import sys
import typing
from pathlib import Path

from siam_tracker_ros.arguments import positive_int_argument
from siam_tracker_ros.cli.options import (
    add_half,
    add_intensity_range,
    add_mask_value,
    add_model,
    check_masks,
    make_tracker,
    path_names,
)
from siam_tracker_ros.cli.tables import format_table
from siam_tracker_ros.errors import InvalidInputError, InvalidSettingError

if typing.TYPE_CHECKING:
    import numpy as np

    from siam_tracker_ros.data.track import Track
    from siam_tracker_ros.evaluation.one_pass import SequenceRun
    from siam_tracker_ros.evaluation.report import Evaluation
    from siam_tracker_ros.evaluation.starts import ManyStarts, Part

SUMMARY = "Run a model over labelled sequences and say how well it follows; or put results side by side."
DEFAULT_FRAMES = 60  # after each start
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
        "--every",
        type=positive_int_argument,
        metavar="N",
        help="start again at every N frames, on the label there, instead of one pass; see --frames",
    )
    parser.add_argument(
        "--frames",
        type=positive_int_argument,
        metavar="N",
        help=f"with --every, frames to track after each start (default: {DEFAULT_FRAMES})",
    )
    add_half(parser, "run")
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
        "with --session, nan,nan,nan,nan,confidence while the target is lost, and NAME/states.txt; with --every, "
        "NAME/START.txt; at the end, scores.json for siam-tracker compare",
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


@dataclasses.dataclass(frozen=True)
class _Material:
    """What is run, or what the results are of.

    Attributes:
        title: for people.
        starts, parts, attributes, halves: see `Evaluation`.
    """

    title: str
    starts: "ManyStarts | None"
    parts: "list[Part]"
    attributes: "list[dict[str, np.ndarray]]"
    halves: dict[str, str]

    @property
    def tracks(self) -> "list[Track]":
        """The frames of each part."""
        return [part.track for part in self.parts]


def run(args: argparse.Namespace) -> None:
    """Track every sequence, or read results, and print tables of scores; write a report if one is asked for."""
    from siam_tracker_ros.evaluation.results import check_starts
    from siam_tracker_ros.outputs import make_empty_folder, make_folder

    _check_options(args)
    material = _read_material(args)
    for folder in filter(None, (args.results, *(args.compare or ()))):
        check_starts(folder, material.starts)
    for folder in filter(None, (args.results, args.report)):
        make_folder(folder)
    if args.masks is not None:
        make_empty_folder(args.masks)
    if args.compare is None:
        _run_model(args, material)
    else:
        _compare(args, material)


def _read_material(args: argparse.Namespace) -> _Material:
    from siam_tracker_ros.data.labelled import read_videos
    from siam_tracker_ros.data.problems import Problems
    from siam_tracker_ros.evaluation.check import check_tracks
    from siam_tracker_ros.evaluation.starts import ManyStarts, halves, parts_of

    problems = Problems()
    videos = read_videos(args.sequences, args.split, problems)
    half_by_name = halves(videos.tracks)
    if args.half in ("A", "B"):
        videos = videos.chosen([half_by_name[track.name] == args.half for track in videos.tracks])
        if not videos.tracks:
            problems.raise_any()
            raise InvalidInputError(f"{args.sequences} has no sequence in half {args.half}; leave --half out")
    attributes = videos.read_attributes(problems)
    if args.compare is None:
        check_tracks(videos.tracks, problems)
    problems.raise_any()
    starts = None if args.every is None else ManyStarts(args.every, args.frames or DEFAULT_FRAMES)
    parts, own_attributes = [], []
    for track, flags in zip(videos.tracks, attributes):
        for part in parts_of(track, starts):
            parts.append(part)
            own_attributes.append({name: frames[part.rows] for name, frames in flags.items()})
    details = ([] if starts is None else [str(starts)]) + ([f"half {args.half}"] if args.half in ("A", "B") else [])
    return _Material("; ".join([videos.title, *details]), starts, parts, own_attributes, half_by_name)


def _check_options(args: argparse.Namespace) -> None:
    from siam_tracker_ros.extras import require

    if args.report is not None:
        require("--report", "matplotlib", extra="bench")
    if args.resume and args.results is None:
        raise InvalidSettingError("--resume goes on from results, but no --results DIR is given; name their folder")
    if args.frames is not None and args.every is None:
        raise InvalidSettingError("--frames is of the starts that --every makes, which is not given; add it")
    if args.masks is not None:
        if args.every is not None:
            raise InvalidSettingError("--masks are of whole sequences; leave --every or --masks out")
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


def _run_model(args: argparse.Namespace, material: _Material) -> None:
    """Run the model over the sequences; what is done is shown however the run ends."""
    from tqdm import tqdm

    from siam_tracker_ros.core.registry import find_calibration, find_model
    from siam_tracker_ros.evaluation.one_pass import Outputs, run_one_pass
    from siam_tracker_ros.evaluation.results import describe_run, read_done, start_results, write_label_maps
    from siam_tracker_ros.evaluation.tracker import SequenceTracker, SessionTracker

    calibration = find_calibration(find_model(args.model), args.weights) if args.session else None
    description = describe_run(
        args.model,
        args.weights,
        args.preset,
        dict(args.settings),
        args.intensity_range,
        calibration,
        material.starts,
    )
    done = {run.name: run for run in (read_done(args.results, material.tracks, description) if args.resume else ())}
    remaining = [track for track in material.tracks if track.name not in done]
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
            _show(args, material, {args.model: done})
    if args.masks is not None:
        tracks = [track for track in material.tracks if track.name in done]
        write_label_maps(args.masks, args.results, tracks, [done[track.name] for track in tracks])
    if failures:
        raise InvalidInputError(
            f"{len(failures)} of {len(material.parts)} {'sequences' if material.starts is None else 'starts'} ended "
            f"early and are left out: {'; '.join(map(str, failures))}"
        )


def _compare(args: argparse.Namespace, material: _Material) -> None:
    """Show the results in several folders side by side."""
    from siam_tracker_ros.data.problems import Problems
    from siam_tracker_ros.evaluation.results import read_all

    problems = Problems()
    names = path_names(args.compare)
    results = {
        name: {run.name: run for run in read_all(folder, material.tracks, problems)}
        for name, folder in zip(names, args.compare)
    }
    problems.raise_any()
    _show(args, material, results)


def _show(args: argparse.Namespace, material: _Material, results: "dict[str, dict[str, SequenceRun]]") -> None:
    """Print tables of what every tracker has done, and write the scores and the report."""
    from siam_tracker_ros.evaluation.report import Evaluation, write_report

    kept = [i for i, part in enumerate(material.parts) if all(part.track.name in runs for runs in results.values())]
    evaluation = Evaluation(
        title=f"{material.title}: {', '.join(results)}",
        starts=material.starts,
        parts=[material.parts[i] for i in kept],
        runs={name: [runs[material.parts[i].track.name] for i in kept] for name, runs in results.items()},
        attributes=[material.attributes[i] for i in kept],
        halves=material.halves,
        shows_halves=args.half == "both",
    )
    print("\n\n".join(_tables(evaluation)))
    if not any(len(run.frame_scores.frames) for runs in evaluation.runs.values() for run in runs):
        print("no frame after the first is labelled, so that there are results, but no figures", file=sys.stderr)
    if args.results is not None:
        evaluation.run_scores[args.model].write(args.results)
    if args.report is not None:
        write_report(args.report, evaluation)


def _tables(evaluation: "Evaluation") -> list[str]:
    """Return the tables of one tracker, or those of several side by side."""
    from siam_tracker_ros.evaluation.report import (
        attribute_table,
        difference_table,
        interval_table,
        overall_table,
        sequence_table,
        session_table,
    )

    several = len(evaluation.runs) > 1
    tables = [overall_table(evaluation)] if several else []
    tables += [sequence_table(evaluation), interval_table(evaluation)]
    if several:
        tables.append(difference_table(evaluation.run_scores, evaluation.shows_halves))
    if evaluation.sessions:
        tables.append(session_table(evaluation))
    if evaluation.attribute_names:
        tables.append(attribute_table(evaluation))
    return [format_table(*table) for table in tables]
