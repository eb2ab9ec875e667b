# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a live node publishes, against the same tracker on a recording of the same images."""

import numpy as np
import pytest
from builtin_interfaces.msg import Duration
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import Image
from siam_tracker_ros.msg import TrackerStatus
from vision_msgs.msg import Detection2D, Detection2DArray

pytest.importorskip("rosbags", reason="bags need rosbags")

from cli_testing import run
from ros_testing import Operator, graph_fixture, parameter_overrides  # noqa: F401
from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import StoragePlugin, Writer

from siam_tracker_ros.bags.message_types import known_types
from siam_tracker_ros.core.registry import create_tracker
from siam_tracker_ros.demo.scene import Scene
from siam_tracker_ros.image_conversion import fill_image
from siam_tracker_ros.node.tracker_node import TrackerNode

pytestmark = pytest.mark.slow

FRAMES = 12
MODEL = "lite_online"


def record(path, storage, messages):
    """Write live messages, as they are on the wire, to a bag."""
    with Writer(path, version=8, storage_plugin=storage) as writer:
        connection = writer.add_connection("/image", "sensor_msgs/msg/Image", typestore=known_types())
        for number, msg in enumerate(messages):
            writer.write(connection, 10**18 + number, serialize_message(msg))


def read(path, topic, msg_type):
    with AnyReader([path]) as reader:
        return [deserialize_message(data, msg_type) for used, _, data in reader.messages() if used.topic == topic]


def without_times(statuses):
    """Return what two runs share of each status, as text: a NaN is not equal to itself."""
    for status in statuses:
        status.latency, status.inference_ms = Duration(), 0.0
    return [str(status) for status in statuses]


def test_a_recorded_run_tracked_from_its_bag_gives_what_the_live_node_published(graph, tmp_path):
    scene = Scene(size_wh=(320, 240), frames=FRAMES)
    x, y, w, h = np.round(scene[0].box_xywh)
    overrides = parameter_overrides(model=MODEL)
    graph.add(TrackerNode(create_tracker, context=graph.context, parameter_overrides=overrides))
    operator = Operator(graph)
    operator.wait_for_camera_link()
    recorded = [fill_image(Image(), frame.image_bgr, "bgr8", operator.header()) for frame in scene]
    operator.frame(msg=recorded[0])
    assert operator.init((x + w / 2, y + h / 2), (w, h), target_id="target").success
    for msg in recorded[1:]:
        operator.frame(msg=msg)

    for storage in StoragePlugin:
        bag, output = tmp_path / storage.name, tmp_path / f"{storage.name}_tracked"
        record(bag, storage, recorded)
        box = f"{x},{y},{w},{h}"
        assert run("track", bag, "--model", MODEL, "--box", box, "--device", "cpu", "--output", output) == 0
        detections = read(output, "/tracker/detections", Detection2DArray)
        assert detections[1:] == operator.received("detections")[1:]
        assert [len(msg.detections) for msg in detections] == [1] * FRAMES
        alone = read(output, "/tracker/detection", Detection2D)
        assert alone[1:] == operator.received("detection")
        assert alone[0].header == recorded[0].header, "of the box that was given, which the node does not publish"
        statuses = without_times(read(output, "/tracker/status", TrackerStatus))
        assert statuses[1:] == without_times(operator.received("status"))[1:]
