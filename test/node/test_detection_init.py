# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Targets that a detector starts, on ~/init_detection and ~/init_detections."""

import math
import threading

import pytest
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus
from node_doubles import SquareTracker, scene
from rclpy.qos import qos_profile_sensor_data
from ros_testing import (
    DEADLINE,
    FRAME_ID,
    Operator,
    graph_fixture,  # noqa: F401
    make_detection,
    parameter_overrides,
)
from sensor_msgs.msg import Image
from siam_tracker_ros.msg import TrackerStatus
from std_msgs.msg import Header
from vision_msgs.msg import Detection2D, Detection2DArray

from siam_tracker_ros.image_conversion import fill_image
from siam_tracker_ros.node.tracker_node import TrackerNode

CENTER = (80.0, 60.0)
ELSEWHERE = (30.0, 30.0)
PERSON = ("person", 0.9)
NAN = math.nan


class Detecting:
    """A tracker node with a SquareTracker, and an operator who is its detector too."""

    def __init__(self, graph, one="tracker/init_detection", many="tracker/init_detections", qos=10, **parameters):
        self.operator = Operator(graph)
        self.trackers = []
        self.node = graph.add(
            TrackerNode(
                self._make_tracker,
                context=graph.context,
                use_global_arguments=False,
                cli_args=["--ros-args", "-r", f"~/init_detections:={many}"],
                parameter_overrides=parameter_overrides(
                    **{"lost_frames": 3, "diagnostics_period": 0.1, "detection_class": "person"} | parameters
                ),
            )
        )
        self._one = self.operator.create_publisher(Detection2D, one, qos)
        self._many = self.operator.create_publisher(Detection2DArray, many, qos)
        self.operator.wait_for_camera_link()
        self.wait_for_subscriptions()

    @property
    def tracker(self):
        return self.trackers[-1]

    def _make_tracker(self, model, **arguments):
        self.trackers.append(SquareTracker(model, **arguments))
        return self.tracker

    def wait_for_subscriptions(self, count=1):
        self.operator.wait(
            lambda: [p.get_subscription_count() for p in (self._one, self._many)] == [count] * 2,
            "the subscriptions to the detections",
        )

    def detect(self, *detections, header=None):
        """Publish a Detection2D, or with a header a Detection2DArray."""
        if header is None:
            (detection,) = detections
            self._one.publish(detection)
        else:
            self._many.publish(Detection2DArray(header=header, detections=list(detections)))

    def wait_for(self, **expected):
        """Wait until the newest diagnostics of the tracker have these values; return the status."""

        def newest():
            for array in reversed(self.operator.received("diagnostics")):
                (status,) = (status for status in array.status if status.name == "tracker: tracker")
                values = {value.key: value.value for value in status.values}
                return status if values.items() >= expected.items() else None
            return None

        return self.operator.wait(newest, f"{expected} in the newest diagnostics")

    def lose(self):
        """Show images without the target until it is lost."""
        while self.operator.frame(scene(None))[0].state != TrackerStatus.LOST:
            pass


@pytest.fixture
def detecting(graph):
    return Detecting(graph)


def center_of(detection):
    return detection.bbox.center.position.x, detection.bbox.center.position.y


@pytest.mark.parametrize(
    "detections",
    [
        [],
        [make_detection(CENTER)],
        [make_detection(CENTER, ("dog", 0.9))],
        [make_detection(CENTER, ("person", 0.49)), make_detection(CENTER, ("dog", 1.0), ("person", 0.2))],
    ],
    ids=["empty array", "no class", "wrong class", "low score"],
)
def test_what_does_not_pass_starts_nothing_and_is_no_refusal(detecting, detections):
    operator = detecting.operator
    status, _ = operator.frame(scene(CENTER))
    detecting.detect(*detections, header=status.header)
    detecting.wait_for(detections="1", detections_used="0", detections_refused="0")
    assert operator.frame(scene(CENTER))[0].state == TrackerStatus.IDLE
    assert operator.logged("detection refused") == []


def with_header(detection, **fields):
    detection.header = Header(**fields)
    return detection


