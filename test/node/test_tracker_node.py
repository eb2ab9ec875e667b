# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import math
import threading

import cv2
import numpy as np
import pytest
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus
from node_doubles import SIDE, SquareTracker, TurnedSquareTracker, scene
from rclpy.logging import LoggingSeverity
from rclpy.qos import qos_profile_sensor_data
from ros_testing import (
    DEADLINE,
    FRAME_ID,
    Operator,
    graph_fixture,  # noqa: F401
    parameter_overrides,
)
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image
from siam_tracker_ros.msg import TrackerStatus
from std_msgs.msg import Header

from siam_tracker_ros.drawing import mask_image
from siam_tracker_ros.geometry import cxcywht_to_corners
from siam_tracker_ros.image_conversion import compressed_to_bgr, fill_compressed, fill_image, image_to_bgr
from siam_tracker_ros.node.messages import format_stamp
from siam_tracker_ros.node.tracker_node import TrackerNode

CENTER = (80.0, 60.0)


class Setup:
    """A tracker node with a SquareTracker or another double, and its operator."""

    def __init__(self, graph, namespace="", tracker_class=SquareTracker, **parameters):
        self.trackers = []
        self._tracker_class = tracker_class
        self.operator = Operator(graph, namespace)
        self.node = graph.add(
            TrackerNode(
                self._make_tracker,
                context=graph.context,
                namespace=namespace,
                use_global_arguments=False,
                parameter_overrides=parameter_overrides(**parameters),
            )
        )

    @property
    def tracker(self):
        return self.trackers[-1]

    def _make_tracker(self, model, **arguments):
        self.trackers.append(self._tracker_class(model, **arguments))
        return self.tracker


@pytest.fixture
def setup(graph):
    setup = Setup(graph, lost_frames=3, diagnostics_period=0.1)
    setup.operator.wait_for_camera_link()
    return setup


@pytest.fixture
def operator(setup):
    return setup.operator


def center_of(detection):
    return detection.bbox.center.position.x, detection.bbox.center.position.y


def values(status):
    return {value.key: value.value for value in status.values}


def follow(operator, center=CENTER):
    """Start on a target and see it tracked in one frame."""
    operator.frame(scene(center))
    response = operator.init(center)
    assert response.success, response.message
    status, detections = operator.frame(scene(center))
    assert status.state == TrackerStatus.TRACKING and len(detections) == 1
    return response


def test_a_target_is_followed_from_init_to_reset(operator):
    status, detections = operator.frame(scene(CENTER))
    assert status.state == TrackerStatus.IDLE and detections == []
    assert (status.image_width, status.image_height) == (160, 120)
    assert math.isnan(status.confidence) and status.target_id == "" and status.age == 0
    response = operator.init(CENTER, class_id="car")
    assert response.success and response.target_id == "target_1"
    assert response.stamp == status.header.stamp
    for age in range(1, 6):
        status, (detection,) = operator.frame(scene((80 + 5 * age, 60)))
        assert center_of(detection) == (80 + 5 * age, 60)
        assert (detection.bbox.size_x, detection.bbox.size_y, detection.bbox.center.theta) == (20, 20, 0)
        assert detection.id == status.target_id == "target_1"
        assert [result.hypothesis.class_id for result in detection.results] == ["car"]
        assert detection.results[0].hypothesis.score == pytest.approx(0.9)
        assert status.confidence == pytest.approx(0.9) and status.peak_ratio == pytest.approx(0.1)
        assert (status.state, status.age, status.frames_lost) == (TrackerStatus.TRACKING, age, 0)
        assert status.inference_ms > 0 and status.latency.sec > 10**9 - 10  # the stamps count from zero
    assert operator.reset().message == "target 'target_1' is dropped"
    status, detections = operator.frame(scene(CENTER))
    assert status.state == TrackerStatus.IDLE and detections == [] and status.target_id == ""
    assert operator.reset().success
    assert operator.init(CENTER, target_id="mine").target_id == "mine"
    assert operator.init(CENTER).target_id == "target_2"


def test_every_header_is_the_images_bit_for_bit_and_nothing_is_published_twice(operator):
    debug = operator.listen("debug", Image, "tracker/debug_image")
    operator.wait(lambda: operator.count_subscribers("tracker/debug_image"), "the debug subscription")
    follow(operator)
    headers = []
    for x in range(80, 100):
        headers.append(operator.frame(scene((x, 60)))[0].header)
    for name in ("status", "detections", "detection", "debug"):
        operator.message(name, headers[-1])
        published = [msg.header for msg in operator.received(name)]
        assert [header for header in published if header in headers] == headers
    assert all(d.header == array.header for array in operator.received("detections") for d in array.detections)
    assert {header.frame_id for header in headers} == {FRAME_ID}
    operator.destroy_subscription(debug)


