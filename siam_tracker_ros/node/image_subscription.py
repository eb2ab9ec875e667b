# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The subscription to the images: as reliable as their publishers, and it knows why images do not arrive.

A best-effort subscription hears every publisher, but loses large images even of a reliable one. A reliable subscription
loses none, and does not hear a best-effort publisher. So it has to be the one or the other, as the publishers are, and
they come and go: the graph is asked again and again. The reliability BEST_AVAILABLE, which newer distributions have,
asks once, when the subscription is made.
"""

import difflib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSPolicyKind, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription
from rclpy.topic_endpoint_info import TopicEndpointInfo
from sensor_msgs.msg import CompressedImage, Image

from siam_tracker_ros.node.fast_dds import IMAGES_PROFILE, profile_variable
from siam_tracker_ros.node.rclpy_private import override_names

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # ROS 2 Humble
    from rclpy.qos_event import SubscriptionEventCallbacks

SILENCE_S = 2.0
"""Seconds without an image after which the subscription says why."""

_LOOK_PERIOD = 0.2  # seconds between two looks at the publishers
_LOSS_LOG_PERIOD = 60.0
_DEPTH = 2  # the newest image counts; one more, for a moment in which the executor is busy
_COMPRESSED = "/compressed"
_TYPES = {Image: "sensor_msgs/msg/Image", CompressedImage: "sensor_msgs/msg/CompressedImage"}
_SHOWN = 5  # topics in a sentence
_UNKNOWN = "_UNKNOWN_"  # in a node's name and namespace: not discovered yet, or a program that uses DDS without ROS


class ImageSubscription:
    """Receives the images of one topic. All methods are called in the executor's thread.

    Attributes:
        topic: resolved name of the topic.
        silence: why no image arrives; empty while images do.
        loss_remedy: what to do against lost images; empty before the first loss.
    """

    def __init__(
        self,
        node: Node,
        topic: str,
        msg_type: type,
        on_image: Callable[[Any], None],
        on_lost: Callable[[int], None],
        on_incompatible_qos: Callable[[Any], None],
    ) -> None:
        """Subscribe.

        Args:
            node: the node that subscribes; its parameter overrides may set the QoS.
            topic: resolved name of the topic.
            msg_type: Image or CompressedImage.
            on_image: called with every image message.
            on_lost: called with the number of images that were just found lost between publisher and subscription.
            on_incompatible_qos: called with the event, where an override of the reliability excludes a publisher.

        Raises:
            RuntimeError: an override of the QoS cannot be used.
        """
        self.topic = topic
        self.silence = self.loss_remedy = ""
        self._node = node
        self._msg_type = msg_type
        self._on_image, self._on_lost, self._on_incompatible_qos = on_image, on_lost, on_incompatible_qos
        self._override = f"qos_overrides.{topic}.subscription.reliability"
        self._is_overridden = self._override in override_names(node)
        self._quiet_s = 0.0  # since the last image, counted in looks: an executor that is held up hears nothing
        self._known: set[tuple[int, ...]] = set()  # identifiers of the publishers at the last look
        self._lost = 0  # images since the last one that was heard
        self._said: set[str] = set()
        self._subscription = self._subscribe(_common_reliability(self._publishers()))
        # Not the node's clock, which with use_sim_time stands still until a simulator runs.
        steady_clock = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(_LOOK_PERIOD, self._look, clock=steady_clock)

    @property
    def reliability(self) -> str:
        """Name of the reliability: "reliable", "best_effort", or what an override asks for."""
        return self._subscription.qos_profile.reliability.name.lower()

    def close(self) -> None:
        """Unsubscribe."""
        self._node.destroy_timer(self._timer)
        self._node.destroy_subscription(self._subscription)

    def _subscribe(self, reliability: ReliabilityPolicy) -> Subscription:
        # A parameter of the reliability, once declared, would hold for every later subscription too.
        policies = [QoSPolicyKind.HISTORY, QoSPolicyKind.DEPTH]
        if self._is_overridden:
            policies.append(QoSPolicyKind.RELIABILITY)
        return self._node.create_subscription(
            self._msg_type,
            self.topic,
            self._receive,
            QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=_DEPTH, reliability=reliability),
            event_callbacks=SubscriptionEventCallbacks(
                incompatible_qos=self._on_incompatible_qos if self._is_overridden else self._adapt_at_once,
                message_lost=self._note_loss,
            ),
            qos_overriding_options=QoSOverridingOptions(policies),
        )

    def _receive(self, msg: Image | CompressedImage) -> None:
        self._quiet_s = 0.0
        self._lost = 0
        self.silence = ""
        self._on_image(msg)

    def _note_loss(self, event: Any) -> None:
        self._lost += event.total_count_change
        self._on_lost(event.total_count_change)
        self.loss_remedy = self._find_remedy()
        self._node.get_logger().warning(
            f"images on {self.topic} are lost on their way; {self.loss_remedy}",
            throttle_duration_sec=_LOSS_LOG_PERIOD,
        )

    def _look(self) -> None:
        """Take over the reliability of the publishers; after a while without images find out why."""
        publishers = self._publishers()
        self._adapt(publishers)
        before, self._known = self._known, {tuple(publisher.endpoint_gid) for publisher in publishers}
        self._quiet_s = self._quiet_s + _LOOK_PERIOD if self._known == before else 0.0  # a new one may need a moment
        if self._quiet_s > SILENCE_S:
            self.silence = self._explain_silence()
            if self.silence not in self._said:
                self._said.add(self.silence)
                self._node.get_logger().warning(f"no image on {self.topic}; {self.silence}")

    def _adapt_at_once(self, _: Any) -> None:
        self._adapt(self._publishers())

    def _adapt(self, publishers: Sequence[TopicEndpointInfo]) -> None:
        """Take over the reliability of the publishers."""
        reliability = _common_reliability(publishers)
        if not self._is_overridden and reliability != self._subscription.qos_profile.reliability:
            self._node.destroy_subscription(self._subscription)
            self._subscription = self._subscribe(reliability)
            self._node.get_logger().info(f"the subscription to {self.topic} is now {self.reliability}")

    def _find_remedy(self) -> str:
        """Return what to do against lost images."""
        if self.reliability != "best_effort":
            return "publish smaller or compressed images, or fewer of them"
        best_effort = [p for p in self._publishers() if p.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT]
        if not best_effort:
            return f"remove the parameter {self._override}, as the publisher is reliable"
        return (
            f"publish with the reliability reliable in {_node_names(best_effort)}, or start it with the environment "
            f"variable {profile_variable()}={IMAGES_PROFILE} (Fast DDS)"
        )

    def _publishers(self, topic: str = "", msg_type: type | None = None) -> list[TopicEndpointInfo]:
        """Return the publishers of a topic and type, by default the subscription's own."""
        wanted = _TYPES[msg_type or self._msg_type]
        publishers = self._node.get_publishers_info_by_topic(topic or self.topic)
        return [publisher for publisher in publishers if publisher.topic_type == wanted]

    def _explain_silence(self) -> str:
        publishers = self._publishers()
        if publishers:
            offered = {publisher.qos_profile.reliability for publisher in publishers}
            if self.reliability == "reliable" and offered == {ReliabilityPolicy.BEST_EFFORT}:
                return f"the parameter {self._override} excludes its publisher; remove the parameter"
            if self._lost:
                return f"all images are lost on their way; {self.loss_remedy}"
            return (
                f"it is published by {_node_names(publishers)}, but none arrives: none is sent, or it is sent by "
                "another user of this machine, from whom Fast DDS brings nothing; run both programs as one user, or "
                "this one with the environment variable FASTDDS_BUILTIN_TRANSPORTS=UDPv4"
            )
        types = {publisher.topic_type for publisher in self._node.get_publishers_info_by_topic(self.topic)}
        return self._explain_type(", ".join(sorted(types))) if types else self._explain_absence()

    def _explain_type(self, found: str) -> str:
        base = self.topic.removesuffix(_COMPRESSED)
        if found == _TYPES[CompressedImage] and base != self.topic:
            remedy = f"set image_transport to compressed and the image topic to {base}"
        elif found == _TYPES[CompressedImage]:
            remedy = f"compressed images need image_transport compressed and a topic named {self.topic}{_COMPRESSED}"
        elif found == _TYPES[Image]:
            remedy = f"set image_transport to raw and the image topic to {self.topic}"
        else:
            remedy = self._name_topics()
        return f"its type is {found}, expected {_TYPES[self._msg_type]}; {remedy}"

    def _explain_absence(self) -> str:
        base = self.topic.removesuffix(_COMPRESSED)
        if self._msg_type is Image and self._publishers(self.topic + _COMPRESSED, CompressedImage):
            return f"only {self.topic}{_COMPRESSED} is published; set image_transport to compressed"
        if self._msg_type is CompressedImage and base.endswith(_COMPRESSED):
            return (
                f"image_transport compressed adds {_COMPRESSED} to the image topic by itself; "
                f"give the image topic as {base.removesuffix(_COMPRESSED)}"
            )
        if self._msg_type is CompressedImage and self._publishers(base, Image):
            return f"only {base} is published; set image_transport to raw"
        return f"nobody publishes it; {self._name_topics()}"

    def _name_topics(self) -> str:
        """Say which topics have the right type, the node's own left out."""
        own = self._node.get_fully_qualified_name() + "/"
        wanted = _TYPES[self._msg_type]
        names = [name for name, types in self._node.get_topic_names_and_types() if wanted in types]
        names = [name for name in names if name != self.topic and not name.startswith(own)]
        if not names:
            return f"there is no topic of type {wanted}, check that the camera driver runs"
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        return f"topics of type {wanted} are {', '.join(names[:_SHOWN])}{more}"


