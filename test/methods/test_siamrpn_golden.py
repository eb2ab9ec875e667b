# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""SiamRPN++ and SiamMask against numbers that the authors' released code produced."""

import contextlib

import numpy as np
import pytest
import torch
from golden_data import golden, golden_json, pysot_shapes, pysot_state, pysot_video

from siam_tracker_ros import list_models
from siam_tracker_ros.core.mask_shape import largest_contour, smallest_rectangle, warp_mask
from siam_tracker_ros.core.response import clip_to_frame, hann_window, size_change
from siam_tracker_ros.executors.device import prepare_for_inference
from siam_tracker_ros.geometry import corners_to_cxcywh, corners_to_equal_area_cxcywh, xywh_to_corners, xywh_to_cxcywh
from siam_tracker_ros.methods.siammask import tracker as siammask
from siam_tracker_ros.methods.siammask.network import SiamMask, SiamMaskBase
from siam_tracker_ros.methods.siamrpn import tracker as siamrpn
from siam_tracker_ros.methods.siamrpn.anchors import anchor_grid, anchor_sizes
from siam_tracker_ros.methods.siamrpn.network import (
    SiamRPNAlex,
    SiamRPNMobileNetV2,
    SiamRPNResNet50,
    SiamRPNResNet50LongTerm,
    crop_template,
)
from siam_tracker_ros.methods.siamrpn.proposals import decode_proposals
from siam_tracker_ros.methods.siamrpn.tracker import SiamRPNSettings, SiamRPNTracker
from siam_tracker_ros.weights.checkpoint import load_weights

pytestmark = pytest.mark.slow

NETWORKS = {
    "siamrpn_alex_dwxcorr": SiamRPNAlex,
    "siamrpn_mobilev2_l234_dwxcorr": SiamRPNMobileNetV2,
    "siamrpn_r50_l234_dwxcorr": SiamRPNResNet50,
    "siamrpn_r50_l234_dwxcorr_lt": SiamRPNResNet50LongTerm,
    "siammask_r50_l3": SiamMask,
    "siammask_base": SiamMaskBase,
    "siammask_sharp": SiamMask,
}
LEVELS = {  # of the backbone's features, those that are recorded
    "siamrpn_alex_dwxcorr": (0,),
    "siamrpn_mobilev2_l234_dwxcorr": (3, 5, 7),
    "siammask_r50_l3": (0, 1, 2, 3),
    "siammask_sharp": (0, 1, 2, 3),
    # SiamMask lists the third stage twice where it ends there, for the fourth that it leaves out.
    "siammask_base": (2, 3, 3),
}
INFOS = {info.name: info for info in list_models()}


@pytest.fixture(scope="module", params=NETWORKS)
def config(request):
    return request.param


@pytest.fixture(scope="module")
def network(config):
    return load_network(NETWORKS[config], pysot_state(config))


def load_network(network_class, official_state):
    state = network_class.translate_state_dict(official_state)
    network = network_class.for_state(state)
    load_weights(network, state, "the stand-in weights")
    return prepare_for_inference(network, torch.device("cpu"), torch.float32)


def assert_close(ours, reference, tolerance=1e-4):
    ours, reference = np.asarray(ours, np.float64), np.asarray(reference, np.float64)
    assert ours.shape == reference.shape
    assert np.max(np.abs(ours - reference) / np.maximum(1, np.abs(reference))) < tolerance


def mean_and_deviation(tensor):
    values = tensor.double()
    return np.array([values.mean(), values.std(correction=0)])


