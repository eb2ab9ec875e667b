# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import os
import shutil
import sqlite3
import sys

import cv2
import numpy as np
import pytest

pytest.importorskip("rosbags", reason="bags need rosbags")
pytest.importorskip("av", reason="videos in bags need PyAV")

from bag_files import (
    LEVELS,
    LOGGED_LATE_NS,
    compressed,
    compressed_as,
    compressed_video,
    encode_video,
    ffmpeg_packet,
    grey,
    header,
    image,
    stamp_ns,
    write_bag,
)

from siam_tracker_ros.bags.message_types import make_message
from siam_tracker_ros.errors import IncompleteVideoError, InvalidInputError, InvalidSettingError
from siam_tracker_ros.frames import FrameHeader, open_frames

GREYS = [grey(level) for level in LEVELS]


def imu(number):
    return make_message("sensor_msgs/msg/Imu", header=header(number))


def images():
    return [image(number, image_bgr) for number, image_bgr in enumerate(GREYS)]


def levels(frames):
    return [int(np.round(frame.mean())) for frame in frames]


def read(path, topic=""):
    """Return levels and headers of all images."""
    with open_frames(path, topic=topic) as frames:
        pairs = [(int(np.round(frame.mean())), frames.header) for frame in frames]
    return [level for level, _ in pairs], [header for _, header in pairs]


@pytest.mark.parametrize(
    "storage, compression",
    [
        ("mcap", "none"),
        ("mcap", "storage"),
        ("mcap", "message"),
        ("mcap", "file"),
        ("sqlite3", "none"),
        ("sqlite3", "message"),
        ("sqlite3", "file"),
    ],
)
def test_every_storage_and_compression_is_read_with_the_headers_of_its_images(storage, compression, tmp_path):
    topics = {"/imu": [imu(number) for number in range(9)], "/camera/image_raw": images()}
    path = write_bag(tmp_path / "bag", topics, storage, compression)
    with open_frames(path) as frames:
        assert frames.topic == "/camera/image_raw"
        assert (frames.fps, frames.frame_count, frames.live) == (pytest.approx(25), len(LEVELS), False)
        for _ in range(2):
            assert levels(frames) == list(LEVELS)
            assert frames.header == FrameHeader(stamp_ns(5), "camera", stamp_ns(5) + LOGGED_LATE_NS)
            assert (frames.skipped, frames.remarks) == (0, ())
            frames.rewind()


@pytest.mark.parametrize("storage, suffix", [("mcap", "mcap"), ("sqlite3", "db3")])
def test_a_single_file_is_a_bag(storage, suffix, tmp_path):
    write_bag(tmp_path / "bag", {"/image": images()}, storage)
    assert read(tmp_path / "bag" / f"bag.{suffix}")[0] == list(LEVELS)


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_bag_that_was_split_is_read_through_its_files(storage, tmp_path):
    whole = images()
    suffix = {"mcap": "mcap", "sqlite3": "db3"}[storage]
    write_bag(tmp_path / "a", {"/image": whole[:4]}, storage)
    write_bag(tmp_path / "b", {"/image": whole[4:]}, storage)
    split = tmp_path / "split"
    split.mkdir()
    for number, name in enumerate("ab"):
        shutil.copy(tmp_path / name / f"{name}.{suffix}", split / f"split_{number}.{suffix}")
    metadata = (tmp_path / "a" / "metadata.yaml").read_text()
    metadata = metadata.replace(f"- a.{suffix}", f"- split_0.{suffix}\n  - split_1.{suffix}")
    (split / "metadata.yaml").write_text(metadata.replace("message_count: 4", "message_count: 6"))
    assert read(split)[0] == list(LEVELS)
    assert read(split / f"split_1.{suffix}")[0] == list(LEVELS[4:])


def packets(make, images_bgr=GREYS, **options):
    """Messages with the packets of a video, each with the header of its own image."""
    return [make(number, data) for number, data in encode_video(images_bgr, **options)]


LIVE = {"tune": "zerolatency", "preset": "ultrafast"}


def test_making_the_packets_of_these_tests_leaves_the_scheduling_as_it_was():
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
    packets(lambda number, data: compressed_video(number, data, "av1"), name="libsvtav1", preset="12")
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


