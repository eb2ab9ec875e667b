# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import pathlib

import cv2
import numpy as np
import pytest
import torch
import yaml

from siam_tracker_ros import cli, create_tracker
from siam_tracker_ros.core.registry import find_model
from siam_tracker_ros.errors import InvalidSettingError
from siam_tracker_ros.methods.lite import training as lite
from siam_tracker_ros.methods.lite.losses import LossSettings
from siam_tracker_ros.methods.lite.network import LiteNetwork
from siam_tracker_ros.settings import make_settings, read_settings, read_values
from siam_tracker_ros.training.checkpoints import Checkpoints, load_checkpoint
from siam_tracker_ros.training.fabric import start_fabric
from siam_tracker_ros.training.log import read_log
from siam_tracker_ros.training.train import train_from_config
from siam_tracker_ros.training.trainer import Trainer
from siam_tracker_ros.weights.checkpoint import read_weights

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

CONFIG = pathlib.Path(__file__).parents[2] / "config" / "train" / "lite.yaml"
CALM = {name: 0.0 for name in (
    "rotation", "aspect", "negative", "grey", "color", "blur", "motion_blur", "low_resolution", "noise", "distractor",
    "occluder", "photo_fill", "new_background",
)}  # fmt: skip

pytest.importorskip("lightning_fabric", reason="lightning-fabric is not installed")
pytest.importorskip("tensorboard", reason="tensorboard is not installed")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Four videos of two frames, in which a box of one colour moves over noise."""
    folder, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    for number in range(4):
        frames = folder / f"video{number}" / "img"
        frames.mkdir(parents=True)
        lines = []
        for frame in (1, 2):
            image = rng.integers(0, 60, (240, 320, 3), np.uint8) + np.uint8([0, 90, 0])
            (w, h), (x, y) = rng.integers(40, 80, 2), rng.integers(60, 150, 2)
            image[y : y + h, x : x + w] = (40 * number, 30, 250 - 30 * number)
            cv2.imwrite(str(frames / f"{frame:04d}.jpg"), image)
            lines.append(f"{x + 1},{y + 1},{w},{h}\n")  # OTB counts pixels from 1
        (frames.parent / "groundtruth_rect.txt").write_text("".join(lines))
    return folder


@pytest.fixture
def config(tmp_path, data):
    """Path of a file that trains for three steps, the last of them with the backbone."""
    values = {
        "output": str(tmp_path / "run"), "device": "cpu", "batch": 2, "log_every": 1, "checkpoint_every": 1,
        "workers": 0,
        "data": {"datasets": [{"format": "otb", "path": str(data)}]},
        "schedule": {"steps": 3, "frozen_steps": 2, "warmup": 1},
    }  # fmt: skip
    path = tmp_path / "train.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def states(output):
    return [load_checkpoint(path)["learner"] for path in Checkpoints(output / "checkpoints", 3).paths()]


def test_the_command_trains_resumes_and_makes_a_tracker(config, tmp_path, capsys):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert cli.main(["train", str(config), "--set", f"output={whole}"]) == 0
    weights = capsys.readouterr().out.strip()
    assert weights == str(whole / "last.safetensors")
    tracker = create_tracker("lite", weights=weights, device="cpu")
    image = np.zeros((100, 100, 3), np.uint8)
    tracker.init(image, (30, 30, 30, 30))
    assert np.isfinite(tracker.track(image).box_xywh).all()

    first, second, third = states(whole)
    moved = {name for name, _ in LiteNetwork().named_parameters() if not torch.equal(*values(name, first, second))}
    assert moved and not any(name.startswith("backbone.") for name in moved), "the head learns first"
    moved = {name for name, _ in LiteNetwork().named_parameters() if not torch.equal(*values(name, second, third))}
    assert any(name.startswith("backbone.") for name in moved), "then the backbone does"

    (stopped / "checkpoints").mkdir(parents=True)
    for name in ("step-00000001.pt", "step-00000002.pt"):
        (stopped / "checkpoints" / name).write_bytes((whole / "checkpoints" / name).read_bytes())
    assert cli.main(["train", str(config), "--resume", "--set", f"output={stopped}"]) == 0
    for name, value in states(stopped)[-1].items():
        assert torch.equal(value, third[name]), f"{name} is not what the uninterrupted run made of it"


def values(name, *states):
    return [state[f"network.{name}"] for state in states]


def test_parts_learn_alone(config):
    overrides = {"schedule.parts": ["refinement"], "schedule.frozen_steps": 3, "schedule.steps": 3}
    first, *_, last = states(train_from_config(config, overrides=overrides).parent)
    changed = {name.split(".")[1] for name, value in first.items() if not torch.equal(value, last[name])}
    assert changed == {"refinement"}, "neither weights nor statistics of the others"


def test_a_mask_branch_without_loss_stays_as_it_is(config):
    output = train_from_config(config, overrides={"losses.mask": 0}).parent
    first, *_, last = states(output)
    changed = {name.split(".")[1] for name, value in first.items() if not torch.equal(value, last[name])}
    assert {"backbone", "fuse", "box"} <= changed and "mask_branch" not in changed
    assert not any("mask" in name for record in read_log(output / "log.jsonl") for name in record)


def test_lite_learns_eight_pairs_by_heart(data, tmp_path):
    settings = make_settings(
        lite.LiteTraining,
        {
            "output": str(tmp_path), "device": "cpu", "batch": 8, "log_every": 1, "pairs": CALM, "workers": 0,
            "precision": "fp32",  # a CPU without bfloat16 takes minutes to imitate it
            "data": {"datasets": [{"format": "otb", "path": str(data)}]},
            "schedule": {
                "steps": 28, "frozen_steps": 25, "head_rate": 6e-3, "backbone_rate": 1e-3, "warmup": 5,
                "decay_share": 0.5,
            },
        },
        "test",
    )  # fmt: skip
    torch.manual_seed(settings.seed)
    fabric = start_fabric(settings)
    task = settings.prepare(fabric.device, 1)
    batches = task.batches(0)
    batch = batches.draw(0)
    batches.draw = lambda step: batch
    task = task._replace(batches=lambda rank: batches)
    Trainer(settings, fabric, Checkpoints(tmp_path / "checkpoints", 1), task).run()
    records = read_log(tmp_path / "log.jsonl")
    assert records[0]["iou"] < 0.5 and records[-1]["iou"] > 0.9
    assert records[-1]["total"] < 0.3 * records[0]["total"]


@pytest.mark.parametrize(
    "batch, cores, processes", [(32, 1, 1), (32, 2, 2), (32, 3, 2), (32, 64, 8), (30, 4, 3), (7, 4, 1), (2, 2, 1)]
)
def test_processes_of_one_start_share_a_batch(config, batch, cores, processes):
    settings = make_settings(lite.LiteTraining, {**read_values(config), "batch": batch}, "test")
    assert settings.usual_processes(cores) == processes
    assert settings.shared_by(processes).process_batch == batch // processes
    with pytest.raises(InvalidSettingError, match=f"batch is {batch} and processes is 11, .* multiple of 11"):
        settings.shared_by(11)


@pytest.mark.parametrize(
    "step, head, backbone",
    [(0, 0.25, 0), (3, 1, 0), (9, 1, 0), (10, 1, 0.125), (13, 1, 0.5), (15, 1, 0.5), (18, 0.4, 0.2), (19, 0.2, 0.1)],
)
def test_rates_rise_stay_and_fall(step, head, backbone):
    schedule = lite.LiteSchedule(steps=20, frozen_steps=10, decay_share=0.25, head_rate=1, backbone_rate=0.5, warmup=4)
    curriculum = lite.LiteCurriculum(schedule)
    learner = lite.LiteLearner(LiteNetwork(), LossSettings())
    optimizer = curriculum.start_stage(learner, step, None)
    curriculum.set_rates(optimizer, step)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([head, backbone])
    assert learner.network.backbone.training and all(
        weight.requires_grad == (step >= 10) for weight in learner.network.backbone.parameters()
    )
    assert curriculum.start_stage(learner, 10, optimizer) is optimizer
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(list(learner.parameters()))


@pytest.mark.parametrize("step, learning", [(0, ()), (9, ()), (10, range(7, 14)), (99, range(7, 14))])
def test_blocks_of_the_backbone_learn_in_their_time(step, learning):
    learner = lite.LiteLearner(LiteNetwork(), LossSettings())
    lite.LiteCurriculum(lite.LiteSchedule(frozen_steps=10, frozen_blocks=7)).start_stage(learner, step, None)
    network = learner.network
    learns = [all(weight.requires_grad for weight in block.parameters()) for block in network.backbone]
    assert [number for number, does in enumerate(learns) if does] == list(learning)
    assert all(weight.requires_grad for name, weight in network.named_parameters() if not name.startswith("backbone."))


@pytest.mark.parametrize("prefix, entry", [("", None), ("module._orig_mod.", "model"), ("net.", "state_dict")])
def test_a_run_starts_from_the_weights_of_another(config, tmp_path, prefix, entry):
    shipped = read_weights(find_model("lite").shipped_weights)
    state = {f"{prefix}{name}": value for name, value in shipped.items()}
    torch.save(state if entry is None else {entry: state, "epoch": 3}, tmp_path / "another.pth")
    settings = make_settings(lite.LiteTraining, {**read_values(config), "init": str(tmp_path / "another.pth")}, "test")
    network = settings.prepare(torch.device("cpu"), 1).learner.network
    given = LiteNetwork.translate_state_dict(shipped)
    for name, value in network.named_parameters():
        torch.testing.assert_close(value.float(), given[name].float(), rtol=0, atol=0)


def test_the_shipped_file_is_whole():
    settings = read_settings(CONFIG, lite.LiteTraining)
    assert settings.schedule.steps > settings.schedule.frozen_steps


@pytest.mark.parametrize(
    "overrides, words",
    [
        ({"stepz": 3}, "unknown setting stepz"),
        ({"schedule.steps": 0}, "schedule.steps is 0, expected 1 or more"),
        ({"batch": 0}, "batch is 0"),
        ({"precision": "fp8"}, "expected one of bf16, fp32"),
        ({"device": "foo"}, "device is 'foo'"),
        ({"pairs.flip": 1.5}, "pairs.flip is 1.5, expected 0 to 1"),
        ({"init": "a.safetensors", "init_backbone": "b.onnx"}, "expected one of the two"),
        ({"recipe.method": "no"}, "method is 'no', expected one of lite, siamrpn_alex"),
    ],
)
def test_what_cannot_be_is_refused_before_the_data_are_read(config, overrides, words):
    with pytest.raises(InvalidSettingError, match=words):
        train_from_config(config, overrides=overrides)


def test_the_command_names_a_file_that_is_not_there(tmp_path, capsys):
    assert cli.main(["train", str(tmp_path / "absent.yaml")]) == 2
    assert "absent.yaml cannot be read" in capsys.readouterr().err