@pytest.mark.parametrize(
    "detection, words",
    [
        (make_detection(CENTER, PERSON, size=(NAN, 20.0)), "bbox.size_x is nan, expected a finite number"),
        (make_detection(CENTER, PERSON, size=(20.0, 5e-324)), "bbox.size_y is 4.94066e-324"),
        (make_detection((NAN, 60.0), PERSON), "bbox.center.position.x is nan"),
        (make_detection(CENTER, PERSON, theta=math.inf), "bbox.center.theta is inf"),
        (make_detection(CENTER, ("person", NAN)), "hypothesis.score is nan"),
        (make_detection(CENTER, ("person", 5.3e-315)), r"hypothesis.score is 5.3e-315, expected a finite number"),
        (make_detection(CENTER, PERSON, size=(-20.0, 20.0)), "size -20 x 20 pixels is too small"),
        (make_detection((300.0, 60.0), PERSON), "outside the 160 x 120 image"),
        (make_detection((0.0, 0.0), PERSON), "was not filled in"),
        (make_detection((0.5, 0.5), PERSON, size=(0.1, 0.1)), "looks like fractions of the image, expected pixels"),
        (with_header(make_detection(CENTER, PERSON), stamp=Time(sec=77, nanosec=5)), "stamp 77.000000005 is kept"),
        (with_header(make_detection(CENTER, PERSON), stamp=Time(nanosec=10**9)), "nanosec is 1000000000"),
        (with_header(make_detection(CENTER, PERSON), frame_id="other"), f"'other', expected '{FRAME_ID}'"),
    ],
)
def test_a_detection_that_cannot_be_used_is_refused_counted_and_harms_nothing(detecting, detection, words):
    operator = detecting.operator
    operator.frame(scene(CENTER))
    detecting.detect(detection)
    status = detecting.wait_for(detections_refused="1", detections_used="0")
    assert words in {value.key: value.value for value in status.values}["last_detection_error"]
    warned = operator.diagnosis("tracker", lambda status: "1 detections refused, the last: " in status.message)
    assert warned.level == DiagnosticStatus.WARN and words in warned.message
    (line,) = operator.wait(lambda: operator.logged("detection refused: "), "the warning")
    assert words in line
    detecting.detect(make_detection(CENTER, PERSON))
    detecting.wait_for(detections_used="1", state="TRACKING", target_id="target_1")
    _, (published,) = operator.frame(scene((90, 60)))
    assert center_of(published) == (90, 60)


def test_before_any_image_a_detection_is_refused(detecting):
    detecting.detect(make_detection(CENTER, PERSON))
    detecting.operator.diagnosis("tracker", lambda status: "no image on /image is kept" in status.message)
    detecting.wait_for(detections_refused="1", detections_used="0")


def test_a_late_detection_starts_in_its_image_and_catches_up(detecting):
    operator = detecting.operator
    headers = [operator.frame(scene((20 + 4 * i, 60)))[0].header for i in range(8)]
    best, seen = make_detection((28.0, 60.0), PERSON), detecting.tracker.seen
    detecting.detect(make_detection(CENTER, ("person", 0.7)), best, make_detection(CENTER, PERSON), header=headers[2])
    detecting.wait_for(state="TRACKING", detections_used="1")
    caught_up = detecting.tracker.seen - seen
    assert 1 <= caught_up <= 5
    status, (published,) = operator.frame(scene((52, 60)))
    assert (status.target_id, status.age, center_of(published)) == ("target_1", caught_up + 1, (52, 60))
    assert published.results[0].hypothesis.class_id == "person"
    (held,) = operator.wait(lambda: operator.logged("is held"), "the log")
    assert held == "target 'target_1' is held, from a detection of class 'person' with score 0.90"


def test_a_detection_of_the_image_that_is_about_to_come_waits_for_it(detecting, monkeypatch):
    monkeypatch.setattr("siam_tracker_ros.node.pipeline._NEXT_FRAME_S", DEADLINE)
    operator, worker = detecting.operator, detecting.node._worker
    for _ in range(3):
        operator.frame(scene(ELSEWHERE))
    waits, wait_for_next = threading.Event(), worker.wait_for_next
    monkeypatch.setattr(worker, "wait_for_next", lambda *a: waits.set() or wait_for_next(*a))
    header = operator.header()
    detecting.detect(make_detection(CENTER, PERSON), header=header)
    assert waits.wait(DEADLINE)
    status, _ = operator.frame(msg=fill_image(Image(), scene(CENTER), "bgr8", header))
    assert (status.state, status.age) == (TrackerStatus.TRACKING, 1)


