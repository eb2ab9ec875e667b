# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A node that publishes a video file, a folder of images, a bag, a camera or the rendered scene as an image topic.

It publishes `image` (sensor_msgs/Image, bgr8), `image/compressed` (jpeg) or both. On `~/header` it publishes the header
of every frame, also for late subscribers: header n is that of frame n, even where an image was lost. It ends after the
last frame, with status 0, or 2 if the video was not read to its end.
"""

import dataclasses
import math
import sys
import time
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import rclpy
from rcl_interfaces.msg import IntegerRange, ParameterDescriptor
from rclpy.clock import Clock, ClockType
from rclpy.duration import Duration
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from siam_tracker_ros.demo.scene import FRAMES as SCENE_FRAMES
from siam_tracker_ros.demo.scene import Scene, SceneSource
from siam_tracker_ros.errors import IncompleteVideoError, InvalidSettingError, SiamTrackerError
from siam_tracker_ros.frames import FrameSource, open_frames
from siam_tracker_ros.image_conversion import fill_compressed, fill_image
from siam_tracker_ros.intensity import parse_intensity_range
from siam_tracker_ros.node.fast_dds import make_room_for_images
from siam_tracker_ros.node.messages import ns_to_stamp
from siam_tracker_ros.node.rclpy_private import explain_refused_parameters
from siam_tracker_ros.node.spinning import PARAMETER_ERRORS, init_ros, note_signals

SCENE = "scene"

HEADERS_QOS = QoSProfile(
    history=HistoryPolicy.KEEP_LAST,
    depth=1000,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
"""Of the topic of headers, for both sides: a late subscriber gets all of them."""

_DEFAULT_RATE = 30.0
_SETTLING_S = 0.5  # a subscriber that is matched here may not be ready on its side yet
_GOODBYE_S = 0.5  # best-effort subscribers need it to fetch the last frame before this process ends


@dataclasses.dataclass(frozen=True)
class _Settings:
    """Values of the parameters; they are read once."""

    source: str
    topic: str
    restamp: bool
    intensity_range: str
    rate: float
    loop: bool
    frame_id: str
    frames: int
    seed: int
    width: int
    height: int
    transport: str
    jpeg_quality: int
    reliability: str
    wait_for_subscribers: int

    def check(self) -> None:
        """Raise InvalidSettingError when a value cannot be used."""
        _check_choice("transport", self.transport, ("raw", "compressed", "both"))
        _check_choice("reliability", self.reliability, ("reliable", "best_effort"))
        if (self.width > 0) != (self.height > 0):
            raise InvalidSettingError(
                f"width is {self.width}, height {self.height}, expected both above 0, or both 0 for the source's size"
            )
        rate = self.rate
        if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 <= rate <= 1000:  # nor NaN
            raise InvalidSettingError(f"rate is {rate!r}, expected 0 to 1000 frames per second, 0 for the source's")

    @property
    def size_wh(self) -> tuple[int, int] | None:
        """The size to publish in, or None for the source's own."""
        return (self.width, self.height) if self.width else None


