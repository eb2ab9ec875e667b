# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import dataclasses

import cv2
import numpy as np
import pytest

from siam_tracker_ros.demo.clip import rendered_clip
from siam_tracker_ros.demo.scene import FRAMES, Scene
from siam_tracker_ros.errors import InvalidInputError

pytestmark = pytest.mark.slow

SIZE_WH = 320, 240
AWAY = slice(208, 290)  # frames in which the camera looks away, and those that show the target on its way out and in
LAP = 405


@pytest.fixture(scope="module", params=[0, 1, 20260])
def clip(request):
    """All frames of a scene, without the pictures but every 30th."""
    scene = Scene(size_wh=SIZE_WH, seed=request.param)
    return [f if i % 30 == 0 else dataclasses.replace(f, image_bgr=None) for i, f in enumerate(scene)]


def visibility(clip):
    return np.array([frame.visibility for frame in clip])


def boxes_xywh(clip):
    return np.array([frame.box_xywh for frame in clip])


def centers(boxes):
    return boxes[..., :2] + boxes[..., 2:] / 2


@pytest.mark.parametrize(
    "arguments, said",
    [
        ({"size_wh": (0, 0)}, "0 x 0"),
        ({"size_wh": (640, 40)}, "640 x 40"),
        ({"frames": 0}, "0 frames"),
        ({"frames": -3}, "-3 frames"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_refuses_what_it_cannot_draw(arguments, said):
    with pytest.raises(InvalidInputError, match=said):
        Scene(**arguments)


@pytest.mark.parametrize("index", [-1, 2, 1000])
def test_index_outside(index):
    with pytest.raises(IndexError, match=f"frame {index} .* 2 frames"):
        Scene(size_wh=(64, 48), frames=2)[index]


@pytest.mark.parametrize("size_wh", [(64, 48), (640, 480), (321, 241), (1280, 720), (480, 640)])
def test_frame_types(size_wh):
    (frame,) = Scene(size_wh=size_wh, frames=1, seed=3)
    width, height = size_wh
    assert frame.image_bgr.shape == (height, width, 3) and frame.image_bgr.dtype == np.uint8
    assert frame.image_bgr.flags.c_contiguous
    assert frame.mask.shape == (height, width) and frame.mask.dtype == bool
    assert frame.box_xywh.shape == (4,) and frame.box_xywh.dtype == np.float64
    assert frame.visible and frame.visibility == 1.0


def test_same_arguments_same_pixels():
    first, second = Scene(seed=5, frames=200), Scene(seed=5, frames=180)
    assert (len(first), len(second)) == (200, 180)
    for index in (0, 1, 150, 179):
        np.testing.assert_array_equal(first[index].image_bgr, second[index].image_bgr)
        np.testing.assert_array_equal(first[index].box_xywh, second[index].box_xywh)


def test_any_frame_can_be_drawn_again():
    scene = Scene(size_wh=(320, 240), frames=4)
    in_order = [frame.image_bgr for frame in scene]
    for index in (3, 0, 2, 2):
        np.testing.assert_array_equal(scene[index].image_bgr, in_order[index])


def test_seeds_and_frames_differ():
    scene, other = Scene(seed=0, frames=2), Scene(seed=1, frames=2)
    assert np.abs(np.int16(scene[0].image_bgr) - other[0].image_bgr).mean() > 5
    assert np.abs(np.int16(scene[0].image_bgr) - scene[1].image_bgr).mean() > 1


def test_box_bounds_the_mask(clip):
    for frame in clip:
        bounds = np.float64(cv2.boundingRect(frame.mask.astype(np.uint8)))
        if frame.visibility == 1:
            np.testing.assert_array_equal(frame.box_xywh, bounds)
        elif frame.visibility == 0:
            assert np.isnan(frame.box_xywh).all() and not frame.mask.any()
        else:
            assert (bounds[:2] >= frame.box_xywh[:2]).all()
            assert (bounds[:2] + bounds[2:] <= frame.box_xywh[:2] + frame.box_xywh[2:]).all()


def test_box_goes_on_beyond_the_border(clip):
    """What is cut off at the border is part of the box, and not of the visible part."""
    beyond = [frame for frame in clip[AWAY] if 0 < frame.visibility < 1]
    assert len(beyond) >= 4
    for frame in beyond:
        x, y, w, h = frame.box_xywh
        assert y < 0 or x + w > SIZE_WH[0]
        assert 20 <= w <= 60 and 20 <= h <= 60


def test_target_stays_in_the_frame_unless_the_camera_looks_away(clip):
    for x, y, w, h in boxes_xywh(clip[: AWAY.start] + clip[AWAY.stop :]):
        assert min(x, y) >= 10 and x + w <= 310 and y + h <= 230
        assert 15 <= w <= 60 and 15 <= h <= 60


def test_one_short_occlusion(clip):
    visible = visibility(clip[: AWAY.start])
    hidden = np.flatnonzero(visible < 0.5)
    assert 7 <= len(hidden) <= 20
    assert (np.diff(hidden) == 1).all() and 130 < hidden[0] and hidden[-1] < 170
    assert 0 < visible.min() < 0.35
    assert (visible[:120] == 1).all() and (visible[180:] == 1).all()


def test_target_leaves_over_one_edge_and_returns_over_another_one(clip):
    absent = np.flatnonzero(visibility(clip) == 0)
    assert 35 <= len(absent) <= 45 and (np.diff(absent) == 1).all()
    assert AWAY.start < absent[0] and absent[-1] < AWAY.stop and len(clip) - absent[-1] > 60
    (x, y), (back_x, back_y) = centers(boxes_xywh(clip)[[absent[0] - 1, absent[-1] + 1]])
    assert y < 10 and 80 < x < 240
    assert back_x > 310 and 60 < back_y < 180
    assert (visibility(clip[AWAY.stop :]) == 1).all()


def test_look_alikes_are_in_view_while_the_target_is_not(clip):
    in_view = [np.isfinite(frame.distractors_xywh).all(axis=1).any() for frame in clip if frame.visibility == 0]
    assert np.mean(in_view) > 0.7


@pytest.mark.parametrize("size_wh", [(640, 480), (1280, 720), (480, 640)])
def test_target_is_out_of_view_in_every_size(size_wh):
    scene = Scene(size_wh=size_wh)
    assert [scene[index].visibility for index in (232, 250, 264)] == [0, 0, 0]
    assert scene[205].visibility == scene[288].visibility == 1


def test_look_alikes_have_other_colours():
    """Each box is on its rover: the blue one is blue, and it has the target's size."""
    frame = Scene()[248]
    x, y, w, h = frame.distractors_xywh[3].astype(int)
    blue, green, red = np.moveaxis(np.float32(frame.image_bgr), -1, 0)
    blueness = blue - red
    assert blueness[y : y + h, x : x + w].mean() > blueness.mean() + 40
    assert 50 < w < 100 and 50 < h < 100


def test_target_moves_turns_and_scales(clip):
    for part in (clip[: AWAY.start], clip[AWAY.stop :]):
        steps = np.linalg.norm(np.diff(centers(boxes_xywh(part)), axis=0), axis=1)
        assert 0.25 < steps.mean() and steps.max() < 7
    areas = np.array([frame.mask.sum() for frame in clip if frame.visibility == 1])
    assert areas.max() > 1.3 * areas.min()
    in_view = boxes_xywh(clip)[visibility(clip) == 1]
    aspects = in_view[:, 2] / in_view[:, 3]
    assert aspects.max() > 1.3 > 1 / 1.1 > aspects.min()


def test_target_looks_unlike_the_ground(clip):
    """The mask lies on the rover: it is redder there than anywhere around it."""
    for frame in clip:
        if frame.image_bgr is None or not frame.visible:
            continue
        blue, green, red = np.moveaxis(np.float32(frame.image_bgr), -1, 0)
        redness = red - green
        assert redness[frame.mask].mean() > redness[~frame.mask].mean() + 20


@pytest.mark.parametrize("index", [150, 250])
def test_bridge_and_look_away_come_again_in_the_next_lap(index):
    scene = Scene(size_wh=(160, 120), frames=2 * LAP)
    assert not scene[index].visible and not scene[index + LAP].visible


def test_length_is_one_for_all():
    assert len(Scene()) == FRAMES == len(rendered_clip().scene)
