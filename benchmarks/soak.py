# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Does the tracker node stay as it is over a long time?

It starts the tracker node in a process of its own, publishes images at 30 Hz over DDS, and lets happen at random, by a
seed, what happens to a robot: new targets, targets that leave the picture, other image sizes and encodings, pauses,
viewers of the operator's page and subscribers that come and go. Meanwhile it notes the node's memory, threads and open
files, the gaps in ~/status and /diagnostics, the errors in diagnostics, and the latency.

It ends with status 1 if the memory grows by 1 MB per minute or more after two minutes, if nothing is published on
~/status for more than a second, or if the node ends. The machine has to be idle: what other programs take of it counts.

    ./run exec python benchmarks/soak.py --minutes 30 --json soak.json --plot soak.png
"""

import argparse
import asyncio
import collections
import dataclasses
import json
import os
import pathlib
import platform
import random
import socket
import subprocess
import sys
import threading
import time

import aiohttp
import cv2
import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import Vector3Stamped
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import Image
from siam_tracker_ros.msg import Target, TrackerStatus
from siam_tracker_ros.srv import InitTracker
from std_srvs.srv import SetBool, Trigger

from siam_tracker_ros.cli.tables import format_table
from siam_tracker_ros.node.fast_dds import make_room_for_images
from siam_tracker_ros.node.messages import init_request

NODE = "import sys; from siam_tracker_ros.node.tracker_node import main; sys.exit(main())"
RATE = 30.0
SIZES_WH = ((640, 480), (320, 240), (800, 600))
TO_ENCODING = {
    "bgr8": lambda image_bgr: image_bgr,
    "rgb8": lambda image_bgr: cv2.cvtColor(image_bgr, cv2.COLOR_BGR2RGB),
    "bgra8": lambda image_bgr: cv2.cvtColor(image_bgr, cv2.COLOR_BGR2BGRA),
    "mono8": lambda image_bgr: cv2.cvtColor(image_bgr, cv2.COLOR_BGR2GRAY),
}
TARGET_SIDE = 60
OUTPUTS = {"mask": Image, "debug_image": Image, "target": Target, "bearing": Vector3Stamped}
MAX_VIEWERS = 3
EVENT_S = (0.5, 3.0)  # between two events
AWAY_S = (1.0, 6.0)  # that a target is out of the picture
PAUSE_S = (0.2, 2.0)
LOOK_S = 2.0  # between two looks at the process
START_S = 120.0  # for the node's start
WARM_UP_S = 120.0  # before the memory is judged
MIN_MINUTES = 10  # without which it is not: images of other sizes move it by some 10 MB
MAX_SLOPE_MB = 1.0  # per minute
MAX_GAP_S = 1.0


@dataclasses.dataclass(frozen=True)
class Look:
    """What the node's process held at one time.

    Attributes:
        at_s: since the first image.
        rss_mb: resident memory.
        own_mb: of that, what is the process's own, without files and the memory that DDS shares with other processes.
        threads, files: how many it has.
        kept_mb: images kept for ~/init, as the node says; NaN before it has said so.
    """

    at_s: float
    rss_mb: float
    own_mb: float
    threads: int
    files: int
    kept_mb: float


@dataclasses.dataclass
class Record:
    """What a run has seen, see `summary`."""

    looks: list[Look] = dataclasses.field(default_factory=list)
    status_ns: list[int] = dataclasses.field(default_factory=list)  # when each status was published
    diagnostics_ns: list[int] = dataclasses.field(default_factory=list)
    latency_ms: list[tuple[float, float]] = dataclasses.field(default_factory=list)  # with the seconds since the start
    states: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    errors: collections.Counter = dataclasses.field(default_factory=collections.Counter)  # messages of diagnostics
    refusals: collections.Counter = dataclasses.field(default_factory=collections.Counter)  # messages of services
    events: list[tuple[float, str]] = dataclasses.field(default_factory=list)  # with the seconds since the start
    publishers: list[int] = dataclasses.field(default_factory=list)  # of the node, at each look
    images: int = 0
    start_ns: int = 0  # of the clock that the messages are stamped with
    exit_status: int | None = None  # of the node, if it ended by itself


class World:
    """A textured ground with a textured square on it, which moves, and can be away."""

    def __init__(self, rng):
        noise = np.random.default_rng(rng.randrange(2**32))
        ground = noise.integers(0, 256, (90, 120, 3), dtype=np.uint8)
        self._ground = cv2.resize(ground, (1200, 900), interpolation=cv2.INTER_CUBIC)
        square = noise.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        self._square = cv2.resize(square, (TARGET_SIDE, TARGET_SIDE), interpolation=cv2.INTER_NEAREST)

    def picture(self, seconds, size_wh, is_away):
        """Return an image, and the square's box as xywh."""
        width, height = size_wh
        left, top = 100 + int(60 * np.sin(seconds / 7)), 100 + int(60 * np.cos(seconds / 9))
        image_bgr = self._ground[top : top + height, left : left + width].copy()
        x = int((width - TARGET_SIDE) * (0.5 + 0.35 * np.sin(seconds / 3)))
        y = int((height - TARGET_SIDE) * (0.5 + 0.35 * np.cos(seconds / 4)))
        if not is_away:
            image_bgr[y : y + TARGET_SIDE, x : x + TARGET_SIDE] = self._square
        return image_bgr, (x, y, TARGET_SIDE, TARGET_SIDE)