class VideoPublisher(Node):
    """Publishes frames at a steady rate.

    Each is stamped with the time at which it is published, but those of a bag keep the header that they have there.

    Attributes:
        finished: True after the last frame was delivered.
        failure: why frames are missing behind the last one, or None.
    """

    def __init__(self, **node_arguments: Any) -> None:
        """Open the source; `node_arguments` are further arguments of rclpy.node.Node.

        Raises:
            InvalidInputError: the source cannot be opened.
            InvalidSettingError: a parameter is out of its range.
        """
        super().__init__("video_publisher", **node_arguments)
        explain_refused_parameters(self)
        self.finished = False
        self.failure: IncompleteVideoError | None = None
        self._published = 0
        self._matched_since = math.inf
        self._started = False
        self._settings = self._declare_parameters()
        self._settings.check()
        self._source = _open_source(self._settings)
        self._remarks: set[str] = set()  # about the source, those that were logged
        self._next_image_bgr = None if self._source.live else self._read()
        topic = self.resolve_topic_name("image")  # resolved first: a remapping of `image` moves both
        self._raw = self._compressed = None
        if self._settings.transport != "compressed":
            self._raw = self._create_image_publisher(Image, topic)
        if self._settings.transport != "raw":
            self._compressed = self._create_image_publisher(CompressedImage, f"{topic}/compressed")
        self._headers = self.create_publisher(Header, "~/header", HEADERS_QOS)
        period = 1 / (self._settings.rate or self._source.fps or _DEFAULT_RATE)
        # Not the node's clock, which with use_sim_time stands still until a simulator runs.
        self.create_timer(period, self._on_timer, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self.get_logger().info(f"publishing {self._settings.source} on {topic} at {1 / period:.1f} Hz")

    def destroy_node(self) -> None:
        """Release the source, then the node."""
        if hasattr(self, "_source"):
            self._source.close()
        super().destroy_node()

    def _declare_parameters(self) -> _Settings:
        declare = self._declare
        return _Settings(
            source=str(declare("source", SCENE, "Video, image folder, bag, camera number, or `scene`.", mixed=True)),
            topic=declare("topic", "", "Image topic of a bag that has several."),
            restamp=declare("restamp", False, "Stamp the images of a bag, too, with the time of publishing."),
            intensity_range=declare(
                "intensity_range", "auto", "Intensities of 16-bit images that become black and white, as 7000,9000."
            ),
            rate=declare("rate", 0.0, "Frames per second; 0: the source's own, or 30.", mixed=True),
            loop=declare("loop", False, "Start again after the last frame."),
            frame_id=declare("frame_id", "camera_optical_frame", "header.frame_id of images that bring none."),
            frames=declare("frames", 0, "End after so many frames; 0: at the end.", 2**31),
            seed=declare("seed", 0, "Seed of the rendered scene.", 2**31),
            width=declare("width", 0, "Width of the images in pixels; 0: the source's.", 2**14),
            height=declare("height", 0, "Height of the images in pixels; 0: the source's.", 2**14),
            transport=declare("transport", "raw", "raw, compressed, or both."),
            jpeg_quality=declare("jpeg_quality", 90, "Quality of compressed images, 0 to 100.", 100),
            reliability=declare("reliability", "reliable", "reliable, or best_effort as cameras may be."),
            wait_for_subscribers=declare(
                "wait_for_subscribers", 0, "Hold the first frame until the images have so many subscribers.", 1000
            ),
        )

    def _declare(
        self, name: str, default: Any, description: str, highest: int | None = None, mixed: bool = False
    ) -> Any:
        """Declare a parameter that is read once and return its value.

        Args:
            name: its name.
            default: its default, which sets the type too.
            description: its meaning, for people.
            highest: highest value of an integer; the lowest is 0.
            mixed: take other types than the default's too: on a command line "0" and 30.0 become 0 and 30.
        """
        descriptor = ParameterDescriptor(description=description, read_only=True, dynamic_typing=mixed)
        if highest is not None:
            descriptor.integer_range = [IntegerRange(from_value=0, to_value=highest, step=0)]
        return self.declare_parameter(name, default, descriptor).value

    def _create_image_publisher(self, msg_type: type, topic: str) -> Publisher:
        reliability = ReliabilityPolicy[self._settings.reliability.upper()]
        qos = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=10, reliability=reliability)
        overrides = QoSOverridingOptions.with_default_policies()
        return self.create_publisher(msg_type, topic, qos, qos_overriding_options=overrides)

    def _on_timer(self) -> None:
        if self.finished or not self._may_start():
            return
        image_bgr = self._read() if self._next_image_bgr is None else self._next_image_bgr
        if image_bgr is None:
            self._finish()
            return
        self._publish(image_bgr)
        if self._published == self._settings.frames:
            self._finish()
        elif not self._source.live:  # read ahead, so that the next frame goes out on time
            self._next_image_bgr = self._read()
            if self._next_image_bgr is None:
                self._finish()

    def _may_start(self) -> bool:
        """Return whether the subscribers that were asked for are there, for long enough to be ready."""
        if not self._started:
            publishers = (publisher for publisher in (self._raw, self._compressed) if publisher is not None)
            subscribers = sum(publisher.get_subscription_count() for publisher in publishers)
            enough = subscribers >= self._settings.wait_for_subscribers
            now = time.monotonic()
            self._matched_since = min(self._matched_since, now) if enough else math.inf
            settling = _SETTLING_S if self._settings.wait_for_subscribers else 0
            self._started = now - self._matched_since >= settling
        return self._started

    def _read(self) -> np.ndarray | None:
        """Return the next frame in the size that is published, or None after the last one."""
        size_wh = self._settings.size_wh
        image_bgr = self._read_source()
        if image_bgr is None and self._settings.loop:
            self._source.rewind()
            image_bgr = self._read_source()
        if image_bgr is not None and size_wh and image_bgr.shape[1::-1] != size_wh:
            image_bgr = cv2.resize(image_bgr, size_wh, interpolation=cv2.INTER_AREA)
        return image_bgr

    def _read_source(self) -> np.ndarray | None:
        """Return the next frame, or None at the end; say what is missing, in a loop once."""
        image_bgr = None
        try:
            image_bgr = next(self._source, None)
        except IncompleteVideoError as error:
            self.failure = error
        for remark in self._source.remarks:
            if remark not in self._remarks:
                self._remarks.add(remark)
                self.get_logger().warning(remark)
        return image_bgr

    def _publish(self, image_bgr: np.ndarray) -> None:
        header = self._make_header()
        if self._raw is not None:
            self._raw.publish(fill_image(Image(), image_bgr, "bgr8", header))
        if self._compressed is not None:
            msg = fill_compressed(CompressedImage(), image_bgr, "bgr8", header, self._settings.jpeg_quality)
            self._compressed.publish(msg)
        self._headers.publish(header)
        self._published += 1

    def _make_header(self) -> Header:
        """Return the header of the frame that was read last, which is the one to publish."""
        recorded = self._source.header
        header = Header(stamp=self.get_clock().now().to_msg(), frame_id=self._settings.frame_id)
        if recorded is not None:
            header.frame_id = recorded.frame_id
            if not self._settings.restamp:
                header.stamp = ns_to_stamp(recorded.stamp_ns)
        return header

    def _finish(self) -> None:
        """Wait until the last frame is delivered."""
        for publisher in (self._raw, self._compressed, self._headers):
            if publisher is not None:
                publisher.wait_for_all_acked(Duration(seconds=2))
        time.sleep(_GOODBYE_S)
        self.finished = True
        self.get_logger().info(f"published {self._published} frames")


