# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Several targets in one node."""

import numpy as np
import pytest
from node_doubles import SquareTracker
from ros_testing import Operator, graph_fixture, make_detection, parameter_overrides  # noqa: F401
from siam_tracker_ros.msg import TrackerStatus
from siam_tracker_ros.srv import RemoveTarget

from siam_tracker_ros.node.tracker_node import TrackerNode

LEFT, RIGHT = (40.0, 60.0), (110.0, 60.0)


class NearestSquareTracker(SquareTracker):
    """Finds the bright square that overlaps the target's last box."""

    steps_in_shared_images = 0

    def step(self, image_bgr, target, learn=True):
        self.steps_in_shared_images += self.is_shared
        x, y, w, h = np.round(target).astype(int)
        near = np.zeros_like(image_bgr)
        rows, columns = slice(max(0, y - 5), y + h + 5), slice(max(0, x - 5), x + w + 5)
        near[rows, columns] = image_bgr[rows, columns]
        return super().step(near, target, learn)


def scene(*centers):
    """A grey image with a bright square around each centre."""
    image = np.full((120, 160, 3), 90, np.uint8)
    for x, y in np.array(centers, int).reshape(-1, 2):
        image[y - 10 : y + 10, x - 10 : x + 10] = 255
    return image


@pytest.fixture
def trackers():
    """What the node has made."""
    return []


@pytest.fixture
def operator(graph, trackers):
    def make(*args, **arguments):
        trackers.append(NearestSquareTracker(*args, **arguments))
        return trackers[-1]

    operator = Operator(graph)
    overrides = parameter_overrides(max_targets=2, lost_frames=2, diagnostics_period=0.1)
    graph.add(TrackerNode(make, context=graph.context, use_global_arguments=False, parameter_overrides=overrides))
    operator.wait_for_camera_link()
    return operator


def frame(operator, *centers):
    """Publish a scene; return the states by target, and the detections, each as (id, x)."""
    header = operator.send(scene(*centers))
    array = operator.message("detections", header)
    operator.wait(
        lambda: len([msg for msg in operator.received("status") if msg.header == header]) >= expected(operator),
        "a status of each target",
    )
    states = {msg.target_id: msg.state for msg in operator.received("status") if msg.header == header}
    return states, [(detection.id, detection.bbox.center.position.x) for detection in array.detections]


def expected(operator):
    return max(1, operator.targets)


def add(operator, center, **fields):
    response = operator.init(center, **fields)
    operator.targets += response.success
    return response


def remove(operator, target_id):
    return operator.call(RemoveTarget, "remove_target", RemoveTarget.Request(target_id=target_id))


def test_the_steps_of_all_targets_share_the_work_on_an_image(operator, trackers):
    operator.targets = 0
    frame(operator, LEFT, RIGHT)
    assert add(operator, LEFT).success and add(operator, RIGHT).success
    (tracker,) = trackers
    images, steps = tracker.shared, tracker.steps_in_shared_images
    frame(operator, LEFT, RIGHT)
    assert (tracker.shared - images, tracker.steps_in_shared_images - steps) == (1, 2)
    assert len(tracker.announced) == 2


