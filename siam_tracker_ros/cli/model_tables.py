# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is known of the models, as text for a terminal."""

import textwrap

from siam_tracker_ros.cli.tables import format_table
from siam_tracker_ros.core.registry import make_tracker_settings
from siam_tracker_ros.settings import settings_of

LINE = 100  # characters


def models_table(models):
    """Return two tables of a sequence of Method: what each model is, and where its weights come from."""
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


def model_details(model):
    """Return all that is known of one Method: its size, its weights, its settings and its presets."""
    facts = {
        "parameters": _parameters(model),
        "work": f"{model.frame_gmacs:#.3g} billion multiplications and additions (GMACs) a frame",
        "inputs": f"template {model.template_side} x {model.template_side} pixels, "
        f"search region {model.search_side} x {model.search_side}",
        "masks": "yes" if model.has_masks else "no",
        "runtimes": ", ".join(model.runtimes),
        "weights": "come with the package" if model.shipped_weights else "do not come with the package",
        "checkpoint": model.checkpoint or "-",
        "published at": model.published or "-",
    }
    parts = [f"{model.name}: {model.description}", ""]
    parts += [f"{name:<13} {text}" for name, text in facts.items()]
    parts += ["", "settings (--set NAME=VALUE), with the values for general video:"]
    defaults = make_tracker_settings(model, None, {})
    for name, setting in settings_of(type(defaults)).items():
        parts.append(f"  {name} = {_shown(getattr(defaults, name))}   {setting.allowed}")
        parts += textwrap.wrap(setting.rule.meaning, LINE, initial_indent="      ", subsequent_indent="      ")
    parts += ["", "presets (--preset NAME), with what they change:" if model.presets else "presets: none"]
    for name, preset in model.presets.items():
        changes = [f"{key}={_shown(value)}" for key, value in preset.items() if value != getattr(defaults, key)]
        text = " ".join(changes) or "as for general video"
        parts += textwrap.wrap(f"{name}: {text}", LINE, initial_indent="  ", subsequent_indent="      ")
    return "\n".join(parts)


def _shown(value):
    return f"{value:g}" if isinstance(value, float) else str(value).lower()


def _parameters(model):
    return f"{model.count_parameters() / 1e6:.2f} M"
