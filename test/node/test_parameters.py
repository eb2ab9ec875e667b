# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import dataclasses
import math
from pathlib import Path

import pytest
import yaml

from siam_tracker_ros import list_models
from siam_tracker_ros.core.monitor import MonitorSettings
from siam_tracker_ros.core.registry import find_model, make_tracker_settings
from siam_tracker_ros.core.search import SearchSettings
from siam_tracker_ros.errors import InvalidSettingError
from siam_tracker_ros.node.parameters import NodeParameters, change_parameters, parameter_names, with_values
from siam_tracker_ros.settings import settings_of

ROOT = Path(__file__).resolve().parents[2]
NAN = math.nan


def test_the_defaults_are_usable():
    NodeParameters().check()
    assert NodeParameters().monitor_settings() == MonitorSettings()
    assert NodeParameters().tracker_arguments() == {
        "weights": None,
        "preset": None,
        "device": "auto",
        "precision": "auto",
        "runtime": "auto",
    }


def test_the_parameter_file_says_every_default():
    content = yaml.safe_load((ROOT / "config" / "tracker.yaml").read_text())
    values = content["/**"]["ros__parameters"]
    assert list(sorted(values)) == sorted(parameter_names())
    for field in dataclasses.fields(NodeParameters):
        value = values[field.name]
        value = tuple(value) if isinstance(value, list) else value
        assert type(value) is type(field.default), field.name
        assert value == field.default, field.name


def test_every_parameter_has_a_description_that_is_a_sentence():
    for field in dataclasses.fields(NodeParameters):
        description = field.metadata["rule"].meaning
        assert description.endswith(".") and len(description) > 20, field.name


@pytest.mark.parametrize(
    "changes, words",
    [
        (dict(model="siamfoo"), "model is 'siamfoo', expected one of .*lite"),
        (dict(model=""), "model is '', expected one of .*lite"),
        (dict(image_transport="theora"), "image_transport is 'theora', expected one of raw, compressed"),
        (dict(threads=-1), "threads is -1, expected 0 to 256"),
        (dict(frame_buffer_s=61.0), "frame_buffer_s is 61, expected 0 to 60"),
        (dict(lost_confidence=5e-324), r"lost_confidence is 4.94066e-324, expected .* write float\(...\)"),
        (dict(min_visible=5.4e-315), r"min_visible is 5.4e-315, expected .* write float\(...\)"),
        (dict(settings=["penalty_k=-0.1"]), "lite_online: penalty_k is -0.1, expected 0 to 1"),
        (dict(settings=["lr=0.5", "lr=1.5"]), "lite_online: lr is 1.5, expected 0 to 1"),
        (dict(settings=["window_influence=.inf"]), "lite_online: window_influence is inf, expected 0 to 1"),
        (dict(settings=["mask_threshold=high"]), "lite_online: mask_threshold is 'high', expected a number"),
        (dict(settings=["lr"]), "'lr' is not a setting, expected NAME=VALUE"),
        (dict(settings=["lr=[1"]), "'lr=\\[1': '\\[1' is not a YAML value"),
        (dict(model="lite", settings=["online_ratio=0.5"]), "lite: unknown setting online_ratio; known are penalty_k"),
        (dict(model="ocean", settings=["mask_threshold=0.4"]), "ocean: unknown setting mask_threshold; known are"),
        (
            dict(model="siamrpn_r50", settings=["search_side=256"]),
            "search_side is 256, expected 127 and a multiple of 8",
        ),
        (dict(lost_confidence=NAN), "lost_confidence is nan, expected a finite number"),
        (dict(lost_confidence=0.6), "lost_confidence 0.6, uncertain_confidence 0.55.*set them together"),
        (dict(recover_confidence=0.1), "recover_confidence 0.1 are out of order"),
        (dict(search_share=10.5), "search_share is 10.5, expected 0 to 10"),
        (dict(min_likeness=-0.1), "min_likeness is -0.1, expected 0 to 1"),
        (dict(lost_frames=0), "lost_frames is 0, expected 1 to 1000"),
    ],
)
def test_a_bad_value_is_refused_with_what_is_expected(changes, words):
    before = NodeParameters()
    with pytest.raises(InvalidSettingError, match=words):
        change_parameters(before, changes, configured=False)
    assert before.tracker_arguments() == NodeParameters().tracker_arguments()


def test_values_that_only_fit_together_are_set_together():
    bounds = dict(lost_confidence=0.6, uncertain_confidence=0.7, recover_confidence=0.8)
    changed = change_parameters(NodeParameters(), bounds, configured=True)
    assert changed.monitor_settings() == MonitorSettings(**bounds)


def test_the_search_has_its_parameters_which_change_at_any_time():
    changed = change_parameters(NodeParameters(), dict(search_share=0.5, min_likeness=0.3), configured=True)
    assert changed.search_settings() == SearchSettings(search_share=0.5, min_likeness=0.3)
    assert NodeParameters().search_settings() == SearchSettings()


@pytest.mark.parametrize("name, value", [("model", "lite"), ("device", "cpu"), ("image_transport", "compressed")])
def test_what_makes_the_tracker_changes_only_while_unconfigured(name, value):
    with pytest.raises(InvalidSettingError, match=f"{name} cannot change while the node is configured.*cleanup"):
        change_parameters(NodeParameters(), {name: value}, configured=True)
    assert getattr(change_parameters(NodeParameters(), {name: value}, configured=False), name) == value


@pytest.mark.parametrize("model", [model.name for model in list_models()])
def test_every_model_is_accepted(model):
    assert change_parameters(NodeParameters(), dict(model=model), configured=False).model == model


@pytest.mark.parametrize(
    "model, name",
    [
        (model.name, name)
        for model in list_models()
        for name in settings_of(type(make_tracker_settings(model, None, {})))
    ],
)
def test_every_setting_of_every_model_is_reached(model, name):
    default = getattr(make_tracker_settings(find_model(model), None, {}), name)
    text = f"{name}={str(default).lower() if isinstance(default, bool) else default}"
    changed = change_parameters(NodeParameters(), dict(model=model, settings=[text]), configured=False)
    assert changed.tracker_arguments()[name] == default


@pytest.mark.parametrize("empty", [None, [], [""]])
def test_no_settings_are_the_models_own(empty):
    assert (
        with_values(NodeParameters(), {"settings": empty}).tracker_arguments() == NodeParameters().tracker_arguments()
    )


def test_settings_that_are_given_reach_the_tracker():
    parameters = NodeParameters(weights="w.pth", preset="vot2019", settings=("penalty_k=0.0", "lr=0.5"))
    arguments = parameters.tracker_arguments()
    assert (arguments["weights"], arguments["preset"]) == ("w.pth", "vot2019")
    assert (arguments["penalty_k"], arguments["lr"]) == (0.0, 0.5) and "window_influence" not in arguments
