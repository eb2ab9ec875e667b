# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`benchmarks/soak.py`, for some seconds: too short to judge the memory, long enough to count what is held."""

import json
import math

import pytest
from ros_testing import next_domain_id

from benchmarks import soak

pytestmark = pytest.mark.slow

SECONDS = 8
QUICK = ("-p", "runtime:=onnx", "-p", "device:=cpu")


@pytest.fixture
def events(monkeypatch):
    """All that happens, several times in these seconds, in a domain of this test."""
    monkeypatch.setenv("ROS_DOMAIN_ID", str(next_domain_id()))
    for name in ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(soak, "EVENT_S", (0.1, 0.2))
    monkeypatch.setattr(soak, "AWAY_S", (0.2, 0.5))
    monkeypatch.setattr(soak, "PAUSE_S", (0.1, 0.2))
    monkeypatch.setattr(soak, "LOOK_S", 1.0)
    monkeypatch.setattr(soak, "MAX_GAP_S", math.inf)  # a machine that has other work may hold up anything


def test_a_short_soak_leaves_the_node_as_it_was(events, tmp_path, capsys):
    path, picture = tmp_path / "soak.json", tmp_path / "soak.png"
    arguments = ["--minutes", str(SECONDS / 60), "--seed", "3", "--json", str(path), "--plot", str(picture)]
    assert soak.main([*arguments, "--", *QUICK]) == 0, capsys.readouterr().out
    assert "no fault" in capsys.readouterr().out and picture.stat().st_size > 0
    figures = json.loads(path.read_text())
    assert figures["exit_status"] is None and figures["errors"] == {}
    assert figures["events"].keys() == {"target", "loss", "format", "pause", "viewer", "subscriber"}
    assert figures["results"] > 0 and figures["states"]["TRACKING"] > 0
    before, *_, after = figures["looks"]
    assert after["threads"] <= before["threads"] + 1 and after["files"] <= before["files"] + 1
    assert len(set(figures["publishers"])) == 1
    largest_mb = 800 * 600 * 4 / 1e6
    assert all(look["kept_mb"] <= 2.2 * soak.RATE * largest_mb for look in figures["looks"][1:])


def look(at_s, own_mb, kept_mb=20.0):
    return soak.Look(at_s, own_mb + 100, own_mb, 10, 20, kept_mb)


@pytest.mark.parametrize(
    "mb_per_min, gap_s, exit_status, words",
    [
        (0.0, 0.6, None, []),
        (-5.0, 0.6, None, []),
        (1.5, 0.6, None, ["the memory grows by 1.50 MB per minute"]),
        (0.0, 1.2, None, ["nothing was published on ~/status for 1.20 s"]),
        (0.0, 0.6, -11, ["the node has ended with status -11"]),
    ],
)
def test_what_is_wrong_is_said(mb_per_min, gap_s, exit_status, words):
    steps_s = [0.1, gap_s, 0.1]
    record = soak.Record(
        looks=[look(at_s, 300 + mb_per_min * at_s / 60 + at_s % 7, 20 + at_s % 7) for at_s in range(0, 1200, 5)],
        status_ns=[round(sum(steps_s[:count]) * 1e9) for count in range(4)],
        diagnostics_ns=[0, 10**9],
        latency_ms=[(1.0, 10.0)],
        exit_status=exit_status,
    )
    assert soak.faults(soak.summary(record, 0)) == words


def test_a_short_run_says_nothing_of_the_memory():
    assert math.isnan(soak.memory_slope_mb([look(at_s, at_s) for at_s in range(0, 600, 5)]))
