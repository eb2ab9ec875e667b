# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Real links on this machine: UDP, TCP and a pseudo terminal in the place of a serial device."""

import contextlib
import functools
import os
import queue
import random
import socket
import subprocess
import sys
import time
import tty

import pytest
from mavlink_testing import (
    CAMERA,
    DEADLINE,
    INFORMATION,
    QGROUNDCONTROL,
    REQUEST_MESSAGE,
    SET_INTERVAL,
    STOP_TRACKING,
    TRACK_POINT,
    TRACK_RECTANGLE,
    TRACKING_STATUS,
    GivenTracker,
    GroundStation,
    command_long,
    free_port,
    mavlink,
    parser,
)

from siam_tracker_ros.core.monitor import TargetState
from siam_tracker_ros.errors import InvalidSettingError
from siam_tracker_ros.mavlink.camera import MavlinkCamera, TargetReport
from siam_tracker_ros.mavlink.links import Links, parse_connection
from siam_tracker_ros.mavlink.settings import MavlinkSettings

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Shorter periods than on a vehicle."""
    monkeypatch.setattr("siam_tracker_ros.mavlink.links._RETRY_S", 0.1)
    monkeypatch.setattr("siam_tracker_ros.mavlink.camera.HEARTBEAT_S", 0.1)


class LiveCamera:
    """A camera on real links, of which every call of `work` does what has come: a context manager."""

    def __init__(self, *connections):
        self.said = []
        self.tracker = GivenTracker()
        self._messages = queue.SimpleQueue()
        settings = MavlinkSettings(connections=connections)
        self.links = Links(connections, *CAMERA, lambda *arrived: self._messages.put(arrived), self.said.append)
        self._camera = MavlinkCamera(settings, self.tracker, self.links.send, self.said.append, time.monotonic)

    def __enter__(self):
        self.links.start()
        return self

    def __exit__(self, *_):
        self.links.close()

    def work(self):
        with contextlib.suppress(queue.Empty):
            while True:
                self._camera.receive(*self._messages.get_nowait())
        while self.tracker.waiting:
            self.tracker.answer()
        self._camera.report(TargetReport(TargetState.IDLE, (640, 480)))
        self._camera.tick()

    def wait_until_said(self, words):
        end = time.monotonic() + DEADLINE
        while not any(words in sentence for sentence in self.said):
            assert time.monotonic() < end, f"waited for '{words}', said: {self.said}"
            self.work()
            time.sleep(0.01)


def ask(station, camera):
    """Ask for the camera's information, again and again as a station does, until it comes."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            station.send(command_long(REQUEST_MESSAGE, INFORMATION))
        for _ in range(4):
            camera.work()
            station.poll()
            found = [m for m in station.received if m.get_type() == "CAMERA_INFORMATION"]
            if found:
                station.received.clear()
                return found[0]
    raise AssertionError(f"no answer; said: {camera.said}")


def answers(number, sender, message):
    """Whether a message acknowledges a command to its sender; the other stations on the link get it as well."""
    is_answer = message.get_type() == "COMMAND_ACK" and message.command == number
    return is_answer and (message.target_system, message.target_component) == sender


@pytest.mark.parametrize(
    "text",
    [
        *("", "udp", "udpout", "udpout:", "udpout:14550", "udpin::14550", "udpout:host:", "udpout:host:0"),
        *("udpout:host:65536", "udpout:host:-1", "udpout:host:14.5", "tcpin:0.0.0.0:5760", "udpbcast:1.2.3.4:5"),
        *("ttyUSB0", "/dev/ttyUSB0,", "/dev/ttyUSB0,fast", "/dev/ttyUSB0,0", "UDPOUT:host:1"),
    ],
)
def test_connections_of_no_known_form_are_refused(text):
    if text == "/dev/ttyUSB0,":
        assert parse_connection(text).number == 57600
        return
    with pytest.raises(
        InvalidSettingError, match=r"connection is '.*', expected udpout:HOST:PORT, .* /dev/ttyUSB0,57600"
    ):
        parse_connection(text)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("udpout:192.168.1.20:14550", ("udpout", "192.168.1.20", 14550)),
        ("udpin:0.0.0.0:14551", ("udpin", "0.0.0.0", 14551)),
        ("tcp:[::1]:5760", ("tcp", "::1", 5760)),
        ("/dev/serial/by-id/usb-FTDI,921600", ("serial", "/dev/serial/by-id/usb-FTDI", 921600)),
    ],
)
def test_connections(text, expected):
    assert parse_connection(text) == expected


