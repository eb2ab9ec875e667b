# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The parameter file of the node."""

import re
from pathlib import Path

import yaml

from siam_tracker_ros.node.parameters import NodeParameters, change_parameters, parameter_names, with_values

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "config" / "tracker.yaml").read_text()


def test_there_is_one_file():
    assert [path.name for path in (ROOT / "config").glob("*.yaml")] == ["tracker.yaml"]


def test_the_node_takes_the_file():
    content = yaml.safe_load(TEXT)
    assert list(content) == ["/**"] and list(content["/**"]) == ["ros__parameters"]
    values = content["/**"]["ros__parameters"]
    assert set(values) <= set(parameter_names())
    given = with_values(NodeParameters(), values)
    assert all(type(getattr(given, key)) is type(getattr(NodeParameters(), key)) for key in values)
    parameters = change_parameters(NodeParameters(), values, configured=False)
    assert parameters.tracker_arguments() == NodeParameters().tracker_arguments()


def test_each_value_is_explained():
    lines = [line.strip() for line in TEXT.split("ros__parameters:\n")[1].splitlines()]
    comments = " ".join(line.partition("#")[2] for line in lines)
    for line in lines:
        name = line.split(":")[0]
        assert not line or "#" in line or name in comments, f"{name} is explained beside it or in a comment above"


def test_the_file_is_installed():
    (installed,) = re.findall(r"install\(DIRECTORY ([^)]*)DESTINATION share/", (ROOT / "CMakeLists.txt").read_text())
    assert "config" in installed.split()


def test_the_launch_file_starts_from_a_file_that_exists():
    launch = (ROOT / "launch" / "tracker.launch.py").read_text()
    (name,) = re.findall(r'"config", "(\w+)\.yaml"', launch)
    assert (ROOT / "config" / f"{name}.yaml").is_file()
