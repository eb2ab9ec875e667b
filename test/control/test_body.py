# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import dataclasses
import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siam_tracker_ros.control.body import Attitudes, BodyServo, BodySettings
from siam_tracker_ros.control.drone_simulation import CAMERA_TILT, DRONE_SETTINGS, Drone, DroneLimits, fly
from siam_tracker_ros.control.line_filter import LineFilter
from siam_tracker_ros.control.motion_filter import NANO
from siam_tracker_ros.control.servo import ray_angles
from siam_tracker_ros.control.simulation import ray_along
from siam_tracker_ros.core.monitor import TargetState
from siam_tracker_ros.errors import InvalidInputError, InvalidSettingError

TRACKING, UNCERTAIN, LOST = TargetState.TRACKING, TargetState.UNCERTAIN, TargetState.LOST
AHEAD = (0.0, 0.0)
HERE = BodySettings(climb_gain=2.0, wanted_distance=5.0, max_reverse=0.5)


def ns(time_s):
    return round(time_s / NANO)


def quaternion(roll=0.0, pitch=0.0, yaw=0.0):
    """Of a body that is turned by yaw, then about its own y axis by pitch, then about its own x axis by roll."""
    (sr, cr), (sp, cp), (sy, cy) = ((math.sin(a / 2), math.cos(a / 2)) for a in (roll, pitch, yaw))
    return np.array(
        [
            sr * cp * cy - cr * sp * sy,
            cr * sp * cy + sr * cp * sy,
            cr * cp * sy - sr * sp * cy,
            cr * cp * cy + sr * sp * sy,
        ]
    )


def see(servo, direction, distance=5.0, state=TRACKING, start_s=0.0, images=8):
    """Show a servo some images of a target, and its place."""
    for number in range(images):
        time_ns = ns(start_s + number / 30)
        servo.see(time_ns, "a", state, ray_along(direction), 0.6 / distance)
        if state == TRACKING:
            servo.see_place(time_ns, ray_along(direction) * distance)


def twist(servo, start_s=0.3, count=20):
    """Return forward, up, and rate of yaw that are commanded after a while."""
    for number in range(count):
        command = servo.command(ns(start_s + number / 100))
    return np.array([*command.speeds, command.rates[0]])


@pytest.mark.parametrize(
    "direction, distance, signs",
    [
        (AHEAD, 5.0, (0, 0, 0)),
        ((0.2, 0.0), 5.0, (0, 0, 1)),  # to the left: yaw to the left, which is about z
        ((-0.2, 0.0), 5.0, (0, 0, -1)),
        ((0.0, -0.2), 5.0, (0, 1, 0)),  # above: up, which is along z
        ((0.0, 0.2), 5.0, (0, -1, 0)),
        (AHEAD, 9.0, (1, 0, 0)),  # too far away: forward, which is along x
        (AHEAD, 2.0, (-1, 0, 0)),
    ],
)
def test_commands_have_the_signs_of_rep_103(direction, distance, signs):
    servo = BodyServo(HERE)
    see(servo, direction, distance)
    assert np.array_equal(np.sign(twist(servo).round(3)), signs)


@pytest.mark.parametrize(
    "attitude, direction, expected",
    [
        (dict(), (0.3, -0.2), (0.3, -0.2)),
        (dict(yaw=2.0), (0.3, -0.2), (0.3, -0.2)),  # the heading stays
        (dict(pitch=0.25), AHEAD, (0.0, 0.25)),  # nose down: what is ahead is below the horizon
        (dict(pitch=-0.25, yaw=-1.0), (0.0, 0.25), AHEAD),
        (dict(roll=0.3), AHEAD, AHEAD),
        (dict(roll=math.pi / 2), (-0.2, 0.0), (0.0, 0.2)),  # right side down: what is to the right is below
        (dict(roll=-math.pi / 2), (0.2, 0.0), (0.0, 0.2)),
    ],
)
def test_the_tilt_of_the_body_is_taken_out_of_directions(attitude, direction, expected):
    attitudes = Attitudes()
    attitudes.add(ns(1.0), quaternion(**attitude))
    level = attitudes.level(ns(1.05))
    assert level is not None
    assert ray_angles(level @ ray_along(direction)) == pytest.approx(expected, abs=1e-9)


