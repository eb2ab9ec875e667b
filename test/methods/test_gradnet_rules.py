# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""GradNet's rules of when to adapt, what to keep and where to look, on scores that the tests make up."""

import dataclasses

import numpy as np
import pytest
import torch

from siam_tracker_ros.core.network import Network
from siam_tracker_ros.methods.gradnet.tracker import GradNetSettings, GradNetTracker, Scores

FRAME = np.zeros((200, 300, 3), np.uint8)
MIDDLE_XY = 150, 100
INNER, EDGE = [100, 80, 40, 30], [270, 80, 40, 30]  # the second reaches over the right edge


class StubNetwork(Network):
    """Notes what it adapts; its first peak is 36."""

    def __init__(self):
        super().__init__()
        self.like = torch.nn.Parameter(torch.zeros(1))
        self.adapted = []

    def encode_search(self, images):
        cells = 6 if images.shape[-1] == 127 else 22
        return torch.ones(len(images), 1, cells, cells)

    def encode_hidden(self, images):
        return torch.zeros(1, 1, 12, 12)

    def adapt(self, hidden, search):
        self.adapted.append(hidden.mean().item())
        return torch.ones(1, 1, 6, 6), torch.ones(1, 1, 12, 12)


def peaks(value, row=8, column=8):
    """Scores (17, 17) of one peak."""
    scores = np.full((17, 17), value - 1, np.float32)
    scores[row, column] = value
    return scores


class ScriptedTracker(GradNetTracker):
    """Finds the peaks it is told to, `middle` ones around the middle of the image; notes the window's weight."""

    def __init__(self, box=INNER, middle=(0, 0), scales=(0.5, 1, 0.5), **settings):
        super().__init__(StubNetwork(), GradNetSettings(**settings))
        self.middle, self.scales, self.windows, self.looked = middle, scales, [], []
        self.init(FRAME, box)
        self.network.adapted.clear()

    def follow(self, script):
        """Results of frames with the given peaks."""
        results = []
        for self.peak in script:
            results.append(self.track(FRAME))
        return results

    def _score_scales(self, image_bgr, center_xy, target):
        self.looked.append(tuple(center_xy))
        fixed, adapted = self.middle if tuple(center_xy) == MIDDLE_XY else (self.peak, 0)
        return Scores(np.stack([peaks(fixed * scale) for scale in self.scales]), peaks(adapted))

    def _move(self, target, place, scores, window_influence):
        self.windows.append(window_influence)
        return super()._move(target, place, scores, window_influence)


def kept(tracker):
    return [sample.frame for sample in tracker._target.samples]


def updates(results):
    return [number for number, result in enumerate(results, 1) if result.updated]


def test_the_template_is_adapted_every_five_frames():
    tracker = ScriptedTracker()
    assert updates(tracker.follow([10] * 21)) == [5, 10, 15, 20]


def test_the_last_five_reliable_frames_are_kept():
    tracker = ScriptedTracker()
    tracker.follow([10, 10, 10])
    assert kept(tracker) == [0, 1, 2, 3]
    tracker.follow([10, 10, 10, 10])
    assert kept(tracker) == [3, 4, 5, 6, 7]


@pytest.mark.parametrize(("peak", "reliable"), [(5.0, True), (4.99, False), (4.0, False), (0.0, False), (-3.0, False)])
def test_half_the_usual_peak_is_reliable(peak, reliable):
    tracker = ScriptedTracker()
    tracker.follow([10] * 5 + [peak])
    assert (kept(tracker)[-1] == 6) == reliable


def test_before_five_frames_any_peak_over_zero_is_reliable():
    tracker = ScriptedTracker()
    tracker.follow([10, 0.1, -0.1, 7])
    assert kept(tracker) == [0, 1, 2, 4]


def test_low_samples_lower_the_bar():
    """After the usual peak of 6.8, 3 is below its half, but above the mean of the samples."""
    tracker = ScriptedTracker()
    tracker.follow([1, 1, 1, 1, 30])
    samples = [dataclasses.replace(sample, peak=1.0) for sample in tracker._target.samples]
    tracker._target = dataclasses.replace(tracker._target, samples=tuple(samples))
    tracker.follow([3])
    assert kept(tracker)[-1] == 6


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ([10] * 5 + [3.9, 10, 10, 10], [5, 6]),
        ([10] * 5 + [4.1, 10, 10, 10], [5]),
        ([10] * 5 + [3.9] * 8, [5, 6, 7, 8, 9, 10]),
        ([3.9] * 4, []),  # no usual peak is known yet
        ([10] * 4 + [0.1], [5]),  # both at once count once
    ],
)
def test_a_young_target_that_fades_is_adapted_to_at_once(script, expected):
    tracker = ScriptedTracker()
    assert updates(tracker.follow(script)) == expected


