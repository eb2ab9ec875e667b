# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A node that publishes a video file, a folder of images, a camera or the rendered scene as an image topic.

It publishes `image` (sensor_msgs/Image, bgr8), `image/compressed` (jpeg) or both. On `~/header` it publishes
the header of every frame, also for late subscribers: the n-th is the n-th frame's, whatever image was lost.
It ends, with status 0, after the last frame.
"""

import math
import os
import signal
import sys
import time
from pathlib import Path

import cv2
import rclpy
import rclpy.exceptions
from rcl_interfaces.msg import IntegerRange, ParameterDescriptor
from rclpy.clock import Clock, ClockType
from rclpy.duration import Duration
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from siam_tracker_ros.demo.scene import Scene, SceneSource
from siam_tracker_ros.errors import InvalidSettingError, SiamTrackerError
from siam_tracker_ros.frames import open_frames
from siam_tracker_ros.node.image_conversion import fill_image

SCENE = "scene"

_DEFAULT_RATE = 30.0
_SCENE_FRAMES = 300
_HEADERS_KEPT = 1000
_SETTLING_S = 0.5  # a subscriber that is matched here may not be ready on its side yet
_GOODBYE_S = 0.5  # what best-effort subscribers need to fetch the last frame before this process is gone


class VideoPublisher(Node):
    """Publishes frames at a steady rate, each stamped with the moment at which it is published.

    Attributes:
        finished: True after the last frame was delivered.
    """

    def __init__(self, **node_arguments):
        """Open the source; `node_arguments` are further arguments of rclpy.node.Node.

        Raises:
            InvalidInputError: the source cannot be opened.
            InvalidSettingError: a parameter is out of its range.
        """
        super().__init__("video_publisher", **node_arguments)
        self.finished = False
        self._published = 0
        self._matched_since = math.inf
        self._started = False
        what = "Video file, image folder, camera number, or `scene`."
        source = str(self._declare("source", SCENE, what, mixed=True))
        rate = self._declare("rate", 0.0, "Frames a second; 0: the source's own, or 30.", mixed=True)
        self._loop = self._declare("loop", False, "Start again after the last frame.")
        self._frame_id = self._declare("frame_id", "camera_optical_frame", "header.frame_id of the images.")
        self._frame_limit = self._declare("frames", 0, "End after so many frames; 0: at the end.", 2**31)
        seed = self._declare("seed", 0, "Seed of the rendered scene.", 2**31)
        width = self._declare("width", 0, "Width of the images in pixels; 0: the source's.", 2**14)
        height = self._declare("height", 0, "Height of the images in pixels; 0: the source's.", 2**14)
        transport = self._declare("transport", "raw", "raw, compressed, or both.")
        self._jpeg_quality = self._declare("jpeg_quality", 90, "Quality of compressed images, 0 to 100.", 100)
        reliability = self._declare("reliability", "reliable", "reliable, or best_effort as cameras may be.")
        self._subscribers_wanted = self._declare(
            "wait_for_subscribers", 0, "Hold the first frame until the images have so many subscribers.", 1000
        )
        _check_choice("transport", transport, ("raw", "compressed", "both"))
        _check_choice("reliability", reliability, ("reliable", "best_effort"))
        self._size_wh = _check_size(width, height)
        self._source = _open_source(source, self._size_wh, self._frame_limit, seed)
        period = 1 / (_check_rate(rate) or self._source.fps or _DEFAULT_RATE)
        self._next_image_bgr = None if self._source.live else self._read()

        qos = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=10, reliability=ReliabilityPolicy[reliability.upper()])
        options = {"qos_overriding_options": QoSOverridingOptions.with_default_policies()}
        topic = self.resolve_topic_name("image")  # resolved first: a remapping of `image` moves both
        self._raw = self._compressed = None
        if transport != "compressed":
            self._raw = self.create_publisher(Image, topic, qos, **options)
        if transport != "raw":
            self._compressed = self.create_publisher(CompressedImage, f"{topic}/compressed", qos, **options)
        self._headers = self.create_publisher(
            Header,
            "~/header",
            QoSProfile(
                history=HistoryPolicy.KEEP_LAST,
                depth=_HEADERS_KEPT,
                reliability=ReliabilityPolicy.RELIABLE,
                durability=DurabilityPolicy.TRANSIENT_LOCAL,
            ),
        )
        # A steady clock: with use_sim_time the node's own stands still until a simulator runs.
        self.create_timer(period, self._on_timer, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self.get_logger().info(f"publishing {source} on {topic} at {1 / period:.1f} Hz")

    def destroy_node(self):
        """Release the source, then the node."""
        if hasattr(self, "_source"):
            self._source.close()
        super().destroy_node()

    def _declare(self, name, default, description, highest=None, mixed=False):
        """Declare a parameter that is read once and return its value.

        Args:
            name: its name.
            default: its default, which sets the type too.
            description: what it means, for people.
            highest: an integer's highest value; its lowest is 0.
            mixed: take other types than the default's too: on a command line "0" and 30.0 become 0 and 30.
        """
        descriptor = ParameterDescriptor(description=description, read_only=True, dynamic_typing=mixed)
        if highest is not None:
            descriptor.integer_range = [IntegerRange(from_value=0, to_value=highest, step=0)]
        return self.declare_parameter(name, default, descriptor).value

    def _on_timer(self):
        if self.finished or not self._may_start():
            return
        image_bgr = self._next_image_bgr
        if image_bgr is None:
            image_bgr = self._read()
        self._publish(image_bgr)
        if self._published == self._frame_limit:
            self._finish()
        elif not self._source.live:  # read ahead, so that the next frame goes out on time
            self._next_image_bgr = self._read()
            if self._next_image_bgr is None:
                self._finish()

    def _may_start(self):
        if not self._started:
            publishers = (publisher for publisher in (self._raw, self._compressed) if publisher is not None)
            subscribers = sum(publisher.get_subscription_count() for publisher in publishers)
            enough = subscribers >= self._subscribers_wanted
            now = time.monotonic()
            self._matched_since = min(self._matched_since, now) if enough else math.inf
            settling = _SETTLING_S if self._subscribers_wanted else 0
            self._started = now - self._matched_since >= settling
        return self._started

    def _read(self):
        """Return the next frame in the size that is published, or None after the last one."""
        image_bgr = next(self._source, None)
        if image_bgr is None and self._loop:
            self._source.rewind()
            image_bgr = next(self._source, None)
        if image_bgr is not None and self._size_wh and image_bgr.shape[1::-1] != self._size_wh:
            image_bgr = cv2.resize(image_bgr, self._size_wh, interpolation=cv2.INTER_AREA)
        return image_bgr

    def _publish(self, image_bgr):
        header = Header(stamp=self.get_clock().now().to_msg(), frame_id=self._frame_id)
        if self._raw is not None:
            self._raw.publish(fill_image(Image(), image_bgr, "bgr8", header))
        if self._compressed is not None:
            msg = CompressedImage(header=header, format="bgr8; jpeg compressed bgr8")
            _, jpeg = cv2.imencode(".jpg", image_bgr, [cv2.IMWRITE_JPEG_QUALITY, self._jpeg_quality])
            msg.data.frombytes(jpeg.data)
            self._compressed.publish(msg)
        self._headers.publish(header)
        self._published += 1

    def _finish(self):
        """Wait until the last frame is delivered."""
        for publisher in (self._raw, self._compressed, self._headers):
            if publisher is not None:
                publisher.wait_for_all_acked(Duration(seconds=2))
        time.sleep(_GOODBYE_S)
        self.finished = True
        self.get_logger().info(f"published {self._published} frames")


def _open_source(source, size_wh, frames, seed):
    if source == SCENE:
        return SceneSource(Scene(size_wh or (640, 480), frames or _SCENE_FRAMES, seed))
    return open_frames(source)


def _check_choice(name, value, choices):
    if value not in choices:
        raise InvalidSettingError(f"{name} is '{value}', expected one of {', '.join(choices)}")


def _check_rate(rate):
    if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 <= rate <= 1000:  # nor NaN
        raise InvalidSettingError(f"rate is {rate!r}, expected 0 to 1000 frames a second, 0 for the source's")
    return float(rate)


def _check_size(width, height):
    """Return the size to publish in, or None for the source's own."""
    if (width > 0) != (height > 0):
        raise InvalidSettingError(
            f"width is {width}, height {height}, expected both above 0, or both 0 for the source's size"
        )
    return (width, height) if width else None