@pytest.mark.parametrize(
    "messages",
    [
        [compressed(number, image_bgr, ".png") for number, image_bgr in enumerate(GREYS)],
        [compressed(number, image_bgr, ".jpg") for number, image_bgr in enumerate(GREYS)],
        [image(number, image_bgr[..., 0], "mono8") for number, image_bgr in enumerate(GREYS)],
        packets(compressed_video, **LIVE),
        packets(ffmpeg_packet, **LIVE),
        packets(lambda number, data: compressed_as(number, "h264", data), **LIVE),
        packets(ffmpeg_packet, b_frames=2, key_frame_every=12, preset="medium"),
        packets(lambda number, data: compressed_video(number, data, "vp9"), name="libvpx-vp9", deadline="realtime"),
        packets(lambda number, data: compressed_video(number, data, "av1"), name="libsvtav1", preset="12"),
        [ffmpeg_packet(n, cv2.imencode(".jpg", image_bgr)[1], "mjpeg") for n, image_bgr in enumerate(GREYS)],
    ],
    ids=[
        "png",
        "jpeg",
        "mono8",
        "CompressedVideo",
        "FFMPEGPacket",
        "h264 as CompressedImage",
        "B-frames",
        "vp9",
        "av1",
        "mjpeg",
    ],
)
def test_every_kind_of_image_is_decoded_and_keeps_its_own_header(messages, tmp_path):
    seen, headers = read(write_bag(tmp_path / "bag", {"/image": messages}))
    assert seen == pytest.approx(LEVELS, abs=4)
    assert [header.stamp_ns for header in headers] == [stamp_ns(number) for number in range(len(LEVELS))]
    assert {header.frame_id for header in headers} == {"camera"}


def test_a_video_begins_with_the_first_key_frame_that_was_recorded(tmp_path):
    path = write_bag(tmp_path / "bag", {"/video": packets(compressed_video, **LIVE)[1:]})
    with open_frames(path) as frames:
        assert levels(frames) == pytest.approx(LEVELS[3:], abs=4)
        assert frames.skipped == 2
        assert "messages without an image, skipped: 2; the last one: " in frames.remarks[0]


def test_other_messages_on_the_topic_are_passed_over(tmp_path):
    pictures = [compressed(number, GREYS[number]) if number % 2 else images()[number] for number in range(4)]
    assert read(write_bag(tmp_path / "bag", {"/image": [*pictures, imu(4)]}))[0] == list(LEVELS[:4])


def test_packets_that_give_no_image_are_counted_whatever_the_decoder_says_of_them(tmp_path):
    single = [data for _, data in encode_video(GREYS, **LIVE)]
    pairs = [first + second for first, second in zip(single[::2], single[1::2])]
    messages = [compressed_video(number, data) for number, data in enumerate((*single[:2], b"", *pairs))]
    with open_frames(write_bag(tmp_path / "bag", {"/video": messages})) as frames:
        seen = levels(frames)
        assert seen[:2] == pytest.approx(LEVELS[:2], abs=4)
        assert frames.skipped == len(messages) - len(seen) == 2
        assert frames.remarks[0].endswith("skipped: 2; the last one: a packet of the video completed no image")


def test_the_rate_is_that_of_the_images_where_b_frames_come_out_of_order(tmp_path):
    images_bgr = [grey(level) for level in LEVELS * 2]
    messages = packets(ffmpeg_packet, images_bgr, b_frames=3, key_frame_every=12, preset="medium")
    with open_frames(write_bag(tmp_path / "bag", {"/video": messages})) as frames:
        assert frames.fps == pytest.approx(25)


def test_a_folder_of_images_with_another_metadata_file_is_no_bag(tmp_path):
    cv2.imwrite(str(tmp_path / "0.png"), GREYS[2])
    (tmp_path / "metadata.yaml").write_text("camera: front\n")
    with open_frames(tmp_path) as frames:
        assert levels(frames) == [LEVELS[2]]


def test_the_frames_of_a_bag_can_be_drawn_on(tmp_path):
    with open_frames(write_bag(tmp_path / "bag", {"/image": images()})) as frames:
        assert all(frame.flags.writeable for frame in frames)


def test_damaged_messages_are_skipped_and_counted(tmp_path):
    messages = [compressed(number, image_bgr, ".jpg") for number, image_bgr in enumerate(GREYS)]
    for number in (0, 3):
        messages[number].data = messages[number].data[:-40]
    with open_frames(write_bag(tmp_path / "bag", {"/image": messages})) as frames:
        assert levels(frames) == pytest.approx([LEVELS[n] for n in (1, 2, 4, 5)], abs=2)
        assert frames.skipped == 2
        assert "JPEG without its end" in frames.remarks[0]


