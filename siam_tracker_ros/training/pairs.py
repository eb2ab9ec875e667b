# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the pairs of all published methods are made of. Each method makes its own in its `training.py`.

An item is a mapping of arrays whose names and shapes are those of the method's objective without the batch. Random
numbers are drawn in the authors' order, see `augmentation`.
"""

import collections.abc
import dataclasses
import math
import typing

import numpy as np

from siam_tracker_ros.core.method import Training
from siam_tracker_ros.training.augmentation import prepared_box, to_grey

YOUTUBE_VOS_MASK_THRESHOLD = 0.2  # its images are smaller


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


@dataclasses.dataclass(frozen=True)
class Preparation:
    """How the authors prepare the images of a data set.

    Attributes:
        mask_threshold: 0..1, of the warped mask.
        outermost: they take the middle of a box's outermost pixels for its corners, by which it is a pixel smaller.
        inclusive: all the same they count the last pixel in when they cut the crop.
    """

    mask_threshold: float = 0.5
    outermost: bool = False
    inclusive: bool = False


def usual_preparation(format_name):
    """Return the Preparation of a data set's format that the authors agree on."""
    if format_name == "youtube_vos":
        return Preparation(YOUTUBE_VOS_MASK_THRESHOLD)
    return Preparation(outermost=format_name in ("imagenet_vid", "imagenet_det"))


@dataclasses.dataclass(frozen=True)
class Drawn:
    """What was drawn for one pair.

    Attributes:
        templates, searches: PreparedCrops, a recipe's `frames` of each.
        random: numpy.random.RandomState for what is drawn from now on.
        negative: the searches show another object than the templates.
        statistics: of the training images, what `PairTraining.measure` returned; None where it needs none.
    """

    templates: list[PreparedCrop]
    searches: list[PreparedCrop]
    random: np.random.RandomState
    negative: bool
    statistics: typing.Any = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class PairTraining(Training):
    """How a published method is trained: what its recipes have in common.

    Attributes:
        make_pair: function of Recipe and Drawn; returns an item.
        objective: function of a network and a batch, items that are collated; returns losses by name, unweighted, and
            figures for the log. A batch has `template` (B, 3, 127, 127) and `search` (B, 3, side, side), BGR, about
            0..255.
        losses: their names.
        cells: function of the search region's side in pixels; returns that of the response in cells.
        varies: the fields of an Augmentation that pairs are varied by.
        preparation: function of a data set's format; returns its Preparation.
        measure: function of all Tracks that returns what pairs need to know of the training images; None for nothing.
        has_anchors: pairs are labelled by AnchorRules, and may show two objects.
        has_unused_parameters: weights that learn, by the authors' groups, of which the losses know nothing.
        loss_couples_batch: a pair's own loss depends on the others that its process sees in a step.
        needs_float32: bfloat16 is too coarse for what it learns by.
    """

    make_pair: collections.abc.Callable
    objective: collections.abc.Callable
    losses: tuple[str, ...]
    cells: collections.abc.Callable
    varies: tuple[str, ...]
    preparation: collections.abc.Callable = usual_preparation
    measure: collections.abc.Callable | None = None
    has_anchors: bool = False
    has_unused_parameters: bool = False
    loss_couples_batch: bool = False
    needs_float32: bool = False


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


def to_arrays(template, search):
    """Images (H, W, 3) as a network takes them, float32 (3, H, W)."""
    images = {"template": template, "search": search}
    return {name: np.ascontiguousarray(image.transpose(2, 0, 1), np.float32) for name, image in images.items()}
