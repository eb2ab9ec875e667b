# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where the features of a box are taken from, how alike two boxes are, and what is remembered."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from siam_tracker_ros.core.appearance import RIVAL_MARGIN, SHRINKAGE, Appearance, Region, box_mean
from siam_tracker_ros.core.whitening import Whitening

CELLS, CELL = 16, 8.0
BOX = np.array([44.0, 44.0, 40.0, 40.0])
SIZE_WH = BOX[2:]


def region(features, origin_xy=(0.0, 0.0), cell=CELL):
    return Region(np.ascontiguousarray(features.transpose(2, 0, 1)[None]), origin_xy, CELLS * cell, cell)


def ramp(origin_xy=(0.0, 0.0), cell=CELL):
    """A region whose two features are the place in the frame, x and y."""
    xs, ys = (origin + (np.arange(CELLS) + 0.5) * cell for origin in origin_xy)
    return region(np.stack(np.meshgrid(xs, ys), -1).astype(np.float32), origin_xy, cell)


def scattered(*patterns, seed=0):
    """Features (16, 16, 8) of noise with patterns (5, 5, 8) whose top left cells are given."""
    features = np.random.default_rng(seed).normal(0, 0.1, (CELLS, CELLS, 8)).astype(np.float32)
    for (row, column), pattern in patterns:
        features[row : row + 5, column : column + 5] += pattern
    return features


PATTERN = np.random.default_rng(1).normal(0, 1, (5, 5, 8)).astype(np.float32)
PATTERN += np.linspace(-1, 1, 5, dtype=np.float32)[None, :, None] * np.arange(8)  # left and right differ
AROUND = scattered(((5, 5), PATTERN))


def cell_box(row, column):
    return np.array([column * CELL, row * CELL, 40.0, 40.0])


PLACE = cell_box(5, 5)
TARGET = Appearance.of(region(AROUND), PLACE)


def unit(*values):
    vector = np.zeros(32, np.float32)
    vector[: len(values)] = values
    return vector / np.linalg.norm(vector)


@pytest.mark.parametrize("cell", [8.0, 3.3, 100.0])
@pytest.mark.parametrize("origin_xy", [(0.0, 0.0), (-37.0, 1210.0), (0.5, -0.25)])
@pytest.mark.parametrize("box", [(0.1, 0.1, 0.8, 0.8), (0.4, 0.3, 0.01, 0.5), (0.5, 0.5, 1e-6, 1e-6)])
def test_features_of_a_box_are_exact_on_a_linear_ramp(box, origin_xy, cell):
    side = CELLS * cell
    box_xywh = np.array(box) * side + [*origin_xy, 0, 0]
    steps = (np.arange(4) + 0.5) / 4
    xs, ys = box_xywh[0] + box_xywh[2] * steps, box_xywh[1] + box_xywh[3] * steps
    expected = np.stack(np.meshgrid(xs, ys), -1).reshape(16, 2)
    np.testing.assert_allclose(ramp(origin_xy, cell).sample(box_xywh), expected, rtol=1e-5, atol=1e-5 * side)


def test_points_outside_of_a_region_take_its_nearest_cell():
    sampled = ramp().sample(np.array([-1000.0, 60.0, 4.0, 4000.0]))
    np.testing.assert_allclose(sampled[:, 0], CELL / 2, rtol=1e-6)
    assert sampled[:, 1].max() == pytest.approx(CELLS * CELL - CELL / 2)


def test_cells_that_do_not_fill_a_region_lie_around_its_middle():
    features = np.zeros((1, 1, 3, 3), np.float32)
    np.testing.assert_array_equal(Region(features, (100.0, 200.0), 50.0, 10.0).first_xy, (115.0, 215.0))


def test_a_tensor_and_an_array_are_the_same_features():
    array = AROUND.transpose(2, 0, 1)
    for source in (array, array[None], torch.from_numpy(array.copy()), torch.from_numpy(array.copy())[None].double()):
        np.testing.assert_array_equal(Region(source, (0, 0), CELLS * CELL, CELL).features, AROUND)


def test_a_target_is_like_itself_and_less_like_its_mirror_image_and_what_is_beside_it():
    itself, mirrored = region(AROUND), region(scattered(((5, 5), PATTERN[:, ::-1])))
    likeness = {
        name: TARGET.likeness(TARGET.describe(where, box))
        for name, where, box in (
            ("itself", itself, PLACE),
            ("elsewhere", region(scattered(((9, 1), PATTERN), seed=5)), cell_box(9, 1)),
            ("mirrored", mirrored, PLACE),
            ("beside", itself, cell_box(0, 10)),
        )
    }
    assert likeness["itself"] == pytest.approx(1, abs=1e-4)
    assert likeness["elsewhere"] > 0.9
    assert likeness["mirrored"] < 0.7
    assert likeness["beside"] < 0.5


def test_what_all_surroundings_have_in_common_says_nothing():
    shifted = Appearance.of(region(AROUND + 50), PLACE)
    np.testing.assert_allclose(shifted.first, TARGET.first, atol=1e-3)


@pytest.mark.parametrize("features", [np.zeros((CELLS, CELLS, 8), np.float32), np.ones((CELLS, CELLS, 8), np.float32)])
def test_features_that_do_not_vary_describe_nothing(features):
    blank = Appearance.of(region(features), BOX)
    assert blank.likeness(blank.describe(region(features), BOX)) == pytest.approx(0, abs=1e-6)
    assert blank.peaks(region(features), SIZE_WH, 4, 0.2) == []


