# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import os
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from cli_testing import run

from siam_tracker_ros import cli
from siam_tracker_ros.core import registry
from siam_tracker_ros.demo.scene import Scene
from siam_tracker_ros.errors import InvalidSettingError, WeightsError


@pytest.mark.parametrize(
    "arguments, words",
    [
        ([], "required: COMMAND"),
        (["fly"], "invalid choice: 'fly'"),
        (["track"], "required: VIDEO|DIR|BAG|CAMERA"),
        (["track", "clip.mp4"], "clip.mp4 is no labelled sequence, expected --box x,y,w,h"),
        (["track", "clip.mp4", "--box", "1,2,3"], "'1,2,3' is not a box, expected x,y,w,h"),
        (["track", "clip.mp4", "--box", "1,2,3,four"], "'1,2,3,four' is not a box"),
        (["track", "clip.mp4", "--box", "1,2,3,4", "--threads", "0"], "'0' is not a whole number above 0"),
        (
            ["track", "clip.mp4", "--box", "1,2,3,4", "--colour", "red"],
            "unrecognized arguments: --colour red",
        ),
        (["track", "missing.mp4", "--box", "1,2,3,4"], "missing.mp4 does not exist"),
        (["eval", "missing"], "missing is not a folder"),
        (["train", "missing.yaml"], "missing.yaml cannot be read"),
        (["train", "missing.yaml", "--set", "steps"], "'steps' is not a setting, expected NAME=VALUE"),
        (["train", "missing.yaml", "--set", "pairs={"], "is not a YAML value"),
        (["bench", "--baselines", "yolo"], "baseline is 'yolo', expected one of csrt, kcf, mil"),
        (["bench", "--models", "siamfoo"], "model is 'siamfoo', expected one of lite"),
        (["bench", "--seconds", "0"], "'0' is not a whole number above 0"),
        (["models", "siamfoo"], "model is 'siamfoo', expected one of lite"),
        (["bench", "--frames", "-3"], "'-3' is not a whole number above 0"),
    ],
)
def test_an_error_is_one_line_on_standard_error_and_status_2(arguments, words, created, capsys):
    assert run(*arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err and err.count("\n") == 1 and err.startswith("siam-tracker")


@pytest.mark.parametrize("error", [InvalidSettingError("no such model"), WeightsError("no weights")])
def test_what_create_tracker_refuses_is_reported(error, video, capsys, monkeypatch):
    def refuse(*_, **__):
        raise error

    monkeypatch.setattr(registry, "create_tracker", refuse)
    assert run("track", video, "--box", "10,8,20,16") == 2
    assert capsys.readouterr().err == f"siam-tracker: error: {error}\n"


@pytest.mark.parametrize("arguments", [[], *([command] for command in cli.COMMANDS)])
def test_every_help_has_an_example(arguments, capsys):
    assert run(*arguments, "--help") == 0
    assert "example: siam-tracker " in capsys.readouterr().out


def in_a_process(*arguments):
    """Run Python in a process of its own, without ROS or anything else on the path."""
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)


HELPS = """
import contextlib, sys
from siam_tracker_ros.cli import COMMANDS, main

for command in ([], *([name] for name in COMMANDS)):
    with contextlib.suppress(SystemExit):
        main([*command, "--help"])
    print(command, {"cv2", "torch"} & sys.modules.keys(), file=sys.stderr)
"""


def test_help_does_not_wait_for_torch_or_opencv():
    done = in_a_process("-c", HELPS)
    assert done.returncode == 0
    assert done.stdout.count("example: siam-tracker ") == 1 + len(cli.COMMANDS)
    assert done.stderr == "".join(f"{command} set()\n" for command in ([], *([name] for name in cli.COMMANDS)))


TRACKS = """
import sys
from siam_tracker_ros.cli import main

code = main(["track", *sys.argv[1:], "--box=50,40,30,20", "--runtime=onnx"])
unneeded = {"torch", "openvino", "yaml", "siam_tracker_ros.bags.reader", "siam_tracker_ros.bags.writer"}
print(unneeded & sys.modules.keys())
sys.exit(code)
"""


def test_tracking_imports_nothing_that_it_does_not_need(tmp_path):
    pytest.importorskip("onnxruntime")
    for number, frame in enumerate(Scene(size_wh=(160, 120), frames=2)):
        cv2.imwrite(str(tmp_path / f"{number}.png"), frame.image_bgr)
    done = in_a_process("-c", TRACKS, tmp_path)
    assert done.returncode == 0, done.stderr
    *results, imported = done.stdout.splitlines()
    assert len(results) == 2 and imported == "set()"


def test_the_module_runs_as_a_command(tmp_path):
    (tmp_path / "clip.mp4").write_text("not a video")
    done = in_a_process("-m", "siam_tracker_ros", "track", tmp_path / "clip.mp4", "--box", "1,2,3,4")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1 and "cannot be read as a video" in done.stderr


def test_a_camera_that_is_not_there_is_one_sentence():
    done = in_a_process("-m", "siam_tracker_ros", "track", "97", "--box", "1,2,3,4")
    assert done.returncode == 2
    assert done.stderr.startswith("siam-tracker: error: camera 97 gives no picture") and done.stderr.count("\n") == 1
