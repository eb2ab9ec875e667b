# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import math
import signal
import sys
from pathlib import Path

import pytest
import torch
from diagnostic_msgs.msg import DiagnosticStatus
from drawn_tracks import drawn_track
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from node_doubles import SquareTracker, scene
from rcl_interfaces.srv import DescribeParameters
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from ros_testing import (
    DEADLINE,
    Operator,
    graph_fixture,  # noqa: F401
    parameter_overrides,
    started_together,
)
from siam_tracker_ros.msg import TrackerStatus

from siam_tracker_ros import create_tracker
from siam_tracker_ros.core.exporting import export_model
from siam_tracker_ros.core.monitor import MonitorSettings
from siam_tracker_ros.core.registry import find_model
from siam_tracker_ros.evaluation.precisions import record_inputs
from siam_tracker_ros.node.parameters import parameter_names
from siam_tracker_ros.node.tracker_node import TrackerNode
from siam_tracker_ros.weights.checkpoint import save_weights

pytestmark = pytest.mark.slow

CENTER = (80.0, 60.0)


def start(graph, tracker_factory=SquareTracker, **parameters):
    """Start a node; return it and its operator."""
    operator = Operator(graph)
    overrides = parameter_overrides(**{"diagnostics_period": 0.1, **parameters})
    node = TrackerNode(
        tracker_factory, context=graph.context, use_global_arguments=False, parameter_overrides=overrides
    )
    return graph.add(node), operator


def targets_of(node):
    """The targets of a configured node; only the thread that owns them can reach them."""
    return node._worker.call(lambda pipeline: pipeline.targets).result(DEADLINE)


def track_one(operator, **init):
    operator.wait_for_camera_link()
    operator.frame(scene(CENTER))
    response = operator.init(CENTER, **init)
    assert response.success, response.message
    status, detections = operator.frame(scene(CENTER))
    assert len(detections) == 1
    return status


def test_the_whole_life_by_a_manager(graph):
    trackers = []

    def factory(*args, **kwargs):
        trackers.append(SquareTracker(*args, **kwargs))
        return trackers[-1]

    node, operator = start(graph, factory, autostart=False)
    assert operator.state() == "unconfigured" and trackers == []
    response = operator.init(CENTER)
    assert not response.success
    assert "the node is unconfigured, expected active; run `ros2 lifecycle set /tracker configure`" in response.message
    assert operator.reset().success
    response = operator.enable(False)
    assert not response.success and "the node is unconfigured, expected inactive or active; run" in response.message

    assert operator.change_state("configure") and operator.state() == "inactive"
    assert len(trackers) == 1 and trackers[0].seen > 0, "configuring must load the model and warm it up"
    assert "the node is inactive, expected active" in operator.init(CENTER).message
    assert operator.count_subscribers("image") == 0

    assert operator.change_state("activate")
    track_one(operator)
    assert operator.change_state("deactivate") and operator.state() == "inactive"
    operator.wait(lambda: operator.count_subscribers("image") == 0, "the node to unsubscribe")
    assert "the node is inactive" in operator.init(CENTER).message

    assert operator.change_state("activate")
    operator.wait_for_camera_link()
    status, (detection,) = operator.frame(scene((90, 60)))
    assert (status.target_id, status.age, detection.id) == ("target_1", 2, "target_1"), "the target must be kept"

    assert operator.change_state("deactivate") and operator.change_state("cleanup")
    assert operator.state() == "unconfigured"
    assert operator.change_state("configure") and operator.change_state("activate")
    operator.wait_for_camera_link()
    status, detections = operator.frame(scene(CENTER))
    assert status.state == TrackerStatus.IDLE and len(trackers) == 2, "cleanup must drop target and tracker"

    assert operator.change_state("shutdown") and operator.state() == "finalized"
    for response, expected in ((operator.init(CENTER), "active"), (operator.enable(True), "inactive or active")):
        advice = "a finalized node cannot be activated again, start a new one"
        assert (response.success, response.message) == (False, f"the node is finalized, expected {expected}; {advice}")


WAY_TO = {"unconfigured": [], "inactive": [1], "active": [1, 3], "finalized": [5]}
FITTING = {
    "unconfigured": {1: "configure", 5: "shutdown"},
    "inactive": {2: "cleanup", 3: "activate", 6: "shutdown"},
    "active": {4: "deactivate", 7: "shutdown"},
    "finalized": {},
}
IDS = {getattr(Transition, name) for name in dir(Transition) if name.startswith("TRANSITION_")} | {9, 200, 255}
LABELS = {label for transitions in FITTING.values() for label in transitions.values()}
LABELS |= {"create", "destroy", "transition_success", "transition_error", "Configure", "1"}


