# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Clips are what their truth says: the target has a colour that nothing else has, so that its pixels can be counted."""

import functools

import numpy as np
import pytest
from drawn_tracks import BLUE, GREEN, drawn_track

from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.evaluation.clip_material import Play, Source
from siam_tracker_ros.evaluation.loss_clips import KINDS, ClipMaker
from siam_tracker_ros.geometry import iou_xywh

TRACKS = [
    drawn_track("red"),
    drawn_track("blue, short", frames=40, color_bgr=BLUE),
    drawn_track("green, now and then", color_bgr=GREEN, absent=range(100, 130)),
]
ALIKE = ("alike", "two")  # with copies of the target's own colour
COPIED = {"red": "toy", "blue": "toy", "green": "plant"}


@functools.cache
def clips(kind):
    return ClipMaker(TRACKS).clips(kind, 4)


def share_of(image_bgr, color_bgr):
    """How near each pixel is to a pure colour on grey, 0..1: edges of resized targets are mixed with what is behind."""
    channel = int(np.argmax(color_bgr))
    others = [other for other in range(3) if other != channel]
    image = image_bgr.astype(np.float64)
    return np.clip(image[..., channel] - image[..., others].max(axis=-1), 0, 255) / 255


def target_pixels(clip, i):
    """How much of the target's colour each pixel of a frame has, without those of a look-alike."""
    color_bgr = next(track.color_bgr for track in TRACKS if track.name == clip.sequence)
    shares = share_of(clip.image_bgr(i), color_bgr)
    if clip.copy_xywh is not None:
        x, y, w, h = clip.copy_xywh[i]
        shares[max(0, y) : y + h, max(0, x) : x + w] = 0
    return shares


def bounds_xywh(pixels):
    rows, columns = np.nonzero(pixels)
    x, y = columns.min(), rows.min()
    return np.array([x, y, columns.max() + 1 - x, rows.max() + 1 - y])


@pytest.mark.parametrize("kind", KINDS)
def test_the_truth_is_what_is_drawn(kind):
    assert len(clips(kind)) == 4
    for clip in clips(kind):
        truth = clip.truth
        decisive = [frame for d in truth.departures for frame in (d.gone - 1, d.gone, d.back) if frame is not None]
        for i in {*decisive, *range(0, len(clip), 11), len(clip) - 1}:
            image_bgr, pixels = clip.image_bgr(i), target_pixels(clip, i)
            assert image_bgr.shape[1::-1] == truth.size_wh and image_bgr.dtype == np.uint8
            if truth.absent[i]:
                assert pixels.sum() == 0
            elif clip.copy_xywh is None:
                area = truth.boxes_xywh[i, 2:].prod()
                assert pixels.sum() / area == pytest.approx(truth.visible[i], abs=0.1 if kind == "small" else 1e-9)
            if truth.visible[i] > 1 - 1e-9:
                assert iou_xywh(bounds_xywh(pixels > 0.3), truth.boxes_xywh[i]) > (0.75 if kind == "small" else 0.999)


@pytest.mark.parametrize("kind", ALIKE)
def test_a_look_alike_is_where_the_truth_says(kind):
    for clip in clips(kind):
        for i in range(0, len(clip), 11):
            x, y, w, h = clip.copy_xywh[i]
            inside = clip.image_bgr(i)[max(0, y) : y + h, max(0, x) : x + w].astype(int)
            colored = np.ptp(inside, axis=2) > 60  # the background is grey
            assert colored.mean() > 0.6, (clip.name, i)


@pytest.mark.parametrize(
    "kind, returns, places",
    [
        ("replaced", 0, set()),
        ("control", None, set()),
        ("two", None, set()),
        ("same", 1, {"near"}),
        ("other", 1, {"near", "elsewhere"}),
        ("covered", 1, {"near", "elsewhere"}),
        ("alike", 1, {"near", "elsewhere"}),
        ("scene", 1, {"near", "elsewhere"}),
        ("small", 1, {"elsewhere"}),
    ],
)
def test_a_kind_keeps_its_promise(kind, returns, places):
    found = set()
    for clip in clips(kind):
        departures = clip.truth.departures
        assert len(departures) == (returns is not None)
        assert sum(departure.back is not None for departure in departures) == (returns or 0)
        found |= {departure.place for departure in departures} - {None}
        assert clip.truth.in_view[:25].all()
        assert (clip.copy_xywh is not None) == (kind in ALIKE)
        if returns:
            assert len(clip) - departures[0].back >= 90  # the time in which a re-detection counts
            assert clip.truth.absent.sum() >= 10
    assert found <= places and bool(found) == bool(places)


def test_variants_of_a_kind_take_turns():
    whats = [clip.how.rpartition(" ")[2] for clip in clips("two")]
    assert whats == ["front", "beside"] * 2
    assert [clip.truth.departures[0].place for clip in clips("scene")] == ["elsewhere", "near"] * 2


