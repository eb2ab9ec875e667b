# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Optional dependencies, which the extras of this package install."""

import importlib.util

from siam_tracker_ros.errors import InvalidSettingError


def require(purpose: str, *modules: str, extra: str = "train") -> None:
    """Check that modules are installed before a long task begins.

    Args:
        purpose: what needs them, the beginning of the message.
        modules: names of modules that the extra installs.
        extra: name of the extra.

    Raises:
        InvalidSettingError: one of them is missing.
    """
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise InvalidSettingError(
            f"{purpose} needs {' and '.join(missing)}, which is not installed; in the folder of this package run: "
            f'pip install ".[{extra}]"'
        )
