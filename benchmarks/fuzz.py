# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether the nodes live through malformed input of every kind, and what they say of it.

It starts the real programs and sends them the inputs of `malformed.py`: messages and requests over DDS, MAVLink frames
over UDP on this machine, requests to the operator's page over HTTP and its WebSocket. After each batch, and at the end,
good input has to be followed as before. The same seed sends the same inputs.

    ./run exec python benchmarks/fuzz.py --count 10000 --kinds image init
"""

import argparse
import asyncio
import collections
import contextlib
import dataclasses
import itertools
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import aiohttp
import malformed
import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped, TwistStamped
from pymavlink.dialects.v20 import common as mavlink
from rcl_interfaces.msg import Log, SetParametersResult
from rcl_interfaces.srv import SetParameters, SetParametersAtomically
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from siam_tracker_ros.msg import Target, TrackerStatus
from siam_tracker_ros.srv import InitTracker, RemoveTarget
from std_msgs.msg import String
from std_srvs.srv import SetBool, Trigger
from vision_msgs.msg import Detection2D, Detection2DArray, ObjectHypothesisWithPose

from siam_tracker_ros.cli.tables import format_table
from siam_tracker_ros.control.simulation import ray_along
from siam_tracker_ros.geometry import iou_xywh
from siam_tracker_ros.image_conversion import fill_image
from siam_tracker_ros.node.follow_node import FollowParameters
from siam_tracker_ros.node.parameters import NodeParameters
from siam_tracker_ros.page.commands import RequestError, parse_request
from siam_tracker_ros.settings import settings_of

ANSWER_S = 60.0  # after which a program hangs; a machine that other programs use is slow
SIZE_WH = malformed.SIZE_WH
SIDE = 24  # pixels of the target's box in good images
PROGRAM = "import sys; from siam_tracker_ros.node.{} import main; sys.exit(main())"
_MARK = 2**52  # number of a request that marks the end of another
LOGGED = ("image not used: ", "detection refused: ", "init refused: ", "target not used: ")


Outcome = tuple[str, str]
"""What became of an input, as "accepted", and the sentence of a refusal."""


@dataclasses.dataclass
class Tally:
    """What became of the inputs of one kind.

    Attributes:
        outcomes: how many were accepted, refused, or neither.
        texts: refusals by their beginnings.
        bad_texts: those that break the rule: one sentence, of a bounded length, in people's words.
        crashes, hangs: how often the program ended, and how often it did not answer.
        memory_mb: resident memory at the beginning, and the highest later.
        lines, seconds: lines that the program wrote, and how long it ran.
    """

    outcomes: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    texts: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    bad_texts: set[str] = dataclasses.field(default_factory=set)
    crashes: int = 0
    hangs: int = 0
    memory_mb: tuple[float, float] = (0.0, 0.0)
    lines: int = 0
    seconds: float = 0.0

    def refused(self, text: str) -> None:
        """Note a refusal that has just been counted, or seen in a log."""
        self.texts[re.sub(r"[0-9].*", "", text)[:60]] += 1
        if fault := malformed.text_fault(text):
            self.bad_texts.add(f"{fault}: {text[:200]}")


class Hang(Exception):
    """The program has not answered."""


class Program:
    """A node in a process of its own, whose output goes to a file."""

    def __init__(self, module: str, parameters: dict[str, object]) -> None:
        self._output = tempfile.TemporaryFile("w+")
        command = [sys.executable, "-X", "faulthandler", "-c", PROGRAM.format(module), "--ros-args"]
        for name, value in parameters.items():
            command += ["-p", f"{name}:={json.dumps(value)}"]
        self._process = subprocess.Popen(command, stdout=self._output, stderr=subprocess.STDOUT)

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def memory_mb(self) -> float:
        """Return the resident memory, 0 once it has ended."""
        try:
            status = Path(f"/proc/{self._process.pid}/status").read_text()
        except OSError:
            return 0.0
        found = re.search(r"VmRSS:\s+(\d+)", status)
        return int(found[1]) / 1024 if found else 0.0

    def close(self) -> list[str]:
        """End it; return the lines that it wrote."""
        self._process.terminate()
        try:
            self._process.wait(ANSWER_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._output.seek(0)
        return self._output.read().splitlines()


class Peer(Node):
    """The other side of all topics and services: camera, client, detector, tracker and robot."""

    def __init__(self) -> None:
        super().__init__("fuzz")
        self._changed = threading.Condition()
        self.counts: collections.Counter = collections.Counter()  # of the messages received, by name
        self.newest: dict[str, object] = {}  # message by name
        self.said: collections.deque[str] = collections.deque()  # refusals that were logged or in diagnostics
        latched = QoSProfile(depth=1000, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.listen("status", TrackerStatus, "tracker/status")
        self.listen("detections", Detection2DArray, "tracker/detections")
        self.listen("command", TwistStamped, "cmd_vel")
        self.listen(
            "reason", String, "follow/reason", QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        )
        self.create_subscription(Log, "/rosout", self._on_log, latched)
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)
        self._by_topic = {}
        self._by_service = {}
        self._stamps = itertools.count(1)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)
        self._thread = threading.Thread(target=self._executor.spin)
        self._thread.start()

    def close(self) -> None:
        """Hear no more."""
        self._executor.shutdown()
        self._thread.join()
        self.destroy_node()

    def listen(self, name: str, msg_type: type, topic: str, qos: QoSProfile | int = 100) -> None:
        """Keep the newest message of a topic, and count them."""
        self.create_subscription(msg_type, topic, lambda msg: self._receive(name, msg), qos)

    def publish(self, topic: str, msg: object) -> None:
        """Publish a message, once somebody listens."""
        if topic not in self._by_topic:
            self._by_topic[topic] = self.create_publisher(type(msg), topic, 10)
        publisher = self._by_topic[topic]
        self.wait(publisher.get_subscription_count)
        publisher.publish(msg)

    def call(self, service_type: type, name: str, request: object) -> object:
        """Call a service and return its response."""
        if name not in self._by_service:
            self._by_service[name] = self.create_client(service_type, name)
        client = self._by_service[name]
        self.wait(client.service_is_ready)
        future = client.call_async(request)
        future.add_done_callback(lambda _: self._notify())
        self.wait(future.done)
        return future.result()

    def wait(self, condition: Callable[[], object]) -> None:
        """Wait until a condition holds.

        Raises:
            Hang: it does not for a long time.
        """
        end = time.monotonic() + ANSWER_S
        with self._changed:
            while not self._changed.wait_for(condition, timeout=0.02):  # what is discovered notifies nobody
                if time.monotonic() > end:
                    raise Hang

    def stamp(self, msg: object) -> object:
        """Give a message the stamp of the next image, and return it."""
        msg.header.stamp.sec, msg.header.stamp.nanosec = next(self._stamps), 0
        return msg

    def take_said(self) -> list[str]:
        """Return the refusals since the last call."""
        return [self.said.popleft() for _ in range(len(self.said))]

    def _receive(self, name: str, msg: object) -> None:
        if name == "status" and msg.is_heartbeat:
            return
        self.newest[name] = msg
        self.counts[name] += 1
        self._notify()
        if name == "command":
            rates = msg.twist.angular.y, msg.twist.angular.z, msg.twist.linear.x
            self.counts["bad command"] += not all(abs(rate) <= 1.0 for rate in rates)

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _on_log(self, log: Log) -> None:
        self.said.extend(log.msg.split(words, 1)[1] for words in LOGGED if words in log.msg)

    def _on_diagnostics(self, array: DiagnosticArray) -> None:
        for status in array.status:
            values = {value.key: value.value for value in status.values}
            self.newest[status.name] = values
            errors = (values.get(key, "none") for key in ("last_error", "last_detection_error"))
            self.said.extend(error for error in errors if error != "none")
            if status.level != status.OK:
                self.said.append(status.message)


# ---- the programs, and good input for them ----


def picture(shift: int = 0) -> np.ndarray:
    """A textured image with a bright patch, which is the target, somewhat to the right."""
    image_bgr = np.random.default_rng(0).integers(40, 110, (240, 320, 3), dtype=np.uint8)
    patch = np.random.default_rng(1).integers(120, 255, (SIDE // 4, SIDE // 4, 3), dtype=np.uint8)
    x = 140 + shift
    image_bgr[100 : 100 + SIDE, x : x + SIDE] = patch.repeat(4, axis=0).repeat(4, axis=1)
    return image_bgr


class TrackerUnderTest:
    """The tracker node, with `lite` on one thread."""

    module = "tracker_node"

    def __init__(self, peer: Peer, port: int, **parameters: object) -> None:
        self.peer = peer
        self.port = port
        self.viewer: Viewer | None = None
        self.parameters = {
            "model": "lite",
            "device": "cpu",
            "threads": 1,
            "diagnostics_period": 0.1,
            "operator_page": True,
            "operator_page_port": port,
        } | parameters

    def frame(self, image_bgr: np.ndarray) -> TrackerStatus:
        """Send a good image and return its status."""
        if self.parameters.get("image_transport") == "compressed":
            msg = self.peer.stamp(CompressedImage(format="png"))
            msg.data = malformed.encode_png(image_bgr)
        else:
            msg = self.peer.stamp(fill_image(Image(), image_bgr, "bgr8", Image().header))
        return self.send_image(msg)

    def send_image(self, msg: object) -> TrackerStatus:
        """Send an image and return its status."""
        before = self.peer.counts["status"]
        self.peer.publish("image/compressed" if isinstance(msg, CompressedImage) else "image", msg)
        self.peer.wait(lambda: self.peer.counts["status"] > before)
        return self.peer.newest["status"]

    def flush(self) -> None:
        """Wait until what was sent before has been worked on."""
        self.peer.call(RemoveTarget, "tracker/remove_target", RemoveTarget.Request(target_id="nobody"))

    def follows(self) -> bool:
        """Whether a good box is accepted and the target in it followed."""
        restore_parameters(self.peer, "tracker", NodeParameters, self.parameters)
        self.peer.call(SetBool, "tracker/enable", SetBool.Request(data=True))
        self.peer.call(Trigger, "tracker/reset", Trigger.Request())
        self.frame(picture())
        answer = self.peer.call(InitTracker, "tracker/init", init_request(140 + SIDE / 2, 100 + SIDE / 2))
        states = [self.frame(picture(shift)).state for shift in (1, 2, 3)]
        self.peer.wait(lambda: self.peer.newest["detections"].header == self.peer.newest["status"].header)
        boxes = [detection.bbox for detection in self.peer.newest["detections"].detections]
        if not boxes or not answer.success:
            return False
        x, y = boxes[0].center.position.x - boxes[0].size_x / 2, boxes[0].center.position.y - boxes[0].size_y / 2
        overlap = iou_xywh([x, y, boxes[0].size_x, boxes[0].size_y], [143, 100, SIDE, SIDE])
        return states[-1] == TrackerStatus.TRACKING and overlap > 0.5


def restore_parameters(peer: Peer, node: str, settings_class: type, parameters: dict[str, object]) -> None:
    """Set the parameters that can change at any time as they were at the start."""
    values = {
        name: parameters.get(name, setting.default)
        for name, setting in settings_of(settings_class).items()
        if setting.rule.change == "any time"
    }
    changes = [Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]
    request = SetParametersAtomically.Request(parameters=changes)  # some may not change without the others
    result = peer.call(SetParametersAtomically, f"{node}/set_parameters_atomically", request).result
    assert result.successful, result.reason


def init_request(x: float, y: float) -> InitTracker.Request:
    """A request to start on the target of `picture`, or on another place."""
    request = InitTracker.Request()
    bbox = {"center": {"position": {"x": float(x), "y": float(y)}}, "size_x": float(SIDE), "size_y": float(SIDE)}
    return malformed.fill(request, {"bbox": bbox})


def _request_number(message: str | bytes) -> int | None:
    """Return the number of a request that is carried out, and so answered later; None for other messages."""
    try:
        request = parse_request(message if isinstance(message, str) else "")
    except RequestError as error:
        return error.number
    return request[0] if isinstance(request, tuple) else None


class Viewer:
    """A viewer of the operator's page, which connects again whenever it is cut off."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._session: aiohttp.ClientSession | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None

    def send(self, port: int, message: str | bytes) -> Outcome:
        """Send a message and return what it is answered."""
        return self._loop.run_until_complete(self._send(port, message))

    def close(self) -> None:
        """Leave."""
        if self._session is not None:
            self._loop.run_until_complete(self._session.close())
        self._loop.close()

    async def _send(self, port: int, message: str | bytes) -> Outcome:
        if self._session is None:
            self._session = aiohttp.ClientSession()
        if self._socket is None or self._socket.closed:
            self._socket = await self._session.ws_connect(f"http://127.0.0.1:{port}/socket", max_msg_size=0)
        number = _request_number(message)
        try:
            if isinstance(message, bytes):
                await self._socket.send_bytes(message)
            else:
                await self._socket.send_str(message)
            if number is None:  # the answer of what follows comes after that of the message, if it has one
                await self._socket.send_str(json.dumps({"type": "fly", "id": _MARK}))
        except (ConnectionError, UnicodeEncodeError):  # what no client can send
            await self._socket.close()
            return "passed over", ""
        outcome: Outcome = "passed over", ""
        with contextlib.suppress(ConnectionError):
            while True:
                try:
                    reply = await asyncio.wait_for(self._socket.receive(), ANSWER_S)
                except asyncio.TimeoutError as error:
                    raise Hang from error
                if reply.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR):
                    break
                if reply.type != aiohttp.WSMsgType.TEXT:
                    await self._socket.send_str('{"type":"seen"}')
                    continue
                fields = json.loads(reply.data)
                if fields["type"] != "answer":
                    continue
                if number is None and fields["id"] == _MARK:
                    return outcome
                outcome = ("accepted", "") if fields["ok"] else ("refused", fields["text"])
                if number is not None and fields["id"] == number:
                    return outcome
        return "cut off", ""


