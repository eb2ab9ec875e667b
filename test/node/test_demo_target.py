# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import itertools

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from rclpy.node import Node
from ros_testing import Operator, graph_fixture  # noqa: F401
from siam_tracker_ros.msg import TrackerStatus
from siam_tracker_ros.srv import InitTracker
from std_msgs.msg import Header

from siam_tracker_ros.demo.scene import Scene
from siam_tracker_ros.geometry import cxcywh_to_xywh
from siam_tracker_ros.node.demo_client import HEADERS_QOS
from siam_tracker_ros.node.demo_target import DemoTarget

pytestmark = pytest.mark.slow


class Tracker(Node):
    """A tracker that refuses its first request, and a publisher of headers, each with its number for a stamp."""

    def __init__(self, graph):
        super().__init__("other_side", context=graph.context)
        self.requests = []
        self._numbers = itertools.count()
        self._headers = self.create_publisher(Header, "video_publisher/header", HEADERS_QOS)
        self._status = self.create_publisher(TrackerStatus, "follower/status", 10)
        self.create_service(InitTracker, "follower/init", self._on_init)
        graph.add(self)

    def show(self, frames):
        """Publish the headers of the next frames."""
        for number in itertools.islice(self._numbers, frames):
            self._headers.publish(Header(stamp=Time(sec=number)))

    def answer_an_image(self):
        self._status.publish(TrackerStatus())

    def _on_init(self, request, response):
        self.requests.append(request)
        response.success = len(self.requests) > 1
        return response


def demo_target(graph):
    arguments = ["--ros-args", "-r", "tracker/init:=follower/init", "-r", "tracker/status:=follower/status"]
    return graph.add(DemoTarget(context=graph.context, cli_args=arguments, use_global_arguments=False))


def meet(operator, tracker, node):
    """Wait until the node knows that the tracker is there and has an image."""
    operator.wait(lambda: node.count_publishers("follower/status"), "the status topic")
    operator.wait(lambda: tracker.answer_an_image() or node._tracker_sees, "a status")
    operator.wait(node._init.service_is_ready, "the service")


def test_the_rover_is_named_in_a_frame_that_the_tracker_has_until_it_is_held_and_again_in_each_round(graph):
    operator, tracker, scene = Operator(graph), Tracker(graph), Scene()
    tracker.show(3)  # before anybody listens
    node = demo_target(graph)
    operator.wait(lambda: node._published == 3, "the headers of earlier frames")
    assert not tracker.requests

    meet(operator, tracker, node)
    for number in (1, 2):
        tracker.show(1)
        operator.wait(lambda expected=number: len(tracker.requests) == expected, "a request")
        operator.wait(lambda: node._answer is None, "its answer")
    tracker.show(len(scene) - 5)
    operator.wait(lambda: node._published == len(scene), "the end of the round")
    assert len(tracker.requests) == 2, "the target is held"
    tracker.show(1)
    operator.wait(lambda: len(tracker.requests) == 3, "the request in the first frame of the next round")

    assert [request.header.stamp.sec for request in tracker.requests] == [3, 4, len(scene)]
    for request, index in zip(tracker.requests, (3, 4, 0)):
        center = request.bbox.center.position
        box_xywh = cxcywh_to_xywh(np.array([center.x, center.y, request.bbox.size_x, request.bbox.size_y]))
        assert box_xywh.tolist() == pytest.approx(scene[index].box_xywh.tolist())


def test_a_rover_out_of_view_is_named_when_it_is_back(graph):
    operator, tracker, scene = Operator(graph), Tracker(graph), Scene()
    first, node = 240, demo_target(graph)
    assert scene[first].visibility == 0
    tracker.show(first)
    operator.wait(lambda: node._published == first, "the headers of earlier frames")
    meet(operator, tracker, node)
    tracker.show(10)
    operator.wait(lambda: node._published == first + 10, "the headers of frames without the rover")
    assert not tracker.requests
    tracker.show(50)
    operator.wait(lambda: tracker.requests, "a request")
    back = next(index for index in range(first, len(scene)) if scene[index].visible)
    assert tracker.requests[0].header.stamp.sec == back
