# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The import of packages that run graphs, without the parts that tracking does not need."""

import importlib
import sys
import types
import typing

# Of OpenVINO, what converts models of other frameworks. Its import takes twice as long as that of all the rest and
# 20 MB; it reports itself to Google Analytics, from a fork of the whole process, and writes into the home folder.
CONVERTER = "openvino.tools.ovc"


def import_package(name: str) -> types.ModuleType:
    """Import a package by its name; of OpenVINO, the converter is imported when a program asks for it.

    Raises:
        ImportError: it is not installed, or does not get along with this machine.
    """
    if name != "openvino" or name in sys.modules or CONVERTER in sys.modules:
        return importlib.import_module(name)
    sys.modules[CONVERTER] = None  # type: ignore[assignment]  # Python's way to say that there is none
    try:
        openvino = importlib.import_module(name)
    finally:
        del sys.modules[CONVERTER]
    if not hasattr(openvino, "convert_model"):
        vars(openvino).setdefault("__getattr__", _converter)
    return openvino


def _converter(attribute: str) -> typing.Any:
    """What `openvino` has besides: its `__getattr__`."""
    if attribute != "convert_model":
        raise AttributeError(f"module 'openvino' has no attribute {attribute!r}")
    return importlib.import_module(CONVERTER).convert_model
