# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the tests of the MAVLink camera share: a ground station, and a camera whose time and tracker a test moves."""

import collections
import math
import socket
import time

import pytest

mavlink = pytest.importorskip("pymavlink.dialects.v20.common", reason="MAVLink needs pymavlink")

from siam_tracker_ros.core.monitor import TargetState
from siam_tracker_ros.mavlink.camera import MavlinkCamera, TargetReport
from siam_tracker_ros.mavlink.settings import MavlinkSettings

QGROUNDCONTROL = (255, 190)
CAMERA = (1, 100)
SIZE_WH = (640, 480)
DEADLINE = 20.0  # seconds, which only a failure reaches

TRACK_POINT = mavlink.MAV_CMD_CAMERA_TRACK_POINT
TRACK_RECTANGLE = mavlink.MAV_CMD_CAMERA_TRACK_RECTANGLE
STOP_TRACKING = mavlink.MAV_CMD_CAMERA_STOP_TRACKING
REQUEST_MESSAGE = mavlink.MAV_CMD_REQUEST_MESSAGE
SET_INTERVAL = mavlink.MAV_CMD_SET_MESSAGE_INTERVAL
INFORMATION = mavlink.MAVLINK_MSG_ID_CAMERA_INFORMATION
TRACKING_STATUS = mavlink.MAVLINK_MSG_ID_CAMERA_TRACKING_IMAGE_STATUS

ACCEPTED, REJECTED, DENIED = (
    getattr(mavlink, f"MAV_RESULT_{n}") for n in ("ACCEPTED", "TEMPORARILY_REJECTED", "DENIED")
)
UNSUPPORTED, FAILED, IN_PROGRESS = (
    getattr(mavlink, f"MAV_RESULT_{n}") for n in ("UNSUPPORTED", "FAILED", "IN_PROGRESS")
)


def parser():
    new = mavlink.MAVLink(None)
    new.robust_parsing = True
    return new


def command_long(number, *params, confirmation=0, target=CAMERA):
    padded = (*params, *[0.0] * (7 - len(params)))
    return mavlink.MAVLink_command_long_message(*target, number, confirmation, *padded)


def fields(message):
    """The fields of a message by name, with None for NaN, so that they can be compared."""
    values = {name: getattr(message, name) for name in message.get_fieldnames()}
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in values.items()}


def kinds(messages):
    return [message.get_type() for message in messages]


def results(messages):
    """(command, result) of each acknowledgement."""
    return [(m.command, m.result) for m in messages if m.get_type() == "COMMAND_ACK"]


def texts(messages):
    """The sentences in STATUSTEXT messages, put together of their parts."""
    sentences, parts = [], []
    for message in messages:
        if message.get_type() == "STATUSTEXT":
            assert message.chunk_seq == len(parts) and bool(message.id) == (bool(parts) or len(message.text) == 50)
            parts.append(message.text)
            if len(message.text) < 50:
                sentences.append("".join(parts))
                parts = []
    assert not parts, "the last part is not full"
    return sentences


class GivenTracker:
    """A TrackerControl whose answers a test gives.

    Attributes:
        calls: the box_cxcywh of each start as a list, None for each stop.
        waiting: functions that answer, in the order of the calls.
    """

    def __init__(self):
        self.calls = []
        self.waiting = collections.deque()

    def start(self, box_cxcywh, on_answer):
        self.calls.append(box_cxcywh.tolist())
        self.waiting.append(on_answer)

    def stop(self, on_answer):
        self.calls.append(None)
        self.waiting.append(on_answer)

    def answer(self, success=True, sentence="done"):
        self.waiting.popleft()(success, sentence)


