# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from camera_infos import LENSES, K, camera_info, projection
from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import PoseStamped, Vector3Stamped
from node_doubles import SIDE, SquareTracker, TurnedSquareTracker, scene
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy
from ros_testing import (
    FRAME_ID,
    Operator,
    graph_fixture,  # noqa: F401
    parameter_overrides,
)
from sensor_msgs.msg import CameraInfo, Image
from siam_tracker_ros.msg import Target
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage

from siam_tracker_ros.control.camera import camera_from_info
from siam_tracker_ros.image_conversion import fill_image
from siam_tracker_ros.node.messages import ns_to_stamp, stamp_to_ns
from siam_tracker_ros.node.tracker_node import TrackerNode

SIZE_WH = WIDTH, HEIGHT = 160, 120
SMALL_K = (150.0, 0.0, 80.0, 0.0, 150.0, 60.0, 0.0, 0.0, 1.0)
CENTER = (50.0, 70.0)
S = 10**9  # nanoseconds


def info_fields(**fields):
    """Fields of a CameraInfo of the test's images."""
    return camera_info(**({"width": WIDTH, "height": HEIGHT, "k": SMALL_K} | fields))


class Controller:
    """A tracker node, its operator, and a controller that listens to some of its topics and has a depth camera."""

    TOPICS = {"target": Target, "bearing": Vector3Stamped, "target_pose": PoseStamped}

    def __init__(self, graph, *topics, tracker_class=SquareTracker, cli_args=(), **parameters):
        self.operator = Operator(graph)
        overrides = parameter_overrides(**({"diagnostics_period": 0.1, "lost_frames": 3} | parameters))
        arguments = {"context": graph.context, "use_global_arguments": False, "cli_args": list(cli_args)}
        self.node = TrackerNode(tracker_class, parameter_overrides=overrides, **arguments)
        graph.add(self.node)
        self.subscriptions = [
            self.operator.listen(topic, self.TOPICS[topic], f"tracker/{topic}", 10) for topic in topics
        ]
        self._cameras = self.operator.create_publisher(CameraInfo, "camera_info", 10)
        self._depths = self.operator.create_publisher(Image, "depth", 10)
        if not cli_args:
            self.operator.wait_for_camera_link()
        for topic in topics:
            self.operator.wait(lambda topic=topic: self.operator.count_publishers(f"tracker/{topic}"), topic)

    def send_camera(self, **fields):
        """Publish a camera_info; the node has it after the next frame."""
        self.operator.wait(self._cameras.get_subscription_count, "the subscription to camera_info")
        values = vars(info_fields(**fields))
        roi = vars(values.pop("roi"))
        msg = CameraInfo()
        for name, value in values.items():
            setattr(msg, name, value)
        for name, value in roi.items():
            setattr(msg.roi, name, value)
        self._cameras.publish(msg)

    def calibrate(self, **fields):
        """Publish a good camera_info until it is used."""
        self.send_camera(**fields)
        self.operator.diagnosis("target", lambda status: values(status)["camera"] != "")

    def send_depth(self, header, depth_m=2.0, encoding="32FC1", size_wh=SIZE_WH):
        """Publish a depth image of the square at a depth, and of a wall 5 m away."""
        self.operator.wait(self._depths.get_subscription_count, "the subscription to the depth images")
        depths = np.full(size_wh[::-1], 5.0)
        x, y = int(CENTER[0] - SIDE / 2), int(CENTER[1] - SIDE / 2)
        depths[y : y + SIDE, x : x + SIDE] = depth_m
        pixels = depths.astype(np.float32) if encoding == "32FC1" else (depths * 1000).astype(np.uint16)
        msg = Image(header=header, height=size_wh[1], width=size_wh[0], encoding=encoding)
        msg.step = size_wh[0] * pixels.itemsize
        msg.data.frombytes(pixels.tobytes())
        self._depths.publish(msg)

    def mark(self, center=CENTER, **init):
        """Name the target, as it is in a frame."""
        self.operator.frame(scene(center))
        response = self.operator.init(center, **init)
        assert response.success, response.message

    def show(self, center=CENTER, header=None):
        """Show the square in a frame; return its header after the status of the frame has come."""
        header = header or self.operator.header()
        self.operator.frame(msg=fill_image(Image(), scene(center), "bgr8", header))
        return header

    def target(self, center=CENTER, header=None):
        """Show the square in a frame; return the Target of it."""
        return self.operator.message("target", self.show(center, header))

    def pose(self, center=CENTER):
        """Show the square in a frame; return the PoseStamped of it."""
        return self.operator.message("target_pose", self.show(center))