def test_lost_gives_no_detection_and_recovery_gives_them_back_under_the_same_id(operator):
    follow(operator)
    states = [operator.frame(scene(None))[0].state for _ in range(4)]
    assert states == [1, TrackerStatus.UNCERTAIN, TrackerStatus.LOST, TrackerStatus.LOST]
    status, detections = operator.frame(scene(None))
    assert (status.state, status.frames_lost, detections) == (TrackerStatus.LOST, 3, [])
    assert status.target_id == "target_1" and status.confidence < 0.01
    while status.state == TrackerStatus.LOST:
        status, detections = operator.frame(scene((90, 70)))
    assert (status.state, status.frames_lost) == (TrackerStatus.UNCERTAIN, 0)
    while status.state == TrackerStatus.UNCERTAIN:
        status, detections = operator.frame(scene((90, 70)))
    assert (status.state, status.redetections) == (TrackerStatus.TRACKING, 1)
    assert detections[0].id == "target_1" and center_of(detections[0]) == (90, 70)
    lost = [msg.header for msg in operator.received("status") if msg.state == TrackerStatus.LOST]
    assert not [d for d in operator.received("detection") if d.header in lost]


def state_changes(operator):
    """Level and text of every change of the state that was logged."""
    return [(log.level, log.msg) for log in operator.received("log") if log.name == "tracker" and " -> " in log.msg]


def test_each_change_of_the_state_is_logged_once_and_no_frame_is(operator):
    info, warning = LoggingSeverity.INFO, LoggingSeverity.WARN
    follow(operator)
    marked = operator.received("status")[-2]  # of the image that the target was marked in
    for _ in range(5):
        operator.frame(scene(CENTER))
    uncertain, lost, *_ = [operator.frame(scene(None))[0] for _ in range(6)][1:]
    while (found := operator.frame(scene(CENTER))[0]).state == TrackerStatus.LOST:
        pass
    while (confirmed := operator.frame(scene(CENTER))[0]).state == TrackerStatus.UNCERTAIN:
        pass
    assert (lost.state, found.state, confirmed.state) == (3, 2, 1)
    assert operator.reset().success and operator.reset().success
    operator.frame(scene(CENTER))
    operator.enable(False)
    operator.wait(lambda: operator.logged("tracking is paused"), "the last line")
    assert state_changes(operator) == [
        (level, f"target_1: {change} (confidence {confidence}, image of {format_stamp(status.header.stamp)})")
        for level, change, confidence, status in (
            (info, "IDLE -> TRACKING", "1.00", marked),
            (info, "TRACKING -> UNCERTAIN", "0.00", uncertain),
            (warning, "UNCERTAIN -> LOST", "0.00", lost),
            (info, "LOST -> UNCERTAIN", "0.90", found),
            (info, "UNCERTAIN -> TRACKING", "0.90", confirmed),
            (info, "TRACKING -> IDLE", "-", confirmed),
        )
    ]


def test_a_box_over_the_edge_is_not_clipped(operator):
    follow(operator)
    status, (detection,) = operator.frame(scene((5, 60), (160, 120)))
    left = detection.bbox.center.position.x - detection.bbox.size_x / 2
    assert detection.bbox.size_x == 20 and left < 0


NAN = math.nan


@pytest.mark.parametrize(
    "request_fields, words",
    [
        (dict(center=(NAN, 60.0)), "bbox.center.position.x is nan, expected a finite number"),
        (dict(center=CENTER, size=(20.0, 5e-324)), "bbox.size_y is 4.94066e-324"),
        (dict(center=CENTER, theta=5e-324), "bbox.center.theta is 4.94066e-324"),
        (dict(center=CENTER, size=(0.5, 0.5)), "expected at least 1 x 1"),
        (dict(center=(300.0, 60.0)), "outside the 160 x 120 image"),
        (dict(center=(0.5, 0.5), size=(0.1, 0.1)), "looks like fractions of the image"),
        (dict(center=(0.0, 0.0)), "was not filled in"),
        (dict(center=CENTER, size=(161.0, 20.0)), "larger than the 160 x 120 image"),
        (dict(center=CENTER, frame_id="other_camera"), f"'other_camera', expected '{FRAME_ID}'"),
        (dict(center=CENTER, stamp=Time(sec=77, nanosec=5)), "stamp 77.000000005 is kept"),
        (dict(center=CENTER, stamp=Time(sec=1, nanosec=10**9)), "nanosec is 1000000000, expected below"),
    ],
)
def test_a_bad_init_is_refused_and_the_target_held_is_kept(operator, request_fields, words):
    follow(operator)
    response = operator.init(**request_fields)
    assert not response.success and words in response.message and "expected" in response.message
    assert response.target_id == "" and response.stamp == Time()
    status, (detection,) = operator.frame(scene((90, 60)))
    assert (detection.id, center_of(detection), status.age) == ("target_1", (90, 60), 2)