class FollowerUnderTest:
    """The follow node."""

    module = "follow_node"

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.parameters = {"drive": "body", "wanted_height": 0.2}

    def target(self, state: int = Target.TRACKING, target_id: str = "good") -> Target:
        """A good target of now."""
        x, y, z = map(float, ray_along((0.3, 0.0)))
        msg = malformed.fill(Target(), {"state": state, "target_id": target_id, "ray": {"x": x, "y": y, "z": z}})
        msg.angular_height, msg.header.stamp = 0.1, self.peer.get_clock().now().to_msg()
        return msg

    def follows(self) -> bool:
        """Whether the camera turns to a good target."""
        restore_parameters(self.peer, "follow", FollowParameters, self.parameters)
        self.peer.publish("target", self.target(Target.IDLE, ""))
        end = time.monotonic() + ANSWER_S
        while time.monotonic() < end:
            self.peer.publish("target", self.target())
            time.sleep(0.02)
            command = self.peer.newest.get("command")
            if command is not None and command.twist.angular.z > 0.1 and self.peer.newest["reason"].data == "follow":
                return self.peer.counts["bad command"] == 0
        raise Hang


class MavlinkUnderTest:
    """The MAVLink camera, listening on a port of this machine."""

    module = "mavlink_camera"

    def __init__(self, peer: Peer, port: int) -> None:
        self.peer = peer
        self.address = "127.0.0.1", port
        self.parameters = {"connections": [f"udpin:127.0.0.1:{port}"], "answer_timeout_s": 0.2}
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(0.0)
        self._station = mavlink.MAVLink(None, 255, 190)
        self._parts: list[str] = []

    def replies(self) -> list[mavlink.MAVLink_message]:
        """Return the messages that have come."""
        messages = []
        with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
            while True:
                parser = mavlink.MAVLink(None)
                messages += parser.parse_buffer(self.socket.recv(65535)) or []
        return messages

    def follows(self) -> bool:
        """Whether it still says what it is."""
        number = mavlink.MAV_CMD_REQUEST_MESSAGE
        wanted = mavlink.MAVLINK_MSG_ID_CAMERA_INFORMATION
        request = mavlink.MAVLink_command_long_message(1, 100, number, 0, wanted, *[0.0] * 6)
        end = time.monotonic() + ANSWER_S
        while time.monotonic() < end:
            self.socket.sendto(request.pack(self._station), self.address)
            time.sleep(0.05)
            if any(message.get_type() == "CAMERA_INFORMATION" for message in self.replies()):
                return True
        raise Hang


