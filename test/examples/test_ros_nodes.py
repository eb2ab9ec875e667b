# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

pytest.importorskip("rclpy")

from builtin_interfaces.msg import Duration, Time
from example_modules import load_example
from geometry_msgs.msg import Twist
from node_doubles import SquareTracker, scene
from rclpy.node import Node
from rclpy.parameter import Parameter
from ros_testing import (
    Operator,
    graph_fixture,  # noqa: F401
    parameter_overrides,
)
from siam_tracker_ros.msg import TrackerStatus
from std_msgs.msg import Header
from vision_msgs.msg import Detection2D, Detection2DArray, ObjectHypothesisWithPose

from siam_tracker_ros.node.tracker_node import TrackerNode

LONG = 3600.0  # seconds: what must not happen in a test
FAR = (80, 60, 40)  # x, y and height of a small box in the left half of an image of 640 x 480


class Robot(Operator):
    """In place of the tracker: says what a test wants it to say until the follower's command is as expected."""

    def __init__(self, graph, **parameters):
        super().__init__(graph)
        self.listen("command", Twist, "cmd_vel")
        self._detection_publisher = self.create_publisher(Detection2D, "tracker/detection", 10)
        self._status_publisher = self.create_publisher(TrackerStatus, "tracker/status", 10)
        parameters = {"stale_s": LONG, "lost_s": LONG, "rate": 100.0} | parameters
        self.follower = load_example("follow_with_velocity").Follower(
            context=graph.context,
            use_global_arguments=False,
            parameter_overrides=[Parameter(name, value=value) for name, value in parameters.items()],
        )
        graph.add(self.follower)
        self.wait(
            lambda: (
                self._detection_publisher.get_subscription_count() and self._status_publisher.get_subscription_count()
            ),
            "the follower's subscriptions",
        )

    def say(self, state, box=None, target_id="target_1", age=1, box_id=None, latency_s=0, stamp_s=0, box_stamp_s=None):
        """Publish a status and, with a box (centre x, centre y, height), a detection."""
        if box is not None:
            header = Header(stamp=Time(sec=stamp_s if box_stamp_s is None else box_stamp_s))
            detection = Detection2D(header=header, id=target_id if box_id is None else box_id)
            detection.bbox.center.position.x, detection.bbox.center.position.y = float(box[0]), float(box[1])
            detection.bbox.size_x = detection.bbox.size_y = float(box[2])
            self._detection_publisher.publish(detection)
        self._status_publisher.publish(
            TrackerStatus(
                header=Header(stamp=Time(sec=stamp_s)),
                state=state,
                target_id=target_id,
                age=age,
                latency=Duration(sec=latency_s),
            )
        )

    def command(self, condition, **said):
        """Say something until a command that fulfils a condition comes; without anything to say only wait for it.

        Commands that were on their way before are left out.
        """
        before = len(self.received("command")) + 2

        def fitting():
            if said:
                self.say(**said)
            return next((twist for twist in self.received("command")[before:] if condition(twist)), None)

        return self.wait(fitting, f"a fitting command after {said or 'silence'}")

    def commands(self, count):
        """Return the next commands."""
        before = len(self.received("command")) + 2
        self.wait(lambda: len(self.received("command")) >= before + count, "commands")
        return self.received("command")[before : before + count]


def is_stopped(twist):
    return twist == Twist()


def moves(twist):
    return twist.linear.x > 0


def test_the_robot_turns_to_the_target_and_approaches(graph):
    robot = Robot(graph)
    assert all(is_stopped(twist) for twist in robot.commands(3)), "nothing was said yet"
    left = robot.command(moves, state=TrackerStatus.TRACKING, box=FAR)
    assert left.angular.z == pytest.approx(1.0 - 80 / 320)
    assert left.linear.x == pytest.approx(0.4 - 40 / 480)
    right = robot.command(lambda twist: twist.angular.z < 0, state=TrackerStatus.TRACKING, box=(639, 60, 1))
    assert right.angular.z == pytest.approx(-0.8), "bounded by max_turn"
    near = robot.command(lambda twist: twist.linear.x == 0, state=TrackerStatus.TRACKING, box=(80, 60, 400))
    assert near.angular.z > 0


UNSURE = [TrackerStatus.UNCERTAIN, TrackerStatus.LOST, TrackerStatus.IDLE]


