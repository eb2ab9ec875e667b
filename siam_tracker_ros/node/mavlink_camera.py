# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A node between `tracker` and MAVLink ground stations: a camera that follows what is marked in their video."""

import collections
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymavlink.dialects.v20 import common as mavlink
from rclpy.client import Client
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.task import Future
from std_srvs.srv import Trigger
from vision_msgs.msg import BoundingBox2D, Detection2DArray

from siam_tracker_ros.core.monitor import TargetState
from siam_tracker_ros.geometry import cxcywh_to_xyxy, cxcywht_to_cxcywh, pixels_to_normalized
from siam_tracker_ros.mavlink.camera import MavlinkCamera, OnAnswer, TargetReport
from siam_tracker_ros.mavlink.links import Links
from siam_tracker_ros.mavlink.settings import MavlinkSettings
from siam_tracker_ros.msg import TrackerStatus
from siam_tracker_ros.node.messages import format_error, ns_to_stamp, stamp_to_ns
from siam_tracker_ros.node.parameters import declare_parameters, read_parameters
from siam_tracker_ros.node.rclpy_private import explain_refused_parameters
from siam_tracker_ros.node.spinning import spin
from siam_tracker_ros.result_messages import NANOSECONDS
from siam_tracker_ros.srv import InitTracker

TARGET_ID = "operator"
"""Name of the targets that ground stations mark: with `max_targets` above 1, one takes the place of the one before."""

_TICK_S = 0.1
_MAX_MESSAGES = 1000  # that wait; more are lost, as on a radio
_BATCH = 100  # messages after which the other callbacks have their turn
_MAX_FRAMES = 30  # whose status or detections wait for the other half
_STATES = frozenset(TargetState)
_OWN_TARGET_S = 1.0  # for which other targets are passed over, once that of the ground station was seen


