# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the ROS node adds to the network's own time.

It starts the tracker node in a process of its own, publishes images of 640 x 480 at 30 Hz over DDS, and takes
for each frame the time from publishing the image to receiving its detection, less the inference time that the
status reports.

    ./run exec python benchmarks/node_overhead.py --seconds 20
"""

import argparse
import subprocess
import sys
import threading
import time

import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from sensor_msgs.msg import Image
from siam_tracker_ros.msg import TrackerStatus
from siam_tracker_ros.srv import InitTracker
from vision_msgs.msg import Detection2D

from siam_tracker_ros.image_conversion import fill_image
from siam_tracker_ros.node.fast_dds import make_room_for_images

BOX_SIDE = 80
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
    """Return overhead and inference in ms of the frames that came back, and the number published."""
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
    return total - inference, inference, len(node.published)


def _spin(node):
    try:
        rclpy.spin(node)
    except ExternalShutdownException:
        pass


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=20.0, help="length of the measurement")
    parser.add_argument("--rate", type=float, default=30.0, help="images per second")
    parser.add_argument("--size", default="640x480", help="of the images, WIDTHxHEIGHT")
    parser.add_argument("--model", default="lite")
    parser.add_argument("--weights", default="", help="a checkpoint, or random; empty: those of the package")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads of the network; 0: as torch likes")
    arguments = parser.parse_args()
    size_wh = tuple(int(side) for side in arguments.size.split("x"))
    parameters = {name: getattr(arguments, name) for name in ("model", "weights", "device")}
    make_room_for_images()  # as video_publisher does
    command = [sys.executable, "-c", NODE, "--ros-args", *ALWAYS_HELD, "-p", f"threads:={arguments.threads}"]
    for name, value in parameters.items():
        command += ["-p", f'{name}:="{value}"']
    process = subprocess.Popen(command)
    rclpy.init()
    try:
        overhead, inference, published = measure(arguments.seconds, arguments.rate, size_wh)
    finally:
        rclpy.try_shutdown()
        process.terminate()
        process.wait()
    print(f"published {published} frames, detections {len(overhead)}")
    for name, values in (("node overhead", overhead), ("inference", inference)):
        p50, p95, p99 = np.percentile(values, (50, 95, 99))
        print(f"{name:14} p50 {p50:6.2f} ms   p95 {p95:6.2f} ms   p99 {p99:6.2f} ms")


if __name__ == "__main__":
    main()
