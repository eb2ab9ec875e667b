# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import functools
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticStatus
from node_doubles import SquareTracker, scene
from rclpy.context import Context
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from ros_testing import (
    Operator,
    graph_fixture,  # noqa: F401
    parameter_overrides,
)
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from siam_tracker_ros.image_conversion import fill_image
from siam_tracker_ros.node import image_subscription
from siam_tracker_ros.node.image_subscription import ImageSubscription, QosOverrides
from siam_tracker_ros.node.tracker_node import TrackerNode

pytestmark = pytest.mark.slow

CENTER = (80.0, 60.0)
RELIABILITY = "qos_overrides./camera.subscription.reliability"


@pytest.fixture(autouse=True)
def short_silence(monkeypatch):
    monkeypatch.setattr(image_subscription, "SILENCE_S", 0.3)


@pytest.fixture
def operator(graph):
    """An operator whose own cameras are not those of the tracker."""
    operator = Operator(graph)
    for publisher in list(operator.publishers):
        if publisher.msg_type in (Image, CompressedImage):
            operator.destroy_publisher(publisher)
    return operator


@pytest.fixture
def others(graph):
    """A node of another process, as far as DDS can tell: one participant cannot have two types on one topic."""
    context = Context()
    rclpy.init(context=context, domain_id=graph.context.get_domain_id())
    yield Node("driver", context=context)
    rclpy.shutdown(context=context)


def start(graph, image="camera", namespace="", remapped="image", **parameters):
    parameters = {"diagnostics_period": 0.1} | parameters
    return graph.add(
        TrackerNode(
            SquareTracker,
            context=graph.context,
            namespace=namespace,
            parameter_overrides=parameter_overrides(**parameters),
            cli_args=["--ros-args", "-r", f"{remapped}:={image}"],
            use_global_arguments=False,
        )
    )


def subscribed(operator, topic="/camera"):
    """The reliabilities of the tracker's subscriptions."""
    infos = operator.get_subscriptions_info_by_topic(topic)
    return [info.qos_profile.reliability.name.lower() for info in infos]


class Cameras:
    """Publishers of one topic, one of each name."""

    def __init__(self, operator):
        self._operator = operator
        self._publishers = {}

    def become(self, **reliabilities):
        """Let the publishers be these, by name; one whose reliability changes is another one."""
        for name in list(self._publishers):
            publisher, reliability = self._publishers[name]
            if reliabilities.get(name) != reliability:
                self._operator.destroy_publisher(publisher)
                del self._publishers[name]
        for name, reliability in reliabilities.items():
            if name not in self._publishers:
                qos = QoSProfile(depth=5, reliability=ReliabilityPolicy[reliability.upper()])
                self._publishers[name] = self._operator.create_publisher(Image, "/camera", qos), reliability

    def senders(self):
        """Return a function for each that sends an image to the tracker and returns its stamp."""
        return [functools.partial(self._send, publisher) for publisher, _ in self._publishers.values()]

    def _send(self, publisher):
        self._operator.wait(publisher.get_subscription_count, "the node to subscribe")
        msg = fill_image(Image(), scene(CENTER), "bgr8", self._operator.header())
        publisher.publish(msg)
        return msg.header.stamp


STEPS = [
    (dict(), "reliable"),
    (dict(a="best_effort"), "best_effort"),
    (dict(a="reliable"), "reliable"),
    (dict(a="reliable", b="best_effort"), "best_effort"),
    (dict(a="reliable"), "reliable"),
    (dict(a="best_effort", b="best_effort"), "best_effort"),
    (dict(), "reliable"),
]


@pytest.mark.parametrize("first", range(4))
def test_every_image_arrives_once_whoever_comes_goes_or_changes(graph, operator, first):
    cameras = Cameras(operator)
    cameras.become(**STEPS[first][0])
    start(graph)
    operator.wait(lambda: operator.count_publishers("/tracker/status"), "the status")
    sent = []
    for reliabilities, expected in STEPS[first:]:
        cameras.become(**reliabilities)
        operator.wait(lambda expected=expected: subscribed(operator) == [expected], f"{expected} for {reliabilities}")
        for send in cameras.senders():
            sent.append(send())
            operator.wait(lambda: len(operator.received("status")) >= len(sent), "the image")
    assert [msg.header.stamp for msg in operator.received("status")] == sent


