# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Readers of data sets; each returns a list of Track."""

from siam_tracker_ros.data.check import check_datasets
from siam_tracker_ros.data.formats import FORMATS, read_dataset
from siam_tracker_ros.data.settings import DatasetSettings
from siam_tracker_ros.data.track import Track

__all__ = ["FORMATS", "DatasetSettings", "Track", "check_datasets", "read_dataset"]