# ---- how each kind is sent ----


def send_images(node: TrackerUnderTest, random: Random) -> Outcome:
    msg = malformed.fill(Image(), malformed.image(random))
    return ("accepted" if node.send_image(msg).image_width else "refused"), ""


def send_compressed(node: TrackerUnderTest, random: Random) -> Outcome:
    msg = malformed.fill(CompressedImage(), malformed.compressed(random))
    return ("accepted" if node.send_image(msg).image_width else "refused"), ""


def send_depth(node: TrackerUnderTest, random: Random) -> Outcome:
    peer = node.peer
    msg = malformed.fill(Image(), malformed.depth(random))
    image = peer.stamp(fill_image(Image(), picture()[88:136, 120:184].copy(), "bgr8", Image().header))
    image.header.frame_id = "camera"
    msg.header.stamp = image.header.stamp
    before = peer.counts["pose"]
    if not peer.counts["pose"] or peer.newest["status"].state != TrackerStatus.TRACKING:
        peer.publish("camera_info", _camera_info())
        node.send_image(image)
        peer.call(InitTracker, "tracker/init", init_request(SIZE_WH[0] / 2, SIZE_WH[1] / 2))
        peer.stamp(image)
        msg.header.stamp = image.header.stamp
    peer.publish("depth", msg)
    node.send_image(image)
    node.flush()
    return ("accepted" if peer.counts["pose"] > before else "refused"), ""


