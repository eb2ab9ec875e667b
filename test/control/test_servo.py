# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest

from siam_tracker_ros.control.motion_filter import NANO
from siam_tracker_ros.control.servo import Servo, ServoSettings, Turning
from siam_tracker_ros.control.simulation import HeadLimits, Run, ray_along, simulate
from siam_tracker_ros.core.monitor import TargetState

TRACKING, UNCERTAIN, LOST, IDLE = TargetState.TRACKING, TargetState.UNCERTAIN, TargetState.LOST, TargetState.IDLE


USUAL = ServoSettings()


def constant(time_s: float) -> tuple[float, float]:
    return 0.5 * time_s, 0.0


def sine(time_s: float) -> tuple[float, float]:
    return 0.5 * math.sin(time_s), 0.1 * math.sin(1.3 * time_s)


def rms(run: Run, after_s: float = 2.0) -> float:
    return float(np.sqrt(np.square(run.errors[run.times_s > after_s]).sum(1).mean()))


def ns(time_s):
    return round(time_s / NANO)


def servo_that_sees(direction, settings=USUAL, state=TRACKING, images=5):
    servo = Servo(settings)
    for number in range(images):
        servo.see(ns(number / 30), "a", state, ray_along(direction))
    return servo


@pytest.mark.parametrize(
    "direction, signs", [((0.2, 0), (1, 0)), ((-0.2, 0), (-1, 0)), ((0, 0.2), (0, 1)), ((0, -0.2), (0, -1))]
)
def test_the_camera_turns_towards_the_target(direction, signs):
    servo = servo_that_sees(direction)
    rates = [servo.command(ns(time_s)).rates for time_s in (0.2, 0.25, 0.3)]
    assert np.array_equal(np.sign(rates[-1].round(6)), signs)


def test_the_first_command_is_bounded_by_the_acceleration_and_later_ones_by_the_rate():
    settings = ServoSettings(max_rate=0.7, max_acceleration=5)
    servo = servo_that_sees((1.0, 0.5), settings)
    before = np.zeros(2)
    servo.command(ns(0.2))
    for number in range(1, 20):
        rates = servo.command(ns(0.2 + number / 100)).rates
        assert np.abs(rates - before).max() <= 5 / 100 + 1e-9 and np.abs(rates).max() <= 0.7 + 1e-9
        before = rates
    assert before[0] == pytest.approx(0.7)


@pytest.mark.parametrize("path", [constant, sine])
def test_compensation_of_latency_halves_the_error_at_least(path):
    with_it, without = (rms(simulate(Servo(ServoSettings(compensate_latency=on)), path, 12)) for on in (True, False))
    assert with_it < 0.5 * without
    assert with_it < 0.05 * 640 / 554  # 5 % of a view of 60 degrees


@pytest.mark.parametrize("latency_s", [0.02, 0.08, 0.15, 0.3])
@pytest.mark.parametrize("command_rate", [30, 100])
def test_the_loop_is_stable_at_long_latencies(latency_s, command_rate):
    run = simulate(
        Servo(ServoSettings()), lambda time_s: (0.3, -0.1), 10, latency_s=latency_s, command_rate=command_rate
    )
    assert np.abs(run.errors[run.times_s > 5]).max() < 0.025
    assert np.abs(run.errors[:, 0]).max() < 0.31, "it overshoots"


@pytest.mark.parametrize("delay_s", [0.03, 0.12])
def test_a_wrong_actuation_delay_is_borne(delay_s):
    run = simulate(Servo(ServoSettings(actuation_delay_s=0.1)), sine, 12, limits=HeadLimits(delay_s=delay_s))
    assert rms(run) < 0.06


@pytest.mark.parametrize("state, reason", [(LOST, "LOST"), (IDLE, "no target")])
def test_the_camera_stops_soon_after_a_loss(state, reason):
    run = simulate(Servo(ServoSettings()), constant, 4, state=lambda time_s: TRACKING if time_s < 2 else state)
    moving = run.command_times_s[np.abs(run.rates).max(1) > 0]
    assert 2 < moving[-1] < 2 + 0.08 + 0.3
    assert run.reasons[-1] == reason


def test_it_coasts_for_a_while_and_slows_down_in_doubt():
    settings = ServoSettings(max_coast_s=0.5, uncertain_speed=0.5)
    run = simulate(Servo(settings), constant, 5, state=lambda time_s: TRACKING if time_s < 3 else UNCERTAIN)
    reasons = dict(zip(run.command_times_s.round(3), run.reasons))
    assert reasons[2.9] == "follow" and reasons[3.3] == "coast" and reasons[3.9].startswith("UNCERTAIN for more than")
    coasting = run.rates[np.array(run.reasons) == "coast"][-5:, 0]
    assert (coasting > 0.2).all() and (coasting <= 0.5 * 1.0 + 1e-9).all()
    assert not run.rates[-1].any()


def test_what_an_uncertain_box_says_is_not_followed():
    servo = servo_that_sees((0.2, 0.0))
    servo.see(ns(0.2), "a", UNCERTAIN, ray_along((-1.5, 0.0)))
    assert [servo.command(ns(0.2 + number / 50)).rates[0] > 0 for number in range(5)] == [False] + [True] * 4