def values(status):
    return {value.key: value.value for value in status.values}


def xyz(msg):
    return np.array([msg.x, msg.y, msg.z])


def center_of(bbox):
    return bbox.center.position.x, bbox.center.position.y


METRIC = ("angular_width", "angular_height")


def is_unknown(target):
    """Whether all that needs a camera is NaN."""
    numbers = [*xyz(target.ray), *xyz(target.angular_velocity), *target.angular_velocity_covariance]
    return np.isnan([*numbers, target.angular_width, target.angular_height]).all()


def test_without_camera_info_a_target_is_told_in_pixels_in_every_state(graph):
    controller = Controller(graph, "target")
    idle = controller.target()
    assert (idle.state, idle.target_id, idle.age) == (Target.IDLE, "", 0)
    assert np.isnan([idle.confidence, *center_of(idle.bbox), idle.bbox.size_x, idle.image_velocity.x]).all()
    controller.mark()
    seen = controller.target((53.0, 70.0))
    assert (seen.state, seen.target_id, seen.age) == (Target.TRACKING, "target_1", 1)
    assert (*center_of(seen.bbox), seen.bbox.size_x, seen.bbox.size_y, seen.bbox.center.theta) == (53, 70, 20, 20, 0)
    assert seen.confidence == pytest.approx(0.9) and seen.header.frame_id == FRAME_ID
    assert (seen.latency.sec > 10**9 - 10, seen.prediction.sec, seen.prediction.nanosec) == (True, 0, 0)
    assert (seen.image_velocity.x, seen.image_velocity.y) == (0, 0) and seen.image_velocity_covariance[0] > 0
    assert not seen.is_metric and is_unknown(seen)
    states = [controller.target(None).state for _ in range(4)]
    assert states == [Target.TRACKING, Target.UNCERTAIN, Target.LOST, Target.LOST]
    lost = controller.target(None)
    assert np.isnan([*center_of(lost.bbox), lost.bbox.size_x]).all() and lost.confidence < 0.1
    assert len(controller.operator.received("target")) == 8, "one an image"


@pytest.mark.parametrize("model", ["plumb_bob", "equidistant"])
def test_ray_and_bearing_are_those_of_the_box_s_centre(graph, model):
    controller = Controller(graph, "target", "bearing")
    lens = dict(distortion_model=model, d=LENSES[model])
    camera = camera_from_info(info_fields(**lens))
    controller.calibrate(**lens)
    controller.mark()
    target = controller.target((120.0, 30.0))
    left, right, upper, lower, ray = camera.rays([(110, 30), (130, 30), (120, 20), (120, 40), (120, 30)])
    assert target.is_metric
    np.testing.assert_allclose(xyz(target.ray), ray, rtol=0, atol=1e-9)
    assert target.angular_width == pytest.approx(math.acos(left @ right))
    assert target.angular_height == pytest.approx(math.acos(upper @ lower))
    assert np.isfinite(xyz(target.angular_velocity)).all() and target.angular_velocity_covariance[0] > 0
    bearing = controller.operator.message("bearing", target.header)
    assert bearing.vector == target.ray
    while controller.target(None).state != Target.LOST:
        pass
    followed = {Target.TRACKING: 1, Target.UNCERTAIN: 0, Target.LOST: 0, Target.IDLE: 0}
    expected = [msg.header for msg in controller.operator.received("target") if followed[msg.state]]
    assert [msg.header for msg in controller.operator.received("bearing")] == expected, "only while TRACKING"


