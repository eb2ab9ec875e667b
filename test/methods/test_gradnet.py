# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""GradNet against the numbers of the authors' released code, and where that says nothing."""

import numpy as np
import pytest
import torch
from golden_data import golden, gradnet_schema, gradnet_state, ocean_video

from siam_tracker_ros import create_tracker
from siam_tracker_ros.core.crop import crop_context, mean_bgr
from siam_tracker_ros.executors.device import prepare_for_inference
from siam_tracker_ros.geometry import cxcywh_to_xywh
from siam_tracker_ros.methods.gradnet import METHODS
from siam_tracker_ros.methods.gradnet.network import GradNetNetwork, correlate, tracking_loss
from siam_tracker_ros.methods.gradnet.tracker import GradNetSettings, GradNetTracker, _crop_pyramid, _normalize
from siam_tracker_ros.settings import settings_of
from siam_tracker_ros.weights.checkpoint import load_weights

pytestmark = pytest.mark.slow

BASE = "base_256/model_epoch45"


def make_network(dtype=torch.float32):
    state = GradNetNetwork.translate_state_dict(gradnet_state())
    network = GradNetNetwork.for_state(state)
    load_weights(network, state, "stand-in weights")
    return prepare_for_inference(network, torch.device("cpu"), dtype)


@pytest.fixture(scope="module")
def tracker():
    return create_tracker("gradnet", weights=gradnet_state(), preset="OTB2015", device="cpu")


@pytest.fixture(scope="module")
def forward():
    return golden("ocean_gradnet/gradnet_forward")


@pytest.fixture(scope="module", params=[torch.float32, torch.float64], ids=["float32", "float64"])
def outputs(request, forward):
    """The golden numbers recomputed, channels last as they are: two updates on frame 0, a third one on frame 1."""
    network, (frames, boxes) = make_network(request.param), ocean_video()
    scales = forward["sx"] * np.array([1 / 1.04, 1, 1.04])
    next_crops = _crop_pyramid(frames[1], boxes[0][:2], scales, mean_bgr(frames[0]))
    with torch.no_grad():
        z, xs, next_xs = (
            torch.from_numpy(crops).permute(0, 3, 1, 2).to(request.param)
            for crops in (forward["z_u8"][None], forward["xs_u8"], next_crops)
        )
        f2, fixed = network.encode_hidden(z), network.encode_search(z)
        start_search, searches = network.encode_search(xs[1:2]), network.encode_search(next_xs)
        first, h2 = network.adapt(f2, start_search)
        hidden = 0.4 * h2 + 0.6 * network.adapt(h2, start_search)[1]
        second, next_h2 = network.adapt(hidden, searches[1:2])
        plain = network.template_backbone.deepen(f2)
        found = {
            "f2_slice": f2[:, ::16],
            "f5": plain,
            "s0": correlate(start_search, plain),
            "f2g_slice": h2[:, ::16],
            "f5g": first,
            "f5s": fixed,
            "ss": correlate(searches, fixed),
            "sg": correlate(searches[1:2], first),
            "hid_slice": hidden[:, ::16],
            "upd_f5g": second,
            "upd_f2g_slice": next_h2[:, ::16],
            "upd_s0": correlate(searches[1:2], network.template_backbone.deepen(hidden)),
        }
    for prefix, start, search in (("", f2, start_search), ("upd_", hidden, searches[1:2])):
        start = start.clone().requires_grad_()
        loss = tracking_loss(correlate(search, network.template_backbone.deepen(start)))
        found[f"{prefix}grad_slice"] = torch.autograd.grad(loss, start)[0][:, ::16]
        found.setdefault("loss", loss.detach().reshape(1, 1, 1, 1))
    return {name: value.permute(0, 2, 3, 1).numpy() for name, value in found.items()}


@pytest.mark.parametrize(
    "name",
    ["f2_slice", "f5", "s0", "loss", "grad_slice", "f2g_slice", "f5g", "f5s", "ss", "sg", "hid_slice", "upd_f5g"]
    + ["upd_f2g_slice", "upd_grad_slice", "upd_s0"],
)
def test_the_network_gives_the_released_numbers(outputs, forward, name):
    expected, found = forward[name], outputs[name].squeeze() if name == "loss" else outputs[name]
    largest = np.abs(expected).max() if "grad" in name else 1
    assert found.shape == expected.shape
    assert (np.abs(found - expected) <= 1e-4 * np.maximum(largest, np.abs(expected))).all()