def test_init_before_any_frame_is_refused_and_names_the_topic(operator):
    response = operator.init(CENTER)
    assert not response.success and "no image on /image is kept" in response.message
    follow(operator)


def test_init_accepts_a_normalized_box_the_right_frame_id_and_the_stamp_of_the_newest_frame(operator):
    status, _ = operator.frame(scene(CENTER))
    response = operator.init((0.5, 0.5), (0.125, 0.25), normalized=True, frame_id=FRAME_ID, stamp=status.header.stamp)
    assert response.success, response.message
    _, (detection,) = operator.frame(scene(CENTER))
    assert (center_of(detection), detection.bbox.size_x, detection.bbox.size_y) == (CENTER, 20, 30)
    assert detection.results[0].hypothesis.class_id == "target"


def test_init_on_an_earlier_stamp_catches_up_through_the_frames_since(setup, operator):
    headers = [operator.frame(scene((20 + 4 * i, 60)))[0].header for i in range(8)]
    before, seen = len(operator.received("detections")), setup.tracker.seen
    response = operator.init((28.0, 60.0), stamp=headers[2].stamp)
    assert response.success and response.stamp == headers[2].stamp
    caught_up = setup.tracker.seen - seen
    assert 1 <= caught_up <= 5  # of the five frames since, as many as there was time for
    status, (detection,) = operator.frame(scene((52, 60)))
    assert status.age == caught_up + 1 and center_of(detection) == (52, 60)
    assert len(operator.received("detections")) == before + 1, "catching up must publish nothing"


def test_init_takes_the_nearest_image_and_says_so(operator):
    stamps = [operator.frame(scene((30 + 10 * i, 60)))[0].header.stamp for i in range(3)]
    rounded = Time(sec=stamps[1].sec, nanosec=stamps[1].nanosec + 300)
    response = operator.init((40.0, 60.0), stamp=rounded)
    assert response.success and response.stamp == stamps[1]
    shown = f"{stamps[1].sec}.{stamps[1].nanosec:09d}"
    assert response.message == f"target 'target_1' is held, from the image nearest to the stamp, that of {shown}"
    assert operator.init((40.0, 60.0), stamp=stamps[1]).message == "target 'target_2' is held"


@pytest.fixture
def waiting(setup, operator, monkeypatch):
    """An init that waits for the next image: the header of that image, and the future of the response."""
    monkeypatch.setattr("siam_tracker_ros.node.pipeline._NEXT_FRAME_S", DEADLINE)
    for _ in range(3):
        operator.frame(scene((30, 60)))
    waits, wait_for_next = threading.Event(), setup.node._worker.wait_for_next
    monkeypatch.setattr(setup.node._worker, "wait_for_next", lambda *a: waits.set() or wait_for_next(*a))
    header = operator.header()
    response = operator.call_async_init((90.0, 60.0), stamp=header.stamp)
    assert waits.wait(DEADLINE) and not response.done()
    return header, response


def test_init_waits_for_the_image_that_is_about_to_come(operator, waiting):
    header, response = waiting
    operator.send(msg=fill_image(Image(), scene((90, 60)), "bgr8", header))
    operator.wait(response.done, "the response")
    assert response.result().success and response.result().stamp == header.stamp
    _, (detection,) = operator.frame(scene((94, 60)))
    assert center_of(detection) == (94, 60)


def test_an_init_that_waits_for_an_image_does_not_hold_up_the_end(operator, waiting):
    _, response = waiting
    assert operator.change_state("deactivate")
    operator.wait(response.done, "the response")
    assert not response.result().success and "no image on /image is kept" in response.result().message


def test_init_on_an_image_that_does_not_come_is_refused_after_the_wait(setup, operator, monkeypatch):
    monkeypatch.setattr("siam_tracker_ros.node.pipeline._NEXT_FRAME_S", 0.0)
    follow(operator)
    response = operator.init(CENTER, stamp=operator.header().stamp)
    assert not response.success and "is kept, the nearest is 0.988 s away" in response.message
    _, (detection,) = operator.frame(scene((90, 60)))
    assert (detection.id, center_of(detection)) == ("target_1", (90, 60))


