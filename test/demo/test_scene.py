# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0

import cv2
import numpy as np
import pytest

from siam_tracker_ros.demo.scene import Scene
from siam_tracker_ros.errors import InvalidInputError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=[0, 1, 20260])
def clip(request):
    """All 300 frames of a scene, without the pictures but every 30th."""
    scene = Scene(size_wh=(320, 240), seed=request.param)
    return [(f if i % 30 == 0 else None, f.box_xywh, f.visibility, f.mask) for i, f in enumerate(scene)]


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
    for _, box_xywh, visibility, mask in clip:
        bounds = np.float64(cv2.boundingRect(mask.astype(np.uint8)))
        if visibility == 1:
            np.testing.assert_array_equal(box_xywh, bounds)
        else:
            assert (bounds[:2] >= box_xywh[:2]).all()
            assert (bounds[:2] + bounds[2:] <= box_xywh[:2] + box_xywh[2:]).all()


def test_target_stays_in_the_frame(clip):
    for _, (x, y, w, h), _, _ in clip:
        assert min(x, y) >= 10 and x + w <= 310 and y + h <= 230
        assert 15 <= w <= 60 and 15 <= h <= 60


def test_one_short_occlusion(clip):
    visibility = np.array([entry[2] for entry in clip])
    hidden = np.flatnonzero(visibility < 0.5)
    assert 7 <= len(hidden) <= 20
    assert (np.diff(hidden) == 1).all() and 130 < hidden[0] and hidden[-1] < 170
    assert 0 < visibility.min() < 0.35
    assert (visibility[:120] == 1).all() and (visibility[180:] == 1).all()


def test_target_moves_turns_and_scales(clip):
    boxes = np.array([entry[1] for entry in clip])
    centres = boxes[:, :2] + boxes[:, 2:] / 2
    steps = np.linalg.norm(np.diff(centres, axis=0), axis=1)
    assert 0.25 < steps.mean() and steps.max() < 7
    areas = np.array([mask.sum() for _, _, visibility, mask in clip if visibility == 1])
    assert areas.max() > 1.3 * areas.min()
    aspects = boxes[:, 2] / boxes[:, 3]
    assert aspects.max() > 1.3 > 1 / 1.1 > aspects.min()


def test_target_looks_unlike_the_ground(clip):
    """The mask lies on the rover: it is redder there than anywhere around it."""
    for frame, *_ in clip:
        if frame is None or not frame.visible:
            continue
        blue, green, red = np.moveaxis(np.float32(frame.image_bgr), -1, 0)
        redness = red - green
        assert redness[frame.mask].mean() > redness[~frame.mask].mean() + 20


def test_bridge_comes_again_in_the_next_lap():
    scene = Scene(size_wh=(160, 120), frames=2 * 405)
    assert not scene[150].visible and not scene[150 + 405].visible
