# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the tests of the node share: a ROS graph of their own for each test, and a camera and operator in it.

Nothing here sleeps for a guessed time: every wait has a condition, and a deadline that only a failure
reaches.
"""

import collections
import contextlib
import itertools
import os
import subprocess
import threading

import pytest
import rclpy
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.msg import Log
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CompressedImage, Image
from siam_tracker_ros.msg import TrackerStatus
from siam_tracker_ros.srv import InitTracker
from std_msgs.msg import Header
from std_srvs.srv import SetBool, Trigger
from vision_msgs.msg import Detection2D, Detection2DArray, ObjectHypothesisWithPose

from siam_tracker_ros.image_conversion import fill_image

os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")

DEADLINE = 30.0  # seconds
FRAME_ID = "camera_optical_frame"

_workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_domains = itertools.count(os.getpid())


def next_domain_id():
    """Return a domain for one test: 1..100, not the one of the test before, and none of another worker's."""
    own = 100 // _workers
    return _worker * own + next(_domains) % own + 1


@contextlib.contextmanager
def started_together(commands):
    """Start commands by name, each in a domain of its own: most of their time they import, on as many cores as are."""
    programs = {
        name: subprocess.Popen(
            [str(part) for part in command],
            env=os.environ | {"ROS_DOMAIN_ID": str(next_domain_id()), "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for name, command in commands.items()
    }
    yield programs
    for program in programs.values():
        program.kill()
        program.communicate()


class Graph:
    """A ROS context in a domain of its own; every node added spins in a thread of its own."""

    def __init__(self):
        self.context = Context()
        rclpy.init(context=self.context, domain_id=next_domain_id())
        self._spinning = []
        self._failures = []

    def add(self, node):
        """Spin a node in a new thread; return it."""
        executor = SingleThreadedExecutor(context=self.context)
        executor.add_node(node)
        thread = threading.Thread(target=self._spin, args=(executor,), daemon=True)
        self._spinning.append((node, executor, thread))
        thread.start()
        return node

    def close(self):
        """Stop spinning, destroy the nodes, shut down."""
        for _, executor, thread in self._spinning:
            executor.shutdown()
            thread.join(DEADLINE)
            assert not thread.is_alive(), "a node's executor hangs"
        for node, _, _ in self._spinning:
            node.destroy_node()
            # It keeps the DDS participant, and lies in a cycle that is not collected once a PipelineWorker has frozen
            # it. A process with some 30 participants does not find those of its other contexts any more.
            vars(node).pop("_state_machine", None)
        rclpy.shutdown(context=self.context)
        if self._failures:
            raise self._failures[0]

    def _spin(self, executor):
        try:
            executor.spin()
        except ExternalShutdownException:
            pass
        except Exception as error:  # a callback raised: a node in a process of its own would have ended
            self._failures.append(error)


class Operator(Node):
    """A camera, an operator and a listener for one tracker node in one namespace."""

    def __init__(self, graph, namespace=""):
        super().__init__("operator", context=graph.context, namespace=namespace)
        self._tracker = f"{namespace}/tracker".lstrip("/")  # its name in diagnostics
        self._changed = threading.Condition()
        self._received = collections.defaultdict(list)
        self._image_publisher = self.create_publisher(Image, "image", 10)
        self._compressed_publisher = self.create_publisher(CompressedImage, "image/compressed", 10)
        self._stamps = itertools.count(1)
        for name, msg_type in (
            ("detection", Detection2D),
            ("detections", Detection2DArray),
            ("status", TrackerStatus),
        ):
            self.listen(name, msg_type, f"tracker/{name}")
        self.listen("diagnostics", DiagnosticArray, "/diagnostics")
        self.listen("log", Log, "/rosout", QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL))
        graph.add(self)

    def listen(self, name, msg_type, topic, qos=100):
        """Collect the messages of a topic under a name."""
        return self.create_subscription(msg_type, topic, lambda msg: self._collect(name, msg), qos)

    def received(self, name):
        """Return the messages collected under a name so far."""
        with self._changed:
            return list(self._received[name])

    def wait(self, condition, what):
        """Wait until `condition()` is true and return its value; every message asks it again."""
        result = None

        def holds():
            nonlocal result
            result = condition()
            return result

        clock = self.get_clock()
        end = clock.now().nanoseconds + DEADLINE * 1e9
        with self._changed:
            while not self._changed.wait_for(holds, timeout=0.02):  # graph events notify nobody
                assert clock.now().nanoseconds < end, f"waited {DEADLINE:.0f} s for {what}"
        return result

    def wait_for_camera_link(self):
        """Wait until the tracker node listens to the images and is heard."""
        self.wait(
            lambda: (
                self._image_publisher.get_subscription_count() + self._compressed_publisher.get_subscription_count()
            ),
            "the node to subscribe to the images",
        )
        self.wait(
            lambda: all(self.count_publishers(f"tracker/{n}") for n in ("detection", "detections", "status")),
            "the node's publishers",
        )

    def header(self, frame_id=FRAME_ID):
        """Return the header of the next frame, with odd digits in the stamp."""
        number = next(self._stamps)
        return Header(stamp=Time(sec=number, nanosec=(number * 987_654_321) % 10**9), frame_id=frame_id)

    def send(self, image_bgr=None, msg=None):
        """Publish an image, or a whole message; return its header."""
        if msg is None:
            msg = fill_image(Image(), image_bgr, "bgr8", self.header())
        publisher = self._compressed_publisher if isinstance(msg, CompressedImage) else self._image_publisher
        publisher.publish(msg)
        return msg.header

    def frame(self, image_bgr=None, msg=None):
        """Publish an image and wait for what comes back: its TrackerStatus and its list of Detection2D."""
        header = self.send(image_bgr, msg)
        return self.message("status", header), self.message("detections", header).detections

    def message(self, name, header):
        """Wait for the message with exactly this header and return it."""

        def matching():
            return [msg for msg in self.received(name) if msg.header == header]

        (msg,) = self.wait(matching, f"the {name} of frame {header.stamp}")
        return msg

    def call(self, service_type, name, request):
        """Call a service of the tracker node and return the response."""
        client = self.create_client(service_type, f"tracker/{name}")
        self.wait(client.service_is_ready, f"service {name}")
        future = client.call_async(request)
        self.wait(future.done, f"the response of {name}")
        self.destroy_client(client)
        return future.result()

    def init(self, center=(0.0, 0.0), size=(20.0, 20.0), theta=0.0, stamp=None, frame_id="", **fields):
        """Call ~/init with a box given by its centre and size."""
        return self.call(InitTracker, "init", init_request(center, size, theta, stamp, frame_id, **fields))

    def call_async_init(self, center, stamp=None):
        """Send a request to ~/init; return the future of the response."""
        client = self.create_client(InitTracker, "tracker/init")
        self.wait(client.service_is_ready, "service init")
        return client.call_async(init_request(center, (20.0, 20.0), stamp=stamp))

    def reset(self):
        """Call ~/reset."""
        return self.call(Trigger, "reset", Trigger.Request())

    def enable(self, on):
        """Call ~/enable."""
        return self.call(SetBool, "enable", SetBool.Request(data=on))

    def change_state(self, label):
        """Trigger a lifecycle transition; return whether it succeeded."""
        request = ChangeState.Request()
        request.transition.label = label
        return self.call(ChangeState, "change_state", request).success

    def state(self):
        """Return the label of the lifecycle state."""
        return self.call(GetState, "get_state", GetState.Request()).current_state.label

    def set_parameters(self, **values):
        """Set parameters together; return the result with `successful` and `reason`."""
        request = SetParametersAtomically.Request(
            parameters=[Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]
        )
        return self.call(SetParametersAtomically, "set_parameters_atomically", request).result

    def diagnosis(self, task, condition):
        """Wait for a DiagnosticStatus of a task that fulfils a condition; return it."""

        def newest():
            for array in reversed(self.received("diagnostics")):
                for status in array.status:
                    if status.name == f"{self._tracker}: {task}" and condition(status):
                        return status
            return None

        return self.wait(newest, f"a diagnosis of the {task}")

    def logged(self, words):
        """Return the sentences with these words that the tracker node has logged so far.

        They are read from /rosout: pytest's captures lose what another thread writes while they are being read.
        """
        return [log.msg for log in self.received("log") if log.name == "tracker" and words in log.msg]

    def _collect(self, name, msg):
        with self._changed:
            self._received[name].append(msg)
            self._changed.notify_all()


def init_request(center, size, theta=0.0, stamp=None, frame_id="", **fields):
    """Return an InitTracker request."""
    request = InitTracker.Request(**fields)
    request.header.frame_id = frame_id
    if stamp is not None:
        request.header.stamp = stamp
    request.bbox.center.position.x, request.bbox.center.position.y = center
    request.bbox.size_x, request.bbox.size_y = size
    request.bbox.center.theta = theta
    return request


def make_detection(center, *hypotheses, size=(20.0, 20.0), theta=0.0, **fields):
    """Return a Detection2D with a box, and a result for each hypothesis (class, score)."""
    detection = Detection2D(**fields)
    detection.bbox.center.position.x, detection.bbox.center.position.y = center
    detection.bbox.size_x, detection.bbox.size_y = size
    detection.bbox.center.theta = theta
    for class_id, score in hypotheses:
        result = ObjectHypothesisWithPose()
        result.hypothesis.class_id, result.hypothesis.score = class_id, score
        detection.results = [*detection.results, result]
    return detection


def parameter_overrides(**values):
    """Return parameters for a node of the tests; without a heartbeat, so that each status is that of one image."""
    defaults = {"device": "cpu", "heartbeat_period": 0.0}
    return [Parameter(name, value=value) for name, value in (defaults | values).items()]


@pytest.fixture(name="graph")
def graph_fixture():
    """A Graph for one test."""
    graph = Graph()
    yield graph
    graph.close()
