# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Training from a file of `config/train`."""

import logging
import os
import pathlib
import typing
from collections.abc import Mapping

from siam_tracker_ros.core.registry import find_trained
from siam_tracker_ros.settings import make_settings, read_values
from siam_tracker_ros.training.task import LoopSettings
from siam_tracker_ros.training.trainer import train


def is_rank_zero() -> bool:
    """True on rank 0 of the processes that torchrun started, and where there is one process."""
    return int(os.environ.get("RANK", 0)) == 0


def train_from_config(
    config: str | pathlib.Path, resume: bool = False, overrides: Mapping[str, typing.Any] | None = None
) -> pathlib.Path:
    """Run the training that a YAML file describes; return the path of the weights.

    Args:
        config, overrides: see `read_training`.
        resume: continue from the newest checkpoint in the output folder.

    Raises:
        SiamTrackerError: see `read_training` and `trainer.train`.
    """
    if not is_rank_zero():
        logging.getLogger("siam_tracker_ros").setLevel(logging.ERROR)
    return train(read_training(config, overrides), resume)


def read_training(config: str | pathlib.Path, overrides: Mapping[str, typing.Any] | None = None) -> LoopSettings:
    """Read the settings of a run.

    Args:
        config: path of a YAML file. Its `method`, or else its `recipe.method`, names what is trained.
        overrides: values by dotted name that replace those of the file.

    Raises:
        InvalidSettingError: see `read_values` and `make_settings`.
    """
    values = read_values(config, overrides)
    method = find_trained(_method_name(values))
    return make_settings(method.load_training().settings_class, values, str(config))


def _method_name(values: Mapping[str, typing.Any]) -> str | None:
    """Return the method of a training file, `lite` without `method` and `recipe`."""
    if "method" in values or "recipe" not in values:
        return values.get("method", "lite")
    recipe = values["recipe"]
    return recipe.get("method") if isinstance(recipe, dict) else None
