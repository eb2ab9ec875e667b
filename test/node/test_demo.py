# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from demo_testing import SUMMARY, sequence_fixture  # noqa: F401
from ros_testing import next_domain_id
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.frames import open_frames
from siam_tracker_ros.image_conversion import fill_image
from siam_tracker_ros.node.demo import main
from siam_tracker_ros.node.demo_client import VideoRecorder

pytestmark = pytest.mark.slow

DEADLINE = 120.0  # seconds; only a failure takes so long


def test_recorder_writes_in_order_and_reports_faults(tmp_path):
    with VideoRecorder(tmp_path / "a.mp4", 30) as recorder:
        for i in range(8):
            image_bgr = np.full((48, 64, 3), 30 * i, np.uint8)
            assert recorder.offer(fill_image(Image(), image_bgr, "bgr8", Header()))
    assert recorder.error is None
    with open_frames(tmp_path / "a.mp4") as frames:
        assert [round(float(image_bgr.mean()) / 30) for image_bgr in frames] == list(range(8))
    with VideoRecorder(tmp_path / "b.mp4", 30) as recorder:
        for height in (48, 40):
            recorder.offer(fill_image(Image(), image_bgr[:height], "bgr8", Header()))
    assert "64 x 40 pixels, expected 64 x 48" in str(recorder.error)
    with pytest.raises(InvalidInputError, match="missing does not exist"):
        VideoRecorder(tmp_path / "missing" / "a.mp4", 30).__enter__()


def start(*arguments, cwd):
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
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2
    assert said in capsys.readouterr().err