def test_the_network_gives_the_released_codes_numbers(config, network):
    net, reference = network, golden(f"pysot/{config}")
    compared = {"template_crop", "search_crop"}

    def compare(name, ours):
        assert_close(ours, reference[name])
        compared.add(name)

    with torch.inference_mode():
        crops = {
            "z": torch.from_numpy(reference["template_crop"]).float(),
            "x": torch.from_numpy(reference["search_crop"]).float(),
        }
        for side, crop in crops.items():
            backbone = net.backbone(crop)
            for index, level in enumerate(LEVELS.get(config, (2, 3, 4))):
                feature = backbone[level][0]
                compare(f"{side}_feat{index}_slice", feature[:3])
                compare(f"{side}_feat{index}_meanstd", mean_and_deviation(feature))
                if f"{side}_feat{index}_chmean" in reference:
                    compare(f"{side}_feat{index}_chmean", feature.double().mean((1, 2)))
            necks = [net.features(crop)[-1]] if "siammask" in config else net.features(crop)
            for index, feature in enumerate(necks):
                name = f"{side}_neck{index}" if f"{side}_neck{index}_slice" in reference else f"{side}_neck"
                if f"{name}_slice" in reference:
                    feature = crop_template(feature) if side == "z" else feature
                    compare(f"{name}_slice", feature[0, :3])
                    compare(f"{name}_meanstd", mean_and_deviation(feature))
        template = net.encode_template(crops["z"])
        response = net(crops["x"], template)
        compare("cls", response[0])
        compare("loc", response[1])
        if "siammask" in config:
            correlation = net.coarse.correlate(response.features[-1], template.mask)
            masks = net.coarse.predict(correlation)[0]
            if "maskcorr_slice" in reference:
                compare("maskcorr_slice", correlation[0, :4])
            compare("mask_grid", masks[::63, ::3, ::3])
            compare("mask_meanstd", mean_and_deviation(masks))
            for row, column in ((12, 12), (3, 20)):
                compare(f"mask_at_{row}_{column}", masks[:, row, column])
            if net.refinement is None:
                for row, column in ((12, 12), (3, 20)):
                    compare(f"mask_at_{row}_{column}", net.mask(response, template, row, column).flatten())
            else:
                for row, column in ((12, 12), (0, 0), (24, 24), (5, 17)):
                    compare(f"refine_{row}_{column}", net.mask(response, template, row, column)[0])
    assert compared == {name for name in reference if not name.startswith("trk_")}


def corner_distance(corners, reference):
    """Largest distance of a corner to the nearest of the other set: the corner to begin with depends on OpenCV."""
    distance = np.abs(corners[:, None] - reference.reshape(1, 4, 2)).max(-1)
    return max(distance.min(0).max(), distance.min(1).max())


RUNS = {  # configuration: model, and for each recorded run its name, preset and settings
    "siamrpn_alex_dwxcorr": ("siamrpn_alex", [("", None, {})]),
    "siamrpn_mobilev2_l234_dwxcorr": ("siamrpn_mobilev2", [("", None, {})]),
    "siamrpn_r50_l234_dwxcorr": ("siamrpn_r50", [("", None, {})]),
    "siamrpn_r50_l234_dwxcorr_lt": (
        "siamrpn_r50_lt",
        [("", None, {"confidence_low": 0.975, "confidence_high": 0.985})],  # so that it is lost and found again
    ),
    "siammask_r50_l3": ("siammask_r50", [("", None, {})]),
    "siammask_base": ("siammask_base", [("default_", None, {})]),
    "siammask_sharp": ("siammask_sharp", [("vot18_", "vot2018", {}), ("vot_", "vot", {}), ("davis_", None, {})]),
}

# Of eleven tracked frames, those that are compared. The target of the long-term tracker is lost in the fourth and found
# in the fifth, in a region of 831 pixels, which takes as long as ten others; later frames are the same again.
FRAMES = {"siamrpn_r50_l234_dwxcorr_lt": 6}


def test_the_tracker_gives_the_released_codes_boxes_and_masks(config, network):
    reference, compared = golden(f"pysot/{config}"), set()
    model, runs = RUNS[config]
    for run, preset, settings in runs:
        compared |= compare_run(reference, network, INFOS[model], run, preset, settings, FRAMES.get(config, 11))
    assert compared == {name for name in reference if name.startswith("trk_")}


