# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Visual object tracking for robots: one box in, then box, confidence and mask in every frame.

from siam_tracker_ros import create_tracker

tracker = create_tracker()
tracker.init(image_bgr, box_xywh)
result = tracker.track(next_image_bgr)
"""

import importlib
import os
import typing

# PyTorch's threads spin while they wait for each other, by default almost without end. Beside another busy program (a
# camera driver, OpenCV's own threads) they then hold each other up, and a frame can last a hundred times as long. Some
# thousand turns keep the speed of an idle machine. It is read once, when torch is first imported.
os.environ.setdefault("GOMP_SPINCOUNT", "3000")

from siam_tracker_ros.errors import (
    DatasetError,
    IncompleteVideoError,
    InvalidInputError,
    InvalidSettingError,
    NetworkOutputError,
    NotInitializedError,
    SiamTrackerError,
    TrainingError,
    WeightsError,
)

if typing.TYPE_CHECKING:
    from siam_tracker_ros.core.method import Method
    from siam_tracker_ros.core.monitor import MonitorSettings, TargetState
    from siam_tracker_ros.core.multi import MultiTracker
    from siam_tracker_ros.core.registry import create_tracker, list_models
    from siam_tracker_ros.core.search import SearchSettings
    from siam_tracker_ros.core.session import Observation, TargetSession
    from siam_tracker_ros.core.tracker import Tracker, TrackResult

__all__ = [
    "DatasetError",
    "IncompleteVideoError",
    "InvalidInputError",
    "InvalidSettingError",
    "Method",
    "MonitorSettings",
    "MultiTracker",
    "NetworkOutputError",
    "NotInitializedError",
    "Observation",
    "SearchSettings",
    "SiamTrackerError",
    "TargetSession",
    "TargetState",
    "TrackResult",
    "Tracker",
    "TrainingError",
    "WeightsError",
    "create_tracker",
    "list_models",
]

# Imported when they are asked for, since torch comes with most of them: it takes more than a second and 190 MB, and a
# process that only publishes or records images needs none of it.
_MODULES = {
    "Method": "siam_tracker_ros.core.method",
    "MonitorSettings": "siam_tracker_ros.core.monitor",
    "MultiTracker": "siam_tracker_ros.core.multi",
    "Observation": "siam_tracker_ros.core.session",
    "SearchSettings": "siam_tracker_ros.core.search",
    "TargetSession": "siam_tracker_ros.core.session",
    "TargetState": "siam_tracker_ros.core.monitor",
    "TrackResult": "siam_tracker_ros.core.tracker",
    "Tracker": "siam_tracker_ros.core.tracker",
    "create_tracker": "siam_tracker_ros.core.registry",
    "list_models": "siam_tracker_ros.core.registry",
}


def __getattr__(name: str) -> typing.Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
