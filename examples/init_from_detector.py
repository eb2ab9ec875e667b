# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Start the tracker on the boxes of a detector, however late they come.

python3 examples/init_from_detector.py --ros-args -r detections:=/detector/detections -p class_id:=person

Without a program like this one, the tracker takes detections on its topic `~/init_detections`; see docs/ros.md. Write
one to decide yourself when a target is asked for, and which detection it is.

A detector needs a while for an image, and the target moves meanwhile. Its box is right only in the image that it was
computed on. So the request carries the header of that image. The tracker has kept the images of the last
seconds (its parameter `frame_buffer_s`): it starts on the one with this stamp and catches up to now.

A target is asked for while the tracker has none, or has lost it.
"""

import math
import time
from collections.abc import Iterable
from typing import Any

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.task import Future
from siam_tracker_ros.msg import TrackerStatus
from siam_tracker_ros.srv import InitTracker
from vision_msgs.msg import BoundingBox2D, Detection2D, Detection2DArray, ObjectHypothesis


class DetectorStarter(Node):
    """Subscribes to `detections` (vision_msgs/Detection2DArray) and `tracker/status`, calls `tracker/init`.

    Attributes:
        state: the tracker's state as in TrackerStatus, None before the first status.
    """

    def __init__(self, **node_arguments: Any) -> None:
        """Create the node; `node_arguments` are further arguments of rclpy.node.Node."""
        super().__init__("detector_starter", **node_arguments)
        self.declare_parameter("class_id", "")  # empty: any class
        self.declare_parameter("min_score", 0.5)
        self.declare_parameter("pause_s", 1.0)  # from one request to the next, at least
        self.state: int | None = None
        self._asked_at = -math.inf  # monotonic seconds
        self._client = self.create_client(InitTracker, "tracker/init")
        self.create_subscription(TrackerStatus, "tracker/status", self._on_status, 1)
        self.create_subscription(Detection2DArray, "detections", self._on_detections, 1)

    def _on_status(self, msg: TrackerStatus) -> None:
        self.state = msg.state

    def _on_detections(self, msg: Detection2DArray) -> None:
        if self.state not in (TrackerStatus.IDLE, TrackerStatus.LOST):
            return
        # The pause lets the tracker's answer reach its status before anything is asked again.
        pause_s = self.get_parameter("pause_s").value
        if time.monotonic() - self._asked_at < pause_s or not self._client.service_is_ready():
            return
        best = self._best(msg.detections)
        if best is None:
            self._say_what_came(msg.detections)
            return
        hypothesis, bbox = best
        request = InitTracker.Request(header=msg.header, bbox=bbox, class_id=hypothesis.class_id)
        self._asked_at = time.monotonic()
        self._client.call_async(request).add_done_callback(self._on_response)

    def _best(self, detections: Iterable[Detection2D]) -> tuple[ObjectHypothesis, BoundingBox2D] | None:
        """Return the ObjectHypothesis with the highest score and its BoundingBox2D, or None if none is good enough."""
        class_id, min_score = self.get_parameter("class_id").value, self.get_parameter("min_score").value
        candidates = [
            (result.hypothesis, detection.bbox)
            for detection in detections
            for result in detection.results
            if result.hypothesis.score >= min_score and class_id in ("", result.hypothesis.class_id)
        ]
        return max(candidates, key=lambda candidate: candidate[0].score, default=None)

    def _say_what_came(self, detections: Iterable[Detection2D]) -> None:
        """Log the detections that were not good enough; a score like 5e-324 was sent from Python without float(...)."""
        hypotheses = [result.hypothesis for detection in detections for result in detection.results]
        if hypotheses:
            came = ", ".join(f"'{hypothesis.class_id}' {hypothesis.score:.3g}" for hypothesis in hypotheses)
            self.get_logger().info(f"no detection is good enough to start on: {came}", throttle_duration_sec=5.0)

    def _on_response(self, future: Future) -> None:
        response = future.result()
        if response.success:
            stamp = response.stamp
            self.get_logger().info(f"{response.message}; it started in the image of {stamp.sec}.{stamp.nanosec:09d}")
        else:
            self.get_logger().warning(f"the tracker refused: {response.message}")


def main(args: list[str] | None = None) -> None:
    """Run the node until Ctrl-C."""
    rclpy.init(args=args)
    node = DetectorStarter()
    try:
        rclpy.spin(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
