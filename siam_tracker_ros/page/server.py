# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The server of the operator's page, in a thread of its own: pictures in, commands out.

A viewer has at most MAX_IN_FLIGHT pictures that it has not said to have drawn. Then it gets the newest one: a slow
viewer, or one that does not answer any more, gets fewer pictures, and nothing is queued. While no viewer waits for a
picture, none is encoded.
"""

import asyncio
import contextlib
import dataclasses
import json
import logging
import math
import socket
import threading
import typing
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path

from aiohttp import WSMsgType, web
from aiohttp.http import HttpProcessingError

from siam_tracker_ros.errors import InvalidInputError, InvalidSettingError, SiamTrackerError
from siam_tracker_ros.page.access import Access
from siam_tracker_ros.page.commands import (
    MAX_REQUEST_BYTES,
    Command,
    RequestError,
    Seen,
    SetValue,
    parse_request,
)
from siam_tracker_ros.page.pictures import Picture, encode_picture
from siam_tracker_ros.settings import Setting

logger = logging.getLogger(__name__)

MAX_VIEWERS = 16
MAX_IN_FLIGHT = 2  # pictures on the way to a viewer; one would leave the connection idle until it answers
ALIVE_S = 2.0  # after which a viewer without pictures hears that the connection is there
END_S = 5.0  # for the end of all connections
HEARTBEAT_S = 10.0  # between two questions to a viewer whether it is there
ANSWER_S = 30.0  # for which a viewer waits for the outcome of its command
CLOSE_S = 1.0
WRONG_TOKEN, TOO_MANY = 4401, 4429  # codes with which a connection is closed, for the page
PAGE = Path(__file__).with_name("page.html")
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'self'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclasses.dataclass(frozen=True)
class Offer:
    """What the page offers.

    Attributes:
        title: what is tracked in.
        commands: commands that are performed.
        settings: settings that can be changed at any time: bool, int, float, str or a choice.
        keep_s: seconds for which a picture can be drawn in before its frame is forgotten.
    """

    title: str
    commands: tuple[type[Command], ...]
    settings: tuple[Setting, ...] = ()
    keep_s: float = 2.0

    def describe(self) -> dict[str, typing.Any]:
        """Return it as the page reads it."""
        return {
            "type": "offer",
            "title": self.title,
            "commands": [command.type for command in self.commands],
            "settings": [_describe_setting(setting) for setting in self.settings],
            "keep_s": self.keep_s,
        }


class _Viewer:
    """One connection.

    Attributes:
        socket: the WebSocket.
        wake: set when there may be something to send.
        in_flight: pictures that were sent and not yet drawn.
        number: of the picture that was sent last.
        sent_at: time of the loop at which something was sent last.
        values_due: whether the values of the settings have changed since they were sent.
        task: the command that is being performed, or None.
    """

    def __init__(self, viewer_socket: web.WebSocketResponse) -> None:
        self.socket = viewer_socket
        self.wake = asyncio.Event()
        self.in_flight = 0
        self.number = 0
        self.sent_at = 0.0
        self.values_due = True
        self.task: asyncio.Task | None = None
        self._handler = asyncio.current_task()

    async def send(self, message: Mapping[str, typing.Any] | bytes) -> None:
        """Send a message: text, or that of a picture."""
        if isinstance(message, bytes):
            await self.socket.send_bytes(message)
        else:
            await self.socket.send_str(json.dumps(message, allow_nan=False))
        self.sent_at = asyncio.get_running_loop().time()

    async def close(self) -> None:
        """Say goodbye; one that does not listen is cut off."""
        with contextlib.suppress(ConnectionError, asyncio.TimeoutError):
            await asyncio.wait_for(self.socket.close(code=1001), CLOSE_S)
        if self._handler is not None:
            self._handler.cancel()


class PageServer:
    """Serves the page until it is closed. `show` and `set_values` can be called from any thread, one at a time.

    Attributes:
        port: TCP port that it listens on.
        url: address to open in a browser.
        is_watched: whether a viewer waits for a picture.
    """

    def __init__(
        self,
        access: Access,
        offer: Offer,
        values: Mapping[str, typing.Any],
        perform: Callable[[Command], "Future[str]"],
    ) -> None:
        """Start to serve.

        Args:
            access: where, and to whom.
            offer: what the page offers.
            values: values of the settings that it offers, by name.
            perform: called in the server's thread with a command that is offered; returns the future of a sentence that
                says what was done. It or the future may raise.

        Raises:
            InvalidSettingError: others could reach the page without a token, or the address cannot be listened on.
        """
        access.check()
        self.is_watched = False
        self._access = access
        self._offer = offer
        self._values = dict(values)
        self._perform = perform
        self._html = PAGE.read_bytes()
        self._viewers: list[_Viewer] = []
        self._newest: tuple[int, Picture] | None = None  # with its number, from 1 on
        self._encoded: tuple[int, bytes] = (0, b"")  # number and message of the picture that was encoded last
        self._loop = asyncio.new_event_loop()
        self._stopped = asyncio.Event()
        listener = _listen(access)
        self.port: int = listener.getsockname()[1]
        self.url = access.url(self.port)
        self._thread = threading.Thread(target=self._run, args=(listener,), name="page", daemon=True)
        self._thread.start()

    def show(self, picture: Picture) -> None:
        """Show a picture, in place of the one before."""
        self._newest = (1 if self._newest is None else self._newest[0] + 1), picture
        if self.is_watched:
            self._loop.call_soon_threadsafe(self._wake_viewers)

    def set_values(self, values: Mapping[str, typing.Any]) -> None:
        """Show other values of the settings that the page offers."""
        self._values = dict(values)
        self._loop.call_soon_threadsafe(self._note_values)

    def close(self) -> None:
        """Close all connections and end the thread; closing twice is safe.

        A thread that draws a mask by a network that does not return is left behind.
        """
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopped.set)
            self._thread.join(END_S)

    def _run(self, listener: socket.socket) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve(listener))
        finally:
            self._loop.close()

    async def _serve(self, listener: socket.socket) -> None:
        app = web.Application(client_max_size=MAX_REQUEST_BYTES, middlewares=[self._guard])
        app.router.add_get("/", self._on_page)
        app.router.add_get("/socket", self._on_viewer)
        runner = web.AppRunner(app, access_log=None, logger=_http_logger)
        await runner.setup()
        await web.SockSite(runner, listener).start()
        await self._stopped.wait()
        await asyncio.gather(*(viewer.close() for viewer in self._viewers))
        await runner.cleanup()
        left = asyncio.all_tasks() - {asyncio.current_task()}  # aiohttp's own, of connections that were cut off
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    @web.middleware
    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], typing.Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Answer only who may ask."""
        refusal = self._access.refusal(request.host, request.headers.get("Origin"))
        if refusal:
            return web.Response(status=403, text=refusal)
        return await handler(request)

    async def _on_page(self, request: web.Request) -> web.Response:
        return web.Response(body=self._html, content_type="text/html", charset="utf-8", headers=HEADERS)

    async def _on_viewer(self, request: web.Request) -> web.WebSocketResponse:
        # aiohttp takes less than max_msg_size
        viewer_socket = web.WebSocketResponse(
            timeout=CLOSE_S, heartbeat=HEARTBEAT_S, compress=False, max_msg_size=MAX_REQUEST_BYTES + 1
        )
        await viewer_socket.prepare(request)
        if self._access.token and not self._access.admits(request.query.get("token", "")):
            await viewer_socket.close(code=WRONG_TOKEN, message=b"the token is missing or wrong")
        elif len(self._viewers) >= MAX_VIEWERS:
            await viewer_socket.close(code=TOO_MANY, message=b"%d viewers are connected, no more may be" % MAX_VIEWERS)
        else:
            await self._serve_viewer(_Viewer(viewer_socket))
        return viewer_socket

    async def _serve_viewer(self, viewer: _Viewer) -> None:
        self._viewers.append(viewer)
        sender = asyncio.ensure_future(self._send(viewer))
        try:
            self._note_watched()
            with contextlib.suppress(ConnectionError):  # it has gone while it was answered
                async for message in viewer.socket:
                    if message.type == WSMsgType.ERROR:  # as of a message that is too long
                        break
                    await self._on_request(viewer, message.data if message.type == WSMsgType.TEXT else "")
        finally:
            self._viewers.remove(viewer)
            self._note_watched()
            tasks = [task for task in (sender, viewer.task) if task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _send(self, viewer: _Viewer) -> None:
        """Send what there is for a viewer, whenever it is woken."""
        try:
            await viewer.send(self._offer.describe())
            viewer.wake.set()
            while True:
                alarm = self._loop.call_later(ALIVE_S, viewer.wake.set)
                await viewer.wake.wait()
                alarm.cancel()
                viewer.wake.clear()
                if viewer.values_due:
                    viewer.values_due = False
                    await viewer.send({"type": "values", "values": self._values})
                await self._send_newest(viewer)
                if self._loop.time() - viewer.sent_at >= ALIVE_S:
                    await viewer.send({"type": "alive"})
        except ConnectionError:
            pass  # it has gone, which ends its requests as well
        except Exception:  # such as of a mask that a driver could not draw: the page connects again
            logger.exception("a picture could not be sent to a viewer of the page")
            await viewer.socket.close(code=1011)

    async def _send_newest(self, viewer: _Viewer) -> None:
        """Send the newest picture to a viewer that waits for one and does not have it."""
        if self._newest is None or viewer.in_flight >= MAX_IN_FLIGHT or self._newest[0] <= viewer.number:
            return
        viewer.number, picture = self._newest
        if self._encoded[0] != viewer.number:
            self._encoded = viewer.number, encode_picture(picture, viewer.number)
        viewer.in_flight += 1
        self._note_watched()
        await viewer.send(self._encoded[1])

    async def _on_request(self, viewer: _Viewer, text: str) -> None:
        """Take a request; the command in it is performed beside those of other viewers."""
        try:
            request = parse_request(text)
        except RequestError as error:
            await viewer.send(_answer(error.number, error))
            return
        if isinstance(request, Seen):
            viewer.in_flight = max(0, viewer.in_flight - 1)
            self._note_watched()
            viewer.wake.set()
            return
        number, command = request
        if viewer.task is not None and not viewer.task.done():
            busy = InvalidInputError("the request before is still being answered, expected one at a time; wait for it")
            await viewer.send(_answer(number, busy))
            return
        viewer.task = asyncio.ensure_future(self._answer(viewer, number, command))

    async def _answer(self, viewer: _Viewer, number: int, command: Command) -> None:
        try:
            self._check_offered(command)
            outcome: str | Exception = await asyncio.wait_for(self._outcome(command), ANSWER_S)
        except asyncio.TimeoutError:
            outcome = InvalidInputError(f"there is no answer after {ANSWER_S:.0f} s; see the program's log, try again")
        except Exception as error:  # whatever a command raises: its viewer gets an answer, and the others are served
            outcome = error
        with contextlib.suppress(ConnectionError):  # it has gone meanwhile
            await viewer.send(_answer(number, outcome))

    def _outcome(self, command: Command) -> "asyncio.Future[str]":
        """Perform a command; return a future of this thread that may be given up, other than that of `perform`."""
        outcome = self._loop.create_future()

        def settle(job: "Future[str]") -> None:
            if outcome.done():  # given up
                return
            error = job.exception()
            if error is None:
                outcome.set_result(job.result())
            else:
                outcome.set_exception(error)

        def pass_on(job: "Future[str]") -> None:  # in the thread that performed it
            with contextlib.suppress(RuntimeError):  # the server was closed meanwhile
                self._loop.call_soon_threadsafe(settle, job)

        self._perform(command).add_done_callback(pass_on)
        return outcome

    def _check_offered(self, command: Command) -> None:
        if not isinstance(command, self._offer.commands):
            offered = ", ".join(known.type for known in self._offer.commands)
            raise InvalidInputError(f"{command.type} is not offered here, expected one of {offered}")
        names = [setting.name for setting in self._offer.settings]
        if isinstance(command, SetValue) and command.name not in names:
            raise InvalidSettingError(
                f"setting {ascii(command.name[:60])} is not offered here, expected one of {', '.join(names)}"
            )

    def _note_watched(self) -> None:
        self.is_watched = any(viewer.in_flight < MAX_IN_FLIGHT for viewer in self._viewers)

    def _wake_viewers(self) -> None:
        for viewer in self._viewers:
            if viewer.in_flight < MAX_IN_FLIGHT:
                viewer.wake.set()

    def _note_values(self) -> None:
        for viewer in self._viewers:
            viewer.values_due = True
            viewer.wake.set()


def _is_no_client_fault(record: logging.LogRecord) -> bool:
    """Whether a line of aiohttp is of more than a request that is no HTTP, which is answered with 400."""
    return record.exc_info is None or not isinstance(record.exc_info[1], HttpProcessingError)


_http_logger = logging.getLogger(f"{__name__}.http")
_http_logger.addFilter(_is_no_client_fault)  # else anyone could fill the log, by a traceback for each request


def _listen(access: Access) -> socket.socket:
    """Return a socket that listens on the address.

    Raises:
        InvalidSettingError: the address is not one of this machine, or in use.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(access.host, access.port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(MAX_VIEWERS)
        except BaseException:
            listener.close()
            raise
    except OSError as error:
        raise InvalidSettingError(
            f"the page cannot be served on {access.host}, port {access.port}: {error.strerror}; expected an address of "
            "this machine and a port that is free; end the other program, or choose another port"
        ) from error
    return listener


def _answer(number: int | None, outcome: str | Exception) -> dict[str, typing.Any]:
    if isinstance(outcome, str):
        return {"type": "answer", "id": number, "ok": True, "text": outcome}
    known = isinstance(outcome, SiamTrackerError)
    text = str(outcome) if known else f"{type(outcome).__name__}: {outcome}"
    return {"type": "answer", "id": number, "ok": False, "text": text}


def _describe_setting(setting: Setting) -> dict[str, typing.Any]:
    rule = setting.rule
    return {
        "name": setting.name,
        "kind": "choice" if setting.choices else setting.kind.__name__,
        "choices": setting.choices,
        "low": rule.low,
        "high": rule.high if math.isfinite(rule.high) else None,
        "meaning": rule.meaning,
    }
