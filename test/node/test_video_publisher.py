# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0

import signal
import sys
import time

import cv2
import numpy as np
import pytest
from damaged_videos import MotionJpeg
from rcl_interfaces.msg import Log
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from ros_testing import (
    DEADLINE,
    graph_fixture,  # noqa: F401
    started_together,
)
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from siam_tracker_ros.demo.scene import Scene
from siam_tracker_ros.errors import InvalidInputError, InvalidSettingError
from siam_tracker_ros.node.image_conversion import compressed_to_bgr, image_to_bgr
from siam_tracker_ros.node.video_publisher import VideoPublisher, main

pytestmark = pytest.mark.slow

KEPT = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)


@pytest.fixture
def listener(graph):
    return graph.add(Node("listener", context=graph.context))


def write_images(folder):
    """Seven images of 64 x 48; the brightness of number i is 30 i."""
    for i in range(7):
        cv2.imwrite(str(folder / f"{i}.png"), np.full((48, 64, 3), 30 * i, np.uint8))
    return folder


@pytest.fixture
def folder(tmp_path):
    return write_images(tmp_path)


def publisher(graph, *, remap=(), **parameters):
    """A VideoPublisher in the graph, not yet spinning."""
    overrides = [Parameter(name, value=str(value) if name == "source" else value) for name, value in parameters.items()]
    arguments = ["--ros-args", *(part for rule in remap for part in ("-r", rule))]
    return VideoPublisher(context=graph.context, parameter_overrides=overrides, cli_args=arguments)


def hear(node, msg_type, topic, qos=100):
    messages = []
    node.create_subscription(msg_type, topic, messages.append, qos)
    return messages


def wait(condition):
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, "nothing came in time"
        time.sleep(0.01)


def numbers(images_bgr):
    return [round(float(image_bgr.mean()) / 30) for image_bgr in images_bgr]


def stamps_ns(messages):
    return [msg.header.stamp.sec * 10**9 + msg.header.stamp.nanosec for msg in messages]


@pytest.mark.parametrize("reliability", ["reliable", "best_effort"])
def test_every_image_arrives_in_order(graph, listener, folder, reliability):
    qos = QoSProfile(depth=100, reliability=ReliabilityPolicy[reliability.upper()])
    images = hear(listener, Image, "image", qos)
    parameters = {"source": folder, "rate": 40, "frame_id": "here", "reliability": reliability}
    node = graph.add(publisher(graph, **parameters, wait_for_subscribers=1))
    wait(lambda: node.finished and len(images) == 7)
    assert numbers(image_to_bgr(msg) for msg in images) == list(range(7))
    assert {(msg.width, msg.height, msg.encoding, msg.step) for msg in images} == {(64, 48, "bgr8", 192)}
    assert {msg.header.frame_id for msg in images} == {"here"}
    assert (np.diff(stamps_ns(images)) > 0).all()


def test_headers_are_kept_for_late_subscribers(graph, listener, folder):
    images = hear(listener, Image, "image")
    node = graph.add(publisher(graph, source=folder, rate=100.0, wait_for_subscribers=1))
    wait(lambda: node.finished and len(images) == 7)
    headers = hear(listener, Header, "video_publisher/header", KEPT)
    wait(lambda: len(headers) == 7)
    assert headers == [msg.header for msg in images]


def test_compressed_and_raw_are_the_same_frames(graph, listener, folder):
    compressed = hear(listener, CompressedImage, "image/compressed")
    images = hear(listener, Image, "image")
    node = graph.add(publisher(graph, source=folder, rate=40, transport="both", wait_for_subscribers=2))
    wait(lambda: node.finished and len(compressed) == len(images) == 7)
    assert numbers(compressed_to_bgr(msg) for msg in compressed) == list(range(7))
    assert all("jpeg" in msg.format for msg in compressed)
    assert [msg.header for msg in compressed] == [msg.header for msg in images]


def test_compressed_alone_follows_a_remapping_of_image(graph, listener, folder):
    compressed = hear(listener, CompressedImage, "front/view/compressed")
    parameters = {"source": folder, "rate": 40, "transport": "compressed", "remap": ["image:=front/view"]}
    node = graph.add(publisher(graph, **parameters, wait_for_subscribers=1))
    wait(lambda: node.finished and len(compressed) == 7)
    assert listener.count_publishers("front/view") == 0


def test_loop_goes_on_until_the_limit(graph, listener, folder):
    images = hear(listener, Image, "image")
    node = graph.add(publisher(graph, source=folder, rate=100, loop=True, frames=17, wait_for_subscribers=1))
    wait(lambda: node.finished and len(images) == 17)
    assert numbers(image_to_bgr(msg) for msg in images) == [*range(7), *range(7), *range(3)]
    assert (np.diff(stamps_ns(images)) > 0).all()


def test_limit_and_size(graph, listener, folder):
    images = hear(listener, Image, "image")
    node = graph.add(publisher(graph, source=folder, rate=100, frames=2, width=32, height=20, wait_for_subscribers=1))
    wait(lambda: node.finished and len(images) == 2)
    assert {(msg.width, msg.height, len(msg.data)) for msg in images} == {(32, 20, 32 * 20 * 3)}


def test_scene_is_published_pixel_by_pixel(graph, listener):
    images = hear(listener, Image, "image")
    parameters = {"source": "scene", "frames": 3, "seed": 4, "width": 160, "height": 120}
    node = graph.add(publisher(graph, **parameters, wait_for_subscribers=1))
    wait(lambda: node.finished and len(images) == 3)
    for msg, frame in zip(images, Scene(size_wh=(160, 120), frames=3, seed=4), strict=True):
        np.testing.assert_array_equal(image_to_bgr(msg), frame.image_bgr)


