# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0

import ast
import importlib.util
import math
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from siam_tracker_ros.core.monitor import TargetState
from siam_tracker_ros.demo.clip import camera_clip, rendered_clip, video_clip
from siam_tracker_ros.demo.report import (
    LiveRun,
    Truth,
    annotate,
    figures,
    frame_ious,
    loss_starts,
    percentiles,
    write_plot,
)
from siam_tracker_ros.demo.scene import Scene
from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.frames import open_frames

ROOT = Path(__file__).resolve().parents[1]
NAN = math.nan
IDLE, TRACKING, UNCERTAIN, LOST = TargetState
SUMMARY = re.compile(
    r"demo summary: mean_iou=(?P<mean_iou>nan|\d\.\d{3}) frames=(?P<frames>\d+) dropped=(?P<dropped>\d+) "
    r"latency_p50_ms=(?P<p50>nan|\d+\.\d) latency_p95_ms=(?P<p95>nan|\d+\.\d) "
    r"inference_ms=(?P<inference>nan|\d+\.\d) fps=(?P<fps>nan|\d+\.\d)"
)
DEADLINE = 120.0  # seconds; only a failure takes so long


def live_run(states, boxes=None, start=0):
    """A run at 10 Hz: None in `states` is a dropped frame; latency is 10 + index ms, inference 4 ms."""
    count = len(states)
    processed = np.array([state is not None for state in states], dtype=bool)
    boxes_xywh = np.full((count, 4), NAN) if boxes is None else np.array(boxes, dtype=np.float64)
    held = processed & np.isfinite(boxes_xywh).all(axis=1)
    return LiveRun(
        stamps_ns=10**18 + np.arange(count, dtype=np.int64) * 10**8,
        start=start,
        processed=processed,
        states=np.array([IDLE if state is None else state for state in states], dtype=int),
        confidences=np.where(processed, 0.8, NAN),
        inference_ms=np.where(processed, 4.0, NAN),
        boxes_xywh=boxes_xywh,
        latencies_ms=np.where(held, 10.0 + np.arange(count), NAN),
    )


def truth(boxes, visibility=None):
    known = Truth.from_boxes(boxes)
    return known if visibility is None else Truth(known.boxes_xywh, np.array(visibility, dtype=np.float64))


@pytest.mark.parametrize(
    "values, expected",
    [
        ([], (NAN, NAN)),
        ([NAN, NAN], (NAN, NAN)),
        ([7], (7, 7)),
        ([NAN, 1, 2, 3, NAN], (2, 3)),
        (range(101), (50, 100)),
    ],
)
def test_percentiles(values, expected):
    np.testing.assert_array_equal(percentiles(list(values), (50, 100)), expected)


@pytest.mark.parametrize(
    "states, starts",
    [
        ([], []),
        ([None, None], []),
        ([TRACKING, UNCERTAIN, TRACKING], []),
        ([TRACKING, LOST, LOST, TRACKING, LOST], [1, 4]),
        ([LOST, LOST], [0]),
        ([TRACKING, LOST, None, LOST, TRACKING], [1]),
        ([None, LOST, UNCERTAIN, LOST], [1, 3]),
    ],
)
def test_loss_starts(states, starts):
    run = live_run(states)
    assert loss_starts(run.states, run.processed).tolist() == starts


@pytest.mark.parametrize(
    "state, box, true_box, visibility, iou",
    [
        (TRACKING, (0, 0, 10, 10), (0, 0, 10, 10), 1.0, 1.0),
        (TRACKING, (0, 0, 10, 10), (5, 0, 10, 10), 1.0, 1 / 3),
        (TRACKING, (0, 0, 10, 10), (0, 0, 10, 10), 0.5, 1.0),
        (TRACKING, (0, 0, 10, 10), (0, 0, 10, 10), 0.49, NAN),
        (TRACKING, (0, 0, 10, 10), (0, 0, 10, 10), NAN, NAN),
        (TRACKING, (0, 0, 10, 10), (NAN,) * 4, NAN, NAN),
        (LOST, (NAN,) * 4, (0, 0, 10, 10), 1.0, 0.0),
        (LOST, (NAN,) * 4, (0, 0, 10, 10), 0.0, NAN),
        (None, (NAN,) * 4, (0, 0, 10, 10), 1.0, NAN),
    ],
)
def test_iou_of_a_frame(state, box, true_box, visibility, iou):
    given = (0, 0, 10, 10)
    run = live_run([None, state], [given, box])
    ious = frame_ious(run, truth([given, true_box], [1.0, visibility]))
    np.testing.assert_allclose(ious, [NAN, iou])  # the frame in which the box was given never counts


