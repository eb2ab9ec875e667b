# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""All that pip needs is in pyproject.toml, but for the version, which stands in package.xml alone."""

import re
from pathlib import Path

from setuptools import setup

PACKAGE = Path(__file__).with_name("package.xml").read_text(encoding="utf-8")

setup(version=re.search("<version>(.*)</version>", PACKAGE)[1])
