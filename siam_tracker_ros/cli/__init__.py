# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The command `siam-tracker`.

Answers go to standard output, progress and errors to standard error. Exit status: 0 done, 2 an error that one
sentence explains, 130 stopped with Ctrl-C.
"""

import argparse
import contextlib
import itertools
import math
import os
import sys
from pathlib import Path

import cv2
import numpy as np
import yaml
from tqdm import tqdm

from siam_tracker_ros import create_tracker, list_models
from siam_tracker_ros.cli.arguments import box_argument
from siam_tracker_ros.cli.model_tables import model_details, models_table
from siam_tracker_ros.cli.tables import format_table
from siam_tracker_ros.core.monitor import MonitorSettings, TargetState
from siam_tracker_ros.core.registry import find_model
from siam_tracker_ros.core.session import Observation, TargetSession
from siam_tracker_ros.demo.scene import Scene
from siam_tracker_ros.drawing import STATE_COLORS_BGR, draw_target, write_mask
from siam_tracker_ros.errors import InvalidInputError, InvalidSettingError, SiamTrackerError
from siam_tracker_ros.evaluation.bench import OpenCvTracker, time_in_turns
from siam_tracker_ros.evaluation.metrics import mean_scores
from siam_tracker_ros.evaluation.one_pass import run_one_pass
from siam_tracker_ros.evaluation.sequences import load_sequences, result_line
from siam_tracker_ros.evaluation.profile import STAGES, stage_shares
from siam_tracker_ros.executors.device import set_threads
from siam_tracker_ros.frames import VideoSink, open_frames
from siam_tracker_ros.weights.convert import convert_weights

NO_BOX = (math.nan,) * 4
CAMERA_FPS = 30.0  # of the written video, where the source does not state its own rate
BENCH_SIZE_WH = (640, 480)
BENCH_WARM_UP = 20
BENCH_SHARES_FRAMES = 40  # at most, to see what takes the time


def main(argv=None):
    """Run one command line (without the program's name; None: this process's own); return the exit status."""
    _silence_opencv()
    args = _parser().parse_args(argv)
    try:
        args.run(args)
        sys.stdout.flush()
    except SiamTrackerError as error:
        return _fail(str(error))
    except BrokenPipeError:  # the reader of a pipe went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        return _fail(f"{error.filename or 'file'}: {error.strerror or error}")
    except KeyboardInterrupt:
        return 130
    return 0


def _silence_opencv():
    """Leave it to our own sentence to report a file or a camera that does not open."""
    set_level = cv2.setLogLevel if hasattr(cv2, "setLogLevel") else cv2.utils.logging.setLogLevel
    set_level(0)
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")


def _fail(sentence):
    print(f"siam-tracker: error: {sentence}", file=sys.stderr)
    return 2


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, f"{self.prog}: error: {message}; see {self.prog} --help\n")


def _parser():
    parser = _Parser(
        prog="siam-tracker",
        description="Follow one target through a video: one box in; box and confidence out for every frame.",
        epilog="example: siam-tracker track clip.mp4 --box 313,88,342,194 --output tracked.mp4",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add in (_add_track, _add_eval, _add_bench, _add_train, _add_convert, _add_models):
        add(commands)
    return parser


def _add_command(commands, name, run, summary, example):
    parser = commands.add_parser(name, help=summary, description=summary, epilog=f"example: {example}")
    parser.set_defaults(run=run)
    return parser


def _add_how_to_run(parser, threads):
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    parser.add_argument("--precision", default="auto", help="auto, fp32 or fp16 (default: auto)")
    parser.add_argument("--runtime", default="auto", help="auto, torch or onnx (default: auto)")
    shown = threads or "as many as the libraries choose"
    parser.add_argument(
        "--threads", type=_positive_int, default=threads, metavar="N", help=f"CPU threads (default: {shown})"
    )


def _add_one_model(parser):
    parser.add_argument("--model", default="lite", help="a name that `siam-tracker models` lists (default: lite)")
    parser.add_argument(
        "--weights",
        metavar="FILE",
        help="a checkpoint, or random to try a model without one (default: the weights shipped with the model)",
    )
    parser.add_argument("--preset", metavar="NAME", help="a named set of the model's settings")
    _add_set(parser, "settings", "a setting of the model; `siam-tracker models NAME` lists them; may be repeated")
    _add_how_to_run(parser, threads=None)


def _add_set(parser, dest, explanation):
    parser.add_argument(
        "--set", type=_setting, action="append", default=[], metavar="NAME=VALUE", dest=dest, help=explanation
    )


def _positive_int(text):
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _setting(text):
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a setting, expected NAME=VALUE")
    try:
        parsed = yaml.safe_load(value)
    except yaml.YAMLError:
        raise argparse.ArgumentTypeError(f"{text!r}: {value!r} is not a YAML value") from None
    if isinstance(parsed, str):
        with contextlib.suppress(ValueError):
            parsed = float(parsed)  # YAML takes 1e-3, without a point, for a word
    return name, parsed


def _create_tracker(args, model, weights=None, preset=None, settings=()):
    if args.threads is not None:
        set_threads(args.threads)
    how = {"device": args.device, "precision": args.precision, "runtime": args.runtime}
    options = {"weights": weights, "preset": preset, **how}
    for name, _ in settings:
        if name in options or name == "model":
            raise InvalidSettingError(f"--set {name} is not for settings of the model; use --{name}")
    return create_tracker(model, **options, **dict(settings))


def _add_track(commands):
    parser = _add_command(
        commands,
        "track",
        _track,
        "Track one target through a video file, a folder of images or a camera.",
        "siam-tracker track clip.mp4 --box 313,88,342,194 --output tracked.mp4 --results boxes.txt",
    )
    parser.add_argument("source", metavar="VIDEO|DIR|CAMERA", help="video file, folder of images, or camera number")
    parser.add_argument(
        "--box",
        type=box_argument,
        required=True,
        metavar="X,Y,W,H",
        help="the target in the first frame, in pixels from the top left corner; write --box=-4,10,50,60 "
        "where x is below 0",
    )
    _add_one_model(parser)
    parser.add_argument("--output", type=Path, metavar="FILE", help="annotated video to write (.mp4, .mov or .avi)")
    parser.add_argument(
        "--results",
        type=Path,
        metavar="FILE",
        help="text file to write, one x,y,w,h,score line a frame, nan,nan,nan,nan,score while the target is "
        "lost (default: standard output, unless there is an --output)",
    )
    parser.add_argument(
        "--masks",
        type=Path,
        metavar="DIR",
        help="folder to write the target's masks to, one black and white PNG for each frame that has one, named by "
        "its number; the first frame is 00000",
    )


def _track(args):
    _check_outputs(args)
    count = lost = 0
    with contextlib.ExitStack() as stack:
        frames = stack.enter_context(open_frames(args.source))
        sink = results = None
        if args.output is not None:
            sink = stack.enter_context(VideoSink(args.output, frames.fps or CAMERA_FPS))
        tracker = _create_tracker(args, args.model, args.weights, args.preset, args.settings)
        prints_results = args.results is None and sink is None
        steps = _follow(tracker, _with_progress(frames, prints_results), args.box)
        steps = itertools.chain([next(steps)], steps)  # a box that is refused leaves an older result file as it is
        if args.results is not None:
            results = stack.enter_context(open(args.results, "w", buffering=1))  # whole lines, however it ends
        elif prints_results:
            results = sys.stdout
        for image_bgr, seen in steps:
            if args.masks is not None and seen.mask is not None:
                write_mask(args.masks / f"{count:05d}.png", seen.mask)
            count += 1
            lost += seen.state == TargetState.LOST
            if results is not None:
                results.write(result_line(NO_BOX if seen.box_xywh is None else seen.box_xywh, seen.confidence))
            if sink is not None:
                caption = f"{seen.state.name.lower()} {seen.confidence:.2f}"
                draw_target(image_bgr, seen.box_xywh, caption, STATE_COLORS_BGR[seen.state], seen.mask, seen.polygon)
                sink.write(image_bgr)
    print(f"{count} frames, target lost in {lost} of them", file=sys.stderr)


def _follow(tracker, frames, box_xywh):
    """Yield image and Observation of every frame, judged as the node judges them."""
    session = TargetSession(tracker, MonitorSettings())
    image_bgr = next(frames)
    session.init(image_bgr, box_xywh, target_id="", class_id="")
    yield image_bgr, Observation(session.state, np.array(box_xywh), confidence=1.0)
    for image_bgr in frames:
        yield image_bgr, session.observe(image_bgr)


def _with_progress(frames, prints_results):
    """Iterate over frames with a progress bar on a terminal, unless results are printed there."""
    hidden = True if prints_results and sys.stdout.isatty() else None  # None: tqdm looks for a terminal
    return iter(tqdm(frames, total=frames.frame_count, unit="frame", disable=hidden))


def _check_outputs(args):
    """Refuse at once what would fail, or destroy the input, after the network is loaded."""
    for path in (args.output, args.results, args.masks):
        if path is not None and path.exists() and Path(args.source).exists() and path.samefile(args.source):
            raise InvalidInputError(f"{path} is both read and written; give the output another name")
    if args.results is not None and not args.results.parent.is_dir():
        raise InvalidInputError(f"folder {args.results.parent} does not exist; make it, then write {args.results.name}")
    if args.masks is not None:
        _check_masks(args.model, args.masks)


def _check_masks(model_name, folder):
    if not find_model(model_name).has_masks:
        capable = ", ".join(model.name for model in list_models() if model.has_masks)
        raise InvalidInputError(f"model {model_name} has no masks to write, expected one of {capable}")
    folder.mkdir(parents=True, exist_ok=True)


def _add_eval(commands):
    parser = _add_command(
        commands,
        "eval",
        _eval,
        "Run a model over labelled sequences in one pass and print how well it follows.",
        "siam-tracker eval data/sequences --model lite --results results/lite",
    )
    parser.add_argument(
        "sequences",
        type=Path,
        metavar="SEQUENCES_DIR",
        help="folder of sequences, each with images in img and x,y,w,h lines in groundtruth.txt; or one",
    )
    _add_one_model(parser)
    parser.add_argument(
        "--results",
        type=Path,
        metavar="DIR",
        help="folder to write NAME.txt to, one x,y,w,h,score line a frame",
    )


def _eval(args):
    sequences = load_sequences(args.sequences)
    tracker = _create_tracker(args, args.model, args.weights, args.preset, args.settings)
    runs = run_one_pass(tracker, sequences, args.results)
    mean, all_ms = mean_scores(run.scores for run in runs), np.concatenate([run.track_ms for run in runs])

    def row(name, scores, track_ms):
        figures = (scores.mean_iou, scores.auc, scores.precision20, scores.region)
        median = f"{np.median(track_ms):.1f}" if len(track_ms) else "-"
        return [name, str(scores.frames), *("-" if np.isnan(figure) else f"{figure:.3f}" for figure in figures), median]

    rows = [row(run.name, run.scores, run.track_ms) for run in runs]
    header = ["sequence", "frames", "mean IoU", "AUC", "precision@20", "J of masks", "ms/frame"]
    print(format_table(header, [*rows, row("mean of sequences", mean, all_ms)]))


def _add_bench(commands):
    parser = _add_command(
        commands,
        "bench",
        _bench,
        "Measure how fast models track a rendered 640x480 clip, and what takes the time, in turns with OpenCV's own "
        "trackers.",
        "siam-tracker bench --models lite --baselines csrt kcf --threads 2",
    )
    parser.add_argument(
        "--models",
        nargs="+",
        default=[list_models()[0].name],
        metavar="MODEL",
        help=f"models to measure, or all (default: {list_models()[0].name})",
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
        "--frames", type=_positive_int, default=200, metavar="N", help="frames a tracker (default: 200)"
    )
    parser.add_argument(
        "--seconds",
        type=_positive_int,
        default=20,
        metavar="S",
        help="time after which a tracker gets no further frame (default: 20)",
    )
    _add_how_to_run(parser, threads=2)


def _bench(args):
    models = [find_model(name) for name in _expand_all(args.models)]
    unshipped = [model.name for model in models if model.shipped_weights is None]
    trackers = {model.name: _create_for_bench(args, model) for model in models}
    baselines = {name: OpenCvTracker(name) for name in args.baselines}
    scene = Scene(size_wh=BENCH_SIZE_WH, frames=1 + BENCH_WARM_UP + args.frames)
    frames_bgr = [frame.image_bgr for frame in tqdm(scene, desc="render", unit="frame", disable=None)]
    box_xywh = scene[0].box_xywh
    total = (len(trackers) + len(baselines)) * (len(frames_bgr) - 1)
    with tqdm(total=total, desc="track", unit="frame", disable=None) as progress:
        everyone = {**trackers, **baselines}
        timings = time_in_turns(everyone, frames_bgr, box_xywh, BENCH_WARM_UP, progress.update, args.seconds)
    shares = {
        name: stage_shares(tracker, frames_bgr[: 1 + BENCH_SHARES_FRAMES], box_xywh, args.seconds)
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
    width, height = BENCH_SIZE_WH
    print(
        f"{width}x{height}, {args.threads} CPU threads, {args.frames} frames after {BENCH_WARM_UP} to warm up", end=""
    )
    print(f", fewer where they take {args.seconds} s")
    if unshipped:
        print(f"random weights, for want of others: {', '.join(unshipped)}")
    print(
        format_table(
            ["tracker", "runtime", "frames", "frames/s", "p50 ms", "p95 ms", f"speed / {models[0].name}", *STAGES],
            rows,
            left=(0, 1),
        )
    )


def _create_for_bench(args, model):
    if model.shipped_weights is not None:
        return _create_tracker(args, model.name, model.shipped_weights)
    # Random weights are as fast as trained ones, unless the model looks further for a target that they lose.
    settings = [(name, 0.0) for name in model.tracker_class.settings_class.RANGES if name == "confidence_low"]
    return _create_tracker(args, model.name, "random", settings=settings)


def _expand_all(names):
    """Return model names without repetition, each `all` being the names of all models."""
    known = [model.name for model in list_models()]
    return list(dict.fromkeys(name for given in names for name in (known if given == "all" else [given])))


def _add_train(commands):
    parser = _add_command(
        commands,
        "train",
        _train,
        "Train a model as a YAML file says.",
        "siam-tracker train config/train/lite.yaml --set data.datasets.0.path=shards --set output=runs/lite",
    )
    parser.add_argument("config", type=Path, metavar="CONFIG.yaml", help="settings of the run")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint in the output folder")
    _add_set(parser, "overrides", "put a value in place of the file's; may be repeated")


def _train(args):
    from siam_tracker_ros.training.train import is_rank_zero, train_from_config

    weights = train_from_config(args.config, resume=args.resume, overrides=dict(args.overrides))
    if is_rank_zero():
        print(weights)


def _add_convert(commands):
    parser = _add_command(
        commands,
        "convert",
        _convert,
        "Write the authors' checkpoint as safetensors with this package's names; its content tells which model it is.",
        "siam-tracker convert SiamMask_DAVIS.pth siammask_davis.safetensors",
    )
    parser.add_argument(
        "source",
        metavar="IN",
        help=".pth, .pt, .model, .safetensors, .npz, or a TensorFlow checkpoint (its .index file)",
    )
    parser.add_argument("target", metavar="OUT.safetensors", help="file to write")
    parser.add_argument("--model", help="the model that it is meant for (default: the one that it fits)")
    parser.add_argument("--half", action="store_true", help="store 16 bits a number: half the size, rounded")


def _convert(args):
    if Path(args.target).exists() and Path(args.source).exists() and Path(args.target).samefile(args.source):
        raise InvalidInputError(f"{args.target} is both read and written; give the output another name")
    infos = convert_weights(args.source, args.target, args.model, args.half)
    print(f"{args.target}: weights for {' or '.join(info.name for info in infos)}")


def _add_models(commands):
    parser = _add_command(
        commands,
        "models",
        _models,
        "List the models, or all that is known of one: its weights, settings and presets.",
        "siam-tracker models siammask_sharp",
    )
    parser.add_argument("model", nargs="?", metavar="NAME", help="the model to tell of (default: list all)")


def _models(args):
    print(models_table(list_models()) if args.model is None else model_details(find_model(args.model)))
