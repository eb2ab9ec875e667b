# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Ocean against numbers that the authors' released code produced."""

import functools
import json

import numpy as np
import pytest
import torch
from golden_data import golden, ocean_state, ocean_video

from siam_tracker_ros import create_tracker
from siam_tracker_ros.core.crop import crop_context, mean_bgr, round_half_up
from siam_tracker_ros.core.response import context_side, hann_window
from siam_tracker_ros.executors.device import prepare_for_inference
from siam_tracker_ros.geometry import cxcywh_to_xywh
from siam_tracker_ros.methods.ocean.method import result_boxes
from siam_tracker_ros.methods.ocean.network import OceanNetwork, alignment_offset, response_cells
from siam_tracker_ros.methods.ocean.tracker import OceanSettings, OceanTracker
from siam_tracker_ros.weights.checkpoint import load_weights

pytestmark = pytest.mark.slow


@functools.cache
def network(align, folded=True):
    state = OceanNetwork.translate_state_dict(ocean_state(align))
    network = OceanNetwork.for_state(state)
    load_weights(network, state, "the stand-in weights")
    return prepare_for_inference(network, torch.device("cpu"), torch.float32) if folded else network.eval()


@pytest.fixture(scope="module", autouse=True)
def free_networks():
    yield
    network.cache_clear()


@functools.cache
def forward():
    return golden("ocean_gradnet/ocean_forward")


def image(name):
    return torch.from_numpy(forward()[name])[None].float()


def assert_close(ours, reference, tolerance=1e-4):
    np.testing.assert_allclose(ours, reference, rtol=0, atol=tolerance * max(1, np.abs(reference).max()))


def first_frame():
    frames, boxes = ocean_video()
    return frames[0], np.asarray(boxes[0], np.float64)


def test_template_crop():
    frame, box = first_frame()
    side = round(context_side(*box[2:]))
    assert side == forward()["s_z"]
    np.testing.assert_allclose(mean_bgr(frame), forward()["avg_chans"], rtol=1e-12)
    crop, _ = crop_context(frame, box[:2], side, 127, mean_bgr(frame), snap=round)
    np.testing.assert_array_equal(crop.transpose(2, 0, 1), forward()["z_u8"])


@pytest.mark.parametrize("side", [255, 271, 287])
def test_search_crop(side):
    frames, boxes = ocean_video()
    box = np.asarray(boxes[0], np.float64)
    wanted = context_side(*box[2:]) * side / 127
    np.testing.assert_allclose(wanted, forward()[f"{side}_s_x"], rtol=1e-12)
    crops = (
        crop_context(frame, box[:2], round_half_up(wanted), side, mean_bgr(frames[0]), snap=round)[0]
        for frame in frames
    )
    assert any(np.array_equal(crop.transpose(2, 0, 1), forward()[f"{side}_x_u8"]) for crop in crops)


@pytest.mark.parametrize("align, folded", [(True, True), (True, False), (False, True)])
@pytest.mark.parametrize("side", [255, 271, 287])
@torch.inference_mode()
def test_responses(side, align, folded):
    net = network(align, folded)
    response = net(image(f"{side}_x_u8"), net.encode_template(image("z_u8")))
    assert_close(response.classification, forward()[f"{side}_cls"])
    assert_close(response.box_ltrb, forward()[f"{side}_bbox"])
    if align:
        assert_close(response.alignment, forward()[f"{side}_cls_align"])
    else:
        assert response.alignment is None