def test_a_small_target_is_12_to_24_pixels_wide():
    widths = [np.median(clip.truth.boxes_xywh[:, 2]) for clip in clips("small")]
    assert all(12 <= width <= 24 for width in widths)


def test_a_target_returns_over_the_same_edge_or_another():
    def edge(clip, i):
        x, y, w, h = clip.truth.boxes_xywh[i]
        width, height = clip.truth.size_wh
        return int(np.argmax([-x - w, -y - h, x - width, y - height]))

    for kind in ("same", "other", "small"):
        for clip in clips(kind):
            absent = np.flatnonzero(clip.truth.absent)
            assert (edge(clip, absent[0]) == edge(clip, absent[-1])) == (kind == "same")


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_makes_the_same_clips_whatever_their_number(kind):
    again, other_seed = ClipMaker(TRACKS).clips(kind, 2), ClipMaker(TRACKS, seed=1).clips(kind, 2)
    for clip, same in zip(clips(kind), again):
        assert (clip.name, clip.sequence, clip.how) == (same.name, same.sequence, same.how)
        np.testing.assert_array_equal(clip.truth.boxes_xywh, same.truth.boxes_xywh)
        for i in (0, len(clip) // 2, len(clip) - 1):
            np.testing.assert_array_equal(clip.image_bgr(i), same.image_bgr(i))
    images = [[clip.image_bgr(len(clip) - 1) for clip in made] for made in (again, other_seed)]
    assert any(not np.array_equal(*pair) for pair in zip(*images))


def test_frames_come_in_any_order():
    clip = clips("scene")[0]
    later = clip.image_bgr(60)
    np.testing.assert_array_equal([image for _, image in zip(range(61), clip.images_bgr())][-1], later)


@pytest.mark.parametrize(
    "tracks, impossible",
    [
        ([drawn_track()], {"replaced", "scene", "small"}),  # they need another sequence
        ([drawn_track(target_wh=(200, 200))], set(KINDS) - {"control"}),  # too large to leave or to be covered
        ([drawn_track(target_wh=(8, 8))], set(KINDS) - {"control"}),  # too small
        ([drawn_track(absent=[5]), drawn_track("red too", absent=[7])], set(KINDS) - {"replaced"}),
        ([drawn_track(frames=2), drawn_track("red too", frames=2)], set()),
    ],
)
def test_kinds_that_the_frames_do_not_allow_are_left_out(tracks, impossible):
    maker = ClipMaker(tracks)
    assert {kind for kind in KINDS if not maker.clips(kind, 1)} == impossible


def test_sequences_that_are_one_frame_or_have_no_box_are_left_out():
    useless = [drawn_track(frames=1), drawn_track(absent=range(260))]
    with pytest.raises(InvalidInputError, match="2 sequences have no box or one frame, expected at least one"):
        ClipMaker(useless)
    assert {clip.sequence for clip in ClipMaker([*useless, *TRACKS]).clips("control", 4)} == {"red", "blue, short"}


def test_look_alikes_are_of_the_same_class_and_others_of_another():
    tracks = [drawn_track("red"), drawn_track("blue", color_bgr=BLUE), drawn_track("green", color_bgr=GREEN)]
    maker = ClipMaker(tracks, class_of=COPIED)
    for clip in maker.clips("replaced", 6):
        assert clip.how in (["by red", "by blue"] if clip.sequence == "green" else ["by green"])
    of_class = [clip for clip in maker.clips("two", 12) if "of its class" in clip.how]
    assert of_class and all(clip.sequence in ("red", "blue") for clip in of_class)
    for clip in of_class:
        x, y, w, h = clip.copy_xywh[0]
        middle_bgr = clip.image_bgr(0)[y + h // 2, x + w // 2]
        assert middle_bgr.tolist() == list(BLUE if clip.sequence == "red" else (0, 0, 255))
    assert not any("of its class" in clip.how for clip in clips("two"))


@pytest.mark.parametrize(
    "frames, start, indices",
    [
        (2, 0, [0, 1, 0, 1, 0]),
        (3, 0, [0, 1, 2, 1, 0]),
        (3, 2, [2, 1, 0, 1, 2]),
        (9, 6, [6, 7, 8, 7, 6]),
        (9, 20, [4, 5, 6, 7, 8]),
    ],
)
def test_a_sequence_plays_forth_and_back(frames, start, indices):
    track = drawn_track(frames=frames)
    play = Play(Source(track), start)
    assert [play.index(i) for i in range(5)] == indices
    np.testing.assert_array_equal(play.boxes_xywh(5), track.boxes_xywh[indices])


def test_a_long_sequence_is_not_turned():
    track = drawn_track(frames=300)
    track.boxes_xywh[:, 1] += np.arange(300) / 10  # so that turning shows
    for clip in ClipMaker([track, drawn_track("green")]).clips("control", 6):
        if clip.sequence == "red":
            assert np.ptp(clip.truth.boxes_xywh[:, 1]) > 0