def _make_room_for_images():
    """Have Fast DDS, where ROS uses it, share enough memory for images, unless the user configured it."""
    variables = "FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"  # version 2, version 3
    if not any(variable in os.environ for variable in variables):
        for variable in variables:
            os.environ[variable] = str(Path(__file__).with_name("fast_dds_images.xml"))


def main(args=None):
    """Publish until the source ends, Ctrl-C or SIGTERM; return the exit status, 2 for a bad setting."""
    interrupted = []
    for number in (signal.SIGINT, signal.SIGTERM):  # no exception may strike inside of rclpy
        signal.signal(number, lambda *_: interrupted.append(True))
    _make_room_for_images()
    cv2.setNumThreads(1)  # the cores are the tracker's
    # Without rclpy's own signal handlers a signal cannot take the context away from under a publish.
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    node, executor, status = None, None, 2
    try:
        node = VideoPublisher()
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        status = 1
        while not (node.finished or interrupted):
            executor.spin_once(timeout_sec=0.2)
        status = 0
    except (
        SiamTrackerError,
        rclpy.exceptions.InvalidParameterTypeException,
        rclpy.exceptions.InvalidParameterValueException,
    ) as error:
        print(f"video_publisher: {error}", file=sys.stderr)
    finally:
        if executor is not None:
            executor.shutdown()
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
    return status


if __name__ == "__main__":
    sys.exit(main())