class Bench:
    """A camera without links. What it sends and receives goes through frames, which pymavlink packs and parses.

    Attributes:
        now: its clock, in seconds.
        sent: (link, message) of all that it has sent and that was not taken yet.
        said: sentences for the log.
    """

    def __init__(self, links=1, has_image=True, **settings):
        settings = MavlinkSettings(connections=("udpout:127.0.0.1:14550",) * links, **settings)
        settings.check()
        self.now = 1000.0
        self.tracker = GivenTracker()
        self.sent, self.said = [], []
        self._encoders = [mavlink.MAVLink(None, settings.system_id, settings.component_id) for _ in range(links)]
        self.camera = MavlinkCamera(settings, self.tracker, self._send, self.said.append, lambda: self.now)
        if has_image:
            self.report(TargetState.IDLE)

    def _send(self, link, message):
        (parsed,) = parser().parse_buffer(message.pack(self._encoders[link]))
        assert fields(parsed).keys() == fields(message).keys()
        self.sent.append((link, parsed))

    def receive(self, message, sender=QGROUNDCONTROL, link=0):
        (parsed,) = parser().parse_buffer(message.pack(mavlink.MAVLink(None, *sender)))
        self.camera.receive(link, parsed)

    def hear(self, sender=QGROUNDCONTROL, link=0):
        self.receive(mavlink.MAVLink_heartbeat_message(mavlink.MAV_TYPE_GCS, 8, 0, 0, 4, 3), sender, link)

    def command(self, number, *params, sender=QGROUNDCONTROL, link=0, **options):
        """Send a command and return all messages that come back on its link."""
        self.receive(command_long(number, *params, **options), sender, link)
        return self.take(link)

    def take(self, link=0):
        """Return what was sent on a link, and forget it."""
        taken = [message for number, message in self.sent if number == link]
        self.sent = [(number, message) for number, message in self.sent if number != link]
        return taken

    def report(self, state, box_xyxy=None, size_wh=SIZE_WH):
        self.camera.report(TargetReport(state, size_wh, box_xyxy))

    def pass_time(self, seconds, step=0.1):
        for _ in range(round(seconds / step)):
            self.now += step
            self.camera.tick()


class GroundStation:
    """The side of a ground station on a UDP socket.

    Args:
        port: to listen on; 0: any.
        camera_port: where the camera listens, or None: it is answered where it sends from.
        sender: system id and component id.
    """

    def __init__(self, port=0, camera_port=None, sender=QGROUNDCONTROL):
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", port))
        self._socket.settimeout(0.05)
        self.port = self._socket.getsockname()[1]
        self._camera = None if camera_port is None else ("127.0.0.1", camera_port)
        self._encoder = mavlink.MAVLink(None, *sender)
        self._parser = parser()
        self.received = []

    def close(self):
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, message):
        self.send_bytes(message.pack(self._encoder))
        self._encoder.seq = (self._encoder.seq + 1) % 256

    def send_bytes(self, data):
        self._socket.sendto(data, self._camera)

    def heartbeat(self):
        self.send(mavlink.MAVLink_heartbeat_message(mavlink.MAV_TYPE_GCS, 8, 0, 0, 4, 3))

    def poll(self):
        """Take what comes within a moment."""
        try:
            data, address = self._socket.recvfrom(65535)
        except (TimeoutError, ConnectionRefusedError):
            return
        self._camera = self._camera or address
        for message in self._parser.parse_buffer(data) or ():
            assert (message.get_srcSystem(), message.get_srcComponent()) == CAMERA
            self.received.append(message)

    def wait(self, condition, what, meanwhile=lambda: None):
        """Return the first message that fulfils a condition, and forget it with all before it."""
        end = time.monotonic() + DEADLINE
        while True:
            for number, message in enumerate(self.received):
                if condition(message):
                    del self.received[: number + 1]
                    return message
            assert time.monotonic() < end, f"waited for {what}, received {kinds(self.received)}"
            meanwhile()
            self.poll()

    def wait_for(self, kind, meanwhile=lambda: None):
        return self.wait(lambda message: message.get_type() == kind, kind, meanwhile)

    def command(self, number, *params, meanwhile=lambda: None, **options):
        """Send a command; return the result that ends it."""
        self.send(command_long(number, *params, **options))

        def ends(message):
            is_answer = message.get_type() == "COMMAND_ACK" and message.command == number
            return is_answer and message.result != IN_PROGRESS

        return self.wait(ends, f"the answer to {number}", meanwhile).result


def free_port(kind=socket.SOCK_DGRAM):
    """Return a port of this machine that nobody has."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