def test_an_override_holds_whatever_the_cameras_are(graph, operator):
    cameras = Cameras(operator)
    start(graph, **{RELIABILITY: "best_effort"})
    for reliability in ("reliable", "best_effort", "reliable"):
        cameras.become(a=reliability)
        (send,) = cameras.senders()
        send()
        operator.diagnosis("input", lambda status: status.message != "waiting for the first image")
        assert subscribed(operator) == ["best_effort"]


def test_a_camera_that_an_override_excludes_is_told(graph, operator):
    cameras = Cameras(operator)
    cameras.become(a="best_effort")
    start(graph, **{RELIABILITY: "reliable"})
    status = operator.diagnosis("input", lambda status: status.level == DiagnosticStatus.WARN)
    assert status.message == (
        f"no image on /camera; the parameter {RELIABILITY} excludes its publisher; remove the parameter"
    )


CAMERA_OF_LARGE_IMAGES = """
import itertools
import sys
import time
import rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

rclpy.init()
node = rclpy.create_node("large_camera")
qos = QoSProfile(depth=5, reliability=ReliabilityPolicy[sys.argv[1]])
publisher = node.create_publisher(Image, "/camera", qos)
sizes = (1920, 1080), (64, 48)  # one that is lost, and one that arrives: a loss is noticed by what comes after it
images = [Image(encoding="bgr8", width=w, height=h, step=3 * w, data=bytes(3 * w * h)) for w, h in sizes]
for msg in itertools.cycle(images):
    msg.header.stamp = node.get_clock().now().to_msg()
    publisher.publish(msg)
    time.sleep(0.05)
"""


TRACKER = """
import json
import sys
import rclpy
from node_doubles import SquareTracker
from ros_testing import parameter_overrides
from siam_tracker_ros.node.tracker_node import TrackerNode

rclpy.init()
parameters = parameter_overrides(diagnostics_period=1.0, **json.loads(sys.argv[1]))
rclpy.spin(TrackerNode(SquareTracker, parameter_overrides=parameters, cli_args=["--ros-args", "-r", "image:=camera"]))
"""


PROFILE = str(Path(image_subscription.__file__).with_name("fast_dds_images.xml"))


