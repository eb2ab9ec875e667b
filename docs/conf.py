# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The documentation site; docs/development.md says how to build it.

The source folder is the repository, not docs/, so that the same relative links work in the site and beside the code.
"""

project = "siam_tracker_ros"
author = "The siam_tracker_ros authors"
copyright = "2026 The siam_tracker_ros authors"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
root_doc = "docs/index"
include_patterns = [
    "CHANGELOG.rst",
    "CONTRIBUTING.md",
    "README.md",
    "SECURITY.md",
    "benchmarks/README.md",
    "docs/**.md",
    "examples/README.md",
    "siam_tracker_ros/**/README.md",
]
exclude_patterns = [".venv*", "build", "install", "log"]
myst_heading_anchors = 3
default_role = "code"  # single backticks in docstrings

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_numpy_docstring = False
napoleon_use_ivar = True

templates_path = ["_templates"]
html_additional_pages = {"index": "index.html"}  # leads to root_doc
html_theme = "furo"
html_title = "siam_tracker_ros"
