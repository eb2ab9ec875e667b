# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How many images of a camera the tracker node receives, at its defaults.

It starts the tracker node in a process of its own. For each kind of camera it starts another process that publishes
some images of noise, once before the node subscribes and once after. The last two columns are a best-effort camera
whose shared memory is as large as that of `video_publisher`. Run it on a machine that does nothing else.

    ./run exec python benchmarks/image_arrival.py
"""

import argparse
import itertools
import os
import subprocess
import sys
import time

import numpy as np
import rclpy
from lifecycle_msgs.srv import ChangeState
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
from siam_tracker_ros.msg import TrackerStatus

from siam_tracker_ros.image_conversion import fill_image
from siam_tracker_ros.node.fast_dds import IMAGES_PROFILE, profile_variable

NODE = "import sys; from siam_tracker_ros.node.tracker_node import main; sys.exit(main())"
PARAMETERS = ["-p", "autostart:=false", "-p", "device:=cpu", "-p", "weights:=random"]  # there is no target to track
PARAMETERS += ["--log-level", "error"]
SIZES = ("320x240", "640x480", "1280x720", "1920x1080", "3840x2160")
CHANNELS = {"bgr8": (3,), "mono8": ()}
ORDERS = ("tracker first", "camera first")
CAMERAS = (("reliable", False), ("best_effort", False), ("best_effort", True))  # reliability, large shared memory
DEADLINE_S = 60


class Observer(Node):
    """Moves the tracker node from state to state and counts the images that it received."""

    def __init__(self):
        super().__init__("observer")
        self.received = 0
        self._change_state = self.create_client(ChangeState, "tracker/change_state")
        self.create_subscription(TrackerStatus, "tracker/status", self._on_status, 1000)

    def change_state(self, label):
        """Trigger a transition of the tracker node."""
        request = ChangeState.Request()
        request.transition.label = label
        if not self._change_state.wait_for_service(DEADLINE_S):
            sys.exit("the tracker node does not answer")
        future = self._change_state.call_async(request)
        rclpy.spin_until_future_complete(self, future, timeout_sec=DEADLINE_S)
        if not future.done() or not future.result().success:
            sys.exit(f"the tracker node refuses to {label}")

    def wait(self, condition, seconds=DEADLINE_S):
        """Spin until a condition holds, for so many seconds at most; return whether it does."""
        end = time.monotonic() + seconds
        while not condition() and time.monotonic() < end:
            rclpy.spin_once(self, timeout_sec=0.05)
        return condition()

    def _on_status(self, msg):
        if not msg.is_heartbeat:
            self.received += 1 + msg.frames_skipped


def play_camera(size, encoding, reliability, images, rate):
    """Publish images of noise as soon as somebody has subscribed to them."""
    width, height = (int(side) for side in size.split("x"))
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, *CHANNELS[encoding]), dtype=np.uint8)
    rclpy.init()
    node = Node("camera")
    qos = QoSProfile(depth=10, reliability=ReliabilityPolicy[reliability.upper()])
    publisher = node.create_publisher(Image, "image", qos)
    msg = fill_image(Image(), pixels, encoding, Image().header)
    print("ready", flush=True)
    while not publisher.get_subscription_count():
        time.sleep(0.01)
    time.sleep(0.5)  # the subscription that is known here may not know this publisher yet
    start = time.monotonic()
    for number in range(images):
        time.sleep(max(0.0, start + number / rate - time.monotonic()))
        msg.header.stamp = node.get_clock().now().to_msg()
        publisher.publish(msg)
    time.sleep(2.0)  # for what is sent again
    print(f"{time.monotonic() - start - 2.0:.1f}", flush=True)
    rclpy.try_shutdown()


def measure(observer, camera, order, images):
    """Return how many images of a camera arrive; `camera` is the command that plays it, and its environment."""
    observer.received = 0
    if order == "tracker first":
        observer.change_state("activate")
    process = subprocess.Popen(camera[0], env=camera[1], stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    if order == "camera first":
        observer.wait(lambda: observer.count_publishers("image"))
        observer.change_state("activate")
    observer.wait(lambda: process.poll() is not None)
    observer.wait(lambda: observer.received >= images, 1.0)
    observer.change_state("deactivate")
    observer.wait(lambda: not observer.count_publishers("image"))
    return observer.received


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=30, help="of each camera")
    parser.add_argument("--rate", type=float, default=10.0, help="images per second")
    parser.add_argument("--sizes", nargs="+", default=SIZES, metavar="WIDTHxHEIGHT")
    parser.add_argument("--camera", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.camera:
        play_camera(*arguments.camera, arguments.images, arguments.rate)
        return
    own = {name: value for name, value in os.environ.items() if not name.endswith("_DEFAULT_PROFILES_FILE")}
    large = own | {profile_variable(): str(IMAGES_PROFILE)}
    options = ["--images", str(arguments.images), "--rate", str(arguments.rate)]
    tracker = subprocess.Popen([sys.executable, "-c", NODE, "--ros-args", *PARAMETERS], env=own)
    rclpy.init()
    try:
        observer = Observer()
        observer.change_state("configure")
        names = [
            f"{reliability.replace('_', ' ')}{', large memory' if is_large else ''}, {order}"
            for (reliability, is_large), order in itertools.product(CAMERAS, ORDERS)
        ]
        print(f"images received of {arguments.images} at {arguments.rate:g} Hz\n")
        print("\n".join((f"| image | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|")), flush=True)
        for size, encoding in itertools.product(arguments.sizes, CHANNELS):
            counts = []
            for (reliability, is_large), order in itertools.product(CAMERAS, ORDERS):
                command = [sys.executable, __file__, "--camera", size, encoding, reliability, *options]
                counts.append(measure(observer, (command, large if is_large else own), order, arguments.images))
            print(f"| {size} {encoding} | {' | '.join(map(str, counts))} |", flush=True)
        print(f"\nload of this machine: {' '.join(f'{load:.1f}' for load in os.getloadavg())}")
    finally:
        rclpy.try_shutdown()
        tracker.terminate()
        tracker.wait()


if __name__ == "__main__":
    main()
