# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the search for a lost target needs of trackers: to move a target, features of a part, a step that only looks."""

import dataclasses
import functools

import cv2
import numpy as np
import pytest
import torch
from quick_networks import SIAMRPN, quick_tracker, thin_network
from toy_method.network import ToyNetwork
from toy_method.tracker import ToySettings, ToyTracker

from siam_tracker_ros import create_tracker, list_models
from siam_tracker_ros.core.monitor import MonitorSettings, TargetState
from siam_tracker_ros.core.registry import find_model
from siam_tracker_ros.core.session import TargetSession
from siam_tracker_ros.demo.scene import Scene
from siam_tracker_ros.geometry import xywh_to_cxcywh
from siam_tracker_ros.methods.ocean_online import tracker as ocean_online

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread", "few_iterations")]

MODELS = [model.name for model in list_models()]
LEARNING = {"lite_online": "frames", "ocean_online": "frames", "gradnet": "frame"}  # with the counter of their frames

SCENE = Scene(size_wh=(160, 120), frames=7)
FRAMES = [frame.image_bgr for frame in SCENE]
BOX, OTHER_BOX, EDGE_BOX = (50.0, 40.0, 30.0, 20.0), (90.0, 52.5, 24.0, 36.0), (130.0, 90.0, 44.0, 40.0)
LARGE_BOX = (50.0, 35.0, 60.0, 50.0)  # one tile covers the frame

NOTHING_COUNTS = MonitorSettings(lost_confidence=1, uncertain_confidence=1, recover_confidence=1, lost_frames=2)
ALL_COUNTS = MonitorSettings(lost_confidence=0, uncertain_confidence=0, recover_confidence=0, min_visible=0)


@pytest.fixture
def few_iterations(monkeypatch):
    monkeypatch.setattr(ocean_online, "FIRST_ITERATIONS", 2)
    monkeypatch.setattr(ocean_online, "LATER_ITERATIONS", 1)


@functools.cache
def tracker_of(model):
    if model.startswith("lite"):
        return create_tracker(model, device="cpu", runtime="torch")
    torch.manual_seed(0)
    return quick_tracker(model, thin_network(model))


@functools.cache
def target_of(model):
    return tracker_of(model).start(FRAMES[0], BOX)


def leaves(value):
    """Copies of all arrays, tensors and numbers in a target."""
    if dataclasses.is_dataclass(value):
        value = [getattr(value, field.name) for field in dataclasses.fields(value)]
    if isinstance(value, (tuple, list)):
        return [leaf for part in value for leaf in leaves(part)]
    return [value.numpy().copy() if isinstance(value, torch.Tensor) else np.array(value)]


def assert_same(first, second):
    for one, other in zip(leaves(first), leaves(second), strict=True):
        np.testing.assert_array_equal(one, other)


def assert_same_region(first, second):
    assert (first.origin_xy, first.side, first.cell) == (second.origin_xy, second.side, second.cell)
    np.testing.assert_array_equal(first.features, second.features)


def test_every_model_can_be_searched_for():
    assert all(model.tracker_class.tile_side > 0 for model in list_models())


@pytest.mark.parametrize("box", [OTHER_BOX, EDGE_BOX], ids=["elsewhere", "edge"])
@pytest.mark.parametrize("model", MODELS)
def test_a_moved_target_is_looked_for_like_one_marked_there(model, box):
    tracker = tracker_of(model)
    target, _ = tracker.step(FRAMES[1], target_of(model))
    _, moved = tracker.step(FRAMES[2], tracker.move(target, np.array(box)), learn=False)
    _, marked = tracker.step(FRAMES[2], tracker.start(FRAMES[0], box), learn=False)
    assert_same_region(moved.region, marked.region)


@pytest.mark.parametrize("model", MODELS)
def test_a_target_is_never_changed(model):
    tracker, target = tracker_of(model), target_of(model)
    before = leaves(target)
    box = np.array(OTHER_BOX)
    moved = tracker.move(target, box)
    moved_before = leaves(moved)
    for learn in (True, False):
        tracker.step(FRAMES[1], moved, learn)
    tracker.region(FRAMES[1], moved, (80, 60))
    assert_same(before, leaves(target))
    assert_same(moved_before, leaves(moved))
    box += 1  # a target does not hold the caller's array
    assert_same(moved_before, leaves(moved))


