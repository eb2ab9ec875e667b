# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The parameter files: one for each model, usable as it is."""

import re
from pathlib import Path

import pytest
import yaml

from siam_tracker_ros import list_models

pytest.importorskip("rcl_interfaces", reason="ROS 2 is not here")

from siam_tracker_ros.node.parameters import (
    NodeParameters,  # noqa: E402
    change_parameters,  # noqa: E402
    parameter_names,  # noqa: E402
)

ROOT = Path(__file__).resolve().parents[1]
MODELS = {model.name: model for model in list_models()}


def text_and_values(name):
    text = (ROOT / "config" / f"{name}.yaml").read_text()
    content = yaml.safe_load(text)
    assert list(content) == ["/**"] and list(content["/**"]) == ["ros__parameters"]
    return text, content["/**"]["ros__parameters"]


def test_every_model_has_a_file_and_every_file_a_model():
    assert {path.stem for path in (ROOT / "config").glob("*.yaml")} == {"tracker", *MODELS}


@pytest.mark.parametrize("name", MODELS)
def test_the_node_takes_the_file_of_a_model(name):
    text, values = text_and_values(name)
    assert set(values) <= set(parameter_names()) and values["model"] == name
    assert all(type(value) is type(getattr(NodeParameters(), key)) for key, value in values.items())
    parameters = change_parameters(NodeParameters(), values, configured=False)
    assert parameters.tracker_arguments() == NodeParameters().tracker_arguments(), "the model's own settings"
    assert ("mask_threshold" in values) == ("rotated_box" in values) == MODELS[name].has_masks
    for line in text.split("ros__parameters:\n")[1].splitlines():
        assert "#" in line or not line or line.strip().split(":")[0].endswith("_score"), "each value is explained"


@pytest.mark.parametrize("name", MODELS)
def test_the_file_of_a_model_says_where_its_weights_come_from(name):
    text, _ = text_and_values(name)
    assert f"# {name}: " in text and f"config/{name}.yaml" in text and f"`siam-tracker models {name}`" in text
    assert ("Weights: come with the package" in text) == (MODELS[name].shipped_weights is not None)
    assert all(url in text for url in re.findall(r"https:\S+", MODELS[name].published))


def test_the_files_are_installed():
    (installed,) = re.findall(r"install\(DIRECTORY ([^)]*)DESTINATION share/", (ROOT / "CMakeLists.txt").read_text())
    assert "config" in installed.split()


def test_the_launch_file_starts_from_a_file_that_exists():
    launch = (ROOT / "launch" / "tracker.launch.py").read_text()
    (name,) = re.findall(r'"config", "(\w+)\.yaml"', launch)
    assert (ROOT / "config" / f"{name}.yaml").is_file()
