# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import threading
from types import SimpleNamespace

import pytest
from builtin_interfaces.msg import Time
from std_msgs.msg import Header

from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.node.frame_buffer import Frame, FrameBuffer, catch_up_frames, find_frame, is_next_frame

MILLISECOND = 10**6  # nanoseconds


def stamp(milliseconds):
    return Time(sec=int(milliseconds) // 1000, nanosec=round(milliseconds * MILLISECOND) % 10**9)


def frame(milliseconds=0, size=10, received=None, frame_id="camera"):
    """A frame of a stamp, which came in at the second `received`, or as if it had taken no time."""
    header = Header(stamp=stamp(milliseconds), frame_id=frame_id)
    return Frame(
        SimpleNamespace(data=bytes(size), header=header), milliseconds / 1000 if received is None else received
    )


def milliseconds(frames):
    return [frame.stamp_ns // MILLISECOND for frame in frames]


@pytest.mark.parametrize(
    "max_seconds, max_bytes, sizes, kept",
    [
        (9, 1000, [], []),
        (9, 1000, [10] * 5, [0, 1000, 2000, 3000, 4000]),
        (2, 1000, [10] * 5, [2000, 3000, 4000]),
        (1.99, 1000, [10] * 5, [3000, 4000]),
        (0, 1000, [10] * 5, [4000]),
        (9, 30, [10] * 5, [2000, 3000, 4000]),
        (9, 29, [10] * 5, [3000, 4000]),
        (9, 5, [10] * 5, [4000]),
        (1, 30, [10] * 5, [3000, 4000]),
        (9, 30, [10, 10, 30], [2000]),
        (9, 30, [31, 0, 0], [1000, 2000]),
    ],
)
def test_the_buffer_is_bounded_in_seconds_and_bytes_and_keeps_the_newest(max_seconds, max_bytes, sizes, kept):
    buffer = FrameBuffer(max_seconds, max_bytes)
    assert buffer.extent() == (0, 0)
    for number, size in enumerate(sizes):
        buffer.append(frame(1000 * number, size))
    assert milliseconds(buffer.snapshot()) == kept
    if kept:
        assert buffer.extent() == ((kept[-1] - kept[0]) / 1000, sum(sizes[-len(kept) :]))
    buffer.clear()
    assert buffer.snapshot() == [] and buffer.extent() == (0, 0)
    buffer.append(frame(7, max_bytes))
    assert milliseconds(buffer.snapshot()) == [7]


def test_seconds_are_those_of_arrival_whatever_the_stamps():
    buffer = FrameBuffer(1.0, 1000)
    for received, stamp_ms in enumerate((0, 0, 90_000, 10)):
        buffer.append(frame(stamp_ms, received=received / 2))
    assert milliseconds(buffer.snapshot()) == [0, 90_000, 10]


@pytest.mark.parametrize("end", [lambda buffer: buffer.append(frame(2)), FrameBuffer.clear])
def test_a_newer_frame_or_the_end_of_all_ends_the_wait(end):
    buffer = FrameBuffer(9, 1000)
    first = frame(1)
    buffer.append(first)
    buffer.wait_for_next(first, timeout_s=0)  # no frame comes
    thread = threading.Thread(target=buffer.wait_for_next, args=(first, 30))
    thread.start()
    end(buffer)
    thread.join(10)
    assert not thread.is_alive()
    buffer.wait_for_next(first, timeout_s=30)  # is over at once


STEADY = [0, 100, 200, 300, 400, 500]  # milliseconds
ONE_LOST = [0, 100, 200, 400, 500, 600]
LOOPED = [300, 400, 500, 0, 100, 200]
STILL = [0, 100, 100, 100, 200, 300]


@pytest.mark.parametrize(
    "stamps, wanted, found",
    [
        (STEADY, 0, 5),  # zero: the newest
        (STEADY, 100, 1),
        (STEADY, 149.999, 1),
        (STEADY, 150.001, 2),
        (STEADY, 550, 5),
        (STEADY, 550.001, None),
        (STEADY, 77_000, None),
        ([100, 200, 300], 50, 0),
        ([100, 200, 300], 49.999, None),
        (ONE_LOST, 300, None),
        (ONE_LOST, 250, 2),
        (ONE_LOST, 251, None),
        (LOOPED, 400, 1),
        (LOOPED, 90, 4),
        ([100, 200, 300, 100, 200], 100, 3),  # of equal stamps the newest
        (STILL, 100, 3),
        ([100, 100], 100, 1),
        ([100, 100], 101, None),  # no period is known
        ([100], 100, 0),
        ([100], 101, None),
    ],
)
def test_a_stamp_finds_its_image_or_the_nearest_within_half_a_frame_period(stamps, wanted, found):
    frames = [frame(ms) for ms in stamps]
    header = Header(stamp=stamp(wanted))
    if found is not None:
        assert find_frame(frames, header, "/image") is frames[found]
        return
    with pytest.raises(InvalidInputError, match="the nearest is .* s away; expected .* raise frame_buffer_s"):
        find_frame(frames, header, "/image")


@pytest.mark.parametrize("stamps", [STEADY, LOOPED])
def test_the_refusal_of_a_stamp_says_how_far_off_it_is(stamps):
    with pytest.raises(InvalidInputError) as error:
        find_frame([frame(ms) for ms in stamps], Header(stamp=stamp(1750)), "/image")
    assert "no image of stamp 1.750000000 is kept, the nearest is 1.25 s away" in str(error.value)
    assert "the 6 images from 0.000000000 to 0.500000000" in str(error.value)


@pytest.mark.parametrize("wanted", [0, 100, 130])
def test_another_frame_id_is_refused_for_the_nearest_image_too(wanted):
    frames = [frame(ms) for ms in (0, 100, 200)]
    with pytest.raises(InvalidInputError, match="frame_id is 'other', expected 'camera'"):
        find_frame(frames, Header(stamp=stamp(wanted), frame_id="other"), "/image")


@pytest.mark.parametrize(
    "stamps, wanted, expected",
    [
        ([], 100, False),
        ([100], 101, False),
        (STEADY, 0, False),
        (STEADY, 500, False),
        (STEADY, 550, False),  # the newest image is as near
        (STEADY, 551, True),
        (STEADY, 600, True),
        (STEADY, 650, True),
        (STEADY, 651, False),
        (ONE_LOST, 700, True),
        (LOOPED, 210, False),
        (LOOPED, 300, False),  # the image of the loop before has exactly this stamp
        (LOOPED, 290, True),
    ],
)
def test_a_stamp_just_ahead_is_that_of_the_next_frame(stamps, wanted, expected):
    assert is_next_frame([frame(ms) for ms in stamps], Header(stamp=stamp(wanted))) is expected


@pytest.mark.parametrize(
    "frames, seconds_per_frame, chosen",
    [
        (1, 0.001, [1]),
        (1, 9.0, [1]),
        (8, 0.0, [1, 2, 3, 4, 5, 6, 7, 8]),
        (8, 0.05, [1, 2, 3, 4, 5, 6, 7, 8]),
        (8, 0.1, [2, 4, 6, 8]),
        (8, 0.2, [4, 8]),
        (8, 0.3, [8]),
        (8, 9.0, [8]),
        (7, 0.1, [2, 4, 7]),
    ],
)
def test_frames_to_catch_up_are_even_and_end_at_the_last(frames, seconds_per_frame, chosen):
    start, *later = [Frame(number, received=number / 10) for number in range(frames + 1)]
    assert [frame.msg for frame in catch_up_frames(start, later, seconds_per_frame)] == chosen
