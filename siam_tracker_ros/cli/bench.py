# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`siam-tracker bench`: the speed of models, and where the time of a frame goes."""

import argparse
import typing
from collections.abc import Sequence

from siam_tracker_ros.arguments import positive_int_argument
from siam_tracker_ros.cli.options import DEFAULT_MODEL, add_execution, make_model_tracker
from siam_tracker_ros.cli.tables import format_table

if typing.TYPE_CHECKING:
    from siam_tracker_ros.core.method import Method
    from siam_tracker_ros.core.tracker import Tracker

SUMMARY = (
    "Measure how fast models track a rendered 640x480 clip, and what takes the time, in turns with OpenCV's own "
    "trackers."
)
EXAMPLE = "siam-tracker bench --models lite --baselines csrt kcf --threads 2"
SIZE_WH = (640, 480)
WARM_UP = 20
SHARES_FRAMES = 40  # at most, to see what takes the time


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "--models",
        nargs="+",
        default=[DEFAULT_MODEL],
        metavar="MODEL",
        help=f"models to measure, or all (default: {DEFAULT_MODEL})",
    )
    parser.add_argument(
        "--baselines",
        nargs="*",
        default=[],
        metavar="NAME",
        help="trackers of OpenCV to measure beside them: csrt, kcf, mil; csrt and kcf need OpenCV's contrib "
        "modules (default: none)",
    )
    parser.add_argument(
        "--frames", type=positive_int_argument, default=200, metavar="N", help="frames a tracker (default: 200)"
    )
    parser.add_argument(
        "--seconds",
        type=positive_int_argument,
        default=20,
        metavar="S",
        help="time after which a tracker gets no further frame (default: 20)",
    )
    add_execution(parser, threads=2)


def run(args: argparse.Namespace) -> None:
    """Time the trackers on the same frames, in turns, and print a table."""
    from tqdm import tqdm

    from siam_tracker_ros.core.registry import find_model
    from siam_tracker_ros.demo.scene import Scene
    from siam_tracker_ros.evaluation.bench import OpenCvTracker, time_in_turns
    from siam_tracker_ros.evaluation.profile import STAGES, stage_shares
    from siam_tracker_ros.evaluation.tracker import SequenceTracker

    models = [find_model(name) for name in _expand_all(args.models)]
    unshipped = [model.name for model in models if model.shipped_weights is None]
    trackers = {model.name: _make_tracker(args, model) for model in models}
    baselines = {name: OpenCvTracker(name) for name in args.baselines}
    scene = Scene(size_wh=SIZE_WH, frames=1 + WARM_UP + args.frames)
    frames_bgr = [frame.image_bgr for frame in tqdm(scene, desc="render", unit="frame", disable=None)]
    box_xywh = scene[0].box_xywh
    total = (len(trackers) + len(baselines)) * (len(frames_bgr) - 1)
    with tqdm(total=total, desc="track", unit="frame", disable=None) as progress:
        everyone: dict[str, SequenceTracker] = {**trackers, **baselines}
        timings = time_in_turns(everyone, frames_bgr, box_xywh, WARM_UP, progress.update, args.seconds)
    shares = {
        name: stage_shares(tracker, frames_bgr[: 1 + SHARES_FRAMES], box_xywh, args.seconds)
        for name, tracker in tqdm(trackers.items(), desc="shares", unit="model", disable=None)
    }
    first = next(iter(timings.values()))
    rows = [
        [
            name,
            trackers[name].runtime if name in trackers else "-",
            str(len(timing.track_ms)),
            f"{timing.frames_per_s:.1f}",
            f"{timing.percentile_ms(50):.1f}",
            f"{timing.percentile_ms(95):.1f}",
            f"{timing.frames_per_s / first.frames_per_s:.2f}",
            *(f"{shares[name][stage]:.1%}" if name in shares else "-" for stage in STAGES),
        ]
        for name, timing in timings.items()
    ]
    width, height = SIZE_WH
    print(
        f"{width}x{height}, {args.threads} CPU threads, {args.frames} frames after {WARM_UP} to warm up, "
        f"fewer where they take {args.seconds} s"
    )
    if unshipped:
        print(f"random weights, for want of others: {', '.join(unshipped)}")
    header = ["tracker", "runtime", "frames", "frames/s", "p50 ms", "p95 ms", f"speed / {models[0].name}", *STAGES]
    print(format_table(header, rows, left=(0, 1)))


def _make_tracker(args: argparse.Namespace, model: "Method") -> "Tracker":
    if model.shipped_weights is not None:
        return make_model_tracker(args, model.name, {})
    return make_model_tracker(args, model.name, model.untrained_settings, "random")


def _expand_all(names: Sequence[str]) -> list[str]:
    """Return model names without repetition, each `all` being the names of all models."""
    from siam_tracker_ros.core.registry import list_models

    known = [model.name for model in list_models()]
    return list(dict.fromkeys(name for given in names for name in (known if given == "all" else [given])))
