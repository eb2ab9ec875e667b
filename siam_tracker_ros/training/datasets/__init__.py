# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Readers for the usual data sets, all behind one interface: lists of Track."""

from siam_tracker_ros.training.datasets.check import check_datasets
from siam_tracker_ros.training.datasets.formats import FORMATS
from siam_tracker_ros.training.datasets.formats import read_dataset
from siam_tracker_ros.training.datasets.settings import DatasetSettings
from siam_tracker_ros.training.datasets.track import Track

__all__ = ["FORMATS", "DatasetSettings", "Track", "check_datasets", "read_dataset"]
