# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Options that several commands share."""

import argparse
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path

from siam_tracker_ros.arguments import intensity_range_argument, positive_int_argument, setting_argument
from siam_tracker_ros.errors import InvalidInputError, InvalidSettingError

if typing.TYPE_CHECKING:
    from siam_tracker_ros.core.tracker import Tracker

DEFAULT_MODEL = "lite_online"


def add_set(parser: argparse.ArgumentParser, dest: str, explanation: str) -> None:
    """Add `--set NAME=VALUE`, which may be repeated: `dest` is a list of (name, value)."""
    parser.add_argument(
        "--set", type=setting_argument, action="append", default=[], metavar="NAME=VALUE", dest=dest, help=explanation
    )


def add_execution(parser: argparse.ArgumentParser, threads: int | None) -> None:
    """Add what runs the network: `--device`, `--precision`, `--runtime` and `--threads` with its default."""
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    parser.add_argument(
        "--precision", default="auto", help="auto, fp32, fp16 on a GPU, bf16 or int8 on a CPU (default: auto)"
    )
    parser.add_argument("--runtime", default="auto", help="auto, torch, onnx, openvino or cuda_graph (default: auto)")
    shown = threads or "as many as the libraries choose"
    parser.add_argument(
        "--threads", type=positive_int_argument, default=threads, metavar="N", help=f"CPU threads (default: {shown})"
    )


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add the choice of one model, its weights and its settings, and what runs it."""
    parser.add_argument(
        "--model",
        default=DEFAULT_MODEL,
        help=f"a name that `siam-tracker models` lists (default: {DEFAULT_MODEL})",
    )
    parser.add_argument(
        "--weights",
        metavar="FILE",
        help="a checkpoint, a folder that `siam-tracker export` wrote, or random to try a model without one (default: "
        "the weights shipped with the model)",
    )
    parser.add_argument("--preset", metavar="NAME", help="a named set of the model's settings")
    add_set(parser, "settings", "a setting of the model; `siam-tracker models NAME` lists them; may be repeated")
    add_execution(parser, threads=None)


def add_intensity_range(parser: argparse.ArgumentParser) -> None:
    """Add `--intensity-range`, the argument of that name of `open_frames`."""
    parser.add_argument(
        "--intensity-range",
        type=intensity_range_argument,
        metavar="LOW,HIGH",
        help="of 16-bit images, the intensities that become black and white; 0,65535 takes the high byte (default: "
        "auto, which follows the images)",
    )


def add_mask_value(parser: argparse.ArgumentParser) -> None:
    """Add the value of the target's pixels in the masks that a command writes."""
    parser.add_argument(
        "--mask-value",
        type=int,
        choices=(255, 1),
        default=255,
        help="value of the target in the masks that are written: 255, white to look at, or 1, as the evaluators of "
        "DAVIS and YouTube-VOS read them (default: 255)",
    )


def add_masks(parser: argparse.ArgumentParser) -> None:
    """Add the folder for the target's masks, and the value of its pixels."""
    parser.add_argument(
        "--masks",
        type=Path,
        metavar="DIR",
        help="new or empty folder to write the target's masks to, one PNG for each frame that has "
        "one, named by its number; the first frame is 00000",
    )
    add_mask_value(parser)


def prepare_masks(args: argparse.Namespace) -> None:
    """Make the folder of `--masks`, if there is to be one; raises InvalidInputError if the model has no masks."""
    from siam_tracker_ros.outputs import make_empty_folder

    if args.masks is not None:
        check_masks(args.model)
        make_empty_folder(args.masks)


def check_outputs(source: str, *outputs: Path | None) -> None:
    """Check, before the source is opened, that no output destroys it; raises InvalidInputError if one does."""
    source_path = Path(source)
    for path in outputs:
        if path is None or not path.exists() or not source_path.exists():
            continue
        if path.samefile(source_path):
            raise InvalidInputError(f"{path} is both read and written; give the output another name")
        if path.is_file() and source_path.resolve() in path.resolve().parents:
            raise InvalidInputError(
                f"{path} is in {source_path} already, which is read; give the output another name, or remove it first"
            )


def add_half(parser: argparse.ArgumentParser, what: str) -> None:
    """Add `--half`, with which `what` is done to the sequences of one half, or to all with the figures of both."""
    parser.add_argument(
        "--half",
        choices=("A", "B", "both"),
        help=f"{what} the sequences of one half, to choose settings on; or all, and show the figures of both halves",
    )


def path_names(paths: Sequence[Path]) -> list[str]:
    """Return names for the results in some paths: their last parts, or all of the paths where two have the same."""
    names = [path.resolve().name for path in paths]
    return names if len(set(names)) == len(names) else [str(path) for path in paths]


def check_masks(model: str) -> None:
    """Check that a model has masks to write; raises InvalidInputError if not."""
    from siam_tracker_ros.core.registry import find_model, list_models

    if not find_model(model).has_masks:
        capable = ", ".join(known.name for known in list_models() if known.has_masks)
        raise InvalidInputError(f"model {model} has no masks to write, expected one of {capable}")


def make_tracker(args: argparse.Namespace) -> "Tracker":
    """Make the tracker that the options of `add_model` describe.

    Raises:
        InvalidSettingError, WeightsError: as in `create_tracker`; or `--set` names an option that has its own name.
    """
    settings = dict(args.settings)
    for name in settings:
        if name in ("model", "weights", "preset", "device", "precision", "runtime"):
            raise InvalidSettingError(f"--set {name} is not for settings of the model; use --{name}")
    return make_model_tracker(args, args.model, settings, weights=args.weights, preset=args.preset)


def make_model_tracker(
    args: argparse.Namespace,
    model: str,
    settings: Mapping[str, typing.Any],
    weights: str | Path | None = None,
    preset: str | None = None,
) -> "Tracker":
    """Make a tracker of a model that runs as the options of `add_execution` say."""
    from siam_tracker_ros.core.registry import create_tracker
    from siam_tracker_ros.executors.device import set_threads

    if args.threads is not None:
        set_threads(args.threads)
    return create_tracker(
        model,
        weights=weights,
        preset=preset,
        device=args.device,
        precision=args.precision,
        runtime=args.runtime,
        **settings,
    )
