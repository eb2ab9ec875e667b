# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A small detector that starts the tracker, and starts it again after a loss: it finds the largest spot of one colour.

python3 examples/detect_color.py --ros-args -r image:=/camera/image_raw -p hue:=0

It publishes what it finds on `tracker/init_detections`, and that is all: the tracker takes a detection while it has no
target, or has lost it. Put your own detector in the place of `find_spot`. Three things matter:

- the header is that of the image, so that a slow detector names the image that it has looked at;
- the box is a centre and a size in pixels;
- numbers are written as float(...), because an int or a numpy.float32 is sent as another number.
"""

from typing import Any

import cv2
import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image
from vision_msgs.msg import Detection2D, Detection2DArray, ObjectHypothesisWithPose

from siam_tracker_ros.image_conversion import image_to_bgr


class ColorDetector(Node):
    """Subscribes to `image` (sensor_msgs/Image), publishes `tracker/init_detections` (vision_msgs/Detection2DArray)."""

    def __init__(self, **node_arguments: Any) -> None:
        """Create the node; `node_arguments` are further arguments of rclpy.node.Node."""
        super().__init__("color_detector", **node_arguments)
        self.declare_parameter("hue", 0)  # 0..179 as in OpenCV: red 0, green 60, blue 120
        self.declare_parameter("tolerance", 8)  # of the hue
        self.declare_parameter("min_side", 10)  # pixels
        self._publisher = self.create_publisher(Detection2DArray, "tracker/init_detections", 1)
        self.create_subscription(Image, "image", self._on_image, qos_profile_sensor_data)

    def _on_image(self, msg: Image) -> None:
        hue, tolerance, min_side = (self.get_parameter(name).value for name in ("hue", "tolerance", "min_side"))
        array = Detection2DArray(header=msg.header)
        box_xywh = find_spot(image_to_bgr(msg), hue, tolerance)
        if box_xywh is not None and min(box_xywh[2:]) >= min_side:
            array.detections = [make_detection(box_xywh, "spot", score=1.0)]
        self._publisher.publish(array)


def find_spot(image_bgr: np.ndarray, hue: int, tolerance: int) -> np.ndarray | None:
    """Return the box_xywh in pixels of the largest spot of a colour, None without a spot.

    Args:
        image_bgr: uint8 (H, W, 3).
        hue: 0..179.
        tolerance: largest distance from this hue.
    """
    image_hsv = cv2.cvtColor(image_bgr, cv2.COLOR_BGR2HSV)
    distance = np.abs((image_hsv[..., 0].astype(int) - hue + 90) % 180 - 90)  # red is at both ends of the scale
    is_strong = (image_hsv[..., 1] > 120) & (image_hsv[..., 2] > 80)
    _, _, stats, _ = cv2.connectedComponentsWithStats((is_strong & (distance <= tolerance)).astype(np.uint8))
    spots = stats[1:]  # the first is the rest of the image
    return max(spots, key=lambda spot: spot[cv2.CC_STAT_AREA])[:4] if len(spots) else None


def make_detection(box_xywh: np.ndarray, class_id: str, score: float) -> Detection2D:
    """Return a detection; its header is left empty, so that of the array counts."""
    left, top, width, height = (float(value) for value in box_xywh)
    detection = Detection2D()
    detection.bbox.center.position.x, detection.bbox.center.position.y = left + width / 2, top + height / 2
    detection.bbox.size_x, detection.bbox.size_y = width, height
    result = ObjectHypothesisWithPose()
    result.hypothesis.class_id, result.hypothesis.score = class_id, float(score)
    detection.results = [result]
    return detection


def main(args: list[str] | None = None) -> None:
    """Run the node until Ctrl-C."""
    rclpy.init(args=args)
    node = ColorDetector()
    try:
        rclpy.spin(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