def _camera_info() -> CameraInfo:
    fields = malformed.camera_info(_Unchanged(0))
    return malformed.fill(CameraInfo(), fields)


class _Unchanged(Random):
    """Draws the valid input of each kind."""

    def random(self) -> float:
        return 0.0


def send_camera_info(node: TrackerUnderTest, random: Random) -> Outcome:
    peer = node.peer
    peer.publish("camera_info", malformed.fill(CameraInfo(), malformed.camera_info(random)))
    peer.call(SetBool, "tracker/enable", SetBool.Request(data=True))
    node.send_image(peer.stamp(fill_image(Image(), np.zeros((*SIZE_WH[::-1], 3), np.uint8), "bgr8", Image().header)))
    node.flush()
    return ("accepted" if peer.newest["target"].is_metric else "refused"), ""


def _answered(response: object) -> Outcome:
    return ("accepted", "") if response.success else ("refused", response.message)


def send_init(node: TrackerUnderTest, random: Random) -> Outcome:
    request = malformed.fill(InitTracker.Request(), malformed.init(random))
    return _answered(node.peer.call(InitTracker, "tracker/init", request))


def send_remove(node: TrackerUnderTest, random: Random) -> Outcome:
    if random.random() < 0.1:
        request = init_request(152, 112)
        request.target_id = "car"
        node.peer.call(InitTracker, "tracker/init", request)
    request = malformed.fill(RemoveTarget.Request(), malformed.remove(random))
    return _answered(node.peer.call(RemoveTarget, "tracker/remove_target", request))