def compare_run(reference, network, info, run, preset, settings, count):
    """Compare all that is recorded of so many tracked frames, and say which arrays were compared."""
    has_masks = "mask" in info.name
    values = {**info.defaults, **info.presets.get(preset, {}), **settings}
    tracker = info.tracker_class(network, info.tracker_class.settings_class(**values))
    frames, boxes = pysot_video()
    box = np.asarray(boxes[0], np.float64)
    if "trk_box" in reference:
        box[:2] -= 0.5  # PySOT begins at x + (w - 1) / 2
    with watched(siammask if has_masks else siamrpn) as seen:
        tracker.init(frames[0], box)
        results = [tracker.track(frame) for frame in frames[1 : 1 + count]]
    centers_and_sizes = xywh_to_cxcywh(np.stack([result.box_xywh for result in results]))

    ours = {
        "box": [result.box_xywh for result in results],
        "center": centers_and_sizes[:, :2],
        "size": centers_and_sizes[:, 2:],
        "score": [result.score for result in results],
        "crop_size": seen["crop_side"][1:],
        "best_idx": seen["best_index"],
        "pscore": seen["best_response"],
        "margin": seen["margin"],
    }
    tolerance = {"box": 1e-3, "center": 1e-3, "size": 1e-3, "crop_size": 0, "best_idx": 0}
    if values.get("long_term"):
        del ours["center"], ours["size"]  # the state, which is not clipped there
        centers_and_sizes = np.stack(seen["state"])
        ours |= {"center": centers_and_sizes[:, :2], "size": centers_and_sizes[:, 2:]}
    compared = set()
    for name, value in ours.items():
        if f"trk_{run}{name}" in reference:
            expected = reference[f"trk_{run}{name}"][:count]
            np.testing.assert_allclose(np.asarray(value), expected, rtol=0, atol=tolerance.get(name, 1e-4))
            compared.add(f"trk_{run}{name}")
    if has_masks:
        for result, corners in zip(results, reference[f"trk_{run}polygon"], strict=True):
            assert corner_distance(result.polygon, corners) <= 1
        pixels = frames[0].shape[0] * frames[0].shape[1]
        areas = np.array([result.mask.sum() for result in results])
        assert np.abs(areas - reference[f"trk_{run}mask_area"]).max() <= 0.001 * pixels
        first = reference[f"trk_{run}first_mask_f16"]
        assert (results[0].mask == (first > values["mask_threshold"])).mean() > 0.999
        border = info.tracker_class.mask_border
        pasted = np.full_like(first, border, np.float64)
        place(pasted, seen["values"][0])
        np.testing.assert_allclose(pasted, first, atol=0.04)  # one step of OpenCV's coordinates
        # Of values outside of the window, the sum is the border's.
        sums = [part.sum(dtype=np.float64) + border * (pixels - part.size) for part, _ in seen["values"]]
        np.testing.assert_allclose(sums, reference[f"trk_{run}mask_sum"], atol=60)
        compared |= {f"trk_{run}{name}" for name in ("polygon", "mask_area", "first_mask_f16", "mask_sum")}
    return compared


def place(frame, part_and_first):
    part, (left, top) = part_and_first
    frame[top : top + part.shape[0], left : left + part.shape[1]] = part


