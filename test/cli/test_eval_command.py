# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
from cli_testing import run

from siam_tracker_ros.evaluation.sequences import read_results


def test_eval_takes_settings(created, sequences):
    assert run("eval", sequences, "--set", "lr=0.5") == 0
    assert created[0]["lr"] == 0.5


def test_eval_prints_a_table_and_writes_results(created, sequences, tmp_path, capsys):
    assert run("eval", sequences, "--results", tmp_path / "results") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["bike", "walk", "mean"]
    assert lines[-1].split()[3:6] == ["6", "1.000", "0.952"]
    for name in ("bike", "walk"):
        assert read_results(tmp_path / "results" / f"{name}.txt")[0].shape == (4, 4)
