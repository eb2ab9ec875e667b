#!/usr/bin/env python3
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Measure whether trackers say that their target is lost, and whether they find it again, on clips made of sequences.

All trackers get the same clips. The kinds of clips are described in siam_tracker_ros/evaluation/loss_clips.py, the
figures in reliability.py beside it.
"""

import argparse
import contextlib
import dataclasses
import importlib
import itertools
import json
import math
import sys
from pathlib import Path
from unittest import mock

import cv2
import numpy as np
import torch
import yaml
from tqdm import tqdm

from siam_tracker_ros import MonitorSettings, SearchSettings, TargetSession, TargetState, create_tracker
from siam_tracker_ros.arguments import positive_int_argument
from siam_tracker_ros.cli.tables import format_table
from siam_tracker_ros.core import pursuit, search
from siam_tracker_ros.core.appearance import Appearance
from siam_tracker_ros.core.confidence import Calibration
from siam_tracker_ros.core.motion import CameraMotion
from siam_tracker_ros.data.check import check_files
from siam_tracker_ros.data.labelled import read_videos
from siam_tracker_ros.data.problems import Problems
from siam_tracker_ros.drawing import STATE_COLORS_BGR
from siam_tracker_ros.errors import InvalidInputError, InvalidSettingError, SiamTrackerError
from siam_tracker_ros.evaluation.loss_clips import KINDS, ClipMaker, WholeSequence
from siam_tracker_ros.evaluation.reliability import (
    LONG_TERM_COLUMNS,
    RELIABILITY_COLUMNS,
    Record,
    choose_thresholds,
    confidently_wrong,
    frame_iou,
    longterm_row,
    lost_delays,
    redetection_delays,
    reliability_row,
    summarize,
    summarize_longterm,
    thresholded,
)
from siam_tracker_ros.extras import require


@dataclasses.dataclass(frozen=True)
class Ablation:
    """How a part of a session is left out.

    Attributes:
        monitor_settings, search_settings: of the session.
        calibrated: whether the tracker's scores are calibrated.
        replaced: attributes of modules and classes that have another value: owner, name, value.
    """

    monitor_settings: MonitorSettings = MonitorSettings()
    search_settings: SearchSettings = SearchSettings()
    calibrated: bool = True
    replaced: tuple = ()


ABLATIONS = {
    "search": Ablation(search_settings=SearchSettings(search_share=0.0)),
    "confirmation": Ablation(
        MonitorSettings(recover_frames=1, recover_confidence=MonitorSettings.uncertain_confidence),
        replaced=((pursuit, "MAX_JUMP", math.inf),),
    ),
    "probation": Ablation(replaced=((pursuit, "PROBATION", 0),)),
    "distractors": Ablation(
        replaced=((search, "RIVAL_LIKENESS", math.inf), (pursuit.Pursuit, "_is_ambiguous", lambda *_: False))
    ),
    "motion": Ablation(replaced=((CameraMotion, "shift", lambda *_: np.zeros(2)),)),
    "memory": Ablation(replaced=((Appearance, "remember", lambda appearance, _: appearance),)),
    "calibration": Ablation(calibrated=False),
}


class SessionRunner:
    """A model with the states and confidences of its TargetSession."""

    def __init__(self, tracker, ablation=Ablation()):
        if not ablation.calibrated:
            tracker.calibration = Calibration()
        self._session = TargetSession(tracker, ablation.monitor_settings, ablation.search_settings)
        self._replaced = ablation.replaced

    def init(self, image_bgr, box_xywh):
        with self._ablated():
            self._session.init(image_bgr, box_xywh)

    def step(self, image_bgr):
        """Return state, confidence and box (4,) in the next frame."""
        with self._ablated():
            seen = self._session.observe(image_bgr)
        return seen.state, seen.confidence, np.full(4, np.nan) if seen.box_xywh is None else seen.box_xywh

    @contextlib.contextmanager
    def _ablated(self):
        with contextlib.ExitStack() as stack:
            for owner, name, value in self._replaced:
                stack.enter_context(mock.patch.object(owner, name, value))
            yield


class ScoreRunner:
    """A tracker that has a score and no states."""

    def __init__(self, tracker):
        self._tracker = tracker

    def init(self, image_bgr, box_xywh):
        self._tracker.init(image_bgr, box_xywh)

    def step(self, image_bgr):
        """Return no state, score and box (4,) in the next frame."""
        result = self._tracker.track(image_bgr)
        return TargetState.IDLE, result.score, result.box_xywh


def read_tracks(folders):
    """Read the sequences in all folders and check that their files are there."""
    problems = Problems()
    tracks = [track for folder in folders for track in read_videos(folder, problems=problems).tracks]
    check_files(tracks, problems)
    problems.raise_any()
    return tracks


def make_clips(tracks, args):
    """Make the clips of all kinds that are asked for, and say which ones the frames do not allow."""
    maker = ClipMaker(tracks, args.class_of)
    clips = []
    for kind in args.kinds:
        made = maker.clips(kind, args.count)
        clips += made
        if len(made) < args.count:
            print(f"{kind}: {len(made)} of {args.count} clips, the sequences allow no more", file=sys.stderr)
    if args.real:
        clips += [WholeSequence(track) for track in tracks if track.present[0] and not track.present.all()]
    return clips


def run(runners, clips):
    """Return the records of each runner, one per clip."""
    records = {name: [] for name in runners}
    with tqdm(total=sum(len(clip.truth) for clip in clips), unit="frame", disable=None) as progress:
        for clip in clips:
            progress.set_description(clip.name)
            box_xywh = clip.truth.boxes_xywh[0]
            steps = {name: [(TargetState.TRACKING, 1.0, box_xywh)] for name in runners}
            for i, image_bgr in enumerate(clip.images_bgr()):
                for name, runner in runners.items():
                    if i == 0:
                        runner.init(image_bgr, box_xywh)
                    else:
                        steps[name].append(runner.step(image_bgr))
                progress.update()
            for name, rows in steps.items():
                states, confidences, boxes_xywh = zip(*rows)
                records[name].append(
                    Record(np.array(states), np.array(confidences, float), np.array(boxes_xywh, float))
                )
    return records


def judge_scores(records, clips, other_records, other_clips):
    """Turn the scores of trackers into states, by thresholds that suit the other clips; name them by these."""
    judged = {}
    for name, own in records.items():
        bounds = choose_thresholds(other_records[name], [clip.truth for clip in other_clips])
        judged[f"{name} {bounds[0]:.2f} {bounds[1]:.2f}"] = [thresholded(record, *bounds) for record in own]
    return judged


def summarize_kinds(records, clips):
    """Return the figures by kind of clips and name of the tracker; "all" is over all clips but the real sequences."""
    kinds = list(dict.fromkeys(clip.kind for clip in clips))
    groups = {kind: [i for i, clip in enumerate(clips) if clip.kind == kind] for kind in kinds}
    if kinds != ["real"]:
        groups = {"all": [i for i, clip in enumerate(clips) if clip.kind != "real"], **groups}
    return {
        kind: {
            name: (summarize_longterm if kind == "real" else summarize)(
                [own[i] for i in chosen], [clips[i].truth for i in chosen]
            )
            for name, own in records.items()
        }
        for kind, chosen in groups.items()
    }


def tables(figures):
    """Return the table of the clips and that of the real sequences."""
    real = figures.get("real", {})
    rows = [
        [kind, *reliability_row(name, own)] for kind in figures if kind != "real" for name, own in figures[kind].items()
    ]
    longterm_rows = [longterm_row(name, own) for name, own in real.items()]
    printed = [format_table(["clips", "tracker", *RELIABILITY_COLUMNS], rows, left=(0, 1))] if rows else []
    return [*printed, format_table(["real sequences", *LONG_TERM_COLUMNS], longterm_rows)] if real else printed


def as_json(figures, records, clips):
    """Return all figures and each clip's outcome as what json.dumps takes; None is an endless delay or not known."""

    def known(value):
        return value if math.isfinite(value) else None

    def outcome(clip, record):
        return {
            "lost_delays": [known(delay) for delay in lost_delays(record, clip.truth)],
            "redetection_delays": [known(delay) for delay in redetection_delays(record, clip.truth)],
            "wrong_frames": int(confidently_wrong(record, clip.truth).sum()),
        }

    return {
        "figures": {
            kind: {name: {key: known(value) for key, value in vars(own).items()} for name, own in by_name.items()}
            for kind, by_name in figures.items()
        },
        "clips": [
            {
                "name": clip.name,
                "kind": clip.kind,
                "sequence": clip.sequence,
                "how": clip.how,
                "size_wh": clip.truth.size_wh,
                "frames": len(clip.truth),
                "departures": [dataclasses.asdict(departure) for departure in clip.truth.departures],
                "outcomes": {name: outcome(clip, own[i]) for name, own in records.items()},
            }
            for i, clip in enumerate(clips)
        ],
    }


