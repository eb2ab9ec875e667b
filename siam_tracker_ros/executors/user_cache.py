# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The folder of what is kept from one start to the next."""

import os
import pathlib


def cache_folder() -> pathlib.Path:
    """Return this package's folder in the user's cache; raises RuntimeError where the user has no home folder."""
    folder = pathlib.Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not folder.is_absolute():  # the specification says to ignore such a value
        folder = pathlib.Path.home() / ".cache"
    return folder / "siam_tracker_ros"
