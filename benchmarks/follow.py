# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A closed loop over DDS: a rendered world, a simulated pan-tilt head, the tracker node and the follow node.

    ./run exec python benchmarks/follow.py --runs 20 --json follow.json --plot follow.png

Images and camera_info of 640x480 come at 30 Hz from a camera whose head obeys the commands with delay, lag and limits.
In each run the target moves from side to side at up to 0.5 rad/s, then hides and comes back. The table has, for each
run with and without latency compensation: the root mean square of the target's distance from the middle of the image
over the image's width while it moves in view, the seconds from the first image of state LOST to the last command to
turn, and the seconds from the target's return to when it is within 5 % of the middle again.
"""

import argparse
import itertools
import json
import math
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import rclpy
from geometry_msgs.msg import TwistStamped
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image
from siam_tracker_ros.msg import TrackerStatus
from siam_tracker_ros.srv import InitTracker

from siam_tracker_ros.cli.tables import format_table
from siam_tracker_ros.control.simulation import Head, HeadLimits, World
from siam_tracker_ros.image_conversion import fill_image
from siam_tracker_ros.node.fast_dds import make_room_for_images

RATE = 30.0  # images per second
SPEED = 0.5  # rad/s, at most
FOLLOW_S, HIDDEN_S, RETURN_S = 14.0, 4.0, 6.0
HELD = 0.05  # of the image's width
NODE = "import sys; from siam_tracker_ros.node.{} import main; sys.exit(main())"


class CameraOnHead(Node):
    """The camera, its head, and the operator who names the target."""

    def __init__(self, seed, hides):
        super().__init__("camera_on_head")
        self._phase = float(np.random.default_rng(seed).uniform(0, 2 * math.pi))
        self.world = World(self._path, is_hidden=self._is_hidden, seed=seed)
        self._hides = hides
        self.head = Head(HeadLimits())
        self.rows, self.commands, self.states = [], [], []
        self._lock = threading.Lock()
        self._image = self.create_publisher(Image, "image", 1)
        self._info = self.create_publisher(CameraInfo, "camera_info", 1)
        self.create_subscription(TwistStamped, "cmd_vel", self._on_command, 10)
        self.create_subscription(TrackerStatus, "tracker/status", self._on_status, 10)
        self.init_client = self.create_client(InitTracker, "tracker/init")
        self.now_s = 0.0

    def _path(self, time_s):
        hidden_s = min(max(0.0, time_s - FOLLOW_S), HIDDEN_S) if self._hides else 0.0
        angle = self._phase + SPEED * (time_s - 0.8 * hidden_s)  # slow while hidden, so that it returns in view
        return math.sin(angle) - math.sin(self._phase), 0.1 * math.sin(1.3 * angle) - 0.1 * math.sin(1.3 * self._phase)

    def _is_hidden(self, time_s):
        return self._hides and FOLLOW_S <= time_s < FOLLOW_S + HIDDEN_S

    def take_picture(self, time_s):
        """Let the head move up to a time, and publish what its camera sees then."""
        with self._lock:
            self.head.advance(time_s - self.now_s)
            self.now_s = time_s
            angles = self.head.angles.copy()
        offset = self.world.offset_px(time_s, angles) / self.world.size_wh[0]
        self.rows.append((time_s, *offset))
        msg = fill_image(Image(), self.world.render(time_s, angles), "bgr8", Image().header)
        msg.header.stamp = self.get_clock().now().to_msg()
        msg.header.frame_id = "camera_optical_frame"
        info = CameraInfo(header=msg.header, width=msg.width, height=msg.height, distortion_model="plumb_bob")
        focal, (width, height) = self.world.focal_px, self.world.size_wh
        info.d = [0.0] * 5
        info.k = [focal, 0.0, width / 2 - 0.5, 0.0, focal, height / 2 - 0.5, 0.0, 0.0, 1.0]
        info.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
        info.p = [focal, 0.0, width / 2 - 0.5, 0.0, 0.0, focal, height / 2 - 0.5, 0.0, 0.0, 0.0, 1.0, 0.0]
        self._info.publish(info)
        self._image.publish(msg)

    def init(self):
        """Name the target in the newest image; return the answer."""
        x, y, width, height = self.world.box_xywh(self.now_s, self.head.angles)
        request = InitTracker.Request()
        request.bbox.center.position.x, request.bbox.center.position.y = float(x + width / 2), float(y + height / 2)
        request.bbox.size_x, request.bbox.size_y = float(width), float(height)
        future = self.init_client.call_async(request)
        while not future.done():
            time.sleep(0.005)
        return future.result()

    def _on_command(self, msg):
        rates = np.array([msg.twist.angular.z, msg.twist.angular.y])
        with self._lock:
            self.commands.append((self.now_s, *rates))
            self.head.command(rates)

    def _on_status(self, msg):
        if not msg.is_heartbeat:
            self.states.append((self.now_s, msg.state))


def run_once(seed, compensates, hides, model):
    """Run a closed loop; return the CameraOnHead with what happened."""
    follow = ["--ros-args", "-r", "target:=tracker/target", "-p", f"compensate_latency:={str(compensates).lower()}"]
    processes = [
        subprocess.Popen([sys.executable, "-c", NODE.format("tracker_node"), "--ros-args", "-p", f"model:={model}"]),
        subprocess.Popen([sys.executable, "-c", NODE.format("follow_node"), *follow]),
    ]
    rclpy.init()
    try:
        node = CameraOnHead(seed, hides)
        thread = threading.Thread(target=_spin, args=(node,), daemon=True)
        thread.start()
        while not (node.states and node.commands):  # the tracker loads its model meanwhile
            node.take_picture(0.0)
            time.sleep(0.1)
        answer = node.init()
        if not answer.success:
            raise SystemExit(f"init was refused: {answer.message}")
        node.rows.clear()
        node.states.clear()
        node.commands.clear()
        start = time.perf_counter()
        seconds = FOLLOW_S + (HIDDEN_S + RETURN_S if hides else 0.0)
        for number in itertools.count(1):
            time.sleep(max(0.0, start + number / RATE - time.perf_counter()))
            now_s = time.perf_counter() - start
            if now_s >= seconds:
                return node
            node.take_picture(now_s)
    finally:
        rclpy.try_shutdown()
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()


def judge(node, hides):
    """Return the figures of a run."""
    rows, commands, states = (np.array(part) for part in (node.rows, node.commands, node.states))
    moving = (rows[:, 0] > 2) & (rows[:, 0] < FOLLOW_S)
    figures = {
        "rms": float(np.sqrt(np.square(rows[moving, 1:]).sum(1).mean())),
        "stop s": math.nan,
        "again s": math.nan,
    }
    lost = states[(states[:, 1] == TrackerStatus.LOST) & (states[:, 0] > FOLLOW_S), 0]
    if hides and len(lost):
        turning = commands[(np.abs(commands[:, 1:]).max(1) > 0) & (commands[:, 0] < FOLLOW_S + HIDDEN_S), 0]
        figures["stop s"] = float(max(0.0, turning.max(initial=0.0) - lost[0]))
        distance = np.abs(rows[:, 1:]).max(1)
        back = rows[(rows[:, 0] > FOLLOW_S + HIDDEN_S) & (distance < HELD), 0]
        back = [time_s for time_s in back if (distance[rows[:, 0] >= time_s] < 3 * HELD).all()]
        figures["again s"] = float(back[0] - FOLLOW_S - HIDDEN_S) if back else math.inf
    return figures


def _spin(node):
    try:
        rclpy.spin(node)
    except ExternalShutdownException:
        pass


def plot(nodes, path):
    """Draw the distance from the middle over time, with and without compensation."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 3))
    for name, node in nodes.items():
        rows = np.array(node.rows)
        axes.plot(rows[:, 0], 100 * rows[:, 1], label=name)
    axes.axvspan(FOLLOW_S, FOLLOW_S + HIDDEN_S, color="0.9", label="hidden")
    axes.set_xlabel("seconds")
    axes.set_ylabel("horizontal distance, % of the width")
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--model", default="lite_online")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path)
    args = parser.parse_args()
    make_room_for_images()
    rows, nodes = [], {}
    for seed in range(args.runs):
        for name, compensates in (("compensated", True), ("not compensated", False)):
            node = run_once(seed, compensates, True, args.model)
            nodes.setdefault(name, node)
            rows.append({"run": seed, "latency": name, **judge(node, True)})
            print(rows[-1], flush=True)
    cells = [[f"{value:.3f}" if isinstance(value, float) else str(value) for value in row.values()] for row in rows]
    print(format_table(list(rows[0]), cells, left=(1,)))
    if args.json is not None:
        args.json.write_text(json.dumps(rows, indent=1) + "\n")
    if args.plot is not None:
        plot(nodes, args.plot)


if __name__ == "__main__":
    main()
