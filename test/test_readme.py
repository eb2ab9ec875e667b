# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the README says is what the code does."""

import dataclasses
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from siam_tracker_ros import cli, list_models
from siam_tracker_ros.core.registry import find_model
from siam_tracker_ros.frames import VideoSink

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()


def table(heading):
    """Rows of the first table under a heading, without its header, each a list of cells."""
    section = re.split(r"^#+ ", README.split(f"# {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows[2:]]


def shown(value):
    if isinstance(value, bool):
        return f"`{value}`".lower()
    if isinstance(value, str):
        return f"`{value}`" if value else '`""`'
    return f"`{value}`"


def expected_row(field):
    rule = field.metadata["rule"]
    values = ""
    if rule.choices:
        values = ", ".join(f"`{choice}`" for choice in rule.choices)
    elif rule.low is not None:
        values = f"{rule.low:g} to {rule.high:g}"
    change = "any time" if rule.live else "at start" if rule.read_only else "unconfigured"
    return [f"`{field.name}`", shown(field.default), values, change, rule.description.rstrip(".")]


def test_parameter_table_is_that_of_the_node():
    pytest.importorskip("rcl_interfaces", reason="ROS 2 is not here")
    from siam_tracker_ros.node.parameters import NodeParameters

    expected = [expected_row(field) for field in dataclasses.fields(NodeParameters)]
    assert table("Parameters") == expected, "\n".join("| " + " | ".join(row) + " |" for row in expected)


@pytest.mark.parametrize(
    "heading, pattern", [("Topics", "create_output|create_publisher"), ("Services", "create_service")]
)
def test_private_names_are_those_of_the_node(heading, pattern):
    node = (ROOT / "siam_tracker_ros" / "node" / "tracker_node.py").read_text()
    created = set(re.findall(rf'(?:{pattern})\([^")]*"([~/][^"]*)"', node))
    documented = {name for row in table(heading) for name in re.findall(r"`([~/][^`]*)`", "|".join(row))}
    assert documented == created and created


def test_commands_are_those_of_the_command_line(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    usage = capsys.readouterr().out
    listed = re.findall(r"^    (\w+) ", usage.split("COMMAND\n", 1)[1], flags=re.MULTILINE)
    documented = [row[0].strip("`").split()[1] for row in table("Without ROS")]
    assert sorted(documented) == sorted(listed)


def test_models_are_those_of_the_registry():
    documented = [(row[0].strip("`"), row[2], "come with the package" in row[3]) for row in table("Models")]
    expected = [
        (model.name, "yes" if model.has_masks else "no", model.shipped_weights is not None) for model in list_models()
    ]
    assert documented == expected


def test_presets_and_settings_that_are_shown_exist():
    shown_calls = re.findall(r"--model (\w+) .*--preset (\w+) --set (\w+)=", README)
    in_python = re.findall(r'create_tracker\("(\w+)", weights=".*", preset="(\w+)"\)', README)
    assert shown_calls and in_python
    for name, preset, *settings in (*shown_calls, *in_python):
        model = find_model(name)
        assert preset in model.presets and set(settings) <= model.tracker_class.settings_class.RANGES.keys()


@pytest.mark.parametrize("line", re.findall(r"^siam-tracker .*$", README, flags=re.MULTILINE))
def test_command_lines_can_be_parsed(line):
    cli.make_parser().parse_args(shlex.split(line)[1:])


def test_the_python_example_runs(tmp_path, monkeypatch, capsys):
    (example,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    with VideoSink(tmp_path / "clip.mp4", fps=10) as sink:
        for shift in range(3):
            image = np.zeros((480, 854, 3), np.uint8)
            image[88:282, 313 + shift : 655 + shift] = 200
            sink.write(image)
    monkeypatch.chdir(tmp_path)
    exec(example, {})
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_linked_files_exist():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
