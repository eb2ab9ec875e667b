# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the README and the pages say of models and commands is what the code does."""

import re
import shlex

import numpy as np
import pages
import pytest
from pages import PAGES

from siam_tracker_ros import cli, list_models
from siam_tracker_ros.core.registry import find_model
from siam_tracker_ros.frames import VideoSink
from siam_tracker_ros.settings import settings_of

EXAMPLES = [(page, example) for page in PAGES for example in pages.code_blocks(page, "python")]


def test_commands_are_those_of_the_command_line(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    usage = capsys.readouterr().out
    listed = re.findall(r"^    (\w+)\b", usage.split("COMMAND\n", 1)[1], flags=re.MULTILINE)
    documented = [row[0].strip("`").split()[1] for row in pages.table("docs/commands.md", "The `siam-tracker` command")]
    assert sorted(documented) == sorted(listed)


def test_models_are_those_of_the_registry():
    documented = [
        (row[0].strip("`"), row[2], "come with the package" in row[3])
        for row in pages.table("docs/models.md", "Models")
    ]
    expected = [
        (model.name, "yes" if model.has_masks else "no", model.shipped_weights is not None) for model in list_models()
    ]
    assert documented == expected


def test_presets_and_settings_that_are_shown_exist():
    text = "\n".join(PAGES.values())
    shown_calls = re.findall(r"--model (\w+) .*--preset (\w+) --set (\w+)=", text)
    in_python = re.findall(r'create_tracker\("(\w+)", weights=".*", preset="(\w+)"\)', text)
    in_launch = re.findall(r"model:=(\w+) [^`]*?preset:=(\w+)", text)
    assert shown_calls and in_python and in_launch
    for name, preset, *settings in (*shown_calls, *in_python, *in_launch):
        model = find_model(name)
        assert preset in model.presets and set(settings) <= settings_of(model.tracker_class.settings_class).keys()


@pytest.mark.parametrize("page, line", pages.commands("siam-tracker"))
def test_command_lines_can_be_parsed(page, line):
    cli.make_parser().parse_args(shlex.split(line))


@pytest.mark.parametrize("page, example", EXAMPLES, ids=[page for page, _ in EXAMPLES])
def test_python_examples_run(page, example, tmp_path, monkeypatch, capsys):
    with VideoSink(tmp_path / "clip.mp4", fps=10) as sink:
        for shift in range(3):
            image = np.zeros((480, 854, 3), np.uint8)
            image[88:282, 313 + shift : 655 + shift] = 200
            sink.write(image)
    monkeypatch.chdir(tmp_path)
    exec(example, {})
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_the_readme_has_a_python_example():
    assert "README.md" in [page for page, _ in EXAMPLES]
