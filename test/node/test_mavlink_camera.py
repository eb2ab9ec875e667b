# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The MAVLink camera between a real tracker node, over DDS, and a ground station, over UDP."""

import math
import threading

import pytest
from builtin_interfaces.msg import Time
from mavlink_testing import (
    ACCEPTED,
    FAILED,
    IN_PROGRESS,
    INFORMATION,
    REJECTED,
    REQUEST_MESSAGE,
    SET_INTERVAL,
    STOP_TRACKING,
    TRACK_POINT,
    TRACK_RECTANGLE,
    TRACKING_STATUS,
    GroundStation,
    command_long,
    free_port,
    mavlink,
    texts,
)
from node_doubles import SquareTracker, TurnedSquareTracker, scene
from rclpy.node import Node
from rclpy.parameter import Parameter
from ros_testing import (
    Operator,
    graph_fixture,  # noqa: F401
    make_detection,
    parameter_overrides,
)
from sensor_msgs.msg import Image
from siam_tracker_ros.msg import TrackerStatus
from std_msgs.msg import Header
from vision_msgs.msg import Detection2DArray

from siam_tracker_ros.image_conversion import fill_image
from siam_tracker_ros.node import mavlink_camera
from siam_tracker_ros.node.mavlink_camera import TARGET_ID, MavlinkCameraNode
from siam_tracker_ros.node.tracker_node import TrackerNode

pytestmark = pytest.mark.slow

CENTER = (80.0, 60.0)  # of 160 x 120 pixels
BOX = (70 / 160, 50 / 120, 90 / 160, 70 / 120)  # around it


class Setup:
    """A tracker node with a double, a MAVLink camera, an operator with a camera, and a ground station."""

    def __init__(self, graph, tracker_class=SquareTracker, tracker_parameters=None, **parameters):
        self._graph, self._tracker_class = graph, tracker_class
        self._tracker_parameters = {"lost_frames": 3} | (tracker_parameters or {})
        self.operator = Operator(graph)
        port = free_port()
        overrides = {"connections": [f"udpin:127.0.0.1:{port}"]} | parameters
        self.camera = graph.add(
            MavlinkCameraNode(
                context=graph.context,
                use_global_arguments=False,
                parameter_overrides=[Parameter(name, value=value) for name, value in overrides.items()],
            )
        )
        self.station = GroundStation(camera_port=port)

    def start_tracker(self):
        node = self._graph.add(
            TrackerNode(
                self._tracker_class,
                context=self._graph.context,
                use_global_arguments=False,
                parameter_overrides=parameter_overrides(**self._tracker_parameters),
            )
        )
        self.operator.wait_for_camera_link()
        self.operator.wait(lambda: self.camera.count_publishers("tracker/status"), "the tracker's topics")
        self.show(CENTER)
        self.wait_until_seen()
        return node

    def wait_until_seen(self):
        """Wait until the camera knows the size of the images."""

        def ask():
            self.station.command(REQUEST_MESSAGE, INFORMATION)
            return self.station.wait_for("CAMERA_INFORMATION").resolution_h == 160

        self.operator.wait(lambda: self.show(CENTER) and ask(), "an image")

    def show(self, center):
        return self.operator.frame(scene(center))

    def wait_until_newest(self, header):
        """Wait until the camera has heard of the image with a header."""
        newest_ns = header.stamp.sec * 10**9 + header.stamp.nanosec
        self.operator.wait(lambda: self.camera._tracker.newest_ns == newest_ns, "the newest image")

    def status(self, condition, center=CENTER):
        """Show images until the ground station has a status that fulfils a condition; return it."""
        return self.station.wait(
            lambda m: m.get_type() == "CAMERA_TRACKING_IMAGE_STATUS" and condition(m),
            "a status of the target",
            meanwhile=lambda: self.show(center),
        )


@pytest.fixture
def make_setup(graph):
    made = []

    def make(*arguments, **options):
        made.append(Setup(graph, *arguments, **options))
        return made[-1]

    yield make
    for setup in made:
        setup.station.close()


