# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import importlib
import signal
import subprocess
import sys

import pytest

pytest.importorskip("rclpy")


@pytest.mark.parametrize(
    "module, status", [("tracker_node", 1), ("video_publisher", 2), ("demo_target", 1), ("mavlink_camera", 1)]
)
@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--params-file", "nowhere/mine.yaml"], ["nowhere/mine.yaml", "Error opening YAML file"]),
        (["--params-file", "damaged.yaml"], ["damaged.yaml", "line 1"]),
        (["-r", "image"], ["remap rule: '-r image'"]),
    ],
)
def test_arguments_that_ros_cannot_use_are_a_sentence(tmp_path, monkeypatch, capfd, module, status, arguments, words):
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # the handlers are a program's, not a test's
    monkeypatch.chdir(tmp_path)
    (tmp_path / "damaged.yaml").write_text("a: [\n")
    main = importlib.import_module(f"siam_tracker_ros.node.{module}").main
    assert main(["--ros-args", *arguments]) == status
    said = capfd.readouterr().err
    assert "ROS cannot start with these arguments: " in said
    assert all(word in said for word in words), said


STUCK = """
import threading

def main():
    threading.Thread(target=threading.Event().wait, name="stuck").start()
    return 3
"""


def test_a_thread_in_a_call_that_does_not_return_does_not_keep_the_process(tmp_path):
    (tmp_path / "stuck_node.py").write_text(STUCK)
    code = "from siam_tracker_ros.node import program; program.END_S = 0.2; program.run('stuck_node')"
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 3
    assert "ended without waiting for its threads any longer: " in ended.stderr and "stuck" in ended.stderr
