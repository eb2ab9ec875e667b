# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Parts of sequences that are run, their halves, and intervals of means over them."""

import os
from collections import Counter

import hypothesis.strategies as st
import numpy as np
import pytest
from drawn_datasets import write_davis
from drawn_tracks import drawn_track
from hypothesis import given

from siam_tracker_ros.data.labelled import read_videos
from siam_tracker_ros.evaluation.metrics import score_frames
from siam_tracker_ros.evaluation.resampling import estimate
from siam_tracker_ros.evaluation.starts import MIN_FRAMES, ManyStarts, half_of, halves, parts_of

NAN = float("nan")
DEVELOPMENT = (
    "crossing davis-blackswan davis-bmx-trees davis-camel davis-car-shadow davis-dog davis-drift-chicane davis-goat "
    "davis-libby davis-parkour davis-soapbox dragonbaby surfer walking2"
).split()


def extents(track, starts):
    """First frame and number of frames of each part."""
    return [(part.first, len(part.track)) for part in parts_of(track, starts)]


@pytest.mark.parametrize(
    "frames, starts, expected",
    [
        (1, ManyStarts(50, 60), [(0, 1)]),
        (20, ManyStarts(50, 60), [(0, 20)]),
        (75, ManyStarts(50, 60), [(0, 61)]),
        (76, ManyStarts(50, 60), [(0, 61), (50, 26)]),
        (61, ManyStarts(20, 60), [(0, 61), (20, 41)]),
        (200, ManyStarts(100, 30), [(0, 31), (100, 31)]),
        (12, ManyStarts(5, 4), [(0, 5), (5, 5)]),
        (9, ManyStarts(5, 4), [(0, 5)]),
        (10, ManyStarts(5, 4), [(0, 5), (5, 5)]),
        (200, None, [(0, 200)]),
    ],
)
def test_starts_are_at_even_distances_with_enough_frames_after_them(frames, starts, expected):
    assert extents(drawn_track(frames=frames), starts) == expected


@pytest.mark.parametrize(
    "box_xywh",
    [[NAN] * 4, [40, 40, 0, 20], [40, 40, 20, 0.5], [320, 40, 20, 20], [-30, 40, 20, 20], [0, 0, 4000, 20]],
)
def test_no_start_is_on_a_label_that_cannot_be_tracked_from(box_xywh):
    track = drawn_track(frames=130)
    track.boxes_xywh[50] = box_xywh
    assert extents(track, ManyStarts(50, 60)) == [(0, 61), (100, 30)]


@given(frames=st.integers(1, 400), every=st.integers(1, 120), after=st.integers(1, 120))
def test_parts_are_frames_of_their_sequence(frames, every, after):
    track = drawn_track(frames=frames, size_wh=(32, 32), target_wh=(8, 8))
    parts = parts_of(track, ManyStarts(every, after))
    assert parts[0].first == 0 and all(part.first % every == 0 for part in parts)
    for part in parts:
        np.testing.assert_array_equal(part.track.numbers, track.numbers[part.rows])
        np.testing.assert_array_equal(part.track.boxes_xywh, track.boxes_xywh[part.rows])
        assert len(part.track) <= after + 1
        assert part is parts[0] or len(part.track) > min(MIN_FRAMES, after)
    assert len({part.track.name for part in parts}) == len(parts)


def test_a_part_of_a_sequence_of_masks_has_the_masks_of_its_frames(tmp_path):
    track = read_videos(write_davis(tmp_path / "DAVIS")).tracks[0]
    first, second = parts_of(track, ManyStarts(1, 2))
    assert [second.track.label_name(i) for i in range(3)] == ["00001", "00002", "00003"]
    np.testing.assert_array_equal(second.track.boxes_xywh, track.boxes_xywh[1:])
    np.testing.assert_array_equal(second.track.mask(1), track.mask(2))
    assert first.track.scene == second.track.scene == track.scene


def test_the_halves_of_the_development_sequences_stay_as_they_are():
    """Figures of halves rest on this."""
    assert [name for name in DEVELOPMENT if half_of(name) == "A"] == [
        "davis-bmx-trees",
        "davis-camel",
        "davis-dog",
        "davis-parkour",
        "davis-soapbox",
        "dragonbaby",
        "surfer",
    ]