def test_a_serial_device_needs_pyserial(monkeypatch):
    monkeypatch.setitem(sys.modules, "serial", None)
    with pytest.raises(InvalidSettingError, match=r'serial device needs serial, .* pip install "\.\[mavlink\]"'):
        parse_connection("/dev/ttyUSB0")


@pytest.mark.parametrize(
    "values, words",
    [
        ({"connections": ("udp",)}, "connection is 'udp'"),
        ({"system_id": 0}, "system_id is 0, expected 1 to 255"),
        ({"component_id": 1}, "component_id is 1, expected 7 to 255"),
        ({"model_name": 33 * "x"}, "expected at most 32 characters, all of them ASCII"),
        ({"model_name": "caméra"}, "model_name is 'caméra', expected at most 32 characters, all of them ASCII"),
        ({"video_uri": "drone:8554"}, "expected one that begins with rtsp, udp, tcp and ://"),
        ({"video_uri": "rtsp://" + 160 * "x"}, "expected at most 160 characters"),
        ({"point_box": "circle"}, "point_box is 'circle'"),
        ({"point_size": 1.5}, "point_size is 1.5, expected 0 to 1"),
        ({"status_rate": 0.0}, "status_rate is 0, expected 0.1 to 100"),
    ],
)
def test_settings_that_cannot_be_used(values, words):
    with pytest.raises(InvalidSettingError) as refusal:
        MavlinkSettings(**values).check()
    assert words in str(refusal.value)


def test_two_stations_on_one_port_are_both_served_and_may_restart():
    port = free_port()
    with LiveCamera(f"udpin:127.0.0.1:{port}") as camera, GroundStation(camera_port=port, sender=(192, 1)) as second:
        for _ in range(2):  # each time from another port
            with GroundStation(camera_port=port) as first:
                for station, sender in ((first, QGROUNDCONTROL), (second, (192, 1))):
                    ask(station, camera)
                    station.send(command_long(TRACK_RECTANGLE, 0, 0, 0.5, 0.5))
                    is_answer = functools.partial(answers, TRACK_RECTANGLE, sender)
                    station.wait(is_answer, "the answer that is for this station", camera.work)
                for station in (first, second):
                    station.received.clear()
                    station.wait_for("HEARTBEAT", camera.work)


def test_who_sends_no_mavlink_is_told_nothing():
    port = free_port()
    with LiveCamera(f"udpin:127.0.0.1:{port}") as camera, GroundStation(camera_port=port) as station:
        camera.wait_until_said("is open")
        with GroundStation(camera_port=port) as scanner:
            scanner.send_bytes(b"GET / HTTP/1.1\r\n\r\n")
            ask(station, camera)
            station.wait_for("HEARTBEAT", camera.work)
            scanner.poll()
            assert not scanner.received


def test_a_camera_finds_a_station_that_starts_later_and_one_that_restarts():
    port = free_port()
    with LiveCamera(f"udpout:localhost:{port}") as camera:
        for _ in range(20):  # nobody is there: the system says so with each datagram
            camera.work()
            time.sleep(0.005)
        for _ in range(2):
            with GroundStation(port) as station:
                station.wait_for("HEARTBEAT", camera.work)
                ask(station, camera)
    assert len(camera.said) == 1 and "is open" in camera.said[0]


def test_a_station_finds_a_camera_that_restarts():
    with GroundStation() as station:
        for _ in range(2):
            with LiveCamera(f"udpout:127.0.0.1:{station.port}") as camera:
                station._camera = None  # it sends from another port
                station.received.clear()
                station.wait_for("HEARTBEAT", camera.work)
                ask(station, camera)


