# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A method that another package brings: one folder, found by its entry point, trained and run like any other."""

import dataclasses
import importlib.metadata
import json
import logging
from pathlib import Path

import numpy as np
import pytest
import toy_method
from drawn_shards import write_shard

from siam_tracker_ros import InvalidSettingError, create_tracker, list_models
from siam_tracker_ros.cli import main
from siam_tracker_ros.core import registry
from siam_tracker_ros.demo.scene import Scene

FOLDER = Path(__file__).resolve().parents[1] / "toy_method"
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]


@pytest.fixture
def installed(monkeypatch):
    """A function that installs methods: entry points by name."""
    real = importlib.metadata.entry_points

    def install(**values):
        points = [importlib.metadata.EntryPoint(name, value, registry.ENTRY_POINTS) for name, value in values.items()]

        def entry_points(**wanted):
            if wanted.get("group") != registry.ENTRY_POINTS:
                return real(**wanted)
            return importlib.metadata.EntryPoints(points).select(**wanted)

        monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)
        registry.list_models.cache_clear()

    yield install
    registry.list_models.cache_clear()


def test_it_is_a_folder_with_its_config():
    assert {path.name for path in FOLDER.iterdir()} - {"__pycache__"} == {
        "__init__.py", "network.py", "tracker.py", "training.py", "toy.yaml",
    }  # fmt: skip


def test_it_is_trained_and_tracks(installed, tmp_path, capsys):
    installed(toy="toy_method:METHOD")
    assert [model.name for model in list_models()][-1] == "toy"
    (tmp_path / "shards").mkdir()
    write_shard(tmp_path / "shards" / "tracks-00.tar")
    given = (
        f"output={tmp_path / 'run'}",
        f"datasets.0.path={tmp_path / 'shards'}",
        "workers=0",
        "device=cpu",
        "log_every=8",
    )
    arguments = [part for each in given for part in ("--set", each)]
    assert main(["train", str(FOLDER / "toy.yaml"), *arguments]) == 0
    weights = capsys.readouterr().out.strip()
    records = map(json.loads, (tmp_path / "run" / "log.jsonl").read_text().splitlines())
    losses = [record["total"] for record in records if "total" in record]
    assert len(losses) > 1 and losses[-1] < losses[0]

    scene = Scene(size_wh=(160, 120), frames=4)
    results = {}
    for runtime in ("torch", "onnx"):
        tracker = create_tracker("toy", weights, preset="still", device="cpu", runtime=runtime, window_influence=0.5)
        tracker.init(scene[0].image_bgr, scene[0].box_xywh)
        results[runtime] = [
            np.append(r.box_xywh, r.score) for r in (tracker.track(f.image_bgr) for f in list(scene)[1:])
        ]
    np.testing.assert_allclose(results["onnx"], results["torch"], atol=1e-3)
    assert main(["models", "toy"]) == 0
    assert "window_influence = 0.3   0 to 1" in capsys.readouterr().out


def test_the_name_of_another_is_taken(installed, caplog, monkeypatch):
    monkeypatch.setattr("toy_method.METHOD", dataclasses.replace(toy_method.METHOD, name="gradnet"))
    installed(gradnet="toy_method:METHOD")
    with caplog.at_level(logging.WARNING):
        names = [model.name for model in list_models()]
    assert names.count("gradnet") == 1 and "its name is taken" in caplog.text
    assert registry.find_model("gradnet") is not toy_method.METHOD


@pytest.mark.parametrize(
    "value, words",
    [
        ("no_such_package:METHOD", "cannot be imported .*ModuleNotFoundError.*uninstall its package"),
        ("toy_method:SEARCH_SIDE", "is a int, expected one Method"),
        ("siam_tracker_ros.methods.gradnet:METHODS", "is a tuple, expected one Method"),
        ("toy_method:METHOD", "entry point 'broken' names the Method 'toy'; use one name for both"),
    ],
)
def test_one_that_is_broken_is_named_and_disturbs_no_other(installed, caplog, value, words):
    installed(broken=value, toy="toy_method:METHOD")
    with caplog.at_level(logging.WARNING):
        assert "toy" in [model.name for model in list_models()]
    assert "broken" in caplog.text
    with pytest.raises(InvalidSettingError, match=words):
        create_tracker("broken", "random")
    assert create_tracker("lite", "random", device="cpu").runtime in ("torch", "onnx")