def change_states(operator, transitions):
    """Whether each of the transitions succeeded, in turn."""
    client = operator.create_client(ChangeState, "tracker/change_state")
    operator.wait(client.service_is_ready, "the service change_state")
    answers = []
    for first in range(0, len(transitions), 8):  # a service holds ten requests
        requests = [ChangeState.Request(transition=transition) for transition in transitions[first : first + 8]]
        futures = [client.call_async(request) for request in requests]
        operator.wait(lambda sent=futures: all(future.done() for future in sent), "the responses")
        answers += [future.result().success for future in futures]
    return answers


@pytest.mark.parametrize("state", FITTING)
def test_every_transition_that_does_not_fit_is_refused_and_the_node_lives(graph, state):
    _, operator = start(graph, autostart=False)
    assert all(change_states(operator, [Transition(id=number) for number in WAY_TO[state]]))
    unfit = [Transition(id=number) for number in sorted(IDS - set(FITTING[state]))]
    unfit += [Transition(label=label) for label in sorted(LABELS - set(FITTING[state].values()))]
    unfit += [Transition(id=number, label="no such label") for number in FITTING[state]]
    assert not any(change_states(operator, unfit))
    assert operator.state() == state
    expected = ", ".join(f"{label} ({number})" for number, label in FITTING[state].items()) or "none; start a new node"
    assert len(operator.logged(f"is refused: the node is {state}, expected {expected}")) == len(unfit)
    still_taken = [Transition(id=number) for number in list(FITTING[state])[:1]]
    assert all(change_states(operator, still_taken))


def test_a_manager_of_nav2_pauses_resets_and_ends_a_node_that_started_itself(graph):
    _, operator = start(graph)
    track_one(operator)
    assert change_states(operator, [Transition(id=1)]) == [False], "it configures first whatever the state is"
    assert operator.state() == "active" and operator.frame(scene(CENTER))[1]
    pause, resume, reset, startup, shutdown = [4], [3], [4, 2], [1, 3], [4, 2, 5]
    steps = [Transition(id=number) for number in pause + resume + reset + startup + shutdown]
    assert all(change_states(operator, steps))
    assert operator.state() == "finalized"


def test_a_manager_that_is_faster_than_autostart_has_configured_the_node(graph):
    operator = Operator(graph)
    node = TrackerNode(SquareTracker, context=graph.context, use_global_arguments=False)
    node.trigger_configure()
    graph.add(node)
    operator.wait(lambda: node._autostart_timer.is_canceled(), "autostart")
    assert operator.state() == "inactive"


def test_the_network_is_made_and_used_in_one_thread_that_is_not_the_executors(graph):
    node, operator = start(graph)
    track_one(operator)
    threads = targets_of(node).tracker.threads
    assert len(threads) == 1 and threads == {node._worker._thread.ident}


@pytest.mark.parametrize("label", ["deactivate", "shutdown"])
def test_an_init_that_waits_is_answered_when_the_node_stops(graph, label):
    node, operator = start(graph)
    track_one(operator)
    tracker = targets_of(node).tracker
    tracker.gate.clear()
    tracker.entered.clear()
    operator.send(scene(CENTER))
    operator.wait(tracker.entered.is_set, "the worker to be busy")
    waiting = [operator.call_async_init(CENTER) for _ in range(2)]
    operator.wait(lambda: node._worker._jobs, "a request to wait for the worker")
    tracker.gate.set()
    assert operator.change_state(label)
    for future in waiting:
        operator.wait(future.done, "an answer")
        assert future.result().success or future.result().message


@pytest.fixture
def broken_files(tmp_path, monkeypatch):
    (tmp_path / "corrupt.safetensors").write_bytes((20).to_bytes(8, "little") + b"{not a header at all")
    save_weights(torch.nn.Linear(3, 3), tmp_path / "foreign.safetensors")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "parameters, words",
    [
        (dict(model="siamfoo"), "model is 'siamfoo', expected one of lite"),
        (dict(device="tpu"), "'tpu'"),
        (dict(device="cuda:99"), "cuda:99"),
        (dict(precision="fp8"), "'fp8'"),
        (dict(precision="int8"), "'int8', which needs ONNX Runtime or OpenVINO, and as weights a folder that"),
        (dict(runtime="abacus"), "'abacus'"),
        (dict(preset="vot1066"), "vot1066"),
        (dict(image_transport="theora"), "image_transport is 'theora'"),
        (dict(settings=["penalty_k=7.0"]), "lite_online: penalty_k is 7, expected 0 to 1"),
        (dict(lost_confidence=0.9), "lost_confidence 0.9, uncertain_confidence 0.55"),
        (dict(weights="no_such_file.safetensors"), "no weights file no_such_file.safetensors"),
        (dict(weights="corrupt.safetensors"), "corrupt.safetensors is damaged"),
        (dict(weights="foreign.safetensors"), "2 unexpected"),
    ],
)
def test_what_cannot_be_used_refuses_to_configure_and_can_be_put_right(graph, broken_files, parameters, words):
    node, operator = start(graph, create_tracker, **parameters)
    diagnosis = operator.diagnosis("tracker", lambda status: status.level == DiagnosticStatus.ERROR)
    assert diagnosis.message.startswith("cannot configure: ") and words in diagnosis.message
    assert operator.state() == "unconfigured"
    response = operator.init(CENTER)
    assert not response.success and words in response.message
    right = {"model": "lite", "weights": "random", "device": "cpu", "precision": "auto", "runtime": "torch"}
    right |= {"preset": "", "image_transport": "raw", "settings": [""], "lost_confidence": 0.15}
    assert operator.set_parameters(**right).successful
    assert operator.change_state("configure") and operator.change_state("activate")
    operator.wait_for_camera_link()
    assert operator.frame(scene(CENTER))[0].state == TrackerStatus.IDLE
    operator.diagnosis("tracker", lambda status: status.level == DiagnosticStatus.OK)


