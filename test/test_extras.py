# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import sys

import pytest

from siam_tracker_ros import cli
from siam_tracker_ros.errors import InvalidSettingError
from siam_tracker_ros.extras import explain_missing, require


def test_what_is_not_installed_is_named_with_what_brings_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(InvalidSettingError, match=r'training needs tensorboard, .* pip install "\.\[train\]"'):
        require("training", "json", "tensorboard")


def test_what_is_installed_is_let_pass():
    require("training", "json", "torch")


@pytest.mark.parametrize(
    ("module", "also_missing", "expected"),
    [
        ("torch", [], "torch cannot be imported by PYTHON; activate the virtual environment that has it, or run: "),
        ("torch", [], "PYTHON -m pip install torch"),
        ("torch.nn", ["safetensors"], "PYTHON -m pip install torch safetensors"),
        ("cv2", ["yaml"], "cv2 and yaml cannot be imported by PYTHON; activate the virtual environment that has them"),
        ("cv2", ["yaml"], "PYTHON -m pip install opencv-python-headless pyyaml"),
        ("matplotlib", [], "PYTHON -m pip install matplotlib"),
        ("rclpy", [], "rclpy cannot be imported by PYTHON; source the setup file of ROS 2, then that of the workspace"),
        ("vision_msgs.msg", [], "vision_msgs.msg cannot be imported by PYTHON; source"),
        ("siam_tracker_ros.srv", [], "siam_tracker_ros.srv cannot be imported by PYTHON; source"),
        (None, [], "No module named 'torch'"),
    ],
)
def test_a_failed_import_is_explained(monkeypatch, module, also_missing, expected):
    for name in also_missing:
        monkeypatch.setitem(sys.modules, name, None)
    sentence = explain_missing(ModuleNotFoundError("No module named 'torch'", name=module))
    assert expected.replace("PYTHON", sys.executable) in sentence


def test_a_command_without_torch_ends_with_the_sentence(monkeypatch, capsys):
    def run(_):
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr(cli.models, "run", run)
    assert cli.main(["models"]) == 2
    assert capsys.readouterr().err.startswith("siam-tracker: error: torch cannot be imported by ")