class QosOverrides:
    """The parameters that override the QoS of topics.

    Attributes:
        names: their names.
    """

    def __init__(self, subscribed: Iterable[str], published: Iterable[str]) -> None:
        """Name them, for topics given by their resolved names."""
        policies = [policy.name.lower() for policy in QoSOverridingOptions.with_default_policies().policy_kinds]
        ends = [(topic, "subscription") for topic in subscribed] + [(topic, "publisher") for topic in published]
        self.names = [f"qos_overrides.{topic}.{end}.{policy}" for topic, end in ends for policy in policies]

    def closest(self, mistyped: str) -> str:
        """Return the name closest to one that does not exist, of the same topic where that exists."""
        parts = mistyped.split(".")
        same = [name for name in self.names if name.split(".")[1] in parts]
        return difflib.get_close_matches(mistyped, same or self.names, n=1, cutoff=0)[0]


def _common_reliability(publishers: Iterable[TopicEndpointInfo]) -> ReliabilityPolicy:
    """Return the reliability with which all publishers are heard; without any, what loses no image of one."""
    best_effort = ReliabilityPolicy.BEST_EFFORT
    offered = {publisher.qos_profile.reliability for publisher in publishers}
    return best_effort if best_effort in offered else ReliabilityPolicy.RELIABLE


def _node_names(publishers: Iterable[TopicEndpointInfo]) -> str:
    names = {f"{publisher.node_namespace.rstrip('/')}/{publisher.node_name}" for publisher in publishers}
    return ", ".join(sorted("a node of unknown name" if _UNKNOWN in name else name for name in names))
