# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Packages that not every use of this one needs."""

import importlib.util

from siam_tracker_ros.errors import InvalidSettingError


def require(purpose, *modules):
    """Refuse what needs modules that are not installed, before it has begun.

    Args:
        purpose: what needs them, as the beginning of the message.
        modules: names of modules, which the extra `train` brings.

    Raises:
        InvalidSettingError: one of them is missing.
    """
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise InvalidSettingError(
            f"{purpose} needs {' and '.join(missing)}, which is not installed; in the folder of this package run: "
            'pip install ".[train]"'
        )
