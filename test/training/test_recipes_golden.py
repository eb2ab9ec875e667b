# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The training recipes against numbers of the authors' code: targets, losses, schedules, pictures, whole steps."""

import json
import random

import numpy as np
import pytest
import torch
from golden_data import golden, pysot_state
from published_recipes import RECIPES

from siam_tracker_ros.geometry import cxcywh_to_xyxy
from siam_tracker_ros.methods.ocean import training as ocean_losses
from siam_tracker_ros.methods.ocean.training import augment_ocean
from siam_tracker_ros.methods.siammask.network import SiamMask, SiamMaskBase
from siam_tracker_ros.methods.siammask.training import augment_siammask, mask_agreement, mask_cells, mask_windows
from siam_tracker_ros.methods.siamrpn.anchor_targets import PYSOT_RULES, SIAMMASK_RULES, anchor_targets, search_anchors
from siam_tracker_ros.methods.siamrpn.network import SiamRPNAlex, SiamRPNResNet50
from siam_tracker_ros.methods.siamrpn.training import classification_loss, offset_loss
from siam_tracker_ros.training import recipe as recipes
from siam_tracker_ros.training.augmentation import Augmentation, augment_pysot, prepared_box, to_grey
from siam_tracker_ros.training.recipe import weighted_total

pytestmark = pytest.mark.slow

UTILS = golden("pysot/utils_pysot")
MASK_BASE = golden("pysot/train_siammask_base")
OCEAN = golden("ocean_gradnet/ocean_train")

# Boxes of the pairs of the training steps; the second one of SiamRPN++ has no target.
SIAMRPN_BOX = (100, 92, 167, 154)
SIAMMASK_BOXES = (100, 93, 168, 153), (94, 97, 160, 158)

# From the modules of the authors' networks to ours.
MODULES = (
    ("features.features", "backbone"),
    ("features.downsample", "neck"),
    ("backbone.conv1", "backbone.stem.0"),
    ("backbone.bn1", "backbone.stem.1"),
    ("backbone", "backbone"),
    ("rpn_head", "rpn"),
    ("rpn_model.cls", "rpn.levels.0.classification"),
    ("rpn_model.loc", "rpn.levels.0.regression"),
    ("mask_model.mask", "coarse"),
    ("refine_model", "refinement"),
)
# Of gradients through ResNet-50, and of the step that follows. SiamMask's sums in float32 are 3.1e-4 from those in
# float64, and a CPU with other instructions sums in another order: up to 2.8e-4 from the authors' sums.
DEEP_BOUND = 5e-4


def own_module(name):
    for official, own in MODULES:
        name = name.replace(official, own)
    return name


def tensor(array):
    return torch.from_numpy(np.array(array))


@pytest.fixture
def shared_golden(shared_data):
    folder = shared_data.parent / "golden"
    if not folder.is_dir():
        pytest.skip("the pictures (../shared/golden) are not on this machine")
    return folder


@pytest.mark.parametrize("cells", [25, 17])
def test_anchors(cells):
    anchors = search_anchors(cells)
    np.testing.assert_array_equal(anchors, UTILS[f"train_anchors_center_{cells}"])
    corners = np.moveaxis(cxcywh_to_xyxy(np.moveaxis(anchors, 0, -1)), -1, 0)
    np.testing.assert_array_equal(corners, UTILS[f"train_anchors_corner_{cells}"])


@pytest.mark.parametrize("rules, expected", [(PYSOT_RULES, UTILS), (SIAMMASK_RULES, MASK_BASE)])
@pytest.mark.parametrize("case", range(5))
@pytest.mark.parametrize("cells", [25, 17])
def test_anchor_targets_are_drawn_as_the_authors_draw_them(cells, case, rules, expected):
    random = np.random.RandomState(100 + case)
    found = anchor_targets(UTILS["at_boxes"][case], cells, rules, random, negative=bool(UTILS["at_neg"][case]))
    name = f"at{cells}_{case}"
    np.testing.assert_array_equal(found.label, expected[f"{name}_cls"])
    np.testing.assert_array_equal(found.weight, expected[f"{name}_w"])
    if rules is PYSOT_RULES:
        np.testing.assert_array_equal(found.overlap, expected[f"{name}_ov"])
    if f"{name}_delta" in expected:
        np.testing.assert_allclose(found.offset, expected[f"{name}_delta"], rtol=0, atol=1e-6)


