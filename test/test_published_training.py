# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The published recipes at work: what they start from, their batches, and that each learns what it is shown."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from drawn_shards import TARGETS
from drawn_shards import write_shard
from published_recipes import FOLDER
from published_recipes import RECIPES
from quick_networks import CELLS
from quick_networks import SEARCH_SIDE
from quick_networks import WIDTH
from quick_networks import quick
from quick_networks import remembered
from quick_networks import tiny_pairs

from siam_tracker_ros.cli import main
from siam_tracker_ros.geometry import cxcywh_to_xywh
from siam_tracker_ros.geometry import iou_xywh
from siam_tracker_ros.geometry import ltrb_to_cxcywh
from siam_tracker_ros.models.blocks import ConvNorm
from siam_tracker_ros.models.checkpoint import load_weights
from siam_tracker_ros.models.checkpoint import read_weights
from siam_tracker_ros.models.ocean import OceanNetwork
from siam_tracker_ros.models.ocean import cell_pixels
from siam_tracker_ros.models.ocean_online import OceanOnlineNetwork
from siam_tracker_ros.models.rpn import RegionProposals
from siam_tracker_ros.models.siammask import SiamMask
from siam_tracker_ros.models.siammask import SiamMaskBase
from siam_tracker_ros.models.siamrcr import SiamRCRNetwork
from siam_tracker_ros.models.siamrpn import SiamRPN
from siam_tracker_ros.models.siamrpn import SiamRPNAlex
from siam_tracker_ros.models.siamrpn import SiamRPNResNet50
from siam_tracker_ros.trackers.proposals import decode_proposals
from siam_tracker_ros.training.augmentation import Augmentation
from siam_tracker_ros.training.methods import METHODS
from siam_tracker_ros.training.published import PublishedCurriculum
from siam_tracker_ros.training.published import PublishedLearner
from siam_tracker_ros.training.published_batches import PublishedBatches
from siam_tracker_ros.training.schedules import Schedule


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    write_shard(folder / "tracks-00.tar")
    return folder


def quick_alex():
    """AlexNet has no neck: where it is frozen, a random one may narrow its features."""
    trunk = SiamRPNAlex().trunk
    return SiamRPN(trunk, (0,), [ConvNorm(256, WIDTH, relu=None)], RegionProposals([WIDTH], False))


def quick_online():
    network = quick(OceanOnlineNetwork, 2)
    network.online_trunk = ConvNorm(512, 1024, 3, 2, groups=64)
    return network


