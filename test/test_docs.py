# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the README and docs/ say about training is what the code takes."""

import dataclasses
import re
import shlex
from pathlib import Path

import pytest
import yaml

from siam_tracker_ros import cli
from siam_tracker_ros.data import FORMATS, DatasetSettings
from siam_tracker_ros.settings import make_settings
from siam_tracker_ros.training.train import read_training
from siam_tracker_ros.training.validation import ValidationSettings

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *(ROOT / "docs" / f"{name}.md" for name in ("training", "datasets", "recipes"))]
PROGRAM = r"^ *(?:siam-tracker|torchrun --nproc-per-node \d+ -m siam_tracker_ros) (.*)$"
COMMANDS = [
    command
    for page in PAGES
    for command in re.findall(PROGRAM, page.read_text().replace("\\\n", " "), flags=re.MULTILINE)
]


def rows(page, heading):
    """First and second cells of the rows of the table under a header that begins so."""
    _, table = (ROOT / "docs" / page).read_text().split(f"| {heading} |", 1)
    lines = table.split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_can_be_run_as_far_as_their_settings_go(command):
    args = cli.make_parser().parse_args(shlex.split(command))
    if args.run is cli.train.run:
        read_training(ROOT / args.config, dict(args.overrides))


def test_there_are_commands_of_every_kind():
    assert {command.split()[0] for command in COMMANDS} >= {"train", "label"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_of_settings_are_taken(page):
    for example in re.findall(r"```yaml\n(.*?)```", page.read_text(), flags=re.DOTALL):
        values = yaml.safe_load(example)
        assert values and values.keys() <= {"datasets", "validation"}
        for dataset in values.get("datasets", ()):
            assert make_settings(DatasetSettings, dataset, page.name).format in FORMATS
        if "validation" in values:
            make_settings(ValidationSettings, values["validation"], page.name)


def test_formats_and_splits_are_those_that_are_read():
    listed = {row[0].strip("`"): set(re.findall(r"`(\w+)`", row[2])) for row in rows("datasets.md", "format")}
    assert listed == {name: set(known.splits) for name, known in FORMATS.items()}


def test_every_recipe_is_listed():
    listed = {name for row in rows("recipes.md", "file") for name in re.findall(r"`(\w+\.yaml)`", row[0])}
    assert listed == {path.name for path in (ROOT / "config" / "train").glob("*.yaml")} - {"lite.yaml"}


def test_starts_of_lite_are_its_settings():
    names = re.findall(
        r"`(\w+)`", " ".join(row[0] for row in rows("training.md", "`init`, `init_backbone`, `teacher`"))
    )
    settings = read_training(ROOT / "config" / "train" / "lite.yaml")
    assert names == ["init", "init_backbone", "teacher"]
    assert set(names) <= {field.name for field in dataclasses.fields(settings)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_linked_files_exist(page):
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target
    for target in re.findall(r"`((?:siam_tracker_ros|config|benchmarks|docs)/[\w/.-]+)`", page.read_text()):
        assert (ROOT / target).exists(), target