def image_message(image, encoding, header):
    """Return an Image of an array (H, W) or (H, W, C)."""
    msg = Image(header=header, height=image.shape[0], width=image.shape[1], encoding=encoding)
    msg.step = image[0].nbytes
    msg.data.frombytes(np.ascontiguousarray(image).data.cast("B"))
    return msg


class Robot(Node):
    """The camera, the operator and the listeners of one tracker node."""

    def __init__(self, record, rng, viewers):
        super().__init__("soak")
        self._record, self._rng, self._viewers = record, rng, viewers
        self._world = World(rng)
        self._camera = self.create_publisher(Image, "image", 2)
        self._init = self.create_client(InitTracker, "tracker/init")
        self._reset = self.create_client(Trigger, "tracker/reset")
        self._enable = self.create_client(SetBool, "tracker/enable")
        self._listening = {}
        self._size_wh, self._encoding = SIZES_WH[0], "bgr8"
        self._is_changing = False  # their change has been asked for
        self._away_until = self._paused_until = 0.0
        self._next_event = 1.0
        self._start = None
        self.kept_mb = float("nan")
        self.create_subscription(TrackerStatus, "tracker/status", self._on_status, 100)
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 100)

    def step(self, seconds):
        """Publish the image of a time, and let happen what is due."""
        self._start = time.monotonic() - seconds if self._start is None else self._start
        image_bgr, box_xywh = self._world.picture(seconds, self._size_wh, seconds < self._away_until)
        header = Image().header
        header.stamp = self.get_clock().now().to_msg()
        header.frame_id = "camera"
        self._camera.publish(image_message(TO_ENCODING[self._encoding](image_bgr), self._encoding, header))
        self._record.images += 1
        if self._paused_until and seconds >= self._paused_until:
            self._paused_until = 0.0
            self._ask(self._enable, SetBool.Request(data=True))
        if seconds >= self._next_event:
            self._next_event = seconds + self._rng.uniform(*EVENT_S)
            event = self._rng.choice([name for name in dir(self) if name.startswith("_event_")])
            self._record.events.append((seconds, event.removeprefix("_event_")))
            getattr(self, event)(seconds, header, box_xywh)

    def stop(self):
        """Undo what is under way, so that the process can be compared with its beginning."""
        self._viewers.leave()
        for name in list(self._listening):
            self.destroy_subscription(self._listening.pop(name))
        self._ask(self._enable, SetBool.Request(data=True))
        self._ask(self._reset, Trigger.Request())

    def _event_target(self, seconds, header, box_xywh):
        if seconds >= self._away_until and not self._is_changing:
            self._ask(self._init, init_request(header, box_xywh))

    def _event_loss(self, seconds, header, box_xywh):
        self._away_until = seconds + self._rng.uniform(*AWAY_S)

    def _event_format(self, seconds, header, box_xywh):
        size_wh, encoding = self._rng.choice(SIZES_WH), self._rng.choice(list(TO_ENCODING))
        self._is_changing = True

        def change(_):
            self._size_wh, self._encoding, self._is_changing = size_wh, encoding, False

        # A box means nothing in another size, so the target is dropped before.
        self._ask(self._reset, Trigger.Request()).add_done_callback(change)

    def _event_pause(self, seconds, header, box_xywh):
        self._paused_until = seconds + self._rng.uniform(*PAUSE_S)
        self._ask(self._enable, SetBool.Request(data=False))

    def _event_viewer(self, seconds, header, box_xywh):
        self._viewers.change(self._rng.randrange(MAX_VIEWERS + 1))

    def _event_subscriber(self, seconds, header, box_xywh):
        name = self._rng.choice(list(OUTPUTS))
        if name in self._listening:
            self.destroy_subscription(self._listening.pop(name))
        else:
            self._listening[name] = self.create_subscription(OUTPUTS[name], f"tracker/{name}", lambda _: None, 1)

    def _ask(self, client, request):
        """Send a request and return its future; what is refused is noted."""

        def note(future):
            if not future.result().success:
                self._record.refusals[future.result().message] += 1

        future = client.call_async(request)
        future.add_done_callback(note)
        return future

    def _on_status(self, msg, info):
        self._record.status_ns.append(info["source_timestamp"])
        self._record.states[TrackerStatus.IDLE if msg.is_heartbeat else msg.state] += 1
        if not msg.is_heartbeat and self._start is not None:
            latency_ms = msg.latency.sec * 1e3 + msg.latency.nanosec / 1e6
            self._record.latency_ms.append((time.monotonic() - self._start, latency_ms))

    def _on_diagnostics(self, msg, info):
        self._record.diagnostics_ns.append(info["source_timestamp"])
        for status in msg.status:
            if status.level == DiagnosticStatus.ERROR:
                self._record.errors[f"{status.name}: {status.message}"] += 1
            self.kept_mb = next((float(v.value) for v in status.values if v.key == "init_memory_mb"), self.kept_mb)


