# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Training pairs of the published methods: what a method gets and must return to make one.

Each method makes its pairs in its `training.py`. Random numbers are drawn in the authors' order, see `augmentation`.
"""

import dataclasses
import math
import typing
from collections.abc import Callable, Sequence

import numpy as np

from siam_tracker_ros.core.method import Training
from siam_tracker_ros.data import Track
from siam_tracker_ros.training.augmentation import prepared_box, to_grey
from siam_tracker_ros.training.task import Batch, Losses

if typing.TYPE_CHECKING:
    from siam_tracker_ros.training.recipe import Recipe

Item = dict[str, np.ndarray]  # one pair: names and shapes of the objective's batch, without the batch dimension
Objective = Callable[[typing.Any, Batch], Losses]  # of the method's own network

YOUTUBE_VOS_MASK_THRESHOLD = 0.2  # its images are smaller


class PreparedCrop(typing.NamedTuple):
    """A target in its prepared crop.

    Attributes:
        image_bgr: uint8 (511, 511, 3), see `augmentation.prepare_crop`.
        size_wh: size of the target in the source frame.
        mask: bool (511, 511); None where the data set has no mask.
    """

    image_bgr: np.ndarray
    size_wh: tuple[float, float]
    mask: np.ndarray | None = None

    @property
    def box_xyxy(self) -> np.ndarray:
        """The target's box (4,) in the crop."""
        return prepared_box(self.size_wh, len(self.image_bgr))

    def without_color(self) -> "PreparedCrop":
        """Return it with a grey image."""
        return self._replace(image_bgr=to_grey(self.image_bgr))


@dataclasses.dataclass(frozen=True)
class Preparation:
    """How the authors prepare the images of a data set.

    Attributes:
        mask_threshold: of the warped mask, 0..1.
        outermost: the corners of a box are the centres of its outermost pixels, which makes it a pixel smaller.
        inclusive: the crop is cut as if the box included its last pixel, in addition.
    """

    mask_threshold: float = 0.5
    outermost: bool = False
    inclusive: bool = False


def usual_preparation(format_name: str) -> Preparation:
    """Return the preparation that most authors use for a data set's format."""
    if format_name == "youtube_vos":
        return Preparation(YOUTUBE_VOS_MASK_THRESHOLD)
    return Preparation(outermost=format_name in ("imagenet_vid", "imagenet_det"))


@dataclasses.dataclass(frozen=True)
class Drawn:
    """The frames that were drawn for one pair.

    Attributes:
        templates, searches: `Recipe.frames` crops of each.
        random: generator for the method's own random numbers.
        negative: the search frames show another object than the template frames.
        statistics: of the training images, as `PairTraining.measure` returned them; None if it is None.
    """

    templates: list[PreparedCrop]
    searches: list[PreparedCrop]
    random: np.random.RandomState
    negative: bool
    statistics: np.ndarray | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class PairTraining(Training):
    """How a published method is trained: what all its recipes share.

    Attributes:
        make_pair: makes the item of a pair from its frames.
        objective: computes losses by name, unweighted, and figures for the log. Its batch, collated items, has
            `template` (B, 3, 127, 127) and `search` (B, 3, side, side), BGR, about 0..255.
        losses: names of the losses.
        cells: computes the side of the response in cells from that of the search region in pixels.
        varies: fields of Augmentation that the method uses.
        preparation: returns the preparation of a data set's format.
        measure: computes statistics of the training images, see `Drawn.statistics`; None for none.
        has_anchors: pairs are labelled by AnchorRules, and may be negative.
        has_unused_parameters: some of the authors' parameter groups get no gradient from the losses.
        loss_couples_batch: the loss of a pair depends on the other pairs of its process and step.
        needs_float32: bfloat16 is not precise enough to train it.
    """

    make_pair: "Callable[[Recipe, Drawn], Item]"
    objective: Objective
    losses: tuple[str, ...]
    cells: Callable[[int], int]
    varies: tuple[str, ...]
    preparation: Callable[[str], Preparation] = usual_preparation
    measure: Callable[[Sequence[Track]], np.ndarray] | None = None
    has_anchors: bool = False
    has_unused_parameters: bool = False
    loss_couples_batch: bool = False
    needs_float32: bool = False


def draw_round(counts: Sequence[int], wanted: Sequence[int | None], random: np.random.RandomState) -> np.ndarray:
    """Draw one round of all data sets: shuffled pairs of data set and scene in it, by number, int64 (M, 2).

    Args:
        counts: number of scenes, images or videos, of each data set.
        wanted: number of pairs from each; None for one per scene.
        random: generator.
    """
    picks = []
    for number, (count, pairs) in enumerate(zip(counts, wanted, strict=True)):
        pairs = count if pairs is None else pairs
        orders = [random.permutation(count) for _ in range(math.ceil(pairs / count))]
        scenes = np.concatenate([np.empty(0, np.int64), *orders])[:pairs].astype(np.int64)
        picks.append(np.stack([np.full(len(scenes), number), scenes], 1))
    table = np.concatenate(picks)
    return table[random.permutation(len(table))]


def draw_frames(numbers: np.ndarray, frame_range: int, random: np.random.RandomState, count: int = 2) -> list[int]:
    """Draw the indices of one random frame and `count - 1` others at most `frame_range` away.

    Args:
        numbers: (N,), numbers of the frames in their source, rising.
        frame_range: in frames of the source.
        random: generator.
        count: 2 for template and search region.
    """
    first = int(random.randint(0, len(numbers)))
    near = np.flatnonzero(np.abs(numbers - numbers[first]) <= frame_range)
    return [first, *(int(random.choice(near)) for _ in range(count - 1))]


def to_arrays(template: np.ndarray, search: np.ndarray) -> Item:
    """Convert two images (H, W, 3) to the network's layout, float32 (3, H, W)."""
    images = {"template": template, "search": search}
    return {name: np.ascontiguousarray(image.transpose(2, 0, 1), np.float32) for name, image in images.items()}
