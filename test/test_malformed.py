# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Malformed input at the doors that need no ROS: it is used, or refused with a sentence; nothing else is raised.

`benchmarks/fuzz.py` sends the same inputs to the real programs.
"""

import contextlib
import types
from random import Random

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from benchmarks import malformed
from siam_tracker_ros.control.camera import camera_from_info
from siam_tracker_ros.control.depth import measure_depth
from siam_tracker_ros.control.target_motion import MotionSettings, TargetMotion
from siam_tracker_ros.core.monitor import MonitorSettings
from siam_tracker_ros.errors import SiamTrackerError
from siam_tracker_ros.image_conversion import compressed_to_bgr, image_to_bgr, image_to_depth
from siam_tracker_ros.page.commands import SetValue, Start, parse_request
from siam_tracker_ros.settings import check_setting, parse_setting

SEEDS = st.integers(0, 2**32 - 1).map(Random)
MAX_BYTES = 50_000_000


def examples(count):
    return settings(derandomize=True, max_examples=count, deadline=None)


@contextlib.contextmanager
def at_the_door():
    """Refusals are sentences for people."""
    try:
        yield
    except SiamTrackerError as error:
        assert malformed.text_fault(str(error)) == "", str(error)


def fields_of(values):
    """Nested values as an object with attributes."""
    return types.SimpleNamespace(**{k: fields_of(v) if isinstance(v, dict) else v for k, v in values.items()})


@examples(300)
@given(SEEDS)
def test_images(random):
    msg = fields_of(malformed.image(random))
    with at_the_door():
        image_bgr = image_to_bgr(msg)
        assert image_bgr.shape == (msg.height, msg.width, 3) and image_bgr.dtype == np.uint8


@examples(200)
@given(SEEDS)
def test_compressed_images(random):
    with at_the_door():
        image_bgr = compressed_to_bgr(fields_of(malformed.compressed(random)))
        assert image_bgr.ndim == 3 and image_bgr.size <= MAX_BYTES


@examples(200)
@given(SEEDS)
def test_depth_images(random):
    with at_the_door():
        depth_m = measure_depth(
            image_to_depth(fields_of(malformed.depth(random))), malformed.SIZE_WH, np.array([20.0, 15.0, 20.0, 20.0])
        )
        assert 0 < depth_m < np.inf


@examples(300)
@given(SEEDS)
@pytest.mark.filterwarnings("error")
def test_camera_infos(random):
    with at_the_door():
        camera = camera_from_info(fields_of(malformed.camera_info(random)), is_rectified=False)
        camera.check_size(malformed.SIZE_WH)
        motion = TargetMotion(MotionSettings(), camera, malformed.SIZE_WH)
        for number in range(3):
            estimate = motion.observe(number * 10**8, np.array([30.0 + number, 20, 12, 10, 0]), is_trusted=True)
            norm = np.linalg.norm(estimate.ray)
            assert np.isnan(norm) or norm == pytest.approx(1)


@examples(300)
@given(SEEDS)
def test_requests_of_the_page(random):
    message = malformed.page_message(random)
    with at_the_door():
        request = parse_request(message if isinstance(message, str) else "")
        if isinstance(request, tuple) and isinstance(request[1], SetValue):
            check_setting(MonitorSettings, request[1].name, request[1].value)
        if isinstance(request, tuple) and isinstance(request[1], Start):
            assert np.isfinite(request[1].box_xywh).all()


@examples(100)
@given(SEEDS)
def test_settings(random):
    defaults = {"lr": 0.5, "lost_frames": 5, "settings": ("",), "intensity_range": "auto"}
    name, value = malformed.parameter(random, defaults)
    with at_the_door():
        check_setting(MonitorSettings, name, value)
    for text in value if isinstance(value, list) else [value]:
        with at_the_door():
            check_setting(MonitorSettings, *parse_setting(str(text)[:2000]))


@pytest.mark.parametrize(
    "value",
    ["lr=" + "[" * 500, "lr=0x" + "f" * 5000, "lr=" + "9" * 5000, "lr=1e999", "x" * 10**5 + "=1", "lr=2026-13-01"],
)
def test_a_setting_that_no_number_can_be_is_refused_with_a_sentence(value):
    with pytest.raises(SiamTrackerError) as refusal:
        check_setting(MonitorSettings, *parse_setting(value))
    assert malformed.text_fault(str(refusal.value)) == ""
