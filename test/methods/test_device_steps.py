# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The steps for a device beside the usual ones, which are number for number those of the authors' code."""

import dataclasses
import sys

import numpy as np
import pytest
import torch
from device_testing import check_capturable
from quick_networks import quick_network

from siam_tracker_ros.core.crop import crop_context, region_corner, region_numbers, round_half_up
from siam_tracker_ros.core.device_crop import CropRegions, crop_regions
from siam_tracker_ros.core.device_step import DeviceStep
from siam_tracker_ros.core.graphs import Graphs
from siam_tracker_ros.core.loading import read_network
from siam_tracker_ros.core.registry import find_model, make_tracker_settings
from siam_tracker_ros.demo.scene import Scene
from siam_tracker_ros.executors.device import prepare_for_inference
from siam_tracker_ros.methods.lite import device as lite_device
from siam_tracker_ros.methods.siammask.device import gather_square
from siam_tracker_ros.methods.siammask.network import cut_square

pytestmark = pytest.mark.slow

SCENE = Scene(size_wh=(320, 240), frames=5)
FRAMES = [frame.image_bgr for frame in SCENE]
BOX = np.array(SCENE[0].box_xywh)
MODELS = ["siamrpn_r50", "siammask_sharp", "siammask_base", "ocean", "siamrcr", "gradnet", "lite"]


def contrasted(model):
    """A quick network whose scores differ from cell to cell: random ones are nearly the same everywhere."""
    torch.manual_seed(0)
    network = quick_network(model)
    if hasattr(network, "rpn"):
        gain, shift = {"siamrpn_alex": (8, 6), "siammask_base": (4, 8)}.get(model, (1, 4))
        for level in network.rpn.levels:
            for parameter in level.regression.predict[1].parameters():
                parameter.data *= 0.05  # else no box is near the target's size, and all responses are nearly 0
            level.classification.predict[1].weight.data *= gain
            level.classification.predict[1].bias.data[:5] += shift / len(network.rpn.levels)
    elif model != "gradnet":
        gain = {"ocean": 300, "siamrcr": 30}[model]
        network.classification.weight.data *= gain
    return network


def in_tuple(graph):
    """A graph that returns a tuple whatever the number of its outputs."""

    def run(*tensors):
        outputs = graph(*tensors)
        return (outputs,) if isinstance(outputs, torch.Tensor) else outputs

    return run


def prepared(model, device, dtype=torch.float32):
    """A network as a tracker takes it."""
    if model.startswith("lite"):
        network = prepare_for_inference(read_network(find_model(model), None), torch.device(device), dtype)
        if device == "meta":  # which has no arrays
            return Graphs({name: in_tuple(getattr(network, name)) for name in network.graphs()}, "torch")
        return network.on_arrays()
    return prepare_for_inference(contrasted(model), torch.device(device), dtype)


@pytest.fixture(scope="module")
def networks():
    """Returns a network by model and type, made once."""
    made = {}

    def get(model, dtype=torch.float32):
        if (model, dtype) not in made:
            made[model, dtype] = prepared(model, "cpu", dtype)
        return made[model, dtype]

    return get


def pair(model, network, **settings):
    """Two trackers with one network: the usual one, and one that takes the step for a device."""
    method = find_model(model)
    usual, on_device = (method.tracker_class(network, make_tracker_settings(method, None, settings)) for _ in range(2))
    on_device.use_device_step()
    assert usual._device_step is None and isinstance(on_device._device_step, DeviceStep)
    return usual, on_device


def device_pixels(image_bgr, center_xy, side, out_side, fill_bgr, snap=round_half_up, exact=True):
    """What `crop_context` returns, with the pixels of the crop for a device."""
    corner_xy = region_corner(center_xy, side, snap)
    region = CropRegions.of(torch.tensor([region_numbers(corner_xy, side, fill_bgr)], dtype=torch.float32))
    return crop_regions(torch.from_numpy(image_bgr), region, out_side)[0].numpy().astype(np.uint8), corner_xy


