# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The camera protocol, without links: time and the tracker's answers are the test's."""

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mavlink_testing import (
    ACCEPTED,
    CAMERA,
    DENIED,
    FAILED,
    IN_PROGRESS,
    INFORMATION,
    QGROUNDCONTROL,
    REJECTED,
    REQUEST_MESSAGE,
    SET_INTERVAL,
    STOP_TRACKING,
    TRACK_POINT,
    TRACK_RECTANGLE,
    TRACKING_STATUS,
    UNSUPPORTED,
    Bench,
    command_long,
    fields,
    kinds,
    mavlink,
    results,
    texts,
)

from siam_tracker_ros.core.monitor import TargetState
from siam_tracker_ros.mavlink.camera import REPEAT_S, STALE_S, UNCOUNTED_REPEAT_S
from siam_tracker_ros.mavlink.stations import SILENCE_S

NAN = math.nan
BOX = (0.25, 0.5, 0.75, 0.625)  # corners, exact in float32
BOX_CXCYWH = [0.5, 0.5625, 0.5, 0.125]
SECOND = (192, 1)  # another ground station
SETTINGS, STORAGE, CAPTURE = (
    getattr(mavlink, f"MAVLINK_MSG_ID_{n}") for n in ("CAMERA_SETTINGS", "STORAGE_INFORMATION", "CAMERA_CAPTURE_STATUS")
)
STREAM, STREAM_STATUS = (getattr(mavlink, f"MAVLINK_MSG_ID_VIDEO_STREAM_{n}") for n in ("INFORMATION", "STATUS"))


def statuses(messages):
    return [message for message in messages if message.get_type() == "CAMERA_TRACKING_IMAGE_STATUS"]


def track(bench, corners=BOX):
    """Start on a rectangle and see it tracked."""
    assert results(bench.command(TRACK_RECTANGLE, *corners)) == [(TRACK_RECTANGLE, IN_PROGRESS)]
    bench.tracker.answer()
    assert results(bench.take()) == [(TRACK_RECTANGLE, ACCEPTED)]
    bench.report(TargetState.TRACKING, np.array(BOX))


