# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The published recipes at work, as the command runs them: what they start from, what they leave, how they go on."""

import json

import pytest
from drawn_shards import write_shard
from published_recipes import FOLDER, RECIPES
from quick_networks import QUICK

from siam_tracker_ros.cli import main
from siam_tracker_ros.core.method import Method
from siam_tracker_ros.weights.checkpoint import load_weights, read_weights

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    write_shard(folder / "tracks-00.tar")
    return folder


@pytest.fixture
def run_epoch(shards, tmp_path, monkeypatch):
    """Run one epoch of a recipe on a quick network, as a user does; returns the weights' path."""

    def run(name, *settings, resume=False):
        monkeypatch.setattr(Method, "make_network", lambda method, trained_name: QUICK[name]())
        given = {
            "output": tmp_path / name,
            "datasets": f"[{{format: shards, path: {shards}}}]",
            "backbone": "none",
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
    assert record["step"] == 1 and {*RECIPES[name].training.losses, "total"} <= record.keys()


@pytest.mark.parametrize(
    ("name", "setting", "words"),
    [
        ("siamrpn_alex", "recipe.groups=[]", "recipe.groups has none that learns from epoch 0 on"),
        ("siamrpn_alex", "recipe.groups.1.from_epoch=1", "recipe.groups has none that learns from epoch 0 on"),
        ("siamrpn_alex", "recipe.groups.0.modules=[backbone.layer9]", "has no attribute 'layer9'; its parts are"),
        ("siamrpn_alex", "recipe.groups.0.modules=[rpn]", "is in group 0 and in group 1, expected one group"),
        ("siamrpn_alex", "recipe.search_side=287", "recipe.cells is 17, expected 21: the response of siamrpn_alex"),
        ("ocean", "recipe.search_side=287", "recipe.cells is 25, expected 29"),
        ("ocean_online", "recipe.search_side=256", "recipe.cells is 14, expected 16"),
        ("siamrpn_alex", "recipe.search.flip=5", "recipe.search.flip is 5, expected 0 to 1"),
        ("siamrpn_alex", "recipe.template.scale=1.5", "recipe.template.scale is 1.5, expected 0 to 0.9"),
        ("siamrcr", "recipe.search.blur=0.2", "recipe.search.blur is 0.2, which siamrcr does not use; it uses shift,"),
        ("siammask_base", "recipe.template.flip=0.5", "recipe.template.flip is 0.5, which siammask_base does not use"),
        (
            "gradnet",
            "recipe.search.color=0.5",
            "recipe.search.color is 0.5, which gradnet does not use; it uses shift,",
        ),
        ("gradnet", "precision=bf16", "precision is bf16, expected fp32: gradnet needs float32"),
        ("ocean_online", "precision=bf16", "precision is bf16, expected fp32"),
        ("siamrpn_alex", "seed=5000000000", "seed is 5000000000, expected 0 to 4294967295"),
        ("siamrpn_alex", "datasets.0.pairs=0", "datasets.0.pairs is 0, expected 1 or more"),
    ],
)
def test_what_cannot_be_is_refused_before_the_first_step(name, setting, words, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Method, "make_network", lambda method, trained_name: QUICK[name]())
    given = f"output={tmp_path / 'run'}", "backbone=none", "start=null", "device=cpu", setting
    arguments = [part for each in given for part in ("--set", each)]
    assert main(["train", str(FOLDER / f"{name}.yaml"), *arguments]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("settings", "warned"), [((), True), (("recipe.groups=[{modules: [backbone, rpn]}]",), False)])
def test_a_backbone_that_stays_random_is_told(settings, warned, run_epoch, caplog):
    run_epoch("siamrpn_alex", *settings)
    assert ("keep their random values to the end (first: backbone." in caplog.text) == warned


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
