# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whatever the pages link to or name is there; no network and no documentation tool is needed."""

import re
from urllib.parse import urlsplit

import pages
import pytest
from pages import PAGES, ROOT

OUTSIDE = re.compile(r"[a-z]+:")
FOLDERS = r"benchmarks|config|docs|examples|launch|msg|overlay|scripts|siam_tracker_ros|srv|test|tools"


def exists(path):
    """Whether a file or folder is in the repository; NAME stands for any name."""
    return next(ROOT.glob(path.replace("NAME", "*").rstrip("/")), None) is not None


def test_the_pages_are_found():
    assert {"README.md", "CONTRIBUTING.md", "docs/ros.md", "examples/README.md"} <= PAGES.keys()
    assert sum(len(pages.links(page)) for page in PAGES) > 50


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    for link in pages.links(page):
        if OUTSIDE.match(link):
            assert urlsplit(link).scheme == "https" and urlsplit(link).netloc, link
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists() and target.resolve().is_relative_to(ROOT), link
        if anchor:
            assert anchor in pages.anchors(target.resolve().relative_to(ROOT).as_posix()), link


@pytest.mark.parametrize("page", PAGES)
def test_files_that_are_named_exist(page):
    for path in re.findall(rf"`((?:{FOLDERS})/[\w/.-]+)`", PAGES[page]):
        assert exists(path), path


def test_files_of_the_architecture_exist():
    page = "docs/architecture.md"
    paths = re.findall(r"`([a-z_]+/(?:[\w/]+\.\w+)?|[a-z_]+\.py)`", PAGES[page])
    assert len(paths) > 50
    for path in paths:
        inside = f"siam_tracker_ros/{path if '/' in path else f'**/{path}'}"
        assert exists(inside) or (re.match(FOLDERS, path) and exists(path)), path


def test_the_architecture_has_every_folder_of_the_package():
    listed = {
        name
        for row in pages.table("docs/architecture.md", "Where things live")
        for name in re.findall(r"`(\w+)/`", row[0])
    }
    package = ROOT / "siam_tracker_ros"
    assert {folder.parent.name for folder in package.glob("*/__init__.py")} | {"weights"} <= listed


def test_every_page_is_in_the_site():
    toctrees = "".join(pages.code_blocks("docs/index.md", "{toctree}"))
    listed = re.findall(r"^(?!:)(?:.*<(\S+)>|(\S+))$", toctrees, flags=re.MULTILINE)
    patterns = [f"{titled or plain}.md" for titled, plain in listed]
    reached = {
        path.resolve().relative_to(ROOT).as_posix() for pattern in patterns for path in (ROOT / "docs").glob(pattern)
    }
    assert reached == PAGES.keys() - {"docs/index.md"}
