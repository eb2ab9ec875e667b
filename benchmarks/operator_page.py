# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the operator's page costs the tracker node, and how soon a click is answered.

It starts the tracker node in a process of its own, publishes images of 640 x 480 at 30 Hz over DDS, and has viewers
come and go in turns: none, one, and two beside one that never reads. For each it takes the time from publishing an
image to its detection, the CPU time of the node, the pictures of the first viewer, and the time from a request to start
on a box in the newest picture to its answer.

    ./run exec python benchmarks/operator_page.py --rounds 5 --seconds 6
"""

import argparse
import asyncio
import contextlib
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from collections import defaultdict

import aiohttp
import cv2
import numpy as np
import rclpy
from node_overhead import ALWAYS_HELD, NODE, Stopwatch
from rclpy.executors import ExternalShutdownException

from siam_tracker_ros.demo.scene import Scene, SceneSource
from siam_tracker_ros.node.fast_dds import make_room_for_images

SIZE_WH = 640, 480
RATE = 30.0
SETTINGS = {"none": (0, False), "one": (1, False), "two and a dead one": (2, True)}
CLICK_S = 1.0  # between two clicks


class Viewer:
    """Draws every picture, and clicks now and then.

    Attributes:
        pictures: number of pictures so far.
        answer_ms: times from click to answer.
    """

    def __init__(self, port, clicks):
        self.pictures = 0
        self.answer_ms = []
        self._port = port
        self._clicks = clicks

    async def watch(self):
        """View until cancelled."""
        async with aiohttp.ClientSession() as session:
            async with session.ws_connect(f"http://127.0.0.1:{self._port}/socket", max_msg_size=0) as connection:
                clicked = time.perf_counter()
                pending = False
                async for message in connection:
                    if message.type == aiohttp.WSMsgType.BINARY:
                        self.pictures += 1
                        await connection.send_str('{"type":"seen"}')
                        if self._clicks and not pending and time.perf_counter() - clicked > CLICK_S:
                            clicked, pending = time.perf_counter(), True
                            await connection.send_str(_click(message.data))
                    elif pending and (answer := json.loads(message.data))["type"] == "answer":
                        if not answer["ok"]:
                            sys.exit(f"init was refused: {answer['text']}")
                        self.answer_ms.append((time.perf_counter() - clicked) * 1e3)
                        pending = False


def _click(data):
    (length,) = struct.unpack_from("<I", data)
    stamp_ns = json.loads(data[4 : 4 + length])["stamp_ns"]
    width, height = SIZE_WH
    box_xywh = [width / 2 - 40, height / 2 - 40, 80, 80]
    return json.dumps({"type": "init", "id": 1, "stamp_ns": stamp_ns, "box_xywh": box_xywh})


@contextlib.contextmanager
def dead_viewer(port):
    """A connection that asks for pictures and never reads."""
    with socket.create_connection(("127.0.0.1", port)) as dead:
        dead.sendall(
            f"GET /socket HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        yield


@contextlib.contextmanager
def viewing(port, count, dead, clicks):
    """Viewers in a thread; gives the list of them."""
    viewers = [Viewer(port, clicks and number == 0) for number in range(count)]
    done = threading.Event()

    async def view():
        tasks = [asyncio.ensure_future(viewer.watch()) for viewer in viewers]
        await asyncio.to_thread(done.wait)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    thread = threading.Thread(target=asyncio.run, args=(view(),))
    thread.start()
    with dead_viewer(port) if dead else contextlib.nullcontext():
        yield viewers
    done.set()
    thread.join()


def cpu_s(pid):
    """Return the CPU time of a process so far."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def publish(stopwatch, seconds):
    """Publish for a time at the rate; return total and inference time of each frame in ms."""
    stopwatch.published.clear()
    start = time.perf_counter()
    for number in range(round(seconds * RATE)):
        stopwatch.publish(number)
        time.sleep(max(0.0, start + (number + 1) / RATE - time.perf_counter()))
    time.sleep(0.3)  # the last answers
    keys = [key for key in stopwatch.published if key in stopwatch.received and key in stopwatch.inference]
    total_ms = [(stopwatch.received[key] - stopwatch.published[key]) * 1e3 for key in keys]
    return total_ms, [stopwatch.inference[key] for key in keys]


