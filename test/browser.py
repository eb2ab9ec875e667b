# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A real browser for tests: headless Chromium, driven over its DevTools protocol."""

import asyncio
import base64
import contextlib
import itertools
import json
import os
import shutil
import tempfile

import aiohttp

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DEADLINE = 30.0  # seconds, which only a failure reaches
_OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-port=0",
]


class Browser:
    """One tab of Chromium.

    Attributes:
        errors: what the page threw or logged as an error.
    """

    def __init__(self, socket):
        self.errors = []
        self._socket = socket
        self._numbers = itertools.count(1)
        self._answers = {}
        self._reader = asyncio.ensure_future(self._read())

    async def call(self, method, **parameters):
        """Call a method of the DevTools protocol; return its result."""
        number = next(self._numbers)
        self._answers[number] = answer = asyncio.get_running_loop().create_future()
        await self._socket.send_str(json.dumps({"id": number, "method": method, "params": parameters}))
        message = await asyncio.wait_for(answer, DEADLINE)
        assert "error" not in message, (method, message["error"])
        return message["result"]

    async def open(self, url, size_wh=(1000, 640), phone=False):
        """Load a page in a window of a size in CSS pixels."""
        for domain in ("Page", "Runtime", "Log"):
            await self.call(f"{domain}.enable")
        width, height = size_wh
        metrics = {"width": width, "height": height, "deviceScaleFactor": 2 if phone else 1, "mobile": phone}
        await self.call("Emulation.setDeviceMetricsOverride", **metrics)
        await self.call("Emulation.setTouchEmulationEnabled", enabled=phone)
        await self.call("Page.navigate", url=url)

    async def evaluate(self, expression):
        """Return the value of an expression of the page."""
        result = await self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, (expression, result["exceptionDetails"])
        return result["result"].get("value")

    async def wait(self, expression):
        """Wait until an expression of the page is true; return its value."""
        loop = asyncio.get_running_loop()
        end = loop.time() + DEADLINE
        while True:
            value = await self.evaluate(f"(() => {{ try {{ return {expression}; }} catch (e) {{ return null; }} }})()")
            if value:
                return value
            assert loop.time() < end, f"waited {DEADLINE:.0f} s for {expression}; errors: {self.errors}"
            await asyncio.sleep(0.01)

    async def mouse(self, kind, point, **options):
        """Send mousePressed, mouseMoved, mouseReleased or mouseWheel at (x, y) of the window."""
        button = "none" if kind in ("mouseMoved", "mouseWheel") else "left"
        options = {"button": button, "clickCount": int(button == "left")} | options
        await self.call("Input.dispatchMouseEvent", type=kind, x=point[0], y=point[1], **options)

    async def click(self, point):
        """Click at (x, y) of the window."""
        await self.mouse("mouseMoved", point)
        await self.mouse("mousePressed", point)
        await self.mouse("mouseReleased", point)

    async def drag(self, start, end):
        """Drag the mouse from one (x, y) of the window to another."""
        await self.mouse("mouseMoved", start)
        await self.mouse("mousePressed", start)
        for share in (0.3, 0.7, 1.0):
            point = [a + share * (b - a) for a, b in zip(start, end)]
            await self.mouse("mouseMoved", point, button="left", buttons=1)
        await self.mouse("mouseReleased", end)

    async def touch(self, kind, *points):
        """Send touchStart, touchMove or touchEnd with the fingers that are then on the screen."""
        points = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        await self.call("Input.dispatchTouchEvent", type=kind, touchPoints=points)

    async def screenshot(self):
        """Return the window as a PNG."""
        return base64.b64decode((await self.call("Page.captureScreenshot", format="png"))["data"])

    async def close(self):
        """Stop to listen."""
        self._reader.cancel()

    async def _read(self):
        async for message in self._socket:
            fields = json.loads(message.data)
            if "id" in fields:
                self._answers.pop(fields["id"]).set_result(fields)
            elif fields["method"] == "Runtime.exceptionThrown":
                self.errors.append(fields["params"]["exceptionDetails"])
            elif fields["method"] == "Log.entryAdded" and fields["params"]["entry"]["level"] == "error":
                self.errors.append(fields["params"]["entry"]["text"])


@contextlib.asynccontextmanager
async def started_browser():
    """Start Chromium with a new profile and give a Browser; both are gone at the end."""
    with tempfile.TemporaryDirectory(prefix="chromium_", ignore_cleanup_errors=True) as profile:
        command = [CHROMIUM, *_OPTIONS, f"--user-data-dir={profile}", "about:blank"]
        environment = os.environ | {"HOME": profile}
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, env=environment
        )
        draining = None
        try:
            address = await asyncio.wait_for(_address(process.stderr), DEADLINE)
            draining = asyncio.ensure_future(process.stderr.read())
            async with aiohttp.ClientSession() as session:
                async with session.get(f"http://{address}/json/list") as response:
                    (tab,) = [target for target in await response.json() if target["type"] == "page"]
                async with session.ws_connect(tab["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                    browser = Browser(socket)
                    yield browser
                    await browser.close()
        finally:
            process.kill()
            await process.wait()
            if draining is not None:
                await draining


async def _address(stderr):
    """Return host and port on which Chromium says that it listens."""
    prefix = "DevTools listening on ws://"
    said = []
    async for line in stderr:
        said.append(line.decode(errors="replace").strip())
        if said[-1].startswith(prefix):
            return said[-1].removeprefix(prefix).partition("/")[0]
    raise AssertionError(f"Chromium has ended: {said}")