@pytest.fixture
def same_pixels(monkeypatch):
    """The usual steps read the pixels that those for a device do."""
    for name, module in list(sys.modules.items()):
        if name.startswith("siam_tracker_ros.") and vars(module).get("crop_context") is crop_context:
            monkeypatch.setattr(module, "crop_context", device_pixels)


def compare(results, atol, mask_share=0.0):
    """Compare two results: box in pixels, score, peak ratio, features and mask."""
    usual, on_device = results
    np.testing.assert_allclose(on_device.box_xywh, usual.box_xywh, atol=100 * atol, rtol=atol)
    assert on_device.score == pytest.approx(usual.score, abs=atol)
    assert on_device.peak_ratio == pytest.approx(usual.peak_ratio, abs=atol)
    assert 0 <= on_device.score <= 1 and 0 <= on_device.peak_ratio <= 1
    features = usual.region.features
    np.testing.assert_allclose(on_device.region.features, features, atol=20 * atol * np.abs(features).max())
    assert on_device.region.origin_xy == usual.region.origin_xy
    for field in ("side", "cell"):
        assert getattr(on_device.region, field) == getattr(usual.region, field)
    assert (usual.mask is None) == (on_device.mask is None)
    if usual.mask is not None:
        assert np.count_nonzero(usual.mask != on_device.mask) <= mask_share * usual.mask.size


def numbers_of(target):
    """Where a target is kept to be: its box, or GradNet's place, which is not rounded as its box is."""
    target = getattr(target, "siamese", target)
    place = getattr(target, "place", None)
    return [target.box_cxcywh] if place is None else [place.center_xy, place.size_wh, place.side]


def follow(trackers, frames, box_xywh, atol, steps=1):
    """Compare the steps of both trackers from the same targets; return the usual results."""
    usual, on_device = trackers
    target, seen = usual.start(frames[0], box_xywh), []
    for image_bgr in frames[1:]:
        next_target, result = usual.step(image_bgr, target)
        next_on_device, on_device_result = on_device.step(image_bgr, target)
        compare((result, on_device_result), atol)
        for before, after in zip(numbers_of(next_target), numbers_of(next_on_device), strict=True):
            np.testing.assert_allclose(after, before, atol=100 * atol, rtol=atol)
        target = next_target
        seen.append(result)
    return seen


ODD = {
    "one pixel": ((1, 1), (0, 0, 1, 1)),
    "larger than a narrow frame": ((400, 90), (-200, -200, 700, 600)),
}


@pytest.mark.parametrize("case", ODD)
@pytest.mark.parametrize("model", MODELS)
def test_odd_frames_and_targets(networks, same_pixels, model, case):
    size_wh, box_xywh = ODD[case]
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, (size_wh[1], size_wh[0], 3), dtype=np.uint8) for _ in range(2)]
    follow(pair(model, networks(model)), frames, box_xywh, 1e-4)


@pytest.mark.parametrize("model", [*MODELS, "siamrpn_alex", "siammask_r50", "lite_online"])
def test_with_the_same_pixels_the_step_finds_the_same(networks, same_pixels, model):
    follow(pair(model, networks(model)), FRAMES[:3], BOX, 1e-4)


@pytest.mark.parametrize("model", MODELS)
def test_with_its_own_pixels_the_step_finds_almost_the_same(networks, model):
    follow(pair(model, networks(model)), FRAMES[:2], BOX, 5e-3)


@pytest.mark.parametrize("model", ["siamrpn_r50", "ocean"])
def test_a_whole_track_follows_the_usual_one(networks, model):
    tracks = []
    for tracker in pair(model, networks(model)):
        tracker.init(FRAMES[0], BOX)
        tracks.append([tracker.track(image_bgr).box_xywh for image_bgr in FRAMES[1:]])
    np.testing.assert_allclose(tracks[1], tracks[0], atol=0.5)