@contextlib.contextmanager
def watched(module):
    """Record what the parts of a tracker give each other."""
    seen = {name: [] for name in ("crop_side", "best_index", "best_response", "margin", "values", "state")}

    def record_crop(image_bgr, center_xy, side, out_side, *rest):
        seen["crop_side"].append(out_side)
        return crop_context(image_bgr, center_xy, side, out_side, *rest)

    def record_best(score, boxes, size_wh, penalty_k, influence):
        best = best_proposal(score, boxes, size_wh, penalty_k, influence)
        anchor = int(np.argmin(np.abs(boxes[:, :, best.row, best.column].T - best.box_cxcywh).sum(1)))
        seen["best_index"].append(np.ravel_multi_index((anchor, best.row, best.column), score.shape))
        cells = score.shape[-1]
        response = best.penalty * best.score * (1 - influence)
        seen["best_response"].append(response + hann_window(cells)[best.row, best.column] * influence)
        penalty = np.exp(-penalty_k * (size_change(size_wh, boxes[2:]) - 1))
        ranked = np.sort((penalty * score * (1 - influence) + hann_window(cells) * influence).ravel())
        seen["margin"].append(ranked[-1] - ranked[-2])
        return best

    def record_warp(*arguments):
        seen["values"].append(warp_mask(*arguments))
        return seen["values"][-1]

    def record_clip(box_cxcywh, image_bgr):
        seen["state"].append(box_cxcywh)
        return clip_to_frame(box_cxcywh, image_bgr)

    crop_context, best_proposal = module.crop_context, module.best_proposal
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(module, "crop_context", record_crop)
        monkeypatch.setattr(module, "best_proposal", record_best)
        monkeypatch.setattr(module, "clip_to_frame", record_clip)
        if module is siammask:
            monkeypatch.setattr(module, "warp_mask", record_warp)
        yield seen


def test_the_tracker_works_in_double_precision():
    network = load_network(SiamRPNAlex, pysot_state("siamrpn_alex_dwxcorr")).double()
    tracker = SiamRPNTracker(network, SiamRPNSettings(**INFOS["siamrpn_alex"].defaults))
    frames, boxes = pysot_video()
    tracker.init(frames[0], np.asarray(boxes[0], np.float64) - (0.5, 0.5, 0, 0))
    ours = [tracker.track(frame).box_xywh for frame in frames[1:5]]
    np.testing.assert_allclose(ours, golden("pysot/siamrpn_alex_dwxcorr")["trk_box"][:4], rtol=0, atol=1e-3)


OFFICIAL = {
    "siamrpn_alex_dwxcorr": SiamRPNAlex,
    "siamrpn_alex_dwxcorr_16gpu": SiamRPNAlex,
    "siamrpn_alex_dwxcorr_otb": SiamRPNAlex,
    "siamrpn_mobilev2_l234_dwxcorr": SiamRPNMobileNetV2,
    "siamrpn_r50_l234_dwxcorr": SiamRPNResNet50,
    "siamrpn_r50_l234_dwxcorr_16gpu": SiamRPNResNet50,
    "siamrpn_r50_l234_dwxcorr_8gpu": SiamRPNResNet50,
    "siamrpn_r50_l234_dwxcorr_lt": SiamRPNResNet50,
    "siamrpn_r50_l234_dwxcorr_otb": SiamRPNResNet50LongTerm,
    "siamrpn_r50_l234_dwxcorr_otb_8gpu": SiamRPNResNet50,
    "siammask_base": SiamMask,
    "siammask_r50_l3": SiamMaskBase,
    "siammask_sharp": SiamMask,
}


@pytest.mark.parametrize("name", OFFICIAL)
def test_every_official_file_fits(name):
    """Also into the model that has another variant by default."""
    with torch.device("meta"):
        official = {key: torch.empty(shape) for key, shape in pysot_shapes(name).items()}
        state = OFFICIAL[name].translate_state_dict(official)
        network = OFFICIAL[name].for_state(state)
    expected = {key: value.shape for key, value in network.state_dict().items()}
    assert len(state) == len(official)
    assert {key: value.shape for key, value in state.items()} == expected
    assert OFFICIAL[name].translate_state_dict(state).keys() == state.keys(), "our own names stay as they are"


def test_both_programs_names_of_siammask_mean_the_same():
    renamed = golden_json("pysot/keymap_siammask_sharp_to_pysot")
    pairs = renamed.items() if len(renamed) > 1 else next(iter(renamed.values())).items()
    pairs = list(pairs)
    assert len(pairs) == 356
    authors, pysot = (SiamMask.translate_state_dict({pair[side]: pair[0] for pair in pairs}) for side in (0, 1))
    assert authors == pysot


