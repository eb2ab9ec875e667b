# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Batches of the published recipes, and what their networks start from."""

import dataclasses
import sys
import types

import numpy as np
import pytest
import torch
from drawn_shards import SIDE, TARGETS, draw_crop, write_shard
from published_recipes import RECIPES
from quick_networks import QUICK, tiny_pairs
from torch import nn

from siam_tracker_ros.core.network import Network
from siam_tracker_ros.core.registry import find_trained
from siam_tracker_ros.data import DatasetSettings, read_dataset
from siam_tracker_ros.data.shards import ShardTrack
from siam_tracker_ros.errors import DatasetError, InvalidSettingError, WeightsError
from siam_tracker_ros.layers.mobilenet_v2 import MobileNetV2Backbone
from siam_tracker_ros.layers.resnet import ResNet50
from siam_tracker_ros.methods.gradnet.training import color_directions
from siam_tracker_ros.methods.ocean_online.network import IMAGENET_MEAN_RGB, IMAGENET_STD_RGB
from siam_tracker_ros.settings import make_settings, to_values
from siam_tracker_ros.training import starting_weights
from siam_tracker_ros.training.augmentation import prepare_crop, prepared_box
from siam_tracker_ros.training.batches import PublishedBatches, PublishedPairs, fill_color, prepare
from siam_tracker_ros.training.pairs import usual_preparation
from siam_tracker_ros.training.published import PublishedCurriculum, PublishedLearner
from siam_tracker_ros.training.recipe import start_stage
from siam_tracker_ros.weights.checkpoint import save_weights

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    write_shard(folder / "tracks-00.tar")
    return folder


def make_pairs(folder, name="siamrpn_alex", seed=0, wanted=None, **changes):
    recipe = dataclasses.replace(RECIPES[name], **changes)
    datasets = [DatasetSettings("shards", str(folder), pairs=wanted)]
    return PublishedPairs(recipe, datasets, [read_dataset(settings) for settings in datasets], seed)


def same(first, second):
    return all((first[name] == second[name]).all() for name in first) and first.keys() == second.keys()


def test_a_prepared_crop_has_the_target_in_its_middle(shards):
    for track in read_dataset(DatasetSettings("shards", str(shards))):
        crop = prepare(track, 1, usual_preparation("shards"))
        rows, columns = np.nonzero(crop.mask)
        found = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        np.testing.assert_allclose(found, crop.box_xyxy, atol=2)
        assert crop.image_bgr.shape == (511, 511, 3)


@pytest.mark.parametrize(
    ("method", "format_name", "box_xyxy", "inclusive"),
    [
        ("siamrpn_r50", "coco", (30, 40, 110, 100), False),
        ("siamrpn_r50", "got10k", (30, 40, 110, 100), False),
        ("siammask_base", "coco", (30, 40, 109, 99), True),
        ("siammask_sharp", "youtube_vos", (30, 40, 110, 100), False),
        ("siammask_base", "imagenet_vid", (30, 40, 109, 99), False),
        ("ocean", "imagenet_det", (30, 40, 109, 99), False),
    ],
)
def test_crops_are_cut_at_the_corners_that_the_authors_take(shards, method, format_name, box_xyxy, inclusive):
    track = next(iter(read_dataset(DatasetSettings("shards", str(shards)))))
    track = dataclasses.replace(track, boxes_xywh=np.array([(30.0, 40, 80, 60)]))
    crop = prepare(track, 0, find_trained(method).load_training().preparation(format_name))
    image = track.image_bgr(0)
    expected = prepare_crop(image, box_xyxy, inclusive, fill_color(image, track.valid_xywh(0)))
    np.testing.assert_array_equal(crop.image_bgr, expected)
    np.testing.assert_array_equal(crop.box_xyxy, prepared_box(np.subtract(box_xyxy[2:], box_xyxy[:2])))


def test_a_target_of_one_pixel_keeps_it(shards):
    track = next(iter(read_dataset(DatasetSettings("shards", str(shards)))))
    track = dataclasses.replace(track, boxes_xywh=np.array([(30.0, 40, 1, 1)]))
    crops = [prepare(track, 0, usual_preparation(name)) for name in ("imagenet_vid", "coco")]
    np.testing.assert_array_equal(crops[0].image_bgr, crops[1].image_bgr)
    assert (np.diff(crops[0].box_xyxy.reshape(2, 2), axis=0) > 0).all()