@settings(max_examples=60)
@given(st.floats(-1.2, 1.2), st.floats(-1.2, 1.2), st.floats(-3.1, 3.1), st.floats(-0.5, 0.5), st.floats(-0.5, 0.5))
def test_whatever_the_attitude_a_place_has_one_direction(roll, pitch, yaw, aside, up):
    q = quaternion(roll, pitch, yaw)
    axis = q[:3] / max(np.linalg.norm(q[:3]), 1e-12)
    rotation = cv2.Rodrigues(axis * 2 * math.atan2(np.linalg.norm(q[:3]), q[3]))[0]
    in_level = np.array([1.0, aside, up])  # x along the heading, y to the left, z up
    heading = math.atan2(rotation[1, 0], rotation[0, 0])
    in_world = cv2.Rodrigues(np.array([0, 0, heading]))[0] @ in_level
    x, y, z = rotation.T @ in_world
    attitudes = Attitudes()
    attitudes.add(ns(1.0), q)
    level = attitudes.level(ns(1.0))
    assert level is not None
    assert level @ (-y, -z, x) == pytest.approx((-aside, -up, 1.0), abs=1e-9)


def test_attitudes_between_two_are_interpolated_and_far_ones_are_unknown():
    attitudes = Attitudes()
    assert attitudes.newest_ns is None and attitudes.level(0) is None
    for time_s, pitch in ((1.0, 0.0), (1.1, 0.2), (0.5, 9.0)):  # the last one comes too late
        attitudes.add(ns(time_s), quaternion(pitch=pitch))
    for time_s, pitch in ((0.95, 0.0), (1.05, 0.1), (1.15, 0.2)):
        level = attitudes.level(ns(time_s))
        assert level is not None and ray_angles(level @ ray_along(AHEAD))[1] == pytest.approx(pitch, abs=1e-3)
    assert attitudes.level(ns(0.85)) is None and attitudes.level(ns(1.25)) is None
    attitudes.add(ns(100.0), quaternion(pitch=0.3))  # by a clock that was set afterwards
    attitudes.add(ns(2.0), quaternion(pitch=0.1))
    level = attitudes.level(ns(2.0))
    assert level is not None and ray_angles(level @ ray_along(AHEAD))[1] == pytest.approx(0.1)
    for number in range(5000):
        attitudes.add(ns(2 + number / 200), quaternion())
    assert len(attitudes._times_ns) <= 1001


@pytest.mark.parametrize("orientation", [(0, 0, 0, 0), (math.nan, 0, 0, 1), (0, 0, 0, 2)])
def test_what_is_no_rotation_is_refused(orientation):
    with pytest.raises(InvalidInputError, match="the orientation has the length .*, expected 1"):
        Attitudes().add(0, np.array(orientation, np.float64))


def test_a_body_on_end_has_no_level_frame():
    attitudes = Attitudes()
    attitudes.add(0, quaternion(pitch=math.pi / 2))
    assert attitudes.level(0) is None


def test_without_attitudes_it_stays_and_says_why():
    servo = BodyServo(dataclasses.replace(HERE, use_attitude=True))
    servo.tilt(ns(0.0), quaternion())
    see(servo, (0.2, 0.0), 9.0)
    assert twist(servo)[0] > 0
    see(servo, (0.2, 0.0), 9.0, start_s=0.8)
    command = servo.command(ns(1.1))
    assert command.reason == "no attitude of the last 0.5 s" and not command.speeds.any()


def test_a_nod_of_the_body_is_no_motion_of_the_target():
    def climbs(use_attitude):
        servo = BodyServo(dataclasses.replace(HERE, use_attitude=use_attitude))
        for number in range(8):
            pitch = 0.02 * number
            servo.tilt(ns(number / 30), quaternion(pitch=pitch))
            servo.see(ns(number / 30), "a", TRACKING, ray_along((0.0, -pitch)), 0.1)
        return abs(twist(servo)[1])

    assert climbs(True) == pytest.approx(0, abs=1e-3) and climbs(False) > 0.1


@pytest.mark.parametrize("tilt", [0.4, -0.4])
def test_a_tilted_camera_keeps_the_target_in_its_own_middle(tilt):
    servo = BodyServo(dataclasses.replace(HERE, camera_tilt=tilt))
    see(servo, AHEAD)
    assert np.abs(twist(servo)).max() < 1e-3
    see(servo, (0.0, 0.1), start_s=0.6)
    assert twist(servo, start_s=0.9)[1] < -0.05


