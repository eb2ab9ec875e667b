# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The ways on which MAVLink frames come and go: UDP, TCP and serial, in pymavlink's words for them.

A link is opened, and opened again after a failure, by a thread of its own, which also reads. What is sent while it is
not open is lost, as it is on a radio; the protocol above repeats what matters.
"""

import abc
import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from pymavlink.dialects.v20 import common as mavlink

from siam_tracker_ros.errors import InvalidSettingError
from siam_tracker_ros.extras import require

_WAIT_S = 0.2  # for data, before a thread looks whether it should end
_RETRY_S = 1.0
_CONNECT_S = 3.0
_DATAGRAM_BYTES = 65535
_STREAM_BYTES = 4096
_PEER_SILENCE_S = 10.0
_MAX_PEERS = 16
_BAUD = 57600
_KINDS = ("udpout", "udpin", "tcp")

OnMessage = Callable[[int, mavlink.MAVLink_message], None]
Say = Callable[[str], None]
Address = tuple  # of a socket; its length depends on the family


class Connection(NamedTuple):
    """Where a link leads.

    Attributes:
        kind: udpout, udpin, tcp or serial.
        host: name or address, or the serial device.
        number: the port, or the baud rate.
    """

    kind: str
    host: str
    number: int


def parse_connection(text: str) -> Connection:
    """Return the Connection of a text such as `udpout:192.168.1.20:14550` or `/dev/ttyUSB0,57600`.

    Raises:
        InvalidSettingError: it is of no known form, or a serial device is named and pyserial is not installed.
    """
    kind, _, place = text.partition(":")
    if kind in _KINDS:
        host, _, port = place.rpartition(":")
        if host and port.isdecimal() and 0 < int(port) < 2**16:
            return Connection(kind, host.removeprefix("[").removesuffix("]"), int(port))
    elif text.startswith("/"):
        device, _, baud = text.partition(",")
        if not baud or (baud.isdecimal() and int(baud) > 0):
            require("MAVLink on a serial device", "serial", extra="mavlink")
            return Connection("serial", device, int(baud or _BAUD))
    raise InvalidSettingError(
        f"connection is '{text}', expected udpout:HOST:PORT, udpin:HOST:PORT, tcp:HOST:PORT or a serial device such as "
        f"/dev/ttyUSB0,{_BAUD}"
    )


class Links:
    """All links of a camera.

    Args:
        connections: where they lead.
        system_id, component_id: of the sender of what is sent.
        on_message: gets the number of the link and each whole message that comes, in the link's thread.
        say: gets a sentence when a link opens or fails.
    """

    def __init__(
        self, connections: Iterable[str], system_id: int, component_id: int, on_message: OnMessage, say: Say
    ) -> None:
        self._links = [
            _LINKS[connection.kind](connection, number, on_message, say)
            for number, connection in enumerate(map(parse_connection, connections))
        ]
        # one for each link: a receiver counts lost messages by the gaps in their numbers
        self._encoders = [mavlink.MAVLink(link, system_id, component_id) for link in self._links]

    def __len__(self) -> int:
        return len(self._links)

    def start(self) -> None:
        """Open them."""
        for link in self._links:
            link.start()

    def send(self, link: int, message: mavlink.MAVLink_message) -> None:
        """Send a message on a link; for one thread alone."""
        self._encoders[link].send(message)

    def close(self) -> None:
        """Close them and end their threads."""
        for link in self._links:
            link.close()


class _Link(abc.ABC):
    """One link. Subclasses open it, and read and write bytes."""

    def __init__(self, connection: Connection, number: int, on_message: OnMessage, say: Say) -> None:
        self._connection = connection
        self._number = number
        self._on_message = on_message
        self._say = say
        self._ending = threading.Event()
        self._failure = ""
        self._thread = threading.Thread(target=self._run, name=f"mavlink {number}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join()

    @abc.abstractmethod
    def write(self, data: bytes) -> None:
        """Send the bytes of a message, or lose them; called by the encoder."""

    @abc.abstractmethod
    def _open(self) -> None:
        """Open; raise OSError where that fails."""

    @abc.abstractmethod
    def _receive(self) -> None:
        """Wait a moment for data and pass on what is in it; raise OSError where the link has failed."""

    @abc.abstractmethod
    def _shut(self) -> None:
        """Close what `_open` opened, if it did."""

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                self._open()
                self._note("")
                while not self._ending.is_set():
                    self._receive()
            except OSError as error:
                self._note(str(error) or type(error).__name__)
            finally:
                self._shut()
            self._ending.wait(_RETRY_S)

    def _note(self, failure: str) -> None:
        """Say it when the link opens or fails, once for each failure."""
        kind, host, number = self._connection
        place = f"MAVLink {kind} {host} {number}"
        if not failure:
            self._say(f"{place} is open")
        elif failure != self._failure:
            self._say(f"{place} has failed: {failure}; it is opened again every {_RETRY_S:g} s")
        self._failure = failure

    def _pass_on(self, parser: mavlink.MAVLink, data: bytes) -> bool:
        """Pass on the messages in data; return whether there was one. Noise and unknown messages are passed over."""
        messages = [
            message
            for message in parser.parse_buffer(data) or ()
            if not isinstance(message, (mavlink.MAVLink_bad_data, mavlink.MAVLink_unknown))
        ]
        for message in messages:
            self._on_message(self._number, message)
        return bool(messages)


def _parser() -> mavlink.MAVLink:
    parser = mavlink.MAVLink(None)
    parser.robust_parsing = True  # damaged frames are no error
    return parser


class _SocketLink(_Link):
    """A link with a socket, which never makes a sender wait."""

    _kind: int
    _socket: socket.socket | None = None
    _poll: select.poll

    def _make_socket(self) -> tuple[socket.socket, Address]:
        """Return a new socket, which is shut with the link, and the address of the connection."""
        family, kind, _, _, address = socket.getaddrinfo(
            self._connection.host, self._connection.number, type=self._kind
        )[0]
        self._socket = socket.socket(family, kind)
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)
        return self._socket, address

    def _receive(self) -> None:
        assert self._socket is not None
        if self._poll.poll(1000 * _WAIT_S):
            with contextlib.suppress(BlockingIOError):  # what had come is gone, such as a datagram with a wrong sum
                self._read(self._socket)

    @abc.abstractmethod
    def _read(self, opened: socket.socket) -> None:
        """Read what has come, and pass it on."""

    def _shut(self) -> None:
        shut, self._socket = self._socket, None
        if shut is not None:
            shut.close()


class _UdpLink(_SocketLink):
    """Datagrams hold whole frames, so what is left of a damaged one does not meet the next."""

    _kind = socket.SOCK_DGRAM

    def _read(self, opened: socket.socket) -> None:
        try:
            data, address = opened.recvfrom(_DATAGRAM_BYTES)
        except ConnectionRefusedError:  # nobody listens there yet
            return
        if self._pass_on(_parser(), data):
            self._note_peer(address)

    def _note_peer(self, address: Address) -> None:
        """Note who has sent a whole message."""


class _UdpOutLink(_UdpLink):
    """Sends to one place, and hears only that."""

    def _open(self) -> None:
        opened, address = self._make_socket()
        opened.connect(address)
        opened.setblocking(False)

    def write(self, data: bytes) -> None:
        opened = self._socket
        if opened is None:
            return
        with contextlib.suppress(OSError):
            try:
                opened.send(data)
            except ConnectionRefusedError:  # so was the one before; this one has not been sent
                opened.send(data)


class _UdpInLink(_UdpLink):
    """Listens, and sends to all whom it has heard in the last seconds."""

    def __init__(self, connection: Connection, number: int, on_message: OnMessage, say: Say) -> None:
        super().__init__(connection, number, on_message, say)
        self._lock = threading.Lock()
        self._peers: dict[Address, float] = {}  # when they were heard; the one that is silent for longest first

    def _open(self) -> None:
        opened, address = self._make_socket()
        opened.setblocking(False)
        opened.bind(address)

    def _note_peer(self, address: Address) -> None:
        with self._lock:
            self._peers.pop(address, None)
            self._peers[address] = time.monotonic()
            if len(self._peers) > _MAX_PEERS:
                del self._peers[next(iter(self._peers))]

    def write(self, data: bytes) -> None:
        opened, now = self._socket, time.monotonic()
        if opened is None:
            return
        with self._lock:
            peers = [address for address, heard in self._peers.items() if now - heard <= _PEER_SILENCE_S]
        for address in peers:
            with contextlib.suppress(OSError):  # the others get it
                opened.sendto(data, address)


class _TcpLink(_SocketLink):
    """Connects to a server."""

    _kind = socket.SOCK_STREAM

    def _open(self) -> None:
        opened, address = self._make_socket()
        opened.settimeout(_CONNECT_S)
        opened.connect(address)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        opened.setblocking(False)
        self._stream_parser = _parser()

    def _read(self, opened: socket.socket) -> None:
        data = opened.recv(_STREAM_BYTES)
        if not data:
            raise ConnectionError("the other side has closed the connection")
        self._pass_on(self._stream_parser, data)

    def write(self, data: bytes) -> None:
        opened = self._socket
        with contextlib.suppress(OSError):  # not connected yet, or full: lost; the reader sees a failure
            if opened is not None and opened.send(data) < len(data):
                opened.shutdown(socket.SHUT_RDWR)  # a frame was cut: the reader opens it again


class _SerialLink(_Link):
    """A serial device."""

    def __init__(self, connection: Connection, number: int, on_message: OnMessage, say: Say) -> None:
        super().__init__(connection, number, on_message, say)
        self._lock = threading.Lock()  # pyserial's port must not be closed while another thread writes
        self._port: Any = None

    def _open(self) -> None:
        import serial

        _, device, baud = self._connection
        port = serial.Serial(device, baud, timeout=_WAIT_S, write_timeout=0)  # its SerialException is an OSError
        with self._lock:
            self._port = port
        self._stream_parser = _parser()

    def _receive(self) -> None:
        self._pass_on(self._stream_parser, self._port.read(max(1, self._port.in_waiting)))

    def write(self, data: bytes) -> None:
        with self._lock, contextlib.suppress(OSError):  # which the reader sees, too
            if self._port is not None:
                self._port.write(data)

    def _shut(self) -> None:
        with self._lock:
            shut, self._port = self._port, None
        if shut is not None:
            shut.close()


_LINKS: dict[str, type[_Link]] = {
    "udpout": _UdpOutLink,
    "udpin": _UdpInLink,
    "tcp": _TcpLink,
    "serial": _SerialLink,
}
