# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0

import importlib
import sys

import pytest

from siam_tracker_ros.data.check import check_datasets
from siam_tracker_ros.data.settings import DatasetSettings


def test_programs_that_import_from_the_former_place_go_on(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("siam_tracker_ros.training.datasets")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.warns(DeprecationWarning, match="has moved to siam_tracker_ros.data"):
        assert importlib.import_module("siam_tracker_ros.training.datasets.check").check_datasets is check_datasets
    former = importlib.import_module("siam_tracker_ros.training.datasets.settings")
    assert former.DatasetSettings is DatasetSettings