def send_enable(node: TrackerUnderTest, random: Random) -> Outcome:
    request = malformed.fill(SetBool.Request(), malformed.enable(random))
    return _answered(node.peer.call(SetBool, "tracker/enable", request))


def _detection(fields: malformed.Fields) -> Detection2D:
    results = [malformed.fill(ObjectHypothesisWithPose(), result) for result in fields["results"]]
    return malformed.fill(Detection2D(), fields | {"results": results})


def send_detection(node: TrackerUnderTest, random: Random) -> Outcome:
    return _consider(node, "tracker/init_detection", _detection(malformed.detection(random)))


def send_detections(node: TrackerUnderTest, random: Random) -> Outcome:
    fields = malformed.detections(random)
    messages = [_detection(detection) for detection in fields["detections"]]
    msg = malformed.fill(Detection2DArray(), fields | {"detections": messages})
    return _consider(node, "tracker/init_detections", msg)


def _consider(node: TrackerUnderTest, topic: str, msg: object) -> Outcome:
    """Send detections; what became of them stands in the diagnostics."""
    node.peer.publish(topic, msg)
    node.flush()
    return "passed over", ""


def send_parameters(node: TrackerUnderTest | FollowerUnderTest, random: Random) -> Outcome:
    is_tracker = isinstance(node, TrackerUnderTest)
    known = settings_of(NodeParameters if is_tracker else FollowParameters)
    name, value = malformed.parameter(random, {name: setting.default for name, setting in known.items()})
    request = SetParameters.Request(parameters=[Parameter(name, value=value).to_parameter_msg()])
    service = f"{'tracker' if is_tracker else 'follow'}/set_parameters"
    (result,) = node.peer.call(SetParameters, service, request).results
    assert isinstance(result, SetParametersResult)
    return ("accepted", "") if result.successful else ("refused", result.reason)