def corners(status):
    return [status.rec_top_x, status.rec_top_y, status.rec_bottom_x, status.rec_bottom_y]


def has_flags(flags):
    return lambda status: status.tracking_status == flags


def test_a_target_marked_in_the_ground_station_is_followed_lost_found_and_dropped(make_setup):
    setup = make_setup()
    station = setup.station
    heartbeat = station.wait_for("HEARTBEAT", meanwhile=station.heartbeat)
    assert heartbeat.type == mavlink.MAV_TYPE_CAMERA
    setup.start_tracker()

    assert station.command(TRACK_RECTANGLE, *BOX) == ACCEPTED
    assert station.command(SET_INTERVAL, TRACKING_STATUS, 20_000) == ACCEPTED
    status = setup.status(has_flags(1))
    assert corners(status) == pytest.approx(BOX, abs=1e-6)
    (detection,) = setup.show((100, 70))[1]
    assert detection.id == TARGET_ID
    moved = setup.status(lambda s: s.tracking_status == 1 and s.rec_top_x > 0.5, center=(100, 70))
    assert corners(moved) == pytest.approx((90 / 160, 60 / 120, 110 / 160, 80 / 120), abs=1e-6)
    setup.status(has_flags(8), center=None)
    lost = setup.status(has_flags(2), center=None)
    assert all(math.isnan(value) for value in corners(lost)) and lost.target_data == 0
    setup.status(has_flags(1), center=(50, 50))

    assert station.command(STOP_TRACKING) == ACCEPTED
    assert setup.show(CENTER)[0].state == TrackerStatus.IDLE
    setup.status(has_flags(0))
    assert station.command(SET_INTERVAL, TRACKING_STATUS, -1) == ACCEPTED


def test_the_tracker_finds_the_box_around_a_point(make_setup):
    setup = make_setup(tracker_class=TurnedSquareTracker)
    setup.start_tracker()
    assert setup.station.command(TRACK_POINT, 0.47, 0.55, 0.0) == ACCEPTED
    (detection,) = setup.show(CENTER)[1]
    assert detection.id == TARGET_ID
    assert (detection.bbox.size_x, detection.bbox.size_y) == pytest.approx((20, 20)), "those of the mask"


def test_a_point_starts_a_square_where_that_is_set(make_setup):
    setup = make_setup(point_box="square", point_size=0.125)
    setup.start_tracker()
    assert setup.station.command(TRACK_POINT, 0.5, 0.5, 0.0) == ACCEPTED
    (detection,) = setup.show(CENTER)[1]
    assert (detection.bbox.size_x, detection.bbox.size_y) == pytest.approx((20, 20))


def test_without_a_tracker_commands_are_refused_with_a_sentence_until_there_is_one(make_setup):
    setup = make_setup()
    station = setup.station
    setup.operator.wait(lambda: station.poll() or station.heartbeat() or station.received, "the link")
    assert station.command(STOP_TRACKING) == FAILED
    assert (
        wait_for_text(station)
        == "the service /tracker/reset is not there; start the tracker node, or remap the service"
    )
    assert station.command(TRACK_RECTANGLE, *BOX) == REJECTED
    assert wait_for_text(station).startswith(
        "no image has come from the tracker yet; check that the tracker and its camera run"
    )
    setup.start_tracker()
    setup.operator.wait(lambda: station.command(STOP_TRACKING) == ACCEPTED, "the tracker's service")
    assert station.command(TRACK_RECTANGLE, *BOX) == ACCEPTED


def wait_for_text(station):
    """Wait for the next sentence in STATUSTEXT messages and return it."""
    parts = []
    while not parts or len(parts[-1].text) == 50:
        parts.append(station.wait_for("STATUSTEXT"))
    (sentence,) = texts(parts)
    return sentence