def test_a_rotated_detection_gives_the_upright_box_that_holds_it(detecting):
    operator = detecting.operator
    operator.frame(scene(CENTER))
    detecting.detect(make_detection(CENTER, PERSON, size=(40.0, 20.0), theta=math.pi / 6))
    detecting.wait_for(detections_used="1")
    _, (published,) = operator.frame(scene(CENTER))
    expected = 40 * math.cos(math.pi / 6) + 20 * 0.5, 40 * 0.5 + 20 * math.cos(math.pi / 6)
    assert (published.bbox.size_x, published.bbox.size_y) == pytest.approx(expected)
    assert published.bbox.center.theta == 0


@pytest.mark.parametrize("size", [(20.0, 20.0), (NAN, 20.0)])
def test_while_a_target_is_held_detections_are_ignored_without_a_word(detecting, size):
    operator = detecting.operator
    operator.frame(scene(CENTER))
    assert operator.init(CENTER).success
    states = []
    for number, image_bgr in enumerate([scene(CENTER)] * 2 + [scene(None)] * 2, start=1):
        status, _ = operator.frame(image_bgr)
        states.append(status.state)
        detecting.detect(make_detection(ELSEWHERE, PERSON, size=size, id="other"))
        detecting.wait_for(detections=str(number))
    assert set(states) == {TrackerStatus.TRACKING, TrackerStatus.UNCERTAIN}
    status, _ = operator.frame(scene(CENTER))
    assert (status.target_id, status.age) == ("target_1", 5)
    detecting.wait_for(detections_used="0", detections_refused="0")
    assert operator.logged("detection refused") == []


@pytest.mark.parametrize("detection_id, target_id", [("", "target_1"), ("target_1", "target_1"), ("rover", "rover")])
def test_a_lost_target_is_found_again_and_keeps_its_name_unless_given_another(detecting, detection_id, target_id):
    operator = detecting.operator
    operator.frame(scene(CENTER))
    assert operator.init(CENTER).success
    detecting.lose()
    status, _ = operator.frame(scene(ELSEWHERE))
    assert status.state == TrackerStatus.LOST
    detecting.detect(make_detection(ELSEWHERE, PERSON, size=(NAN, 20.0)), header=status.header)
    detecting.wait_for(detections_refused="1", state="LOST", target_id="target_1")
    detecting.detect(make_detection(ELSEWHERE, PERSON, id=detection_id), header=status.header)
    detecting.wait_for(detections_used="1", state="TRACKING", target_id=target_id)
    status, (published,) = operator.frame(scene((34, 30)))
    assert (status.state, status.age, status.target_id) == (TrackerStatus.TRACKING, 1, target_id)
    assert (published.id, center_of(published)) == (target_id, (34, 30))
    (line,) = operator.wait(lambda: operator.logged("LOST -> "), "the log")
    assert line.startswith(f"{target_id}: LOST -> TRACKING")


def test_always_replaces_a_target_and_off_takes_none(graph):
    detecting = Detecting(graph, detection_init="never", detection_class="", detection_min_score=0.0)
    operator = detecting.operator
    operator.frame(scene(CENTER))
    detecting.detect(make_detection(CENTER, PERSON))
    detecting.wait_for(detections="1")
    assert operator.frame(scene(CENTER))[0].state == TrackerStatus.IDLE
    assert operator.set_parameters(detection_init="always").successful
    assert operator.init(CENTER).target_id == "target_1"
    detecting.detect(make_detection(CENTER))
    detecting.wait_for(detections_used="1", target_id="target_2")
    detecting.detect(make_detection(CENTER, PERSON, id="rover"))
    detecting.wait_for(detections_used="2", target_id="rover")
    assert operator.init(CENTER).target_id == "target_3", "no name is given twice"
    assert "nowhen" in operator.set_parameters(detection_init="nowhen").reason
    assert operator.set_parameters(detection_init="when_lost", detection_class="cup").successful
    assert operator.reset().success
    for class_id in ("person", "cup"):
        detecting.detect(make_detection(CENTER, (class_id, 0.1)))
    detecting.wait_for(detections="5", detections_used="3", target_id="target_4")
    _, (published,) = operator.frame(scene(CENTER))
    assert published.results[0].hypothesis.class_id == "cup"