def send_targets(node: FollowerUnderTest, random: Random) -> Outcome:
    msg = malformed.fill(Target(), malformed.target(random))
    if random.random() < 0.7:
        msg.header.stamp = node.peer.get_clock().now().to_msg()
    node.peer.publish("target", msg)
    time.sleep(0.001)
    return "passed over", ""


def send_status(node: MavlinkUnderTest, random: Random) -> Outcome:
    msg = malformed.fill(TrackerStatus(), malformed.status(random))
    boxes = Detection2DArray(header=msg.header, detections=[_detection(malformed.detection(random))])
    boxes.detections[0].id = msg.target_id
    node.peer.publish("tracker/status", msg)
    node.peer.publish("tracker/detections", boxes)
    time.sleep(0.001)
    node.replies()
    return "passed over", ""


def send_mavlink(node: MavlinkUnderTest, random: Random) -> Outcome:
    node.socket.sendto(malformed.mavlink_bytes(random), node.address)
    time.sleep(0.0005)
    results = [message.result for message in node.replies() if message.get_type() == "COMMAND_ACK"]
    if not results:
        return "passed over", ""
    good = (mavlink.MAV_RESULT_ACCEPTED, mavlink.MAV_RESULT_IN_PROGRESS)
    return ("accepted" if all(result in good for result in results) else "answered"), ""


def send_page(node: TrackerUnderTest, random: Random) -> Outcome:
    if node.viewer is None:
        node.viewer = Viewer()
    return node.viewer.send(node.port, malformed.page_message(random))


def send_http(node: TrackerUnderTest, random: Random) -> Outcome:
    with socket.create_connection(("127.0.0.1", node.port), ANSWER_S) as connection:
        connection.settimeout(0.02)  # an unfinished request is never answered
        with contextlib.suppress(OSError):
            connection.sendall(malformed.http_request(random))
            start = connection.recv(64)
            status = re.match(rb"HTTP/1\.[01] (\d)", start)
            if status:
                return ("accepted" if status[1] in b"123" else "refused"), start.split(b"\r")[0].decode("latin-1")
        return "passed over", ""


@dataclasses.dataclass(frozen=True)
class Kind:
    """How one kind of input is sent.

    Attributes:
        make: makes what it is sent to, of a Peer and a free port.
        send: sends one.
        prepare: what has to happen before, with the Peer.
    """

    make: Callable[[Peer, int], object]
    send: Callable[[object, Random], Outcome]
    prepare: Callable[[Peer], None] = lambda peer: None


def _tracker(**parameters: object) -> Callable[[Peer, int], TrackerUnderTest]:
    return lambda peer, port: TrackerUnderTest(peer, port, **parameters)


KINDS = {
    "image": Kind(_tracker(), send_images),
    "compressed": Kind(_tracker(image_transport="compressed"), send_compressed),
    "depth": Kind(_tracker(), send_depth, lambda peer: peer.listen("pose", PoseStamped, "tracker/target_pose")),
    "camera_info": Kind(_tracker(), send_camera_info, lambda peer: peer.listen("target", Target, "tracker/target")),
    "init": Kind(_tracker(max_targets=64), send_init),
    "remove_target": Kind(_tracker(max_targets=64), send_remove),
    "enable": Kind(_tracker(), send_enable),
    "detection": Kind(_tracker(detection_init="always"), send_detection),
    "detections": Kind(_tracker(detection_init="always"), send_detections),
    "parameter": Kind(_tracker(), send_parameters),
    "page": Kind(_tracker(), send_page),
    "http": Kind(_tracker(), send_http),
    "target": Kind(lambda peer, port: FollowerUnderTest(peer), send_targets),
    "follow parameter": Kind(lambda peer, port: FollowerUnderTest(peer), send_parameters),
    "status": Kind(MavlinkUnderTest, send_status),
    "mavlink": Kind(MavlinkUnderTest, send_mavlink),
}


