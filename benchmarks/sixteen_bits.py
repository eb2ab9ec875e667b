# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What 16-bit images of a narrow range cost in accuracy, with and without the stretch of their range.

It turns labelled sequences grey and writes them as 16-bit images that use a part of the range, as thermal and 12-bit
cameras do. `lite` follows the target in them twice: in the node, over DDS, and as `siam-tracker track` does. The table
has the mean IoU over the frames after the first; a frame without a box counts as 0.

    ./run exec python benchmarks/sixteen_bits.py SEQUENCES_DIR --frames 60
"""

import argparse
import tempfile
import threading
from pathlib import Path

import cv2
import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image
from siam_tracker_ros.msg import TrackerStatus
from siam_tracker_ros.srv import InitTracker
from vision_msgs.msg import Detection2D

from siam_tracker_ros import create_tracker
from siam_tracker_ros.core.session import TargetSession
from siam_tracker_ros.data.labelled import TrackFrames, read_videos
from siam_tracker_ros.frames import open_frames
from siam_tracker_ros.geometry import iou_xywh
from siam_tracker_ros.intensity import FULL_RANGE
from siam_tracker_ros.node.tracker_node import TrackerNode

KINDS = {  # factor and offset from the grey level to the intensity
    "whole range": (257, 0),
    "12 bits (0 to 4080)": (16, 0),
    "thermal counts (7000 to 8020)": (4, 7000),
    "centikelvin (29000 to 29510)": (2, 29000),
}
RANGES = {"high byte": FULL_RANGE, "stretched": None}
LOST = (np.nan,) * 4


class Operator(Node):
    """Publishes mono16 images and waits for what the tracker says of each."""

    def __init__(self):
        super().__init__("operator")
        self._publisher = self.create_publisher(Image, "image", 10)
        self._init = self.create_client(InitTracker, "tracker/init")
        self._changed = threading.Condition()
        self._answers, self._boxes, self._number = {}, {}, 0
        self.create_subscription(TrackerStatus, "tracker/status", self._on_status, 10)
        self.create_subscription(Detection2D, "tracker/detection", self._on_detection, 10)

    def follow(self, name, images, box_xywh):
        """Return a box for each image after the first, NaN where the target is lost."""
        self._send(name, images[0])
        x, y, w, h = map(float, box_xywh)
        request = InitTracker.Request()
        request.bbox.center.position.x, request.bbox.center.position.y = x + w / 2, y + h / 2
        request.bbox.size_x, request.bbox.size_y = w, h
        answer = self._init.call(request)
        if not answer.success:
            raise SystemExit(answer.message)
        return [self._send(name, image) for image in images[1:]]

    def _send(self, name, image):
        self._number += 1
        msg = Image(height=image.shape[0], width=image.shape[1], encoding="mono16", step=2 * image.shape[1])
        msg.header.frame_id, msg.header.stamp.sec = name, self._number
        msg.data.frombytes(image.astype("<u2").tobytes())
        with self._changed:
            while self._number not in self._answers:  # the node may not listen yet
                self._publisher.publish(msg)
                self._changed.wait(2.0)
            if self._answers[self._number] in (TrackerStatus.TRACKING, TrackerStatus.UNCERTAIN):
                self._changed.wait_for(lambda: self._number in self._boxes)
            return self._boxes.get(self._number, LOST)

    def _on_status(self, msg):
        if msg.is_heartbeat:
            return
        with self._changed:
            self._answers[msg.header.stamp.sec] = msg.state
            self._changed.notify()

    def _on_detection(self, msg):
        center, w, h = msg.bbox.center.position, msg.bbox.size_x, msg.bbox.size_y
        with self._changed:
            self._boxes[msg.header.stamp.sec] = (center.x - w / 2, center.y - h / 2, w, h)
            self._changed.notify()


def follow_files(tracker, folder, intensity_range, box_xywh):
    """Return a box for each image after the first as `siam-tracker track` does, NaN where the target is lost."""
    session = TargetSession(tracker)
    with open_frames(folder, intensity_range) as frames:
        session.init(next(frames), box_xywh)
        boxes = [session.observe(image_bgr).box_xywh for image_bgr in frames]
    return [LOST if box is None else box for box in boxes]


def overlap(truth_xywh, boxes_xywh):
    """Mean IoU, without the frames that are not labelled."""
    return float(np.nanmean(np.where(np.isnan(boxes_xywh).any(axis=1), 0.0, iou_xywh(truth_xywh, boxes_xywh))))


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("sequences", type=Path, metavar="SEQUENCES_DIR")
    parser.add_argument("--frames", type=int, default=60, help="frames of each sequence")
    options = parser.parse_args()
    tracks, tracker, found = read_videos(options.sequences).tracks, create_tracker("lite", device="cpu"), {}
    rclpy.init()
    operator = Operator()
    reliable = Parameter("qos_overrides./image.subscription.reliability", value="reliable")
    node = TrackerNode(parameter_overrides=[Parameter("device", value="cpu"), reliable])
    for own in (operator, node):
        executor = SingleThreadedExecutor()
        executor.add_node(own)
        threading.Thread(target=executor.spin, daemon=True).start()
    for track in tracks:
        truth = track.boxes_xywh[: options.frames]
        with TrackFrames(track) as frames:
            greys = [cv2.cvtColor(next(frames), cv2.COLOR_BGR2GRAY) for _ in truth]
        for kind, (factor, offset) in KINDS.items():
            images = [grey.astype(np.uint16) * factor + offset for grey in greys]
            with tempfile.TemporaryDirectory() as folder:
                for number, image in enumerate(images):
                    cv2.imwrite(f"{folder}/{number:05d}.png", image, [cv2.IMWRITE_PNG_COMPRESSION, 1])
                for name, fixed in RANGES.items():
                    text = "auto" if fixed is None else "{},{}".format(*fixed)
                    node.set_parameters([Parameter("intensity_range", value=text)])
                    by_node = operator.follow(f"{track.name} {kind}", images, truth[0])
                    by_track = follow_files(tracker, folder, fixed, truth[0])
                    for way, boxes in (("node", by_node), ("track", by_track)):
                        found.setdefault((kind, way, name), []).append(overlap(truth[1:], np.array(boxes)))
                        print(track.name, kind, way, name, f"{found[kind, way, name][-1]:.3f}", flush=True)
    print("\n| images | node, high byte | node, stretched | `track`, high byte | `track`, stretched |")
    print("|---|---|---|---|---|")
    for kind in KINDS:
        means = [np.mean(found[kind, way, name]) for way in ("node", "track") for name in RANGES]
        print(f"| {kind} | {' | '.join(f'{mean:.2f}' for mean in means)} |")
    node.destroy_node()
    operator.destroy_node()
    rclpy.shutdown()


if __name__ == "__main__":
    main()
