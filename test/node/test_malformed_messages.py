# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Malformed messages and requests: at the doors in great number, and some of each kind over DDS.

`benchmarks/fuzz.py` sends thousands of the same inputs to the real programs.
"""

from random import Random

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from node_doubles import SquareTracker, scene
from rcl_interfaces.srv import GetParameters, SetParameters
from rclpy.parameter import Parameter
from ros_testing import Operator, graph_fixture, parameter_overrides  # noqa: F401
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from siam_tracker_ros.msg import Target, TrackerStatus
from siam_tracker_ros.srv import InitTracker, RemoveTarget
from vision_msgs.msg import Detection2D, Detection2DArray, ObjectHypothesisWithPose

from benchmarks import malformed
from siam_tracker_ros.control.servo import Servo, ServoSettings
from siam_tracker_ros.core.monitor import TargetState
from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.node.detections import best_detection, describe_detections
from siam_tracker_ros.node.messages import stamp_to_ns
from siam_tracker_ros.node.parameters import NodeParameters
from siam_tracker_ros.node.requests import (
    box_from_detection,
    box_from_request,
    check_detection,
    check_numbers,
    check_target,
)
from siam_tracker_ros.node.tracker_node import TrackerNode
from siam_tracker_ros.settings import settings_of

SEEDS = st.integers(0, 2**32 - 1).map(Random)
CENTER = (80.0, 60.0)
COUNT = 25  # of each kind over DDS


def examples(count):
    return settings(derandomize=True, max_examples=count, deadline=None)


def detection(fields):
    """A Detection2D of the fields of `malformed.detection`."""
    results = [malformed.fill(ObjectHypothesisWithPose(), result) for result in fields["results"]]
    return malformed.fill(Detection2D(), fields | {"results": results})


def detections(fields):
    """A Detection2DArray of the fields of `malformed.detections`."""
    return malformed.fill(Detection2DArray(), fields | {"detections": [detection(one) for one in fields["detections"]]})


def is_in_image(box_xywh):
    x, y, width, height = box_xywh
    return np.isfinite(box_xywh).all() and min(x + width, 64) > max(x, 0) and min(y + height, 48) > max(y, 0)


@examples(200)
@given(SEEDS)
def test_requests_to_start(random):
    request = malformed.fill(InitTracker.Request(), malformed.init(random))
    try:
        check_numbers(request)
        assert is_in_image(box_from_request(request, malformed.SIZE_WH))
    except InvalidInputError as error:
        assert malformed.text_fault(str(error)) == ""


@examples(100)
@given(SEEDS)
def test_detections(random):
    msg = detections(malformed.detections(random))
    assert len(describe_detections(msg)) < malformed.MAX_TEXT
    try:
        best = best_detection(msg, "", 0.5)
        if best is not None:
            check_detection(best)
            assert is_in_image(box_from_detection(best, malformed.SIZE_WH))
    except InvalidInputError as error:
        assert malformed.text_fault(str(error)) == ""


@examples(100)
@given(SEEDS)
@pytest.mark.filterwarnings("error")
def test_targets_to_follow(random):
    """Whatever comes, the camera gets commands within its bounds."""
    servo, now_ns = Servo(ServoSettings()), 10**9
    for _ in range(5):
        msg = malformed.fill(Target(), malformed.target(random))
        try:
            check_target(msg)
        except InvalidInputError as error:
            assert malformed.text_fault(str(error)) == ""
        else:
            ray = np.array([msg.ray.x, msg.ray.y, msg.ray.z])
            servo.see(
                random.choice((now_ns, stamp_to_ns(msg.header.stamp))), msg.target_id, TargetState(msg.state), ray
            )
        now_ns += 2 * 10**7
        assert (np.abs(servo.command(now_ns).rates) <= ServoSettings().max_rate).all()


class Setup:
    """A tracker node with a SquareTracker, and what sends it messages."""

    def __init__(self, graph, **parameters):
        self.operator = Operator(graph)
        overrides = parameter_overrides(diagnostics_period=0.1, **parameters)
        node = TrackerNode(
            lambda *_, **__: SquareTracker(),
            context=graph.context,
            use_global_arguments=False,
            parameter_overrides=overrides,
        )
        graph.add(node)
        self.operator.wait_for_camera_link()

    def check_that_it_follows(self):
        self.operator.reset()
        self.operator.frame(scene(CENTER))
        assert self.operator.init(CENTER).success
        status, (found,) = self.operator.frame(scene((90.0, 60.0)))
        assert status.state == TrackerStatus.TRACKING and found.bbox.center.position.x == 90


@pytest.fixture
def setup(graph):
    return Setup(graph)


def with_own_stamp(operator, msg):
    """The image with a header by which its status is told."""
    msg.header = operator.header()
    return msg


@pytest.mark.parametrize("transport", ["raw", "compressed"])
def test_images_over_dds(graph, transport):
    setup, random = Setup(graph, image_transport=transport), Random(0)
    outcomes = set()
    for _ in range(COUNT):
        if transport == "raw":
            msg = malformed.fill(Image(), malformed.image(random))
        else:
            msg = malformed.fill(CompressedImage(), malformed.compressed(random))
        status, _ = setup.operator.frame(msg=with_own_stamp(setup.operator, msg))
        outcomes.add(bool(status.image_width))
    assert outcomes == {True, False}
    good = malformed.fill(CompressedImage(), {"data": malformed.encode_png(scene(CENTER)), "format": "png"})
    if transport == "raw":
        setup.check_that_it_follows()
    else:
        status, _ = setup.operator.frame(msg=with_own_stamp(setup.operator, good))
        assert setup.operator.init(CENTER).success and status.image_width == 160


def test_requests_over_dds(setup):
    random = Random(1)
    setup.operator.frame(scene(CENTER))
    outcomes = set()
    for _ in range(COUNT):
        requests = (
            (InitTracker, "init", malformed.fill(InitTracker.Request(), malformed.init(random))),
            (RemoveTarget, "remove_target", malformed.fill(RemoveTarget.Request(), malformed.remove(random))),
        )
        for service_type, name, request in requests:
            response = setup.operator.call(service_type, name, request)
            outcomes.add((name, response.success))
            assert malformed.text_fault(response.message) == ""
    assert {("init", True), ("init", False), ("remove_target", False)} <= outcomes
    setup.check_that_it_follows()


def test_parameters_over_dds(setup):
    random = Random(2)
    defaults = {name: known.default for name, known in settings_of(NodeParameters).items()}
    changing = {name for name, known in settings_of(NodeParameters).items() if known.rule.change == "any time"}
    outcomes = set()
    for _ in range(COUNT):
        named = [malformed.parameter(random, defaults) for _ in range(2)]
        parameters = [Parameter(name, value=value).to_parameter_msg() for name, value in named]
        request = SetParameters.Request(parameters=parameters)
        results = setup.operator.call(SetParameters, "set_parameters", request).results
        assert len(results) == 2
        for (name, _), result in zip(named, results):
            outcomes.add(result.successful)
            assert result.successful or malformed.text_fault(result.reason) == ""
            assert not result.successful or name in defaults
    assert outcomes == {True, False}
    setup.operator.set_parameters(**{name: defaults[name] for name in changing})
    setup.check_that_it_follows()


def test_detections_over_dds(graph):
    setup, random = Setup(graph, detection_init="always"), Random(3)
    publisher = setup.operator.create_publisher(Detection2DArray, "tracker/init_detections", 100)
    setup.operator.wait(publisher.get_subscription_count, "the node to hear the detector")
    setup.operator.frame(scene(CENTER))
    for _ in range(COUNT):
        publisher.publish(detections(malformed.detections(random)))
    publisher.publish(detections({"header": malformed.header(random), "detections": []}))

    def came(status):
        values = {value.key: value.value for value in status.values}
        return values["detections"] if int(values["detections"]) > 0 and values["last_detection"] == "none" else None

    setup.operator.diagnosis("tracker", came)
    for text in setup.operator.logged("detection refused: "):
        assert malformed.text_fault(text) == ""
    setup.check_that_it_follows()


def test_camera_infos_over_dds(setup):
    random = Random(4)
    targets = []
    setup.operator.create_subscription(Target, "tracker/target", targets.append, 100)
    publisher = setup.operator.create_publisher(CameraInfo, "camera_info", 100)
    setup.operator.wait(publisher.get_subscription_count, "the node to hear the camera")
    for _ in range(COUNT):
        publisher.publish(malformed.fill(CameraInfo(), malformed.camera_info(random)))
    setup.operator.wait(lambda: setup.operator.logged("until then no direction is known"), "a refusal")
    for text in setup.operator.logged("until then no direction is known"):
        assert malformed.text_fault(text) == ""
    setup.check_that_it_follows()
    setup.operator.wait(lambda: targets, "a target")


def test_a_refused_parameter_is_named_and_the_others_are_set(setup):
    values = {"lost_confidense": 0.1, "lost_frames": 0.5, "detection_min_score": 0.25, "": 1.0}
    parameters = [Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]
    request = SetParameters.Request(parameters=parameters)
    results = setup.operator.call(SetParameters, "set_parameters", request).results
    assert [result.successful for result in results] == [False, False, True, False]
    misspelt, other_type, _, unnamed = (result.reason for result in results)
    assert misspelt == (
        "parameter 'lost_confidense' is not there, expected one of this node's, of which the closest is "
        "'lost_confidence'"
    )
    assert other_type == "the type of parameter 'lost_frames' is double, expected integer"
    assert unnamed.startswith("parameter '' is not there, expected one of this node's")
    result = setup.operator.set_parameters(detection_min_score=0.75, lost_confidense=0.1)
    assert not result.successful and result.reason == misspelt
    answer = setup.operator.call(GetParameters, "get_parameters", GetParameters.Request(names=["detection_min_score"]))
    assert answer.values[0].double_value == 0.25, "together they are set all or none"