@pytest.mark.parametrize("model", MODELS)
def test_a_look_finds_what_a_step_finds(model):
    """The frame is one in which an online model is due to learn."""
    tracker, target = tracker_of(model), target_of(model)
    if model in LEARNING:
        target = dataclasses.replace(target, **{LEARNING[model]: 9})
    learned, stepped = tracker.step(FRAMES[1], target)
    looked_at, looked = tracker.step(FRAMES[1], target, learn=False)
    np.testing.assert_array_equal(looked.box_xywh, stepped.box_xywh)
    assert (looked.score, looked.peak_ratio) == (stepped.score, stepped.peak_ratio)
    assert (stepped.updated, looked.updated) == (model in LEARNING, False)
    next_regions = [tracker.step(FRAMES[2], after, learn=False)[1].region for after in (learned, looked_at)]
    assert_same_region(*next_regions)


@pytest.mark.parametrize(
    "model, learned, followed",
    [
        ("lite_online", {"whitening", "kernel", "memory", "update"}, {"siamese", "frames"}),
        (
            "ocean_online",
            {"kernel", "memory", "frames", "size_wh", "scale", "scale_range"},
            {"siamese", "center_xy"},
        ),
        (
            "gradnet",
            {"fixed_template", "adapted_template", "hidden", "first_peak", "frame", "early_peaks", "samples"}
            | {"first_side", "fill_bgr"},
            {"place", "window_was_left_out", "look_in_middle"},
        ),
    ],
)
def test_a_look_teaches_nothing(model, learned, followed):
    tracker = tracker_of(model)
    target = dataclasses.replace(target_of(model), **{LEARNING[model]: 9})
    assert learned | followed == {field.name for field in dataclasses.fields(target)}
    after, looked = target, None
    for image_bgr in FRAMES[1:4]:
        after, looked = tracker.step(image_bgr, after, learn=False)
        assert not looked.updated
    for name in learned:
        assert getattr(after, name) is getattr(target, name), name


def test_the_filter_sees_a_moved_target_as_large_as_it_learned_it():
    tracker, target = tracker_of("ocean_online"), target_of("ocean_online")
    moved = tracker.move(target, np.array([10, 20, 60, 40]))
    np.testing.assert_array_equal(moved.center_xy, (40, 40))
    assert moved.scale == pytest.approx(2 * target.scale)
    tiny = tracker.move(target, np.array([10, 20, 0.3, 0.2]))
    assert tiny.scale == target.scale_range[0]
    for image_bgr in FRAMES[1:]:  # as a session does while it doubts the target
        looked_at, _ = tracker.step(image_bgr, target, learn=False)
        target = tracker.move(looked_at, np.array(BOX))
    assert target.scale == pytest.approx(target_of("ocean_online").scale)


@pytest.mark.parametrize("model", MODELS)
def test_the_first_region_is_that_around_the_given_box(model):
    tracker, target, box_xywh = tracker_of(model), target_of(model), np.array(BOX)
    expected = tracker.region(FRAMES[0], target, box_xywh[:2] + box_xywh[2:] / 2)
    assert_same_region(tracker.first_region(FRAMES[0], target, box_xywh), expected)


def test_a_moved_target_is_looked_for_in_the_usual_region():
    tracker, target = tracker_of("siamrpn_r50_lt"), dataclasses.replace(target_of("siamrpn_r50_lt"), lost=True)
    regions = [tracker.step(FRAMES[1], each)[1].region for each in (target, tracker.move(target, np.array(BOX)))]
    assert regions[0].side > 3 * regions[1].side and regions[0].cell == pytest.approx(regions[1].cell, rel=0.02)
    tracker, target = tracker_of("gradnet"), dataclasses.replace(target_of("gradnet"), look_in_middle=True)
    assert not tracker.move(target, np.array(BOX)).look_in_middle


def test_a_target_without_extent_has_a_search_region_still():
    """GradNet's boxes are rounded, those of a tiny target to nothing."""
    tracker = tracker_of("gradnet")
    _, result = tracker.step(FRAMES[1], tracker.move(target_of("gradnet"), np.array([30.0, 30, 0, 0])), learn=False)
    assert result.region.side > 0 and np.isfinite(result.box_xywh).all()


@pytest.mark.parametrize("model", MODELS)
def test_regions_lie_where_they_say(model):
    tracker, target = tracker_of(model), tracker_of(model).move(target_of(model), np.array(OTHER_BOX))
    _, result = tracker.step(FRAMES[1], target, learn=False)
    part = tracker.region(FRAMES[1], target, (30, 40))
    larger = tracker.region(FRAMES[1], target, (30, 40), target_scale=1.5)
    middle_xy = xywh_to_cxcywh(np.array(OTHER_BOX))[:2]
    for region, center_xy in ((result.region, middle_xy), (part, (30, 40)), (larger, (30, 40))):
        rows, columns, channels = region.features.shape
        assert rows == columns and channels >= 16 and region.features.dtype == np.float32
        assert region.side - 14 * region.cell <= rows * region.cell <= region.side
        np.testing.assert_allclose(np.add(region.origin_xy, region.side / 2), center_xy, atol=1.5)
    assert part.side == tracker.tile_extent(target)
    assert larger.features.shape == part.features.shape
    assert larger.side == pytest.approx(1.5 * part.side, abs=1)
    assert part.cell == pytest.approx(result.region.cell, rel=0.02), "the network sees the target at the same scale"


