# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The former place of `siam_tracker_ros.data`. Programs that import from here go on until version 1.0."""

import sys
import warnings

from siam_tracker_ros.data import check, formats, settings, shards, track

warnings.warn(f"{__name__} has moved to siam_tracker_ros.data; import from there", DeprecationWarning, stacklevel=2)
for module in (check, formats, settings, shards, track):
    sys.modules[f"{__name__}.{module.__name__.rpartition('.')[2]}"] = module