def test_speeds_change_slowly_while_following_and_a_stop_is_at_once():
    servo = BodyServo(dataclasses.replace(HERE, approach_gain=10.0, max_speed=3.0, max_speed_change=2.0))
    see(servo, AHEAD, 20.0, images=60)
    before = servo.command(ns(2.0)).speeds
    for number in range(1, 40):
        speeds = servo.command(ns(2.0 + number / 100)).speeds
        assert np.abs(speeds - before).max() <= 2 / 100 + 1e-9 and speeds[0] <= 3 + 1e-9
        before = speeds
    assert before[0] > 0.7
    see(servo, AHEAD, state=LOST, start_s=2.4, images=1)
    assert not servo.command(ns(2.42)).speeds.any()


def test_in_doubt_it_goes_on_slower_and_in_a_while_stops():
    servo = BodyServo(dataclasses.replace(HERE, approach_gain=2.0, max_speed=2.0, max_speed_change=100.0))
    see(servo, AHEAD, 8.0)
    sure = twist(servo)[0]
    see(servo, (0.5, 0.5), state=UNCERTAIN, start_s=0.51, images=1)
    assert twist(servo, start_s=0.52, count=2)[0] == pytest.approx(0.5 * sure, rel=0.1)
    for number in range(40):
        see(servo, (0.5, 0.5), state=UNCERTAIN, start_s=0.55 + number / 30, images=1)
    command = servo.command(ns(1.9))
    assert command.reason.startswith("UNCERTAIN for more than") and not command.speeds.any()


@pytest.mark.parametrize("height, sign", [(0.05, 1), (0.1, 0), (0.2, -1)])
def test_the_size_tells_how_far_without_a_distance(height, sign):
    servo = BodyServo(BodySettings(wanted_height=0.1, max_reverse=0.5))
    for number in range(5):
        servo.see(ns(number / 30), "a", TRACKING, ray_along(AHEAD), height)
    assert np.sign(twist(servo)[0]) == sign
    servo = BodyServo(BodySettings(wanted_height=0.1))
    for number in range(5):
        servo.see(ns(number / 30), "a", TRACKING, ray_along(AHEAD), height)
    assert twist(servo)[0] >= 0, "by default it never reverses"


@pytest.mark.parametrize(
    "stamp_s, direction, is_first, counts",
    [
        (0.2, AHEAD, False, True),
        (0.2, AHEAD, True, True),
        (0.2, (0.2, 0.0), False, False),  # another target's
        (0.2, (0.2, 0.0), True, False),
        (0.1, AHEAD, False, False),
        (0.2, (math.nan, 0.0), False, False),
    ],
)
def test_a_place_counts_in_the_direction_of_its_image(stamp_s, direction, is_first, counts):
    servo = BodyServo(HERE)
    if is_first:
        servo.see_place(ns(stamp_s), ray_along(direction) * 9.0)
    servo.see(ns(0.2), "a", TRACKING, ray_along(AHEAD))
    if not is_first:
        servo.see_place(ns(stamp_s), ray_along(direction) * 9.0)
    reason = servo.command(ns(0.25)).reason
    assert reason == ("follow" if counts else "follow, without a distance")


def test_a_place_does_not_count_for_a_target_without_a_direction():
    servo = BodyServo(HERE)
    see(servo, AHEAD)
    servo.see(ns(0.3), "b", TRACKING, np.full(3, math.nan))
    servo.see_place(ns(0.3), ray_along(AHEAD) * 9.0)
    servo.see(ns(0.33), "b", TRACKING, ray_along(AHEAD))
    assert servo.command(ns(0.35)).reason == "follow, without a distance"


def test_a_predicted_direction_goes_with_the_place_of_its_image():
    servo = BodyServo(HERE)
    servo.see(ns(0.3), "a", TRACKING, ray_along(AHEAD), lead_ns=ns(0.1))
    servo.see_place(ns(0.2), ray_along(AHEAD) * 9.0)
    assert servo.command(ns(0.3)).reason == "follow"


def test_a_new_target_has_no_distance_yet():
    servo = BodyServo(HERE)
    see(servo, AHEAD, 9.0)
    servo.see(ns(0.3), "b", TRACKING, ray_along(AHEAD))
    command = servo.command(ns(0.35))
    assert command.reason == "follow, without a distance" and not command.speeds.any()


def test_distance_and_size_exclude_each_other():
    with pytest.raises(InvalidSettingError, match="wanted_height is 0.1 and wanted_distance 5, expected 0 for one"):
        BodySettings(wanted_height=0.1, wanted_distance=5.0).check()
    BodySettings(wanted_height=0.1).check()