class Viewers:
    """People at the operator's page, in a thread of their own."""

    def __init__(self, port):
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._tasks = []
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def change(self, count):
        """Let so many watch."""
        asyncio.run_coroutine_threadsafe(self._change(count), self._loop)

    def leave(self):
        """Let all go, and wait until they have."""
        asyncio.run_coroutine_threadsafe(self._change(0), self._loop).result(30)

    async def _change(self, count):
        left, self._tasks = self._tasks[count:], self._tasks[:count]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        self._tasks += [asyncio.ensure_future(self._watch()) for _ in range(count - len(self._tasks))]

    async def _watch(self):
        async with aiohttp.ClientSession() as session:
            async with session.ws_connect(f"http://127.0.0.1:{self._port}/socket", max_msg_size=0) as connection:
                async for message in connection:
                    if message.type == aiohttp.WSMsgType.BINARY:
                        await connection.send_str('{"type":"seen"}')


def look_at(pid, at_s, kept_mb):
    """Return the Look at a process."""
    proc = pathlib.Path(f"/proc/{pid}")
    fields = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
    rss_mb, own_mb = (int(fields[name].split()[0]) / 1024 for name in ("VmRSS", "RssAnon"))
    return Look(at_s, rss_mb, own_mb, int(fields["Threads"]), len(os.listdir(proc / "fd")), kept_mb)