@contextlib.contextmanager
def peering() -> Iterator[Peer]:
    """A Peer in a context of its own."""
    rclpy.init()
    peer = Peer()
    try:
        yield peer
    finally:
        peer.close()
        rclpy.shutdown()


def run_kind(name: str, count: int, batch: int, seed: int) -> Tally:
    """Send inputs of one kind and return what became of them."""
    tally, kind, random = Tally(), KINDS[name], Random(seed)
    with peering() as peer, socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        taken.close()
        kind.prepare(peer)
        node = kind.make(peer, port)
        program = Program(node.module, node.parameters)
        started = time.monotonic()
        try:
            if not node.follows():
                sys.exit(f"{name}: good input is not followed before any other was sent")
            tally.memory_mb = (program.memory_mb(),) * 2
            for number in range(count):
                try:
                    outcome, text = kind.send(node, random)
                    tally.outcomes[outcome] += 1
                    if outcome == "refused" and text:
                        tally.refused(text)
                    if (number + 1) % batch == 0 or number + 1 == count:
                        _check(node, tally, name)
                except Hang:
                    traceback.print_exc()
                    tally.crashes += program.has_ended
                    tally.hangs += not program.has_ended
                    print(f"{name}: input {number} of seed {seed} was the last", file=sys.stderr)
                    break
                tally.memory_mb = tally.memory_mb[0], max(tally.memory_mb[1], program.memory_mb())
        finally:
            tally.seconds = time.monotonic() - started
            lines = program.close()
            if getattr(node, "viewer", None) is not None:
                node.viewer.close()
            tally.lines = len(lines)
            if tally.crashes or tally.hangs:
                print("\n".join(lines[-40:]), file=sys.stderr)
        counted = peer.newest.get("tracker: tracker", {})
        if name.startswith("detection"):
            used, refused = (int(counted[key]) for key in ("detections_used", "detections_refused"))
            tally.outcomes.update({"accepted": used, "refused": refused, "passed over": -used - refused})
    return tally


def _check(node: object, tally: Tally, name: str) -> None:
    """Look at what was said, and whether good input is followed."""
    for text in node.peer.take_said():
        tally.refused(text)
    if not node.follows():
        print(f"{name}: good input is not followed any more", file=sys.stderr)
        raise Hang


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=10_000, help="inputs of each kind")
    parser.add_argument(
        "--batch", type=int, default=500, help="inputs between two looks whether good ones are followed"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS), metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--texts", action="store_true", help="print the beginnings of all refusals")
    arguments = parser.parse_args()
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    os.environ.setdefault("ROS_DOMAIN_ID", str(215 + os.getpid() % 18))  # others and tests take low ones
    rows = []
    for name in arguments.kinds:
        tally = run_kind(name, arguments.count, arguments.batch, arguments.seed)
        outcomes = tally.outcomes
        rows.append(
            [name, str(sum(outcomes.values())), str(outcomes["accepted"]), str(outcomes["refused"])]
            + [str(sum(outcomes.values()) - outcomes["accepted"] - outcomes["refused"])]
            + [str(tally.crashes), str(tally.hangs), str(len(tally.bad_texts))]
            + [
                "{:.0f} to {:.0f}".format(*tally.memory_mb),
                f"{tally.lines / tally.seconds:.1f}",
                f"{tally.seconds:.0f}",
            ]
        )
        print(f"{name}: {dict(outcomes)}", file=sys.stderr)
        for text in sorted(tally.bad_texts):
            print(f"{name}: {text}", file=sys.stderr)
        if arguments.texts:
            print(*(f"  {number:6} {text}" for text, number in tally.texts.most_common()), sep="\n", file=sys.stderr)
    heads = "kind sent accepted refused neither crashes hangs bad MB lines/s s".split()
    print(format_table(heads, rows, left=(0,)))


if __name__ == "__main__":
    main()
