# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import sys

import pytest

from siam_tracker_ros.errors import InvalidSettingError
from siam_tracker_ros.extras import require


def test_what_is_not_installed_is_named_with_what_brings_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(InvalidSettingError, match=r'training needs tensorboard, .* pip install "\.\[train\]"'):
        require("training", "json", "tensorboard")


def test_what_is_installed_is_let_pass():
    require("training", "json", "torch")
