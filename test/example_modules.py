# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Imports the scripts of examples/, which are no package."""

import importlib.util
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "examples"


def load_example(name):
    """Return the module of examples/NAME.py, new for each call."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
