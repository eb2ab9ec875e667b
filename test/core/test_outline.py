# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Masks and polygons that are drawn when they are read."""

import copy
import dataclasses
import pickle

import numpy as np
import pytest

from siam_tracker_ros.core.outline import NO_OUTLINE, DrawnOutline, FixedOutline
from siam_tracker_ros.core.tracker import TrackResult

PART = np.ones((20, 30), bool)
BOX = np.array([5.0, 6.0, 30.0, 20.0])


def drawn(part=PART):
    calls = []
    outline = DrawnOutline(lambda: calls.append(1) or (part, (5, 6)), BOX, (60, 40))
    return outline, calls


def test_it_is_drawn_once_and_only_when_it_is_read():
    outline, calls = drawn()
    assert outline.has_mask and not calls
    assert outline.mask.shape == (40, 60) and outline.mask.sum() == PART.sum() and outline.mask[6:26, 5:35].all()
    np.testing.assert_allclose(outline.polygon, [(5, 6), (34, 6), (34, 25), (5, 25)])
    assert outline.mask is outline.mask and len(calls) == 1


def test_without_a_part_the_polygon_is_the_box():
    outline, _ = drawn(np.empty((0, 0), bool))
    assert not outline.mask.any()
    np.testing.assert_allclose(outline.polygon, [(5, 6), (35, 6), (35, 26), (5, 26)])


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_a_copy_of_a_result_is_drawn(copied):
    outline, _ = drawn()
    result = copied(TrackResult(BOX, 0.5, outline=outline))
    assert isinstance(result.outline, FixedOutline)
    np.testing.assert_array_equal(result.mask, outline.mask)
    np.testing.assert_array_equal(result.polygon, outline.polygon)


def test_a_result_takes_what_is_given_in_place_of_its_outline():
    outline, _ = drawn()
    polygon = np.zeros((4, 2))
    result = dataclasses.replace(TrackResult(BOX, 0.5, outline=outline), polygon=polygon)
    assert result.polygon is polygon and result.mask is outline.mask
    nothing = TrackResult(BOX, 0.5)
    assert nothing.outline is NO_OUTLINE and nothing.mask is None and nothing.polygon is None
    assert not nothing.outline.has_mask