def test_an_unknown_stamp_is_refused_with_the_range_that_is_kept(graph):
    setup = Setup(graph, frame_buffer_mb=1)
    operator = setup.operator
    operator.wait_for_camera_link()
    image_bgr = scene(CENTER, (400, 250))  # 0.3 MB
    stamps = [operator.frame(image_bgr)[0].header.stamp for _ in range(5)]
    response = operator.init(CENTER, stamp=stamps[0])
    assert not response.success
    first, last = (f"{s.sec}.{s.nanosec:09d}" for s in (stamps[2], stamps[4]))
    assert f"3 images from {first} to {last}" in response.message
    assert "raise frame_buffer_s and frame_buffer_mb" in response.message
    assert operator.init(CENTER, stamp=stamps[2]).success
    input_values = values(operator.diagnosis("input", lambda status: values(status)["init_memory_mb"] == "0.9"))
    kept = setup.node._worker.kept_frames()
    assert input_values["init_reach_s"] == f"{kept[-1].received - kept[0].received:.3f}"


def test_images_are_kept_for_the_seconds_asked_for(graph):
    setup = Setup(graph, frame_buffer_s=0.0)
    operator = setup.operator
    operator.wait_for_camera_link()
    stamps = [operator.frame(scene(CENTER))[0].header.stamp for _ in range(2)]
    assert "the 1 images" in operator.init(CENTER, stamp=stamps[0]).message
    assert operator.init(CENTER, stamp=stamps[1]).success
    operator.diagnosis("input", lambda status: values(status)["init_reach_s"] == "0.000")


def test_time_that_jumps_back_is_said_once_and_the_target_is_kept(operator):
    follow(operator)

    def frame_at(sec, x):
        msg = fill_image(Image(), scene((x, 60)), "bgr8", Header(stamp=Time(sec=sec), frame_id=FRAME_ID))
        return operator.frame(msg=msg)

    for sec in (100, 101, 50, 51, 10):
        status, (detection,) = frame_at(sec, 80 + sec % 10)
        assert detection.id == "target_1" and center_of(detection) == (80 + sec % 10, 60)
    (warning,) = operator.logged("jump back")
    assert "by 51 s, from 101.000000000 to 50.000000000" in warning and "the target is kept" in warning
    assert operator.init((80.0, 60.0), stamp=Time(sec=51)).success, "stamps of before the jump are still known"


def test_init_twice_equals_a_fresh_init(graph):
    setups = [Setup(graph, namespace) for namespace in ("/first", "/second")]
    for setup in setups:
        setup.operator.wait_for_camera_link()
    follow(setups[0].operator, (40.0, 40.0))
    tracks = []
    for setup in setups:
        setup.operator.frame(scene(CENTER))
        assert setup.operator.init(CENTER, (30.0, 24.0), target_id="same").success
        frames = [setup.operator.frame(scene((80 + i, 60))) for i in range(5)]
        tracks.append([(s.state, s.age, s.confidence, d[0].bbox, d[0].id) for s, d in frames])
    assert tracks[0] == tracks[1]


def test_two_trackers_in_two_namespaces_do_not_hear_each_other(graph):
    left, right = (Setup(graph, namespace) for namespace in ("/left", "/right"))
    for setup in (left, right):
        setup.operator.wait_for_camera_link()
    follow(left.operator, (30.0, 30.0))
    status, detections = right.operator.frame(scene((100, 60)))
    assert status.state == TrackerStatus.IDLE and detections == []
    follow(right.operator, (100.0, 60.0))
    right.operator.reset()
    _, (detection,) = left.operator.frame(scene((34, 30)))
    assert center_of(detection) == (34, 30)


def test_images_come_in_while_an_init_waits_for_the_worker(setup, operator):
    follow(operator)
    setup.tracker.gate.clear()
    setup.tracker.entered.clear()
    operator.send(scene(CENTER))
    operator.wait(setup.tracker.entered.is_set, "the worker to be busy with a frame")
    response = operator.call_async_init(CENTER)
    operator.wait(lambda: setup.node._worker._jobs, "the request to wait for the worker")
    for _ in range(3):
        last = send_into_slot(setup, scene((90, 60)))
    assert not response.done()
    setup.tracker.gate.set()
    operator.wait(response.done, "the response")
    assert response.result().success and response.result().stamp == last.stamp
    status = operator.message("status", last)
    assert status.frames_skipped == 2 and status.age == 1


def send_into_slot(setup, image_bgr):
    header = setup.operator.send(image_bgr)

    def waits():
        frame = setup.node._worker.waiting_frame()
        return frame is not None and frame.msg.header == header

    setup.operator.wait(waits, "the frame in the slot")
    return header


def test_pause_keeps_target_and_heartbeat(setup, operator):
    follow(operator)
    assert operator.enable(False).success
    seen = setup.tracker.seen
    for _ in range(5):
        status, detections = operator.frame(scene((120, 60)))
        assert (status.state, status.age, status.target_id, detections) == (
            TrackerStatus.UNCERTAIN,
            1,
            "target_1",
            [],
        )
        assert status.confidence == status.image_width == 0, "nobody looked at this frame"
    assert setup.tracker.seen == seen
    response = operator.init((120.0, 60.0))
    assert response.success and "paused" in response.message
    assert operator.enable(True).success
    status, (detection,) = operator.frame(scene((124, 60)))
    assert (status.age, detection.id, center_of(detection)) == (1, "target_2", (124, 60))


