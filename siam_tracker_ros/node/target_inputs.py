# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The subscriptions to camera_info and depth images, for as long as somebody wants what is made of them."""

from collections.abc import Callable
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, Image

from siam_tracker_ros.control.camera import Camera, camera_from_info
from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.node.image_subscription import ImageSubscription
from siam_tracker_ros.node.messages import format_error

_LOOK_PERIOD = 0.2  # seconds between two looks at the subscribers


class TargetInputs:
    """Receives what the messages for controllers need. All methods are called in the executor's thread.

    Attributes:
        camera_topic, depth_topic: resolved names of the topics.
        depth_silence: why no depth image arrives; empty while they do, or are not wanted.
    """

    def __init__(
        self,
        node: Node,
        camera_topic: str,
        depth_topic: str,
        is_rectified: bool,
        wants_camera: Callable[[], bool],
        wants_depth: Callable[[], bool],
        on_camera: Callable[[Camera | None, str], None],
        on_depth: Callable[[Image], None],
        on_incompatible_qos: Callable[[Any], None],
    ) -> None:
        """Begin to look at what is wanted.

        Args:
            node: the node that subscribes.
            camera_topic, depth_topic: resolved names of the topics.
            is_rectified: whether the images are rectified, see `camera_from_info`.
            wants_camera, wants_depth: whether they are wanted now; asked again and again.
            on_camera: called with each other camera, or None and why the camera_info that came describes none.
            on_depth: called with every depth image.
            on_incompatible_qos: called with the event, where an override of the reliability excludes the depth camera.
        """
        self.camera_topic, self.depth_topic = camera_topic, depth_topic
        self._node = node
        self._is_rectified = is_rectified
        self._wants_camera, self._wants_depth = wants_camera, wants_depth
        self._on_camera, self._on_depth = on_camera, on_depth
        self._on_incompatible_qos = on_incompatible_qos
        self._camera_subscription: Subscription | None = None
        self._depth_subscription: ImageSubscription | None = None
        self._depth_failure = ""  # why it could not be subscribed to; it is not tried again
        self._camera_fields: tuple[Any, ...] = ()
        # Not the node's clock, which with use_sim_time stands still until a simulator runs.
        self._timer = node.create_timer(_LOOK_PERIOD, self._look, clock=Clock(clock_type=ClockType.STEADY_TIME))

    @property
    def depth_silence(self) -> str:
        return self._depth_failure or ("" if self._depth_subscription is None else self._depth_subscription.silence)

    def close(self) -> None:
        """Unsubscribe."""
        self._node.destroy_timer(self._timer)
        self._adapt(wants_camera=False, wants_depth=False)

    def _look(self) -> None:
        self._adapt(self._wants_camera(), self._wants_depth())

    def _adapt(self, wants_camera: bool, wants_depth: bool) -> None:
        """Subscribe to what is wanted, and unsubscribe from what is not."""
        if wants_camera and self._camera_subscription is None:
            # Best effort hears every publisher, and the messages are small.
            qos = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
            self._camera_subscription = self._node.create_subscription(
                CameraInfo, self.camera_topic, self._receive_camera, qos
            )
        elif not wants_camera and self._camera_subscription is not None:
            self._node.destroy_subscription(self._camera_subscription)
            self._camera_subscription, self._camera_fields = None, ()
            self._on_camera(None, "")
        if wants_depth and self._depth_subscription is None and not self._depth_failure:
            self._depth_subscription = self._subscribe_to_depth()
        elif not wants_depth and self._depth_subscription is not None:
            self._depth_subscription.close()
            self._depth_subscription = None

    def _subscribe_to_depth(self) -> ImageSubscription | None:
        try:
            return ImageSubscription(
                self._node, self.depth_topic, Image, self._on_depth, lambda _: None, self._on_incompatible_qos
            )
        except Exception as error:  # such as an invalid QoS override; tracking goes on
            self._depth_failure = f"cannot subscribe to it: {format_error(error)}"
            self._node.get_logger().error(f"{self.depth_topic}: {self._depth_failure}")
            return None

    def _receive_camera(self, msg: CameraInfo) -> None:
        """Read a camera_info, if it says something else than the one before."""
        roi = msg.roi
        numbers = (bytes(array) for array in (msg.d, msg.k, msg.r, msg.p))
        window = (msg.binning_x, msg.binning_y, roi.x_offset, roi.y_offset, roi.width, roi.height)
        fields = (msg.width, msg.height, msg.distortion_model, *numbers, *window)
        if fields == self._camera_fields:
            return
        self._camera_fields = fields
        try:
            self._on_camera(camera_from_info(msg, self._is_rectified), "")
        except InvalidInputError as error:
            self._on_camera(None, str(error))
