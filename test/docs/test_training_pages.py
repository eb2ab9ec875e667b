# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the pages say about training is what the code takes."""

import dataclasses
import re
import shlex

import pages
import pytest
import yaml
from pages import ROOT

from siam_tracker_ros import cli
from siam_tracker_ros.data import FORMATS, DatasetSettings
from siam_tracker_ros.settings import make_settings
from siam_tracker_ros.training.train import read_training
from siam_tracker_ros.training.validation import ValidationSettings
from tools.label.__main__ import make_parser
from tools.label.settings import LabelSettings

TRAINING = pages.commands(r"(?:siam-tracker|torchrun --nproc-per-node \d+ -m siam_tracker_ros)(?= train)")
LABELLING = pages.commands(r"python -m tools\.label")
PAGES = [f"docs/{name}.md" for name in ("training", "datasets", "recipes")]


@pytest.mark.parametrize("page, command", TRAINING)
def test_training_commands_can_be_run_as_far_as_their_settings_go(page, command):
    args = cli.make_parser().parse_args(shlex.split(command))
    read_training(ROOT / args.config, dict(args.overrides))


@pytest.mark.parametrize("page, command", LABELLING)
def test_labelling_commands_can_be_run_as_far_as_their_settings_go(page, command):
    args = make_parser().parse_args(shlex.split(command))
    make_settings(LabelSettings, dict(args.overrides), "--set")


def test_there_are_commands_of_every_kind():
    assert len(TRAINING) > 5 and len(LABELLING) > 1


@pytest.mark.parametrize("page", PAGES)
def test_examples_of_settings_are_taken(page):
    for example in pages.code_blocks(page, "yaml"):
        values = yaml.safe_load(example)
        assert values and values.keys() <= {"datasets", "validation"}
        for dataset in values.get("datasets", ()):
            assert make_settings(DatasetSettings, dataset, page).format in FORMATS
        if "validation" in values:
            make_settings(ValidationSettings, values["validation"], page)


def test_formats_and_splits_are_those_that_are_read():
    rows = pages.table("docs/datasets.md", "Data sets for training")
    listed = {row[0].strip("`"): set(re.findall(r"`(\w+)`", row[2])) for row in rows}
    assert listed == {name: set(known.splits) for name, known in FORMATS.items()}


def test_every_recipe_is_listed():
    rows = pages.table("docs/recipes.md", "Training recipes of the published trackers")
    listed = {name for row in rows for name in re.findall(r"`(\w+\.yaml)`", row[0])}
    assert listed == {path.name for path in (ROOT / "config" / "train").glob("*.yaml")} - {
        "lite.yaml",
        "lite_dense.yaml",
        "lite_refinement.yaml",
        "lite_tight.yaml",
    }


def test_starts_of_lite_are_its_settings():
    names = [row[0].strip("`") for row in pages.table("docs/training.md", "`lite`")]
    settings = read_training(ROOT / "config" / "train" / "lite.yaml")
    assert names == ["init", "init_backbone", "teacher"]
    assert set(names) <= {field.name for field in dataclasses.fields(settings)}