BAD_IMAGES = [
    (dict(data=b"\x00" * 100), "100 bytes, expected 57600"),
    (dict(height=0), "160 x 0 pixels"),
    (dict(width=0), "0 x 120 pixels"),
    (dict(encoding="32FC1"), "encoding is '32FC1', expected one of"),
    (dict(step=3), "step is 3 bytes, expected at least 480"),
]


@pytest.mark.parametrize("change, words", BAD_IMAGES)
def test_a_bad_image_is_reported_and_the_node_goes_on(operator, change, words):
    follow(operator)
    msg = fill_image(Image(), scene(CENTER), "bgr8", operator.header())
    for name, value in change.items():
        setattr(msg, name, value)
    status, detections = operator.frame(msg=msg)
    assert (status.state, status.confidence, detections) == (TrackerStatus.TRACKING, 0, [])
    diagnosis = operator.diagnosis("input", lambda status: status.level == DiagnosticStatus.ERROR)
    assert words in diagnosis.message
    response = operator.init(CENTER)
    assert not response.success and words in response.message
    status, (detection,) = operator.frame(scene((90, 60)))
    assert center_of(detection) == (90, 60) and detection.id == "target_1"
    diagnosis = operator.diagnosis(
        "input", lambda status: status.level != DiagnosticStatus.ERROR and values(status)["refused"] != "0"
    )
    assert words in values(diagnosis)["last_error"]


def test_bad_images_without_end_lose_the_target(operator):
    follow(operator)
    for _ in range(4):
        msg = fill_image(Image(), scene(CENTER), "bgr8", operator.header())
        msg.encoding = "rubbish"
        status, detections = operator.frame(msg=msg)
    assert status.state == TrackerStatus.LOST and detections == []


def test_another_image_size_in_mid_stream_loses_the_target_until_init(operator):
    follow(operator)
    status, detections = operator.frame(scene(CENTER, (320, 240)))
    assert (status.state, status.target_id, detections) == (TrackerStatus.LOST, "target_1", [])
    diagnosis = operator.diagnosis("input", lambda status: status.level == DiagnosticStatus.ERROR)
    assert "320 x 240 pixels, expected 160 x 120" in diagnosis.message and "new box" in diagnosis.message
    assert operator.init(CENTER).success
    status, (detection,) = operator.frame(scene((200, 150), (320, 240)))
    assert status.state == TrackerStatus.TRACKING and center_of(detection) == (200, 150)


def test_diagnostics_name_the_target_and_its_state(operator):
    def wait_for(*expected):
        def holds():
            statuses = [status for array in operator.received("diagnostics") for status in array.status]
            targets = [values(status) for status in statuses if status.name == "tracker: tracker"]
            return targets and (targets[-1]["state"], targets[-1]["target_id"]) == expected

        operator.wait(holds, f"{expected} in the newest diagnostics")

    follow(operator)
    wait_for("TRACKING", "target_1")
    while operator.frame(scene(None))[0].state != TrackerStatus.LOST:
        pass
    wait_for("LOST", "target_1")
    operator.reset()
    wait_for("IDLE", "")
    assert operator.init(CENTER, target_id="mine").success
    wait_for("TRACKING", "mine")
    assert operator.change_state("deactivate") and operator.change_state("cleanup")
    wait_for("IDLE", "")


def test_a_fault_in_the_tracker_is_reported_and_the_node_goes_on(setup, operator):
    follow(operator)
    setup.tracker.failure = RuntimeError("CUDA error: out of memory")
    status, detections = operator.frame(scene(CENTER))
    assert (status.confidence, detections) == (0, [])
    diagnosis = operator.diagnosis("tracker", lambda status: status.level == DiagnosticStatus.ERROR)
    assert "RuntimeError: CUDA error: out of memory" in diagnosis.message
    assert operator.frame(scene(CENTER))[1]


def compressed(operator, data, image_format="jpeg"):
    return CompressedImage(header=operator.header(), format=image_format, data=data)


def jpeg(image_bgr):
    return cv2.imencode(".jpg", image_bgr)[1].tobytes()


@pytest.fixture
def compressed_operator(graph):
    setup = Setup(graph, image_transport="compressed", diagnostics_period=0.1)
    setup.operator.wait_for_camera_link()
    return setup.operator