def test_numbers_of_frames_count_on_each_link():
    """So a receiver sees no loss."""
    with GroundStation() as first, GroundStation() as second:
        with LiveCamera(*(f"udpout:127.0.0.1:{station.port}" for station in (first, second))) as camera:
            first.wait_for("HEARTBEAT", camera.work)
            second.wait_for("HEARTBEAT", camera.work)
            for _ in range(3):
                ask(first, camera)
            received = []
            for _ in range(2):
                received.append(second.wait_for("HEARTBEAT", camera.work).get_seq())
            assert received[1] == received[0] + 1


def test_a_port_that_is_taken_is_said_once_and_used_when_it_is_free():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        with LiveCamera(f"udpin:127.0.0.1:{port}") as camera:
            camera.wait_until_said(
                f"MAVLink udpin 127.0.0.1 {port} has failed: [Errno 98] Address already in use; it is"
            )
            time.sleep(0.3)  # for further attempts
            assert len(camera.said) == 1
            other.close()
            camera.wait_until_said("is open")


def test_a_host_that_is_unknown_is_said():
    with LiveCamera("udpout:no-such-host.invalid:14550") as camera:
        camera.wait_until_said("udpout no-such-host.invalid 14550 has failed: ")
        camera.work()  # what is sent is lost


class StreamStation(GroundStation):
    """A ground station on a stream of bytes, given by functions that read and write."""

    def __init__(self, read, write):
        self._read, self.send_bytes = read, write
        self._encoder = mavlink.MAVLink(None, *QGROUNDCONTROL)
        self._parser = parser()
        self.received = []

    def poll(self):
        for message in self._parser.parse_buffer(self._read()) or ():
            self.received.append(message)


def test_tcp_is_connected_again():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(DEADLINE)
        with LiveCamera(f"tcp:127.0.0.1:{server.getsockname()[1]}") as camera:
            for _ in range(2):
                accepted, _ = server.accept()
                with accepted:
                    accepted.settimeout(0.02)
                    read, write = quiet(accepted.recv), accepted.sendall
                    station = StreamStation(read, write)
                    write(b"\xfd\x05noise")
                    ask(station, camera)
                camera.wait_until_said("the other side has closed the connection")
                camera.said.clear()


def test_a_full_stream_does_not_hold_the_camera_up():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(DEADLINE)
        with LiveCamera(f"tcp:127.0.0.1:{server.getsockname()[1]}") as camera:
            accepted, _ = server.accept()
            with accepted:
                accepted.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                camera.wait_until_said("is open")
                message = mavlink.MAVLink_statustext_message(4, 50 * b"x")
                end = time.monotonic() + DEADLINE
                while not any("failed" in sentence for sentence in camera.said) and time.monotonic() < end:
                    camera.links.send(0, message)  # nobody reads
                assert any("failed" in sentence for sentence in camera.said), "a frame was cut, the link starts anew"


def test_a_serial_device():
    master, slave = os.openpty()
    tty.setraw(master)
    os.set_blocking(master, False)
    try:
        with LiveCamera(f"{os.ttyname(slave)},115200") as camera:
            station = StreamStation(quiet(lambda size: os.read(master, size)), lambda data: os.write(master, data))
            os.write(master, b"\xfe\xff noise")
            ask(station, camera)
    finally:
        os.close(master)
        os.close(slave)


def test_a_serial_device_that_is_not_there_is_said():
    with LiveCamera("/dev/no-such-tty") as camera:
        camera.wait_until_said("MAVLink serial /dev/no-such-tty 57600 has failed: ")


def quiet(read):
    def read_or_nothing():
        try:
            return read(4096)
        except (BlockingIOError, TimeoutError):
            time.sleep(0.01)
            return b""

    return read_or_nothing


