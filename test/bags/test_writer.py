# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0

import numpy as np
import pytest

pytest.importorskip("rosbags", reason="bags need rosbags")

from full_disk import no_file_above
from rosbags.highlevel import AnyReader

from siam_tracker_ros.bags.writer import BagSink
from siam_tracker_ros.core.monitor import TargetState
from siam_tracker_ros.core.outline import FixedOutline
from siam_tracker_ros.core.session import Observation
from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.frames import FrameHeader, open_frames

FRAMES = [FrameHeader(1_700_000_000_000_000_000 + 40_000_000 * number, "camera", 5_000 + number) for number in range(3)]
MASK = np.arange(48 * 64).reshape(48, 64) % 3 == 0
SEEN = Observation(
    TargetState.TRACKING,
    np.array([10.5, 8, 20, 16]),
    confidence=0.75,
    raw_score=0.25,
    age=4,
    updated=True,
    inference_ms=7.5,
    outline=FixedOutline(MASK),
)
LOST = Observation(
    TargetState.LOST, confidence=0.125, age=5, frames_lost=1, candidates=2, search_progress=0.5, redetections=1
)


def write(path, observations=(SEEN, LOST, SEEN), error=None):
    with BagSink(path) as sink:
        for frame, observation in zip(FRAMES, observations):
            sink.write(frame, MASK.shape[::-1], observation)
        if error:
            raise error
    return path


def read(path):
    """Return (time, message) of every message, by topic."""
    messages = {}
    with AnyReader([path]) as reader:
        for connection, time, data in reader.messages():
            msg = reader.deserialize(data, connection.msgtype)
            messages.setdefault(connection.topic, []).append((time, msg))
    return messages


def stamps(messages):
    return [(msg.header.stamp.sec * 10**9 + msg.header.stamp.nanosec, time) for time, msg in messages]


@pytest.mark.parametrize("name", ["bag", "bag.mcap"])
def test_a_bag_has_the_topics_of_the_node_with_the_headers_of_the_frames(name, tmp_path):
    messages = read(write(tmp_path / name))
    all_stamps = [(frame.stamp_ns, frame.logged_ns) for frame in FRAMES]
    seen_stamps = [all_stamps[0], all_stamps[2]]
    assert stamps(messages["/tracker/status"]) == stamps(messages["/tracker/detections"]) == all_stamps
    assert stamps(messages["/tracker/detection"]) == stamps(messages["/tracker/mask"]) == seen_stamps

    _, detection = messages["/tracker/detection"][0]
    assert (detection.bbox.center.position.x, detection.bbox.center.position.y) == (20.5, 16)
    assert (detection.bbox.size_x, detection.bbox.size_y, detection.header.frame_id) == (20, 16, "camera")
    assert detection.results[0].hypothesis.score == 0.75
    assert [len(msg.detections) for _, msg in messages["/tracker/detections"]] == [1, 0, 1]
    _, status = messages["/tracker/status"][1]
    assert (status.state, status.frames_lost, status.confidence) == (status.LOST, 1, 0.125)
    assert (status.candidates, status.search_progress, status.redetections) == (2, 0.5, 1)
    assert (status.image_width, status.image_height) == (64, 48)
    assert np.isnan(status.peak_ratio) and np.isnan(status.raw_score)
    assert [msg.raw_score for _, msg in messages["/tracker/status"][::2]] == [0.25, 0.25]
    with open_frames(tmp_path / name, topic="/tracker/mask") as masks:
        np.testing.assert_array_equal(next(masks)[..., 0] > 0, MASK)
    assert [path.name for path in tmp_path.iterdir()] == [name], "nothing is left beside it"


def test_a_folder_is_a_bag_that_any_distribution_opens(tmp_path):
    metadata = (write(tmp_path / "bag") / "metadata.yaml").read_text()
    assert "version: 8" in metadata, "Humble cannot read the profiles of version 9"
    assert "storage_identifier: mcap" in metadata


@pytest.mark.parametrize("older", [False, True])
def test_what_was_written_until_an_error_is_a_bag_and_replaces_none(older, tmp_path, caplog):
    path = tmp_path / "bag.mcap"
    if older:
        path.write_text("older")
    with pytest.raises(KeyboardInterrupt):
        write(path, [SEEN], KeyboardInterrupt)
    if older:
        assert path.read_text() == "older"
        path = tmp_path / "bag.partial.mcap"
        assert str(path) in caplog.text
    assert len(read(path)["/tracker/status"]) == 1


@pytest.mark.parametrize("name", ["bag", "bag.mcap"])
def test_nothing_is_left_of_a_bag_without_frames_after_an_error(name, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / name, [], KeyboardInterrupt)
    assert list(tmp_path.iterdir()) == []


def test_a_bag_is_not_written_over_another(tmp_path):
    write(tmp_path / "bag")
    with pytest.raises(InvalidInputError, match="bag exists already; give another name"):
        BagSink(tmp_path / "bag")
    write(tmp_path / "bag.mcap", [SEEN])
    write(tmp_path / "bag.mcap", [SEEN, SEEN])
    assert len(read(tmp_path / "bag.mcap")["/tracker/status"]) == 2


@pytest.mark.parametrize("name", ["missing/bag", "missing/bag.mcap"])
def test_a_folder_that_is_missing_is_named(name, tmp_path):
    with pytest.raises(InvalidInputError, match="missing does not exist"):
        BagSink(tmp_path / name)


@pytest.mark.parametrize("limit_bytes", [100, 300_000])
def test_a_full_disk_is_an_error_that_says_where_the_rest_is(limit_bytes, tmp_path):
    noise = np.random.default_rng(0).integers(0, 2, (40, 480, 640)).astype(bool)
    refused = pytest.raises(InvalidInputError, match=r"bag .*bag.mcap cannot be written: .* what was written is in")
    with no_file_above(limit_bytes), refused, BagSink(tmp_path / "bag.mcap") as sink:
        for number, mask in enumerate(noise):
            sink.write(
                FrameHeader(number, "", number),
                mask.shape[::-1],
                Observation(TargetState.TRACKING, np.ones(4), 0.5, outline=FixedOutline(mask)),
            )
    assert not (tmp_path / "bag.mcap").exists()


def test_a_disk_that_is_full_at_the_end_leaves_an_older_bag(tmp_path):
    path = write(tmp_path / "bag.mcap", [SEEN])
    older = path.read_bytes()
    refused = pytest.raises(InvalidInputError, match="bag.mcap cannot be written: .* what was written is in")
    with no_file_above(100), refused:
        write(path, [LOST, LOST])
    assert path.read_bytes() == older
    assert not (tmp_path / "bag.partial.mcap").exists(), "it is in the folder that the error names"