def _open_source(settings: _Settings) -> FrameSource:
    if settings.source == SCENE:
        return SceneSource(Scene(settings.size_wh or (640, 480), settings.frames or SCENE_FRAMES, settings.seed))
    return open_frames(settings.source, parse_intensity_range(settings.intensity_range), settings.topic)


def _check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise InvalidSettingError(f"{name} is '{value}', expected one of {', '.join(choices)}")


def main(args: list[str] | None = None) -> int:
    """Publish until the source ends, Ctrl-C or SIGTERM.

    Returns:
        The exit status: 2 for a bad setting, or a video that was not read to its end.
    """
    signals = note_signals()
    make_room_for_images()
    cv2.setNumThreads(1)  # the cores are for the tracker
    node, executor, status = None, None, 2
    try:
        # Without rclpy's own signal handlers a signal does not end the context while a frame is published.
        init_ros(args, signal_handler_options=SignalHandlerOptions.NO)
        node = VideoPublisher()
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        status = 1
        while not (node.finished or signals):
            executor.spin_once(timeout_sec=0.2)
        if node.failure is not None:
            raise node.failure
        status = 0
    except IncompleteVideoError as error:
        status = 2
        print(f"video_publisher: {error}", file=sys.stderr)
    except (SiamTrackerError, *PARAMETER_ERRORS) as error:
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