@pytest.mark.parametrize("penalty_k, window_influence", [(0, 0), (0.2, 0.6)])
@pytest.mark.parametrize("model", MODELS)
def test_settings_are_read_in_each_frame(networks, same_pixels, model, penalty_k, window_influence):
    usual, on_device = pair(model, networks(model))
    target = usual.start(FRAMES[0], BOX)
    on_device.step(FRAMES[1], target)
    for tracker in (usual, on_device):
        tracker.settings = dataclasses.replace(tracker.settings, penalty_k=penalty_k, window_influence=window_influence)
    results = [tracker.step(FRAMES[1], target)[1] for tracker in (usual, on_device)]
    compare(results, 1e-4)
    if (penalty_k, window_influence) == (0, 0):
        assert 0.01 < results[0].score and 0 < results[0].peak_ratio < 0.9999, "nothing would be compared"


@pytest.mark.parametrize("model", MODELS)
def test_a_region_outside_of_the_frame(networks, same_pixels, model):
    trackers = pair(model, networks(model))
    target = trackers[0].move(trackers[0].start(FRAMES[0], BOX), np.array([-150.0, 60, 40, 40]))
    results = [tracker.step(FRAMES[1], target)[1] for tracker in trackers]
    if model == "gradnet":  # whose scores of one colour are the same everywhere: no place is the best
        assert results[1].score == pytest.approx(results[0].score, abs=1e-4)
    else:
        compare(results, 1e-4)


@pytest.mark.parametrize("model", ["siamrpn_r50", "siamrcr"])
def test_targets_in_turn_keep_their_own_templates(networks, model):
    usual, on_device = pair(model, networks(model))
    targets = [usual.start(FRAMES[0], BOX + [shift, 0, 0, 0]) for shift in (0, 25)]
    for target in (*targets, targets[0]):
        compare([tracker.step(FRAMES[2], target)[1] for tracker in (usual, on_device)], 5e-3)


def noted_batches(tracker):
    """The number of targets of each run of a tracker's step from now on."""
    step, seen = tracker._device_step, []
    function = step._function

    def note(frame_bgr, numbers, *tensors, **options):
        seen.append(len(numbers))
        return function(frame_bgr, numbers, *tensors, **options)

    step._function = note
    return seen


@pytest.mark.parametrize("model", sorted({*MODELS} - {"lite"}))
def test_several_targets_at_once_are_found_as_one_after_the_other(networks, model):
    """Those of lite: test/core/test_targets_at_once.py."""
    _, tracker = pair(model, networks(model))
    boxes = [BOX + [25, 10, 8, -4], [300.0, 220, 40, 40]]  # the last one reaches over the corner of the frame
    targets = [tracker.start(FRAMES[0], box) for box in boxes]
    alone = [tracker.step(FRAMES[1], target) for target in targets]
    seen = noted_batches(tracker)
    with tracker.sharing(FRAMES[1], targets):
        together = [tracker.step(FRAMES[1], target) for target in targets]
    assert seen == [2]
    for (target, result), (expected_target, expected) in zip(together, alone, strict=True):
        compare((expected, result), 1e-4)
        for after, before in zip(numbers_of(target), numbers_of(expected_target), strict=True):
            np.testing.assert_allclose(after, before, atol=1e-2)


@pytest.mark.parametrize("place, refined", [(None, 1), (0, 2)])
def test_lite_refines_with_its_first_look_what_it_will_choose(networks, monkeypatch, place, refined):
    """If it is another cell after all, that is refined by itself, and the result is the same."""
    usual, on_device = pair("lite", networks("lite"), given_box_share=0)
    target = usual.start(FRAMES[0], BOX)
    _, expected = on_device.step(FRAMES[1], target)
    if place is not None:
        monkeypatch.setattr(lite_device, "likely_cell", lambda cells, numbers: torch.full((len(cells),), place))
    functions, seen = on_device.network.functions, []
    refine = functions["refine"]
    monkeypatch.setitem(functions, "refine", lambda *inputs: (seen.append(1), refine(*inputs))[1])
    _, result = on_device.step(FRAMES[1], target)
    compare((expected, result), 1e-5)
    assert len(seen) == refined


