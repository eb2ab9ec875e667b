# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`siam-tracker models`: the models, or all that is known of one."""

import argparse
import importlib.util
import textwrap
import typing
from collections.abc import Sequence

from siam_tracker_ros.cli.tables import format_table
from siam_tracker_ros.settings import settings_of

if typing.TYPE_CHECKING:
    from siam_tracker_ros.core.method import Method

SUMMARY = "List the models, or all that is known of one: its weights, settings and presets."
EXAMPLE = "siam-tracker models siammask_sharp"
LINE = 100  # characters


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's argument."""
    parser.add_argument("model", nargs="?", metavar="NAME", help="the model to tell of (default: list all)")


def run(args: argparse.Namespace) -> None:
    """Print the tables of all models, or the details of one."""
    from siam_tracker_ros.core.registry import find_model, list_models

    print(models_table(list_models()) if args.model is None else model_details(find_model(args.model)))


def models_table(models: Sequence["Method"]) -> str:
    """Return two tables of models: what each is, and where its weights come from."""
    what = [
        [
            model.name,
            _parameters(model),
            f"{model.frame_gmacs:#.3g}",
            f"{model.template_side} and {model.search_side}",
            "yes" if model.has_masks else "no",
            "shipped" if model.shipped_weights else "-",
            model.description,
        ]
        for model in models
    ]
    weights = [[model.name, model.checkpoint or "-", model.published or "-"] for model in models]
    header = ["model", "parameters", "GMACs/frame", "inputs", "masks", "weights", "description"]
    return (
        format_table(header, what, left=(0, 5, 6))
        + "\n\n"
        + format_table(["model", "checkpoint that it takes", "published at"], weights, left=(0, 1, 2))
    )


def model_details(model: "Method") -> str:
    """Return all that is known of a model: its size, its weights, its settings and its presets."""
    from siam_tracker_ros.core.registry import make_tracker_settings
    from siam_tracker_ros.executors import RUNTIMES, TORCH

    facts = {
        "parameters": _parameters(model),
        "work": f"{model.frame_gmacs:#.3g} billion multiplications and additions (GMACs) a frame",
        "inputs": f"template {model.template_side} x {model.template_side} pixels, "
        f"search region {model.search_side} x {model.search_side}",
        "masks": "yes" if model.has_masks else "no",
        "runtimes": ", ".join((TORCH, *RUNTIMES)),
        "weights": "come with the package" if model.shipped_weights else "do not come with the package",
        "checkpoint": model.checkpoint or "-",
        "published at": model.published or "-",
    }
    parts = [f"{model.name}: {model.description}", ""]
    parts += [f"{name:<13} {text}" for name, text in facts.items()]
    parts += ["", "settings (--set NAME=VALUE), with the values for general video:"]
    defaults = make_tracker_settings(model, None, {})
    for name, setting in settings_of(model.tracker_class.settings_class).items():
        parts.append(f"  {name} = {_shown(getattr(defaults, name))}   {setting.allowed}")
        parts += textwrap.wrap(setting.rule.meaning, LINE, initial_indent="      ", subsequent_indent="      ")
    parts += ["", "presets (--preset NAME), with what they change:" if model.presets else "presets: none"]
    for name, preset in model.presets.items():
        changes = [f"{key}={_shown(value)}" for key, value in preset.items() if value != getattr(defaults, key)]
        text = " ".join(changes) or "as for general video"
        parts += textwrap.wrap(f"{name}: {text}", LINE, initial_indent="  ", subsequent_indent="      ")
    return "\n".join(parts)


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value).lower()


def _parameters(model: "Method") -> str:
    if importlib.util.find_spec("torch") is None:
        return "-"
    return f"{model.count_parameters() / 1e6:.2f} M"