def test_targets_are_added_followed_lost_and_removed(operator):
    operator.targets = 0
    assert frame(operator, LEFT, RIGHT) == ({"": TrackerStatus.IDLE}, [])
    assert add(operator, LEFT).target_id == "target_1"
    assert add(operator, RIGHT, class_id="car").target_id == "target_2"
    both = {"target_1": TrackerStatus.TRACKING, "target_2": TrackerStatus.TRACKING}
    for shift in range(3):
        states, detections = frame(operator, (40 + shift, 60), (110 - shift, 60))
        assert states == both and detections == [("target_1", 40 + shift), ("target_2", 110 - shift)]

    refused = add(operator, LEFT)
    assert not refused.success
    assert "2 targets are followed (target_1, target_2) and max_targets is 2; remove one" in refused.message
    assert frame(operator, LEFT, RIGHT)[0] == both

    for _ in range(2):
        states, detections = frame(operator, LEFT)
    assert states == {"target_1": TrackerStatus.TRACKING, "target_2": TrackerStatus.LOST}
    assert [name for name, _ in detections] == ["target_1"]
    message = operator.diagnosis("tracker", lambda status: "are lost" in status.message).message
    assert message == "1 of 2 targets are lost: target_2"

    answer = remove(operator, "target_2")
    operator.targets = 1
    assert answer.success and answer.message == "target 'target_2' is dropped"
    assert frame(operator, LEFT)[0] == {"target_1": TrackerStatus.TRACKING}
    answer = remove(operator, "target_2")
    assert not answer.success
    assert answer.message == "target_id is 'target_2', expected one of those followed: target_1"

    assert add(operator, RIGHT).target_id == "target_3"
    assert operator.reset().message == "targets 'target_1', 'target_3' are dropped"
    operator.targets = 0
    assert frame(operator, LEFT, RIGHT) == ({"": TrackerStatus.IDLE}, [])


def test_a_name_that_is_followed_starts_its_target_anew(operator):
    operator.targets = 0
    frame(operator, LEFT, RIGHT)
    add(operator, LEFT, target_id="a")
    assert operator.init(RIGHT, target_id="a").success
    states, detections = frame(operator, LEFT, RIGHT)
    assert states == {"a": TrackerStatus.TRACKING} and detections == [("a", 110)]


def test_a_detection_starts_the_target_that_was_lost(operator):
    operator.targets = 0
    publisher = operator.create_publisher(type(make_detection(LEFT)), "tracker/init_detection", 1)
    operator.wait(publisher.get_subscription_count, "the node to subscribe to detections")
    frame(operator, LEFT, RIGHT)
    add(operator, LEFT)
    add(operator, RIGHT)
    for _ in range(2):
        states, _ = frame(operator, RIGHT)
    assert states["target_1"] == TrackerStatus.LOST
    frame(operator, LEFT, RIGHT)
    publisher.publish(make_detection(LEFT, ("car", 0.9)))
    operator.diagnosis(
        "tracker", lambda status: any(v.key == "detections_used" and v.value == "1" for v in status.values)
    )
    states, detections = frame(operator, LEFT, RIGHT)
    assert set(states.values()) == {TrackerStatus.TRACKING} and detections == [("target_1", 40), ("target_2", 110)]


def test_a_detection_of_a_target_that_is_not_lost_is_ignored(operator):
    operator.targets = 0
    publisher = operator.create_publisher(type(make_detection(LEFT)), "tracker/init_detection", 1)
    operator.wait(publisher.get_subscription_count, "the node to subscribe to detections")
    frame(operator, LEFT, RIGHT)
    add(operator, LEFT, target_id="a")
    add(operator, RIGHT, target_id="b")
    for _ in range(2):
        states, _ = frame(operator, LEFT)
    assert states == {"a": TrackerStatus.TRACKING, "b": TrackerStatus.LOST}
    frame(operator, LEFT, RIGHT)
    publisher.publish(make_detection(RIGHT, ("car", 0.9), id="a"))
    publisher.publish(make_detection(RIGHT, ("car", 0.9), id="b"))
    operator.diagnosis("tracker", lambda status: ("detections_used", "1") in [(v.key, v.value) for v in status.values])
    states, detections = frame(operator, LEFT, RIGHT)
    assert set(states.values()) == {TrackerStatus.TRACKING} and detections == [("a", 40), ("b", 110)]


def test_a_name_that_a_client_gave_is_not_given_again(operator):
    operator.targets = 0
    frame(operator, LEFT, RIGHT)
    assert add(operator, LEFT, target_id="target_1").success
    assert add(operator, RIGHT).target_id == "target_2"
    assert [name for name, _ in frame(operator, LEFT, RIGHT)[1]] == ["target_1", "target_2"]