def test_a_damaged_frame_is_skipped_and_logged(graph, listener, tmp_path):
    images, logs = hear(listener, Image, "image"), hear(listener, Log, "/rosout", KEPT)
    source = MotionJpeg(tmp_path / "clip.avi", [0, 60, 120, 180]).damage([2])
    node = graph.add(publisher(graph, source=source, rate=100, wait_for_subscribers=1))
    wait(lambda: node.finished and len(images) == 3)
    assert numbers(image_to_bgr(msg) for msg in images) == [0, 2, 6] and node.failure is None
    wait(lambda: [log for log in logs if "3 frames could be decoded, 1 could not and were skipped: 2" in log.msg])


@pytest.mark.parametrize("loop", [False, True])
def test_a_video_that_is_cut_off_is_published_to_the_cut(graph, listener, tmp_path, loop):
    images = hear(listener, Image, "image")
    source = MotionJpeg(tmp_path / "clip.avi", [0, 60, 120, 180, 240]).cut(3)
    node = graph.add(publisher(graph, source=source, rate=100, loop=loop, frames=8 * loop, wait_for_subscribers=1))
    wait(lambda: node.finished and len(images) == (8 if loop else 3))
    assert numbers(image_to_bgr(msg) for msg in images) == ([0, 2, 4] * 3)[: len(images)]
    assert "clip.avi was not read to its end, expected 5 frames" in str(node.failure)


def test_nothing_is_published_before_the_subscribers_are_there(graph, listener, folder):
    images = hear(listener, Image, "image")
    headers = hear(listener, Header, "video_publisher/header", KEPT)
    node = graph.add(publisher(graph, source=folder, rate=100, wait_for_subscribers=2))
    wait(lambda: listener.count_publishers("image") == 1)
    time.sleep(0.7)  # longer than the settling time: what must not happen has no event to wait for
    assert images == [] and headers == [] and not node.finished
    second = hear(listener, Image, "image")
    wait(lambda: node.finished and len(second) == 7)


@pytest.mark.parametrize(
    "parameters, error, said",
    [
        ({"source": "/no/such/file.mp4"}, InvalidInputError, "/no/such/file.mp4 does not exist"),
        ({"source": "/"}, InvalidInputError, "has no image in it"),
        ({"source": "/", "intensity_range": "9000"}, InvalidSettingError, "'9000', expected auto"),
        ({"rate": -1.0}, InvalidSettingError, "rate is -1.0"),
        ({"rate": float("nan")}, InvalidSettingError, "rate is nan"),
        ({"rate": "fast"}, InvalidSettingError, "rate is 'fast'"),
        ({"transport": "theora"}, InvalidSettingError, "'theora', expected one of raw, compressed, both"),
        ({"reliability": "yes"}, InvalidSettingError, "reliability is 'yes'"),
        ({"width": 64}, InvalidSettingError, "width is 64, height 0"),
        ({"width": 10, "height": 10}, InvalidInputError, "10 x 10"),
        ({"frames": -1}, InvalidParameterValueException, "frames"),
        ({"jpeg_quality": 101}, InvalidParameterValueException, "jpeg_quality"),
        ({"loop": "yes"}, InvalidParameterTypeException, "loop"),
    ],
)
def test_refuses_what_cannot_work(graph, parameters, error, said):
    with pytest.raises(error, match=said):
        publisher(graph, **parameters)


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """The program as `ros2 run` starts it; its first line of output comes when it publishes."""

    def command(**parameters):
        given = (part for name, value in parameters.items() for part in ("-p", f"{name}:={value}"))
        return [sys.executable, "-m", "siam_tracker_ros.node.video_publisher", "--ros-args", *given]

    whole, broken = (write_images(tmp_path_factory.mktemp(name)) for name in ("whole", "broken"))
    (broken / "3.png").write_text("not an image")
    cut = MotionJpeg(tmp_path_factory.mktemp("cut") / "clip.avi", [90] * 5).cut(3)
    endless = command(loop="true", width=64, height=48)
    commands = {
        "whole": command(source=whole, rate=50),
        "broken": command(source=broken, rate=50),
        "cut": command(source=cut),
    }
    with started_together({signal.SIGINT: endless, signal.SIGTERM: endless, **commands}) as programs:
        yield programs


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ends_quietly_when_told_to(programs, number):
    process = programs[number]
    assert "publishing scene on /image at 30.0 Hz" in process.stdout.readline()
    process.send_signal(number)
    said, _ = process.communicate(timeout=DEADLINE)
    assert (process.returncode, said) == (0, "")


def test_ends_by_itself_after_the_last_frame(programs):
    said, _ = programs["whole"].communicate(timeout=DEADLINE)
    assert programs["whole"].returncode == 0
    assert "published 7 frames" in said


def test_broken_image_in_the_middle_is_one_sentence(programs):
    said, _ = programs["broken"].communicate(timeout=DEADLINE)
    assert programs["broken"].returncode == 1
    assert "3.png cannot be decoded" in said and "Traceback" not in said


def test_a_video_that_is_cut_off_is_one_sentence_and_status_2(programs):
    said, _ = programs["cut"].communicate(timeout=DEADLINE)
    assert programs["cut"].returncode == 2
    assert "published 3 frames" in said and "Traceback" not in said
    assert "video_publisher: " in said and "was not read to its end, expected 5 frames" in said


def test_bad_source_is_one_sentence_and_status_2(capfd, monkeypatch):
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # the handlers are a program's, not a test's
    assert main(["--ros-args", "-p", "source:=nowhere.mp4"]) == 2
    said = capfd.readouterr().err
    assert said.startswith("video_publisher: nowhere.mp4 does not exist, expected a video file")