def run(seconds, seed, parameters=()):
    """Start a node, let it work for a time, and end it; return the Record.

    Args:
        seconds: time over which images are published.
        seed: of all that happens.
        parameters: further ROS arguments of the node.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    make_room_for_images()
    page = ["-p", "operator_page:=true", "-p", f"operator_page_port:={port}"]
    process = subprocess.Popen([sys.executable, "-c", NODE, "--ros-args", "--log-level", "warn", *page, *parameters])
    rclpy.init()
    record = Record()
    robot = Robot(record, random.Random(seed), Viewers(port))
    executor = SingleThreadedExecutor()
    executor.add_node(robot)
    spinning = threading.Thread(target=_spin, args=(executor,), daemon=True)
    spinning.start()
    try:
        _wait_for_node(process, record)
        record.status_ns.clear()
        record.start_ns = time.time_ns()
        start, next_look = time.monotonic(), 0.0
        while (now := time.monotonic() - start) < seconds:
            if now >= next_look:
                if process.poll() is not None:
                    break
                record.looks.append(look_at(process.pid, now, robot.kept_mb))
                record.publishers.append(len(robot.get_publisher_names_and_types_by_node("tracker", "/")))
                next_look = now + LOOK_S
            robot.step(now)
            time.sleep(1 / RATE - (time.monotonic() - start) % (1 / RATE))
        if process.poll() is None:
            robot.stop()
            time.sleep(LOOK_S)
            record.looks.append(look_at(process.pid, time.monotonic() - start, robot.kept_mb))
            record.publishers.append(len(robot.get_publisher_names_and_types_by_node("tracker", "/")))
    finally:
        record.exit_status = process.poll()
        process.terminate()
        process.wait()
        executor.shutdown()
        rclpy.try_shutdown()
    return record


def _wait_for_node(process, record):
    deadline = time.monotonic() + START_S
    while not record.status_ns:
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"the node has not started within {START_S:.0f} s, or has ended ({process.poll()})")
        time.sleep(0.1)


def _spin(executor):
    try:
        executor.spin()
    except ExternalShutdownException:
        pass


def longest_gap_s(times_ns):
    """Return the longest time between two messages in seconds; infinity if there are not two."""
    return float(np.diff(times_ns).max() / 1e9) if len(times_ns) > 1 else float("inf")


def gaps(record):
    """Return when each gap in ~/status above the bound ended, in seconds since the start, and how long it was."""
    times_s = np.array(record.status_ns) / 1e9
    found = np.flatnonzero(np.diff(times_s) > MAX_GAP_S)
    return [(times_s[i + 1] - record.start_ns / 1e9, times_s[i + 1] - times_s[i]) for i in found.tolist()]


def memory_slope_mb(looks):
    """Return by how many MB per minute the node's own memory grows after the warm-up; NaN for a run that is too short.

    The images that are kept for ~/init come and go with the images' size, and are left out. Of each minute the least
    counts: what the node holds while nothing is under way.
    """
    least_mb = {}
    for look in looks:
        if look.at_s >= WARM_UP_S:
            minute = int(look.at_s // 60)
            least_mb[minute] = min(least_mb.get(minute, float("inf")), look.own_mb - look.kept_mb)
    if len(least_mb) < MIN_MINUTES:
        return float("nan")
    return float(np.polyfit(list(least_mb), list(least_mb.values()), 1)[0])


def by_minute(record):
    """Return rows: minute, RSS and own memory in MB, threads, files, latency p50 and p95 in ms."""
    rows = []
    for minute in range(int(record.looks[-1].at_s // 60) + 1):
        looks = [look for look in record.looks if look.at_s // 60 == minute]
        latency = [ms for at_s, ms in record.latency_ms if at_s // 60 == minute]
        if looks and latency:
            last = looks[-1]
            counts = last.rss_mb, last.own_mb, last.threads, last.files
            rows.append((minute + 1, *counts, *np.percentile(latency, (50, 95)).tolist()))
    return rows


def summary(record, seed):
    """Return the figures of a run."""
    status = {state: record.states[value] for state, value in (("TRACKING", 1), ("UNCERTAIN", 2), ("LOST", 3))}
    latency = [ms for _, ms in record.latency_ms]
    return {
        "cpu": f"{platform.machine()}, {os.cpu_count()} CPUs",
        "seed": seed,
        "seconds": record.looks[-1].at_s,
        "images": record.images,
        "results": len(record.latency_ms),
        "states": status,
        "events": dict(collections.Counter(name for _, name in record.events)),
        "memory_slope_mb_per_min": memory_slope_mb(record.looks),
        "status_gap_s": longest_gap_s(record.status_ns),
        "diagnostics_gap_s": longest_gap_s(record.diagnostics_ns),
        "latency_p50_ms": float(np.percentile(latency, 50)),
        "latency_p95_ms": float(np.percentile(latency, 95)),
        "publishers": record.publishers,
        "errors": dict(record.errors),
        "refusals": dict(record.refusals),
        "exit_status": record.exit_status,
        "log": record.events + [(at_s, f"no status for {gap_s:.2f} s") for at_s, gap_s in gaps(record)],
        "looks": [dataclasses.asdict(look) for look in record.looks],
    }


def faults(figures):
    """Return what is wrong with the figures of a run."""
    found = []
    if figures["memory_slope_mb_per_min"] >= MAX_SLOPE_MB:
        found.append(f"the memory grows by {figures['memory_slope_mb_per_min']:.2f} MB per minute")
    if not figures["status_gap_s"] <= MAX_GAP_S:
        found.append(f"nothing was published on ~/status for {figures['status_gap_s']:.2f} s")
    if figures["exit_status"] is not None:
        found.append(f"the node has ended with status {figures['exit_status']}")
    return found


def plot(figures, rows, path):
    """Draw memory and latency over time."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, (above, below) = pyplot.subplots(2, sharex=True, figsize=(8, 5))
    minutes = [look["at_s"] / 60 for look in figures["looks"]]
    above.plot(minutes, [look["rss_mb"] for look in figures["looks"]], label="RSS")
    above.plot(
        minutes, [look["own_mb"] - look["kept_mb"] for look in figures["looks"]], label="own, without kept images"
    )
    above.set_ylabel("MB")
    above.set_ylim(bottom=0)
    above.legend()
    for column, name in ((5, "p50"), (6, "p95")):
        below.plot([row[0] - 0.5 for row in rows], [row[column] for row in rows], marker=".", label=name)
    below.set(xlabel="minutes", ylabel="latency in ms")
    below.set_ylim(bottom=0)
    below.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=100)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=0, help="of all that happens")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--plot", type=pathlib.Path)
    parser.add_argument("parameters", nargs="*", help="ROS arguments of the node, after --, as -p model:=lite")
    options = parser.parse_args(arguments)
    record = run(options.minutes * 60, options.seed, options.parameters)
    figures, rows = summary(record, options.seed), by_minute(record)
    header = ("minute", "RSS MB", "own MB", "threads", "files", "p50 ms", "p95 ms")
    formats = ("{}", "{:.1f}", "{:.1f}", "{}", "{}", "{:.1f}", "{:.1f}")
    print(format_table(header, [[form.format(value) for form, value in zip(formats, row)] for row in rows]))
    for name, value in figures.items():
        if name not in ("log", "looks", "publishers"):
            print(f"{name}: {value:.3f}" if isinstance(value, float) else f"{name}: {value}")
    if options.json is not None:
        options.json.write_text(json.dumps({**figures, "minutes": rows}, indent=1) + "\n")
    if options.plot is not None:
        plot(figures, rows, options.plot)
    found = faults(figures)
    print(*(found or ["no fault"]), sep="\n")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