@pytest.mark.parametrize(
    "topics, topic, words",
    [
        ({"/a": images(), "/b/compressed": [compressed(0, grey(9))]}, "", r"several.*/a \(.*Image\), /b/compressed \("),
        ({"/a": images(), "/b": images()}, "/c", "no messages on topic 'c'; its image topics: /a .*, /b "),
        (
            {"/a": images(), "/imu": [imu(0)]},
            "/imu",
            "/imu .* has messages of sensor_msgs/msg/Imu, expected .*/a ",
        ),
        (
            {"/imu": [imu(0)]},
            "",
            r"no images in it, expected .*; its topics with messages: /imu \(sensor_msgs/msg/Imu\)",
        ),
        (
            {"/a": [image(0, grey(1), "32FC1")]},
            "",
            "no image that can be decoded: image encoding is '32FC1'",
        ),
        ({"/a": [compressed_as(0, "16UC1; compressedDepth png", b"12")]}, "", "is a depth image"),
        (
            {"/a": [compressed_video(0, b"12", "mpeg7")]},
            "",
            "format is 'mpeg7', expected one of av1, h264, hevc, mjpeg, vp9",
        ),
        ({"/a": packets(compressed_video, **LIVE)[1:3]}, "", "no image that can be decoded: .* no key frame"),
    ],
)
def test_a_topic_that_cannot_be_used_is_refused_with_those_that_can(topics, topic, words, tmp_path):
    with pytest.raises(InvalidInputError, match=words):
        open_frames(write_bag(tmp_path / "bag", topics), topic=topic)


def test_the_topic_is_needed_only_where_there_are_several(tmp_path):
    depth = compressed_as(0, "16UC1; compressedDepth png", b"12")
    path = write_bag(tmp_path / "one", {"/a": images(), "/depth/compressedDepth": [depth], "/imu": [imu(0)]})
    assert read(path)[0] == list(LEVELS)
    path = write_bag(tmp_path / "two", {"/a": images(), "/b": images()[:2]})
    assert read(path, "/b")[0] == read(path, "b")[0] == list(LEVELS[:2])


def cut_off(path):
    file = path / "bag.mcap"
    file.write_bytes(file.read_bytes()[:-200])


def without_metadata(path):
    (path / "metadata.yaml").unlink()


def without_file(path):
    (path / "bag.mcap").unlink()


@pytest.mark.parametrize(
    "damage, name, words",
    [
        (cut_off, "", "cannot be opened: .* `mcap recover`"),
        (cut_off, "bag.mcap", "cannot be opened: .* `mcap recover`"),
        (without_metadata, "", "has no metadata.yaml: .*`ros2 bag reindex .*a single file of it: bag.mcap"),
        (without_file, "", "cannot be opened: .*missing"),
    ],
)
def test_a_bag_that_is_not_complete_is_refused_with_what_can_be_done(damage, name, words, tmp_path):
    path = write_bag(tmp_path / "bag", {"/image": images()})
    damage(path)
    with pytest.raises(InvalidInputError, match=words):
        open_frames(path / name)


@pytest.mark.parametrize(
    "name, words",
    [
        ("old.bag", "bag of ROS 1, .* rosbags-convert --src"),
        ("bag_0.mcap.zstd", "compressed as a whole; give the folder"),
        ("empty.mcap", "cannot be opened: .*empty"),
        ("text.db3", "cannot be opened"),
    ],
)
def test_a_file_of_another_kind_is_refused(name, words, tmp_path):
    (tmp_path / name).write_bytes(b"" if name == "empty.mcap" else b"some text\n" * 100)
    with pytest.raises(InvalidInputError, match=words):
        open_frames(tmp_path / name)


@pytest.mark.parametrize("name", ["flight #2", "a%20b", "what?"])
def test_a_path_that_the_library_takes_for_another_is_refused(name, tmp_path):
    write_bag(tmp_path / "bag", {"/image": images()}, "sqlite3").rename(tmp_path / name)
    for source in (tmp_path / name, tmp_path / name / "bag.db3"):
        with pytest.raises(InvalidInputError, match="has #, . or % in its path"):
            open_frames(source)
    write_bag(tmp_path / f"{name}.mcap", {"/image": images()})
    assert read(tmp_path / f"{name}.mcap")[0] == list(LEVELS)


def test_a_file_whose_messages_are_compressed_needs_its_folder(tmp_path):
    path = write_bag(tmp_path / "bag", {"/image": images()}, compression="message")
    with pytest.raises(InvalidInputError, match="compressed one by one; give the folder of the bag"):
        open_frames(path / "bag.mcap")


