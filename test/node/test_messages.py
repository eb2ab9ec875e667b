# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest
from rclpy.serialization import deserialize_message, serialize_message
from siam_tracker_ros.msg import Target, TrackerStatus
from std_msgs.msg import Header

from siam_tracker_ros.control.target_motion import TargetEstimate
from siam_tracker_ros.core.monitor import TargetState
from siam_tracker_ros.core.outline import FixedOutline
from siam_tracker_ros.core.session import Observation
from siam_tracker_ros.geometry import corners_to_cxcywh, cxcywh_to_xywh
from siam_tracker_ros.node.messages import RESULTS
from siam_tracker_ros.result_messages import make_detection, make_status, make_target


def observation(corners):
    box_xywh = cxcywh_to_xywh(corners_to_cxcywh(corners))
    return Observation(
        TargetState.TRACKING,
        box_xywh,
        confidence=0.5,
        outline=FixedOutline(polygon=np.array(corners, dtype=np.float64)),
    )


def diamond(rise):
    """A bar of 80 x 20 about (100, 100) whose right end is `rise` pixels higher on the screen than its middle."""
    along = np.array([math.sqrt(40**2 - rise**2), -rise])  # y points down
    across = np.array([-along[1], along[0]]) / 4
    return [100 - along - across, 100 + along - across, 100 + along + across, 100 - along + across]


@pytest.mark.parametrize("rise", [0.0, 10.0, -10.0, 28.0, -28.0])
def test_theta_is_counter_clockwise_on_the_screen_as_vision_msgs_defines_it(rise):
    bbox = make_detection(RESULTS, Header(), observation(diamond(rise)), "id", "class", rotated=True).bbox
    assert bbox.center.theta == pytest.approx(math.asin(rise / 40))
    assert (bbox.size_x, bbox.size_y) == pytest.approx((80, 20))
    assert (bbox.center.position.x, bbox.center.position.y) == pytest.approx((100, 100))


def test_an_upright_box_has_no_theta():
    bbox = make_detection(RESULTS, Header(), observation(diamond(10)), "id", "class").bbox
    assert bbox.center.theta == 0 and bbox.size_y > 20


def test_the_status_says_what_a_search_has_found():
    searched = Observation(
        TargetState.UNCERTAIN,
        confidence=np.float64(0.25),
        raw_score=np.float32(0.75),
        candidates=3,
        search_progress=np.float64(0.5),
        redetections=2,
    )
    status = make_status(RESULTS, Header(), searched, "id", skipped=0, latency_ns=0)
    arrived = deserialize_message(serialize_message(status), TrackerStatus)
    assert (arrived.state, arrived.confidence, arrived.raw_score) == (TrackerStatus.UNCERTAIN, 0.25, 0.75)
    assert (arrived.candidates, arrived.search_progress, arrived.redetections) == (3, 0.5, 2)


def test_a_target_arrives_as_it_was_meant_whatever_numbers_it_was_made_of():
    single = np.float32
    estimate = TargetEstimate(
        lead_ns=1_250_000_000,
        center_xy=np.array([10, 20], single),
        image_velocity=np.array([1, -2], single),
        image_velocity_covariance=np.array([[1, 2], [3, 4]], single),
        is_metric=True,
        ray=np.array([0, 0.5, 1], single),
        angular_size=np.array([0.25, 0.125], single),
        angular_velocity=np.array([1, 2, 3]),
        angular_velocity_covariance=np.arange(9).reshape(3, 3),
    )
    seen = Observation(TargetState.TRACKING, np.array([0, 0, 30, 40], single), confidence=np.float64(0.5), age=3)
    header = Header(frame_id="camera")
    target = make_target(RESULTS, header, seen, "id", estimate, latency_ns=-1)
    arrived = deserialize_message(serialize_message(target), Target)
    assert (arrived.header, arrived.target_id, arrived.state, arrived.age) == (header, "id", Target.TRACKING, 3)
    assert (arrived.prediction.sec, arrived.prediction.nanosec) == (1, 250_000_000)
    assert (arrived.latency.sec, arrived.latency.nanosec) == (-1, 999_999_999)
    center = arrived.bbox.center
    assert (center.position.x, center.position.y, center.theta) == (10, 20, 0)
    assert (arrived.bbox.size_x, arrived.bbox.size_y, arrived.confidence) == (30, 40, 0.5)
    assert (arrived.image_velocity.x, arrived.image_velocity.y) == (1, -2)
    assert arrived.image_velocity_covariance.tolist() == [1, 2, 3, 4]
    assert (arrived.ray.x, arrived.ray.y, arrived.ray.z) == (0, 0.5, 1) and arrived.is_metric
    assert (arrived.angular_width, arrived.angular_height) == (0.25, 0.125)
    assert (arrived.angular_velocity.x, arrived.angular_velocity.z) == (1, 3)
    assert arrived.angular_velocity_covariance.tolist() == list(range(9))


def test_the_status_without_a_target_says_that_nothing_is_known():
    status = make_status(RESULTS, Header(), Observation(TargetState.IDLE), "", skipped=0, latency_ns=0)
    assert math.isnan(status.confidence) and math.isnan(status.raw_score)
    assert (status.candidates, status.search_progress, status.redetections) == (0, 0, 0)
