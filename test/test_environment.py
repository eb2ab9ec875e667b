# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The interfaces as other programs see them, and what the package installs."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MESSAGE_HASHES = json.loads((ROOT / "test/golden/message_hashes.json").read_text())
STATUS_FIELDS = {
    "header": "std_msgs/Header",
    "state": "uint8",
    "target_id": "string",
    "confidence": "float",
    "peak_ratio": "float",
    "age": "uint32",
    "frames_lost": "uint32",
    "frames_skipped": "uint32",
    "updated": "boolean",
    "latency": "builtin_interfaces/Duration",
    "inference_ms": "float",
    "raw_score": "float",
    "candidates": "uint16",
    "search_progress": "float",
    "redetections": "uint32",
    "is_heartbeat": "boolean",
    "image_width": "uint32",
    "image_height": "uint32",
}
TARGET_FIELDS = {
    "header": "std_msgs/Header",
    "target_id": "string",
    "state": "uint8",
    "confidence": "float",
    "age": "uint32",
    "latency": "builtin_interfaces/Duration",
    "prediction": "builtin_interfaces/Duration",
    "bbox": "vision_msgs/BoundingBox2D",
    "image_velocity": "vision_msgs/Point2D",
    "image_velocity_covariance": "double[4]",
    "is_metric": "boolean",
    "ray": "geometry_msgs/Vector3",
    "angular_width": "double",
    "angular_height": "double",
    "angular_velocity": "geometry_msgs/Vector3",
    "angular_velocity_covariance": "double[9]",
}
INIT_REQUEST_FIELDS = {
    "header": "std_msgs/Header",
    "bbox": "vision_msgs/BoundingBox2D",
    "normalized": "boolean",
    "target_id": "string",
    "class_id": "string",
}
INIT_RESPONSE_FIELDS = {
    "success": "boolean",
    "message": "string",
    "target_id": "string",
    "stamp": "builtin_interfaces/Time",
}


@pytest.fixture(scope="module")
def ros_node():
    rclpy = pytest.importorskip("rclpy", reason="needs ROS 2")
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node("interface_hashes", context=context)
    yield node
    node.destroy_node()
    rclpy.shutdown(context=context)


@pytest.mark.parametrize("type_name", MESSAGE_HASHES)
def test_messages_of_the_overlay_have_the_upstream_hash_on_the_wire(ros_node, type_name):
    package, _, name = type_name.split("/")
    message = getattr(importlib.import_module(f"{package}.msg"), name)
    publisher = ros_node.create_publisher(message, name, 1)
    try:
        (endpoint,) = ros_node.get_publishers_info_by_topic(publisher.topic_name)
        if not hasattr(endpoint, "topic_type_hash"):
            pytest.skip("this ROS 2 distribution has no type hashes")
        assert endpoint.topic_type == type_name
        assert str(endpoint.topic_type_hash) == MESSAGE_HASHES[type_name]
    finally:
        ros_node.destroy_publisher(publisher)


def test_every_message_of_the_overlay_has_an_expected_hash():
    defined = {f"{path.parts[-3]}/msg/{path.stem}" for path in (ROOT / "overlay").glob("*/msg/*.msg")}
    assert defined == MESSAGE_HASHES.keys()


def test_status_fields_and_states():
    status = pytest.importorskip("siam_tracker_ros.msg", reason="needs the built interfaces").TrackerStatus
    assert list(status.get_fields_and_field_types().items()) == list(STATUS_FIELDS.items())
    assert (status.IDLE, status.TRACKING, status.UNCERTAIN, status.LOST) == (0, 1, 2, 3)


def test_target_fields_and_states():
    messages = pytest.importorskip("siam_tracker_ros.msg", reason="needs the built interfaces")
    assert list(messages.Target.get_fields_and_field_types().items()) == list(TARGET_FIELDS.items())
    for state in ("IDLE", "TRACKING", "UNCERTAIN", "LOST"):
        assert getattr(messages.Target, state) == getattr(messages.TrackerStatus, state)


def test_init_fields():
    init = pytest.importorskip("siam_tracker_ros.srv", reason="needs the built interfaces").InitTracker
    assert list(init.Request.get_fields_and_field_types().items()) == list(INIT_REQUEST_FIELDS.items())
    assert list(init.Response.get_fields_and_field_types().items()) == list(INIT_RESPONSE_FIELDS.items())


def test_prefix_has_what_ros2_run_and_launch_look_for():
    packages = pytest.importorskip("ament_index_python.packages", reason="needs ROS 2")
    prefix = Path(packages.get_package_prefix("siam_tracker_ros"))
    for executable in ("demo_target", "mavlink_camera", "siam-tracker", "tracker_node", "video_publisher"):
        assert os.access(prefix / "lib/siam_tracker_ros" / executable, os.X_OK)
    assert os.access(prefix / "bin/siam-tracker", os.X_OK), "on the path once the workspace is sourced"
    for folder in ("config", "launch"):
        installed = prefix / "share/siam_tracker_ros" / folder
        sources = {path.name for path in (ROOT / folder).glob("*.*")}
        assert {path.name for path in installed.glob("*.*")} == sources


def test_package_is_imported_from_the_sources():
    if importlib.util.find_spec("_siam_tracker_ros_source") is None:
        pytest.skip("only in the environment of ./run")
    package = importlib.import_module("siam_tracker_ros")
    assert Path(package.__file__).resolve() == ROOT / "siam_tracker_ros/__init__.py"


def test_the_command_is_there_in_the_environment():
    command = shutil.which("siam-tracker")
    if command is None and not importlib.util.find_spec("_siam_tracker_ros_source"):
        pytest.skip("only in the environment of ./run, or where the package is installed")
    assert "lite" in subprocess.run([command, "models"], capture_output=True, text=True, check=True).stdout


def test_both_packagings_agree():
    package = ElementTree.parse(ROOT / "package.xml").getroot()
    version, license_name = package.findtext("version"), package.findtext("license")
    pyproject, setup = (ROOT / "pyproject.toml").read_text(), (ROOT / "setup.py").read_text()
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    assert 'dynamic = ["version"]' in pyproject and "package.xml" in setup, "the version stands in package.xml alone"
    assert version not in pyproject + setup + (ROOT / "CITATION.cff").read_text()
    assert f'license = "{license_name}"' in pyproject and license_name == "Apache-2.0"


@pytest.mark.parametrize("path", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda path: path.stem)
def test_every_requirement_is_pinned(path):
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    assert lines
    for line in lines:
        assert re.fullmatch(r"[a-z0-9-]+==[0-9][0-9.]*(; python_version (<|>=|==) \"3\.\d+\")?", line), line
        assert not line.startswith("torchvision")