def learn(name, network, folder, steps, rate, **changes):
    """Learn eight pairs by a recipe's own objective, groups and steps; return the network and the batch.

    The trunk stays frozen, as in the first epochs of each recipe: what it sees does not change, nor its answer.
    """
    recipe = RECIPES[name]
    groups = tuple(group for group in recipe.groups if not group.modules[0].startswith(("trunk", "online_trunk")))
    small = {"search_side": SEARCH_SIDE, "cells": CELLS, "search": Augmentation(shift=32, scale=0.18)}
    changes = {"schedule": Schedule(steps // 10, rate, rate / 30), "groups": groups, **small, **changes}
    recipe = dataclasses.replace(recipe, pairs=10 * TARGETS, batch=TARGETS, negative=0.0, grey=0.0, **changes)
    batch = PublishedBatches(tiny_pairs(recipe, folder), TARGETS).draw(0)
    learner, curriculum = PublishedLearner(network, recipe), PublishedCurriculum(recipe)
    optimizer, totals = None, []
    for step in range(curriculum.steps):
        if curriculum.changes_at(step):
            optimizer = curriculum.start_stage(learner, step, optimizer)
        curriculum.set_rates(optimizer, step)
        losses = learner(batch)
        totals.append(losses["total"].item())
        curriculum.take_step(learner, optimizer, losses["total"], torch.Tensor.backward)
    assert totals[-1] < totals[0]
    return network.eval(), batch


def anchor_boxes(batch):
    """The boxes xywh (B, 4) that the anchors' offsets were made of, from the middle of the search region."""
    logits = torch.zeros(1, 10, *batch["label"].shape[-2:])
    return [
        cxcywh_to_xywh(decode_proposals(logits, offset.reshape(1, 20, *logits.shape[2:]))[1][:, 0, 0, 0])
        for offset in batch["offset"]
    ]


def proposed(logits, offsets):
    """The best anchor's cell and box xywh of each answer, without penalty and window."""
    for one_logits, one_offsets in zip(logits[:, None], offsets[:, None]):
        score, boxes = decode_proposals(one_logits, one_offsets)
        best = np.unravel_index(score.argmax(), score.shape)
        yield best[1:], cxcywh_to_xywh(boxes[(slice(None), *best)])


# siamrpn_r50_16gpu differs from siamrpn_r50 in the number of pairs and devices alone.
SIAMRPN = {
    "siamrpn_alex": quick_alex,
    "siamrpn_r50": lambda: quick(SiamRPNResNet50, 4, widths=(WIDTH,) * 3),
    "siamrpn_r50_otb": lambda: quick(SiamRPNResNet50, 4, widths=(WIDTH,) * 3, weighted=False),
}


@pytest.mark.parametrize("name", SIAMRPN)
def test_siamrpn_learns_eight_pairs(name, shards):
    changes = {"cells": 9} if name == "siamrpn_alex" else {}  # AlexNet is not padded
    steps, rate = (300, 0.1) if name == "siamrpn_alex" else (100, 0.05)
    network, batch = learn(name, remembered(SIAMRPN[name]()), shards, steps, rate, **changes)
    with torch.no_grad():
        logits, offsets = network(batch["search"], network.encode_template(batch["template"]))
    found = [box for _, box in proposed(logits, offsets)]
    assert iou_xywh(found, anchor_boxes(batch)).mean() > 0.9


def test_ocean_learns_eight_pairs(shards):
    network, batch = learn("ocean", remembered(quick(OceanNetwork, channels=2 * WIDTH)), shards, 240, 0.03)
    with torch.no_grad():
        response = network(batch["search"], network.encode_template(batch["template"]))
    cell = cell_pixels(CELLS)
    points = torch.stack(torch.meshgrid(cell, cell, indexing="xy"), -1)  # (17, 17, 2)
    for score in (response.classification, response.alignment):
        best = score.flatten(1).argmax(1)
        boxes = [
            [
                cxcywh_to_xywh(ltrb_to_cxcywh(one.movedim(0, -1), points)).flatten(0, 1)[place].numpy()
                for one, place in zip(distances, best)
            ]
            for distances in (response.box_ltrb, batch["distance"])
        ]
        assert iou_xywh(*boxes).mean() > 0.9


def test_siamrcr_learns_eight_pairs(shards):
    network, batch = learn("siamrcr", remembered(quick(SiamRCRNetwork, channels=WIDTH)), shards, 100, 0.05)
    with torch.no_grad():
        response = network(batch["search"], network.encode_template(batch["template"]))
    score = torch.sigmoid(response.classification) * torch.sigmoid(response.localization)
    best = score.flatten(1).argmax(1)
    found = [boxes.flatten(1)[:, place].numpy() for boxes, place in zip(response.box_cxcywh, best)]
    assert iou_xywh(cxcywh_to_xywh(np.stack(found)), cxcywh_to_xywh(batch["box"].numpy())).mean() > 0.9


QUICK = {
    **SIAMRPN,
    "siamrpn_r50_16gpu": SIAMRPN["siamrpn_r50"],
    "siammask_base": lambda: quick(SiamMaskBase, width=WIDTH),
    "siammask_sharp": lambda: quick(SiamMask, width=WIDTH),
    "ocean": lambda: quick(OceanNetwork, channels=WIDTH),
    "ocean_online": quick_online,
    "siamrcr": lambda: quick(SiamRCRNetwork, channels=WIDTH),
    "gradnet": METHODS["gradnet"].make_network,
}


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