@given(st.sets(st.text(min_size=1), min_size=1, max_size=20), st.sets(st.text(min_size=1), max_size=20))
def test_other_sequences_leave_the_half_of_a_sequence_alone(names, others):
    alone = halves([drawn_track(name, frames=1) for name in names])
    assert halves([drawn_track(name, frames=1) for name in names | others]).items() >= alone.items()


def test_halves_are_of_about_the_same_size():
    counts = Counter(half_of(f"sequence {i}") for i in range(1000))
    assert 450 < counts["A"] < 550 and counts.keys() == {"A", "B"}


def test_targets_of_one_video_are_in_one_half(tmp_path):
    """Here in that of bear-1: the names alone would put them into two."""
    found = halves(read_videos(write_davis(tmp_path / "DAVIS"), "train").tracks)
    assert half_of("bear-1") != half_of("bear-2") and found == dict.fromkeys(("bear-1", "bear-2"), half_of("bear-1"))


def test_a_name_that_is_not_utf_8_has_a_half():
    assert half_of(os.fsdecode(b"caf\xe9")) in ("A", "B")


@pytest.mark.parametrize(
    "values, sequences, starts, mean",
    [
        ([[1.0, 0.0], [1.0]], 2, 3, 0.75),  # mean of each sequence, then over sequences
        ([[1.0, NAN], [0.5], [NAN]], 2, 2, 0.75),
        ([[0.25, 0.75]], 1, 2, 0.5),
        ([[NAN]], 0, 0, NAN),
        ([], 0, 0, NAN),
    ],
)
def test_the_mean_is_over_starts_then_over_sequences(values, sequences, starts, mean):
    found = estimate([np.array(own) for own in values])
    assert (found.sequences, found.starts) == (sequences, starts)
    assert found.mean == pytest.approx(mean, nan_ok=True)
    assert np.isnan(found.low) == np.isnan(found.high) == (sequences < 2)


def test_an_interval_is_that_of_the_normal_distribution_where_that_holds():
    values = np.random.default_rng(1).normal(0.5, 0.2, 400)
    found = estimate(list(values[:, None]))
    half = 1.96 * values.std() / np.sqrt(400)
    assert (found.low, found.high) == pytest.approx((found.mean - half, found.mean + half), abs=0.05 * half)
    assert found == estimate(list(values[:, None]))


def test_starts_of_a_sequence_are_drawn_again_too():
    """All sequences have the same mean, so that sequences alone would give an interval without width."""
    found = estimate([np.array([0.0, 1.0])] * 50)
    variance = (0.25 / 2) / 50  # of the mean over starts, then over sequences
    assert found.high - found.mean == pytest.approx(1.96 * np.sqrt(variance), rel=0.05)


@pytest.mark.parametrize(
    "differences, told",
    [
        ([0.01, 0.02, 0.03, 0.02], True),
        ([-0.01, -0.02, -0.03, -0.02], True),
        ([0.01, -0.02, 0.03, -0.02], False),
        ([0.0, 0.0, 0.0], False),
        ([0.5], False),  # one sequence says nothing of others
        ([], False),
    ],
)
def test_a_difference_is_told_from_chance_if_its_interval_does_not_hold_zero(differences, told):
    assert estimate([np.array([value]) for value in differences]).is_told_from_chance == told


@pytest.mark.parametrize(
    "overlaps, lost",
    [
        ([1, 1, 1, 1, 1, 1], False),
        ([1, 0.1, 0.1, 0.1, 0.1, 0.1], True),
        ([0, 0, 0, 0, 0.5, 0.55], False),  # the mean of the last five is 0.21
        ([NAN, 0.1], True),
        ([NAN], None),
    ],
)
def test_a_target_is_lost_at_the_end_by_the_last_frames_that_count(overlaps, lost):
    truth = [[0, 0, 10, 10], *([0, 0, 10, 10] if np.isfinite(share) else [NAN] * 4 for share in overlaps)]
    predicted = [[0, 0, 10, 10], *([0, 0, 10, 10 * share] for share in overlaps)]
    assert score_frames(truth, predicted).is_lost == lost
