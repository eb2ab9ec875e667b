# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A node that names the rover of the rendered scene to the tracker, each time that the clip begins."""

import functools
from typing import Any

import numpy as np
from rclpy.node import Node
from rclpy.task import Future
from std_msgs.msg import Header

from siam_tracker_ros.demo.scene import Scene
from siam_tracker_ros.msg import TrackerStatus
from siam_tracker_ros.node.messages import init_request
from siam_tracker_ros.node.spinning import spin
from siam_tracker_ros.node.video_publisher import HEADERS_QOS
from siam_tracker_ros.srv import InitTracker


class DemoTarget(Node):
    """Listens to the headers of `video_publisher` and calls `tracker/init` with the rover's box in one of its frames.

    A refused request is repeated with the next frame. Frames with the rover hidden or out of view are passed over. The
    publisher's size, length and seed have to be its defaults.
    """

    def __init__(self, **node_arguments: Any) -> None:
        """Create the node; `node_arguments` are further arguments of rclpy.node.Node."""
        super().__init__("demo_target", **node_arguments)
        self._scene = Scene()
        self._published = 0
        self._due = True
        self._tracker_sees = False
        self._answer: Future | None = None
        self._init = self.create_client(InitTracker, "tracker/init")
        self.create_subscription(Header, "video_publisher/header", self._on_header, HEADERS_QOS)
        self.create_subscription(TrackerStatus, "tracker/status", self._on_status, 10)

    def _on_header(self, header: Header) -> None:
        index = self._published % len(self._scene)  # header n is that of frame n, for late subscribers too
        self._published += 1
        self._due = self._due or index == 0
        if self._due and self._answer is None and self._tracker_sees and self._init.service_is_ready():
            frame = self._scene[index]
            if frame.visible:
                self._due = False
                self._answer = self._init.call_async(init_request(header, frame.box_xywh, "rover"))
                self._answer.add_done_callback(functools.partial(self._on_answer, frame.box_xywh))

    def _on_status(self, msg: TrackerStatus) -> None:
        self._tracker_sees = self._tracker_sees or not msg.is_heartbeat  # before the first image, a request is refused

    def _on_answer(self, box_xywh: np.ndarray, answer: Future) -> None:
        response = answer.result()
        self._answer = None
        self._due = self._due or not response.success
        left, top, width, height = box_xywh.round().astype(int)
        self.get_logger().info(
            f"the red rover is at {left},{top},{width},{height} (left, top, width, height): {response.message}"
        )


def main(args: list[str] | None = None) -> int:
    """Run the node until Ctrl-C or SIGTERM; return the exit status."""
    return spin("demo_target", DemoTarget, args)