def test_figures():
    box, off, none = (0, 0, 10, 10), (5, 0, 10, 10), (NAN,) * 4
    states = [None, TRACKING, None, TRACKING, LOST, LOST, TRACKING, LOST]
    boxes = [box, box, none, off, none, none, box, none]
    visibility = [1, 1, 1, 1, 0.2, 0, 1, 1]
    result = figures(live_run(states, boxes), truth([box] * 8, visibility))
    assert (result.frames, result.processed, result.dropped) == (8, 6, 1)
    assert (result.lost_in_view, result.lost_hidden) == (1, 1)
    assert result.iou_frames == 4
    assert result.mean_iou == pytest.approx((1 + 1 / 3 + 1 + 0) / 4)
    assert result.latency_ms[0] == pytest.approx(13)  # of 11, 13, 16
    assert result.overhead_ms[0] == pytest.approx(9)
    assert result.inference_ms == 4
    assert result.fps == pytest.approx(5 / 0.6)


def test_figures_of_nothing():
    result = figures(live_run([None, None]), truth([(NAN,) * 4] * 2))
    assert result.summary() == (
        "demo summary: mean_iou=nan frames=2 dropped=1 latency_p50_ms=nan latency_p95_ms=nan inference_ms=nan fps=nan"
    )
    assert SUMMARY.fullmatch(result.summary())


def test_frames_before_the_target_do_not_count():
    box = (0, 0, 10, 10)
    result = figures(live_run([None, None, None, TRACKING], [box] * 4, start=2), truth([box] * 4))
    assert (result.dropped, result.iou_frames) == (0, 1)


def test_labels_are_taken_to_be_in_view_where_they_are_known():
    known = Truth.from_boxes([(1, 2, 3, 4), (NAN,) * 4, (1, 2, 0, 4)])
    np.testing.assert_array_equal(known.visibility, [1, NAN, NAN])
    np.testing.assert_array_equal(known.boxes_xywh, [(1, 2, 3, 4), (NAN,) * 4, (NAN,) * 4])


@pytest.mark.parametrize("count", [1, 2, 9])
def test_plot_is_written(tmp_path, count):
    run = live_run([TRACKING, UNCERTAIN, LOST][:count] * 3, [(0, 0, 9, 9)] * min(count, 3) * 3)
    write_plot(tmp_path / "plot.png", run, truth([(NAN,) * 4] * len(run)))
    assert cv2.imread(str(tmp_path / "plot.png")).shape[1] > 500


def test_annotation_shows_what_was_said():
    run = live_run([None, TRACKING, LOST, None], [(20, 20, 30, 30), (20, 20, 30, 30), (NAN,) * 4, (NAN,) * 4])
    pictures = []
    for index in range(4):
        image_bgr = np.zeros((120, 160, 3), np.uint8)
        annotate(image_bgr, run, index, np.array((90.0, 60, 20, 20)))
        assert (image_bgr[60:80, 88:92] > 150).all(axis=2).any(), "the truth is drawn in white"
        pictures.append(image_bgr)
    assert pictures[1][20:50, 19:21, 1].max() > 100 and pictures[2][30:50, 19:21].max() == 0
    assert not any((a == b).all() for a, b in zip(pictures, pictures[1:]))


def test_rendered_clip_gives_its_own_truth():
    clip = rendered_clip(duration=0.2)
    assert (clip.source, clip.frames, clip.rate) == ("scene", 6, 30)
    first = Scene(frames=6)[0]
    np.testing.assert_array_equal(clip.box_xywh, first.box_xywh)
    ((image_bgr, box_xywh, visibility),) = clip.read(1)
    np.testing.assert_array_equal(image_bgr, first.image_bgr)
    np.testing.assert_array_equal(box_xywh, first.box_xywh)
    assert visibility == 1


