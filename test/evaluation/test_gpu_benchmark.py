# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`benchmarks/gpu.py`, tried on the CPU with quick networks."""

import json

import pytest
import torch
from quick_networks import quick_tracker

from benchmarks import gpu

TINY = "--device cpu --frames 1 --seconds 0.1 --warm-up 0 --agreement 1 --targets 1 2".split()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Quick networks, always of the same weights, one without a step for a GPU, and small frames."""

    def create_tracker(model, weights, **arguments):
        if model == "ocean":
            raise RuntimeError("out of memory")
        torch.manual_seed(0)
        tracker = quick_tracker(model)
        if model == "siamrcr":
            monkeypatch.setattr(type(tracker), "_step_function", lambda tracker: None)
        return tracker

    monkeypatch.setattr(gpu, "create_tracker", create_tracker)
    monkeypatch.setattr(gpu, "SIZE_WH", (160, 120))
    monkeypatch.setattr(gpu, "UPLOAD_SIZES_WH", ((160, 120), (320, 240)))


def test_what_is_measured_is_written(tmp_path, capsys):
    path = tmp_path / "gpu.json"
    assert gpu.main([*TINY, "--models", "siamrpn_r50", "siamrcr", "--json", str(path)]) == 0
    report = json.loads(path.read_text())
    assert [row["frame"] for row in report["upload"]] == ["160x120", "320x240"]
    rows = {row["model"]: row for row in report["speed"]}
    assert rows["siamrpn_r50"]["runtime"] == "torch" and rows["siamrcr"]["runtime"] == "torch, usual step"
    for row in rows.values():
        assert 0 < row["p50 ms"] <= row["p95 ms"] <= row["p99 ms"] and row["frames/s"] > 0 and row["upload share"] > 0
        assert row["box px, median"] <= row["box px, max"] < 0.5 and row["score, max"] < 0.01
    assert [(row["model"], row["targets"]) for row in report["targets"]] == [
        (model, count) for model in rows for count in (1, 2)
    ]
    assert report["left_out"] == report["errors"] == []
    assert "to try this script" in capsys.readouterr().out


def test_a_model_that_fails_is_reported_and_the_others_are_measured(tmp_path, capsys):
    path = tmp_path / "gpu.json"
    assert gpu.main([*TINY, "--models", "ocean", "siamrpn_r50", "--json", str(path)]) == 1
    report = json.loads(path.read_text())
    assert report["errors"] == [{"model": "ocean", "error": "RuntimeError: out of memory"}]
    assert [row["model"] for row in report["speed"]] == ["siamrpn_r50"]
    assert "ocean failed: RuntimeError: out of memory" in capsys.readouterr().err


def test_what_the_time_did_not_suffice_for_is_named(capsys):
    assert gpu.main([*TINY, "--models", "siamrpn_r50", "ocean", "--limit", "0"]) == 0
    assert "left out after 0 s: siamrpn_r50, ocean" in capsys.readouterr().out
