# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Files about the project agree with each other."""

import re

import pytest
import yaml
from pages import ROOT

FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*_*.yml"))


def version_in(name, pattern):
    (version,) = re.findall(pattern, (ROOT / name).read_text(), flags=re.MULTILINE)
    return version


def test_pre_commit_has_the_ruff_of_the_tests():
    pinned = version_in("requirements/test.txt", r"^ruff==(.*)$")
    repos = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    (rev,) = [repo["rev"] for repo in repos if repo["repo"].endswith("/ruff-pre-commit")]
    assert rev == f"v{pinned}"


def test_the_workflow_has_each_python_that_the_run_script_takes():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text())
    (low, high) = version_in("run", r"\^3\\\.1\[(\d)-(\d)\]\$")
    assert workflow["jobs"]["python"]["strategy"]["matrix"]["python"] == [
        f"3.1{minor}" for minor in range(int(low), int(high) + 1)
    ]


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_issue_forms_can_be_filled_in(path):
    form = yaml.safe_load(path.read_text())
    assert form["name"] and form["description"]
    ids = [field["id"] for field in form["body"]]
    assert len(ids) == len(set(ids))
    assert all(field["attributes"]["label"] for field in form["body"])
    assert {"command", "log", "version"} <= set(ids)


def test_a_tracking_failure_is_reported_with_clip_and_box():
    form = yaml.safe_load((ROOT / ".github" / "ISSUE_TEMPLATE" / "tracking_failure.yml").read_text())
    required = {field["id"] for field in form["body"] if field.get("validations", {}).get("required")}
    assert {"clip", "box", "model", "version"} <= required