@pytest.mark.parametrize(
    "data, words",
    [(jpeg(scene(CENTER))[:-50], "without its end"), (b"rubbish", "cannot be decoded"), (b"", "no data")],
)
def test_compressed_images_are_followed_and_a_corrupt_one_is_reported(compressed_operator, data, words):
    operator = compressed_operator
    operator.frame(msg=compressed(operator, jpeg(scene(CENTER))))
    assert operator.init(CENTER).success
    _, (detection,) = operator.frame(msg=compressed(operator, jpeg(scene((90, 60)))))
    np.testing.assert_allclose(center_of(detection), (90, 60), atol=1)
    status, detections = operator.frame(msg=compressed(operator, data))
    assert (status.confidence, detections) == (0, [])
    diagnosis = operator.diagnosis("input", lambda status: words in status.message)
    assert diagnosis.level == DiagnosticStatus.ERROR and f"{len(data)} bytes" in diagnosis.message
    _, (detection,) = operator.frame(msg=compressed(operator, jpeg(scene((94, 60)))))
    assert detection.id == "target_1"


def thermal(center, shift=0):
    """A scene as a camera of 14 bits sees it, which uses 510 of its intensities."""
    return (scene(center)[..., 1].astype(np.uint16) * 2 + 7000 + shift).astype("<u2")


def mono16(operator, pixels, frame_id=FRAME_ID):
    msg = Image(header=operator.header(frame_id), height=120, width=160, encoding="mono16", step=320)
    msg.data.frombytes(pixels.tobytes())
    return msg


def shown_range(operator):
    """Low and high end of the intensity range on /diagnostics."""
    status = operator.diagnosis("input", lambda status: ".." in values(status)["intensity_range"])
    return [int(part) for part in values(status)["intensity_range"].split("..")]


def test_a_narrow_range_of_sixteen_bits_is_followed(operator):
    operator.frame(msg=mono16(operator, thermal(CENTER)))
    assert operator.init(CENTER).success
    for x in range(80, 100, 5):
        status, (detection,) = operator.frame(msg=mono16(operator, thermal((x, 60))))
        assert status.state == TrackerStatus.TRACKING
        np.testing.assert_allclose(center_of(detection), (x, 60), atol=1)
    low, high = shown_range(operator)
    assert 6900 < low < 7300 and 7400 < high < 7700


def test_the_intensity_range_can_be_fixed_while_the_node_runs(operator):
    operator.frame(msg=mono16(operator, thermal(CENTER)))
    assert operator.set_parameters(intensity_range="6990,7520").successful
    operator.frame(msg=mono16(operator, thermal(CENTER)))
    operator.wait(lambda: shown_range(operator) == [6990, 7520], "the fixed range")
    assert "9000 to 8000" in operator.set_parameters(intensity_range="9000,8000").reason


def test_another_camera_has_a_range_of_its_own(operator):
    for _ in range(3):
        operator.frame(msg=mono16(operator, thermal(CENTER)))
    operator.frame(msg=mono16(operator, thermal(CENTER, shift=20000), frame_id="other"))
    operator.wait(lambda: shown_range(operator)[0] > 26000, "the range of the other camera")


def debug_image(operator):
    """A frame of a target that is followed, and the debug image of it."""
    operator.listen("debug", Image, "tracker/debug_image")
    operator.wait(lambda: operator.count_subscribers("tracker/debug_image"), "the debug subscription")
    follow(operator)
    image_bgr = scene(CENTER)
    status, _ = operator.frame(image_bgr)
    return image_bgr, image_to_bgr(operator.message("debug", status.header))


def test_the_debug_image_shows_the_box(operator):
    image_bgr, shown = debug_image(operator)
    assert shown.shape == image_bgr.shape and (shown != image_bgr).any()


@pytest.fixture
def turned(graph):
    setup = Setup(graph, tracker_class=TurnedSquareTracker, lost_frames=3)
    setup.operator.wait_for_camera_link()
    return setup


def count_subscribers(setup, name):
    (publisher,) = (publisher for publisher in setup.node.publishers if publisher.topic_name == f"/tracker/{name}")
    return publisher.get_subscription_count()


def listen_to(setup, name, msg_type):
    subscription = setup.operator.listen(name, msg_type, f"tracker/{name}")
    setup.operator.wait(lambda: count_subscribers(setup, name), "the node to know of the subscription")
    return subscription


def listen_to_masks(setup):
    return listen_to(setup, "mask", Image)


def test_the_mask_is_the_full_frame_under_the_images_header(turned):
    operator = turned.operator
    listen_to_masks(turned)
    follow(operator)
    for center in ((90, 60), (4, 2), (158, 118)):
        image_bgr = scene(center)
        status, _ = operator.frame(image_bgr)
        mask = operator.message("mask", status.header)
        assert (mask.encoding, mask.step, mask.is_bigendian) == ("mono8", 160, 0)
        pixels = np.frombuffer(mask.data, np.uint8).reshape(mask.height, mask.width)
        np.testing.assert_array_equal(pixels, np.where(image_bgr[..., 1] > 200, 255, 0))


