# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which part of the package may import which: the allowed arrows, and that there are no others."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "siam_tracker_ros"
ROOT_MODULES = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__"}

# What each folder may import, besides itself and the modules at the root of the package.
FOLDERS = {
    "executors": set(),
    "core": {"executors", "layers", "methods", "weights"},
    "layers": set(),
    "control": {"core"},
    "weights": {"core"},
    "bags": {"core"},
    "methods": {"core", "executors", "layers", "weights", "data", "training"},
    "data": {"core"},
    "training": {"core", "data", "evaluation", "executors", "weights"},
    "evaluation": {"core", "data"},
    "demo": {"core", "data"},
    "toolkits": {"core"},
    "mavlink": {"core"},
    "page": {"core"},
    "cli": {"bags", "core", "data", "demo", "evaluation", "executors", "page", "toolkits", "training", "weights"},
    "node": {"control", "core", "data", "demo", "executors", "mavlink", "msg", "page", "srv"},
}
# The methods whose modules each method may import.
METHODS = {
    "siamrpn": set(),
    "siammask": {"siamrpn"},
    "ocean": set(),
    "ocean_online": {"ocean"},
    "siamrcr": {"ocean"},
    "gradnet": set(),
    "lite": set(),
}
ROS = {"rclpy", "rcl_interfaces", "sensor_msgs", "std_msgs", "std_srvs", "vision_msgs", "diagnostic_msgs"}
ROS |= {"lifecycle_msgs", "geometry_msgs", "builtin_interfaces", "ament_index_python", "launch", "tf2_msgs"}


def imports(path):
    """Yield the module of each import of a file, those inside of functions and for type checkers too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            yield from (
                [node.module] if node.module != "siam_tracker_ros" else [f"{node.module}.{a.name}" for a in node.names]
            )
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def own_imports(folder, depth):
    """Yield file and the parts, below the package, of each module of ours that files of a folder import."""
    for path in sorted((PACKAGE / folder).rglob("*.py")):
        for module in imports(path):
            parts = module.split(".")
            if parts[0] == PACKAGE.name and len(parts) > depth:
                yield path.relative_to(PACKAGE), parts[1:]


def test_every_folder_and_every_method_has_its_rule():
    assert FOLDERS.keys() == {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert METHODS.keys() == {path.parent.name for path in PACKAGE.glob("methods/*/__init__.py")}


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_imports_what_it_may(folder):
    public = {"create_tracker", "list_models"}  # of the root, which is core
    for path, parts in own_imports(folder, depth=1):
        if parts[0] in ROOT_MODULES or parts[0] in public:
            continue
        assert parts[0] in FOLDERS[folder] | {folder}, f"{path} imports {'.'.join(parts)}"


@pytest.mark.parametrize("method", METHODS)
def test_methods_import_each_other_in_one_direction(method):
    for path, parts in own_imports(f"methods/{method}", depth=2):
        if parts[0] == "methods":
            assert parts[1] in METHODS[method] | {method}, f"{path} imports {'.'.join(parts)}"


def test_only_the_registry_knows_the_methods():
    for path, parts in own_imports("core", depth=1):
        assert parts[0] != "methods" or path.name == "registry.py", path


def test_ros_is_imported_in_the_folder_of_the_nodes_alone():
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.relative_to(PACKAGE).parts[0] != "node":
            packages = {module.split(".")[0] for module in imports(path)}
            assert not packages & ROS, path
            # cv_bridge starts no ROS: it converts pixels where it is installed
            assert "cv_bridge" not in packages or path.name == "image_conversion.py", path