def averaging(network):
    """Make every filter an average, so that what a cell answers to lies around the cell's centre."""
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.Conv2d):
                module.weight.fill_(1 / module.weight[0].numel())
                if module.bias is not None:
                    module.bias.zero_()
            if isinstance(module, torch.nn.ReLU6):
                module.max_val = float("inf")  # without it, brightness has no effect
    return network


BLANK = np.full((240, 320, 3), 40, np.uint8)
BLOBS = [(160, 120), (127, 139), (190, 101)]  # pixels of a blank frame


def with_blob(center_xy):
    blob = np.zeros(BLANK.shape[:2])
    blob[center_xy[1], center_xy[0]] = 1
    blob = cv2.GaussianBlur(blob, (0, 0), 3)
    return (BLANK + 200 * (blob / blob.max())[..., None]).astype(np.uint8)


def distance_in_cells(blank, lit, center_xy):
    """Distance of the cell that a blob changes most from the blob's middle."""
    change = np.linalg.norm(lit.features - blank.features, axis=-1)
    row, column = np.unravel_index(change.argmax(), change.shape)
    middle = (np.add(center_xy, 0.5) - lit.first_xy) / lit.cell
    return np.abs(np.array([column, row]) - middle).max()


@pytest.mark.parametrize("model", [model for model in MODELS if model not in SIAMRPN[1:]])
def test_a_blob_changes_the_cell_over_it(model):
    tracker = quick_tracker(model, averaging(thin_network(model)))
    reach = 1 if model.startswith("lite") else 0.6  # lite's padding moves its cells by half a cell up and left
    target = tracker.start(BLANK, (140, 105, 40, 30))
    (_, blank), blank_part = tracker.step(BLANK, target), tracker.region(BLANK, target, (163, 118))
    for center_xy in BLOBS:
        image_bgr = with_blob(center_xy)
        _, result = tracker.step(image_bgr, target)
        part = tracker.region(image_bgr, target, (163, 118))
        assert distance_in_cells(blank.region, result.region, center_xy) <= reach
        assert distance_in_cells(blank_part, part, center_xy) <= reach


@pytest.mark.parametrize("model", ["siamrpn_alex", "siamrpn_mobilev2", "ocean", "gradnet"])
def test_a_blob_changes_the_cell_over_it_in_a_full_backbone(model):
    """The others have Ocean's ResNet-50; where it has one stage more, its features are not those that are searched."""
    tracker = quick_tracker(model, averaging(find_model(model).network_class.for_state({})))
    target = tracker.start(BLANK, (140, 105, 40, 30))
    blank, *lit = (tracker.region(image, target, (160, 120)) for image in (BLANK, *map(with_blob, BLOBS[1:])))
    for region, center_xy in zip(lit, BLOBS[1:]):
        assert distance_in_cells(blank, region, center_xy) <= 0.6


def session_on(tracker):
    session = TargetSession(tracker, NOTHING_COUNTS)
    session.init(FRAMES[0], LARGE_BOX)
    return session


@pytest.mark.parametrize("model", MODELS)
def test_a_session_searches_for_a_lost_target(model):
    session = session_on(tracker_of(model))
    observations = [session.observe(image_bgr) for image_bgr in FRAMES[1:5]]
    first, *others = [o.state for o in observations]
    assert first != TargetState.LOST and others == [TargetState.LOST] * 3  # a box that jumps is UNCERTAIN at once
    assert observations[-1].box_xywh is None and observations[-1].search_progress > 0
    session.set_monitor_settings(ALL_COUNTS)
    observations = [session.observe(image_bgr) for image_bgr in FRAMES[5:]]
    assert all(0 <= o.confidence <= 1 for o in observations)


def test_a_session_does_without_search_where_the_tracker_has_none():
    session = session_on(ToyTracker(ToyNetwork().eval(), ToySettings()))
    observations = [session.observe(image_bgr) for image_bgr in FRAMES[1:5]]
    assert [o.state for o in observations] == [TargetState.TRACKING, *[TargetState.LOST] * 3]
    assert all((o.candidates, o.search_progress) == (0, 0) for o in observations)
    session.set_monitor_settings(ALL_COUNTS)
    assert [session.observe(image_bgr).state for image_bgr in [FRAMES[5]] * 5][-1] == TargetState.TRACKING
    with pytest.raises(NotImplementedError, match="ToyTracker cannot move a target; it sets no tile_side"):
        session.tracker.move(None, np.array(BOX))