@pytest.fixture(scope="module")
def utilities():
    return golden("pysot/utils_pysot")


def test_anchors(utilities):
    half = anchor_sizes() / 2
    np.testing.assert_array_equal(np.concatenate([-half, half], 1), utilities["base_anchors"])
    for cells in (21, 25):
        np.testing.assert_array_equal(anchor_grid(cells).reshape(4, -1).T, utilities[f"anchors_{cells}"])


@pytest.mark.parametrize("cells", [21, 25])
def test_windows(utilities, cells):
    np.testing.assert_array_equal(np.tile(hann_window(cells).ravel(), 5), utilities[f"window_{cells}"])


@pytest.mark.parametrize("search_side", [255, 287, 831])
def test_response_sizes(utilities, search_side):
    """Of an AlexNet for 287 pixels, of the others else."""
    network_class = SiamRPNAlex if search_side == 287 else SiamRPNMobileNetV2
    with torch.device("meta"):
        network = network_class()
        template = network.encode_template(torch.empty(1, 3, 127, 127))
        logits, _ = network(torch.empty(1, 3, search_side, search_side), template)
    assert logits.shape[2:] == (utilities[f"score_size_{search_side}"],) * 2


def test_proposals_are_decoded(utilities):
    boxes = utilities["dec_bbox"].reshape(4, 5, 25, 25).astype(np.float64)
    # The reference decodes in place, so that it recorded no offsets: take the way back from its boxes.
    assert np.array_equal(utilities["dec_loc"].reshape(boxes.shape), boxes)
    anchors = anchor_grid(25)
    offsets = np.concatenate([(boxes[:2] - anchors[:2]) / anchors[2:], np.log(boxes[2:] / anchors[2:])])
    score, decoded = decode_proposals(
        torch.from_numpy(utilities["dec_cls"]).double(), torch.from_numpy(offsets.reshape(1, 20, 25, 25))
    )
    np.testing.assert_allclose(score.ravel(), utilities["dec_score"], rtol=1e-6)
    np.testing.assert_allclose(decoded, boxes, rtol=1e-6, atol=1e-5)


def test_boxes_are_clipped(utilities):
    frame = np.empty((240, 320, 3), np.uint8)
    for box, clipped in zip(utilities["clip_in"], utilities["clip_out"], strict=True):
        np.testing.assert_array_equal(clip_to_frame(box, frame), clipped)


def test_rotated_boxes_are_made_upright(utilities):
    for polygon, equal_area, bounds in zip(
        utilities["poly_in"], utilities["poly_axis_aligned"], utilities["poly_minmax"], strict=True
    ):
        corners = polygon.reshape(4, 2)
        np.testing.assert_allclose(corners_to_equal_area_cxcywh(corners), equal_area, rtol=1e-14)
        np.testing.assert_array_equal(corners_to_cxcywh(corners), bounds)
    for box, centred in zip(utilities["rect_in"], utilities["rect_axis_aligned"], strict=True):
        np.testing.assert_array_equal(xywh_to_cxcywh(box), centred)


@pytest.mark.parametrize("number", range(4))
def test_masks_become_rectangles(utilities, number):
    contour = largest_contour(utilities[f"post_mask{number}"] / 100 > 0.3, (0, 0))
    x, y, w, h = utilities["post_fallback_center_size"]
    corners = xywh_to_corners((x - w / 2, y - h / 2, w, h)) if contour is None else smallest_rectangle(contour)
    assert corner_distance(corners, utilities[f"post_poly{number}"]) < 1e-3


@pytest.mark.parametrize("number", range(3))
def test_masks_are_pasted(utilities, number):
    x, y, side = utilities[f"paste{number}_box"]
    pasted = np.zeros((240, 320))
    place(pasted, warp_mask(utilities["paste_mask"], (x, y), side, (320, 240), border=0.0))
    np.testing.assert_allclose(pasted, utilities[f"paste{number}"], atol=0.04)  # one step of OpenCV's coordinates
