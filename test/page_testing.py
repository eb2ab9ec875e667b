# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the tests of the operator's page share: a host that records commands, and a viewer that is no browser."""

import asyncio
import collections
import contextlib
import json
import struct
import threading
from concurrent.futures import Future

import aiohttp
import cv2
import numpy as np

from siam_tracker_ros.core.monitor import MonitorSettings, TargetState
from siam_tracker_ros.core.session import Observation
from siam_tracker_ros.page.access import Access
from siam_tracker_ros.page.commands import COMMANDS
from siam_tracker_ros.page.pictures import Picture, TargetView
from siam_tracker_ros.page.server import Offer, PageServer
from siam_tracker_ros.settings import settings_of, to_values

DEADLINE = 20.0  # seconds, which only a failure reaches
SIZE_WH = (320, 240)
SETTINGS = MonitorSettings()
ANY_PORT = Access(port=0)


class Host:
    """A page whose commands are recorded and answered at once, or as a test says.

    Attributes:
        server: the PageServer.
        commands: those that came in.
        answer: returns what a command's future is given; an exception is raised from it.
    """

    def __init__(self, answer=lambda command: f"{command.type} is done", access=ANY_PORT, **offer):
        self.commands = []
        self.answer = answer
        self._came = threading.Condition()
        offer = {"commands": tuple(COMMANDS.values()), "settings": tuple(settings_of(MonitorSettings).values())} | offer
        self.server = PageServer(access, Offer("clip.mp4", **offer), to_values(SETTINGS), self._perform)
        self._picture_count = 0

    def show(self, **fields):
        """Show a picture, whose stamp is its number in seconds; return the stamp in nanoseconds."""
        self._picture_count += 1
        fields = {"stamp_ns": self._picture_count * 10**9, "image_bgr": picture_bgr()} | fields
        self.server.show(Picture(**fields))
        return fields["stamp_ns"]

    def wait_for_commands(self, count):
        """Wait until so many commands have come; return them."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.commands) >= count, DEADLINE), self.commands
            return list(self.commands)

    def _perform(self, command):
        with self._came:
            self.commands.append(command)
            self._came.notify_all()
        answer = self.answer(command)
        if isinstance(answer, Future):
            return answer
        future = Future()
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)
        return future


@contextlib.contextmanager
def hosting(*arguments, **options):
    """A Host, closed at the end."""
    host = Host(*arguments, **options)
    try:
        yield host
    finally:
        host.server.close()


class Viewer:
    """A viewer that speaks the page's protocol.

    Attributes:
        offer: the first message.
    """

    def __init__(self, socket):
        self._socket = socket
        self._requests = 0
        self._received = collections.defaultdict(collections.deque)  # by kind

    async def receive(self, kind):
        """Wait for the next message of a kind, "picture" or the type of a text; return (header, JPEG) or the message.

        Messages of other kinds wait for their turn.
        """
        return await asyncio.wait_for(self._receive(kind), DEADLINE)

    async def _receive(self, kind):
        while not self._received[kind]:
            message = await self._socket.receive()
            if message.type == aiohttp.WSMsgType.BINARY:
                self._received["picture"].append(parse_picture(message.data))
            else:
                assert message.type == aiohttp.WSMsgType.TEXT, f"{message}, close code {self._socket.close_code}"
                fields = json.loads(message.data)
                self._received[fields["type"]].append(fields)
        return self._received[kind].popleft()

    async def picture(self, seen=True):
        """Wait for a picture, and say that it was drawn."""
        picture = await self.receive("picture")
        if seen:
            await self.seen()
        return picture

    async def seen(self):
        await self._socket.send_str('{"type":"seen"}')

    async def send(self, text):
        """Send a text as it is."""
        await self._socket.send_str(text)

    async def ask(self, type, **fields):
        """Send a request; return its answer."""
        self._requests += 1
        await self.send(json.dumps({"type": type, "id": self._requests, **fields}))
        answer = await self.receive("answer")
        assert answer["id"] == self._requests
        return answer

    async def close(self):
        await self._socket.close()


@contextlib.asynccontextmanager
async def connected(server, token="", **options):
    """A Viewer of a server."""
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(f"http://127.0.0.1:{server.port}/socket?token={token}", **options) as socket:
            yield Viewer(socket)


async def until(condition):
    """Wait for what nobody tells."""
    loop = asyncio.get_running_loop()
    end = loop.time() + DEADLINE
    while not condition():
        assert loop.time() < end
        await asyncio.sleep(0.005)


def parse_picture(data):
    """Return header and JPEG of a picture's message."""
    (length,) = struct.unpack_from("<I", data)
    return json.loads(data[4 : 4 + length]), data[4 + length :]


def picture_bgr(size_wh=SIZE_WH):
    """A picture that JPEG keeps."""
    rows, columns = np.mgrid[: size_wh[1], : size_wh[0]]
    return np.stack([columns * 255 // size_wh[0], rows * 255 // size_wh[1], np.full_like(rows, 90)], -1).astype(
        np.uint8
    )


def tracked(box_xywh=(40, 30, 60, 50), state=TargetState.TRACKING, candidates_xywh=(), **fields):
    """A target in a box."""
    box_xywh = None if box_xywh is None else np.array(box_xywh, np.float64)
    return TargetView("target_1", Observation(state, box_xywh, **{"confidence": 0.9} | fields), candidates_xywh)


def decoded(jpeg):
    """Return the pixels of a JPEG."""
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