def draw_timeline(path, clip, records):
    """Draw confidence, state and IoU of trackers over the frames of a clip."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 2.6 * len(records)), layout="constrained")
    all_axes = figure.subplots(len(records), squeeze=False, sharex=True)[:, 0]
    for (name, record), axes in zip(records.items(), all_axes):
        frame = 0
        for state, run_of_state in itertools.groupby(record.states.tolist()):
            length = len(list(run_of_state))
            color_rgb = np.array(STATE_COLORS_BGR[TargetState(state)][::-1]) / 255
            axes.axvspan(frame - 0.5, frame + length - 0.5, color=color_rgb, alpha=0.3, linewidth=0)
            frame += length
        frames = np.arange(len(record))
        axes.plot(frames, record.confidences, color="tab:blue", label="confidence")
        iou = np.where(clip.truth.in_view & record.has_box, frame_iou(record, clip.truth), np.nan)
        axes.plot(frames, iou, color="black", label="IoU")
        axes.fill_between(frames, 0, 0.04, where=clip.truth.absent, color="black", step="mid", label="absent")
        axes.set(ylim=(0, 1.02), xlim=(-0.5, len(record) - 0.5), title=name)
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    all_axes[-1].set_xlabel(
        f"frame of {clip.name}: {clip.sequence}, {clip.how}; TRACKING green, UNCERTAIN amber, LOST red"
    )
    figure.savefig(path)


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog="example: benchmarks/lost_and_found.py data/sequences --models lite lite_online --count 4",
    )
    parser.add_argument("sequences", type=Path, nargs="+", help="folders of sequences, each as for siam-tracker eval")
    parser.add_argument("--models", nargs="*", default=["lite_online", "lite"], help="our models (default: both lite)")
    parser.add_argument(
        "--weights", nargs="+", default=[], metavar="MODEL=FILE", help="checkpoints of models in place of those shipped"
    )
    parser.add_argument(
        "--peer",
        action="append",
        default=[],
        metavar="MODULE:FACTORY",
        help="another tracker: FACTORY() returns an object with init(image_bgr, box_xywh) and track(image_bgr), whose "
        "result has box_xywh and score; it is judged by two thresholds on its score",
    )
    parser.add_argument(
        "--thresholds", action="store_true", help="judge the raw scores of our models by two thresholds as well"
    )
    parser.add_argument(
        "--without",
        nargs="+",
        choices=ABLATIONS,
        default=[],
        metavar="PART",
        help=f"also run our models without a part of the session, one row each: {', '.join(ABLATIONS)}",
    )
    parser.add_argument(
        "--half",
        type=int,
        choices=(0, 1),
        help="take every second sequence, from this one on; thresholds are chosen on the others (default: take all, "
        "and choose thresholds on the very clips, which flatters them)",
    )
    parser.add_argument("--kinds", nargs="*", choices=KINDS, default=list(KINDS), help="kinds of clips (default: all)")
    parser.add_argument("--count", type=positive_int_argument, default=6, help="clips of each kind (default: 6)")
    parser.add_argument("--real", action="store_true", help="also run sequences with frames without box as they are")
    parser.add_argument("--classes", type=Path, metavar="FILE.yaml", help="mapping of sequence to class of its target")
    parser.add_argument("--threads", type=positive_int_argument, default=1, help="CPU threads (default: 1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures and the outcome of each clip")
    parser.add_argument(
        "--timeline", nargs=2, metavar=("CLIP", "PNG"), help="run one clip alone, as covered-03, and draw what was said"
    )
    parser.add_argument("--list", action="store_true", help="only say which clips there are")
    args = parser.parse_args(arguments)
    args.class_of = read_classes(args.classes)
    args.weight_files = dict(read_pair(text) for text in args.weights)
    return args


def read_classes(path):
    """Read a mapping of sequence to class from a YAML file."""
    if path is None:
        return {}
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidInputError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise InvalidInputError(f"{path} is {type(content).__name__}, expected a mapping of sequence to class")
    return {str(name): str(value) for name, value in content.items()}


def read_pair(text):
    """Split MODEL=FILE."""
    model, equals, path = text.partition("=")
    if not equals:
        raise InvalidSettingError(f"--weights is {text}, expected MODEL=FILE")
    return model, Path(path)


def load_peer(text):
    """Make a tracker with MODULE:FACTORY."""
    module, _, name = text.partition(":")
    try:
        factory = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise InvalidSettingError(f"--peer is {text}, expected MODULE:FACTORY that can be imported: {error}") from error
    return factory()


def measure(args):
    """Make the clips, run the trackers and print the tables."""
    if args.timeline is not None:
        require("--timeline", "matplotlib", extra="bench")
    tracks = read_tracks(args.sequences)
    clips = make_clips(tracks if args.half is None else tracks[args.half :: 2], args)
    if args.list:
        header = ["clip", "sequence", "size", "frames", "gone", "back", "what happens"]
        print(format_table(header, [describe(clip) for clip in clips], left=(0, 1, 6)))
        return
    if args.timeline is not None:
        clips = [clip for clip in clips if clip.name == args.timeline[0]]
    if not clips:
        raise InvalidInputError("there is no clip to run; --list shows those that there are")

    def create(model):
        return create_tracker(model, weights=args.weight_files.get(model), device="cpu")

    scored = {peer: ScoreRunner(load_peer(peer)) for peer in args.peer}
    if args.thresholds:
        scored = {**{f"{model} score": ScoreRunner(create(model)) for model in args.models}, **scored}
    sessions = {model: SessionRunner(create(model)) for model in args.models}
    for model, part in itertools.product(args.models, args.without):
        sessions[f"{model} without {part}"] = SessionRunner(create(model), ABLATIONS[part])
    records = run({**sessions, **scored}, clips)
    if args.timeline is not None:
        draw_timeline(args.timeline[1], clips[0], {name: own[0] for name, own in records.items()})
        return
    other_records, other_clips = records, clips
    if scored and args.half is not None:
        other_clips = make_clips(tracks[1 - args.half :: 2], args)
        other_records = run(scored, other_clips)
    judged = judge_scores({name: records[name] for name in scored}, clips, other_records, other_clips)
    records = {**{name: records[name] for name in sessions}, **judged}
    figures = summarize_kinds(records, clips)
    for table in tables(figures):
        print(table)
    if args.json is not None:
        args.json.write_text(json.dumps(as_json(figures, records, clips), indent=1))


def describe(clip):
    """Return a row about a clip."""
    departure = next(iter(clip.truth.departures), None)
    when = ["-", "-"] if departure is None else [str(departure.gone), str(departure.back or "-")]
    size = "x".join(map(str, clip.truth.size_wh))
    return [clip.name, clip.sequence, size, str(len(clip.truth)), *when, clip.how]


def main(arguments=None):
    try:
        args = parse_arguments(arguments)
        cv2.setNumThreads(args.threads)
        torch.set_num_threads(args.threads)
        measure(args)
    except SiamTrackerError as error:
        print(f"lost_and_found: error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
