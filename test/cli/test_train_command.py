# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import sys
import types
from pathlib import Path

import pytest
from cli_testing import run


@pytest.mark.parametrize("speaks", [True, False])
def test_train_passes_overrides_on(monkeypatch, capsys, speaks):
    loop = types.ModuleType("siam_tracker_ros.training.train")
    loop.train_from_config = lambda *args, **options: (args, options)
    loop.is_rank_zero = lambda: speaks
    monkeypatch.setitem(sys.modules, "siam_tracker_ros.training.train", loop)
    settings = {"steps": "20", "output": "runs/a", "rate": "1e-3", "teacher": "null", "sides": "[1, 2]"}
    given = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    assert run("train", "a.yaml", "--resume", *given) == 0
    overrides = {"steps": 20, "output": "runs/a", "rate": 0.001, "teacher": None, "sides": [1, 2]}
    expected = ((Path("a.yaml"),), {"resume": True, "overrides": overrides})
    assert capsys.readouterr().out == (f"{expected}\n" if speaks else "")