def test_only_frames_with_a_mask_publish_one(turned):
    operator = turned.operator
    listen_to_masks(turned)
    idle = operator.frame(scene(CENTER))[0].header
    follow(operator)
    expected = [operator.frame(scene(CENTER))[0].header]
    turned.tracker.has_mask = False
    without = operator.frame(scene(CENTER))[0].header
    turned.tracker.has_mask = True
    expected.append(operator.frame(scene(CENTER))[0].header)
    lost = []
    while not lost or lost[-1].state != TrackerStatus.LOST:
        lost.append(operator.frame(scene(None))[0])
    lost.append(operator.frame(scene(CENTER))[0])  # the square is back; the state says LOST for some frames more
    assert lost[-1].state == TrackerStatus.LOST
    operator.reset()
    idle_again = operator.frame(scene(CENTER))[0].header
    follow(operator)
    operator.message("mask", operator.frame(scene(CENTER))[0].header)
    published = [msg.header for msg in operator.received("mask")]
    assert [header for header in published if header in expected] == expected
    silent = [idle, without, idle_again, *(status.header for status in lost if status.state == TrackerStatus.LOST)]
    assert not [header for header in published if header in silent]


def test_a_mask_is_made_only_while_somebody_subscribes(turned, monkeypatch):
    made = []
    monkeypatch.setattr("siam_tracker_ros.node.pipeline.mask_image", lambda mask: made.append(1) or mask_image(mask))
    operator = turned.operator

    def count():
        follow(operator)
        operator.reset()  # behind all that the worker does with the frames
        return len(made)

    assert count() == 0
    subscription = listen_to_masks(turned)
    assert count() == 1
    operator.destroy_subscription(subscription)
    operator.wait(lambda: not count_subscribers(turned, "mask"), "the subscription to go")
    assert count() == 1


@pytest.mark.parametrize("encoding", ["mono8", "bgr8"])
def test_the_mask_has_the_size_of_the_image_whatever_its_size_and_encoding(turned, encoding):
    operator = turned.operator
    listen_to_masks(turned)
    for size_wh in ((160, 120), (322, 64)):
        image_bgr = scene((60, 30), size_wh)
        pixels = image_bgr[..., 0] if encoding == "mono8" else image_bgr
        operator.frame(msg=fill_image(Image(), pixels, encoding, operator.header()))
        assert operator.init((60.0, 30.0)).success
        status, _ = operator.frame(msg=fill_image(Image(), pixels, encoding, operator.header()))
        mask = operator.message("mask", status.header)
        assert (mask.width, mask.height, len(mask.data)) == (*size_wh, size_wh[0] * size_wh[1])
        assert np.frombuffer(mask.data, np.uint8).sum() == 255 * SIDE * SIDE