def test_outside_of_a_crop_is_what_it_is_filled_with():
    image, _, _ = draw_crop(0, 0)
    image[:, :100] = 10, 20, 30
    assert fill_color(image, (100, 0, SIDE - 100, SIDE)).tolist() == [10, 20, 30]
    for whole in (None, (0, 0, SIDE, SIDE)):
        np.testing.assert_allclose(fill_color(image, whole), image.mean((0, 1)))


def test_colour_directions_have_a_tenth_of_the_colours_spread(shards):
    tracks = read_dataset(DatasetSettings("shards", str(shards)))
    directions = color_directions(tracks)
    pixels = np.concatenate([draw_crop(target, 0)[0].reshape(-1, 3) for target in range(TARGETS)])
    np.testing.assert_allclose(directions @ directions.T, np.cov(pixels.T) / 100, rtol=0.1, atol=0.5)


def test_pairs_depend_on_seed_and_number_alone(shards):
    pairs, again, other = (make_pairs(shards, seed=seed) for seed in (3, 3, 4))
    later, first = pairs[11], pairs[0]
    assert same(first, again[0]) and same(later, again[11])
    assert not same(first, later) and not same(first, other[0])


def test_a_round_shows_every_track_and_the_next_one_another_order(shards):
    pairs = make_pairs(shards)
    rounds = [[tuple(pairs._pick(number)) for number in range(start, start + TARGETS)] for start in (0, 8)]
    assert sorted(rounds[0]) == sorted(rounds[1]) == [(0, track) for track in range(TARGETS)]
    assert rounds[0] != rounds[1]


def test_a_picture_is_drawn_once_a_round_however_many_targets_it_has(shards, monkeypatch):
    monkeypatch.setattr(ShardTrack, "scene", property(lambda track: track.name.endswith("0")))
    pairs = make_pairs(shards)
    assert [len(own) for own in pairs.scenes] == [2]
    assert sorted(len(tracks) for tracks in pairs.scenes[0]) == [1, TARGETS - 1]
    crowded = max(range(2), key=lambda scene: len(pairs.scenes[0][scene]))
    numbers = [number for number in range(40) if list(pairs._pick(number))[1] == crowded]
    assert len(numbers) == 20, "one of the two pictures of each round"
    assert len({pairs[number]["search"].tobytes() for number in numbers[:6]}) > 3, "any of its targets"


@pytest.mark.parametrize("name", QUICK)
def test_weights_that_learn_have_gradients_where_nothing_else_is_told(shards, name):
    """Several GPUs wait for each other's gradients, but for weights that they are told to look out for."""
    recipe = dataclasses.replace(RECIPES[name], negative=0.0)
    network = QUICK[name]()
    start_stage(network, recipe, recipe.schedule.epochs - 1)
    PublishedLearner(network, recipe)(PublishedBatches(tiny_pairs(recipe, shards), 2).draw(0))["total"].backward()
    weights = dict(network.named_parameters())
    idle = [name for name, weight in weights.items() if weight.requires_grad and weight.grad is None]
    assert bool(idle) == recipe.training.has_unused_parameters


def test_devices_share_the_pairs_of_a_step(shards):
    pairs = make_pairs(shards)
    whole = PublishedBatches(pairs, 4).draw(3)
    halves = [PublishedBatches(pairs, 2, rank=rank, processes=2).draw(3) for rank in (0, 1)]
    assert same(whole, {name: torch.cat([half[name] for half in halves]) for name in whole})


def test_negative_pairs_show_another_track(shards):
    shown = [make_pairs(shards, negative=share)[number]["label"].max() for share in (0.0, 1.0) for number in range(3)]
    assert shown[3:] == [0, 0, 0] and 1 in shown[:3]