def capturable_inputs(model, network, **settings):
    """The function of a step on the meta device, and what it is given for a frame."""
    method = find_model(model)
    tracker = method.tracker_class(network, make_tracker_settings(method, None, settings))
    tracker.use_device_step()
    given = []

    def note(frame_bgr, numbers, *tensors, **options):
        given.append(((frame_bgr, numbers, *tensors), options))
        raise InterruptedError

    target = tracker.start(FRAMES[0], BOX)
    tracker._device_step._function = note
    with pytest.raises(InterruptedError):
        tracker.step(FRAMES[1], target)
    network = prepared(model, "meta")
    return method.tracker_class(network, tracker.settings)._step_function(), given[0]


@pytest.mark.parametrize("model", MODELS)
def test_the_step_reads_no_value_and_copies_nothing_to_the_device(networks, model):
    function, ((frame_bgr, *of_target), options) = capturable_inputs(model, networks(model))
    for count in (1, 2):
        check_capturable(function, frame_bgr, *(torch.cat([each] * count) for each in of_target), **options)


@pytest.mark.parametrize("model", ["siamrpn_r50", "siammask_sharp"])
def test_the_step_runs_in_half_precision(networks, model):
    """As it does on a GPU; the numbers after the network are of float32 all the same."""
    _, on_device = pair(model, networks(model, torch.float16))
    _, result = on_device.step(FRAMES[1], on_device.start(FRAMES[0], BOX))
    assert np.isfinite(result.box_xywh).all() and 0 <= result.score <= 1 and 0 <= result.peak_ratio <= 1
    assert result.region.source.dtype == torch.float16


@pytest.mark.parametrize("score_low, expected", [(0.0, 255), (1.0, 303)])
def test_a_lost_target_of_siamrpn_is_searched_for_in_a_larger_region(networks, same_pixels, score_low, expected):
    settings = {"long_term": True, "confidence_low": score_low, "lost_search_side": 303, "search_side": 255}
    usual, on_device = pair("siamrpn_r50", networks("siamrpn_r50"), **settings)
    target, _ = usual.step(FRAMES[1], usual.start(FRAMES[0], BOX))
    assert target.lost == (expected == 303)
    (next_usual, result), (next_on_device, on_device_result) = (
        tracker.step(FRAMES[2], target) for tracker in (usual, on_device)
    )
    assert next_on_device.lost == next_usual.lost
    compare((result, on_device_result), 1e-4)
    assert result.region.features.shape[0] == expected // 8


@pytest.mark.parametrize("size, penalty_k", [(-88.0, 1.0), (2000.0, 0.0)])
def test_absurd_answers_leave_the_target_finite(networks, size, penalty_k):
    network = quick_network("siamrpn_r50")
    for level in network.rpn.levels:
        level.regression.predict[1].weight.data.zero_()
        level.regression.predict[1].bias.data[:10] = 1e20
        level.regression.predict[1].bias.data[10:15] = size
        level.regression.predict[1].bias.data[15:] = -size
    network = prepare_for_inference(network, torch.device("cpu"), torch.float32)
    usual, on_device = pair("siamrpn_r50", network, penalty_k=penalty_k, lr=1)
    target = usual.start(FRAMES[0], BOX)
    for image_bgr in FRAMES[1:4]:
        target, result = on_device.step(image_bgr, target)
        assert np.isfinite(result.box_xywh).all() and np.isfinite([result.score, result.peak_ratio]).all()
        assert (result.box_xywh[2:] >= 10).all()


@pytest.mark.parametrize("top, left", [(-2, 9), (0, 0), (4, 5), (7, 8), (9, -5)])
def test_a_gathered_square_is_the_one_that_is_cut(top, left):
    features = torch.randn(2, 4, 12, 13)
    gathered = gather_square(features, torch.tensor([top, 1]), torch.tensor([left, 3]), 7)
    for one, square, place in zip(features[:, None], gathered[:, None], ((top, left), (1, 3)), strict=True):
        torch.testing.assert_close(square, cut_square(one, *place, 7), rtol=0, atol=0)
