# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A tracker for the experiments of got10k:

from got10k.experiments import ExperimentGOT10k
from siam_tracker_ros import create_tracker
from siam_tracker_ros.toolkits.got10k import Got10kTracker

ExperimentGOT10k("data/GOT-10k").run(Got10kTracker(create_tracker("lite"), "lite"))
"""

import typing

import numpy as np
import numpy.typing as npt

from siam_tracker_ros.core.tracker import Tracker
from siam_tracker_ros.extras import require
from siam_tracker_ros.geometry import one_based_to_xywh, xywh_to_one_based

if typing.TYPE_CHECKING:
    import PIL.Image

require("the adapter for got10k", "got10k", extra="toolkits")
import got10k.trackers  # noqa: E402, since `require` says what is missing


class Got10kTracker(got10k.trackers.Tracker):
    """One of this package's trackers as got10k's experiments take them.

    Args:
        tracker: what follows the targets.
        name: name of the folder for the results.
        one_based: whether pixels count from 1 in the data set's boxes, as in those of GOT-10k, OTB and LaSOT;
            in those of TrackingNet they count from 0.

    Raises:
        InvalidSettingError: when the module is imported, got10k is not installed.
    """

    def __init__(self, tracker: Tracker, name: str, one_based: bool = True) -> None:
        super().__init__(name=name, is_deterministic=True)
        self._tracker = tracker
        self._one_based = one_based

    def init(self, image: "PIL.Image.Image", box: npt.ArrayLike) -> None:
        """Start on the target in a box (4,) of the data set, in an RGB image."""
        box = np.asarray(box, dtype=np.float64)
        self._tracker.init(_to_bgr(image), one_based_to_xywh(box) if self._one_based else box)

    def update(self, image: "PIL.Image.Image") -> np.ndarray:
        """Return the target's box, float64 (4,), in the next RGB image."""
        box_xywh = self._tracker.track(_to_bgr(image)).box_xywh
        return xywh_to_one_based(box_xywh) if self._one_based else box_xywh


def _to_bgr(image: "PIL.Image.Image") -> np.ndarray:
    return np.ascontiguousarray(np.asarray(image)[..., ::-1])