def test_velocities_are_those_of_the_stamps_until_these_jump_back(graph):
    controller = Controller(graph, "target", motion_noise=0.001)
    controller.calibrate()
    controller.mark()
    for frame in range(30):
        header = Header(stamp=ns_to_stamp(100 * S + frame * S // 30), frame_id=FRAME_ID)
        target = controller.target((40.0 + 2 * frame, 70.0), header)
    assert (target.image_velocity.x, target.image_velocity.y) == pytest.approx((60, 0), abs=0.6)
    ray = xyz(target.ray)
    expected = np.array([0, 60 / 150, 0]) * ray[2] ** 2  # of the angle atan(x / f), about the y axis
    np.testing.assert_allclose(xyz(target.angular_velocity)[1], expected[1], rtol=0.1)
    spread = target.image_velocity_covariance[0]
    again = controller.target((60.0, 70.0), Header(stamp=Time(sec=50), frame_id=FRAME_ID))
    assert again.image_velocity.x == 0 and again.image_velocity_covariance[0] > 100 * spread
    assert controller.operator.init((60.0, 70.0), target_id="target_1").success
    renewed = controller.target((80.0, 70.0), Header(stamp=Time(sec=50, nanosec=S // 30), frame_id=FRAME_ID))
    assert renewed.image_velocity.x == 0, "a target that is marked again has no motion before"


def test_prediction_is_to_the_time_of_publishing_and_only_for_stamps_of_this_clock(graph):
    controller = Controller(graph, "target", "bearing", predict_to_now=True, motion_noise=0.001)
    controller.calibrate()
    controller.mark()
    now_ns = controller.operator.get_clock().now().nanoseconds
    for frame in range(20):
        x, stamp = 50.0 + 2 * frame, ns_to_stamp(now_ns + (frame - 20) * S // 30)
        target = controller.target((x, 70.0), Header(stamp=stamp, frame_id=FRAME_ID))
    lead_s = target.prediction.sec + target.prediction.nanosec / S
    assert target.prediction == target.latency and 0 < lead_s < 1
    # a steady turn: the point in the image becomes faster on its way out, the more the longer the latency was
    assert target.image_velocity.x == pytest.approx(60, rel=0.2)
    assert target.bbox.center.position.x == pytest.approx(x + 60 * lead_s, rel=0.1)
    ray = camera_from_info(info_fields()).rays([center_of(target.bbox)])[0]
    np.testing.assert_allclose(xyz(target.ray), ray, rtol=0, atol=1e-9)
    assert controller.operator.message("bearing", target.header).vector == target.ray
    old = controller.target()
    assert old.prediction.sec == old.prediction.nanosec == 0 and old.latency.sec > 0 and center_of(old.bbox) == CENTER


@pytest.mark.parametrize("encoding", ["16UC1", "32FC1"])
@pytest.mark.parametrize("tracker_class", [SquareTracker, TurnedSquareTracker], ids=["box", "mask"])
def test_the_place_is_told_with_the_depth_image_of_the_stamp(graph, encoding, tracker_class):
    controller = Controller(graph, "target_pose", tracker_class=tracker_class)
    operator = controller.operator
    controller.calibrate()
    controller.mark()
    ray = camera_from_info(info_fields()).rays([CENTER])[0]
    for is_first, shift_ns in ((True, 0), (False, 0), (True, 15 * 10**6), (False, -15 * 10**6)):
        header = operator.header()
        depth_header = Header(stamp=ns_to_stamp(stamp_to_ns(header.stamp) + shift_ns), frame_id=FRAME_ID)
        depth_m = 1.5 + is_first
        if is_first:
            controller.send_depth(depth_header, depth_m, encoding)
            operator.wait(lambda: controller.node._worker.kept_depths()[-1:], "the depth image")
        controller.show(header=header)
        if not is_first:
            controller.send_depth(depth_header, depth_m, encoding)
        pose = operator.message("target_pose", header)
        np.testing.assert_allclose(xyz(pose.pose.position), ray / ray[2] * depth_m, rtol=1e-3)
        orientation = pose.pose.orientation
        assert (orientation.x, orientation.y, orientation.z, orientation.w) == (0, 0, 0, 1)
    assert operator.diagnosis("target", lambda status: status.message == "directions are known")


def test_the_pose_has_the_quality_of_service_that_followers_take(graph):
    controller = Controller(graph, "target_pose")
    (publisher,) = controller.operator.get_publishers_info_by_topic("tracker/target_pose")
    assert publisher.qos_profile.reliability == ReliabilityPolicy.RELIABLE
    assert publisher.qos_profile.durability == DurabilityPolicy.VOLATILE


def test_a_known_height_tells_the_place_and_tf_has_it(graph):
    controller = Controller(graph, "target_pose", target_height_m=1.6, tf_frame="person")
    operator = controller.operator
    operator.listen("tf", TFMessage, "/tf")
    operator.wait(lambda: operator.count_publishers("/tf"), "the publisher of TF")
    controller.calibrate()
    controller.mark()
    pose = controller.pose()
    depth_m = 1.6 * 150 / 20  # height times focal length over pixels
    expected = np.array([(CENTER[0] - 80.5) / 150, (CENTER[1] - 60.5) / 150, 1]) * depth_m
    np.testing.assert_allclose(xyz(pose.pose.position), expected, rtol=1e-9)
    assert operator.count_subscribers("depth") == 0
    sent = operator.wait(lambda: operator.received("tf"), "the transform")
    transform = sent[-1].transforms[0]
    assert (transform.header, transform.child_frame_id) == (pose.header, "person")
    np.testing.assert_array_equal(xyz(transform.transform.translation), xyz(pose.pose.position))
    assert transform.transform.rotation.w == 1


def test_a_pose_is_told_only_while_tracking(graph):
    controller = Controller(graph, "target_pose", "target", target_height_m=1.6)
    controller.calibrate()
    controller.mark()
    controller.pose()
    while controller.target(None).state != Target.LOST:
        pass
    tracked = [msg.header for msg in controller.operator.received("target") if msg.state == Target.TRACKING]
    assert [msg.header for msg in controller.operator.received("target_pose")] == tracked


ABSURD = [
    (dict(k=(0.0,) * 9), "camera_info has only zeros in k"),
    (dict(k=(math.nan, *K[1:])), "camera matrix nan"),
    (dict(d=(0.1,) * 7), "camera_info has 7 coefficients in d"),
    (dict(distortion_model="cat_eye"), "distortion_model 'cat_eye', expected one of"),
    (dict(width=0, height=0), "camera_info is 0 x 0 pixels"),
    (dict(width=640, height=480, k=K), "the images are 160 x 120 pixels, expected 640 x 480 by camera_info"),
]


def test_an_absurd_camera_info_is_told_in_diagnostics_and_the_next_one_is_used(graph):
    controller = Controller(graph, "target", "bearing")
    operator = controller.operator
    controller.mark()
    controller.show()
    message = "no camera_info on /camera_info, so no direction is known; publish it there, or remap camera_info"
    operator.diagnosis("target", lambda status: (status.level, status.message) == (DiagnosticStatus.WARN, message))
    for fields, words in ABSURD:
        controller.send_camera(**fields)

        def is_refused(status, words=words):
            return status.level == DiagnosticStatus.ERROR and words in status.message

        operator.wait(lambda: controller.show() and any_status(operator, is_refused), words)
        target = controller.target()
        assert target.state == Target.TRACKING and not target.is_metric and is_unknown(target)
        controller.send_camera()
        operator.wait(lambda: controller.target().is_metric, "the good camera_info")
        operator.diagnosis("target", lambda status: status.message == "directions are known")
    assert len(operator.logged("until then no direction is known")) == len(ABSURD) - 1


def any_status(operator, condition):
    """Whether the newest diagnosis of what is told controllers fulfils a condition."""
    newest = operator.received("diagnostics")[-1]
    return any(condition(status) for status in newest.status if status.name == "tracker: target")


DEPTH_FAULTS = [
    (dict(size_wh=(80, 60)), "the depth image is 80 x 60 pixels, expected 160 x 120 as the tracked image"),
    (dict(encoding="mono8"), "the encoding of the depth image is 'mono8', expected 16UC1"),
    (dict(depth_m=0.0), "0 of the target's 100 pixels are measured in the depth image"),
    (dict(depth_m=math.nan), "0 of the target's 100 pixels are measured"),
]


def test_a_place_that_cannot_be_told_is_said_in_diagnostics_and_the_next_one_is_told(graph):
    controller = Controller(graph, "target_pose", depth_tolerance_s=0.0)
    operator = controller.operator
    controller.calibrate()
    controller.mark()

    def is_said(words):
        return operator.diagnosis("target", lambda s: s.level == DiagnosticStatus.WARN and words in s.message)

    for fields, words in DEPTH_FAULTS:
        header = controller.show()
        controller.send_depth(header, **fields)
        is_said(words)
        header = controller.show()
        controller.send_depth(header)
        operator.message("target_pose", header)
    header = controller.show()
    controller.send_depth(Header(stamp=Time(sec=header.stamp.sec + 500), frame_id=FRAME_ID))
    controller.show()
    is_said(f"no depth image of the stamp {header.stamp.sec}.{header.stamp.nanosec:09d}, the nearest has")
    header = Header(stamp=Time(sec=900))
    controller.show(header=header)
    controller.send_depth(header)
    is_said("the images have no frame_id")
    assert len(operator.received("target_pose")) == len(DEPTH_FAULTS)


def test_a_depth_camera_that_is_silent_is_named(graph):
    controller = Controller(graph, "target_pose")
    controller.calibrate()
    controller.mark()
    words = "no depth image on /depth; it is published by /operator, but none arrives: none is sent, or"
    status = controller.operator.diagnosis("target", lambda status: words in status.message)
    assert status.level == DiagnosticStatus.WARN


def test_nothing_is_subscribed_to_or_computed_while_nobody_asks(graph, monkeypatch):
    controller = Controller(graph)
    operator = controller.operator
    monkeypatch.setattr("siam_tracker_ros.node.target_output.TargetMotion", None)  # calling it would be an error
    controller.mark()
    controller.show()
    assert operator.count_subscribers("camera_info") == operator.count_subscribers("depth") == 0
    operator.diagnosis("target", lambda status: status.message == "nobody asks for it")
    monkeypatch.undo()
    subscription = operator.listen("target_pose", PoseStamped, "tracker/target_pose", 10)
    operator.wait(lambda: operator.count_subscribers("depth") and operator.count_subscribers("camera_info"), "both")
    operator.destroy_subscription(subscription)
    operator.wait(lambda: not operator.count_subscribers("depth"), "the node to unsubscribe")
    operator.wait(lambda: not operator.count_subscribers("camera_info"), "the node to unsubscribe")


@pytest.mark.parametrize(
    "remaps, topic",
    [
        (["image:=/left/image_raw"], "/left/camera_info"),
        (["image:=/left/image_raw", "camera_info:=/calibration"], "/calibration"),
        (["camera_info:=/calibration"], "/calibration"),
        (["image:=/left/image_raw", "camera_info:=camera_info"], "/left/camera_info"),  # as the launch file does
    ],
)
def test_camera_info_is_beside_the_images_unless_it_is_remapped(graph, remaps, topic):
    arguments = [part for remap in remaps for part in ("-r", remap)]
    controller = Controller(graph, "target", cli_args=["--ros-args", *arguments])
    controller.operator.wait(lambda: controller.operator.count_subscribers(topic), topic)


def test_rectified_images_are_described_by_p(graph):
    controller = Controller(graph, "target", images_are_rectified=True)
    rectified = (120.0, 0.0, 75.0, 0.0, 120.0, 62.0, 0.0, 0.0, 1.0)
    controller.calibrate(d=LENSES["plumb_bob"], p=projection(rectified))
    controller.mark()
    ray = camera_from_info(info_fields(k=rectified)).rays([CENTER])[0]
    np.testing.assert_allclose(xyz(controller.target().ray), ray, rtol=0, atol=1e-9)


def test_a_turned_box_is_told_as_the_detection_has_it(graph):
    controller = Controller(graph, "target", tracker_class=TurnedSquareTracker, rotated_box=True)
    controller.calibrate()
    controller.mark()
    target = controller.target()
    (detection,) = controller.operator.message("detections", target.header).detections
    assert target.bbox == detection.bbox and target.bbox.center.theta == pytest.approx(-TurnedSquareTracker.THETA)
    width, height = TurnedSquareTracker.TURNED_WH
    assert target.angular_width == pytest.approx(width / 150, rel=0.1)
    assert target.angular_height == pytest.approx(height / 150, rel=0.1)


def test_each_of_several_targets_is_told(graph):
    controller = Controller(graph, "target", "bearing", max_targets=2)
    controller.calibrate()
    controller.mark(target_id="first")
    controller.mark(target_id="second")
    operator = controller.operator
    header = operator.send(scene(CENTER))
    operator.wait(lambda: [msg for msg in operator.received("target") if msg.header == header][1:], "both targets")
    told = [msg for msg in operator.received("target") if msg.header == header]
    assert [msg.target_id for msg in told] == ["first", "second"]
    operator.message("bearing", header)


def test_a_paused_node_tells_that_nothing_is_known(graph):
    controller = Controller(graph, "target", "bearing")
    controller.calibrate()
    controller.mark()
    controller.target()
    controller.operator.enable(False)
    paused = controller.target()
    assert (paused.state, paused.confidence, paused.is_metric) == (Target.UNCERTAIN, 0, True)
    assert np.isnan([*xyz(paused.ray), paused.angular_width, *center_of(paused.bbox)]).all()


def test_the_status_is_repeated_while_no_image_comes(graph):
    controller = Controller(graph, heartbeat_period=0.2)
    operator = controller.operator

    def beats(since=0, **expected):
        def matching():
            told = [msg for msg in operator.received("status")[since:] if msg.is_heartbeat]
            return [msg for msg in told if all(getattr(msg, name) == value for name, value in expected.items())]

        return operator.wait(lambda: matching()[2:], f"three heartbeats with {expected}")

    (first, *_) = beats(header=Header(), state=Target.IDLE, target_id="")
    assert math.isnan(first.confidence) and first.latency.sec == 0
    controller.mark()
    header = controller.show()
    (held, *_) = beats(header=header, state=Target.UNCERTAIN, target_id="target_1")
    assert held.confidence == 0 and held.latency.sec > 0 and held.age == 1
    header = controller.operator.header()
    operator.send(msg=fill_image(Image(), scene(CENTER), "bgr8", header))
    seen = operator.wait(lambda: [m for m in operator.received("status") if m.header == header], "the image")[0]
    assert (seen.is_heartbeat, seen.state, seen.age) == (False, Target.TRACKING, 2), "repeats count no frames"
    while seen.state != Target.LOST:
        seen = operator.frame(scene(None))[0]
    beats(header=seen.header, state=Target.LOST)
    assert operator.change_state("deactivate")
    count = len(operator.received("status"))
    assert operator.change_state("activate")
    beats(count, header=seen.header, state=Target.LOST)


def test_there_is_no_heartbeat_while_images_come(graph):
    controller = Controller(graph, heartbeat_period=5.0)
    for _ in range(20):
        controller.show()
    assert not any(msg.is_heartbeat for msg in controller.operator.received("status"))