@torch.inference_mode()
def test_every_stage():
    net, reference = network(True), forward()

    def check(ours, name, cells=1):
        kept = reference[name]
        assert_close(ours[0, :: ours.shape[1] // len(kept), ::cells, ::cells], kept)

    template = net.neck(net.backbone(image("z_u8"))[-1])
    assert_close(template[..., 4:-4, 4:-4], reference["zf"])
    check(net.backbone(image("z_u8"))[-1], "z_layer3_slice")
    stem, layer1, layer2, layer3 = net.backbone(image("255_x_u8"))
    check(stem, "x_stem_relu_slice", 4)
    check(layer1, "x_layer1_slice", 2)
    check(layer2, "x_layer2_slice")
    check(layer3, "x_layer3_slice")
    search = net.neck(layer3)
    check(search, "x_neck_slice")
    kernels = net.encode_template(image("z_u8"))
    classification = net.classification_encoder(search, kernels.classification)
    regression = net.regression_encoder(search, kernels.regression)
    check(classification, "cls_dw_slice")
    check(regression, "reg_dw_slice")
    check(net.classification_tower(classification), "cls_tower_slice")
    check(net.regression_tower(regression), "x_reg_slice")
    offset = alignment_offset(torch.from_numpy(reference["255_bbox"]), 255)
    assert_close(offset[0].flatten(1).T, reference["offsets"], 1e-5)


SOTS_NAMES = (("features.features.", "backbone."), ("connect_model.", "head."))


def named_as(state, family):
    """The state as a family of checkpoints names it."""
    if family == "online file":
        return {"feature_extractor." + name: value for name, value in state.items()}
    if family == "SOTS":
        for trackit, sots in SOTS_NAMES:
            state = {name.replace(trackit, sots): value for name, value in state.items()}
    return state


@pytest.mark.parametrize(
    "family, align", [("TracKit", True), ("TracKit", False), ("online file", False), ("SOTS", False)]
)
def test_official_names_are_imported(family, align):
    own = OceanNetwork.translate_state_dict(named_as(ocean_state(align), family))
    with torch.device("meta"):
        expected = OceanNetwork.for_state(own).state_dict()
    assert {name: tuple(value.shape) for name, value in expected.items()} == {
        name: value.shape for name, value in own.items()
    }
    assert OceanNetwork.translate_state_dict(own).keys() == own.keys(), "our own names do not pass through"
    assert any(name.startswith("alignment.") for name in own) == align


RUNS = [("VOT2019_OA", True, "vot2019"), ("OTB2015_NoOA", False, "otb2015"), ("VOT2018_OA_border", True, "vot2018")]


@pytest.mark.parametrize("run, align, preset", RUNS)
def test_a_whole_run(run, align, preset):
    reference = golden(f"ocean_gradnet/ocean_track_{run}")
    tracker = create_tracker("ocean", weights=ocean_state(align), preset=preset, device="cpu")
    settings = tracker.settings
    published = json.loads(str(reference["hp"]))
    for name in ("penalty_k", "window_influence", "lr") + (("ratio",) if align else ()):
        assert getattr(settings, name) == published[name]
    frames, _ = ocean_video()
    tracker.init(frames[0], cxcywh_to_xywh(np.concatenate([reference["pos"][0], reference["sz"][0]])))
    target = tracker._target
    assert target.search_side == published["instance_size"]
    responses = []
    for index, frame in enumerate(frames[1:]):
        assert 127 / context_side(*target.box_cxcywh[2:]) == pytest.approx(reference["scale_z"][index], abs=1e-5)
        target, result = tracker.follow(frame, target, blend=lambda response: responses.append(response) or response)
        cell = responses[-1].argmax()
        assert cell == reference["idx"][index]
        second, best = np.sort(responses[-1].ravel())[-2:]
        assert best == pytest.approx(reference["pscore"][index], abs=1e-5)
        assert best - second == pytest.approx(reference["margin"][index], abs=1e-5)
        assert result.score == pytest.approx(reference["score"][index], abs=1e-5)
        unwindowed = best - settings.window_influence * hann_window(response_cells(target.search_side)).ravel()[cell]
        penalty = unwindowed / (1 - settings.window_influence) / result.score
        assert penalty == pytest.approx(reference["penalty"][index], abs=1e-4)
        assert penalty * result.score * settings.lr == pytest.approx(reference["lr"][index], abs=1e-4)
        np.testing.assert_allclose(target.box_cxcywh[:2], reference["pos"][index + 1], rtol=0, atol=1e-3)
        np.testing.assert_allclose(target.box_cxcywh[2:], reference["sz"][index + 1], rtol=0, atol=1e-3)
        corner = np.maximum(0, cxcywh_to_xywh(target.box_cxcywh)[:2])
        np.testing.assert_array_equal(result_boxes(result.box_xywh), [*corner, *target.box_cxcywh[2:]])
        np.testing.assert_array_equal(result.box_xywh, cxcywh_to_xywh(target.box_cxcywh))
    assert len(responses) == 11


def test_track_does_what_follow_does():
    frames, boxes = ocean_video()
    tracker = OceanTracker(network(True), OceanSettings())
    tracker.init(frames[0], cxcywh_to_xywh(np.asarray(boxes[0], np.float64)))
    _, expected = tracker.follow(frames[1], tracker._target)
    result = tracker.track(frames[1])
    np.testing.assert_array_equal(result.box_xywh, expected.box_xywh)
    assert (result.score, result.peak_ratio) == (expected.score, expected.peak_ratio)