def test_the_speed_of_a_place_is_learned_and_forgotten():
    line = LineFilter(0.5)
    assert line.at(0) is None
    for number in range(60):
        line.measure(ns(number / 30), 5 + 1.5 * number / 30, 0.05)
    place, speed = line.at(ns(2.5))
    assert place == pytest.approx(5 + 1.5 * 2.5, abs=0.05) and speed == pytest.approx(1.5, abs=0.05)
    assert line.at(ns(9.0)) is None and line.at(ns(1.0)) is None, "too late, and before"
    line.measure(ns(2.0), 100.0, 0.05)
    assert line.at(ns(2.0)) == (100.0, 0.0), "where its motion cannot have led it"


# ---- closed loops ----


def drone():
    return Drone(DroneLimits(), (0.0, 0.0, 0.3 + 6 * math.sin(CAMERA_TILT)), CAMERA_TILT)


def from_side_to_side(time_s):
    """At up to 0.5 rad/s as seen from where the drone starts, 6 m away."""
    angle, near = math.sin(0.3 + 0.5 * time_s) - math.sin(0.3), 6 * math.cos(CAMERA_TILT)
    return np.array([near * math.cos(angle), near * math.sin(angle), 0.3])


def sprint(time_s):
    """Stand still, sprint away at 2 m/s, and stop."""
    gone = np.interp(time_s, [0, 3, 6, 30], [0, 0, 6, 6])
    return np.array([6 * math.cos(CAMERA_TILT) + gone, 0.2 * gone, 0.3])


def rms(values):
    return float(np.sqrt(np.square(values).mean()))


def held(flight, after_s=2.0):
    """The distance from the middle over the width of a view of 60 degrees, root mean square."""
    errors = flight.errors[flight.times_s > after_s]
    return 554 / 640 * float(np.sqrt(np.square(errors).sum(1).mean()))


def test_compensation_of_latency_halves_the_error_at_least():
    with_it, without = (
        fly(BodyServo(dataclasses.replace(DRONE_SETTINGS, compensate_latency=on)), drone(), from_side_to_side, 12)
        for on in (True, False)
    )
    assert held(with_it) < 0.05
    assert held(with_it) < 0.5 * held(without)
    assert np.abs(with_it.distances - 6).max() < 0.3


def test_a_target_that_sprints_and_stops_is_caught_up_with():
    flight = fly(BodyServo(DRONE_SETTINGS), drone(), sprint, 16)
    assert np.abs(flight.tilts).max() > 0.1, "the drone tilted"
    assert np.abs(flight.distances - 6).max() < 3
    assert np.abs(flight.distances[flight.times_s > 13] - 6).max() < 0.3
    assert np.abs(flight.errors).max() < 0.4, "in view"
    assert held(flight, 13) < 0.05


def test_the_tilt_throws_it_off_without_the_attitude():
    quick = dataclasses.replace(DRONE_SETTINGS, distance_agility=0.5)  # tilts more
    with_it, without = (
        fly(BodyServo(dataclasses.replace(quick, use_attitude=on)), drone(), sprint, 12) for on in (True, False)
    )
    climb, climb_without = (np.abs(flight.commands[:, 1]).max() for flight in (with_it, without))
    assert climb < 0.6 * climb_without
    assert rms(with_it.errors[:, 1]) < 0.9 * rms(without.errors[:, 1])


def test_it_stops_after_a_loss_and_takes_up_the_target_again():
    def state(time_s):
        return LOST if 6 <= time_s < 9 else TRACKING

    flight = fly(BodyServo(DRONE_SETTINGS), drone(), from_side_to_side, 15, state=state)
    times = flight.command_times_s
    moving = times[(np.abs(flight.commands).max(1) > 0) & (times < 9)]
    assert 6 < moving[-1] < 6 + 0.08 + 0.3
    assert np.abs(flight.errors[flight.times_s > 12.5]).max() < 0.1


@pytest.mark.parametrize("latency_s", [0.03, 0.2])
@pytest.mark.parametrize("delay_s", [0.03, 0.12])
def test_the_loop_is_stable_at_other_latencies_and_delays(latency_s, delay_s):
    limits = DroneLimits(delay_s=delay_s)
    slow = Drone(limits, (0.0, 0.0, 0.3 + 6 * math.sin(CAMERA_TILT)), CAMERA_TILT)
    flight = fly(BodyServo(DRONE_SETTINGS), slow, lambda time_s: np.array([7.5, 1.5, 0.3]), 14, latency_s=latency_s)
    assert np.abs(flight.errors[flight.times_s > 10]).max() < 0.1
    assert flight.distances[-1] == pytest.approx(6, abs=0.3)
