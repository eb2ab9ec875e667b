# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What no file and no message may make the program do: run code, or open a path that it names."""

import ast
from pathlib import Path

import pytest
import yaml

from siam_tracker_ros import strict_yaml

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("siam_tracker_ros", "benchmarks", "examples", "launch", "scripts", "tools")
RUN_CODE = {"cloudpickle", "dill", "joblib", "jsonpickle", "marshal", "shelve"}
PICKLE_NAMES = {"PickleError", "UnpicklingError"}  # which a reader may have to catch
CALLS_THAT_RUN_CODE = {"eval", "exec", "compile", "__import__"}
SHELLS = {("os", "system"), ("os", "popen"), ("yaml", "unsafe_load"), ("yaml", "full_load")}
SAFE_LOADS = {"torch": ("weights_only", True), "np": ("allow_pickle", False), "numpy": ("allow_pickle", False)}
FILES = {"glob", "io", "os", "pathlib", "shutil", "subprocess", "tempfile"}
# Modules of the node and of the page that have to do with files, of names that are not from a message.
FILE_MODULES = {
    "node/demo_client.py": "what the demo records, in a folder of its command line",
    "node/demo_graph.py": "the programs that it starts",
    "node/fast_dds.py": "a file beside it",
    "node/program.py": "the end of the process",
    "page/server.py": "a file beside it",
}


def calls(path):
    """Yield each call of a file as (name of what it is called on or "", name, its ast.Call)."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield "", node.func.id, node
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield getattr(node.func.value, "id", "…"), node.func.attr, node


def imported(path):
    """Yield the first part of each module that a file imports, with the names that it takes of it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.split(".")[0], {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            yield from ((alias.name.split(".")[0], set()) for alias in node.names)


def keyword(call, name):
    """The constant that a call gives for a keyword, or None."""
    values = [given.value for given in call.keywords if given.arg == name]
    return values[0].value if values and isinstance(values[0], ast.Constant) else None


def programs(folder):
    """Yield the files of a folder that are in Python."""
    for path in sorted((ROOT / folder).rglob("*")):
        if path.is_file() and (path.suffix == ".py" or b"python" in path.read_bytes()[:40]):
            yield path


@pytest.mark.parametrize("folder", FOLDERS)
def test_nothing_that_is_read_is_run(folder):
    paths = list(programs(folder))
    assert paths
    for path in paths:
        assert not {module for module, _ in imported(path)} & RUN_CODE, path
        attributes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)]
        of_pickle = {node.attr for node in attributes if getattr(node.value, "id", "") == "pickle"}
        of_pickle |= {name for module, names in imported(path) if module == "pickle" for name in names}
        assert of_pickle <= PICKLE_NAMES, path
        for owner, name, call in calls(path):
            assert not runs_code(owner, name, call), f"{path}, line {call.lineno}: {owner}.{name}"


def runs_code(owner, name, call):
    """Whether a call may run code that it is given or reads."""
    if name == "load" and owner in SAFE_LOADS:
        option, value = SAFE_LOADS[owner]
        return keyword(call, option) is not value
    if (owner, name) == ("yaml", "load"):
        return [given.value.id for given in call.keywords if given.arg == "Loader"] != ["_Loader"]
    return (not owner and name in CALLS_THAT_RUN_CODE) or (owner, name) in SHELLS or keyword(call, "shell") is True


def test_the_loader_of_settings_makes_plain_values_alone():
    assert issubclass(strict_yaml._Loader, yaml.SafeLoader)


def test_a_message_names_no_file():
    package = ROOT / "siam_tracker_ros"
    of_files = set()
    for path in [*package.glob("node/*.py"), *package.glob("page/*.py"), *package.glob("*_messages.py")]:
        opens = any((owner, name) == ("", "open") for owner, name, _ in calls(path))
        if opens or FILES & {module for module, _ in imported(path)}:
            of_files.add(path.relative_to(package).as_posix())
    assert of_files == FILE_MODULES.keys()