def test_of_a_flood_the_newest_is_taken(detecting):
    operator, worker = detecting.operator, detecting.node._worker
    operator.frame(scene(CENTER))
    gate = threading.Event()
    busy = worker.submit(gate.wait, DEADLINE)
    for number in range(1, 31):
        detecting.detect(make_detection(CENTER, PERSON, id=f"number {number}"))
        if number % 10 == 0:  # as many as the subscription holds
            detecting.wait_for(detections=str(number))
    header = operator.send(scene(CENTER))
    operator.wait(lambda: worker.waiting_frame() is not None, "the executor, which is not held up")
    assert worker.waiting_frame().msg.header == header
    assert worker._starts[Detection2D].id == "number 30" and not worker._jobs
    gate.set()
    assert busy.result(DEADLINE)
    detecting.wait_for(detections_used="1", detections_refused="0", target_id="number 30")


def test_while_paused_detections_are_ignored(detecting):
    operator = detecting.operator
    operator.frame(scene(CENTER))
    assert operator.enable(False).success
    detecting.detect(make_detection(CENTER, PERSON))
    detecting.wait_for(detections="1")
    assert operator.frame(scene(CENTER))[0].state == TrackerStatus.IDLE
    assert operator.enable(True).success
    detecting.detect(make_detection(CENTER, PERSON))
    detecting.wait_for(detections="2", detections_used="1")
    assert operator.frame(scene(CENTER))[0].age == 1


def test_a_fault_of_the_model_is_a_refusal(detecting, monkeypatch):
    def fail(*_):
        raise RuntimeError("CUDA error: out of memory")

    operator = detecting.operator
    operator.frame(scene(CENTER))
    with monkeypatch.context() as patch:
        patch.setattr(detecting.tracker, "start", fail)
        detecting.detect(make_detection(CENTER, PERSON))
        operator.diagnosis("tracker", lambda status: "RuntimeError: CUDA error: out of memory" in status.message)
        detecting.wait_for(detections_refused="1", state="IDLE")
    detecting.detect(make_detection(CENTER, PERSON))
    detecting.wait_for(detections_used="1", state="TRACKING")


def test_an_inactive_node_hears_no_detections(detecting):
    operator = detecting.operator
    assert operator.change_state("deactivate")
    detecting.wait_for_subscriptions(0)
    assert operator.change_state("activate")
    operator.wait_for_camera_link()
    detecting.wait_for_subscriptions()
    status, _ = operator.frame(scene(CENTER))
    detecting.detect(make_detection(CENTER, PERSON), header=status.header)
    detecting.wait_for(detections_used="1")


def test_a_detector_of_best_effort_is_heard_on_a_topic_of_its_own(graph):
    detecting = Detecting(graph, many="/detector/detections", qos=qos_profile_sensor_data)
    operator = detecting.operator
    status, _ = operator.frame(scene(CENTER))

    def heard():  # best effort may lose a message
        detecting.detect(make_detection(CENTER, PERSON), header=status.header)
        return operator.logged("is held")

    operator.wait(heard, "the target")


def test_a_qos_that_cannot_be_used_refuses_to_activate(graph):
    operator = Operator(graph)
    override = "qos_overrides./tracker/init_detections.subscription.reliability"
    overrides = parameter_overrides(**{override: "sometimes", "diagnostics_period": 0.1})
    arguments = {"context": graph.context, "use_global_arguments": False}
    graph.add(TrackerNode(SquareTracker, parameter_overrides=overrides, **arguments))
    diagnosis = operator.diagnosis("tracker", lambda status: status.level == DiagnosticStatus.ERROR)
    assert diagnosis.message.startswith("cannot subscribe to one of ~/init_detection, ~/init_detections, ")
    assert operator.state() == "inactive" and not operator.logged("is ignored")
    topics = ("image", "tracker/init_detection", "tracker/init_detections")
    operator.wait(lambda: not any(operator.count_subscribers(topic) for topic in topics), "the node to unsubscribe")
