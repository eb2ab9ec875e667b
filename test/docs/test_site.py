# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The documentation site."""

import re
import subprocess
import sys

import pytest
from pages import PAGES, ROOT

import siam_tracker_ros

DIRECTIVES = re.findall(r"^\.\. auto(?:function|class|exception):: (\w+)$", PAGES["docs/api.md"], flags=re.MULTILINE)


def test_the_reference_has_the_interface():
    assert set(DIRECTIVES) >= {
        *("create_tracker", "list_models", "Tracker", "TrackResult", "TargetSession", "Observation", "TargetState"),
        *("SiamTrackerError", "InvalidInputError", "InvalidSettingError", "WeightsError", "NotInitializedError"),
    }


@pytest.mark.parametrize("name", DIRECTIVES)
def test_what_the_reference_lists_can_be_imported_and_says_what_it_is(name):
    assert getattr(siam_tracker_ros, name).__doc__


def test_the_site_is_built_without_a_warning(tmp_path):
    for tool in ("sphinx", "myst_parser", "furo"):
        pytest.importorskip(tool, reason="requirements/docs.txt is not installed")
    build = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "-d", tmp_path / "doctrees"]
    done = subprocess.run(
        [*build, "-c", ROOT / "docs", ROOT, tmp_path / "site"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "docs/index.html" in (tmp_path / "site" / "index.html").read_text()
    reference = (tmp_path / "site" / "docs" / "api.html").read_text()
    assert all(f'id="siam_tracker_ros.{name}"' in reference for name in DIRECTIVES)