@pytest.fixture
def sequence(tmp_path):
    """The folder of images of a small labelled sequence of the scene, with one frame not labelled."""
    (tmp_path / "img").mkdir()
    lines = []
    for i, frame in enumerate(Scene(size_wh=(320, 240), frames=5)):
        cv2.imwrite(str(tmp_path / "img" / f"{i}.jpg"), frame.image_bgr)
        lines.append("nan,nan,nan,nan" if i == 3 else ",".join(f"{v:g}" for v in frame.box_xywh))
    (tmp_path / "groundtruth.txt").write_text("\n".join(lines) + "\n")
    return tmp_path / "img"


def test_labels_beside_a_folder_are_used(sequence):
    clip = video_clip(sequence, duration=0.1, rate=20)
    labels = np.loadtxt(sequence.parent / "groundtruth.txt", delimiter=",")
    np.testing.assert_array_equal(clip.box_xywh, labels[0])
    assert (clip.rate, clip.frames) == (20, 2)
    frames = list(clip.read(5))
    np.testing.assert_array_equal([box_xywh for _, box_xywh, _ in frames], labels)
    np.testing.assert_array_equal([visibility for *_, visibility in frames], [1, 1, 1, NAN, 1])


def test_labels_of_other_frames_are_not_used(sequence):
    (sequence / "5.jpg").write_bytes((sequence / "4.jpg").read_bytes())
    with pytest.raises(InvalidInputError, match="has no labels; give the target: --box"):
        video_clip(sequence)
    clip = video_clip(sequence, (10, 10, 50, 50))
    assert all(np.isnan(visibility) for *_, visibility in clip.read(6))


@pytest.mark.parametrize("box", [(0, 0, 0, 9), (NAN, 0, 9, 9), (400, 0, 9, 9)])
def test_bad_box_is_refused_before_anything_starts(sequence, box):
    with pytest.raises(InvalidInputError, match="expected"):
        video_clip(sequence, box)


def test_camera_clip_reads_what_was_recorded(sequence):
    clip = camera_clip(3, (1, 2, 3, 4), duration=2)
    assert (clip.source, clip.live, clip.frames) == ("3", True, 60)
    assert len(list(clip.read(4, recording=sequence))) == 4


def test_recorder_writes_in_order_and_reports_faults(tmp_path):
    pytest.importorskip("rclpy")
    from sensor_msgs.msg import Image
    from std_msgs.msg import Header

    from siam_tracker_ros.node.demo_client import VideoRecorder
    from siam_tracker_ros.node.image_conversion import fill_image

    with VideoRecorder(tmp_path / "a.mp4", 30) as recorder:
        for i in range(8):
            image_bgr = np.full((48, 64, 3), 30 * i, np.uint8)
            assert recorder.offer(fill_image(Image(), image_bgr, "bgr8", Header()))
    assert recorder.error is None
    with open_frames(tmp_path / "a.mp4") as frames:
        assert [round(float(image_bgr.mean()) / 30) for image_bgr in frames] == list(range(8))
    with VideoRecorder(tmp_path / "missing" / "a.mp4", 30) as recorder:
        recorder.offer(fill_image(Image(), image_bgr, "bgr8", Header()))
    assert "missing does not exist" in str(recorder.error)