@pytest.mark.parametrize(
    "camera, overrides, words",
    [
        ("BEST_EFFORT", {}, ["publish with the reliability reliable in /large_camera,", PROFILE]),
        ("RELIABLE", {RELIABILITY: "best_effort"}, [f"remove the parameter {RELIABILITY}"]),
    ],
)
def test_images_that_are_lost_are_counted_and_the_cure_is_named(graph, operator, camera, overrides, words):
    # In processes of their own, as a user has them: in one that has had hundreds of participants no loss was noted.
    environment = {name: value for name, value in os.environ.items() if "DEFAULT_PROFILES_FILE" not in name}
    environment["ROS_DOMAIN_ID"] = str(graph.context.get_domain_id())
    environment["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parents[1]), environment.get("PYTHONPATH", "")])
    programs = [[TRACKER, json.dumps(overrides)], [CAMERA_OF_LARGE_IMAGES, camera]]
    processes = [subprocess.Popen([sys.executable, "-c", *program], env=environment) for program in programs]
    try:
        status = operator.diagnosis("input", lambda status: status.message.startswith("images are lost: "))
        operator.wait(lambda: operator.logged("images on /camera are lost on their way"), "the warning")
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert status.level == DiagnosticStatus.WARN and all(part in status.message for part in words)
    values = {value.key: value.value for value in status.values}
    assert int(values["lost"]) > 0 and values["reliability"] == "best_effort"
    assert float(values["expected_rate_hz"]) > float(values["rate_hz"])


RAW, COMPRESSED = dict(image_transport="raw"), dict(image_transport="compressed")


@pytest.mark.parametrize(
    "image, parameters, published, words",
    [
        (
            "cam/compressed",
            RAW,
            {"/cam/compressed": CompressedImage},
            "its type is sensor_msgs/msg/CompressedImage, expected sensor_msgs/msg/Image; "
            "set image_transport to compressed and the image topic to /cam",
        ),
        (
            "cam",
            RAW,
            {"/cam": CompressedImage},
            "compressed images need image_transport compressed and a topic named /cam/compressed",
        ),
        (
            "cam",
            RAW,
            {"/cam": CameraInfo, "/front/image": Image, "/rear/image": Image},
            "its type is sensor_msgs/msg/CameraInfo, expected sensor_msgs/msg/Image; "
            "topics of type sensor_msgs/msg/Image are /front/image, /rear/image",
        ),
        (
            "cam",
            COMPRESSED,
            {"/cam/compressed": Image},
            "its type is sensor_msgs/msg/Image, expected sensor_msgs/msg/CompressedImage; "
            "set image_transport to raw and the image topic to /cam/compressed",
        ),
        (
            "cam/compressed",
            COMPRESSED,
            {"/cam/compressed": CompressedImage},
            "no image on /cam/compressed/compressed; image_transport compressed adds /compressed to the image topic "
            "by itself; give the image topic as /cam",
        ),
        (
            "cam",
            RAW,
            {"/cam/compressed": CompressedImage},
            "only /cam/compressed is published; set image_transport to compressed",
        ),
        ("cam", COMPRESSED, {"/cam": Image}, "only /cam is published; set image_transport to raw"),
        ("cam", RAW, {"/camera": Image}, "nobody publishes it; topics of type sensor_msgs/msg/Image are /camera"),
        (
            "cam",
            COMPRESSED,
            {"/camera": Image},
            "there is no topic of type sensor_msgs/msg/CompressedImage, check that the camera driver runs",
        ),
        (
            "cam",
            RAW,
            {"/cam": Image},
            "no image on /cam; it is published by /driver, but none arrives: none is sent, or",
        ),
    ],
)
def test_why_no_image_arrives_is_said(graph, operator, others, image, parameters, published, words):
    publishers = [others.create_publisher(msg_type, topic, 1) for topic, msg_type in published.items()]
    start(graph, image, **parameters)
    status = operator.diagnosis("input", lambda status: words in status.message)
    assert status.level == DiagnosticStatus.WARN and len(publishers) == len(published)
    operator.wait(lambda: operator.logged(words), "the warning")


class NodeDouble:
    """What an ImageSubscription uses of a node; a test says who publishes, and looks when it likes to."""

    _parameter_overrides = {}

    def __init__(self):
        self.publishers = []
        self.look = None

    def create_timer(self, period, callback, clock):
        self.look = callback

    def create_subscription(self, msg_type, topic, callback, qos, **options):
        return SimpleNamespace(qos_profile=qos)

    def get_publishers_info_by_topic(self, topic):
        return self.publishers

    def get_topic_names_and_types(self):
        return []

    def get_fully_qualified_name(self):
        return "/tracker"

    def get_logger(self):
        return SimpleNamespace(warning=print, info=print)


def endpoint(number, namespace="/", name="camera"):
    qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
    topic_type = "sensor_msgs/msg/Image"
    return SimpleNamespace(
        endpoint_gid=[number], node_namespace=namespace, node_name=name, topic_type=topic_type, qos_profile=qos
    )


@pytest.fixture
def looking(monkeypatch):
    """A node, and the subscription that looks at its publishers; three looks without an image are silence."""
    monkeypatch.setattr(image_subscription, "SILENCE_S", 2.5 * image_subscription._LOOK_PERIOD)
    node = NodeDouble()
    return node, ImageSubscription(node, "/camera", Image, *[lambda *_: None] * 3)


def test_a_node_that_was_held_up_does_not_take_its_own_pause_for_silence(looking, monkeypatch):
    node, subscription = looking
    now = time.monotonic
    node.publishers = [endpoint(1)]
    node.look()
    monkeypatch.setattr(time, "monotonic", lambda: now() + 3600)
    node.look()
    assert subscription.silence == ""


def test_a_camera_that_has_just_come_is_given_time(looking):
    node, subscription = looking
    for _ in range(3):
        node.look()
    assert subscription.silence.startswith("nobody publishes it")
    for number, names in enumerate((["/", "camera"], ["_NODE_NAMESPACE_UNKNOWN_", "_NODE_NAME_UNKNOWN_"])):
        before = subscription.silence
        node.publishers = [endpoint(number, *names)]
        for _ in range(3):
            node.look()
            assert subscription.silence == before
        node.look()
        shown = ("/camera", "a node of unknown name")[number]
        assert subscription.silence.startswith(f"it is published by {shown}, but none arrives: none is sent, or")


def test_a_target_is_not_said_to_be_tracked_without_a_camera(graph, operator):
    cameras = Cameras(operator)
    cameras.become(a="reliable")
    start(graph)
    (send,) = cameras.senders()

    def track():
        stamp = send()
        operator.wait(lambda: stamp in [msg.header.stamp for msg in operator.received("status")], "the status")

    def wait_for(level, message):
        def newest():
            statuses = operator.received("diagnostics")[-1].status
            return any((status.name, status.message) == ("tracker: tracker", message) for status in statuses)

        operator.wait(newest, message)
        assert operator.diagnosis("tracker", lambda status: status.message == message).level == level

    operator.wait(lambda: operator.count_publishers("/tracker/status"), "the status")
    track()
    operator.diagnosis("input", lambda status: status.message.startswith("no image on /camera"))
    wait_for(DiagnosticStatus.OK, "idle")
    assert operator.init(CENTER).success
    wait_for(DiagnosticStatus.WARN, "no image arrives; in the last one the state was tracking")
    track()
    wait_for(DiagnosticStatus.OK, "tracking")


def test_an_image_that_cannot_be_used_is_not_the_last_word_on_a_camera_that_stops(graph, operator):
    publisher = operator.create_publisher(Image, "/camera", 1)
    start(graph)
    operator.wait(publisher.get_subscription_count, "the node to subscribe")
    publisher.publish(Image(header=operator.header(), encoding="rubbish", width=4, height=4))
    operator.diagnosis("input", lambda status: "rubbish" in status.message)
    operator.diagnosis(
        "input",
        lambda status: status.message.startswith("no image on /camera; it is published by /operator, but none arrives"),
    )


def test_the_topic_of_a_transport_can_be_remapped_by_itself(graph, operator):
    override = "qos_overrides./camera/jpeg.subscription.reliability"
    start(graph, "camera/jpeg", remapped="image/compressed", **COMPRESSED, **{override: "best_effort"})
    operator.diagnosis("input", lambda status: status.message.startswith("no image on /camera/jpeg; nobody"))
    assert subscribed(operator, "/camera/jpeg") == ["best_effort"] and not operator.logged("is ignored")


def test_trackers_in_two_namespaces_are_told_apart_in_diagnostics(graph):
    operators = [Operator(graph, namespace) for namespace in ("/left", "/right")]
    for operator in operators:
        start(graph, "image", namespace=operator.get_namespace())
    for operator in operators:
        topic = f"{operator.get_namespace()}/image"
        status = operator.diagnosis("input", lambda status: status.message.startswith("no image on"))
        assert status.message.startswith(f"no image on {topic};")


@pytest.mark.parametrize(
    "mistyped, closest",
    [
        ("qos_overrides./image.subscription.reliability", "qos_overrides./camera.subscription.reliability"),
        ("qos_overrides.camera.subscription.reliability", "qos_overrides./camera.subscription.reliability"),
        ("qos_overrides./camera.subscriber.depth", "qos_overrides./camera.subscription.depth"),
        ("qos_override./camera.subscription.reliability", "qos_overrides./camera.subscription.reliability"),
        ("qos_overrides./camera.subscription.reliabilty", "qos_overrides./camera.subscription.reliability"),
        ("qos_overrides./camera/compresed.subscription.depth", "qos_overrides./camera/compressed.subscription.depth"),
        ("qos_overrides./tracker/mask.subscription.depth", "qos_overrides./tracker/mask.publisher.depth"),
        ("/camera.subscription.depth", "qos_overrides./camera.subscription.depth"),
        ("qos_overrides/tracker/mask/depth", "qos_overrides./tracker/mask.publisher.depth"),
    ],
)
def test_the_override_closest_to_a_mistyped_one(mistyped, closest):
    overrides = QosOverrides(["/camera", "/camera/compressed"], ["/tracker/detection", "/tracker/mask"])
    assert mistyped not in overrides.names and overrides.closest(mistyped) == closest


def test_a_mistyped_override_is_told_and_no_other(graph, operator):
    names = ["/camera.subscription", "/camera/compressed.subscription", "/tracker/detection.publisher"]
    mistyped = "qos_overrides./image.subscription.depth"  # which is remapped
    node = start(graph, **{mistyped: 3}, **{f"qos_overrides.{name}.depth": 3 for name in names})
    operator.wait(lambda: operator.logged("no image on"), "a later warning")
    (warning,) = operator.logged("is ignored")
    assert mistyped in warning and "'qos_overrides./camera.subscription.depth'" in warning
    assert not node.has_parameter(mistyped)
