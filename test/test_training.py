# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import dataclasses
import io
import json
import tarfile

import cv2
import numpy as np
import pytest

from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.errors import InvalidSettingError
from siam_tracker_ros.errors import WeightsError
from siam_tracker_ros.geometry import cxcywh_to_xyxy
from siam_tracker_ros.geometry import iou_xywh
from siam_tracker_ros.geometry import xyxy_to_xywh
from siam_tracker_ros.models.lite import LiteNetwork
from siam_tracker_ros.training.pairs import PairDataset
from siam_tracker_ros.training.pairs import PairSettings
from siam_tracker_ros.training.shards import read_bank
from siam_tracker_ros.training.teacher import LightFcTeacher

CALM = {name: 0.0 for name in (
    "rotation", "aspect", "negative", "flip", "grey", "color", "blur", "motion_blur", "low_resolution", "noise",
    "distractor", "occluder", "photo_fill", "new_background", "template_shift", "template_scale",
)}  # fmt: skip
RED = (0, 0, 255)


def encode(image):
    return cv2.imencode(".webp", image, [cv2.IMWRITE_WEBP_QUALITY, 101])[1].tobytes()


def add(shard, name, content):
    member = tarfile.TarInfo(name)
    member.size = len(content)
    shard.addfile(member, io.BytesIO(content))


def write_shards(folder, tracks=3, frames=2):
    """Shards whose targets are red boxes on green: a video and some stills, with masks, and two photos."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    with tarfile.open(folder / "tracks-00.tar", "w") as shard:
        for track in range(tracks):
            for frame in range(frames if track == 0 else 1):
                image = np.full((432, 432, 3), (0, 120, 0), np.uint8)
                w, h = (int(side) for side in rng.integers(50, 80, 2))
                x, y = (432 - w) // 2, (432 - h) // 2
                image[y : y + h, x : x + w] = RED
                mask = (image[..., 2] == 255).astype(np.uint8) * 255
                label = {
                    "set": f"set{track}", "track": str(track), "frame": frame, "box_xywh": [x, y, w, h],
                    "valid_xywh": [0, 0, 432, 432], "kind": "video" if track == 0 else "still", "label": "",
                }  # fmt: skip
                key = f"set{track}-{track}-{frame}"
                add(shard, f"{key}.webp", encode(image))
                add(shard, f"{key}.json", json.dumps(label).encode())
                add(shard, f"{key}.png", cv2.imencode(".png", mask)[1].tobytes())
    with tarfile.open(folder / "photos-00.tar", "w") as shard:
        for number in range(2):
            add(shard, f"photo-{number}.webp", encode(rng.integers(0, 256, (90, 120, 3), dtype=np.uint8)))
            add(shard, f"photo-{number}.json", b"{}")
    return folder


@pytest.fixture
def shards(tmp_path):
    return write_shards(tmp_path / "shards")


def test_bank_counts_tracks_masks_and_photos(shards):
    bank = read_bank(shards)
    assert (len(bank.samples), [len(track) for track in bank.tracks], len(bank.photos)) == (4, [2, 1, 1], 2)
    assert bank.masked == [0, 1, 2, 3]
    assert bank.samples[0].mask().shape == (432, 432)


@pytest.mark.parametrize("damage", ["no folder", "no shards", "cut", "no label"])
def test_damaged_shards_are_refused_by_name(tmp_path, shards, damage):
    path = shards / "tracks-00.tar"
    if damage == "no folder":
        shards = tmp_path / "absent"
    elif damage == "no shards":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:1500])
    else:
        with tarfile.open(path, "w") as shard:
            add(shard, "a-b-0.webp", b"x")
    with pytest.raises(InvalidInputError, match="tracks-"):
        read_bank(shards)


def test_an_undecodable_picture_is_named(shards):
    bank = read_bank(shards)
    with pytest.raises(InvalidInputError, match="set0-0"):
        dataclasses.replace(bank.samples[0], encoded=b"junk").image_bgr()


@pytest.mark.parametrize("number", range(8))
def test_boxes_lie_on_the_targets(shards, number):
    settings = PairSettings(**{**CALM, "flip": 0.5, "rotation": 0.0})
    item = PairDataset(read_bank(shards), settings, 0, 100)[number]
    for name, side in (("template", 128), ("search", 256)):
        red = (item[name][..., 2].astype(int) - item[name][..., 1] > 60).astype(np.uint8)
        found = np.array(cv2.boundingRect(red), float)
        box = xyxy_to_xywh(cxcywh_to_xyxy(item[f"{name}_box"].astype(float))) * side
        inside = np.clip(box[:2], 0, side)
        box = np.concatenate([inside, np.clip(box[:2] + box[2:], 0, side) - inside])
        assert iou_xywh(found, box) > 0.9


def test_pairs_are_a_function_of_seed_and_number(shards):
    bank = read_bank(shards)
    first, again, other = (PairDataset(bank, PairSettings(), seed, 100)[5] for seed in (1, 1, 2))
    for name in first:
        np.testing.assert_array_equal(first[name], again[name])
    assert (first["search"] != other["search"]).any()


def test_targets_lie_uniformly_off_centre(shards):
    dataset = PairDataset(read_bank(shards), PairSettings(**{**CALM, "scale": 0.0, "shift": 1.0}), 0, 400)
    centers = np.array([dataset[number]["search_box"][:2] for number in range(200)])
    assert centers.min() < 0.3 and centers.max() > 0.7  # +-1 of 4 root areas round 0.5
    assert np.abs(centers.mean(0) - 0.5).max() < 0.03


def test_negative_pairs_show_another_target(shards):
    dataset = PairDataset(read_bank(shards), PairSettings(**{**CALM, "negative": 1.0}), 0, 10)
    assert not any(dataset[number]["present"] for number in range(5))


def test_negative_pairs_come_from_one_set_too_and_need_two_tracks(shards):
    bank = read_bank(shards)
    one_set = dataclasses.replace(bank, samples=[dataclasses.replace(s, set_name="own") for s in bank.samples])
    settings = PairSettings(**{**CALM, "negative": 1.0})
    assert not PairDataset(one_set, settings, 0, 10)[0]["present"]
    with pytest.raises(InvalidSettingError, match="with 1 track"):
        PairDataset(dataclasses.replace(bank, tracks=bank.tracks[:1]), settings, 0, 10)


def test_a_missing_teacher_is_refused(tmp_path):
    with pytest.raises(WeightsError, match="backbone.onnx"):
        LightFcTeacher(tmp_path)


def test_onnx_trunk_is_checked(tmp_path):
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    from siam_tracker_ros.models.checkpoint import load_trunk_onnx

    graph = onnx.helper.make_graph([], "empty", [], [])
    path = tmp_path / "empty.onnx"
    onnx.save(onnx.helper.make_model(graph), str(path))
    with pytest.raises(WeightsError, match="0 convolutions"):
        load_trunk_onnx(LiteNetwork().trunk, path)