@pytest.mark.parametrize("state", UNSURE)
@pytest.mark.parametrize("box", [None, FAR, (600, 60, 40)])
def test_the_robot_stops_while_the_tracker_is_not_sure_and_goes_on_when_it_is(graph, state, box):
    robot = Robot(graph)
    robot.command(moves, state=TrackerStatus.TRACKING, box=FAR)
    robot.command(is_stopped, state=state, box=box)
    assert all(is_stopped(twist) for twist in robot.commands(3))
    robot.command(moves, state=TrackerStatus.TRACKING, box=FAR)


def test_the_robot_stops_when_no_message_comes_any_more(graph):
    robot = Robot(graph, stale_s=0.3)
    robot.command(moves, state=TrackerStatus.TRACKING, box=FAR)
    robot.command(is_stopped)
    assert all(is_stopped(twist) for twist in robot.commands(3))
    robot.command(moves, state=TrackerStatus.TRACKING, box=FAR)


def test_an_image_that_was_late_already_counts_as_stale(graph):
    robot = Robot(graph, stale_s=60.0)
    robot.command(moves, state=TrackerStatus.TRACKING, box=FAR, latency_s=1)
    robot.command(is_stopped, state=TrackerStatus.TRACKING, box=FAR, latency_s=61)


def test_an_old_box_is_not_followed_though_the_status_is_fresh(graph):
    """As after images that cannot be used."""
    robot = Robot(graph, stale_s=5.0)
    robot.command(moves, state=TrackerStatus.TRACKING, box=FAR, stamp_s=1)
    robot.command(is_stopped, state=TrackerStatus.TRACKING, stamp_s=7)


def test_a_box_is_followed_only_when_the_status_of_its_image_says_tracking(graph):
    robot, left, right = Robot(graph), FAR, (600, 60, 40)
    robot.command(lambda twist: twist.angular.z > 0, state=TrackerStatus.TRACKING, box=left, stamp_s=1)
    for _ in range(3):  # the box of an image whose status is yet to come
        robot.say(TrackerStatus.TRACKING, right, stamp_s=1, box_stamp_s=2)
        assert all(twist.angular.z > 0 for twist in robot.commands(3))
    robot.command(is_stopped, state=TrackerStatus.UNCERTAIN, box=right, stamp_s=2)
    robot.say(TrackerStatus.TRACKING, stamp_s=3)
    assert robot.command(moves, state=TrackerStatus.TRACKING, stamp_s=3).angular.z > 0, "not by the tentative box"
    robot.command(lambda twist: twist.angular.z < 0, state=TrackerStatus.TRACKING, box=right, stamp_s=4)


def test_a_target_lost_for_too_long_is_given_up_until_a_new_one_is_named(graph):
    robot = Robot(graph, lost_s=0.05)
    robot.command(moves, state=TrackerStatus.TRACKING, box=FAR, age=5)
    robot.say(TrackerStatus.LOST, age=6)
    robot.wait(lambda: "target lost for too long" in str(robot.received("log")), "the follower to give up")
    for _ in range(3):
        robot.say(TrackerStatus.TRACKING, FAR, age=7)
        assert all(is_stopped(twist) for twist in robot.commands(3))
    robot.command(moves, state=TrackerStatus.TRACKING, box=FAR, age=1)  # the same name, marked again
    robot.say(TrackerStatus.LOST, age=2)
    robot.wait(lambda: str(robot.received("log")).count("target lost for too long") == 2, "the follower to give up")
    robot.command(moves, state=TrackerStatus.TRACKING, box=FAR, target_id="target_2", age=2)


def test_the_box_of_another_target_is_not_followed(graph):
    robot = Robot(graph)
    robot.command(moves, state=TrackerStatus.TRACKING, box=FAR, target_id="target_0")
    robot.command(is_stopped, state=TrackerStatus.TRACKING, box=FAR, box_id="target_0")