def mutated(frame, chance):
    """Return a frame with one to four kinds of damage."""
    data = bytearray(frame)
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(data)) if data else 0
        kind = chance.randrange(6)
        if kind == 0 and data:
            data[place] ^= 1 << chance.randrange(8)
        elif kind == 1:
            data[place : place + chance.randint(1, 30)] = chance.randbytes(chance.randint(0, 30))
        elif kind == 2:
            del data[place:]
        elif kind == 3:
            data[place:place] = b"\xfd\xfe"[chance.randrange(2) :][:1]
        elif kind == 4:
            data += frame[: chance.randint(1, len(frame))]
        elif len(data) > 12:  # the payload alone, with a sum that fits: a well-formed frame with any content
            data = reseal(data, chance)
    return bytes(data)


def reseal(data, chance):
    """Return a frame with other bytes in its header's flags, ids or payload, and the sum that belongs to them."""
    for place in (chance.randrange(2, len(data) - 2) for _ in range(chance.randint(1, 6))):
        if place not in (2, 7, 8, 9):  # the flags and the number of the message stay
            data[place] = chance.randrange(256)
    known = mavlink.mavlink_map.get(int.from_bytes(data[7:10], "little"))
    if known is not None:
        total = mavlink.x25crc(bytes(data[1:-2]) + bytes([known.crc_extra]))
        data[-2:] = total.crc.to_bytes(2, "little")
    return data


@pytest.mark.parametrize("kind, count", [("udp", 10_000), ("tcp", 1_000)])
def test_damaged_frames_leave_the_camera_alive(kind, count):
    chance = random.Random(2026)
    encoder = mavlink.MAVLink(None, *QGROUNDCONTROL)
    frames = [
        message.pack(encoder)
        for message in (
            command_long(TRACK_RECTANGLE, 0.25, 0.25, 0.5, 0.5),
            command_long(TRACK_POINT, 0.5, 0.5, 0.1),
            command_long(STOP_TRACKING),
            command_long(REQUEST_MESSAGE, INFORMATION),
            command_long(SET_INTERVAL, TRACKING_STATUS, 100_000),
            mavlink.MAVLink_command_int_message(*CAMERA, 0, TRACK_RECTANGLE, 0, 0, 0.1, 0.1, 0.5, 0.5, 0, 0, 0.0),
            mavlink.MAVLink_heartbeat_message(mavlink.MAV_TYPE_GCS, 8, 0, 0, 4, 3),
            mavlink.MAVLink_param_ext_request_list_message(*CAMERA),
        )
    ]
    with contextlib.ExitStack() as stack:
        if kind == "udp":
            port = free_port()
            camera = stack.enter_context(LiveCamera(f"udpin:127.0.0.1:{port}"))
            station = stack.enter_context(GroundStation(camera_port=port))
            camera.wait_until_said("is open")
        else:
            server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            camera = stack.enter_context(LiveCamera(f"tcp:127.0.0.1:{server.getsockname()[1]}"))
            accepted = stack.enter_context(server.accept()[0])
            accepted.settimeout(0.02)
            station = StreamStation(quiet(accepted.recv), accepted.sendall)
        for number in range(count):
            station.send_bytes(mutated(chance.choice(frames), chance))
            if number % 100 == 99:
                assert ask(station, camera).flags == 512 | 1024
        assert not [sentence for sentence in camera.said if "has failed" in sentence]
    assert len(camera.tracker.calls) > 5, "enough of them were whole to be obeyed"
    refusals = [sentence for sentence in camera.said if "refused" in sentence]
    assert [each for each in refusals if "expected" not in each and "answered" not in each] == []


PROBE = """
import os

before = dict(os.environ)
from siam_tracker_ros.mavlink.camera import MavlinkCamera
from siam_tracker_ros.mavlink.links import Links

links = Links(["udpout:127.0.0.1:9"], 1, 100, print, print)
assert dict(os.environ) == before
os.environ["MAVLINK20"] = "1"
os.environ["MAVLINK_DIALECT"] = "ardupilotmega"
from pymavlink import mavutil

print(mavutil.mavlink.__name__, mavutil.mavlink.WIRE_PROTOCOL_VERSION)
"""


def test_other_users_of_pymavlink_in_the_process_choose_for_themselves():
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["pymavlink.dialects.v20.ardupilotmega", "2.0"], done.stderr