def test_ground_control_asks_and_is_answered_in_its_order():
    """As QGroundControl does: it hears a heartbeat, asks for what the camera can do, for its state, tracks, stops."""
    bench = Bench()
    bench.camera.tick()
    (heartbeat,) = bench.take()
    assert (heartbeat.get_srcSystem(), heartbeat.get_srcComponent()) == CAMERA
    assert fields(heartbeat) == {
        "type": mavlink.MAV_TYPE_CAMERA,
        "autopilot": mavlink.MAV_AUTOPILOT_INVALID,
        "base_mode": 0,
        "custom_mode": 0,
        "system_status": mavlink.MAV_STATE_ACTIVE,
        "mavlink_version": 3,
    }
    bench.hear()
    bench.pass_time(0.5)

    acknowledgement, information = bench.command(REQUEST_MESSAGE, INFORMATION)
    assert fields(acknowledgement) == {
        "command": REQUEST_MESSAGE,
        "result": ACCEPTED,
        "progress": 0,
        "result_param2": 0,
        "target_system": QGROUNDCONTROL[0],
        "target_component": QGROUNDCONTROL[1],
    }
    assert fields(information) == {
        "time_boot_ms": 500,
        "vendor_name": list(b"siam_tracker_ros".ljust(32, b"\0")),
        "model_name": list(b"siam_tracker".ljust(32, b"\0")),
        "firmware_version": 0,
        "focal_length": None,
        "sensor_size_h": None,
        "sensor_size_v": None,
        "resolution_h": 640,
        "resolution_v": 480,
        "lens_id": 0,
        "flags": 512 | 1024,  # HAS_TRACKING_POINT, HAS_TRACKING_RECTANGLE
        "cam_definition_version": 0,
        "cam_definition_uri": "",
        "gimbal_device_id": 0,
        "camera_device_id": 0,
    }
    _, camera_settings = bench.command(REQUEST_MESSAGE, SETTINGS)
    assert (camera_settings.mode_id, fields(camera_settings)["zoomLevel"]) == (mavlink.CAMERA_MODE_VIDEO, None)
    _, storage = bench.command(mavlink.MAV_CMD_REQUEST_STORAGE_INFORMATION, 0, 1)
    assert (storage.storage_count, storage.status) == (0, mavlink.STORAGE_STATUS_NOT_SUPPORTED)
    _, capture = bench.command(mavlink.MAV_CMD_REQUEST_CAMERA_CAPTURE_STATUS, 1)
    assert (capture.image_status, capture.video_status, capture.available_capacity) == (0, 0, 0)

    (progress,) = bench.command(TRACK_RECTANGLE, *BOX)
    assert (progress.result, progress.progress) == (IN_PROGRESS, 255)
    assert results(bench.command(SET_INTERVAL, TRACKING_STATUS, 500_000)) == [(SET_INTERVAL, ACCEPTED)]
    assert bench.tracker.calls == [BOX_CXCYWH]
    bench.tracker.answer()
    assert results(bench.take()) == [(TRACK_RECTANGLE, ACCEPTED)]
    bench.report(TargetState.TRACKING, np.array(BOX))
    (status,) = bench.take()
    assert fields(status) == {
        "tracking_status": mavlink.CAMERA_TRACKING_STATUS_FLAGS_ACTIVE,
        "tracking_mode": mavlink.CAMERA_TRACKING_MODE_RECTANGLE,
        "target_data": mavlink.CAMERA_TRACKING_TARGET_DATA_IN_STATUS,
        "point_x": None,
        "point_y": None,
        "radius": None,
        "rec_top_x": 0.25,
        "rec_top_y": 0.5,
        "rec_bottom_x": 0.75,
        "rec_bottom_y": 0.625,
        "camera_device_id": 0,
    }

    assert results(bench.command(STOP_TRACKING)) == [(STOP_TRACKING, IN_PROGRESS)]
    bench.tracker.answer()
    assert bench.tracker.calls == [BOX_CXCYWH, None]
    assert results(bench.take()) == [(STOP_TRACKING, ACCEPTED)]
    assert results(bench.command(SET_INTERVAL, TRACKING_STATUS, -1)) == [(SET_INTERVAL, ACCEPTED)]
    bench.report(TargetState.IDLE)
    bench.pass_time(0.3)
    assert not statuses(bench.take())


@pytest.mark.parametrize(
    "number, params, message_id",
    [
        (mavlink.MAV_CMD_REQUEST_CAMERA_INFORMATION, [1], INFORMATION),
        (mavlink.MAV_CMD_REQUEST_CAMERA_SETTINGS, [1], SETTINGS),
        (mavlink.MAV_CMD_REQUEST_STORAGE_INFORMATION, [0, 1], STORAGE),
        (mavlink.MAV_CMD_REQUEST_CAMERA_CAPTURE_STATUS, [1], CAPTURE),
        (mavlink.MAV_CMD_REQUEST_VIDEO_STREAM_INFORMATION, [1], STREAM),
        (mavlink.MAV_CMD_REQUEST_VIDEO_STREAM_STATUS, [1], STREAM_STATUS),
    ],
)
def test_deprecated_requests_give_the_same_messages(number, params, message_id):
    bench = Bench(video_uri="rtsp://drone/video")
    old = bench.command(number, *params)
    new = bench.command(REQUEST_MESSAGE, message_id)
    assert results(old) == [(number, ACCEPTED)] and results(new) == [(REQUEST_MESSAGE, ACCEPTED)]
    assert fields(old[1]) == fields(new[1]) and old[1].get_msgId() == message_id


