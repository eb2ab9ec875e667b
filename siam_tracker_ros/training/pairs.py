# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From two prepared crops to what a network learns of them: the pairs of the published recipes.

Items are mappings of arrays whose names and shapes are those of `objectives` without the batch. Random numbers are
drawn in the authors' order, see `augmentation`.
"""

import math
import random as python_random
import typing

import numpy as np

from siam_tracker_ros.geometry import xyxy_to_xywh
from siam_tracker_ros.methods.ocean.training import class_target, distance_target
from siam_tracker_ros.methods.ocean_online.tracker import SEARCH_FACTOR as ONLINE_SEARCH_FACTOR
from siam_tracker_ros.methods.siamrpn.anchor_targets import anchor_targets
from siam_tracker_ros.training.augmentation import (
    TEMPLATE_SIDE,
    augment_gradnet,
    augment_ocean,
    augment_pysot,
    augment_siammask,
    prepared_box,
    to_grey,
    warp_window,
)

GRADNET_SEARCH_LIMIT = 255  # pixels of the pictures that GradNet takes its search regions from


class PreparedCrop(typing.NamedTuple):
    """A target in its prepared crop.

    Attributes:
        image_bgr: uint8 (511, 511, 3), see `augmentation.prepare_crop`.
        size_wh: the target's in the frame that it was cut from.
        mask: bool (511, 511), or None where the data set has no masks.
    """

    image_bgr: np.ndarray
    size_wh: tuple[float, float]
    mask: np.ndarray | None = None

    @property
    def box_xyxy(self):
        return prepared_box(self.size_wh, len(self.image_bgr))

    def without_color(self):
        return self._replace(image_bgr=to_grey(self.image_bgr))


def draw_round(counts, wanted, random):
    """One round of all data sets: a shuffled int64 (M, 2) of data sets and of scenes in them, by number.

    Args:
        counts: how many scenes, pictures or videos, each data set has.
        wanted: how many pairs each adds; None for one of each of its scenes.
        random: numpy.random.RandomState.
    """
    picks = []
    for number, (count, pairs) in enumerate(zip(counts, wanted, strict=True)):
        pairs = count if pairs is None else pairs
        orders = [random.permutation(count) for _ in range(math.ceil(pairs / count))]
        scenes = np.concatenate([np.empty(0, np.int64), *orders])[:pairs].astype(np.int64)
        picks.append(np.stack([np.full(len(scenes), number), scenes], 1))
    picks = np.concatenate(picks)
    return picks[random.permutation(len(picks))]


def draw_frames(numbers, frame_range, random, count=2):
    """Places of some of a track's frames: anyone, and others at most `frame_range` from it.

    Args:
        numbers: (N,), the frames' numbers in their source, rising.
        frame_range: in frames of the source.
        random: numpy.random.RandomState.
        count: how many, 2 for template and search region.
    """
    first = int(random.randint(0, len(numbers)))
    near = np.flatnonzero(np.abs(numbers - numbers[first]) <= frame_range)
    return [first, *(int(random.choice(near)) for _ in range(count - 1))]


def pysot_pair(template, search, recipe, random, negative=False):
    """A pair as PySOT makes it of two PreparedCrops, for `siamrpn_objective`; negative: they show two objects."""
    first, _ = augment_pysot(template.image_bgr, template.box_xyxy, TEMPLATE_SIDE, recipe.template, random)
    second, box = augment_pysot(search.image_bgr, search.box_xyxy, recipe.search_side, recipe.search, random)
    targets = anchor_targets(box, recipe.cells, recipe.anchors, random, recipe.search_side, negative)
    return {**_images(first, second), "label": targets.label, "offset": targets.offset, "weight": targets.weight}


def siammask_pair(template, search, recipe, random, negative=False):
    """A pair as SiamMask makes it, for `siammask_objective` and `refinement_objective`."""
    uniform = python_random.Random(int(random.randint(2**31 - 1)))
    first, _, _ = augment_siammask(
        template.image_bgr, template.box_xyxy, TEMPLATE_SIDE, recipe.template, uniform, random
    )
    second, box, mask = augment_siammask(
        search.image_bgr, search.box_xyxy, recipe.search_side, recipe.search, uniform, random, search.mask
    )
    targets = anchor_targets(box, recipe.cells, recipe.anchors, random, recipe.search_side, negative)
    has_mask = mask is not None and not negative
    return {
        **_images(first, second),
        "label": targets.label,
        "offset": targets.offset,
        "weight": targets.weight,
        "mask": np.where(mask if has_mask else np.zeros(second.shape[:2], bool), np.float32(1), np.float32(-1)),
        "has_mask": np.array(has_mask),
    }


def ocean_pair(template, search, recipe, random):
    """A pair as Ocean makes it, for `ocean_objective`."""
    first, second, box, shift = _ocean_views(template, search, recipe, random)
    distance, inside = distance_target(box, recipe.cells, recipe.search_side)
    targets = {"class_target": class_target(shift, recipe.cells), "distance": distance, "inside": inside}
    return {**_images(first, second), **targets}


def siamrcr_pair(template, search, recipe, random):
    """The same views, for `siamrcr_objective`."""
    first, second, (x1, y1, x2, y2), _ = _ocean_views(template, search, recipe, random)
    middle = recipe.search_side // 2
    box = np.float32([(x1 + x2) / 2 - middle, (y1 + y2) / 2 - middle, x2 - x1, y2 - y1])
    return {**_images(first, second), "box": box}


def _ocean_views(template, search, recipe, random):
    first, _, _ = augment_ocean(template.image_bgr, template.box_xyxy, TEMPLATE_SIDE, recipe.template, random)
    views = augment_ocean(search.image_bgr, search.box_xyxy, recipe.search_side, recipe.search, random)
    return first, *views


def ocean_online_sequence(templates, searches, recipe, random):
    """Patches of one target, some to learn a filter of and others to judge it by, for `ocean_online_objective`.

    templates, searches: lists of PreparedCrop. The patches show as much of the surroundings as while tracking.
    """
    parts = {}
    for name, crops, varied in (("template", templates, recipe.template), ("search", searches, recipe.search)):
        views = [_patch(crop, recipe.search_side, varied, random) for crop in crops]
        parts[name], parts[f"{name}_box"] = (np.stack(part) for part in zip(*views, strict=True))
    return parts


def _patch(crop, side, varied, random):
    """A patch as Ocean's online branch takes it, float32 (3, side, side), RGB, and the target's box_xywh in it."""
    box = crop.box_xyxy
    last = len(crop.image_bgr) - 1
    region = ONLINE_SEARCH_FACTOR * math.sqrt((box[2] - box[0]) * (box[3] - box[1]))
    length = 2 * round(last / 2 * side / region) + 1  # of the crop, so that `side` of its pixels show the region
    image = warp_window(crop.image_bgr, (0, 0, last, last), length)
    image, box = augment_pysot(image, box * ((length - 1) / last), side, varied, random)
    box_xywh = xyxy_to_xywh(box + 0.5)  # the views' boxes count from the middle of a pixel, the patches' from its edge
    return np.ascontiguousarray(image[..., ::-1].transpose(2, 0, 1)), np.float32(box_xywh)


def gradnet_pair(template, search, recipe, random, color_directions):
    """A pair as GradNet makes it, for `gradnet_objective`; color_directions: see `augment_gradnet`."""
    views = (
        augment_gradnet(_middle(crop.image_bgr, limit), side, color_directions, random, varied.scale, varied.shift)
        for crop, limit, side, varied in (
            (template, TEMPLATE_SIDE, TEMPLATE_SIDE, recipe.template),
            (search, GRADNET_SEARCH_LIMIT, recipe.search_side, recipe.search),
        )
    )
    return _images(*views)


def _middle(image, side):
    start = (len(image) - side) // 2
    return image[start : start + side, start : start + side]


def _images(template, search):
    """Pictures (H, W, 3) as a network takes them, float32 (3, H, W)."""
    pictures = {"template": template, "search": search}
    return {name: np.ascontiguousarray(image.transpose(2, 0, 1), np.float32) for name, image in pictures.items()}
