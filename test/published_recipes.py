# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The recipes of config/train by name."""

import pathlib

from siam_tracker_ros.settings import make_settings, read_values
from siam_tracker_ros.training.recipe import Recipe

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "config" / "train"
VALUES = {path.stem: read_values(path) for path in sorted(FOLDER.glob("*.yaml"))}
RECIPES = {name: make_settings(Recipe, values["recipe"], name) for name, values in VALUES.items() if "recipe" in values}