def measure(stopwatch, port, pid, rounds, seconds):
    """Return figures by the viewers, in lists: one value a frame, a click or a round."""
    figures = {name: defaultdict(list) for name in SETTINGS}
    for _ in range(rounds):
        for name, (count, dead) in SETTINGS.items():
            with viewing(port, count, dead, clicks=False) as viewers:
                publish(stopwatch, 0.5)  # until they are connected
                before_s, before, began = cpu_s(pid), [viewer.pictures for viewer in viewers], time.perf_counter()
                total_ms, inference_ms = publish(stopwatch, seconds)
                took = time.perf_counter() - began
                figures[name]["total_ms"] += total_ms
                figures[name]["inference_ms"] += inference_ms
                figures[name]["p95_ms"].append(np.percentile(total_ms, 95))
                figures[name]["cpu"].append((cpu_s(pid) - before_s) / took)
                if viewers:
                    figures[name]["rate"].append((viewers[0].pictures - before[0]) / seconds)
        with viewing(port, 1, False, clicks=True) as viewers:
            publish(stopwatch, seconds)
            figures["one"]["answer_ms"] += viewers[0].answer_ms
    return figures


class Camera(Stopwatch):
    """A Stopwatch that publishes frames of the rendered scene."""

    def __init__(self):
        super().__init__(SIZE_WH)
        frames = [frame for frame, _ in zip(SceneSource(Scene(SIZE_WH)), range(60))]
        self._frames = [cv2.copyMakeBorder(frame, 0, 0, 0, 16, cv2.BORDER_REPLICATE) for frame in frames]

    def publish(self, number):
        """Publish frame `number`, to and fro."""
        self._picture = self._frames[59 - abs(number % 118 - 59)]
        super().publish(0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6.0, help="length of each part of a round")
    parser.add_argument("--model", default="lite_online")
    arguments = parser.parse_args()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    make_room_for_images()
    command = [sys.executable, "-c", NODE, "--ros-args", *ALWAYS_HELD, "-p", f"model:={arguments.model}"]
    command += ["-p", "operator_page:=true", "-p", f"operator_page_port:={port}", "--log-level", "warn"]
    process = subprocess.Popen(command)
    rclpy.init()
    try:
        stopwatch = Camera()
        threading.Thread(target=_spin, args=(stopwatch,), daemon=True).start()
        while not stopwatch.inference:  # the node loads its model meanwhile
            publish(stopwatch, 0.2)
        if not (answer := stopwatch.init()).success:
            sys.exit(f"init was refused: {answer.message}")
        publish(stopwatch, 2.0)
        figures = measure(stopwatch, port, process.pid, arguments.rounds, arguments.seconds)
    finally:
        rclpy.try_shutdown()
        process.terminate()
        process.wait()
    print("viewers              frames  median   p95 ms (median of rounds)  tracker ms  node CPU   pictures/s")
    for name, values in figures.items():
        rate = f"{np.median(values['rate']):.1f}" if values["rate"] else "-"
        p50, p95 = np.percentile(values["total_ms"], (50, 95))
        print(
            f"{name:20} {len(values['total_ms']):6} {p50:7.1f} {p95:8.1f} ({np.median(values['p95_ms']):.1f})"
            f"{np.median(values['inference_ms']):24.1f} {100 * np.median(values['cpu']):9.1f} % {rate:>10}"
        )
    quartiles = np.percentile(figures["one"]["answer_ms"], (50, 95, 100))
    print("click to answer: median {:.1f}, p95 {:.1f}, highest {:.1f} ms".format(*quartiles), end="")
    print(f" of {len(figures['one']['answer_ms'])}")


def _spin(node):
    try:
        rclpy.spin(node)
    except ExternalShutdownException:
        pass


if __name__ == "__main__":
    main()
