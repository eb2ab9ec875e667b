# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reads the Markdown pages: tables, code blocks, headings and links."""

import collections
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for path in sorted(
        [
            *ROOT.glob("*.md"),
            *(ROOT / "docs").rglob("*.md"),
            *(ROOT / "siam_tracker_ros").rglob("*.md"),
            *(ROOT / folder / "README.md" for folder in ("benchmarks", "examples")),
        ]
    )
}

_FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)


def code_blocks(page, language):
    """Return the fenced code blocks of a language ("" for none) of a page."""
    return [code for info, code in _FENCE.findall(PAGES[page]) if info == language]


def prose(page):
    """Return a page without its fenced code blocks."""
    return _FENCE.sub("", PAGES[page])


def section(page, heading):
    """Return what stands under a heading, up to the next one of any level."""
    (text,) = re.findall(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", prose(page), flags=re.MULTILINE | re.DOTALL)
    return text


def table(page, heading):
    """Return the rows of the first table under a heading, without its header, each a list of cells."""
    first = re.search(r"(?:^\|.*\n?)+", section(page, heading), flags=re.MULTILINE)[0]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in first.strip().splitlines()[2:]]


def anchors(page):
    """Return the names under which a page's headings can be linked to, as web sites of repositories make them."""
    names = []
    seen = collections.Counter()
    for heading in re.findall(r"^#+ +(.*)$", prose(page), flags=re.MULTILINE):
        name = re.sub(r"[^\w\- ]", "", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()).replace(" ", "-")
        names.append(f"{name}-{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return names


def links(page):
    """Return the targets of a page's links and images."""
    return re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", prose(page)))


def commands(program):
    """Return (page, arguments) of every line in the pages' code that runs a program, a regular expression."""
    return [
        (page, arguments)
        for page, text in PAGES.items()
        for arguments in re.findall(rf"^ *{program} (.*)$", text.replace("\\\n", " "), flags=re.MULTILINE)
    ]
