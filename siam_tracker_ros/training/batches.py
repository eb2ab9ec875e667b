# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Batches of the published recipes, out of tracks of any data set.

The published data sets do not fit a machine's memory, and their crops are varied one by one: frames are decoded where
a pair needs them, in processes beside the one that learns.
"""

import numpy as np
from torch.utils.data import default_collate

from siam_tracker_ros.core.crop import mean_bgr
from siam_tracker_ros.errors import DatasetError, InvalidInputError
from siam_tracker_ros.geometry import xywh_to_xyxy
from siam_tracker_ros.training.augmentation import prepare_crop, prepare_mask
from siam_tracker_ros.training.pairs import Drawn, PreparedCrop, draw_frames, draw_round

MIN_SIDE = 1  # pixels of a box
MAX_REDRAWN = 20  # pairs in place of one whose frames are broken


def prepare(track, row, how):
    """The PreparedCrop of a track's frame.

    What lies outside of the frame has the frame's mean colour, also where the data hold crops that are filled so.

    Args:
        track: Track.
        row: of the frame in it.
        how: Preparation.

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


def fill_color(image, valid_xywh=None):
    """Mean colour (3,) of what a picture (H, W, 3) is filled with outside of its valid part; of all when it is not."""
    if valid_xywh is not None:
        x, y, w, h = valid_xywh
        outside = np.ones(image.shape[:2], bool)
        outside[y : y + h, x : x + w] = False
        if outside.any():
            return image[outside].mean(0)
    return mean_bgr(image)


def _has_masks(track):
    return any(track.has_mask(row) for row in np.flatnonzero(track.present))


def _by_scene(tracks):
    """Tracks in lists of those that are in one picture or video."""
    scenes = {}
    for track in tracks:
        scenes.setdefault(track.scene, []).append(track)
    return list(scenes.values())


class PublishedPairs:
    """All pairs of a run by number; each depends on the recipe, the data, the seed and its number alone.

    A pair shows one of the targets of a picture or video; the pictures and videos of a data set are as likely as each
    other, however many targets they have.

    Args:
        recipe: Recipe.
        datasets: list of DatasetSettings.
        tracks: list of lists of Track, those of each data set.
        seed: whole number.

    Raises:
        DatasetError: a data set has no track that shows a target, or none of them has the masks that the method learns.
    """

    def __init__(self, recipe, datasets, tracks, seed=0):
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
        self._round = None, None

    def __getitem__(self, number):
        """An item of `published_pairs`, and `redrawn`, how many pairs with broken frames were drawn before it.

        Raises:
            DatasetError: frame after frame is broken.
        """
        random = np.random.RandomState([self.seed, 1, number % 2**32, number // 2**32])
        dataset, scene = self._pick(number)
        for redrawn in range(MAX_REDRAWN):
            try:
                return {**self._make(dataset, scene, random), "redrawn": np.array(redrawn)}
            except InvalidInputError as broken:
                error = broken
                dataset, scene = self._any(random)
        raise DatasetError(f"{MAX_REDRAWN} pairs in a row have broken frames, check the data sets; the last: {error}")

    def _pick(self, number):
        """Data set and scene of a pair, by number; rounds of all data sets follow each other, each in its own order."""
        counts, wanted = [len(own) for own in self.scenes], [settings.pairs for settings in self.datasets]
        length = sum(count if pairs is None else pairs for count, pairs in zip(counts, wanted))
        index, place = divmod(number, length)
        if self._round[0] != index:
            self._round = index, draw_round(counts, wanted, np.random.RandomState([self.seed, 0, index]))
        return (int(part) for part in self._round[1][place])

    def _any(self, random):
        """Any scene of any data set, all of which are as likely."""
        dataset = random.randint(len(self.scenes))
        return int(dataset), int(random.randint(len(self.scenes[dataset])))

    def _make(self, dataset, scene, random):
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

    def _crops(self, dataset, scene, count, random):
        settings, tracks = self.datasets[dataset], self.scenes[dataset][scene]
        track = tracks[random.randint(len(tracks))]
        rows = np.flatnonzero(track.present)
        places = draw_frames(track.numbers[rows], settings.frame_range, random, count)
        how = self._training.preparation(settings.format)
        return [prepare(track, rows[place], how) for place in places]


class PublishedBatches:
    """The batches of a run by step, on the CPU.

    Args:
        pairs: PublishedPairs.
        batch: pairs of a step.
        rank, processes: number of this process of those that share the pairs of a step.
    """

    def __init__(self, pairs, batch, *, rank=0, processes=1):
        self._pairs, self._batch, self._rank, self._processes = pairs, batch, rank, processes

    def draw(self, step):
        """The batch of a step, a mapping of tensors."""
        first = (step * self._processes + self._rank) * self._batch
        return default_collate([self._pairs[number] for number in range(first, first + self._batch)])
