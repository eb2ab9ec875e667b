# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Faults from the network to the clock: each is told with what to do, the node lives, and it recovers."""

import math
import threading

import cv2
import numpy as np
import pytest
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus
from node_doubles import SquareTracker, TurnedSquareTracker, scene
from ros_testing import (
    DEADLINE,
    FRAME_ID,
    Operator,
    graph_fixture,  # noqa: F401
    parameter_overrides,
)
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image
from siam_tracker_ros.msg import Target, TrackerStatus
from std_msgs.msg import Header
from std_srvs.srv import Trigger

from siam_tracker_ros.core.tracker import TrackResult
from siam_tracker_ros.errors import NetworkOutputError
from siam_tracker_ros.image_conversion import fill_image
from siam_tracker_ros.node import worker as worker_module
from siam_tracker_ros.node.tracker_node import TrackerNode

CENTER = (80.0, 60.0)
HEARTBEAT_S = 0.2
ERROR, WARN, OK = DiagnosticStatus.ERROR, DiagnosticStatus.WARN, DiagnosticStatus.OK


class FaultyTracker(TurnedSquareTracker):
    """A TurnedSquareTracker that can fail wherever a network is called, or not return.

    Attributes:
        start_failure: raised by the next `start` when set.
        hang: cleared, `start` and `step` do not return until it is set.
        mask_failure: raised when a mask is read, while it is set.
    """

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.start_failure = self.mask_failure = None
        self.hang = threading.Event()
        self.hang.set()

    def start(self, image_bgr, box_xywh):
        self.wait()
        if self.start_failure is not None:
            failure, self.start_failure = self.start_failure, None
            raise failure
        return super().start(image_bgr, box_xywh)

    def step(self, image_bgr, target, learn=True):
        self.wait()
        target, result = super().step(image_bgr, target, learn)
        if self.mask_failure is not None:
            result = TrackResult(result.box_xywh, result.score, outline=UndrawnOutline(self.mask_failure))
        return target, result

    def wait(self):
        self.entered.set()
        while not self.hang.wait(DEADLINE):
            pass


class UndrawnOutline:
    """An outline whose network fails when it is drawn."""

    has_mask = True

    def __init__(self, failure):
        self._failure = failure

    @property
    def mask(self):
        raise self._failure

    polygon = mask


class PunctualOperator(Operator):
    """An operator whose camera stamps its images with the time, as the diagnostics expect it."""

    def header(self, frame_id=FRAME_ID):
        return Header(stamp=self.get_clock().now().to_msg(), frame_id=frame_id)

    def received(self, name):
        """Return the messages collected so far, without heartbeats, which are under `beats`."""
        if name == "beats":
            return [msg for msg in super().received("status") if msg.is_heartbeat]
        return [msg for msg in super().received(name) if not getattr(msg, "is_heartbeat", False)]


class Bench:
    """A node with a FaultyTracker, its operator, and what both have said."""

    def __init__(self, graph, **parameters):
        self.trackers = []
        self.operator = PunctualOperator(graph)
        defaults = {"diagnostics_period": 0.1, "lost_frames": 3}
        self.node = graph.add(
            TrackerNode(
                self._make_tracker,
                context=graph.context,
                use_global_arguments=False,
                parameter_overrides=parameter_overrides(**defaults | parameters),
            )
        )
        self.operator.wait_for_camera_link()

    @property
    def tracker(self):
        return self.trackers[-1]

    def _make_tracker(self, model, **arguments):
        self.trackers.append(FaultyTracker(model, **arguments))
        return self.tracker

    def follow(self):
        """Start on the square and see it tracked in one frame."""
        self.operator.frame(scene(CENTER))
        response = self.operator.init(CENTER)
        assert response.success, response.message
        status, (detection,) = self.operator.frame(scene(CENTER))
        assert status.state == TrackerStatus.TRACKING
        return detection

    def told(self, task, level, *words):
        """Wait for a diagnosis of a level with all of the words; return it."""
        return self.operator.diagnosis(
            task, lambda status: status.level == level and all(word in status.message for word in words)
        )

    def newest(self, task):
        """Return the diagnosis that was received last."""
        (status,) = (
            status for status in self.operator.received("diagnostics")[-1].status if status.name == f"tracker: {task}"
        )
        return status

    def recovers(self):
        """Wait until the newest diagnosis of each task is OK; the square is tracked."""
        status, detections = self.operator.frame(scene(CENTER))
        assert len(detections) == 1

        def is_well():
            self.operator.send(scene(CENTER))
            return all(self.newest(task).level == OK for task in ("input", "tracker"))

        self.operator.wait(is_well, "diagnostics without a fault")
        self.operator.frame(scene(CENTER))  # behind those that were sent


