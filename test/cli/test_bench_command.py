# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import inspect
import types

import pytest
import torch
from cli_testing import BoxThatStays, run

from siam_tracker_ros import create_tracker, list_models
from siam_tracker_ros.cli.options import DEFAULT_MODEL
from siam_tracker_ros.core import registry
from siam_tracker_ros.core.network import Network

pytestmark = pytest.mark.slow


class ToyNetwork(Network):
    def __init__(self):
        super().__init__()
        self.backbone = torch.nn.Conv2d(3, 4, 3)
        self.head = torch.nn.Conv2d(4, 1, 1)

    def forward(self, image):
        return self.head(self.backbone(image))


class ToyTracker(BoxThatStays):
    """A double with a network, for `bench`."""

    runtime = "abacus"

    def __init__(self):
        super().__init__()
        self.network = ToyNetwork()

    def track(self, image_bgr):
        self.network(torch.zeros(1, 3, 9, 9))
        return super().track(image_bgr)


@pytest.fixture
def toys(monkeypatch):
    """Put two models in place of all; the list collects what create_tracker was asked for."""
    models = [
        types.SimpleNamespace(name=name, shipped_weights=weights, untrained_settings={"confidence_low": 0.0})
        for name, weights in (("one", None), ("two", "w"))
    ]
    asked = []
    monkeypatch.setattr(registry, "list_models", lambda: models)
    monkeypatch.setattr(registry, "find_model", lambda name: next(model for model in models if model.name == name))
    monkeypatch.setattr("siam_tracker_ros.executors.device.set_threads", lambda count: None)
    monkeypatch.setattr("siam_tracker_ros.cli.bench.DEFAULT_MODEL", "one")
    monkeypatch.setattr("siam_tracker_ros.cli.bench.SIZE_WH", (160, 120))
    monkeypatch.setattr(
        registry,
        "create_tracker",
        lambda name, **given: asked.append((name, given)) or ToyTracker(),
    )
    return asked


@pytest.mark.parametrize(
    "given, names",
    [([], ["one"]), (["all"], ["one", "two"]), (["two", "all"], ["two", "one"]), (["two", "two"], ["two"])],
)
def test_bench_compares_with_the_first_model(toys, capsys, given, names):
    models = ["--models", *given] if given else []
    assert run("bench", "--frames", "3", "--baselines", "mil", *models) == 0
    out = capsys.readouterr().out
    assert out.startswith("160x120, 2 CPU threads, 3 frames after 20 to warm up, fewer where they take 20 s\n")
    rows = [line.split() for line in out.split("\n-", 1)[1].splitlines()[1:]]
    assert [row[0] for row in rows] == [*names, "mil"]
    assert rows[0][6] == "1.00" and rows[-1][7:] == ["-"] * 4
    assert [row[1] for row in rows] == ["abacus"] * len(names) + ["-"]
    for row in rows[:-1]:
        assert row[2] == "3"
        assert sum(float(share.removesuffix("%")) for share in row[7:]) == pytest.approx(100, abs=0.3)
    assert ("random weights" in out) == ("one" in names)
    expected = {"one": ("random", 0.0), "two": (None, None)}
    assert {name: (given["weights"], given.get("confidence_low")) for name, given in toys} == {
        name: expected[name] for name in names
    }


def test_the_default_is_the_first_model():
    assert DEFAULT_MODEL == list_models()[0].name == inspect.signature(create_tracker).parameters["model"].default