class Detecting:
    """A tracker node with a SquareTracker, the example that starts it, and an operator who is the detector too."""

    def __init__(self, graph, **parameters):
        self.operator = Operator(graph)
        node_arguments = {"context": graph.context, "use_global_arguments": False}
        graph.add(
            TrackerNode(
                lambda *_, **arguments: SquareTracker(**arguments),
                parameter_overrides=parameter_overrides(lost_frames=2),
                **node_arguments,
            )
        )
        self.starter = load_example("init_from_detector").DetectorStarter(
            parameter_overrides=[Parameter(name, value=value) for name, value in parameters.items()], **node_arguments
        )
        graph.add(self.starter)
        self._publisher = self.operator.create_publisher(Detection2DArray, "detections", 10)
        self.operator.wait_for_camera_link()
        self.operator.wait(self._publisher.get_subscription_count, "the subscription to the detections")
        self.operator.wait(
            lambda: self.operator.count_subscribers("tracker/status") == 2, "the subscription to the status"
        )

    def detect(self, header, *boxes):
        """Publish detections: (centre x, centre y, class, score) each."""
        msg = Detection2DArray(header=header)
        for x, y, class_id, score in boxes:
            detection = Detection2D(header=header)
            detection.bbox.center.position.x, detection.bbox.center.position.y = float(x), float(y)
            detection.bbox.size_x = detection.bbox.size_y = 20.0
            result = ObjectHypothesisWithPose()
            result.hypothesis.class_id, result.hypothesis.score = class_id, score
            detection.results = [result]
            msg.detections.append(detection)
        self._publisher.publish(msg)

    def logged(self, words):
        return [log.msg for log in self.operator.received("log") if log.name == "detector_starter" and words in log.msg]

    def ask_until(self, condition, header, *boxes):
        """Detect the same again and again, as a detector does, until a condition holds."""

        def holds():
            self.detect(header, *boxes)
            return condition()

        return self.operator.wait(holds, "the starter")


def test_a_late_box_starts_the_tracker_on_the_image_that_it_belongs_to(graph):
    detecting = Detecting(graph, class_id="person", pause_s=LONG)
    operator = detecting.operator
    old, _ = operator.frame(scene((30, 60)))
    for x in (50, 70, 90):
        operator.frame(scene((x, 60)))
    boxes = (100, 20, "dog", 0.99), (10, 10, "person", 0.6), (30, 60, "person", 0.8), (90, 60, "person", 0.3)
    (line, *_) = detecting.ask_until(lambda: detecting.logged("is held"), old.header, *boxes)
    assert f"{old.header.stamp.sec}.{old.header.stamp.nanosec:09d}" in line
    status, (detection,) = operator.frame(scene((95, 60)))
    assert status.state == TrackerStatus.TRACKING
    assert detection.bbox.center.position.x == 95 and detection.results[0].hypothesis.class_id == "person"


def test_a_refusal_is_logged_and_the_next_box_is_tried(graph):
    detecting = Detecting(graph, pause_s=0.0)
    operator = detecting.operator
    status, _ = operator.frame(scene((30, 60)))
    unknown = operator.header()
    (line, *_) = detecting.ask_until(lambda: detecting.logged("refused"), unknown, (30, 60, "cup", 0.9))
    assert "no image of stamp" in line
    detecting.ask_until(lambda: detecting.logged("is held"), status.header, (30, 60, "cup", 0.9))


def test_detections_that_are_not_good_enough_are_shown(graph):
    detecting = Detecting(graph, class_id="person")
    status, _ = detecting.operator.frame(scene((30, 60)))
    boxes = (30, 60, "person", 5.26e-315), (40, 60, "dog", 0.9)  # the first was sent as a numpy.float32
    (line, *_) = detecting.ask_until(lambda: detecting.logged("good enough"), status.header, *boxes)
    assert line == "no detection is good enough to start on: 'person' 5.26e-315, 'dog' 0.9"


def test_a_target_that_is_seen_is_kept_and_a_lost_one_replaced(graph):
    detecting = Detecting(graph, pause_s=LONG)
    operator, starter = detecting.operator, detecting.starter
    status, _ = operator.frame(scene((30, 60)))
    detecting.ask_until(lambda: detecting.logged("is held"), status.header, (30, 60, "cup", 0.9))
    operator.frame(scene((30, 60)))
    operator.wait(lambda: starter.state == TrackerStatus.TRACKING, "the starter to hear of it")
    starter.set_parameters([Parameter("pause_s", value=0.0)])
    for _ in range(3):
        detecting.detect(operator.send(scene((30, 60))), (90, 90, "cup", 0.9))
        status, (detection,) = operator.frame(scene((30, 60)))
        assert status.target_id == "target_1" and detection.bbox.center.position.x == 30
    for _ in range(4):
        status, detections = operator.frame(scene(None))
    assert status.state == TrackerStatus.LOST and detections == []
    status, _ = operator.frame(scene((110, 60)))
    detecting.ask_until(lambda: len(detecting.logged("is held")) >= 2, status.header, (110, 60, "cup", 0.9))
    status, (detection,) = operator.frame(scene((110, 60)))
    assert status.state == TrackerStatus.TRACKING and detection.bbox.center.position.x == 110