def test_the_loss_map_is_the_released_one(forward):
    """Its derivative at 0 is -label * weight / 2 a cell, over the number of cells."""
    score = torch.zeros(1, 1, 17, 17, dtype=torch.float64, requires_grad=True)
    tracking_loss(score).backward()
    expected = -forward["label"] * forward["weight"] / 2 / 289
    np.testing.assert_allclose(score.grad.permute(0, 2, 3, 1).numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("value", [0.0, 30.0, -30.0, 1e5, -1e5])
def test_the_loss_is_exact_for_large_scores(value):
    score = torch.full((1, 1, 17, 17), value, dtype=torch.float64)
    balanced = 0.5 * np.logaddexp(0, -value) + 0.5 * np.logaddexp(0, value)
    assert tracking_loss(score).item() == pytest.approx(balanced / 289, rel=1e-12)


@pytest.mark.parametrize("cells", [15, 17])
@pytest.mark.parametrize("batch", [1, 8])
def test_the_loss_of_a_batch_is_the_mean(cells, batch):
    score = torch.randn(batch, 1, cells, cells)
    each = torch.stack([tracking_loss(one[None]) for one in score])
    assert tracking_loss(score).item() == pytest.approx(each.mean().item(), rel=1e-5)


def test_the_crops_are_the_released_ones_bit_for_bit(tracker, forward):
    frames, boxes = ocean_video()
    tracker.init(frames[0], cxcywh_to_xywh(boxes[0]))
    target = tracker._target
    assert target.place.side == forward["sx"]
    sides = forward["sx"] * np.array([1 / 1.04, 1, 1.04])
    np.testing.assert_array_equal(_crop_pyramid(frames[0], boxes[0][:2], sides, target.fill_bgr), forward["xs_u8"])
    np.testing.assert_array_equal(target.samples[0].crop, forward["xs_u8"][1])
    np.testing.assert_array_equal(
        tracker._crop_middle_scale(frames[1], target.place, target.fill_bgr), forward["xs1_mid_u8"]
    )
    template, _ = crop_context(frames[0], boxes[0][:2], round(float(forward["sz"])), 127, target.fill_bgr, snap=round)
    np.testing.assert_array_equal(template, forward["z_u8"])


def test_the_templates_are_the_released_ones_after_init(tracker):
    frames, boxes = ocean_video()
    tracker.init(frames[0], cxcywh_to_xywh(boxes[0]))
    found = tracker._target.adapted_template.permute(0, 2, 3, 1).numpy()
    expected = golden("ocean_gradnet/gradnet_track_plain")["update_template_first"]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def video(name):
    """Frames and first box of a golden run."""
    frames, boxes = ocean_video()
    if name == "plain":
        return list(frames), cxcywh_to_xywh(boxes[0])
    order = golden("ocean_gradnet/gradnet_seq_dim_order")
    dimmed = [frames[index] if index >= 0 else frames[-index - 1] // 8 for index in order["order"]]
    return dimmed, cxcywh_to_xywh(order["init_cxcywh"])


@pytest.mark.parametrize("name", ["plain", "dim"])
def test_the_tracker_gives_the_released_boxes(tracker, name):
    expected, (frames, box) = golden(f"ocean_gradnet/gradnet_track_{name}"), video(name)
    tracker.init(frames[0], box)
    np.testing.assert_array_equal(np.rint(box), expected["result_xywh"][0])
    first_peak, left_out, updates = tracker._target.first_peak, False, [0]
    for number, frame in enumerate(frames[1:]):
        result = tracker.track(frame)
        target = tracker._target
        np.testing.assert_array_equal(result.box_xywh, expected["result_xywh"][number + 1])
        np.testing.assert_allclose(target.place.center_xy[::-1], expected["pos"][number], atol=1e-3)
        assert result.score == pytest.approx(min(1, expected["fmax"][number] / first_peak), abs=1e-4)
        assert round(target.place.side) == expected["sx_round"][number]
        window_is_left_out = target.window_was_left_out and not left_out
        assert window_is_left_out == (expected["win"][number] == 0)
        left_out = target.window_was_left_out
        updates += [number + 1] if result.updated else []
    assert updates == expected["update_after_frame"].tolist()
    last = tracker._target.adapted_template.permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(last, expected["update_template_last"], atol=1e-5)


@pytest.mark.parametrize("outer", [torch.inference_mode, torch.enable_grad])
def test_the_gradient_is_there_whatever_mode_the_caller_is_in(outer):
    frames, box = video("plain")
    with outer():
        tracker = create_tracker("gradnet", weights=gradnet_state(), device="cpu")
        tracker.init(frames[0], box)
        results = [tracker.track(frame) for frame in frames[1:6]]
    assert results[-1].updated
    assert not tracker._target.adapted_template.requires_grad
    np.testing.assert_array_equal(
        [result.box_xywh for result in results], golden("ocean_gradnet/gradnet_track_plain")["result_xywh"][1:6]
    )


def test_targets_share_nothing(tracker):
    frames, box = video("plain")
    other = GradNetTracker(tracker.network, GradNetSettings())
    tracker.init(frames[0], box)
    other.init(frames[5], [10, 20, 60, 40])
    found = []
    for number, frame in enumerate(frames[1:7]):
        found.append(tracker.track(frame).box_xywh)
        other.track(frames[number])
    np.testing.assert_array_equal(found, golden("ocean_gradnet/gradnet_track_plain")["result_xywh"][1:7])


@pytest.mark.parametrize("checkpoint", [None, BASE])
def test_the_schemas_import_whole(checkpoint):
    state = gradnet_state(checkpoint) if checkpoint else gradnet_state()
    every = {name: np.float32(0) for name in gradnet_schema(*([checkpoint] if checkpoint else []))}
    with torch.device("meta"):
        network = GradNetNetwork.for_state({})
    target = network if checkpoint is None else network.search_backbone
    state = {**every, **state}
    own = network.translate_state_dict(state) if checkpoint is None else network.imagenet_states(state)[0][1]
    expected = {name for name in target.state_dict() if not name.endswith("num_batches_tracked")}
    assert own.keys() == expected
    assert all(tuple(own[name].shape) == tuple(target.state_dict()[name].shape) for name in expected)


def test_a_siamfc_checkpoint_loads_into_the_search_backbone():
    network, state = GradNetNetwork(), gradnet_state(BASE)
    ((backbone, own),) = network.imagenet_states(state)
    load_weights(backbone, own, "base")
    expected = state["siamese/scala2/conv/weights"].transpose(3, 2, 0, 1)
    np.testing.assert_array_equal(network.search_backbone.stage2.conv.weight.detach().numpy(), expected)


def test_own_names_pass_unchanged():
    own = GradNetNetwork().state_dict()
    translated = GradNetNetwork.translate_state_dict(own)
    assert translated.keys() == own.keys()
    assert all(translated[name] is value for name, value in own.items())


def test_folding_the_norms_changes_nothing():
    state = GradNetNetwork.translate_state_dict(gradnet_state())
    plain = GradNetNetwork()
    load_weights(plain, state, "stand-in weights")
    plain.eval().double()
    image = torch.rand(1, 3, 127, 127, dtype=torch.float64) * 255
    search = torch.rand(1, 3, 159, 159, dtype=torch.float64) * 255
    with torch.no_grad():
        expected = plain.adapt(plain.encode_hidden(image), plain.encode_search(search))
        folded = prepare_for_inference(plain, torch.device("cpu"), torch.float64)
        found = folded.adapt(folded.encode_hidden(image), folded.encode_search(search))
    for first, second in zip(expected, found):
        torch.testing.assert_close(first, second, rtol=1e-9, atol=1e-9)


def test_a_flat_response_stays_zero():
    assert not _normalize(np.full((4, 4), 7, np.float32)).any()
    assert _normalize(np.arange(4.0)).tolist() == pytest.approx([0, 1 / 6, 2 / 6, 3 / 6])


BOXES = {
    "one pixel": [60, 40, 1, 1],
    "mostly outside": [-49, -39, 50, 40],
    "over the corner": [110, 70, 100, 90],
    "huge": [-500, -400, 1150, 900],
    "thin": [10, 5, 1, 70],
    "fraction": [33.4, 21.7, 17.3, 23.9],
}


@pytest.mark.parametrize("box", BOXES.values(), ids=BOXES)
def test_odd_boxes_and_random_weights_stay_finite(random_tracker, box):
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, (90, 120, 3), dtype=np.uint8) for _ in range(3)]
    frames += [np.full((90, 120, 3), value, np.uint8) for value in (0, 128, 255)]
    random_tracker.init(frames[0], box)
    for frame in frames[1:]:
        result = random_tracker.track(frame)
        assert np.isfinite(result.box_xywh).all()
        assert (result.box_xywh == np.rint(result.box_xywh)).all()
        assert 0 <= result.score <= 1
        assert 0 <= result.peak_ratio <= 1


@pytest.fixture(scope="module")
def random_tracker():
    torch.manual_seed(0)
    network = prepare_for_inference(GradNetNetwork(), torch.device("cpu"), torch.float32)
    return GradNetTracker(network, GradNetSettings())


def test_the_model_tells_of_itself():
    (info,) = METHODS
    assert info.name == "gradnet"
    assert not info.half_precision
    assert {"penalty_k", "window_influence", "lr"} <= settings_of(GradNetSettings).keys()
    assert info.count_parameters() == sum(parameter.numel() for parameter in GradNetNetwork().parameters())