@pytest.fixture
def bench(graph):
    bench = Bench(graph)
    yield bench
    for tracker in bench.trackers:
        tracker.hang.set()


def values(status):
    return {value.key: value.value for value in status.values}


NO_MEMORY = "no memory is left: end other programs, or lower frame_buffer_mb, max_targets or the images' size"
FAILURES = [  # as the libraries raise them
    (MemoryError(), ["MemoryError; ", NO_MEMORY]),
    (np._core._exceptions._ArrayMemoryError((10**9,), np.dtype(float)), ["Unable to allocate 7.45 GiB", NO_MEMORY]),
    (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB\nand so on"), ["2.00 GiB and so on; ", NO_MEMORY]),
    (RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"), [NO_MEMORY]),
    (RuntimeError("[ONNXRuntimeError] : 1 : FAIL : Failed to allocate memory for requested buffer"), [NO_MEMORY]),
    (RuntimeError("Exception from src/core/src/runtime/allocator.cpp:79:\nstd::bad_alloc\n\n"), [NO_MEMORY]),
    (RuntimeError("CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), [NO_MEMORY]),
    (cv2.error("OpenCV(5.0.0) alloc.cpp:73: error: (-4:Insufficient memory) Failed to allocate"), [NO_MEMORY]),
    (NetworkOutputError("2 of 8 values of the network's box are NaN"), ["2 of 8 values of the network's box are NaN"]),
    (ZeroDivisionError("division by zero"), ["ZeroDivisionError: division by zero"]),
]


def test_a_network_that_fails_is_told_in_every_place_that_calls_it(bench):
    detection = bench.follow()
    operator = bench.operator
    for failure, words in FAILURES:
        bench.tracker.failure = failure
        status, detections = operator.frame(scene(CENTER))
        assert (status.confidence, detections) == (0, []) and math.isnan(status.peak_ratio)
        bench.told("tracker", ERROR, "the tracker failed: ", *words)
        bench.tracker.start_failure = failure
        response = operator.init(CENTER)
        assert not response.success and all(word in response.message for word in words)
        status, (seen,) = operator.frame(scene(CENTER))
        assert seen.id == detection.id, "the target is kept"
        bench.recovers()


def test_an_image_for_which_there_is_no_memory_is_told_and_the_next_one_is_used(bench, monkeypatch):
    bench.follow()
    with monkeypatch.context() as patch:
        patch.setattr("siam_tracker_ros.node.pipeline.image_to_bgr", lambda *_: np.zeros(10**16))
        status, detections = bench.operator.frame(scene(CENTER))
        assert (status.image_width, status.confidence, detections) == (0, 0, [])
        bench.told("input", ERROR, "Unable to allocate", NO_MEMORY)
    bench.recovers()


@pytest.mark.parametrize(
    "topic, kind",
    [
        (None, None),
        ("mask", Image),
        ("mask/compressed", CompressedImage),
        ("debug_image", Image),
        ("debug_image/compressed", CompressedImage),
    ],
    ids=["rotated box", "mask", "compressed mask", "debug image", "compressed debug image"],
)
@pytest.mark.parametrize("failure, words", [FAILURES[2], FAILURES[8]])
def test_an_outline_that_cannot_be_drawn_is_told_and_box_and_status_go_on(bench, failure, words, topic, kind):
    operator = bench.operator
    if topic is None:
        assert operator.set_parameters(rotated_box=True).successful
    else:
        operator.listen("drawn", kind, f"tracker/{topic}")
        operator.wait(lambda: operator.count_subscribers(f"tracker/{topic}"), "the subscription")
    bench.follow()
    bench.tracker.mask_failure = failure
    status, (detection,) = operator.frame(scene(CENTER))
    assert status.state == TrackerStatus.TRACKING and detection.bbox.center.theta == 0
    bench.told("tracker", ERROR, "the tracker failed: ", *words)
    bench.tracker.mask_failure = None
    bench.recovers()
    assert topic is None or operator.received("drawn")
    assert "mask" not in (topic or "") or status.header not in [msg.header for msg in operator.received("drawn")]


def test_a_message_that_cannot_be_made_is_told_until_one_can(bench, monkeypatch):
    bench.follow()
    with monkeypatch.context() as patch:
        patch.setattr("siam_tracker_ros.node.pipeline.make_detections", lambda *_: 1 / 0)
        bench.operator.send(scene(CENTER))
        bench.told("tracker", ERROR, "could not publish a frame: ZeroDivisionError: division by zero")
    bench.recovers()


@pytest.fixture
def hanging(graph):
    """A bench with a short limit, which follows a target."""
    bench = Bench(graph, hang_timeout_s=0.5, heartbeat_period=HEARTBEAT_S)
    bench.follow()
    bench.tracker.hang.clear()
    bench.tracker.entered.clear()
    yield bench
    for tracker in bench.trackers:
        tracker.hang.set()


def wait_for_hang(bench):
    bench.operator.send(scene(CENTER))
    return bench.told("tracker", ERROR, "the network has not returned for", "an answer within 0.5 s", "clean up")


def test_a_network_that_hangs_is_told_by_diagnostics_status_and_services(hanging):
    operator = hanging.operator
    waiting = []
    operator.send(scene(CENTER))
    operator.wait(hanging.tracker.entered.is_set, "the worker to be busy")
    waiting.append(operator.call_async_init(CENTER))
    client = operator.create_client(Trigger, "tracker/reset")
    operator.wait(client.service_is_ready, "~/reset")
    waiting.append(client.call_async(Trigger.Request()))
    wait_for_hang(hanging)
    for future in waiting:
        operator.wait(future.done, "an answer")
        assert not future.result().success and "the network has not returned" in future.result().message
    assert "the network has not returned" in operator.init(CENTER).message
    assert "the network has not returned" in operator.reset().message

    def lost():
        told = operator.received("beats")[-1:]
        return [(beat.state, beat.confidence, beat.target_id) for beat in told] == [(TrackerStatus.LOST, 0, "target_1")]

    operator.wait(lost, "a heartbeat that says LOST")
    assert operator.enable(False).success and operator.set_parameters(lost_frames=20).successful
    said = [line for line in operator.logged("the network has not returned for") if line.startswith("the network")]
    assert len(said) == 1
    hanging.tracker.hang.set()
    operator.wait(lambda: operator.logged("the network has returned after all"), "the end of it")
    assert values(hanging.newest("tracker"))["left_threads"] == "0"
    status, _ = operator.frame(scene(CENTER))
    assert (status.target_id, status.image_width) == ("target_1", 0), "the target is kept, and the pause is known"
    assert operator.enable(True).success
    assert [operator.frame(scene(None))[0].state for _ in range(6)][-1] == TrackerStatus.UNCERTAIN
    assert operator.reset().success
    hanging.follow()
    hanging.recovers()


def test_a_node_that_hangs_is_deactivated_cleaned_up_and_configured_anew(hanging):
    operator, old = hanging.operator, hanging.tracker
    wait_for_hang(hanging)
    assert operator.change_state("deactivate") and operator.state() == "inactive"
    assert not operator.change_state("activate"), "the network still hangs"
    assert operator.change_state("cleanup") and operator.state() == "unconfigured"
    operator.wait(lambda: operator.logged("a thread is left behind"), "the count")
    assert operator.change_state("configure") and operator.change_state("activate")
    operator.wait_for_camera_link()
    assert hanging.tracker is not old
    hanging.follow()
    operator.wait(lambda: values(hanging.newest("tracker"))["left_threads"] == "1", "the thread in diagnostics")
    published = len(operator.received("status"))
    old.hang.set()
    operator.wait(lambda: values(hanging.newest("tracker"))["left_threads"] == "0", "the end of the thread")
    hanging.recovers()
    told = {msg.state for msg in operator.received("status")[published:]}
    assert told == {TrackerStatus.TRACKING}, "what was left behind publishes nothing"


@pytest.mark.parametrize("label", ["deactivate", "shutdown"])
def test_a_transition_returns_while_the_network_is_just_beginning_to_hang(hanging, label):
    operator = hanging.operator
    operator.send(scene(CENTER))
    operator.wait(hanging.tracker.entered.is_set, "the worker to be busy")
    assert operator.change_state(label)


def test_a_model_whose_loading_hangs_is_given_up(graph):
    gate = threading.Event()
    operator = Operator(graph)
    node = TrackerNode(
        lambda *_, **__: gate.wait(DEADLINE) and SquareTracker(),
        context=graph.context,
        use_global_arguments=False,
        parameter_overrides=parameter_overrides(load_timeout_s=0.3, diagnostics_period=0.1),
    )
    graph.add(node)
    told = operator.diagnosis("tracker", lambda status: status.level == ERROR)
    assert told.message.startswith("cannot configure: the model is not loaded after 0.3 s; raise load_timeout_s")
    assert values(told)["left_threads"] == "1" and operator.state() == "unconfigured"
    gate.set()
    assert operator.change_state("configure") and operator.change_state("activate")
    operator.diagnosis("tracker", lambda status: status.level == OK and values(status)["left_threads"] == "0")


def test_heartbeats_go_on_while_images_come_and_the_network_is_busy(hanging, monkeypatch):
    monkeypatch.setattr(worker_module, "LOOK_S", 10 * DEADLINE)  # nothing is said to hang
    operator = hanging.operator
    operator.send(scene(CENTER))
    operator.wait(hanging.tracker.entered.is_set, "the worker to be busy")

    def beats():
        operator.send(scene(CENTER))
        return [msg for msg in operator.received("beats") if msg.target_id][2:]

    (beat, *_) = operator.wait(beats, "heartbeats beside images")
    assert beat.state in (TrackerStatus.UNCERTAIN, TrackerStatus.LOST) and beat.confidence == 0


def frame_at(operator, stamp, center=CENTER):
    header = Header(stamp=stamp, frame_id=FRAME_ID)
    return operator.frame(msg=fill_image(Image(), scene(center), "bgr8", header))


JUMPS_S = (100, 101, 50, 51, 4000, 4001, 2**31 - 1, 0, 102)


def test_stamps_that_jump_back_and_forward_leave_the_target_and_finite_numbers(bench):
    operator = bench.operator
    operator.listen("target", Target, "tracker/target")
    operator.wait(lambda: operator.count_subscribers("tracker/target"), "the subscription")
    bench.follow()
    for number, second in enumerate(JUMPS_S):
        stamp = Time(sec=second, nanosec=number)
        status, (detection,) = frame_at(operator, stamp, (80 + number, 60))
        assert (status.state, detection.bbox.center.position.x) == (TrackerStatus.TRACKING, 80 + number)
        target = operator.message("target", status.header)
        assert np.isfinite([*target.image_velocity_covariance, target.image_velocity.x, target.image_velocity.y]).all()
    told = bench.told("input", WARN, "behind this node's clock at arrival; check the clocks and use_sim_time")
    assert told.level == WARN and len(operator.logged("jump back")) == 1
    bench.recovers()


def test_simulated_time_that_stands_still_and_jumps_stops_nothing(graph):
    bench = Bench(graph, use_sim_time=True, heartbeat_period=HEARTBEAT_S)
    operator = bench.operator
    clock = operator.create_publisher(Clock, "/clock", 1)
    operator.wait(clock.get_subscription_count, "the node to listen to the clock")

    def beat(since):
        return operator.wait(lambda: operator.received("beats")[since:], "a heartbeat")

    beat(0)  # before any time
    bench.follow()
    for second in (100, 5, 0, 10**9, 101):
        at = Time(sec=second, nanosec=500_000_000)
        nanoseconds = second * 10**9 + 500_000_000

        def heard(at=at, nanoseconds=nanoseconds):
            clock.publish(Clock(clock=at))
            return bench.node.get_clock().now().nanoseconds == nanoseconds

        operator.wait(heard, "the node's clock")
        count = len(operator.received("beats")), len(operator.received("diagnostics"))
        status, (detection,) = frame_at(operator, Time(sec=second + 1, nanosec=second % 7))
        assert status.latency.sec == -1 and status.state == TrackerStatus.TRACKING
        beat(count[0])
        operator.wait(lambda count=count: len(operator.received("diagnostics")) > count[1], "diagnostics")


def test_good_data_over_the_same_paths_brings_no_warning(graph):
    bench = Bench(graph, heartbeat_period=HEARTBEAT_S, max_targets=2, rotated_box=True)
    operator = bench.operator
    for name, kind in (("mask", Image), ("debug_image", Image)):
        operator.listen(name, kind, f"tracker/{name}")
    operator.wait(lambda: operator.count_subscribers("tracker/mask"), "the subscriptions")

    operator.frame(scene(CENTER))
    assert operator.init(CENTER).success
    for x in range(80, 100):
        status, (detection,) = operator.frame(scene((x, 60)))
        assert status.state == TrackerStatus.TRACKING
    assert operator.init((100.0, 60.0), target_id="target_1").success
    assert operator.enable(False).success and operator.enable(True).success
    operator.frame(scene(CENTER))
    assert operator.reset().success
    for label in ("deactivate", "cleanup", "configure", "activate"):
        assert operator.change_state(label)
    operator.wait(lambda: operator.logged("waiting for images on")[1:], "the last line")
    assert not [log.msg for log in operator.received("log") if log.name == "tracker" and log.level >= 30]
    levels = {(status.level, status.message) for array in operator.received("diagnostics") for status in array.status}
    assert {level for level, _ in levels} == {OK}, levels