@pytest.mark.parametrize("case", ["normal", "nopos", "onepos"])
def test_classification_loss(case):
    logits, label = tensor(UTILS["loss_logits"]), tensor(UTILS[f"loss_label_{case}"])
    assert classification_loss(logits, label, count_singletons=False).item() == pytest.approx(
        UTILS[f"loss_cls_{case}"], abs=1e-6
    )


def test_a_lone_target_counts_in_siammask():
    logits, label = tensor(UTILS["loss_logits"]), tensor(UTILS["loss_label_onepos"])
    assert classification_loss(logits, label).item() > UTILS["loss_cls_onepos"] + 0.01


def test_offset_loss():
    found = offset_loss(
        *(tensor(UTILS[name]).float() for name in ("loss_pred_loc", "loss_label_loc", "loss_loc_weight"))
    )
    assert found.item() == pytest.approx(UTILS["loss_loc"], abs=1e-5)


@pytest.mark.parametrize("config, padding, cells", [("base", 32, 25), ("sharp", 0, 3)])
def test_mask_windows(config, padding, cells):
    expected = golden(f"pysot/train_siammask_{config}")
    mask = tensor(expected["mask_target_in"]).float()[None]
    windows = mask_windows(mask, torch.ones(1, cells, cells, dtype=torch.bool), padding).numpy()
    np.testing.assert_array_equal(windows.sum((1, 2)), expected["mask_target_windows_rowsum"])
    np.testing.assert_array_equal(windows[0], expected["mask_target_window0"])
    np.testing.assert_array_equal(windows[cells * cells // 2], expected["mask_target_center_window"])


@pytest.mark.parametrize(
    "recipe, config",
    [
        (RECIPES["siamrpn_alex"], "siamrpn_alex_dwxcorr_16gpu"),
        (RECIPES["siamrpn_r50"], "siamrpn_r50_l234_dwxcorr_8gpu"),
    ],
)
def test_rates_of_pysot(recipe, config):
    expected = golden(f"pysot/train_{config}")
    np.testing.assert_allclose(recipe.schedule.table(), expected["lr_spaces"], rtol=0, atol=1e-12)
    for built in (0, 10):
        rates = [
            [recipe.schedule.rate(epoch, group.multiplier) for group in recipe.groups]
            for epoch in range(recipe.schedule.epochs)
        ]
        np.testing.assert_allclose(rates, expected[f"lr_groups_built_at_{built}"], rtol=0, atol=1e-12)


@pytest.mark.parametrize("recipe, config", [(RECIPES["siammask_base"], "base"), (RECIPES["siammask_sharp"], "sharp")])
def test_rates_of_siammask(recipe, config):
    expected = golden(f"pysot/train_siammask_{config}")
    np.testing.assert_allclose(recipe.schedule.table(), expected["lr_spaces"], rtol=0, atol=1e-12)
    rates = [recipe.schedule.rate(epoch) for epoch in range(recipe.schedule.epochs)]
    np.testing.assert_allclose(rates, expected["lr_applied_mult1"], rtol=0, atol=1e-12)


def test_rates_of_ocean():
    np.testing.assert_allclose(RECIPES["ocean"].schedule.table(), OCEAN["lr_epochs"], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "network, recipe, config, stages",
    [
        (
            SiamRPNAlex,
            RECIPES["siamrpn_alex"],
            "siamrpn_alex_dwxcorr_16gpu",
            {0: "n_params_groups_built_at_0", 10: "n_params_groups_built_at_10"},
        ),
        (
            SiamRPNResNet50,
            RECIPES["siamrpn_r50"],
            "siamrpn_r50_l234_dwxcorr_8gpu",
            {0: "n_params_groups_built_at_0", 10: "n_params_groups_built_at_10"},
        ),
        (
            SiamMaskBase,
            RECIPES["siammask_base"],
            "siammask_base",
            {0: "epoch0_group_sizes", 9: "epoch0_group_sizes", 10: "half_group_sizes"},
        ),
        (SiamMask, RECIPES["siammask_sharp"], "siammask_sharp", {0: "refine_group_sizes", 19: "refine_group_sizes"}),
    ],
)
def test_what_learns_when(network, recipe, config, stages):
    with torch.device("meta"):
        network = network()
    expected = golden(f"pysot/train_{config}")
    for epoch, name in stages.items():
        optimizer = recipes.start_stage(network, recipe, epoch)
        sizes = [sum(weight.numel() for weight in group["params"]) for group in optimizer.param_groups]
        assert sizes == [size for size in expected[name] if size > 0]
        lengths = name.replace("sizes", "lr")
        if lengths in expected and "group_lr" in lengths:
            initial = [recipe.schedule.first * group["multiplier"] for group in optimizer.param_groups]
            assert initial == pytest.approx(list(expected[lengths]), abs=1e-12)


@pytest.mark.parametrize("case", range(3))
def test_augmentation_of_pysot(case, shared_golden):
    with np.load(shared_golden / "pysot" / "aug_source_511.npz") as archive:
        source = archive["img"]
    shift, scale, blur, flip, color, side, grey = UTILS[f"aug{case}_args"]
    box = prepared_box((61, 42))
    np.testing.assert_allclose(box, UTILS["aug_box_from_wh_61_42"], rtol=0, atol=1e-9)
    image, box = augment_pysot(
        to_grey(source) if grey else source,
        box,
        int(side),
        Augmentation(shift, scale, blur, flip, color),
        np.random.RandomState(200 + case),
    )
    assert image.shape == (side, side, 3) and image.dtype == np.float32
    np.testing.assert_allclose(box, UTILS[f"aug{case}_bbox"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(image[::5, ::5], UTILS[f"aug{case}_img"], rtol=0, atol=1)
    np.testing.assert_allclose(image.mean((0, 1), np.float64), UTILS[f"aug{case}_mean"], rtol=0, atol=0.1)


@pytest.mark.parametrize(
    "case, side, augmentation", [(0, 127, Augmentation(4, 0.05)), (1, 255, Augmentation(64, 0.18, 0.18))]
)
def test_augmentation_of_siammask(case, side, augmentation, shared_golden):
    with np.load(shared_golden / "pysot" / "aug_source_511.npz") as archive:
        source = archive["img"]
    rows, columns = np.mgrid[:511, :511] - 255
    mask = (columns / 40) ** 2 + (rows / 25) ** 2 < 1
    image, box, mask = augment_siammask(
        to_grey(source) if case else source,
        prepared_box((61, 42)),
        side,
        augmentation,
        random.Random(400 + case),
        np.random.RandomState(400 + case),
        mask,
    )
    np.testing.assert_allclose(box, MASK_BASE[f"aug{case}_bbox"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(image[::5, ::5], MASK_BASE[f"aug{case}_img"], rtol=0, atol=1)
    assert (mask != MASK_BASE[f"aug{case}_mask"]).mean() < 0.001


class Draws:
    """A generator that gives what it is told to, then nothing that happens."""

    def __init__(self, values):
        self.values = [(value + 1) / 2 for value in values]

    def random(self):
        return self.values.pop(0) if self.values else 1.0


@pytest.mark.parametrize("case", range(4))
def test_augmentation_of_ocean(case, shared_golden):
    with np.load(shared_golden / "ocean_gradnet" / "ocean_train.npz") as archive:
        source, expected = archive["aug_in_u8"], archive[f"aug{case}_crop_u8"]
        told = json.loads(str(archive["aug_meta"]))
    x1, y1, x2, y2 = told["anno_wh_from"]
    run = told["runs"][case]
    box = prepared_box((x2 - x1, y2 - y1))
    np.testing.assert_allclose(box, run["tobbox"], rtol=0, atol=1e-9)
    augmentation = RECIPES["ocean"].search if run["search"] else RECIPES["ocean"].template
    image, box, shift = augment_ocean(source, box, run["size"], augmentation, Draws(run["draws"]))
    np.testing.assert_allclose(box, run["box"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(shift, run["shift"], rtol=0, atol=1e-9)
    assert np.abs(image.astype(int) - expected).max() <= 3  # OpenCV 4 warps by whole 32nds of a pixel


@pytest.mark.parametrize("case", range(6))
def test_class_target_of_ocean(case):
    found = ocean_losses.class_target(OCEAN["label_shifts"][case])
    np.testing.assert_array_equal(found, OCEAN["labels"][case])


@pytest.mark.parametrize("case", range(3))
def test_distance_target_of_ocean(case):
    distance, inside = ocean_losses.distance_target(OCEAN["reg_boxes"][case])
    np.testing.assert_array_equal(np.moveaxis(distance, 0, -1), OCEAN["reg_labels"][case])
    np.testing.assert_array_equal(inside, OCEAN["reg_weights"][case])


def test_losses_of_ocean():
    distance = tensor(OCEAN["loss_pred"])
    target = tensor(np.moveaxis(OCEAN["reg_labels"][:2], -1, 1))
    inside = tensor(OCEAN["reg_weights"][:2])
    np.testing.assert_allclose(
        ocean_losses.aligned_target(distance, target, inside), OCEAN["align_label"], rtol=0, atol=1e-6
    )
    found = (
        ocean_losses.ocean_classification_loss(tensor(OCEAN["loss_cls"])[:, 0], tensor(OCEAN["labels"][[0, 3]])),
        ocean_losses.ocean_aligned_loss(tensor(OCEAN["loss_align"])[:, 0], distance, target, inside),
        ocean_losses.ocean_box_loss(distance, target, inside),
    )
    assert [loss.item() for loss in found] == pytest.approx(list(OCEAN["loss_vals"]), abs=1e-6)


def load(kind, config):
    own = {name: torch.as_tensor(value) for name, value in kind.translate_state_dict(pysot_state(config)).items()}
    network = kind.for_state(own)
    network.load_state_dict(own)
    return network


def batch_of(expected, **more):
    batch = {name: tensor(expected[name]).float() for name in ("template", "search")}
    batch.update(label=tensor(expected["label_cls"]).long(), weight=tensor(expected["label_loc_weight"]), **more)
    return batch


def norm(tensors):
    return sum(float((value.double() ** 2).sum()) for value in tensors) ** 0.5


def gradient_norms(network, modules):
    gradients = {name: weight.grad for name, weight in network.named_parameters() if weight.grad is not None}
    return [
        norm(value for name, value in gradients.items() if name.startswith(own_module(module) + "."))
        for module in modules
    ]


@pytest.mark.parametrize(
    "kind, config, recipe, stage, epoch",
    [
        (SiamRPNAlex, "siamrpn_alex_dwxcorr_16gpu", RECIPES["siamrpn_alex"], "frozen", 0),
        (SiamRPNAlex, "siamrpn_alex_dwxcorr_16gpu", RECIPES["siamrpn_alex"], "unfrozen", 10),
        (SiamRPNResNet50, "siamrpn_r50_l234_dwxcorr_8gpu", RECIPES["siamrpn_r50"], "frozen", 0),
        (SiamRPNResNet50, "siamrpn_r50_l234_dwxcorr_8gpu", RECIPES["siamrpn_r50"], "unfrozen", 10),
    ],
)
def test_a_step_of_siamrpn(kind, config, recipe, stage, epoch):
    expected = golden(f"pysot/train_{config}")
    target = anchor_targets(SIAMRPN_BOX, recipe.cells, recipe.anchors, np.random.RandomState(0))
    chosen = target.label == 1
    np.testing.assert_array_equal(chosen, expected["label_cls"][0] == 1)
    np.testing.assert_allclose(target.offset[:, chosen].ravel(), expected["label_loc_pos"], rtol=0, atol=1e-6)
    offset = torch.stack([tensor(target.offset), torch.zeros(target.offset.shape)])
    network = load(kind, config)
    before = {name: value.clone() for name, value in network.state_dict().items()}

    optimizer = recipes.start_stage(network, recipe, epoch)
    losses = recipe.objective(network, batch_of(expected, offset=offset))
    total = weighted_total(losses, recipe.loss_weights)
    assert losses["classification"].item() == pytest.approx(expected[f"{stage}_cls_loss"], abs=1e-5)
    assert losses["offset"].item() == pytest.approx(expected[f"{stage}_loc_loss"], abs=1e-5)
    assert total.item() == pytest.approx(expected[f"{stage}_total_loss"], abs=1e-5)

    rates = {group["multiplier"]: group["lr"] for group in optimizer.param_groups}
    assert set(np.round(list(rates.values()), 12)) <= set(np.round(expected[f"{stage}_lr"], 12))
    whole = recipes.take_step(network, optimizer, total, recipe.max_grad_norm)
    assert whole == pytest.approx(expected[f"{stage}_total_norm"], rel=1e-4)
    shrunk = recipe.max_grad_norm / expected[f"{stage}_total_norm"]
    found = gradient_norms(network, expected[f"{stage}_grad_modules"])
    bound = DEEP_BOUND if (kind, stage) == (SiamRPNResNet50, "unfrozen") else 1e-4
    assert found == pytest.approx(list(expected[f"{stage}_grad_norms"] * shrunk), rel=bound)

    learned = dict(network.named_parameters())
    moved = {name: value - before[name] for name, value in network.state_dict().items() if "num_batches" not in name}
    for module, length in zip(expected[f"{stage}_step_modules"], expected[f"{stage}_step_delta_norms"]):
        own, _, buffers = module.partition("/")
        parts = [
            value
            for name, value in moved.items()
            if name.startswith(own_module(own) + ".") and (name in learned) != bool(buffers)
        ]
        assert norm(parts) == pytest.approx(length, rel=bound, abs=1e-9), module


def masks_of(expected):
    return {"mask": tensor(expected["mask_target_in"]).float().expand(2, -1, -1), "has_mask": torch.tensor([True] * 2)}


@pytest.mark.parametrize("stage, epoch", [("epoch0", 0), ("half", 10)])
def test_losses_of_siammask(stage, epoch):
    recipe = RECIPES["siammask_base"]
    np.testing.assert_array_equal(mask_cells(tensor(MASK_BASE["label_cls"])), MASK_BASE["mask_weight"][:, 0] == 1)
    targets = [anchor_targets(box, 25, recipe.anchors, np.random.RandomState(0)) for box in SIAMMASK_BOXES]
    offset = torch.stack([tensor(target.offset) for target in targets])
    network = load(SiamMaskBase, "siammask_base")
    recipes.start_stage(network, recipe, epoch)
    losses = recipe.objective(network, batch_of(MASK_BASE, offset=offset, **masks_of(MASK_BASE)))
    total = weighted_total(losses, recipe.loss_weights)
    found = [losses[name].item() for name in ("classification", "offset", "mask")]
    assert found == pytest.approx(list(MASK_BASE[f"{stage}_losses"][:3]), abs=1e-5)
    assert total.item() == pytest.approx(MASK_BASE[f"{stage}_losses"][3], abs=1e-4)
    total.backward()
    found = gradient_norms(network, MASK_BASE[f"{stage}_grad_modules"])
    bound = DEEP_BOUND if stage == "half" else 1e-4
    assert found == pytest.approx(list(MASK_BASE[f"{stage}_grad_norms"]), rel=bound)


def test_a_step_of_siammasks_refinement():
    expected = golden("pysot/train_siammask_sharp")
    recipe = RECIPES["siammask_sharp"]
    network = load(SiamMask, "siammask_sharp")
    before = {name: value.clone() for name, value in network.state_dict().items()}
    optimizer = recipes.start_stage(network, recipe, 0)
    losses = recipe.objective(network, batch_of(expected, **masks_of(expected)))
    assert losses["mask"].item() == pytest.approx(expected["refine_losses"][2], abs=1e-5)
    total = weighted_total(losses, recipe.loss_weights)
    assert total.item() == pytest.approx(expected["refine_losses"][3], abs=1e-3)
    whole = recipes.take_step(network, optimizer, total, recipe.max_grad_norm)
    lengths = expected["refine_grad_norms"]
    assert whole == pytest.approx(np.sqrt((lengths**2).sum()), rel=1e-4)
    found = gradient_norms(network, expected["refine_grad_modules"])
    assert found == pytest.approx(list(lengths * recipe.max_grad_norm / whole), rel=1e-4)
    changed = {name.split(".")[0] for name, value in network.state_dict().items() if (value != before[name]).any()}
    assert changed == {"coarse", "refinement"}


def test_mask_agreement_counts_what_overlaps():
    windows = mask_windows(tensor(MASK_BASE["mask_target_in"]).float()[None], torch.ones(1, 25, 25) > 0, 32)
    middle = windows[312:313]
    assert [value.item() for value in mask_agreement(middle * 3, middle).values()] == [1, 1, 1]
    assert [value.item() for value in mask_agreement(-middle, middle).values()] == [0, 0, 0]
