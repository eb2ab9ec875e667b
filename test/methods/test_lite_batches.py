# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0

import cv2
import numpy as np
import pytest
import torch
from drawn_bank import Photo, bank_of, drawn

from siam_tracker_ros.errors import InvalidSettingError
from siam_tracker_ros.geometry import cxcywh_to_xywh, cxcywh_to_xyxy, xywh_to_xyxy
from siam_tracker_ros.methods.lite import augmentation
from siam_tracker_ros.methods.lite.augmentation import (
    blur,
    coarsen,
    compress,
    enlarge,
    invert,
    paste,
    view_matrix,
    warp,
)
from siam_tracker_ros.methods.lite.batches import LiteBatches, PairSettings

pytestmark = pytest.mark.usefixtures("one_thread")

CALM = {name: 0.0 for name in (
    "rotation", "aspect", "negative", "flip", "grey", "color", "blur", "motion_blur", "low_resolution", "noise",
    "distractor", "occluder", "photo_fill", "new_background", "template_shift", "template_scale", "shift", "scale",
    "thermal", "jpeg",
)}  # fmt: skip
WHOLE = (0, 0, 108, 108)


def settings_of(**changes):
    return PairSettings(**{**CALM, **changes})


def squares(count=3, frames=1, prefix="", side=108, **changes):
    """Tracks of a target in the middle of a prepared crop, each of another size."""
    changes = {"valid": (0, 0, side, side), "size_wh": (side, side), **changes}
    sides = [side // 7 // 2 * 2 + 4 * number for number in range(count)]
    boxes = [[side / 2 - own / 2, side / 2 - own / 2 + 2, own, own - 4] for own in sides]
    return [drawn([box] * frames, name=f"{prefix}{number}", **changes) for number, box in enumerate(boxes)]


def found_box(mask, least=0.5):
    """Box xywh of a mask (H, W) of 0..1; the corners of a turned square fill little of their pixels."""
    return np.array(cv2.boundingRect((mask.numpy() > least).astype(np.uint8)), float)


@pytest.fixture(scope="module")
def bank():
    stills, videos = squares(3, side=320), squares(2, side=320, frames=3, prefix="v", dataset="video")
    return bank_of(*stills, *videos, photos=[Photo((200, 150)), Photo((90, 300))])


GEOMETRY = [
    {},
    {"shift": 0.9},
    {"scale": 0.3},
    {"flip": 1.0, "shift": 0.9},
    {"rotation": 40.0},
    {"aspect": 0.3},
    {"rotation": 15.0, "aspect": 0.2, "shift": 0.8, "scale": 0.3, "flip": 0.5},
    {"new_background": 1.0, "shift": 0.9, "rotation": 10.0},
    {"photo_fill": 1.0, "shift": 0.9, "flip": 0.5},
]


@pytest.mark.parametrize("changes", GEOMETRY, ids=[" ".join(changes) or "calm" for changes in GEOMETRY])
def test_boxes_and_masks_follow_the_warp(bank, changes):
    batch = LiteBatches(bank, settings_of(**changes), 0, 8).draw(0)
    for search, mask, box in zip(batch["search"], batch["mask"], batch["search_box"]):
        found = xywh_to_xyxy(found_box(mask[0], 0.2 if "rotation" in changes else 0.5))
        shown = cxcywh_to_xyxy(box.double() * 256).clamp(0, 256)
        np.testing.assert_allclose(found, shown.numpy(), atol=1)
        inside = mask[0] == 1
        assert (search[2][inside] > 250).all() and (search[1][inside] < 5).all(), "the mask lies on the red target"


@pytest.mark.parametrize("changes", [{}, {"flip": 1.0}, {"template_shift": 0.1, "template_scale": 0.2}])
def test_template_boxes_follow_the_warp(bank, changes):
    batch = LiteBatches(bank, settings_of(**changes), 0, 8).draw(0)
    for template, box in zip(batch["template"], batch["template_box"]):
        label = cxcywh_to_xywh(box.double() * 128).numpy()
        np.testing.assert_allclose(found_box((template[2] > 128).float()), label, atol=1.01)


def test_what_the_views_show_has_the_size_that_tracking_shows(bank):
    batch = LiteBatches(bank, settings_of(), 0, 8).draw(0)
    for name, factor in (("template", 2), ("search", 4)):
        torch.testing.assert_close(batch[f"{name}_box"][:, :2], torch.full((8, 2), 0.5))
        torch.testing.assert_close(batch[f"{name}_box"][:, 2:].prod(1).sqrt(), torch.full((8,), 1 / factor))


def test_targets_lie_uniformly_off_centre(bank):
    centers = plan_of(bank, settings_of(shift=1.0), 1000)["search_box"][:, :2]
    assert centers.min() == pytest.approx(0.25, abs=0.01) and centers.max() == pytest.approx(0.75, abs=0.01)
    torch.testing.assert_close(centers.mean(0), torch.tensor([0.5, 0.5]).double(), atol=0.02, rtol=0)


def test_flips_mirror_template_and_search_alike():
    track = drawn([[40, 40, 20, 20]], valid=WHOLE)
    image = track.image_bgr(0)
    image[:, :54] //= 2
    object.__setattr__(track, "image_bgr", lambda i: image)
    bank = bank_of(track)
    plain, flipped = (LiteBatches(bank, settings_of(flip=rate), 0, 1).draw(0) for rate in (0.0, 1.0))
    for name in ("template", "search"):
        torch.testing.assert_close(flipped[name], plain[name].flip(3), atol=0.02, rtol=0)


@pytest.mark.parametrize(
    "seed, step, rank, same", [(1, 2, 3, True), (0, 2, 3, False), (1, 0, 3, False), (1, 2, 0, False)]
)
def test_batches_are_a_function_of_seed_step_and_rank(bank, seed, step, rank, same):
    first = LiteBatches(bank, PairSettings(), 1, 4, 3).draw(2)
    again = LiteBatches(bank, PairSettings(), seed, 4, rank).draw(step)
    assert all(torch.equal(first[name], again[name]) for name in first) == same


def test_a_rate_changes_nothing_but_what_it_is_the_rate_of(bank):
    plain, noisy = (LiteBatches(bank, settings_of(shift=1.0, noise=rate), 0, 4).draw(0) for rate in (0.0, 1.0))
    assert torch.equal(plain["search_box"], noisy["search_box"])
    difference = noisy["search"] - plain["search"]
    assert 1 < difference.std() < 11
    assert torch.equal(plain["template"], noisy["template"])


def test_everything_at_once_stays_within_bounds(bank):
    batch = LiteBatches(bank, PairSettings(**{name: 1.0 for name in CALM if name != "rotation"}), 0, 4).draw(0)
    shapes = {name: tuple(value.shape) for name, value in batch.items()}
    assert shapes == {
        "template": (4, 3, 128, 128), "search": (4, 3, 256, 256), "template_box": (4, 4), "search_box": (4, 4),
        "present": (4,), "exact": (4,), "mask": (4, 1, 256, 256), "has_mask": (4,),
    }  # fmt: skip
    for name, most in (("template", 255), ("search", 255), ("mask", 1)):
        assert batch[name].dtype == torch.float32 and batch[name].is_contiguous()
        assert batch[name].min() >= 0 and batch[name].max() <= most, name
    assert batch["search"].std() > 1


def plan_of(bank, settings, batch=2000):
    batches = LiteBatches(bank, settings, 0, batch)
    drawn_plan = {}
    batches._render = lambda plan, noise: drawn_plan.update(plan)
    batches.draw(0)
    return drawn_plan


def test_negatives_never_show_the_same_track(bank):
    plan = plan_of(bank, settings_of(negative=0.5))
    same = bank.track[plan["template_image"]] == bank.track[plan["search_image"]]
    assert torch.equal(same, plan["present"])
    assert same.float().mean() == pytest.approx(0.5, abs=0.04)


def test_pasted_things_are_not_what_the_template_shows_unless_the_search_crop_does(bank):
    plan = plan_of(bank, settings_of(negative=0.5, distractor=1.0))
    pasted = plan["paste_image"][:, 0]
    again = pasted == plan["search_image"]
    assert (bank.track[pasted] != bank.track[plan["template_image"]])[~again].all()
    assert 0.28 < again.float().mean() < 0.6


def test_random_boxes_lie_on_photos_and_take_no_mask(bank):
    plan = plan_of(bank, settings_of(photo_box_share=0.4, negative=0.2))
    on_photo = plan["template_image"] >= len(bank)
    assert on_photo.float().mean() == pytest.approx(0.4, abs=0.04)
    assert torch.equal(plan["search_image"] >= len(bank), on_photo & plan["present"])
    assert torch.equal(plan["exact"], on_photo & plan["present"])
    assert torch.equal(plan["template_image"] == plan["search_image"], plan["present"] & (bank_kind(bank, plan) != 1))
    assert not plan["has_mask"][plan["exact"]].any()


def bank_kind(bank, plan):
    """0 for a still, 1 for another frame of a video, 2 for a photo."""
    image = plan["template_image"].clamp(max=len(bank) - 1)
    frames = bank.length[bank.track[image]]
    return torch.where(plan["template_image"] >= len(bank), 2, (frames > 1).long())


def test_a_random_box_shows_the_same_in_both_crops():
    bank = bank_of(*squares(2), photos=[Photo((150, 130))])
    batches = LiteBatches(bank, settings_of(photo_box_share=1.0), 0, 16)
    batch = batches.draw(0)
    assert batch["exact"].all() and not batch["has_mask"].any() and not batch["mask"].any()
    assert batch["search_box"][:, 2].std() > 0.01, "of several shapes"
    torch.testing.assert_close(batch["search_box"][:, 2:].prod(1).sqrt(), torch.full((16,), 1 / 4))
    torch.testing.assert_close(batch["search_box"][:, :2], torch.full((16, 2), 0.5))
    middle = batch["search"][:, :, 64:192, 64:192]  # what the template shows, at the same scale
    assert (middle - batch["template"]).abs().mean() < 12 < (middle - batch["template"].flip(0)).abs().mean()


def test_random_boxes_without_photos_are_refused():
    with pytest.raises(InvalidSettingError, match="photo_box_share is 0.3 without photos"):
        LiteBatches(bank_of(*squares(2)), settings_of(photo_box_share=0.3), 0, 2)


def test_negatives_and_nothing_else_to_show_are_refused():
    bank = bank_of(*squares(1))
    with pytest.raises(InvalidSettingError, match="with 1 track"):
        LiteBatches(bank, settings_of(negative=0.1), 0, 2)
    assert LiteBatches(bank, settings_of(distractor=1.0), 0, 2).draw(0)["present"].all()


def test_shares_are_respected():
    tracks = [*squares(2), *squares(1, dataset="rare", prefix="r"), *squares(2, frames=4, prefix="v")]
    from siam_tracker_ros.training.bank import ImageBank

    bank = ImageBank.of_tracks(tracks, [1, 1, 3, 1, 0.5])
    plan = plan_of(bank, settings_of(video_share=0.7, set_weights={"rare": 2.0}), 4000)
    counts = torch.bincount(bank.track[plan["search_image"]], minlength=5) / 4000
    expected = [0.3 / 8, 0.3 / 8, 0.3 * 6 / 8, 0.7 * 2 / 3, 0.7 / 3]
    torch.testing.assert_close(counts, torch.tensor(expected), atol=0.025, rtol=0)


@pytest.mark.parametrize("frames", [1, 4])
def test_a_bank_of_one_kind_is_enough(frames):
    bank = bank_of(*squares(2, frames=frames))
    plan = plan_of(bank, settings_of(video_share=0.5), 100)
    different = plan["template_image"] != plan["search_image"]
    assert different.all() if frames > 1 else not different.any()


def test_sets_that_are_not_there_are_told(bank, caplog):
    LiteBatches(bank, settings_of(set_weights={"vidoe": 3.0}), 0, 2)
    assert "set_weights names vidoe, for which there is no data; the data sets are drawn, video" in caplog.text


def test_sets_that_are_all_left_out_are_refused(bank):
    with pytest.raises(InvalidSettingError, match="set_weights"):
        LiteBatches(bank, settings_of(set_weights={"drawn": 0.0, "video": 0.0}), 0, 2)


def test_long_context_is_half_of_the_track_apart():
    bank = bank_of(*squares(1, frames=7))
    plan = plan_of(bank, settings_of(long_context=1.0), 500)
    gap = (plan["template_image"] - plan["search_image"]).abs()
    assert gap.min() >= 3 and set(gap.tolist()) == {3, 4, 5, 6}
    assert (plan["template_image"] < plan["search_image"]).float().mean() == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("box", [[54, 54, 1, 1], [54, 50, 1, 40], [30, 54, 60, 1], [0, 0, 108, 108]])
@pytest.mark.parametrize("masks", [True, False])
def test_odd_targets(box, masks):
    bank = bank_of(drawn([box], valid=WHOLE, masks=masks), *squares(1, prefix="s"), photos=[Photo((150, 150))])
    batch = LiteBatches(bank, PairSettings(), 0, 4).draw(0)
    for name, value in batch.items():
        assert torch.isfinite(value).all(), name
    assert (batch["search_box"][:, 2:] > 0).all()


def test_samples_without_mask_have_an_empty_one():
    bank = bank_of(*squares(3, masks=False))
    batch = LiteBatches(bank, PairSettings(negative=0.5), 0, 8).draw(0)
    assert not batch["has_mask"].any() and not batch["mask"].any()
    boxes = cxcywh_to_xywh(batch["search_box"].double() * 256)
    assert torch.isfinite(boxes).all()


def test_what_is_not_picture_is_black_or_a_photo():
    bank = bank_of(drawn([[40, 40, 20, 20]], valid=(30, 30, 40, 40)), photos=[Photo((200, 200))])
    black = LiteBatches(bank, settings_of(), 0, 2).draw(0)["search"]
    filled = LiteBatches(bank, settings_of(photo_fill=1.0), 0, 2).draw(0)["search"]
    cut_out = LiteBatches(bank, settings_of(new_background=1.0), 0, 2).draw(0)["search"]
    assert not black[:, :, :8].any()
    assert (filled[:, :, :8] > 0).float().mean() > 0.9
    inner = slice(100, 156)
    torch.testing.assert_close(filled[:, :, inner, inner], black[:, :, inner, inner])
    assert (cut_out[:, 2, inner, inner] - black[:, 2, inner, inner]).abs().max() < 1, "the target"
    assert cut_out[:, 1, 70:80, 70:80].std() > 10, "the picture round it is gone"


def test_occluders_hide_a_part_of_the_target_and_of_its_mask():
    bank = bank_of(*squares(4))
    plain = LiteBatches(bank, settings_of(), 0, 16).draw(0)
    hidden = LiteBatches(bank, settings_of(occluder=1.0, color=0.0), 0, 16).draw(0)
    share = hidden["mask"].sum((1, 2, 3)) / plain["mask"].sum((1, 2, 3))
    assert (share > 0.45).all() and (share[share < 0.999] < 0.93).all() and (share < 0.999).sum() > 8


def test_distractors_leave_most_of_the_target():
    bank = bank_of(*squares(4))
    plain = LiteBatches(bank, settings_of(), 0, 16).draw(0)
    joined = LiteBatches(bank, settings_of(distractor=1.0), 0, 16).draw(0)
    share = joined["mask"].sum((1, 2, 3)) / plain["mask"].sum((1, 2, 3))
    assert (share > 0.65).all() and (share > 0.99).sum() > 8
    changed = (joined["search"] - plain["search"]).abs().amax((1, 2, 3)) > 20
    assert changed.float().mean() > 0.8


def test_grey_pairs_are_grey_in_both_crops(bank):
    batch = LiteBatches(bank, settings_of(grey=1.0, noise=1.0, color=1.0), 0, 4).draw(0)
    for name in ("template", "search"):
        assert (batch[name].amax(1) - batch[name].amin(1)).max() < 0.01


def test_thermal_pairs_are_grey_alike_and_half_of_them_negatives(bank):
    batch = LiteBatches(bank, settings_of(thermal=1.0), 0, 32).draw(0)
    for name in ("template", "search"):
        assert (batch[name].amax(1) - batch[name].amin(1)).max() < 0.01
    red, green = batch["search"][:, 0, 128, 128], batch["search"][:, 0, 128, 60]
    torch.testing.assert_close(batch["template"][:, 0, 64, 64], red)
    assert 8 < (green > 128).sum() < 24, "dark green, or bright as a negative"
    assert red.std() > 40, "the share of red differs"
    plain = LiteBatches(bank, settings_of(), 0, 32).draw(0)
    assert torch.equal(batch["search_box"], plain["search_box"])


def test_compression_leaves_blocks():
    ramp = torch.arange(256.0).expand(3, 64, 256)
    coarse = compress(ramp, 10)
    assert coarse.shape == ramp.shape and coarse.dtype == ramp.dtype
    assert 1 < (coarse - ramp).abs().mean() < 8
    edges = coarse.diff(dim=2).abs().mean((0, 1))
    assert edges[7::8].mean() > 1.2 * edges.mean(), "steps between blocks of eight pixels"
    assert (compress(ramp, 100) - ramp).abs().mean() < 0.5


def test_only_search_crops_are_compressed(bank):
    plain, coded = (LiteBatches(bank, settings_of(shift=1.0, jpeg=rate), 0, 4).draw(0) for rate in (0.0, 1.0))
    assert torch.equal(plain["template"], coded["template"]) and torch.equal(plain["mask"], coded["mask"])
    assert ((plain["search"] - coded["search"]).abs().mean((1, 2, 3)) > 0.1).all()


def test_views_show_what_affine_maps_say():
    bank = bank_of(drawn([[50, 40, 10, 20]], valid=WHOLE))
    matrix = view_matrix(torch.tensor([[55.0, 50.0]]).double(), torch.tensor([60.0]).double(), 120)
    layer = warp(bank, torch.tensor([0]), matrix, 120, torch.tensor([False]), masks=True)
    assert layer.weight.min() == 1
    np.testing.assert_allclose(found_box(layer.mask[0, 0]), [50, 40, 20, 40])
    torch.testing.assert_close(invert(invert(matrix)), matrix)


@pytest.mark.parametrize("ratio", [2, 3, 5])
def test_shrinking_averages(ratio):
    track = drawn([[10, 10, 80, 80]], valid=WHOLE, masks=False)
    pattern = np.zeros((108, 108, 3), np.uint8)
    pattern[::2] = 200
    object.__setattr__(track, "image_bgr", lambda i: pattern)
    center, side = torch.tensor([[54.0, 54.0]]).double(), torch.tensor([16.0 * ratio]).double()
    layer = warp(bank_of(track), torch.tensor([0]), view_matrix(center, side, 16), 16, torch.tensor([False]))
    inner = layer.image_bgr[..., 1:-1, 1:-1]
    assert (inner - 100).abs().max() < 100 / ratio + 1


@pytest.mark.parametrize("step", range(3))
def test_opencv_and_torch_make_the_same_pixels(bank, monkeypatch, step):
    """On a CPU OpenCV warps, in whole numbers; all else is the same."""
    busy = PairSettings(distractor=1.0, occluder=0.5, photo_fill=1.0, new_background=0.5, shift=1.5, noise=0.0)
    batches = LiteBatches(bank, busy, 0, 8)
    quick = batches.draw(step)
    monkeypatch.setattr(augmentation, "sample_with_opencv", augmentation.sample_with_torch)
    exact = batches.draw(step)
    for name, white in (("template", 255), ("search", 255), ("mask", 1)):
        difference = (quick[name] - exact[name]).abs() / white
        assert difference.mean() < 0.002 and difference.max() < 0.04, name
    assert all(torch.equal(quick[name], exact[name]) for name in quick.keys() - {"template", "search", "mask"})


def test_enlarging_is_bilinear():
    image = torch.rand(2, 3, 20, 20) * 255
    expected = torch.nn.functional.interpolate(image, size=(47, 47), mode="bilinear")
    torch.testing.assert_close(enlarge(image, 47), expected, atol=1e-2, rtol=0)


def test_blur_keeps_means_and_spreads_as_far_as_asked():
    image = torch.zeros(3, 3, 64, 64)
    image[:, :, 32, 32] = 255
    sigma, motion = torch.tensor([2.0, 0.0, 0.0]), torch.tensor([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]])
    blurred = blur(image, sigma, motion)
    torch.testing.assert_close(blurred.sum((2, 3)), torch.full((3, 3), 255.0), rtol=0.1, atol=0)
    axis = torch.arange(64.0) - 32
    assert ((blurred[0, 0].sum(0) * axis**2).sum() / 255).sqrt() == pytest.approx(2, abs=0.1)
    assert (blurred[1, 0, 32] > 14).sum() == 9 and (blurred[1, 0, :, 32] > 14).sum() == 1
    torch.testing.assert_close(blurred[2, 0], blurred[1, 0].T, atol=1e-3, rtol=0)
    flat = torch.full((1, 3, 64, 64), 77.0)
    torch.testing.assert_close(blur(flat, sigma[:1], motion[1:2]), flat)


def test_coarse_pictures_keep_their_means():
    image = torch.rand(2, 3, 64, 64) * 255
    coarse = coarsen(image, [16, 40])
    torch.testing.assert_close(coarse.mean((2, 3)), image.mean((2, 3)), rtol=0.05, atol=0)
    assert coarse[0].std() < coarse[1].std() < image.std()


@pytest.mark.parametrize("corner", [(0, 0), (-3, 5), (6, -3), (7, 7), (8, 0), (-4, -4), (-100, 3)])
def test_pasted_squares_may_lie_over_the_edge(corner):
    picture, visible = torch.zeros(3, 8, 8), torch.ones(1, 8, 8)
    paste(picture, visible, torch.full((3, 4, 4), 50.0), torch.full((1, 4, 4), 0.25), corner)
    x, y = corner
    expected = torch.zeros(3, 24, 24)
    if x > -8:
        expected[:, 8 + y : 12 + y, 8 + x : 12 + x] = 50
    expected = expected[:, 8:16, 8:16]
    torch.testing.assert_close(picture, expected)
    torch.testing.assert_close(visible, 1 - 0.75 * (expected[:1] > 0).float())