def test_what_the_tracker_refuses_is_failed_in_its_words(make_setup):
    setup = make_setup()
    setup.start_tracker()
    assert setup.operator.change_state("deactivate")
    assert setup.station.command(TRACK_RECTANGLE, *BOX) == FAILED
    assert (
        wait_for_text(setup.station)
        == "the node is inactive, expected active; run `ros2 lifecycle set /tracker activate` first"
    )


def test_a_tracker_that_ends_is_no_target_in_view_and_one_that_restarts_is_found(make_setup):
    setup = make_setup()
    node = setup.start_tracker()
    assert setup.station.command(TRACK_RECTANGLE, *BOX) == ACCEPTED
    setup.status(has_flags(1))
    node.trigger_deactivate()
    setup.station.received.clear()
    setup.station.wait(
        lambda m: m.get_type() == "CAMERA_TRACKING_IMAGE_STATUS" and m.tracking_status == 2,
        "the news that it is not in view",
        meanwhile=setup.station.heartbeat,
    )
    node.trigger_activate()
    setup.operator.wait_for_camera_link()
    setup.status(has_flags(1))


def test_the_target_is_started_on_the_picture_that_the_operator_sees(make_setup):
    setup = make_setup(video_latency_s=1.0)
    setup.start_tracker()
    tracker = setup.operator
    base = tracker.get_clock().now().to_msg().sec
    for tenth in range(20):  # the square moves; a second ago it was elsewhere
        image = scene((40 + 4 * tenth, 60))
        header = Header(stamp=Time(sec=base + tenth // 10, nanosec=tenth % 10 * 10**8), frame_id="camera")
        tracker.frame(msg=fill_image(Image(), image, "bgr8", header))
    setup.wait_until_newest(header)
    then = 40 + 4 * 9
    box = ((then - 10) / 160, 50 / 120, (then + 10) / 160, 70 / 120)
    assert setup.station.command(TRACK_RECTANGLE, *box) == ACCEPTED
    started = tracker.wait(lambda: tracker.logged("IDLE -> TRACKING"), "the log of the start")
    assert f"image of {base}.900000000" in started[-1]


def test_a_rotated_box_is_shown_by_the_upright_one_that_holds_it(make_setup):
    setup = make_setup(TurnedSquareTracker, tracker_parameters={"rotated_box": True})
    setup.start_tracker()
    assert setup.station.command(TRACK_RECTANGLE, *BOX) == ACCEPTED
    status = setup.status(has_flags(1))
    (width, height), theta = TurnedSquareTracker.TURNED_WH, TurnedSquareTracker.THETA
    half_x = (width * math.cos(theta) + height * math.sin(theta)) / 2
    half_y = (width * math.sin(theta) + height * math.cos(theta)) / 2
    expected = [(80 - half_x) / 160, (60 - half_y) / 120, (80 + half_x) / 160, (60 + half_y) / 120]
    assert corners(status) == pytest.approx(expected, abs=1e-6)


class OtherTracker(Node):
    """The topics of a tracker, with what a test says on them."""

    def __init__(self, graph):
        super().__init__("other_tracker", context=graph.context)
        self._status = self.create_publisher(TrackerStatus, "tracker/status", 10)
        self._detections = self.create_publisher(Detection2DArray, "tracker/detections", 10)
        graph.add(self)

    def say_status(self, second, target_id, state=TrackerStatus.TRACKING, size_wh=(160, 120)):
        width, height = size_wh
        header = Header(stamp=Time(sec=second))
        self._status.publish(
            TrackerStatus(header=header, target_id=target_id, state=state, image_width=width, image_height=height)
        )

    def say_detections(self, second, **centers):
        header = Header(stamp=Time(sec=second))
        boxes = [make_detection(center, id=target_id) for target_id, center in centers.items()]
        self._detections.publish(Detection2DArray(header=header, detections=boxes))


@pytest.fixture
def other(graph, make_setup, monkeypatch):
    """A setup whose tracker the test speaks for, and the states that reach the camera."""
    setup = make_setup()
    setup.tracker = OtherTracker(graph)
    setup.reports = []
    monkeypatch.setattr(setup.camera._camera, "report", setup.reports.append)
    setup.operator.wait(lambda: setup.camera.count_publishers("tracker/detections") == 1, "the topics")
    setup.operator.wait(
        lambda: (
            setup.tracker._status.get_subscription_count() == 2
            and setup.tracker._detections.get_subscription_count() == 2
        ),
        "the subscriptions of the camera and of the operator",
    )
    return setup


def reported(setup, count):
    setup.operator.wait(lambda: len(setup.reports) >= count, f"{count} reports")
    return [
        (report.state, None if report.box_xyxy is None else round(160 * report.box_xyxy[0])) for report in setup.reports
    ]


def test_status_and_detections_are_joined_in_any_order_and_repetitions_are_no_news(other):
    for second in range(3):
        other.tracker.say_status(second, TARGET_ID)
    for second in reversed(range(3)):
        other.tracker.say_detections(second, **{TARGET_ID: (30.0 + second, 50.0)})
    assert sorted(reported(other, 3)) == [(1, 20), (1, 21), (1, 22)]
    for _ in range(40):
        other.tracker.say_status(0, TARGET_ID)  # as of a tracker that has no new image
        other.tracker.say_status(99, "nobody")  # whose detections never come
    other.tracker.say_status(3, TARGET_ID, state=77)  # of another package
    other.tracker.say_status(4, TARGET_ID, TrackerStatus.LOST)
    other.tracker.say_detections(3)
    other.tracker.say_detections(4)
    assert reported(other, 4)[3:] == [(TrackerStatus.LOST, None)]


def test_of_several_targets_that_of_the_ground_station_is_shown(other):
    both = {"car": (20.0, 20.0), TARGET_ID: (100.0, 50.0)}
    other.tracker.say_detections(1, car=(20.0, 20.0))
    other.tracker.say_status(1, "car")
    assert reported(other, 1) == [(1, 10)], "the only one"
    for second in (2, 3):
        other.tracker.say_detections(second, **both)
        other.tracker.say_status(second, TARGET_ID)
        other.tracker.say_status(second, "car")
    assert reported(other, 3)[1:] == [(1, 90), (1, 90)]
    other.tracker.say_detections(4)
    other.tracker.say_status(4, "", TrackerStatus.IDLE)
    assert reported(other, 4)[3:] == [(0, None)]


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["-p", "connections:=[udp]"], "connection is 'udp', expected udpout:HOST:PORT"),
        (["-p", "connections:=[]"], "connections is an empty list or has no value, expected one"),
        (["-p", "component_id:=1"], "component_id"),
        (["-p", "system_id:=one"], "system_id"),
        (["-p", "video_uri:=drone"], "video_uri is 'drone', expected one that begins with rtsp, udp, tcp and ://"),
    ],
)
def test_parameters_that_cannot_be_used_end_the_program_with_a_sentence(monkeypatch, capfd, arguments, words):
    monkeypatch.setattr("siam_tracker_ros.node.spinning.note_signals", list)
    assert mavlink_camera.main(["--ros-args", *arguments]) == 1
    assert words in capfd.readouterr().err


def test_while_the_tracker_takes_its_time_the_command_is_in_progress_and_the_heartbeat_goes_on(make_setup):
    gate = threading.Event()
    gate.set()  # for the warm-up

    class SlowTracker(SquareTracker):
        def start(self, image_bgr, box_xywh):
            assert gate.wait(30)
            return super().start(image_bgr, box_xywh)

    setup = make_setup(SlowTracker)
    setup.start_tracker()
    gate.clear()
    setup.station.send(command_long(TRACK_RECTANGLE, *BOX))
    for _ in range(2):
        setup.station.wait(lambda m: m.get_type() == "COMMAND_ACK" and m.result == IN_PROGRESS, "progress")
    setup.station.wait_for("HEARTBEAT")
    gate.set()
    setup.station.wait(lambda m: m.get_type() == "COMMAND_ACK" and m.result == ACCEPTED, "the end")
