# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Batches of the published recipes, from the tracks of any data set.

The published data sets do not fit into memory, so frames are decoded pair by pair, in data workers.
"""

from collections.abc import Hashable, Sequence

import numpy as np
from torch.utils.data import default_collate

from siam_tracker_ros.core.crop import mean_bgr
from siam_tracker_ros.data import DatasetSettings, Track
from siam_tracker_ros.errors import DatasetError, InvalidInputError
from siam_tracker_ros.geometry import xywh_to_xyxy
from siam_tracker_ros.training.augmentation import prepare_crop, prepare_mask
from siam_tracker_ros.training.pairs import Drawn, Item, Preparation, PreparedCrop, draw_frames, draw_round
from siam_tracker_ros.training.recipe import Recipe
from siam_tracker_ros.training.task import Batch

MIN_SIDE = 1  # of a box, in pixels
MAX_REDRAWN = 20  # attempts to draw a pair whose frames are not broken


def prepare(track: Track, row: int, how: Preparation) -> PreparedCrop:
    """Cut the prepared crop out of a track's frame.

    Outside of the frame it has the frame's mean colour. A data set of padded crops is padded with the same colour.

    Args:
        track: of the target.
        row: of the frame in the track.
        how: the authors' preparation of the data set.

    Raises:
        InvalidInputError: the frame cannot be read.
    """
    image, box = track.image_bgr(row), xywh_to_xyxy(track.boxes_xywh[row])
    if how.outermost:
        box[2:] = np.maximum(box[2:] - 1, box[:2] + MIN_SIDE)
    crop = prepare_crop(image, box, how.inclusive, fill_color(image, track.valid_xywh(row)))
    mask = track.mask(row)
    prepared_mask = None if mask is None else prepare_mask(mask > 0, box, how.mask_threshold, how.inclusive)
    return PreparedCrop(crop, tuple(box[2:] - box[:2]), prepared_mask)


def fill_color(image: np.ndarray, valid_xywh: np.ndarray | None = None) -> np.ndarray:
    """Return the padding colour (3,) of an image (H, W, 3): the mean outside of its valid part, or of all of it."""
    if valid_xywh is not None:
        x, y, w, h = valid_xywh
        outside = np.ones(image.shape[:2], bool)
        outside[y : y + h, x : x + w] = False
        if outside.any():
            return image[outside].mean(0)
    return mean_bgr(image)


def _has_masks(track: Track) -> bool:
    return any(track.has_mask(row) for row in np.flatnonzero(track.present).tolist())


def _by_scene(tracks: list[Track]) -> list[list[Track]]:
    """Group tracks by image or video."""
    scenes: dict[Hashable, list[Track]] = {}
    for track in tracks:
        scenes.setdefault(track.scene, []).append(track)
    return list(scenes.values())


class PublishedPairs:
    """The pairs of a run by number; each depends on the recipe, the data, the seed and its number alone.

    A pair shows one target of an image or video. All images and videos of a data set are equally likely, however many
    targets they show.

    Args:
        recipe: of the run.
        datasets: settings of the data sets.
        tracks: of each data set.
        seed: of the run.

    Raises:
        DatasetError: a data set has no track that shows a target, or the method needs masks and no data set has any.
    """

    def __init__(
        self,
        recipe: Recipe,
        datasets: Sequence[DatasetSettings],
        tracks: Sequence[Sequence[Track]],
        seed: int = 0,
    ) -> None:
        self.recipe, self.datasets, self.seed = recipe, datasets, seed
        self._training = recipe.training
        shown = [[track for track in own if track.present.any()] for own in tracks]
        for settings, own in zip(datasets, shown, strict=True):
            if not own:
                raise DatasetError(f"{settings.path} has no track that shows a target; check path and split")
        self.scenes = [_by_scene(own) for own in shown]
        all_tracks = [track for own in shown for track in own]
        if "mask" in self._training.losses and not any(_has_masks(track) for track in all_tracks):
            raise DatasetError(
                f"no target of the data sets has a mask, but {recipe.method} learns masks; add a set that has them: "
                "coco, youtube_vos, davis, shards or sequences with masks"
            )
        measure = self._training.measure
        self._statistics = None if measure is None else measure(all_tracks)
        self._round: tuple[int, np.ndarray] | None = None  # number and content of the current round

    def __getitem__(self, number: int) -> Item:
        """Return an item, and in it `redrawn`, the number of pairs with broken frames that it replaces.

        Raises:
            DatasetError: too many pairs in a row have broken frames.
        """
        random = np.random.RandomState([self.seed, 1, number % 2**32, number // 2**32])
        dataset, scene = self._pick(number)
        for redrawn in range(MAX_REDRAWN):
            try:
                return {**self._make(dataset, scene, random), "redrawn": np.array(redrawn)}
            except InvalidInputError as broken:
                error = broken
                dataset, scene = self._any(random)
        raise DatasetError(f"{MAX_REDRAWN} pairs in a row have broken frames; check the data sets; the last: {error}")

    def _pick(self, number: int) -> tuple[int, int]:
        """Return the numbers of a pair's data set and scene; each round of all data sets has its own order."""
        counts, wanted = [len(own) for own in self.scenes], [settings.pairs for settings in self.datasets]
        length = sum(count if pairs is None else pairs for count, pairs in zip(counts, wanted))
        index, place = divmod(number, length)
        if self._round is None or self._round[0] != index:
            self._round = index, draw_round(counts, wanted, np.random.RandomState([self.seed, 0, index]))
        dataset, scene = self._round[1][place]
        return int(dataset), int(scene)

    def _any(self, random: np.random.RandomState) -> tuple[int, int]:
        """Draw a data set, all equally likely, and one of its scenes."""
        dataset = random.randint(len(self.scenes))
        return int(dataset), int(random.randint(len(self.scenes[dataset])))

    def _make(self, dataset: int, scene: int, random: np.random.RandomState) -> Item:
        recipe = self.recipe
        grey = recipe.grey > 0 and random.random_sample() < recipe.grey
        negative = recipe.negative > 0 and random.random_sample() < recipe.negative
        crops = self._crops(dataset, scene, recipe.frames if negative else 2 * recipe.frames, random)
        if negative:
            crops += self._crops(*self._any(random), recipe.frames, random)
        if grey:
            crops = [crop.without_color() for crop in crops]
        templates, searches = crops[: recipe.frames], crops[recipe.frames :]
        return self._training.make_pair(recipe, Drawn(templates, searches, random, negative, self._statistics))

    def _crops(self, dataset: int, scene: int, count: int, random: np.random.RandomState) -> list[PreparedCrop]:
        settings, tracks = self.datasets[dataset], self.scenes[dataset][scene]
        track = tracks[random.randint(len(tracks))]
        rows = np.flatnonzero(track.present)
        places = draw_frames(track.numbers[rows], settings.frame_range, random, count)
        how = self._training.preparation(settings.format)
        return [prepare(track, rows[place], how) for place in places]


class PublishedBatches:
    """The batches of a run by step, on the CPU.

    Args:
        pairs: of the run.
        batch: pairs per step and process.
        rank, processes: number of this process, and of all processes, which share the pairs of a step.
    """

    def __init__(self, pairs: PublishedPairs, batch: int, *, rank: int = 0, processes: int = 1) -> None:
        self._pairs, self._batch, self._rank, self._processes = pairs, batch, rank, processes

    def draw(self, step: int) -> Batch:
        """Return the batch of a step."""
        first = (step * self._processes + self._rank) * self._batch
        return default_collate([self._pairs[number] for number in range(first, first + self._batch)])