def test_an_unexpected_fault_while_loading_refuses_to_configure_too(graph):
    def factory(*_, **__):
        raise RuntimeError("driver too old")

    _, operator = start(graph, factory)
    diagnosis = operator.diagnosis("tracker", lambda status: status.level == DiagnosticStatus.ERROR)
    assert diagnosis.message == "cannot configure: RuntimeError: driver too old"
    assert operator.state() == "unconfigured"


@pytest.mark.parametrize(
    "change, words",
    [
        (dict(model="siamfoo"), "model cannot change while the node is configured"),
        (dict(lost_confidence=0.6), "expected lost <= uncertain <= recover"),
        (dict(lost_confidence=0.1, device="cuda"), "device cannot change"),
        (dict(lost_confidence=math.nan), ""),
        (dict(lost_frames=0), ""),
        (dict(lost_frames="many"), ""),
        (dict(autostart=False), "read-only"),
    ],
)
def test_a_change_that_cannot_be_made_is_refused_as_a_whole(graph, change, words):
    node, operator = start(graph)
    track_one(operator)
    result = operator.set_parameters(**change)
    assert not result.successful and words in result.reason and result.reason
    assert node.get_parameter("lost_confidence").value == MonitorSettings.lost_confidence
    assert targets_of(node)._monitor_settings.lost_confidence == MonitorSettings.lost_confidence
    assert operator.frame(scene(CENTER))[1]


def test_a_live_change_takes_effect_on_the_next_frame(graph):
    node, operator = start(graph)
    track_one(operator)
    assert operator.set_parameters(lost_frames=1, uncertain_frames=1).successful
    assert operator.frame(scene(None))[0].state == TrackerStatus.LOST


def test_parameters_are_described(graph):
    node, operator = start(graph, autostart=False)
    request = DescribeParameters.Request(names=parameter_names())
    descriptors = operator.call(DescribeParameters, "describe_parameters", request).descriptors
    by_name = {d.name: d for d in descriptors}
    assert all(d.description for d in descriptors)
    assert by_name["lost_confidence"].floating_point_range[0].to_value == 1
    assert by_name["lost_frames"].integer_range[0].from_value == 1
    assert by_name["image_transport"].additional_constraints == "one of raw, compressed"
    assert [name for name, d in by_name.items() if d.read_only] == ["autostart", "diagnostics_period"]


@pytest.mark.parametrize(
    "parameters, error",
    [
        (dict(model=3), InvalidParameterTypeException),
        (dict(threads=-1), InvalidParameterValueException),
        (dict(lost_confidence=2.0), InvalidParameterValueException),
    ],
)
def test_a_value_of_the_wrong_type_or_range_at_the_start(graph, parameters, error):
    with pytest.raises(error, match=next(iter(parameters))):
        start(graph, **parameters)


def test_the_tracker_gets_the_parameters(graph):
    node, operator = start(graph, weights="w.pth", preset="p", settings=["lr=0.25"], threads=1)
    operator.wait_for_camera_link()
    assert targets_of(node).tracker.arguments == {
        "weights": "w.pth",
        "preset": "p",
        "device": "cpu",
        "precision": "auto",
        "runtime": "auto",
        "lr": 0.25,
    }
    assert node._worker.submit(torch.get_num_threads).result() == 1  # each thread has a number of its own


@pytest.fixture
def int8_folder(tmp_path):
    """Random weights of the default model as graphs, in int8 too."""
    pytest.importorskip("onnx")
    tracker = create_tracker(weights="random", device="cpu", runtime="onnx", precision="fp32")
    samples = {"search": record_inputs(tracker, [drawn_track(frames=3)])["search"]}
    export_model(find_model("lite_online"), "random", tmp_path, check=False, samples=samples)
    return str(tmp_path)