def test_the_pause_between_two_requests_is_kept(graph):
    detecting = Detecting(graph, pause_s=LONG)
    operator = detecting.operator
    status, _ = operator.frame(scene((30, 60)))
    detecting.ask_until(lambda: detecting.logged("refused"), operator.header(), (30, 60, "cup", 0.9))
    for _ in range(3):
        detecting.detect(status.header, (30, 60, "cup", 0.9))
        status, _ = operator.frame(scene((30, 60)))
        assert status.state == TrackerStatus.IDLE
    assert len(detecting.logged("")) == 1


def test_a_detector_that_publishes_starts_the_tracker_again_after_each_loss(graph):
    operator = Operator(graph)
    node_arguments = {"context": graph.context, "use_global_arguments": False}
    overrides = parameter_overrides(lost_frames=2)
    graph.add(TrackerNode(lambda *_, **rest: SquareTracker(**rest), parameter_overrides=overrides, **node_arguments))
    graph.add(
        load_example("detect_color").ColorDetector(
            parameter_overrides=[Parameter("hue", value=60), Parameter("min_side", value=20)], **node_arguments
        )
    )
    operator.wait_for_camera_link()
    operator.wait(lambda: operator.count_subscribers("image") == 2, "the detector")
    operator.wait(lambda: operator.count_publishers("tracker/init_detections"), "the publisher of the detector")

    def shown(color_bgr, center=(40, 60)):
        image_bgr = scene(center)
        image_bgr[image_bgr[..., 1] > 200] = color_bgr
        return operator.frame(image_bgr)

    green, white = (0, 250, 0), (250, 250, 250)
    for _ in range(3):
        assert shown(white)[0].state == TrackerStatus.IDLE
    for _ in range(2):
        while shown(green)[0].state != TrackerStatus.TRACKING:
            pass
        status, (detection,) = shown(white, (60, 60))
        assert (status.target_id, detection.bbox.center.position.x) == ("target_1", 60)
        assert (detection.bbox.size_x, detection.results[0].hypothesis.class_id) == (20, "spot")
        while operator.frame(scene(None))[0].state != TrackerStatus.LOST:
            pass


@pytest.mark.parametrize(
    "hue, expected", [(0, (10, 20, 30, 40)), (60, (70, 20, 8, 9)), (120, None), (178, (10, 20, 30, 40))]
)
def test_the_largest_spot_of_a_colour_is_found(hue, expected):
    image_bgr = np.full((100, 120, 3), 128, np.uint8)
    for (left, top, width, height), color_bgr in (
        ((10, 20, 30, 40), (20, 0, 250)),  # at the upper end of the hues
        ((50, 20, 5, 5), (0, 0, 250)),
        ((70, 20, 8, 9), (0, 250, 0)),
        ((90, 20, 20, 20), (90, 60, 60)),  # a weak blue
    ):
        image_bgr[top : top + height, left : left + width] = color_bgr
    found = load_example("detect_color").find_spot(image_bgr, hue, tolerance=8)
    assert (found if expected is None else tuple(found)) == expected


def interrupted(node_class, made):
    """A kind of node that is interrupted, as by Ctrl-C, as soon as it spins; instances go into a list."""

    class Interrupted(node_class):
        def __init__(self, **arguments):
            super().__init__(**arguments)
            made.append(self)
            self.create_timer(0.01, self._interrupt)

        @staticmethod
        def _interrupt():
            raise KeyboardInterrupt

    return Interrupted


@pytest.mark.parametrize(
    "name, node",
    [
        ("follow_with_velocity", "Follower"),
        ("detect_color", "ColorDetector"),
        ("init_from_detector", "DetectorStarter"),
    ],
)
def test_the_node_ends_on_ctrl_c(monkeypatch, name, node):
    module, made = load_example(name), []
    monkeypatch.setattr(module, node, interrupted(getattr(module, node), made))
    module.main([])
    assert len(made) == 1 and isinstance(made[0], Node)


def test_the_robot_is_stopped_when_the_follower_ends(monkeypatch):
    module, sent = load_example("follow_with_velocity"), []

    class Recorded(interrupted(module.Follower, [])):
        def __init__(self, **arguments):
            super().__init__(**arguments)
            monkeypatch.setattr(self._publisher, "publish", sent.append)

        def _on_timer(self):
            """Publishes nothing, so that the only command is the last one."""

    monkeypatch.setattr(module, "Follower", Recorded)
    module.main([])
    assert sent == [Twist()]