def test_grey_pairs_have_no_colour(shards):
    for share, grey in ((0.0, False), (1.0, True)):
        pairs = make_pairs(shards, "ocean_online", grey=share)
        pairs.recipe = dataclasses.replace(pairs.recipe, template=dataclasses.replace(pairs.recipe.template, color=0.0))
        template = pairs[0]["template"]
        assert np.ptp(template, axis=1).max() < 1 if grey else np.ptp(template, axis=1).max() > 10


def test_a_pair_with_broken_frames_is_drawn_anew(tmp_path):
    write_shard(tmp_path / "tracks-00.tar", broken=[(target, frame) for target in range(4) for frame in range(3)])
    pairs = make_pairs(tmp_path)
    redrawn = [int(pairs[number]["redrawn"]) for number in range(8)]
    assert sum(count > 0 for count in redrawn) == 4
    assert same(pairs[1], make_pairs(tmp_path)[1])


def test_pairs_of_broken_frames_alone_end_the_run(tmp_path):
    write_shard(tmp_path / "tracks-00.tar", broken=[(target, frame) for target in range(8) for frame in range(3)])
    with pytest.raises(DatasetError, match=r"in a row have broken frames.*drawn-\d"):
        make_pairs(tmp_path)[0]
    with pytest.raises(DatasetError, match="could be read"):
        make_pairs(tmp_path, "gradnet")


def test_masks_are_asked_for_where_they_are_learned(tmp_path):
    write_shard(tmp_path / "tracks-00.tar", masks=False)
    for name in ("siammask_base", "siammask_sharp"):
        with pytest.raises(DatasetError, match=f"has a mask, but {name} learns masks; add a set that has them: coco"):
            make_pairs(tmp_path, name)
    assert make_pairs(tmp_path, "siamrpn_r50")[0]["redrawn"] == 0


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_the_same_out_of_its_own_values(name):
    assert make_settings(type(RECIPES[name]), to_values(RECIPES[name]), name) == RECIPES[name]


@pytest.mark.parametrize(
    "name, changes, told",
    [
        ("ocean", {"method": "oceon"}, "oceon.*expected one of lite, siamrpn_alex"),
        ("ocean", {"loss_weights": {"classification": 1.0}}, "expected a weight for each of classification, box"),
        ("ocean", {"negative": 0.1}, "negative is 0.1"),
        ("siamrpn_r50", {"anchors": None}, "anchors must be set"),
        ("ocean", {"negative": 1.5}, "0 to 1"),
        ("ocean", {"batch": 0}, "batch is 0"),
        ("ocean", {"schedule": {"epochs": 0, "first": 0.1, "last": 0.1}}, "schedule.epochs is 0, expected 1 or more"),
        ("ocean", {"schedule": {"epochs": 2, "first": 0.1, "last": 0}}, "schedule.last is 0"),
        (
            "ocean",
            {"schedule": {"epochs": 2, "first": 0.1, "last": 0.1, "warm_up": {"start": 0.01, "end": 0.1, "epochs": 2}}},
            "schedule.epochs is 2, expected 3 or more; .* warm_up, which may be null",
        ),
    ],
)
def test_a_recipe_of_no_sense_is_refused(name, changes, told):
    with pytest.raises(InvalidSettingError, match=told):
        make_settings(type(RECIPES[name]), {**to_values(RECIPES[name]), **changes}, name)


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.coarse, self.refinement, self.neck = (nn.Linear(1, 1) for _ in range(3))


@pytest.mark.parametrize("processes, epoch_steps", [(1, 5), (2, 2), (20, 1)])
def test_an_epoch_has_its_pairs_however_many_devices_there_are(processes, epoch_steps):
    recipe = dataclasses.replace(RECIPES["siamrpn_r50"], pairs=20, batch=4)
    curriculum = PublishedCurriculum(recipe, processes)
    assert curriculum.steps == 20 * epoch_steps
    assert [step for step in range(curriculum.steps) if curriculum.changes_at(step)] == [0, 10 * epoch_steps]


