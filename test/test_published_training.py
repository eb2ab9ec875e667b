# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The published recipes at work, as the command runs them: what they start from, what they leave, how they go on."""

import dataclasses
import json

import pytest
from drawn_shards import write_shard
from published_recipes import FOLDER
from published_recipes import RECIPES
from quick_networks import QUICK

from siam_tracker_ros.cli import main
from siam_tracker_ros.models.checkpoint import load_weights
from siam_tracker_ros.models.checkpoint import read_weights
from siam_tracker_ros.training.methods import METHODS

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    write_shard(folder / "tracks-00.tar")
    return folder


@pytest.fixture
def run_epoch(shards, tmp_path, monkeypatch):
    """Run one epoch of a recipe on a quick network, as a user does; returns the weights' path."""

    def run(name, *settings, resume=False):
        method = dataclasses.replace(METHODS[RECIPES[name].method], make_network=QUICK[name])
        monkeypatch.setitem(METHODS, RECIPES[name].method, method)
        given = {
            "output": tmp_path / name,
            "datasets": f"[{{format: shards, path: {shards}}}]",
            "trunk": "none",
            "start": "null",
            "workers": 0,
            "device": "cpu",
            "recipe.pairs": 2,
            "recipe.batch": 2,
            "recipe.schedule": "{epochs: 1, first: 0.001, last: 0.001}",
        }
        settings = [f"{name}={value}" for name, value in given.items()] + list(settings)
        arguments = [part for setting in settings for part in ("--set", setting)]
        assert main(["train", str(FOLDER / f"{name}.yaml"), *["--resume"] * resume, *arguments]) == 0
        return tmp_path / name / "last.safetensors"

    return run


@pytest.mark.parametrize("name", [name for name in QUICK if name not in ("siammask_base", "siammask_sharp")])
def test_an_epoch_of_each_recipe(name, run_epoch, capsys):
    path = run_epoch(name)
    assert capsys.readouterr().out.strip() == str(path)
    state = read_weights(path)
    network = QUICK[name]()
    load_weights(network, state, name)
    (record,) = [json.loads(line) for line in (path.parent / "log.jsonl").read_text().splitlines()]
    assert record["step"] == 1 and {*METHODS[RECIPES[name].method].losses, "total"} <= record.keys()


SHARP = "recipe.search_side=127", "recipe.cells=1", "recipe.search={shift: 8, scale: 0.05}"


def test_siammasks_second_stage_starts_from_the_first_ones_weights(run_epoch):
    path = run_epoch("siammask_base")
    base, sharp = read_weights(path), read_weights(run_epoch("siammask_sharp", f"start={path}", *SHARP))
    weights = [name for name in base if not name.endswith("num_batches_tracked")]  # the only ones that are not taken
    learned = {name for name in weights if (base[name] != sharp[name]).any()}
    assert {name.split(".")[0] for name in learned} == {"coarse"}


def test_a_run_whose_gradients_pile_up_goes_on_as_if_it_had_not_stopped(run_epoch):
    settings = *SHARP, "recipe.schedule={epochs: 3, first: 0.01, last: 0.001}", "checkpoint_every=1"
    path = run_epoch("siammask_sharp", *settings)
    whole = read_weights(path)
    newest = sorted((path.parent / "checkpoints").iterdir())[-1]
    newest.unlink()
    again = read_weights(run_epoch("siammask_sharp", *settings, resume=True))
    assert all((whole[name] == again[name]).all() for name in whole)
