# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Packages that are not installed: which ones, and what brings them."""

import importlib.util
import re
import sys
from collections.abc import Iterable

from siam_tracker_ros.errors import InvalidSettingError

_NEEDED = (
    "numpy",
    "cv2",
    "onnxruntime",
    "safetensors",
    "threadpoolctl",
    "tqdm",
    "yaml",
)  # by every model; the names of the modules
_PIP_NAMES = {"cv2": "opencv-python-headless", "yaml": "pyyaml", "PIL": "pillow"}  # that are not those of the modules
_ROS_MODULE = re.compile(r"ament_.*|rclpy|siam_tracker_ros|.*_(interfaces|msgs|srvs)")


def require(purpose: str, *modules: str, extra: str = "train") -> None:
    """Check that modules are installed before a long task begins.

    Args:
        purpose: what needs them, the beginning of the message.
        modules: names of modules that the extra installs.
        extra: name of the extra.

    Raises:
        InvalidSettingError: one of them is missing.
    """
    missing = _missing(modules)
    if missing:
        raise InvalidSettingError(
            f"{purpose} needs {' and '.join(missing)}, which is not installed; in the folder of this package run: "
            f'pip install ".[{extra}]"'
        )


def explain_missing(error: ModuleNotFoundError) -> str:
    """Return a sentence that says which packages this Python lacks, after an import failed, and what to do."""
    name = error.name or str(error)
    package = name.partition(".")[0]
    if _ROS_MODULE.fullmatch(package):
        return (
            f"{name} cannot be imported by {sys.executable}; source the setup file of ROS 2, then that of the "
            "workspace in which this package was built"
        )
    missing = list(dict.fromkeys([package, *_missing(_NEEDED)]))
    return (
        f"{' and '.join(missing)} cannot be imported by {sys.executable}; activate the virtual environment that has "
        f"{'them' if missing[1:] else 'it'}, or run: "
        f"{sys.executable} -m pip install {' '.join(_PIP_NAMES.get(module, module) for module in missing)}"
    )


def _missing(modules: Iterable[str]) -> list[str]:
    return [name for name in modules if importlib.util.find_spec(name) is None]