@pytest.mark.parametrize("name, gain", [("siamrpn_r50", 4), ("siammask_base", 1)])
def test_gradients_of_devices_are_added_where_the_recipe_says_so(name, gain):
    network = Small()
    group = dataclasses.replace(RECIPES[name].groups[0], modules=("coarse",), from_epoch=0)
    recipe = dataclasses.replace(RECIPES[name], groups=(group,), max_grad_norm=None)
    curriculum = PublishedCurriculum(recipe, processes=4)
    learner = PublishedLearner(network, recipe)
    optimizer = curriculum.start_stage(learner, 0, None)
    curriculum.set_rates(optimizer, 0)
    loss = sum(weight.sum() for weight in network.coarse.parameters())
    curriculum.take_step(learner, optimizer, loss, torch.Tensor.backward)
    assert network.coarse.weight.grad.item() == gain


def test_gradients_that_pile_up_belong_to_the_state_of_a_run():
    recipe = RECIPES["siammask_sharp"]
    learner, copy = (PublishedLearner(Small(), recipe) for _ in range(2))
    learner.network.neck.weight.grad = torch.full((1, 1), 7.0)
    copy.load_state_dict(learner.state_dict())
    assert copy.network.neck.weight.grad.item() == 7 and copy.network.neck.bias.grad is None


def torchvision_resnet():
    """The weights of torchvision's ResNet-50, names and shapes, made up."""
    generator = torch.Generator().manual_seed(0)
    state = {}

    def add(name, norm, channels_out, channels_in, kernel):
        state[f"{name}.weight"] = torch.randn(channels_out, channels_in, kernel, kernel, generator=generator) * 0.05
        for part in ("weight", "bias", "running_mean", "running_var"):
            state[f"{norm}.{part}"] = torch.rand(channels_out, generator=generator) + 0.5

    add("conv1", "bn1", 64, 3, 7)
    channels_in = 64
    for number, (channels, blocks) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3)), start=1):
        for block in range(blocks):
            place = f"layer{number}.{block}"
            add(f"{place}.conv1", f"{place}.bn1", channels, channels_in, 1)
            add(f"{place}.conv2", f"{place}.bn2", channels, channels, 3)
            add(f"{place}.conv3", f"{place}.bn3", 4 * channels, channels, 1)
            if block == 0:
                add(f"{place}.downsample.0", f"{place}.downsample.1", 4 * channels, channels_in, 1)
            channels_in = 4 * channels
    state["fc.weight"] = torch.zeros(1000, 2048)
    return state


class Backboned(Network):
    def __init__(self, backbone):
        super().__init__()
        self.backbone = backbone.eval()


def test_a_backbone_of_torchvision_answers_to_raw_bgr_as_it_did_to_normalized_rgb(monkeypatch):
    state = torchvision_resnet()
    weights = types.SimpleNamespace(get_state_dict=lambda progress: state)
    fake = types.SimpleNamespace(get_weight=lambda name: weights if name == "ResNet50_Weights.IMAGENET1K_V1" else None)
    monkeypatch.setitem(sys.modules, "torchvision", types.SimpleNamespace(models=fake))
    monkeypatch.setitem(sys.modules, "torchvision.models", fake)
    network = Backboned(ResNet50(stages=3))
    starting_weights.start_backbone(network, "torchvision")
    image_bgr = torch.rand(1, 3, 31, 31) * 255
    rgb = image_bgr.flip(1) / 255
    normalized = (rgb - torch.tensor(IMAGENET_MEAN_RGB)[:, None, None]) / torch.tensor(IMAGENET_STD_RGB)[:, None, None]
    expected = nn.functional.conv2d(normalized, state["conv1.weight"], stride=2)
    norm = (state[f"bn1.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
    expected = nn.functional.batch_norm(expected, *norm).relu()
    torch.testing.assert_close(network.backbone.stem(image_bgr), expected, rtol=1e-4, atol=1e-4)
    shortcut = network.backbone.layer2[0].shortcut[0].weight
    torch.testing.assert_close(shortcut[:, :, 1, 1], state["layer2.0.downsample.0.weight"][:, :, 0, 0])
    assert shortcut.count_nonzero() == state["layer2.0.downsample.0.weight"].count_nonzero()


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "backbone.", "model.module.encoder."])
@pytest.mark.parametrize("entry", [None, "state_dict", "model"])
def test_a_backbone_of_the_authors_is_taken_as_it_is(tmp_path, prefix, entry):
    state = torchvision_resnet()
    for name in [name for name in state if name.endswith("downsample.0.weight") and "layer1" not in name]:
        state[name] = torch.randn(*state[name].shape[:2], 3, 3)
    named = {f"{prefix}{name}": value for name, value in state.items()}
    torch.save(named if entry is None else {entry: named, "epoch": 90}, tmp_path / "resnet50.model")
    network = Backboned(ResNet50(stages=3))
    starting_weights.start_backbone(network, tmp_path / "resnet50.model")
    assert (network.backbone.stem[0].weight == state["conv1.weight"]).all()
    assert (network.backbone.layer3[0].shortcut[0].weight == state["layer3.0.downsample.0.weight"]).all()