@pytest.mark.parametrize(
    "number, params, expected, words",
    [
        (mavlink.MAV_CMD_REQUEST_CAMERA_INFORMATION, [0], ACCEPTED, []),  # "do not request"
        (mavlink.MAV_CMD_REQUEST_CAMERA_INFORMATION, [2], DENIED, ["the parameter that asks is 2, expected 0 or 1"]),
        (mavlink.MAV_CMD_REQUEST_CAMERA_SETTINGS, [NAN], DENIED, ["the parameter that asks is nan, expected 0 or 1"]),
        (REQUEST_MESSAGE, [STORAGE, 2], DENIED, ["storage 2 is not there, expected 1, or 0 for all"]),
        (REQUEST_MESSAGE, [NAN], UNSUPPORTED, []),
        (REQUEST_MESSAGE, [1e30], UNSUPPORTED, []),
        (REQUEST_MESSAGE, [259.5], UNSUPPORTED, []),
        (REQUEST_MESSAGE, [mavlink.MAVLINK_MSG_ID_AUTOPILOT_VERSION], UNSUPPORTED, []),
        (REQUEST_MESSAGE, [STREAM], UNSUPPORTED, []),  # there is no video_uri
        (mavlink.MAV_CMD_REQUEST_VIDEO_STREAM_STATUS, [1], UNSUPPORTED, []),
        (mavlink.MAV_CMD_IMAGE_START_CAPTURE, [], UNSUPPORTED, []),
        (mavlink.MAV_CMD_COMPONENT_ARM_DISARM, [1], UNSUPPORTED, []),
        (65535, [NAN] * 7, UNSUPPORTED, []),
        (SET_INTERVAL, [INFORMATION, 1000], UNSUPPORTED, []),
        (SET_INTERVAL, [TRACKING_STATUS, NAN], DENIED, ["the interval is nan us, expected 0 for the usual one"]),
        (SET_INTERVAL, [TRACKING_STATUS, -2], DENIED, ["the interval is -2 us"]),
        (SET_INTERVAL, [TRACKING_STATUS, math.inf], DENIED, ["the interval is inf us"]),
        (TRACK_RECTANGLE, [NAN, 0, 1, 1], DENIED, ["corners (nan, 0) and (1, 1) expected in 0..1"]),
        (TRACK_RECTANGLE, [0.75, 0.5, 0.25, 0.625], DENIED, ["expected the top left one first"]),
        (TRACK_RECTANGLE, [0.5, 0.5, 0.5, 0.5], DENIED, ["the box is 0 x 0 pixels, expected at least 4 x 4"]),
        (TRACK_RECTANGLE, [*BOX, 3], DENIED, ["target camera id is 3, expected 0 or that of this camera, 100"]),
        (TRACK_POINT, [0.5, 1.5], DENIED, ["point (0.5, 1.5) expected in 0..1"]),
        (TRACK_POINT, [0.5, 0.5, 0, 6], DENIED, ["target camera id is 6"]),
        (STOP_TRACKING, [101], DENIED, ["target camera id is 101"]),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_sentence(number, params, expected, words):
    bench = Bench()
    answers = bench.command(number, *params)
    assert results(answers) == [(number, expected)]
    assert [w in text for w, text in zip(words, texts(answers), strict=True)] == [True] * len(words)
    assert set(kinds(answers)) <= {"COMMAND_ACK", "STATUSTEXT"}
    assert len(bench.said) == len(words) and not bench.tracker.calls


def test_the_video_is_announced():
    bench = Bench(video_uri="rtsp://drone:8554/video", model_name="nose")
    _, information = bench.command(REQUEST_MESSAGE, INFORMATION)
    assert information.flags & mavlink.CAMERA_CAP_FLAGS_HAS_VIDEO_STREAM
    _, stream = bench.command(REQUEST_MESSAGE, STREAM, 0)
    assert (stream.stream_id, stream.count, stream.type, stream.name, stream.uri) == (
        *(1, 1, mavlink.VIDEO_STREAM_TYPE_RTSP),
        *("nose", "rtsp://drone:8554/video"),
    )
    assert (stream.resolution_h, stream.resolution_v) == (640, 480)
    assert results(bench.command(REQUEST_MESSAGE, STREAM, 2)) == [(REQUEST_MESSAGE, DENIED)]


@pytest.mark.parametrize(
    "state, has_box, flags, mode, data",
    [
        (TargetState.IDLE, False, 0, 0, 0),
        (TargetState.TRACKING, True, 1, 2, 4),
        (TargetState.UNCERTAIN, True, 8, 2, 4),  # COASTING
        (TargetState.UNCERTAIN, False, 8, 2, 0),  # paused
        (TargetState.LOST, False, 2, 2, 0),  # ERROR
    ],
)
def test_states(state, has_box, flags, mode, data):
    bench = Bench()
    bench.report(state, np.array([-0.5, 0.25, 1.5, 0.75]) if has_box else None)
    acknowledgement, status = bench.command(REQUEST_MESSAGE, TRACKING_STATUS)
    assert acknowledgement.result == ACCEPTED
    assert (status.tracking_status, status.tracking_mode, status.target_data) == (flags, mode, data)
    corners = [fields(status)[f"rec_{name}"] for name in ("top_x", "top_y", "bottom_x", "bottom_y")]
    assert corners == ([0, 0.25, 1, 0.75] if has_box else [None] * 4), "the part in the image"


@pytest.mark.parametrize("box_xyxy", [[1.0, 0.2, 1.1, 0.4], [0.2, -0.3, 0.4, 0.0], [NAN, 0.2, 0.4, 0.4]])
def test_a_box_outside_of_the_image_is_not_shown(box_xyxy):
    bench = Bench()
    bench.report(TargetState.UNCERTAIN, np.array(box_xyxy))
    _, status = bench.command(REQUEST_MESSAGE, TRACKING_STATUS)
    assert (status.tracking_status, status.target_data, fields(status)["rec_top_x"]) == (8, 0, None)


def test_the_box_around_a_point_is_left_to_the_tracker():
    bench = Bench()
    bench.command(TRACK_POINT, 0.5, 0.25, 0.01)
    assert bench.tracker.calls == [[0.5, 0.25, 0, 0]]


def test_a_point_becomes_a_square_of_pixels_where_that_is_set():
    bench = Bench(point_box="square", point_size=0.25)
    bench.command(TRACK_POINT, 0.5, 0.5, 0.01)
    assert bench.tracker.calls == [[0.5, 0.5, 0.25, pytest.approx(0.25 * 640 / 480)]]
    bench = Bench(point_box="square", point_size=0.0)
    bench.command(TRACK_POINT, 0.5, 0.5, 0.125)
    assert bench.tracker.calls == [[0.5, 0.5, 0.25, pytest.approx(0.25 * 640 / 480)]]


def test_without_an_image_a_target_cannot_be_started_yet():
    bench = Bench(has_image=False)
    assert results(bench.command(TRACK_RECTANGLE, 0.5, 0.5, 0.4, 0.6)) == [(TRACK_RECTANGLE, DENIED)], "never"
    answers = bench.command(TRACK_RECTANGLE, *BOX)
    assert results(answers) == [(TRACK_RECTANGLE, REJECTED)]
    assert texts(answers) == [
        "no image has come from the tracker yet; check that the tracker and its camera run, then mark the target again"
    ]
    _, information = bench.command(REQUEST_MESSAGE, INFORMATION)
    assert (information.resolution_h, information.resolution_v) == (0, 0)
    bench.report(TargetState.IDLE, size_wh=(0, 0))  # paused from the start
    assert results(bench.command(TRACK_RECTANGLE, *BOX)) == [(TRACK_RECTANGLE, REJECTED)]
    bench.report(TargetState.IDLE)
    bench.report(TargetState.IDLE, size_wh=(0, 0))  # an image that cannot be used does not change the size
    assert results(bench.command(TRACK_RECTANGLE, *BOX)) == [(TRACK_RECTANGLE, IN_PROGRESS)]


@pytest.mark.parametrize("length", [1, 49, 50, 51, 100, 220])
def test_the_trackers_refusal_comes_whole(length):
    bench, sentence = Bench(), "".join(random.Random(length).choices("abc ,;", k=length - 1)) + "x"
    bench.command(TRACK_RECTANGLE, *BOX)
    bench.tracker.answer(False, sentence)
    answers = bench.take()
    assert results(answers) == [(TRACK_RECTANGLE, FAILED)] and texts(answers) == [sentence]
    assert bench.said == [f"MAVLink command refused: {sentence}"]


def test_texts_are_ascii_and_have_numbers_of_their_own():
    bench, parts = Bench(), []
    for _ in range(2):
        bench.command(TRACK_RECTANGLE, *BOX)
        bench.tracker.answer(False, "the target 'josé' " + 50 * "x")
        parts += [message for message in bench.take() if message.get_type() == "STATUSTEXT"]
    assert texts(parts) == ["the target 'jos?' " + 50 * "x"] * 2
    assert len({message.id for message in parts}) == 2


def test_a_repeated_command_starts_once():
    bench = Bench()
    bench.command(TRACK_RECTANGLE, *BOX)
    for confirmation in (0, 1, 2):  # while the tracker works
        again = bench.command(TRACK_RECTANGLE, *BOX, confirmation=confirmation)
        assert results(again) == [(TRACK_RECTANGLE, IN_PROGRESS)]
    bench.tracker.answer()
    bench.take()
    for confirmation in (3, 0):  # the answer was lost
        again = bench.command(TRACK_RECTANGLE, *BOX, confirmation=confirmation)
        assert results(again) == [(TRACK_RECTANGLE, ACCEPTED)]
    assert len(bench.tracker.calls) == 1


def test_a_repetition_that_comes_on_another_link_is_answered_there():
    bench = Bench(links=2)
    bench.command(TRACK_RECTANGLE, *BOX)
    assert results(bench.command(TRACK_RECTANGLE, *BOX, link=1)) == [(TRACK_RECTANGLE, IN_PROGRESS)]
    bench.tracker.answer()
    assert results(bench.take(1)) == [(TRACK_RECTANGLE, ACCEPTED)] and not results(bench.take(0))
    assert len(bench.tracker.calls) == 1


@pytest.mark.parametrize("confirmation, starts", [(0, 2), (1, 1)])
def test_a_refused_command_can_be_given_again_but_not_repeated(confirmation, starts):
    bench = Bench()
    bench.command(TRACK_RECTANGLE, *BOX)
    bench.tracker.answer(False, "the node is inactive")
    bench.take()
    expected = IN_PROGRESS if starts == 2 else FAILED
    again = bench.command(TRACK_RECTANGLE, *BOX, confirmation=confirmation)
    assert results(again) == [(TRACK_RECTANGLE, expected)]
    assert len(bench.tracker.calls) == starts


@pytest.mark.parametrize(
    "what",
    ["another station", "later", "another box between", "stopped between", "lost", "a counted one, much later"],
)
def test_what_looks_like_a_repetition_and_is_a_new_command(what):
    bench, options = Bench(), {}
    track(bench)
    if what == "another station":
        options = {"sender": SECOND}
    elif what == "later":
        bench.pass_time(UNCOUNTED_REPEAT_S + 0.2)
    elif what == "another box between":
        track(bench, (0, 0, 0.5, 0.5))
    elif what == "stopped between":
        bench.command(STOP_TRACKING)
        bench.tracker.answer()
    elif what == "lost":
        bench.report(TargetState.LOST)
    else:
        bench.pass_time(REPEAT_S + 0.2)
        options = {"confirmation": 1}
    bench.take()
    assert (TRACK_RECTANGLE, IN_PROGRESS) in results(bench.command(TRACK_RECTANGLE, *BOX, **options))
    assert bench.tracker.calls[-1] == BOX_CXCYWH and len(bench.tracker.waiting) == 1


def test_a_late_repetition_does_not_bring_a_stopped_target_back():
    bench = Bench()
    track(bench)
    bench.command(STOP_TRACKING)
    bench.tracker.answer()
    bench.take()
    assert results(bench.command(TRACK_RECTANGLE, *BOX, confirmation=1)) == [(TRACK_RECTANGLE, ACCEPTED)]
    assert bench.tracker.calls == [BOX_CXCYWH, None]


def test_a_stop_is_never_taken_for_a_repetition_that_does_not_count():
    bench = Bench()
    for calls in (1, 2):
        assert results(bench.command(STOP_TRACKING)) == [(STOP_TRACKING, IN_PROGRESS)]
        bench.tracker.answer()
        bench.take()
        assert bench.tracker.calls == [None] * calls


def test_one_target_is_started_at_a_time_and_a_stop_waits_for_it():
    bench = Bench()
    bench.command(TRACK_RECTANGLE, *BOX)
    answers = bench.command(TRACK_POINT, 0.5, 0.5)
    assert results(answers) == [(TRACK_POINT, REJECTED)]
    assert texts(answers) == [
        "another command has not been answered by the tracker yet; mark the target again in a moment"
    ]
    assert results(bench.command(STOP_TRACKING)) == [(STOP_TRACKING, IN_PROGRESS)]
    assert results(bench.command(STOP_TRACKING, confirmation=1)) == [(STOP_TRACKING, IN_PROGRESS)]
    assert len(bench.tracker.calls) == 1
    bench.tracker.answer()
    bench.tracker.answer()
    assert bench.tracker.calls == [BOX_CXCYWH, None]
    assert [result for result in results(bench.take()) if result[1] == ACCEPTED] == [
        (TRACK_RECTANGLE, ACCEPTED),
        (STOP_TRACKING, ACCEPTED),
    ]


def test_a_tracker_that_does_not_answer_is_waited_for_not_for_ever():
    bench = Bench(answer_timeout_s=5.0)
    bench.command(TRACK_RECTANGLE, *BOX)
    bench.pass_time(4.9)
    assert results(bench.take()) == [(TRACK_RECTANGLE, IN_PROGRESS)] * 4, "one each second"
    bench.pass_time(0.2)
    answers = bench.take()
    assert results(answers) == [(TRACK_RECTANGLE, FAILED)]
    assert texts(answers) == ["the tracker has not answered for 5 s; check that it runs"]
    bench.command(TRACK_POINT, 0.5, 0.5)
    bench.tracker.answer()  # of the first command, which has failed
    assert not results(bench.take())
    bench.tracker.answer()
    assert results(bench.take()) == [(TRACK_POINT, ACCEPTED)]


@pytest.mark.parametrize(
    "target, answered",
    [((1, 100), True), ((1, 0), True), ((0, 0), True), ((0, 100), True), ((2, 100), False), ((1, 101), False)],
)
def test_commands_to_others_are_left_alone(target, answered):
    bench = Bench()
    assert bool(bench.command(REQUEST_MESSAGE, INFORMATION, target=target)) is answered
    assert bool(bench.command(TRACK_RECTANGLE, *BOX, target=target)) is answered
    assert len(bench.tracker.calls) == answered
    # of what is sent to all components, another one may do what this one does not
    assert bool(bench.command(mavlink.MAV_CMD_COMPONENT_ARM_DISARM, 1, target=target)) is (answered and target[1] != 0)


def test_its_own_messages_that_a_router_sends_back_are_left_alone():
    bench = Bench()
    assert not bench.command(REQUEST_MESSAGE, INFORMATION, sender=CAMERA)


def test_other_messages_are_left_alone():
    bench = Bench()
    for message in (mavlink.MAVLink_ping_message(1, 2, *CAMERA), mavlink.MAVLink_param_request_list_message(*CAMERA)):
        bench.receive(message)
    assert not bench.take()


def test_command_int_is_taken():
    bench = Bench()
    bench.receive(mavlink.MAVLink_command_int_message(*CAMERA, 0, TRACK_RECTANGLE, 0, 0, *BOX, 100, 0, 0.0))
    assert results(bench.take()) == [(TRACK_RECTANGLE, IN_PROGRESS)] and bench.tracker.calls == [BOX_CXCYWH]
    bench.receive(mavlink.MAVLink_command_int_message(*CAMERA, 0, TRACK_RECTANGLE, 0, 0, *BOX, 1, 0, 0.0))
    assert results(bench.take()) == [(TRACK_RECTANGLE, DENIED)], "param 5, the camera's id, is x"


def play(bench, seconds, state=TargetState.TRACKING, fps=30):
    """Report at a rate; return the number of status messages on each link."""
    links = sorted({link for link, _ in bench.sent} | {0, 1})
    for link in links:
        bench.take(link)
    for _ in range(round(seconds * fps)):
        bench.now += 1 / fps
        bench.camera.tick()
        bench.report(state, np.array(BOX) if state in (TargetState.TRACKING, TargetState.UNCERTAIN) else None)
    return [len(statuses(bench.take(link))) for link in links]


@pytest.mark.parametrize(
    "interval_us, expected",
    [(500_000, 20), (100_000, 100), (0, 50), (-1, 0), (1, 300), (40_000, 250), (7e6, 1)],
)
def test_the_status_comes_at_the_interval_that_was_set(interval_us, expected):
    bench = Bench(links=2)
    bench.hear()
    track(bench)
    bench.command(SET_INTERVAL, TRACKING_STATUS, interval_us)
    play(bench, 0.1)
    count, silent = play(bench, 5)
    bench.hear()
    count += play(bench, 5)[0]
    assert abs(count - expected) <= 1 and silent == 0, "nobody is on the second link"


def test_the_status_also_comes_unasked_while_a_target_is_held_and_says_when_it_is_not():
    bench = Bench(status_rate=5.0)
    assert play(bench, 2) == [0, 0], "nobody has been heard"
    bench.hear()
    assert abs(play(bench, 2)[0] - 10) <= 1
    bench.report(TargetState.IDLE)
    (last,) = statuses(bench.take())
    assert last.tracking_status == 0
    assert play(bench, 2, TargetState.IDLE) == [0, 0]


def test_once_asked_for_the_status_comes_in_every_state_without_images_too():
    bench = Bench()
    bench.command(SET_INTERVAL, TRACKING_STATUS, 500_000)
    assert play(bench, 5, TargetState.IDLE)[0] == 10
    bench.pass_time(5)
    assert abs(len(statuses(bench.take())) - 10) <= 1


def test_a_change_of_state_is_told_at_once():
    bench = Bench()
    bench.command(SET_INTERVAL, TRACKING_STATUS, 10_000_000)
    told = []
    for state in (TargetState.TRACKING,) * 3 + (TargetState.LOST,) * 2 + (TargetState.UNCERTAIN, TargetState.IDLE):
        bench.now += 0.03
        bench.report(state)
        told += [status.tracking_status for status in statuses(bench.take())]
    assert told == [1, 2, 8, 0]


def test_each_station_has_its_interval_and_the_shortest_counts():
    bench = Bench(links=2)
    track(bench)
    bench.command(SET_INTERVAL, TRACKING_STATUS, 1_000_000)
    bench.command(SET_INTERVAL, TRACKING_STATUS, 200_000, sender=SECOND)
    bench.command(SET_INTERVAL, TRACKING_STATUS, 500_000, sender=(193, 1), link=1)
    assert play(bench, 4) == [pytest.approx(20, abs=1), pytest.approx(8, abs=1)]
    bench.command(SET_INTERVAL, TRACKING_STATUS, -1, sender=SECOND)
    assert play(bench, 4)[0] == pytest.approx(4, abs=1), "the other one is still served"


def test_a_station_that_is_not_heard_any_more_is_forgotten_and_may_come_back():
    bench = Bench()
    track(bench)
    bench.command(SET_INTERVAL, TRACKING_STATUS, 100_000)
    bench.pass_time(SILENCE_S + 0.2)
    assert play(bench, 2) == [0, 0]
    bench.hear()  # restarted, it has not asked yet
    assert play(bench, 2)[0] == pytest.approx(10, abs=1)


def test_a_restarted_camera_shows_the_target_that_the_tracker_holds():
    bench = Bench()
    bench.hear()
    bench.report(TargetState.TRACKING, np.array(BOX))
    (status,) = statuses(bench.take())
    assert status.tracking_status == 1


def test_a_silent_tracker_is_no_target_in_view():
    bench = Bench()
    bench.hear()
    track(bench)
    bench.pass_time(STALE_S - 0.15)
    assert {status.tracking_status for status in statuses(bench.take())} == {1}
    bench.pass_time(0.3)
    (error,) = statuses(bench.take())
    assert (error.tracking_status, error.target_data) == (2, 0)
    bench.pass_time(1)
    (heartbeat,) = [message for message in bench.take() if message.get_type() == "HEARTBEAT"]
    assert heartbeat.system_status == mavlink.MAV_STATE_STANDBY
    bench.report(TargetState.TRACKING, np.array(BOX))
    (back,) = statuses(bench.take())
    assert (back.tracking_status, back.rec_top_x) == (1, 0.25)


def test_the_heartbeat_comes_every_second_on_every_link():
    bench = Bench(links=3)
    bench.pass_time(10.05)
    for link in range(3):
        assert kinds(bench.take(link)) == ["HEARTBEAT"] * 10


def test_made_up_senders_do_not_fill_the_memory():
    bench = Bench()
    bench.report(TargetState.TRACKING, np.array(BOX))
    for number in range(2000):
        bench.command(SET_INTERVAL, TRACKING_STATUS, 1000, sender=(2 + number % 250, 1 + number // 250))
    assert len(bench.camera._stations._stations) == 64


@pytest.mark.parametrize("seed", range(20))
def test_losses_on_the_way_start_nothing_twice(seed):
    """A station that repeats as MAVLink asks, over a link that loses 40 % in each direction."""
    bench, chance = Bench(), random.Random(seed)
    bench.now += seed
    boxes = [(0, 0, 0.5, (8 + number) / 32) for number in range(10)]
    for corners in boxes:
        for confirmation in range(100):
            heard = []
            if chance.random() < 0.6:
                heard += bench.command(TRACK_RECTANGLE, *corners, confirmation=confirmation)
            if bench.tracker.waiting and chance.random() < 0.7:  # else the tracker is slower than the repetition
                bench.tracker.answer()
            heard = [message for message in heard + bench.take() if chance.random() < 0.6]
            if (TRACK_RECTANGLE, ACCEPTED) in results(heard):
                break
            bench.pass_time(0.5)
        else:
            pytest.fail("never acknowledged")
    assert [box[3] for box in bench.tracker.calls] == [corners[3] for corners in boxes]


FLOATS = st.floats(width=32) | st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0, -1.0, 259.0, 275.0, NAN, math.inf])


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [
                    *(TRACK_POINT, TRACK_RECTANGLE, STOP_TRACKING, REQUEST_MESSAGE, SET_INTERVAL),
                    *(521, 522, 525, 527, 2504, 2505, 400),
                ]
            ),
            st.lists(FLOATS, min_size=7, max_size=7),
            st.integers(0, 255),
            st.sampled_from(["", "answer", "refuse", "wait"]),
        ),
        max_size=20,
    )
)
def test_every_command_gets_one_answer(commands):
    bench = Bench(video_uri="udp://0.0.0.0:5600")
    for number, params, confirmation, then in commands:
        answers = bench.command(number, *params, confirmation=confirmation)
        assert [command for command, _ in results(answers)] == [number]
        if then == "wait":
            bench.pass_time(6)
        elif then and bench.tracker.waiting:
            bench.tracker.answer(then == "answer", "a sentence")
        bench.report(TargetState.TRACKING, np.array(BOX))
        bench.take()
    while bench.tracker.waiting:
        bench.tracker.answer()
    bench.take()
    assert results(bench.command(STOP_TRACKING)) == [(STOP_TRACKING, IN_PROGRESS)], "it still takes commands"


def test_a_command_that_is_not_whole_is_filled_with_zeros():
    """MAVLink 2 leaves zeros at the end of a frame out."""
    bench = Bench()
    frame = command_long(STOP_TRACKING).pack(mavlink.MAVLink(None, *QGROUNDCONTROL))
    assert len(frame) < 12 + 33
    assert results(bench.command(STOP_TRACKING)) == [(STOP_TRACKING, IN_PROGRESS)]
