# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Readers of data sets; each returns a list of Track."""

import importlib
import typing

if typing.TYPE_CHECKING:
    from siam_tracker_ros.data.check import check_datasets
    from siam_tracker_ros.data.formats import FORMATS, read_dataset
    from siam_tracker_ros.data.settings import DatasetSettings
    from siam_tracker_ros.data.track import Track

__all__ = ["FORMATS", "DatasetSettings", "Track", "check_datasets", "read_dataset"]

# Imported when first asked for: whoever tracks in a folder of images does not wait for the readers of all formats.
_MODULES = {
    "FORMATS": "formats",
    "DatasetSettings": "settings",
    "Track": "track",
    "check_datasets": "check",
    "read_dataset": "formats",
}


def __getattr__(name: str) -> typing.Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