def test_mobilenets_norms_are_folded_in(tmp_path):
    network = Backboned(MobileNetV2Backbone())
    generator = torch.Generator().manual_seed(0)
    state, layers = {}, [module for module in network.backbone.modules() if isinstance(module, nn.Conv2d)]
    for number, layer in enumerate(layers):
        state[f"features.{number}.0.weight"] = torch.randn(layer.weight.shape, generator=generator)
        for part in ("weight", "bias", "running_mean", "running_var"):
            state[f"features.{number}.1.{part}"] = torch.rand(layer.out_channels, generator=generator) + 0.5
    state = dict(sorted({**state, "classifier.1.weight": torch.zeros(1000, 1280)}.items()))  # as safetensors does
    torch.save(state, tmp_path / "mobilenet_v2.pth")
    starting_weights.start_backbone(network, tmp_path / "mobilenet_v2.pth")
    for number, layer in enumerate(layers):
        image = torch.randn(1, layer.in_channels, 9, 9, generator=generator)
        how = {"stride": layer.stride, "padding": layer.padding, "groups": layer.groups}
        norm = (state[f"features.{number}.1.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
        expected = nn.functional.conv2d(image, state[f"features.{number}.0.weight"], **how)
        expected = nn.functional.batch_norm(expected, *norm)
        given = image.flip(1) if number == 0 else image  # the backbone takes BGR
        torch.testing.assert_close(layer(given), expected, rtol=1e-3, atol=1e-3)


def test_without_torchvision_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    with pytest.raises(InvalidSettingError, match=r"\.\[train\]"):
        starting_weights.start_backbone(Backboned(ResNet50(stages=1)), "torchvision")


def test_a_start_that_is_no_backbone_is_refused(tmp_path):
    torch.save({"a.weight": torch.zeros(3)}, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match="ImageNet start"):
        starting_weights.start_backbone(Backboned(ResNet50(stages=1)), tmp_path / "a.pth")


class Stage(Small):
    def own_state(self, state, what):
        return state


def test_what_the_stage_before_lacks_must_be_learned(tmp_path):
    before, after = Stage(), Stage()
    del before.refinement
    before.extra = nn.Linear(1, 1)
    save_weights(before, tmp_path / "before.safetensors", torch.float32)
    unused = starting_weights.start_weights(after, tmp_path / "before.safetensors", ["coarse", "refinement"])
    assert unused == ["extra.bias", "extra.weight"]
    assert after.neck.weight.item() == before.neck.weight.item()
    with pytest.raises(WeightsError, match=r"2 weights that this run does not learn \(first: refinement.bias\)"):
        starting_weights.start_weights(after, tmp_path / "before.safetensors", ["coarse"])


class Parts(Network):
    def __init__(self):
        super().__init__()
        self.neck, self.coarse, self.refinement = (nn.Linear(1, 1) for _ in range(3))


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.module.", "model."])
def test_the_stage_before_may_be_wrapped(tmp_path, prefix):
    before, after = Parts(), Parts()
    state = {f"{prefix}{name}": value for name, value in before.state_dict().items() if "refinement" not in name}
    torch.save({"model": state, "epoch": 3}, tmp_path / "before.pth")
    assert starting_weights.start_weights(after, tmp_path / "before.pth", ["refinement"]) == []
    assert after.neck.weight.item() == before.neck.weight.item()
