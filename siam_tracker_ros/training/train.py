# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From a file of `config/train` to trained weights."""

import logging
import os

from siam_tracker_ros.core.registry import find_trained
from siam_tracker_ros.settings import make_settings, read_values
from siam_tracker_ros.training.loop import train


def is_rank_zero():
    """Whether this is the process, of those that torchrun started, that tells what all of them find."""
    return int(os.environ.get("RANK", 0)) == 0


def train_from_config(config, resume=False, overrides=None):
    """Train as a YAML file says and return the path of the weights.

    Args:
        config, overrides: see `read_training`.
        resume: go on from the newest checkpoint in the output folder.

    Raises:
        SiamTrackerError: see `read_training` and `loop.train`.
    """
    if not is_rank_zero():
        logging.getLogger("siam_tracker_ros").setLevel(logging.ERROR)
    return train(read_training(config, overrides), resume)


def read_training(config, overrides=None):
    """Read the settings of a run, LoopSettings.

    Args:
        config: path of a YAML file. Its `recipe.method`, or its `method`, says what is trained; without either, `lite`.
        overrides: mapping of dotted names to values that replace those of the file.

    Raises:
        InvalidSettingError: see `read_values` and `make_settings`.
    """
    values = read_values(config, overrides)
    section = values.get("recipe", values)
    name = section.get("method", "lite" if section is values else None) if isinstance(section, dict) else None
    return make_settings(find_trained(name).load_training().settings_class, values, str(config))
