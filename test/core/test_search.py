# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which parts of a frame are searched, in which order and at which scales, and what is found there."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pattern_tracker import SIDE, SIMILAR, SIZE_WH, TARGET, PatternTracker, box_at, draw

from siam_tracker_ros.core.appearance import Appearance
from siam_tracker_ros.core.search import OVERLAP, TILE_COST, Search, SearchSettings, Sweeps, is_same_place, tile_centers

PLACE = 60, 60
EXTENT = 4 * SIDE


def started(image_bgr, settings=SearchSettings(search_share=TILE_COST), first_bgr=None):
    """A tracker, its target and a search that begins, of which one frame looks at one tile."""
    tracker, box_xywh = PatternTracker(), box_at(PLACE)
    first_bgr = draw((PLACE, TARGET)) if first_bgr is None else first_bgr
    target = tracker.start(first_bgr, box_xywh)
    appearance = Appearance.of(tracker.region(first_bgr, target, PLACE), box_xywh)
    search = Search(tracker, settings, appearance, first_bgr, box_xywh)
    search.start(target, SIZE_WH, box_xywh)
    tracker.tiles.clear()
    return tracker, target, search


def candidates(search, target, image_bgr, frames):
    """All candidates of some frames."""
    found = []
    for _ in range(frames):
        search.run(image_bgr, target, box_at(PLACE))
        found += search.candidates
    return found


@given(st.integers(1, 9), st.integers(1, 9), st.floats(0.05, 9))
def test_a_tile_larger_than_the_frame_is_one_in_its_middle(w, h, more):
    np.testing.assert_array_equal(tile_centers((w, h), max(w, h) + more), [(w / 2, h / 2)])


@given(st.tuples(st.integers(1, 4000), st.integers(1, 4000)), st.floats(40, 5000))
def test_tiles_cover_the_frame_with_their_overlap_and_stay_in_it(size_wh, extent):
    centers = tile_centers(size_wh, extent)
    for axis, length in enumerate(size_wh):
        at = np.unique(centers[:, axis])
        if length <= extent:
            assert at.tolist() == [length / 2]
            continue
        assert at[0] - extent / 2 == pytest.approx(0, abs=1e-6)
        assert at[-1] + extent / 2 == pytest.approx(length, abs=1e-6)
        assert np.diff(at).max() <= extent * (1 - OVERLAP) + 1e-6
        assert len(at) <= 2 + (length - extent) / (extent * (1 - OVERLAP))
    assert len(centers) == len(np.unique(centers[:, 0])) * len(np.unique(centers[:, 1]))


@given(st.tuples(st.integers(10, 900), st.integers(10, 900)), st.floats(20, 500), st.data())
def test_a_target_of_a_quarter_of_a_tile_is_whole_in_one_of_them(size_wh, extent, data):
    side = min(extent * OVERLAP, *size_wh)
    left_top = np.array([data.draw(st.floats(0, length - side)) for length in size_wh])
    away = np.abs(tile_centers(size_wh, extent) - (left_top + side / 2)).max(1)
    inside = [(extent / 2 - side / 2 >= distance - 1e-6) for distance in away]
    assert any(inside)


def test_the_nearest_tiles_come_first_and_every_sweep_sees_all_of_them():
    sweeps = Sweeps(SIZE_WH, EXTENT, np.array(PLACE), (1.0,))
    count = len(tile_centers(SIZE_WH, EXTENT))
    for _ in range(3):
        tiles = [(next(sweeps), sweeps.progress) for _ in range(count)]
        away = [float(np.hypot(*(np.array(tile.center_xy) - PLACE))) for tile, _ in tiles]
        assert away == sorted(away) and len({tile.center_xy for tile, _ in tiles}) == count
        np.testing.assert_allclose([progress for _, progress in tiles], np.arange(1, count + 1) / count)
        next_tile = next(sweeps)
        assert next_tile.center_xy == tiles[0][0].center_xy
        sweeps._tiles = itertools.chain([next_tile], sweeps._tiles)


def test_the_last_trusted_frame_is_searched_for_rivals_before_the_frame_is_for_the_target():
    beside = draw((PLACE, TARGET), ((200, 180), SIMILAR))
    tracker, target, search = started(beside, first_bgr=beside)
    count = len(tile_centers(SIZE_WH, EXTENT))
    assert not candidates(search, target, beside, count) and search.appearance.rivals
    assert candidates(search, target, beside, count)
    assert [center for center, _ in tracker.tiles[:count]] == [center for center, _ in tracker.tiles[count:]]


@pytest.mark.parametrize("side, scale", [(24, 1.0), (36, 1.5), (16, 0.7)])
def test_a_larger_and_a_smaller_target_are_looked_for_and_found_with_their_size(side, scale):
    image_bgr = draw(((200, 180), TARGET, side))
    tracker, target, search = started(image_bgr)
    found = candidates(search, target, image_bgr, 90)
    assert {scale for _, scale in tracker.tiles} == {1.0, 1.5, 0.7}
    of_scale = [peak for peak in found if peak.box_xywh[2:] == pytest.approx(SIDE * scale)]
    best = max(of_scale, key=lambda peak: peak.likeness)
    np.testing.assert_allclose(best.box_xywh[:2] + best.box_xywh[2:] / 2, (200, 180), atol=6)
    assert best.likeness > 0.9


def test_candidates_are_at_least_as_alike_as_the_settings_ask_and_the_best_comes_first():
    image_bgr = draw(((200, 180), SIMILAR), ((230, 150), TARGET))
    for min_likeness in (0.2, 0.9):
        settings = SearchSettings(search_share=TILE_COST, min_likeness=min_likeness)
        _, target, search = started(image_bgr, settings)
        for _ in range(60):
            found = candidates(search, target, image_bgr, 1)
            likeness = [peak.likeness for peak in found]
            assert likeness == sorted(likeness, reverse=True) and min([1.0, *likeness]) >= min_likeness


def test_a_search_that_is_over_or_switched_off_has_no_candidates_and_no_progress():
    image_bgr = draw((PLACE, TARGET))
    _, target, search = started(image_bgr)
    assert search.is_running
    assert candidates(search, target, image_bgr, 40) and search.progress > 0
    search.stop()
    assert (search.is_running, search.candidates, search.progress) == (False, [], 0.0)
    _, _, off = started(image_bgr, SearchSettings(search_share=0.0))
    assert (off.is_running, off.progress) == (False, 0.0)


@pytest.mark.parametrize(
    "other, is_same",
    [((60, 60), True), ((77, 60), True), ((78, 60), False), ((60, 42), False), ((60, 43), True), ((79, 79), False)],
)
def test_same_place_is_within_three_quarters_of_a_side(other, is_same):
    assert is_same_place(box_at(other), box_at(PLACE)) == is_same