def test_messages_that_sqlite_has_not_moved_to_the_bag_are_not_left_out(tmp_path):
    path = write_bag(tmp_path / "bag", {"/image": images()}, "sqlite3")
    database = sqlite3.connect(path / "bag.db3")
    database.execute("PRAGMA journal_mode=wal")
    database.execute("INSERT INTO messages(topic_id, timestamp, data) SELECT topic_id, timestamp, data FROM messages")
    database.commit()
    for source in (path, path / "bag.db3"):
        with pytest.raises(InvalidInputError, match=r"bag.db3-wal .* not in the bag yet; .*wal_checkpoint"):
            open_frames(source)
    database.close()  # which moves them
    assert len(read(path / "bag.db3")[0]) == 2 * len(LEVELS)


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_other_profiles_in_the_metadata_than_in_the_files_leave_nothing_out(storage, tmp_path):
    path = write_bag(tmp_path / "bag", {"/image": images()}, storage, "message", reliability="BEST_EFFORT")
    text = (path / "metadata.yaml").read_text()
    assert "reliability: 2" in text
    (path / "metadata.yaml").write_text(text.replace("reliability: 2", "reliability: 1"))
    assert read(path)[0] == list(LEVELS)


@pytest.mark.parametrize(
    "compression, words",
    [("storage", "cannot be read further than 2 of 6 messages"), ("none", "has 6 messages, of which 4 could be read")],
)
def test_a_bag_that_is_damaged_in_its_middle_gives_what_is_before(compression, words, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (6, 480, 640, 3), dtype=np.uint8)
    messages = [image(number, image_bgr) for number, image_bgr in enumerate(noise)]  # two of them in a chunk
    path = write_bag(tmp_path / "bag", {"/image": messages}, compression=compression)
    content = bytearray((path / "bag.mcap").read_bytes())
    place = content.index(noise[2, 0, :20].tobytes())
    content[place - 95 : place + 300_000] = bytes(300_095)
    (path / "bag.mcap").write_bytes(content)
    with open_frames(path) as frames:
        np.testing.assert_array_equal([next(frames), next(frames)], noise[:2])
        with pytest.raises(IncompleteVideoError, match=words):
            list(frames)


def test_a_topic_that_gives_no_more_images_is_given_up(tmp_path):
    damaged = [compressed_as(2, "jpeg", b"no jpeg")] * 300
    with open_frames(
        write_bag(tmp_path / "bag", {"/image": [*(compressed(n, GREYS[n]) for n in (0, 1)), *damaged]})
    ) as frames:
        assert levels([next(frames), next(frames)]) == list(LEVELS[:2])
        with pytest.raises(
            IncompleteVideoError, match="gives no image 300 times in a row: compressed image of 7 bytes"
        ):
            next(frames)


@pytest.mark.parametrize("module, extra", [("rosbags", "bags"), ("av", "bags-video")])
def test_what_is_not_installed_is_named_with_its_extra(module, extra, tmp_path, monkeypatch):
    path = write_bag(tmp_path / "bag", {"/image": packets(compressed_video, **LIVE)})
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InvalidSettingError, match=rf'needs {module}, .* pip install "\.\[{extra}\]"'):
        open_frames(path)


@pytest.mark.parametrize("encoding", ["mono16", "16UC1"])
def test_the_range_of_16_bit_images_follows_the_stream_and_can_be_fixed(encoding, tmp_path):
    ramp = np.linspace(7000, 9000, 48 * 64).reshape(48, 64).astype(np.uint16)
    messages = [image(number, ramp, encoding) for number in range(3)]
    path = write_bag(tmp_path / "bag", {"/thermal": messages})
    with open_frames(path) as frames:
        assert [(frame.min() < 40, frame.max() > 215) for frame in frames] == [(True, True)] * 3
    with open_frames(path, intensity_range=(8000, 9000)) as frames:
        assert next(frames)[:20].max() == 0


def test_a_topic_is_refused_where_the_source_is_no_bag(tmp_path):
    for source in (tmp_path, 0, "0"):
        with pytest.raises(InvalidInputError, match="topic is '/image', but .* is not a bag"):
            open_frames(source, topic="/image")


def test_stamps_that_stand_still_leave_the_rate_to_the_recorder(tmp_path):
    still = [image(0, image_bgr) for image_bgr in GREYS]
    with open_frames(write_bag(tmp_path / "bag", {"/image": still})) as frames:
        assert frames.fps == pytest.approx(25)