def test_it_takes_up_the_target_again_after_it_returned():
    def state(time_s):
        return LOST if 3 <= time_s < 5 else TRACKING

    run = simulate(Servo(ServoSettings()), sine, 9, state=state)
    assert np.abs(run.errors[run.times_s > 6.5]).max() < 0.06


@pytest.mark.parametrize("stops_s", [1.0, 2.5])
def test_it_stops_without_new_images(stops_s):
    servo = servo_that_sees((0.2, 0.0), ServoSettings(stale_s=0.3), images=int(stops_s * 30))
    rates = {round(time_s, 2): servo.command(ns(time_s)) for time_s in np.arange(stops_s, stops_s + 1.0, 0.02)}
    assert not rates[round(stops_s + 0.9, 2)].rates.any()
    assert rates[round(stops_s + 0.9, 2)].reason == "no answer for an image of the last 0.3 s"


def test_stamps_of_the_future_stop_it():
    servo = Servo(USUAL)
    servo.see(ns(100.0), "a", TRACKING, ray_along((0.3, 0.0)))
    commands = [servo.command(ns(time_s)) for time_s in (1.0, 1.1)]
    assert not commands[-1].rates.any() and commands[-1].reason.startswith("images have stamps of the future")
    assert servo.command(ns(99.9)).reason == "follow"


def test_it_searches_about_the_last_direction_and_gives_up():
    settings = ServoSettings(search="pan", search_after_s=0.5, search_rate=0.4, search_angle=0.3, max_search_s=6)
    run = simulate(
        Servo(settings), lambda time_s: (0.2, 0.0), 12, state=lambda time_s: TRACKING if time_s < 2 else LOST
    )
    looked = 0.2 - run.errors[:, 0]
    searching = (run.times_s > 2.8) & (run.times_s < 8)
    assert looked[searching].min() == pytest.approx(0.2 - 0.3, abs=0.05)
    assert looked[searching].max() == pytest.approx(0.2 + 0.3, abs=0.05)
    assert np.abs(run.rates[run.command_times_s > 2.5]).max() <= 0.4 + 1e-9
    assert not run.rates[-1].any() and run.reasons[-1] == "LOST"


def test_another_target_begins_anew():
    servo = servo_that_sees((0.4, 0.0))
    servo.see(ns(0.2), "b", LOST, np.full(3, np.nan))
    assert servo.command(ns(0.25)).reason == "LOST"
    servo.see(ns(0.3), "b", TRACKING, ray_along((-0.4, 0.0)))
    for number in range(4):
        rates = servo.command(ns(0.3 + number / 20)).rates
    assert rates[0] < 0


def test_an_image_that_comes_late_is_left_out():
    servo = servo_that_sees((0.2, 0.0))
    servo.see(ns(0.05), "a", LOST, ray_along((0.0, 0.0)))
    assert servo.command(ns(0.2)).reason == "follow"


def test_one_image_with_a_stamp_of_the_future_does_not_blind_it():
    servo = servo_that_sees((0.2, 0.0))
    servo.see(ns(1000.0), "a", TRACKING, ray_along((0.2, 0.0)))
    assert servo.command(ns(0.2)).reason.startswith("images have stamps of the future")
    servo.see(ns(0.2), "a", TRACKING, ray_along((0.2, 0.0)))
    assert servo.command(ns(0.25)).reason == "follow"


def test_a_clock_that_jumps_back_begins_anew():
    servo = servo_that_sees((0.2, 0.0))
    for time_s in (100.0, 100.1):
        servo.command(ns(time_s))
    command = servo.command(ns(0.5))
    servo.see(ns(0.5), "a", TRACKING, ray_along((0.2, 0.0)))
    assert not command.rates.any()
    assert servo.command(ns(0.55)).reason == "follow"


def test_directions_that_are_no_numbers_are_left_out():
    servo = Servo(ServoSettings())
    servo.see(ns(0.0), "a", TRACKING, np.array([np.nan, 0.0, 1.0]))
    command = servo.command(ns(0.05))
    assert not command.rates.any() and command.reason == "no direction of the target yet"


def test_turning_integrates_the_rates_from_when_they_act():
    turning = Turning()
    turning.turn(ns(1.0), np.array([1.0, 0.0]))
    turning.turn(ns(2.0), np.array([0.0, -2.0]))
    for time_s, angles in [(0.5, (0, 0)), (1.5, (0.5, 0)), (2.0, (1.0, 0)), (2.5, (1.0, -1.0))]:
        assert turning.angles(ns(time_s)) == pytest.approx(angles)
    turning.turn(ns(1.5), np.array([0.0, 0.0]))  # the delay was set to less
    assert turning.angles(ns(9.0)) == pytest.approx((0.5, 0))


def test_turning_keeps_a_bounded_past():
    turning = Turning()
    for number in range(5000):
        turning.turn(ns(number / 50), np.array([0.1, 0.0]))
    assert len(turning._parts) < 300
    assert turning.angles(ns(100.0))[0] == pytest.approx(10.0)