def test_the_hidden_features_are_a_moving_average():
    """Each adaptation gives ones: 0.6 of them are taken over regularly, 0.7 in haste."""
    tracker = ScriptedTracker()
    tracker.follow([10] * 5 + [1, 10, 10, 10, 10])
    after_start = 1.0  # 0.4 * 1 + 0.6 * 1
    assert tracker.network.adapted == pytest.approx([after_start] * 3)
    target = tracker._target
    assert target.hidden.mean().item() == pytest.approx(1)
    tracker._target.hidden.zero_()
    tracker.follow([10] * 5)
    assert tracker._target.hidden.mean().item() == pytest.approx(0.6)


def test_the_best_sample_is_adapted_to(monkeypatch):
    tracker = ScriptedTracker()
    chosen = []
    monkeypatch.setattr(tracker, "_adapt", lambda hidden, crop, rate: chosen.append(crop) or (hidden, hidden))
    tracker.follow([10, 12, 12, 11])
    samples = {sample.frame: sample for sample in tracker._target.samples}
    tracker.follow([11])
    assert [chosen[0] is samples[frame].crop for frame in (1, 2, 3, 4)] == [False, True, False, False]


def test_the_window_is_left_out_once_nine_frames_after_the_last_reliable_one():
    tracker = ScriptedTracker()
    tracker.follow([10] * 5 + [1] * 10 + [10] + [1] * 20)
    assert [number for number, weight in enumerate(tracker.windows, 1) if weight == 0] == [14]
    assert set(tracker.windows) == {0, 0.25}


def test_init_gives_the_window_rule_back():
    tracker = ScriptedTracker()
    for _ in range(2):
        tracker.windows.clear()
        tracker.init(FRAME, INNER)
        tracker.follow([10] * 5 + [1] * 10)
        assert tracker.windows.count(0) == 1


@pytest.mark.parametrize(
    ("box", "peak", "looks"), [(EDGE, 4.9, True), (EDGE, 5.0, False), (INNER, 4.9, False), (EDGE, 10, False)]
)
def test_the_middle_is_searched_once_the_target_left_to_the_right(box, peak, looks):
    tracker = ScriptedTracker(box)
    tracker.follow([10] * 5 + [peak])
    assert tracker._target.look_in_middle == looks
    tracker.looked.clear()
    tracker.follow([10])
    assert (MIDDLE_XY in tracker.looked) == looks


@pytest.mark.parametrize(("middle", "taken"), [((20, 20), True), ((20, 9), False), ((9, 20), False), ((10, 20), False)])
def test_the_middle_is_taken_if_both_templates_prefer_it(middle, taken):
    tracker = ScriptedTracker(EDGE, middle)
    result = tracker.follow([10] * 5 + [1] + [10])[-1]
    assert (np.abs(tracker._target.place.center_xy - MIDDLE_XY).max() < 5) == taken
    assert result.score == pytest.approx((20 if taken else 10) / 36)


@pytest.mark.parametrize(("ratio", "best"), [(1.02, 1), (1.04, 1.04)])
def test_a_change_of_scale_has_to_pay(ratio, best):
    tracker = ScriptedTracker(scales=(0.5, 1, ratio))
    before = tracker._target.place
    tracker.follow([10])
    after = tracker._target.place
    expected = 0.41 + 0.59 * best
    assert after.side / before.side == pytest.approx(expected)
    np.testing.assert_allclose(after.size_wh / before.size_wh, expected)


@pytest.mark.parametrize(("scales", "limit"), [((0.5, 1, 2), 5), ((2, 1, 0.5), 0.2)])
def test_the_search_region_keeps_within_its_limits(scales, limit):
    tracker = ScriptedTracker(scales=scales)
    tracker.follow([10] * 90)
    assert tracker._target.place.side == pytest.approx(limit * tracker._target.first_side)


def test_a_size_never_becomes_infinite_nor_zero():
    for scales in ((0.5, 1, 2), (2, 1, 0.5)):
        tracker = ScriptedTracker(scales=scales, lr=1, scale_step=1.5)
        results = tracker.follow([10] * 60)
        assert all(np.isfinite(result.box_xywh).all() for result in results)
        assert (tracker._target.place.size_wh > 0).all()


@pytest.mark.parametrize(("peak", "score"), [(36, 1), (18, 0.5), (40, 1), (0, 0), (-7, 0)])
def test_the_score_is_the_peak_against_the_first_one(peak, score):
    assert ScriptedTracker().follow([peak])[0].score == pytest.approx(score)
