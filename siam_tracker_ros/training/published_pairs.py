# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From two prepared crops to what a network learns of them: the pairs of the published recipes.

Items are mappings of arrays whose names and shapes are those of `objectives` without the batch. Random numbers are
drawn in the authors' order, see `augmentation`.
"""

import typing

import numpy as np

from siam_tracker_ros.training.anchor_targets import anchor_targets
from siam_tracker_ros.training.augmentation import TEMPLATE_SIDE
from siam_tracker_ros.training.augmentation import augment_gradnet
from siam_tracker_ros.training.augmentation import augment_ocean
from siam_tracker_ros.training.augmentation import augment_pysot
from siam_tracker_ros.training.augmentation import augment_siammask
from siam_tracker_ros.training.augmentation import prepared_box
from siam_tracker_ros.training.augmentation import to_grey
from siam_tracker_ros.training.ocean_losses import class_target
from siam_tracker_ros.training.ocean_losses import distance_target

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


def draw_round(counts, datasets, random):
    """One round of all data sets: a shuffled list of pairs (name of a data set, number of a video in it).

    Args:
        counts: how many videos each data set has, by name.
        datasets: a recipe's.
        random: numpy.random.RandomState.
    """
    picks = []
    for name, share in datasets.items():
        numbers, wanted = [], counts[name] if share.pairs is None else share.pairs
        while len(numbers) < wanted:
            order = np.arange(counts[name])
            random.shuffle(order)
            numbers.extend(order.tolist())
        picks += [(name, number) for number in numbers[:wanted]]
    random.shuffle(picks)
    return picks


def draw_frames(count, frame_range, random):
    """Numbers of two of a track's frames, for template and search region, at most `frame_range` apart."""
    template = random.randint(0, count)
    near = np.arange(max(template - frame_range, 0), min(template + frame_range, count - 1) + 1)
    return int(template), int(random.choice(near))


def pysot_pair(template, search, recipe, random, negative=False):
    """A pair as PySOT makes it of two PreparedCrops, for `siamrpn_objective`; negative: they show two objects."""
    first, _ = augment_pysot(template.image_bgr, template.box_xyxy, TEMPLATE_SIDE, recipe.template, random)
    second, box = augment_pysot(search.image_bgr, search.box_xyxy, recipe.search_side, recipe.search, random)
    targets = anchor_targets(box, recipe.cells, recipe.anchors, random, recipe.search_side, negative)
    return {**_images(first, second), "label": targets.label, "offset": targets.offset, "weight": targets.weight}


def siammask_pair(template, search, recipe, uniform, random, negative=False):
    """A pair as SiamMask makes it, for `siammask_objective` and `refinement_objective`.

    uniform: random.Random; random: numpy.random.RandomState.
    """
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