def start(*arguments, cwd):
    pytest.importorskip("rclpy")
    from ros_testing import next_domain_id

    return subprocess.Popen(
        [sys.executable, "-m", "siam_tracker_ros.node.demo", *arguments],
        cwd=cwd,
        env=os.environ | {"ROS_DOMAIN_ID": str(next_domain_id()), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def assert_all_ended(folder):
    """Nobody writes to the logs any more: the processes of this demo are gone."""
    for link in Path("/proc").glob("[0-9]*/fd/1"):
        try:
            assert folder not in Path(os.readlink(link)).parents, f"process {link.parts[2]} still runs"
        except OSError:
            pass  # the process has just ended, or is another user's


def test_whole_demo(tmp_path):
    process = start("--weights", "random", "--duration", "1.5", "--rate", "10", cwd=tmp_path)
    said, errors = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0, errors
    summary = SUMMARY.fullmatch(said.rstrip().splitlines()[-1])
    assert summary, said
    assert int(summary["frames"]) == 15
    assert 0 <= int(summary["dropped"]) < 14
    assert float(summary["inference"]) > 0
    output = tmp_path / "demo_output"
    with open_frames(output / "demo.mp4") as frames:
        assert len(list(frames)) == 15
    assert cv2.imread(str(output / "demo.png")) is not None
    assert len((output / "results.txt").read_text().splitlines()) == 15
    for name in ("tracker_node", "video_publisher"):
        assert "Traceback" not in (output / f"{name}.log").read_text()
    assert_all_ended(tmp_path)


def test_demo_on_a_labelled_folder_ended_by_ctrl_c(sequence):
    for i in range(5, 400):
        (sequence / f"{i}.jpg").symlink_to(sequence / f"{i % 5}.jpg")
    (sequence.parent / "groundtruth.txt").write_text("100,100,40,30\n" * 400)
    arguments = ["--video", str(sequence), "--weights", "random", "--rate", "10"]
    process = start(*arguments, cwd=sequence.parent)
    for line in process.stdout:
        if "/tracker/init says" in line:
            break
    process.send_signal(signal.SIGINT)
    said, errors = process.communicate(timeout=DEADLINE)
    assert (process.returncode, errors) == (0, "")
    assert_all_ended(sequence.parent)
    if "stopped" not in said:  # there were frames to report about
        assert int(SUMMARY.fullmatch(said.rstrip().splitlines()[-1])["frames"]) < 400


FAILURES = {
    "video": (["--video", "nowhere.mp4", "--box", "1,2,3,4"], "nowhere.mp4 does not exist"),
    "model": (["--model", "nonsense"], "tracker_node reports: cannot configure: model is 'nonsense', expected"),
    "camera": (["--camera", "77", "--box", "1,2,3,4", "--weights", "random"], "camera 77 gives no picture"),
}


@pytest.fixture(scope="module")
def failing_demos(tmp_path_factory):
    """Folder and process of each, all started at once: most of their time they import."""
    folders = {name: tmp_path_factory.mktemp(name) for name in FAILURES}
    demos = {name: (folder, start(*FAILURES[name][0], cwd=folder)) for name, folder in folders.items()}
    yield demos
    for _, process in demos.values():
        process.kill()
        process.communicate()


@pytest.mark.parametrize("name", FAILURES)
def test_failure_is_one_sentence_and_status_1(failing_demos, name):
    folder, process = failing_demos[name]
    _, errors = process.communicate(timeout=DEADLINE)
    assert process.returncode == 1
    assert "demo failed: " in errors and FAILURES[name][1] in errors and "Traceback" not in errors
    assert_all_ended(folder)


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--box", "1,2,3,4"], "--box goes with --video or --camera"),
        (["--camera", "0"], "--camera needs --box"),
        (["--video", "a.mp4", "--box", "1,2,3"], "'1,2,3' is not a box, expected x,y,w,h"),
        (["--video", "a.mp4", "--camera", "0"], "not allowed with"),
        (["--rate", "0"], "'0' is not a number above 0"),
        (["--duration", "nan"], "'nan' is not a number above 0"),
    ],
)
def test_bad_command_line_is_status_2(capsys, arguments, said):
    pytest.importorskip("rclpy")
    from siam_tracker_ros.node.demo import main

    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2
    assert said in capsys.readouterr().err


LAUNCH_FILE = ROOT / "launch" / "demo.launch.py"


def test_the_launch_file_compiles():
    ast.parse(LAUNCH_FILE.read_text())


def test_the_launch_description_has_its_arguments():
    pytest.importorskip("launch_ros.actions", reason="launch_ros is part of a ROS 2 installation")
    spec = importlib.util.spec_from_file_location("demo_launch", LAUNCH_FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    names = {argument.name for argument in module.generate_launch_description().get_launch_arguments()}
    assert {"source", "rate", "loop", "model", "weights", "device"} <= names
