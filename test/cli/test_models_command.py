# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest
from cli_testing import run

from siam_tracker_ros import list_models
from siam_tracker_ros.settings import settings_of


def test_models_are_listed(capsys):
    assert run("models") == 0
    out = capsys.readouterr().out
    for model in list_models():
        for word in (model.name, model.description, model.checkpoint, model.published):
            assert word in out


@pytest.mark.parametrize("model", list_models(), ids=lambda model: model.name)
def test_all_that_is_known_of_a_model_is_told(model, capsys):
    assert run("models", model.name) == 0
    out = capsys.readouterr().out
    for name, setting in settings_of(model.tracker_class.settings_class).items():
        assert f"\n  {name} = " in out
        assert setting.rule.meaning, "a setting is explained in its field"
    for name in model.presets:
        assert f"\n  {name}: " in out
    assert max(map(len, out.splitlines())) <= 200
    assert model.published in out