class MavlinkCameraNode(Node):
    """Takes a ground station's commands to the tracker's services, and the tracker's status back to it."""

    def __init__(self, **node_arguments: Any) -> None:
        """Create the node and open its links; `node_arguments` are further arguments of rclpy.node.Node.

        Raises:
            InvalidSettingError: a parameter cannot be used.
        """
        self._links: Links | None = None  # set first: rclpy may call destroy_node of a node that cannot be made
        super().__init__("mavlink_camera", **node_arguments)
        explain_refused_parameters(self)
        declare_parameters(self, MavlinkSettings)
        settings = read_parameters(self, MavlinkSettings)
        settings.check()
        self._messages: collections.deque[tuple[int, mavlink.MAVLink_message]] = collections.deque(maxlen=_MAX_MESSAGES)
        self._arrival = self.create_guard_condition(self._on_messages)
        links = Links(settings.connections, settings.system_id, settings.component_id, self._on_message, self._say)
        self._tracker = _Tracker(self, settings.video_latency_s)
        self._camera = MavlinkCamera(settings, self._tracker, links.send, self._warn, time.monotonic)
        self._frames = _Frames(self._camera, self._tracker)
        # Not the node's clock, which with use_sim_time stands still until a simulator runs.
        self.create_timer(_TICK_S, self._camera.tick, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self.create_subscription(TrackerStatus, "tracker/status", self._frames.add_status, 10)
        self.create_subscription(Detection2DArray, "tracker/detections", self._frames.add_detections, 10)
        self._links = links
        links.start()

    def destroy_node(self) -> None:
        """Close the links, then end the node."""
        if self._links is not None:
            self._links.close()
        super().destroy_node()

    def _on_message(self, link: int, message: mavlink.MAVLink_message) -> None:
        """Hand a message over from the link's thread to that of the executor."""
        self._messages.append((link, message))
        self._arrival.trigger()

    def _on_messages(self) -> None:
        for _ in range(min(len(self._messages), _BATCH)):
            self._camera.receive(*self._messages.popleft())
        if self._messages:
            self._arrival.trigger()

    def _say(self, sentence: str) -> None:
        self.get_logger().info(sentence)

    def _warn(self, sentence: str) -> None:
        """Log a refusal; of many in a second the first, as anyone on the network may send commands."""
        self.get_logger().warning(sentence, throttle_duration_sec=1.0)


class _Tracker:
    """The services of the tracker node; a TrackerControl.

    Attributes:
        newest_ns: stamp of the newest image that the tracker has reported, 0 before.
    """

    def __init__(self, node: Node, video_latency_s: float) -> None:
        self.newest_ns = 0
        self._latency_ns = round(video_latency_s * NANOSECONDS)
        # resolved for what is said of them
        self._init = node.create_client(InitTracker, node.resolve_service_name("tracker/init"))
        self._init_point = node.create_client(InitTracker, node.resolve_service_name("tracker/init_point"))
        self._reset = node.create_client(Trigger, node.resolve_service_name("tracker/reset"))

    def start(self, box_cxcywh: NDArray[np.float64], on_answer: OnAnswer) -> None:
        """Call ~/init with a box in fractions of the image, ~/init_point with one without size."""
        request = InitTracker.Request(target_id=TARGET_ID, normalized=True)
        if self._latency_ns:
            request.header.stamp = ns_to_stamp(max(0, self.newest_ns - self._latency_ns))
        x, y, width, height = box_cxcywh.tolist()
        request.bbox.center.position.x, request.bbox.center.position.y = x, y
        request.bbox.size_x, request.bbox.size_y = width, height
        _call(self._init if width and height else self._init_point, request, on_answer)

    def stop(self, on_answer: OnAnswer) -> None:
        """Call ~/reset."""
        _call(self._reset, Trigger.Request(), on_answer)


def _call(client: Client, request: Any, on_answer: OnAnswer) -> None:
    def on_response(future: Future) -> None:
        error = future.exception()
        if error is not None:
            on_answer(False, format_error(error))
        else:
            on_answer(future.result().success, future.result().message)

    if client.service_is_ready():
        client.call_async(request).add_done_callback(on_response)
    else:
        on_answer(False, f"the service {client.srv_name} is not there; start the tracker node, or remap the service")


class _Frames:
    """Joins the status and the detections of each image, which come in any order, and reports them to the camera."""

    def __init__(self, camera: MavlinkCamera, tracker: _Tracker) -> None:
        self._camera = camera
        self._tracker = tracker
        # by stamp in nanoseconds: of each target's name the status that waits for its detections; the detections
        self._statuses: dict[int, dict[str, TrackerStatus]] = {}
        self._detections: dict[int, Detection2DArray] = {}
        self._reported: tuple[int, str] | None = None
        self._own_seen = -_OWN_TARGET_S

    def add_status(self, msg: TrackerStatus) -> None:
        """Take the status of one target in one image."""
        stamp_ns = stamp_to_ns(msg.header.stamp)
        detections = self._detections.get(stamp_ns)
        if detections is None:
            self._statuses.setdefault(stamp_ns, {})[msg.target_id] = msg
            _forget_oldest(self._statuses)
        else:
            self._report(stamp_ns, msg, detections)

    def add_detections(self, msg: Detection2DArray) -> None:
        """Take the detections in one image."""
        stamp_ns = stamp_to_ns(msg.header.stamp)
        self._detections.pop(stamp_ns, None)
        self._detections[stamp_ns] = msg
        _forget_oldest(self._detections)
        for status in self._statuses.pop(stamp_ns, {}).values():
            self._report(stamp_ns, status, msg)

    def _report(self, stamp_ns: int, status: TrackerStatus, detections: Detection2DArray) -> None:
        now = time.monotonic()
        if status.state not in _STATES:
            return  # not from a tracker of this package
        if status.target_id == TARGET_ID:
            self._own_seen = now
        elif status.state != TargetState.IDLE and now - self._own_seen < _OWN_TARGET_S:
            return  # another one of several targets
        if (stamp_ns, status.target_id) == self._reported:
            return  # no news: a status that came again
        self._reported = stamp_ns, status.target_id
        self._tracker.newest_ns = stamp_ns
        size_wh = status.image_width, status.image_height
        boxes_xyxy = [
            _box_xyxy(detection.bbox, size_wh)
            for detection in detections.detections
            if detection.id == status.target_id and all(size_wh)
        ]
        self._camera.report(TargetReport(TargetState(status.state), size_wh, boxes_xyxy[0] if boxes_xyxy else None))


def _box_xyxy(bbox: BoundingBox2D, size_wh: tuple[int, int]) -> NDArray[np.float64]:
    """Return the upright box that holds a bbox, in fractions of the image, float64 (4,)."""
    clockwise = -bbox.center.theta  # vision_msgs counts the other way
    box_cxcywht = [bbox.center.position.x, bbox.center.position.y, bbox.size_x, bbox.size_y, clockwise]
    return pixels_to_normalized(cxcywh_to_xyxy(cxcywht_to_cxcywh(box_cxcywht)), size_wh)


def _forget_oldest(by_stamp: dict[int, Any]) -> None:
    if len(by_stamp) > _MAX_FRAMES:
        del by_stamp[next(iter(by_stamp))]


def main(args: list[str] | None = None) -> int:
    """Run the node until Ctrl-C or SIGTERM; return the exit status."""
    return spin("mavlink_camera", MavlinkCameraNode, args)
