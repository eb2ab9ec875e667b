# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import dataclasses
import math

import cv2
import numpy as np
import pytest
from page_testing import decoded, parse_picture, picture_bgr, tracked

from siam_tracker_ros.core.monitor import TargetState
from siam_tracker_ros.core.outline import FixedOutline
from siam_tracker_ros.core.session import Observation
from siam_tracker_ros.page.pictures import MAX_SIDE, Picture, TargetView, encode_picture, mask_outline


def encoded(**fields):
    picture = Picture(**{"stamp_ns": 1, "image_bgr": picture_bgr()} | fields)
    return parse_picture(encode_picture(picture, number=3))


@pytest.mark.parametrize(
    ("size_wh", "sent_wh"),
    [
        ((1, 1), (1, 1)),
        ((MAX_SIDE, 1), (MAX_SIDE, 1)),
        ((2 * MAX_SIDE, 1), (MAX_SIDE, 1)),
        ((640, 480), (640, 480)),
        ((1920, 1080), (1280, 720)),
        ((1080, 1920), (720, 1280)),
    ],
)
def test_large_images_are_reduced_and_their_own_size_is_stated(size_wh, sent_wh):
    header, jpeg = encoded(image_bgr=picture_bgr(size_wh))
    assert header["size_wh"] == list(size_wh)
    assert decoded(jpeg).shape[1::-1] == sent_wh


def test_the_pixels_are_those_of_the_image():
    _, jpeg = encoded()
    assert np.abs(decoded(jpeg).astype(int) - picture_bgr()).mean() < 3


def test_a_stamp_keeps_its_nanoseconds():
    header, _ = encoded(stamp_ns=1796003962078104073)
    assert header["stamp_ns"] == "1796003962078104073"
    assert header["number"] == 3


def test_what_is_not_known_is_null():
    header, _ = encoded(targets=(TargetView("", Observation(TargetState.LOST)), tracked((1, 2, math.nan, 4))))
    lost, broken = header["targets"]
    assert header["latency_ms"] is None and header["position"] is None
    assert lost["confidence"] is None and lost["box_xywh"] is None and lost["outline"] == []
    assert broken["box_xywh"] is None


def test_a_target_is_described():
    header, _ = encoded(
        targets=[tracked((1.234, 2, 3, 4), TargetState.UNCERTAIN, [np.array([5.0, 6, 7, 8])], confidence=0.12345)],
        paused=True,
        position=(4, 30),
        latency_ms=12.3456,
    )
    assert (header["paused"], header["position"], header["latency_ms"]) == (True, [4, 30], 12.346)
    (target,) = header["targets"]
    assert (target["id"], target["state"], target["confidence"]) == ("target_1", "UNCERTAIN", 0.123)
    assert target["box_xywh"] == [1.23, 2, 3, 4]
    assert target["candidates_xywh"] == [[5, 6, 7, 8]]


@pytest.mark.parametrize("parts", [[], [(10, 20, 30, 40)], [(10, 20, 30, 40), (60, 5, 1, 1)], [(0, 0, 100, 80)]])
def test_the_outline_of_a_mask_is_that_of_its_parts(parts):
    mask = np.zeros((80, 100), bool)
    for x, y, width, height in parts:
        mask[y : y + height, x : x + width] = True
    outline = mask_outline(mask)
    assert len(outline) == len(parts)
    refilled = np.zeros(mask.shape, np.uint8)
    for part in outline:
        cv2.fillPoly(refilled, [np.int32(np.array(part) - 0.5)], 1)
    assert np.array_equal(refilled.astype(bool), mask)


def test_the_outline_of_a_round_mask_is_short_and_close():
    mask = np.zeros((240, 320), np.uint8)
    cv2.circle(mask, (160, 120), 80, 1, cv2.FILLED)
    (part,) = mask_outline(mask.astype(bool))
    assert len(part) < 60
    radius = np.hypot(*(np.array(part) - 160.5 + [0, 40]).T)
    assert np.abs(radius - 80).max() < 1.5


def test_a_rotated_box_stands_in_for_a_mask():
    corners = np.array([[1, 2], [5, 2], [5, 9], [1, 9.0]])
    target = tracked(outline=FixedOutline(polygon=corners))
    header, _ = encoded(targets=[target])
    assert header["targets"][0]["outline"] == [corners.tolist()]
    masked = dataclasses.replace(target.observation, outline=FixedOutline(np.ones((240, 320), bool), corners))
    header, _ = encoded(targets=[TargetView("a", masked)])
    assert header["targets"][0]["outline"] == [[[0.5, 0.5], [0.5, 239.5], [319.5, 239.5], [319.5, 0.5]]]