def test_the_compressed_mask_is_the_mask_bit_for_bit(turned):
    operator = turned.operator
    listen_to_masks(turned)
    listen_to(turned, "mask/compressed", CompressedImage)
    follow(operator)
    status, _ = operator.frame(scene((90, 60)))
    mask, compressed = (operator.message(name, status.header) for name in ("mask", "mask/compressed"))
    assert compressed.format == "mono8; png compressed "
    pixels = cv2.imdecode(np.frombuffer(compressed.data, np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(pixels, np.frombuffer(mask.data, np.uint8).reshape(pixels.shape))


def test_the_compressed_debug_image_is_the_debug_image_in_the_quality_asked_for(setup, operator):
    listen_to(setup, "debug_image/compressed", CompressedImage)
    image_bgr, shown = debug_image(operator)
    compressed = operator.message("debug_image/compressed", operator.received("debug")[-1].header)
    assert compressed.format == "bgr8; jpeg compressed bgr8"
    assert np.abs(compressed_to_bgr(compressed).astype(int) - shown).mean() < 3
    assert operator.set_parameters(jpeg_quality=5).successful
    status, _ = operator.frame(image_bgr)
    assert len(operator.message("debug_image/compressed", status.header).data) < 0.7 * len(compressed.data)
    assert "jpeg_quality out of range" in operator.set_parameters(jpeg_quality=0).reason


def test_images_are_compressed_only_while_somebody_subscribes(turned, monkeypatch):
    made, fill = [], fill_compressed
    monkeypatch.setattr(
        "siam_tracker_ros.node.pipeline.fill_compressed", lambda *arguments: made.append(1) or fill(*arguments)
    )
    operator = turned.operator
    listen_to_masks(turned)
    debug_image(operator)  # raw ones
    operator.reset()  # behind all that the worker does with the frames
    assert not made
    listen_to(turned, "mask/compressed", CompressedImage)
    follow(operator)
    status, _ = operator.frame(scene(CENTER))
    operator.message("mask/compressed", status.header)
    assert made


def box_of(detection):
    return (*center_of(detection), detection.bbox.size_x, detection.bbox.size_y, detection.bbox.center.theta)


def test_rotated_boxes_are_published_when_asked_for_and_where_there_are_any(turned):
    operator = turned.operator
    follow(operator)
    upright, rotated = (80, 60, SIDE, SIDE, 0), (80, 60, *turned.tracker.TURNED_WH, -turned.tracker.THETA)
    for rotated_box, has_polygon, expected in (
        (False, True, upright),
        (True, True, rotated),
        (True, False, upright),
        (False, True, upright),
    ):
        assert operator.set_parameters(rotated_box=rotated_box).successful
        turned.tracker.has_polygon = has_polygon
        status, (listed,) = operator.frame(scene(CENTER))
        detection = operator.message("detection", status.header)
        assert box_of(detection) == box_of(listed) == pytest.approx(expected)


def test_the_debug_image_shows_mask_and_rotated_box(turned):
    image_bgr, shown = debug_image(turned.operator)
    inside = (slice(57, 63), slice(76, 84))  # within the square and within the rotated box
    assert (shown[inside] != image_bgr[inside]).any(axis=2).all(), "the mask tints the square"
    corners = cxcywht_to_corners([*CENTER, *turned.tracker.TURNED_WH, turned.tracker.THETA])
    right = tuple((corners[1] + corners[2]).astype(int) // 2)  # right of the square, on the rotated box
    assert (shown[right[1], right[0]] != image_bgr[right[1], right[0]]).any()


def test_a_camera_of_best_effort_is_heard_by_default(graph):
    operator = Operator(graph)
    camera = operator.create_publisher(Image, "camera", qos_profile_sensor_data)
    graph.add(
        TrackerNode(
            SquareTracker,
            context=graph.context,
            cli_args=["--ros-args", "-r", "image:=camera"],
            use_global_arguments=False,
        )
    )
    operator.wait(camera.get_subscription_count, "the node to subscribe")
    operator.wait(lambda: operator.count_publishers("tracker/status"), "the status")

    def heard():  # best effort may lose a frame
        camera.publish(fill_image(Image(), scene(CENTER), "bgr8", operator.header()))
        return operator.received("status")

    assert operator.wait(heard, "a status")[0].header.frame_id == FRAME_ID


@pytest.mark.parametrize("camera_first", [False, True])
def test_incompatible_qos_is_said_once_with_the_fix(graph, camera_first):
    fix = "qos_overrides./image.subscription.reliability"
    operator = Setup(graph, autostart=not camera_first, **{fix: "reliable"}).operator
    if not camera_first:
        operator.wait_for_camera_link()
    cameras = [operator.create_publisher(Image, "image", qos_profile_sensor_data)]
    if camera_first:
        assert operator.change_state("configure") and operator.change_state("activate")
    operator.wait(lambda: operator.logged(fix), "the warning")
    cameras.append(operator.create_publisher(Image, "image", qos_profile_sensor_data))
    operator.wait_for_camera_link()
    operator.frame(scene(CENTER))
    (warning,) = operator.logged(fix)
    assert "another reliability" in warning and len(cameras) == 2


def test_the_latency_is_counted_in_simulated_time(graph):
    setup = Setup(graph, use_sim_time=True)
    operator = setup.operator
    operator.wait_for_camera_link()
    clock = operator.create_publisher(Clock, "/clock", 1)
    operator.wait(clock.get_subscription_count, "the node to listen to the clock")

    def heard():
        clock.publish(Clock(clock=Time(sec=100, nanosec=500_000_000)))
        return setup.node.get_clock().now().nanoseconds == 100_500_000_000

    operator.wait(heard, "the node's clock")
    msg = fill_image(Image(), scene(CENTER), "bgr8", Header(stamp=Time(sec=98, nanosec=0)))
    status, _ = operator.frame(msg=msg)
    assert (status.latency.sec, status.latency.nanosec) == (2, 500_000_000)


@pytest.mark.parametrize("name, setting", [("lost_scor", "lost_scor"), ("settings.lr", "lr"), (".", "")])
def test_a_parameter_that_does_not_exist_is_said(graph, name, setting):
    operator = Setup(graph, **{name: 0.2}).operator
    operator.wait(lambda: operator.logged("is ignored"), "the warning")
    (warning,) = operator.logged("is ignored")
    assert warning.startswith(f"parameter '{name}' is ignored, expected one of model, ")
    assert f'settings:=["{setting}=VALUE"]' in warning
