# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The client of the demo: a node that gives the tracker its target and records the answers."""

import queue
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.node import Node
from rclpy.subscription import Subscription
from rclpy.task import Future
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from vision_msgs.msg import Detection2D

from siam_tracker_ros.core.monitor import TargetState
from siam_tracker_ros.demo.report import LiveRun
from siam_tracker_ros.frames import VideoSink
from siam_tracker_ros.geometry import cxcywh_to_xywh
from siam_tracker_ros.image_conversion import image_to_bgr
from siam_tracker_ros.msg import TrackerStatus
from siam_tracker_ros.node.messages import init_request, stamp_to_ns
from siam_tracker_ros.node.video_publisher import HEADERS_QOS
from siam_tracker_ros.srv import InitTracker


class DemoClient(Node):
    """Listens to `video_publisher` and `tracker`; its callbacks only record, so that they add no latency.

    Attributes:
        first_header: header of the first image, or None before it.
        tracker_fault: the error that the tracker reports on /diagnostics, or empty.
    """

    def __init__(self, recorder: "VideoRecorder | None" = None, **node_arguments: Any) -> None:
        """Listen to the tracker.

        Args:
            recorder: gets every image; without one only the first image is received.
            node_arguments: further arguments of rclpy.node.Node.
        """
        super().__init__("demo_client", **node_arguments)
        self.first_header: Header | None = None
        self.tracker_fault = ""
        self._recorder = recorder
        self._stamps_ns: list[int] = []
        self._statuses: dict[int, TrackerStatus] = {}  # by stamp in nanoseconds, as the next two
        self._boxes_xywh: dict[int, np.ndarray] = {}
        self._received_ns: dict[int, int] = {}
        self._start_ns = 0
        self._images: Subscription | None = None
        if recorder is None:
            self.create_subscription(Header, "video_publisher/header", self._on_header, HEADERS_QOS)
        self.create_subscription(Detection2D, "tracker/detection", self._on_detection, 100)
        self.create_subscription(TrackerStatus, "tracker/status", self._on_status, 100)
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)
        self._init = self.create_client(InitTracker, "tracker/init")

    @property
    def is_connected(self) -> bool:
        """Whether the tracker's service and outputs are there; the outputs come once the model is loaded."""
        outputs = "tracker/detection", "tracker/status"
        return self._init.service_is_ready() and all(self.count_publishers(name) for name in outputs)

    @property
    def has_company(self) -> bool:
        """Whether another tracker or another source of images is in the graph."""
        return self.count_publishers("tracker/status") > 1 or self.count_publishers("image") > 1

    def subscribe_to_images(self) -> None:
        """Start to receive images. The publisher waits for this, so that no answer to an image is missed."""
        self._images = self.create_subscription(Image, "image", self._on_image, 5)

    @property
    def answered_last(self) -> bool:
        """Whether the tracker has answered for the newest frame that is known here."""
        return bool(self._stamps_ns) and self._stamps_ns[-1] in self._statuses

    def request_init(self, box_xywh: Sequence[float]) -> Future:
        """Ask the tracker to start on a box of the first image; return the future of the response."""
        return self._init.call_async(init_request(self.first_header, box_xywh))

    def note_start(self, response: InitTracker.Response, box_xywh: Sequence[float]) -> None:
        """Record the frame on which the tracker started, and its box there."""
        self._start_ns = stamp_to_ns(response.stamp)
        self._boxes_xywh[self._start_ns] = np.asarray(box_xywh, dtype=np.float64)

    def live_run(self) -> LiveRun:
        """Return the record."""
        stamps_ns = np.array(self._stamps_ns, dtype=np.int64)
        held = [self._held_status(stamp_ns) for stamp_ns in self._stamps_ns]
        nowhere = np.full(4, np.nan)
        latencies_ns = [self._received_ns.get(ns, np.nan) - ns for ns in self._stamps_ns]
        return LiveRun(
            stamps_ns=stamps_ns,
            start=int(np.searchsorted(stamps_ns, self._start_ns)),
            processed=np.array([status is not None for status in held], dtype=bool),
            states=np.array([status.state if status else TargetState.IDLE for status in held], dtype=int),
            confidences=np.array([status.confidence if status else np.nan for status in held]),
            inference_ms=np.array([status.inference_ms if status else np.nan for status in held]),
            boxes_xywh=np.array([self._boxes_xywh.get(ns, nowhere) for ns in self._stamps_ns]).reshape(-1, 4),
            latencies_ms=np.array(latencies_ns, dtype=np.float64) / 1e6,
        )

    def _held_status(self, stamp_ns: int) -> TrackerStatus | None:
        """Return the status of a frame, None if there is none or the tracker was IDLE."""
        status = self._statuses.get(stamp_ns)
        return status if status is not None and status.state != TargetState.IDLE else None

    def _on_image(self, msg: Image) -> None:
        if self.first_header is None:
            self.first_header = msg.header
            # The later images are for a recorder alone, and would cost the tracker time.
            if self._recorder is None and self._images is not None:
                self.destroy_subscription(self._images)
        if self._recorder is not None and self._recorder.offer(msg):
            self._stamps_ns.append(stamp_to_ns(msg.header.stamp))

    def _on_header(self, msg: Header) -> None:
        self._stamps_ns.append(stamp_to_ns(msg.stamp))

    def _on_detection(self, msg: Detection2D) -> None:
        now_ns = time.time_ns()
        stamp_ns = stamp_to_ns(msg.header.stamp)
        center = msg.bbox.center.position
        self._received_ns[stamp_ns] = now_ns
        box_cxcywh = np.array([center.x, center.y, msg.bbox.size_x, msg.bbox.size_y])
        self._boxes_xywh[stamp_ns] = cxcywh_to_xywh(box_cxcywh)

    def _on_status(self, msg: TrackerStatus) -> None:
        if not msg.is_heartbeat:
            self._statuses[stamp_to_ns(msg.header.stamp)] = msg

    def _on_diagnostics(self, msg: DiagnosticArray) -> None:
        for status in msg.status:
            if status.name == "tracker: tracker":
                self.tracker_fault = status.message if status.level == DiagnosticStatus.ERROR else ""


class VideoRecorder:
    """A thread that writes images to a video file: a context manager.

    Attributes:
        path: the file.
        error: error of the thread, or None.
    """

    _WAITING = 60  # frames; about two seconds

    def __init__(self, path: Path, fps: float) -> None:
        self.path = path
        self.error: Exception | None = None
        self._fps = fps
        self._frames: queue.Queue[Image | None] = queue.Queue(maxsize=self._WAITING)
        self._thread = threading.Thread(target=self._write, name="recorder", daemon=True)

    def __enter__(self) -> "VideoRecorder":
        """Open the file and start.

        Raises:
            InvalidInputError: the file cannot be written.
        """
        self._sink = VideoSink(self.path, self._fps)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._frames.put(None)
        self._thread.join()

    def offer(self, msg: Image) -> bool:
        """Take an image; return False where writing is too slow to take it."""
        try:
            self._frames.put_nowait(msg)
        except queue.Full:
            return False
        return True

    def _write(self) -> None:
        try:
            with self._sink as sink:
                for msg in iter(self._frames.get, None):
                    sink.write(image_to_bgr(msg))
        except Exception as error:  # reported by the owner; what is still offered must not fill the queue
            self.error = error
            while self._frames.get() is not None:
                pass
