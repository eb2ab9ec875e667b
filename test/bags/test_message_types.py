# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
import types
from pathlib import Path

import pytest

pytest.importorskip("rosbags", reason="bags need rosbags")

from rosbags.interfaces import MessageDefinition, MessageDefinitionFormat

from siam_tracker_ros.bags.message_types import DEFINITIONS, known_types, make_message, types_of
from siam_tracker_ros.errors import InvalidInputError

ROOT = Path(__file__).resolve().parents[2]
HASHES = json.loads((ROOT / "test/golden/message_hashes.json").read_text())
FOLDERS = {"siam_tracker_ros": ROOT / "msg", "vision_msgs": ROOT / "overlay" / "vision_msgs" / "msg"}
OURS = [name for name in DEFINITIONS if name.split("/")[0] in FOLDERS]


def fields(text):
    """Type and name, or constant, of every line of a definition; vision_msgs' own types without their package."""
    lines = [line.partition("#")[0].replace("vision_msgs/", "").split() for line in text.splitlines()]
    return [" ".join(line) for line in lines if line]


@pytest.mark.parametrize("name", OURS)
def test_definitions_are_those_of_the_message_files(name):
    package, _, message = name.split("/")
    assert fields(DEFINITIONS[name]) == fields((FOLDERS[package] / f"{message}.msg").read_text())


@pytest.mark.parametrize("name", [name for name in DEFINITIONS if name.startswith("vision_msgs")])
def test_types_have_the_hash_that_they_have_in_ros(name):
    assert known_types().hash_rihs01(name) == HASHES[name]


def test_a_message_has_the_default_values_of_ros():
    msg = make_message("vision_msgs/msg/ObjectHypothesisWithPose")
    pose = msg.pose.pose
    assert (pose.orientation.x, pose.orientation.w) == (0, 1)
    assert msg.pose.covariance.tolist() == [0] * 36
    assert msg.hypothesis.class_id == ""
    with pytest.raises(TypeError, match="has no field confidense"):
        make_message("vision_msgs/msg/ObjectHypothesis", confidense=1.0)


def test_a_damaged_definition_is_named():
    connection = types.SimpleNamespace(
        msgtype="sensor_msgs/msg/Image", msgdef=MessageDefinition(MessageDefinitionFormat.MSG, "%%%")
    )
    with pytest.raises(InvalidInputError, match="definition of sensor_msgs/msg/Image in the bag is damaged"):
        types_of(connection)
