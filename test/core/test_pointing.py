# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The box that is found around a click."""

import contextlib
import math

import numpy as np
import pytest

from siam_tracker_ros import InvalidInputError, create_tracker
from siam_tracker_ros.core.pointing import LOOKS, SQUARES, box_at
from siam_tracker_ros.core.tracker import TrackResult
from siam_tracker_ros.demo.scene import Scene
from siam_tracker_ros.geometry import iou_xywh

IMAGE_BGR = np.zeros((100, 200, 3), np.uint8)
SHARE = 0.2


class Seeing:
    """A tracker that sees what `result(side)` says when it is started on a square, or a box, of a side in pixels."""

    siamese = None

    def __init__(self, result):
        self.result = result
        self.started = []

    def sharing(self, image_bgr):
        return contextlib.nullcontext()

    def start(self, image_bgr, box_xywh):
        self.started.append(box_xywh)
        return math.sqrt(box_xywh[2:].prod())

    def step(self, image_bgr, target, learn):
        assert not learn
        return target, self.result(target)


def seen(score, *boxes_xywh):
    """A result with a mask made of boxes."""
    mask = np.zeros(IMAGE_BGR.shape[:2], bool)
    for x, y, width, height in boxes_xywh:
        mask[y : y + height, x : x + width] = True
    return TrackResult(np.zeros(4), score, mask)


@pytest.mark.parametrize(
    "result",
    [
        TrackResult(np.array([40.0, 40.0, 20.0, 20.0]), 0.99),
        seen(0.99),
        seen(0.99, (100, 20, 30, 30)),
        seen(0.99, (49, 49, 3, 30)),
        seen(0.69, (40, 40, 30, 30)),
    ],
    ids=["model without masks", "empty mask", "mask elsewhere", "narrow mask", "low score"],
)
@pytest.mark.parametrize(
    "point, square",
    [((50.0, 50.0), (40, 40, 20, 20)), ((0.0, 100.0), (0, 90, 10, 10)), ((200.0, 0.0), (190, 0, 10, 10))],
)
def test_where_no_mask_tells_the_box_it_is_a_square_cut_off_at_the_image(result, point, square):
    np.testing.assert_allclose(box_at(Seeing(lambda side: result), IMAGE_BGR, point, SHARE), square)


def test_the_part_of_the_mask_at_the_point_is_the_box():
    tracker, looks = Seeing(lambda side: seen(0.9, (40, 30, 20, 40), (100, 0, 60, 60))), []
    box_xywh = box_at(tracker, IMAGE_BGR, (45.5, 60.9), SHARE, on_look=lambda: looks.append(len(tracker.started)))
    np.testing.assert_array_equal(box_xywh, (40, 30, 20, 40))
    assert looks == list(range(len(SQUARES) * LOOKS)), "one call before each look"
    assert [len(tracker.started), tracker.started[0].tolist()] == [len(SQUARES) * LOOKS, [41.5, 56.9, 8, 8]]
    assert {tuple(box_xywh) for box_xywh in tracker.started[1::LOOKS]} == {(40, 30, 20, 40)}, "the second looks"


def test_the_box_that_is_found_again_with_the_highest_score_is_taken():
    boxes = {8: (48, 48, 5, 5), 17: (45, 45, 12, 12), 37: (40, 40, 30, 20), 80: (0, 0, 200, 100)}
    scores = {5: 0.8, 12: 0.85, round(math.sqrt(600)): 0.9, round(math.sqrt(20000)): 0.88}

    def result(side):  # of a first look the mask, with a score that means nothing; of a second one the score
        if round(side) in boxes:
            return seen(0.99, boxes[round(side)])
        box_xywh = next(box for box in boxes.values() if round(math.sqrt(box[2] * box[3])) == round(side))
        return seen(scores[round(side)], box_xywh)

    np.testing.assert_array_equal(box_at(Seeing(result), IMAGE_BGR, (50, 50), SHARE), boxes[37])


def test_a_model_that_learns_is_asked_without_learning():
    learning, siamese = (Seeing(lambda side: seen(0.9, (40, 40, 20, 20))) for _ in range(2))
    learning.siamese = siamese
    np.testing.assert_array_equal(box_at(learning, IMAGE_BGR, (50, 50), SHARE), (40, 40, 20, 20))
    assert siamese.started and not learning.started


@pytest.mark.parametrize("point", [(-1, 50), (50, 101), (201, 50), (math.nan, 50), (50, math.inf)])
def test_a_point_outside_is_refused(point):
    with pytest.raises(InvalidInputError, match="outside the 200 x 100 image, expected one in it"):
        box_at(Seeing(lambda side: seen(0.9)), IMAGE_BGR, point, SHARE)


def test_a_click_on_a_rover_finds_it():
    scene, tracker = Scene(size_wh=(640, 480), frames=12), create_tracker("lite_online", device="cpu", precision="fp32")
    frame = scene[0]
    x, y, width, height = frame.box_xywh
    for share_x, share_y in ((0.5, 0.5), (0.3, 0.3)):
        click_xy = x + share_x * width, y + share_y * height
        assert iou_xywh(box_at(tracker, frame.image_bgr, click_xy, SHARE), frame.box_xywh) > 0.5