@given(st.integers(0, 2**32 - 1), st.floats(1e-3, 1e3))
def test_whitened_features_have_no_mean_and_are_bounded(seed, scale):
    features = np.random.default_rng(seed).normal(3, scale, (9, 9, 5)) * [1, 2, 3, 0, 1e-3]
    white = Whitening.of(features, SHRINKAGE)(features).reshape(-1, 5)
    np.testing.assert_allclose(white.mean(0), 0, atol=1e-2)
    assert white.std(0).max() <= 1.01


def test_peaks_are_where_the_target_is_and_the_best_comes_first():
    similar = PATTERN.copy()
    similar[3:, 3:] *= -1
    twins = scattered(((3, 2), PATTERN), ((9, 10), similar), seed=3)
    peaks = TARGET.peaks(region(twins, (1000.0, -500.0)), SIZE_WH, 6, 0.2)
    places = [peak.box_xywh[:2] for peak in peaks[:2]]
    np.testing.assert_allclose(places[0], (1000 + 2 * CELL, -500 + 3 * CELL), atol=CELL)
    np.testing.assert_allclose(places[1], (1000 + 10 * CELL, -500 + 9 * CELL), atol=CELL)
    likeness = [peak.likeness for peak in peaks]
    assert likeness == sorted(likeness, reverse=True) and min(likeness) >= 0.2
    assert len(TARGET.peaks(region(twins), SIZE_WH, 1, -1.0)) == 1
    assert TARGET.peaks(region(twins), SIZE_WH, 4, 1.0) == []


def test_there_are_no_more_peaks_than_a_region_has_cells():
    tiny = Region(AROUND[5:8, 5:8].transpose(2, 0, 1), (0, 0), 3 * CELL, CELL)
    assert len(TARGET.peaks(tiny, SIZE_WH, 20, -1.0)) <= 9


@pytest.mark.parametrize("size_wh, window", [((1, 1), (1, 1)), ((3.4, 5), (3, 5)), ((0.2, 4.1), (1, 5))])
def test_the_mean_over_a_box_takes_an_odd_number_of_cells(size_wh, window):
    values = np.zeros((15, 15), np.float32)
    values[7, 7] = window[0] * window[1]
    assert int((box_mean(values, np.array(size_wh)) > 0.5).sum()) == window[0] * window[1]


def test_another_look_that_is_remembered_counts_and_the_first_stays():
    other = unit(0, 1)
    known = dataclasses.replace(TARGET, first=unit(1)).remember(other)
    assert known.likeness(other) == pytest.approx(1) and known.likeness(unit(1)) == pytest.approx(1)
    assert known.likeness(unit(0, 0, 1)) == pytest.approx(0)


@pytest.mark.parametrize("remember, kept", [("remember", "memory"), ("remember_rival", "rivals")])
@pytest.mark.parametrize("limit", [1, 2, 12])
def test_memory_is_bounded_and_keeps_what_differs(remember, kept, limit):
    known = dataclasses.replace(TARGET, max_memory=limit, max_rivals=limit)
    angles = [*np.linspace(0, 0.1, 30), 0.5, 1.0, 1.5]
    for angle in angles:
        known = getattr(known, remember)(unit(np.cos(angle), np.sin(angle)))
        assert len(getattr(known, kept)) <= limit
    newest = getattr(known, kept)[-1]
    np.testing.assert_array_equal(newest, unit(np.cos(1.5), np.sin(1.5)))
    if limit == 12:
        for angle in (0.5, 1.0):
            assert max(float(look @ unit(np.cos(angle), np.sin(angle))) for look in getattr(known, kept)) > 0.999


def test_remembering_changes_nothing_that_is_held():
    before = TARGET.remember(unit(1))
    memory, first = before.memory, before.first.copy()
    after = before.remember(unit(0, 1)).remember_rival(unit(0, 0, 1))
    assert before.memory is memory and len(memory) == 1 and before.rivals == ()
    assert len(after.memory) == 2 and len(after.rivals) == 1
    np.testing.assert_array_equal(after.first, first)


def test_looking_for_peaks_changes_no_features():
    features = AROUND.copy()
    around = region(features)
    TARGET.peaks(around, SIZE_WH, 4, 0.2)
    np.testing.assert_array_equal(around.features, AROUND)


@pytest.mark.parametrize(
    "rivals, description, excess",
    [
        ([], unit(1), 0.0),  # none is known
        ([], unit(0, 1), RIVAL_MARGIN),
        ([unit(0, 1)], unit(1), 0.0),
        ([unit(0, 1)], unit(0, 1), 1 + RIVAL_MARGIN),
        ([unit(0, -1)], unit(0, 1), RIVAL_MARGIN),  # the opposite of a rival is none
        ([unit(0, 1)], unit(1, 1), RIVAL_MARGIN),
    ],
)
def test_excess_over_a_rival_counts_from_a_margin_on(rivals, description, excess):
    known = dataclasses.replace(TARGET, first=unit(1))
    for rival in rivals:
        known = known.remember_rival(rival)
    assert known.rival_excess(description, known.likeness(description)) == pytest.approx(excess, abs=1e-5)
