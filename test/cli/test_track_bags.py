# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import itertools
import shutil
import time

import pytest

pytest.importorskip("rosbags", reason="bags need rosbags")

from bag_files import LEVELS, compressed, grey, image, stamp_ns, write_bag
from cli_testing import BoxThatStays, run
from rosbags.highlevel import AnyReader

from siam_tracker_ros import frames as frames_module
from siam_tracker_ros.core import registry
from siam_tracker_ros.data.box_files import read_results
from siam_tracker_ros.frames import open_frames


@pytest.fixture
def bag(tmp_path):
    images = [image(number, grey(level)) for number, level in enumerate(LEVELS)]
    return write_bag(tmp_path / "bag", {"/image": images})


def read(path, topic):
    with AnyReader([path]) as reader:
        chosen = [connection for connection in reader.connections if connection.topic == topic]
        return [reader.deserialize(data, chosen[0].msgtype) for _, _, data in reader.messages(chosen)]


def test_a_bag_is_tracked_and_its_results_are_written_as_a_bag(bag, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(registry, "create_tracker", lambda *_, **__: BoxThatStays(masked=True))
    output, results = tmp_path / "tracked", tmp_path / "boxes.txt"
    assert run("track", bag, "--box", "10,8,20,16", "--output", output, "--results", results) == 0
    assert "6 frames, target lost in 0 of them" in capsys.readouterr().err
    assert read_results(results)[0].tolist() == [[10, 8, 20, 16]] * 6
    detections = read(output, "/tracker/detection")
    stamps = [msg.header.stamp.sec * 10**9 + msg.header.stamp.nanosec for msg in detections]
    assert stamps == [stamp_ns(number) for number in range(6)]
    assert {msg.header.frame_id for msg in detections} == {"camera"}
    assert len(read(output, "/tracker/mask")) == 5, "the first frame has no result of the tracker"


def test_a_bag_becomes_an_annotated_video_at_the_rate_of_its_stamps(created, bag, tmp_path):
    assert run("track", bag, "--box", "10,8,20,16", "--output", tmp_path / "out.mp4") == 0
    with open_frames(tmp_path / "out.mp4") as frames:
        assert frames.fps == pytest.approx(25)
        assert len(list(frames)) == 6


def test_results_of_a_video_are_stamped_by_its_rate(created, video, tmp_path):
    assert run("track", video, "--box", "10,8,20,16", "--output", tmp_path / "out.mcap") == 0
    stamps = [msg.header.stamp for msg in read(tmp_path / "out.mcap", "/tracker/status")]
    assert [(stamp.sec, stamp.nanosec) for stamp in (*stamps[:2], stamps[29])] == [(0, 0), (0, 10**8), (2, 9 * 10**8)]


def test_results_of_a_camera_are_stamped_with_the_time_of_day(created, video, tmp_path, monkeypatch):
    camera = open_frames(video)
    camera.live = True
    monkeypatch.setattr(frames_module, "open_frames", lambda *_: camera)
    monkeypatch.setattr(time, "time_ns", itertools.count(10**18).__next__)
    assert run("track", "0", "--box", "10,8,20,16", "--output", tmp_path / "out.mcap") == 0
    stamps = [msg.header.stamp for msg in read(tmp_path / "out.mcap", "/tracker/status")]
    assert [(stamp.sec, stamp.nanosec) for stamp in stamps] == [(10**9, number) for number in range(30)]


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["bag"], "several image topics; choose one as the topic: /a (sensor_msgs/msg/Image), /b"),
        (["bag", "--topic", "/c"], "no messages on topic 'c'; its image topics: /a"),
        (["bag", "--topic", "/a", "--output", "bag"], "bag is both read and written"),
        (["bag", "--topic", "/a", "--output", "bag/bag.mcap"], "bag/bag.mcap is in bag already, which is read"),
        (["bag", "--topic", "/a", "--output", "older"], "older exists already; give another name for the bag"),
        (["bag", "--topic", "/a", "--output", "out.bag"], "does not name a video file"),
        (["clip.avi", "--topic", "/a"], "topic is '/a', but clip.avi is not a bag"),
    ],
)
def test_track_refuses_a_bag_that_it_cannot_use(arguments, words, created, video, capsys, monkeypatch):
    monkeypatch.chdir(video.parent)
    write_bag(video.parent / "bag", {"/a": [image(0, grey(1))], "/b": [image(0, grey(1))]})
    (video.parent / "older").mkdir()
    assert run("track", *arguments, "--box", "10,8,20,16") == 2
    assert words in capsys.readouterr().err
    assert created == []


def test_a_bag_without_a_box_is_told_of_it(created, bag, capsys):
    assert run("track", bag) == 2
    assert f"{bag} is no labelled sequence, expected --box" in capsys.readouterr().err


@pytest.mark.parametrize("options", [[], ["--box", "10,8,20,16"], ["--target", "bike"]])
def test_a_recording_beside_the_images_of_a_sequence_is_not_the_source(created, bag, sequences, capsys, options):
    shutil.copy(bag / "bag.mcap", sequences / "bike")
    assert run("track", sequences / "bike", *options) == 0
    assert len(capsys.readouterr().out.splitlines()) == 4


def test_what_is_missing_in_a_bag_is_said_behind_the_last_frame(created, tmp_path, capsys):
    messages = [compressed(number, grey(level), ".jpg") for number, level in enumerate(LEVELS)]
    messages[2].data = messages[2].data[:-40]
    path = write_bag(tmp_path / "bag", {"/image/compressed": messages})
    assert run("track", path, "--box", "10,8,20,16") == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 5
    assert "messages without an image, skipped: 1; the last one: compressed image of" in err
