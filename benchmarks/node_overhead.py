# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the ROS node adds to the network's own time, and how many frames it misses.

It starts the tracker node in a process of its own, publishes images over DDS, and takes for each frame the time from
publishing the image to receiving its detection, and that time less the inference time that the status reports, which
is the node's own. A frame without a detection is missed.

    ./run exec python benchmarks/node_overhead.py --seconds 20 --rates 10 30 60 --sizes 640x480 1920x1080
"""

import argparse
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from sensor_msgs.msg import Image
from siam_tracker_ros.msg import TrackerStatus
from siam_tracker_ros.srv import InitTracker
from vision_msgs.msg import Detection2D

from siam_tracker_ros.cli.tables import format_table
from siam_tracker_ros.image_conversion import fill_image
from siam_tracker_ros.node.fast_dds import make_room_for_images

BOX_SIDE = 80
PERCENTILES = (50, 95, 99)
NODE = "import sys; from siam_tracker_ros.node.tracker_node import main; sys.exit(main())"
# The picture stands for any: a frame that counts as lost has no detection to time.
ALWAYS_HELD = [
    argument
    for name in ("lost_confidence", "uncertain_confidence", "recover_confidence", "min_visible", "search_share")
    for argument in ("-p", f"{name}:=0.0")
]


class Stopwatch(Node):
    """Publishes frames and notes when what belongs to them comes back."""

    def __init__(self, size_wh):
        super().__init__("stopwatch")
        width, height = size_wh
        noise = np.random.default_rng(0).integers(0, 256, (height, 2 * width, 3), dtype=np.uint8)
        self._picture = noise.reshape(height // 4, 4, 2 * width, 3).mean(axis=1).astype(np.uint8).repeat(4, axis=0)
        self._size_wh = size_wh
        self.published, self.received, self.inference = {}, {}, {}
        self.changed = threading.Condition()
        self._publisher = self.create_publisher(Image, "image", 1)
        self.create_subscription(Detection2D, "tracker/detection", self._on_detection, 10)
        self.create_subscription(TrackerStatus, "tracker/status", self._on_status, 10)
        self.init_client = self.create_client(InitTracker, "tracker/init")

    def publish(self, number):
        """Publish frame `number`, a picture that shakes a little."""
        width, height = self._size_wh
        shift = 8 + 4 * (number % 3)
        msg = fill_image(Image(), self._picture[:, shift : shift + width], "bgr8", Image().header)
        msg.header.stamp = self.get_clock().now().to_msg()
        self.published[_key(msg)] = time.perf_counter()
        self._publisher.publish(msg)

    def init(self):
        """Start the tracker in the middle of the newest frame; return its answer."""
        request = InitTracker.Request()
        request.bbox.center.position.x, request.bbox.center.position.y = (side / 2 for side in self._size_wh)
        request.bbox.size_x = request.bbox.size_y = float(BOX_SIDE)
        future = self.init_client.call_async(request)
        while not future.done():
            time.sleep(0.01)
        return future.result()

    def _on_detection(self, msg):
        self.received[_key(msg)] = time.perf_counter()

    def _on_status(self, msg):
        if msg.is_heartbeat:
            return
        with self.changed:
            self.inference[_key(msg)] = msg.inference_ms
            self.changed.notify()


def _key(msg):
    return msg.header.stamp.sec, msg.header.stamp.nanosec


def measure(seconds, rate, size_wh):
    """Return end-to-end and inference time in ms of the frames that came back, and the number published."""
    node = Stopwatch(size_wh)
    thread = threading.Thread(target=_spin, args=(node,), daemon=True)
    thread.start()
    number = 0
    while not node.inference:  # the node loads its model meanwhile
        node.publish(number)
        number += 1
        with node.changed:
            node.changed.wait(0.2)
    answer = node.init()
    if not answer.success:
        sys.exit(f"init was refused: {answer.message}")
    first, start = number, time.perf_counter()
    node.published.clear()
    while time.perf_counter() < start + seconds:
        node.publish(number)
        number += 1
        time.sleep(max(0.0, start + (number - first) / rate - time.perf_counter()))
    time.sleep(0.5)  # the last answers
    keys = [key for key in node.published if key in node.received and key in node.inference]
    inference = np.array([node.inference[key] for key in keys])
    total = np.array([node.received[key] - node.published[key] for key in keys]) * 1e3
    return total, inference, len(node.published)


def _spin(node):
    try:
        rclpy.spin(node)
    except ExternalShutdownException:
        pass


def size_argument(text):
    """WIDTHxHEIGHT as two numbers."""
    width, height = text.split("x")
    return int(width), int(height)


def measure_row(arguments, rate, size_wh):
    """Start the node, measure at one rate and size, and end it; return a row of the table."""
    parameters = {name: getattr(arguments, name) for name in ("model", "weights", "device")}
    command = [sys.executable, "-c", NODE, "--ros-args", *ALWAYS_HELD, "-p", f"threads:={arguments.threads}"]
    for name, value in parameters.items():
        command += ["-p", f'{name}:="{value}"']
    process = subprocess.Popen(command)
    rclpy.init()
    try:
        total, inference, published = measure(arguments.seconds, rate, size_wh)
    finally:
        rclpy.try_shutdown()
        process.terminate()
        process.wait()
    row = {"image": "x".join(map(str, size_wh)), "Hz": rate, "published": published, "missed": published - len(total)}
    for name, values in (("end to end", total), ("inference", inference), ("node", total - inference)):
        row |= {f"{name} p{percent}": float(np.percentile(values, percent)) for percent in PERCENTILES}
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=20.0, help="length of a measurement")
    parser.add_argument("--rates", type=float, nargs="+", default=[30.0], help="images per second")
    parser.add_argument(
        "--sizes", type=size_argument, nargs="+", default=[(640, 480)], help="WIDTHxHEIGHT, of the images"
    )
    parser.add_argument("--model", default="lite")
    parser.add_argument("--weights", default="", help="a checkpoint, or random; empty: those of the package")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads of the network; 0: as torch likes")
    parser.add_argument("--json", type=Path, help="file to write the table to")
    arguments = parser.parse_args()
    make_room_for_images()  # as video_publisher does
    rows = [measure_row(arguments, rate, size_wh) for size_wh in arguments.sizes for rate in arguments.rates]
    cells = [[f"{value:.1f}" if isinstance(value, float) else str(value) for value in row.values()] for row in rows]
    print(format_table(list(rows[0]), cells, left=(0,)))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