@pytest.mark.parametrize("precision", ["auto", "int8"])
def test_the_real_tracker_gives_the_same_in_the_node_as_outside_it(graph, request, precision):
    weights = request.getfixturevalue("int8_folder") if precision == "int8" else "random"
    bounds = dict(lost_confidence=0.0, uncertain_confidence=0.0, recover_confidence=0.0, min_visible=0.0)
    chosen = dict(weights=weights, precision=precision, runtime="onnx")
    node, operator = start(graph, create_tracker, search_share=0.0, **chosen, **bounds)
    operator.wait_for_camera_link()
    tracker = create_tracker("lite_online", device="cpu", **chosen)
    assert targets_of(node).tracker.precision == tracker.precision == precision.replace("auto", "fp32")
    generator = torch.Generator().manual_seed(1)
    images = [torch.randint(0, 255, (120, 160, 3), generator=generator, dtype=torch.uint8).numpy() for _ in range(4)]
    operator.frame(images[0])
    assert operator.init(CENTER, (30.0, 20.0)).success
    tracker.init(images[0], (65, 50, 30, 20))
    for image in images[1:]:
        status, (detection,) = operator.frame(image)
        result = tracker.track(image)
        center, size = detection.bbox.center.position, (detection.bbox.size_x, detection.bbox.size_y)
        assert size == pytest.approx(tuple(result.box_xywh[2:]))
        assert (center.x, center.y) == pytest.approx(tuple(result.box_xywh[:2] + result.box_xywh[2:] / 2))
        assert status.raw_score == pytest.approx(result.score, abs=1e-6)


NODE = [sys.executable, Path(__file__).resolve().parents[2] / "scripts" / "tracker_node", "--ros-args"]
SIGNALS = {"interrupt": [signal.SIGINT], "terminate": [signal.SIGTERM], "interrupt twice": [signal.SIGINT] * 2}
WITHOUT_OPENCV = "import runpy, sys; sys.modules['cv2'] = None; runpy.run_path(sys.argv[1], run_name='__main__')"
IMPORTING_FOR_EVER = """
import runpy, signal, sys

class Finder:
    def find_spec(name, path=None, target=None):
        while name == "cv2":
            print("importing", flush=True)
            signal.pause()

sys.meta_path.insert(0, Finder)
runpy.run_path(sys.argv[1], run_name="__main__")
"""


@pytest.fixture(scope="module")
def processes():
    quick = ["-p", "weights:=random", "-p", "device:=cpu", "-p", "diagnostics_period:=0.1"]
    quick += ["-p", "settings:=[]"]  # which ROS takes for no value
    commands = {name: [*NODE, *quick] for name in SIGNALS}
    wrong = {"wrong type": [*NODE, "-p", "threads:=many"], "no value": [*NODE, "-p", "threads:=[]"]}
    others = {"interrupt until it ends": [*NODE, *quick], "no OpenCV": [sys.executable, "-c", WITHOUT_OPENCV, NODE[1]]}
    for number in (signal.SIGINT, signal.SIGTERM):
        others[f"importing {number.name}"] = [sys.executable, "-c", IMPORTING_FOR_EVER, NODE[1]]
    with started_together({**commands, **wrong, **others}) as programs:
        yield programs


@pytest.mark.parametrize("name", SIGNALS)
def test_a_signal_ends_the_process_with_code_zero_and_no_traceback(processes, name):
    process = processes[name]
    for line in process.stdout:
        if "waiting for images" in line:
            break
    for number in SIGNALS[name]:
        process.send_signal(number)
    output, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0, output
    assert "Traceback" not in output and "Exception" not in output, output


@pytest.mark.parametrize("name", ["wrong type", "no value"])
def test_a_wrong_value_on_the_command_line_ends_the_process_with_a_sentence(processes, name):
    process = processes[name]
    output, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == 1
    assert "threads" in output and "check the parameter file or the command line" in output
    assert "Traceback" not in output


def test_without_opencv_the_process_ends_with_what_to_do(processes):
    process = processes["no OpenCV"]
    output, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == 1
    assert output.startswith("tracker_node: cv2 cannot be imported by ") and "pip install opencv" in output
    assert "Traceback" not in output


def test_signals_until_the_process_is_gone_end_it_with_code_zero(processes):
    process = processes["interrupt until it ends"]
    for line in process.stdout:
        if "waiting for images" in line:
            break
    while process.poll() is None:  # also while Python itself ends
        process.send_signal(signal.SIGINT)
    assert process.returncode == 0, process.stdout.read()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_during_the_imports_end_the_process_with_code_zero_and_without_a_word(processes, number):
    process = processes[f"importing {number.name}"]
    assert process.stdout.readline() == "importing\n"
    for _ in range(2):
        process.send_signal(number)
    output, _ = process.communicate(timeout=DEADLINE)
    assert (process.returncode, output) == (0, "")
