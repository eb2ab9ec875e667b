# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Draws training pairs: a template crop and a search crop of one target, with everything that may befall them.

The target lies uniformly off the centre of the search crop, so that padding and the centre teach nothing (spatial
aware sampling, SiamRPN++, Li et al. 2019). Every pair is a function of (seed, number) alone, so a run
that is taken up again sees the pairs that it would have seen.
"""

import dataclasses

import cv2
import numpy as np
from torch.utils.data import Dataset

from siam_tracker_ros.errors import InvalidSettingError
from siam_tracker_ros.geometry import cxcywh_to_xywh
from siam_tracker_ros.geometry import xywh_to_cxcywh
from siam_tracker_ros.models.lite import SEARCH_FACTOR
from siam_tracker_ros.models.lite import SEARCH_SIDE
from siam_tracker_ros.models.lite import TEMPLATE_FACTOR
from siam_tracker_ros.models.lite import TEMPLATE_SIDE


@dataclasses.dataclass(frozen=True)
class PairSettings:
    """How pairs are drawn; lengths in units of the root of the target's area, rates as probabilities 0..1.

    Attributes:
        shift: the target's centre lies uniformly within +-shift of the search crop's centre, in x and in y.
        scale: the search crop's side is e^U(-scale, scale) times the one that tracking would use.
        template_shift: standard deviation of the template's centre, for boxes drawn by a hasty hand.
        template_scale: as `scale`, for the template.
        rotation: standard deviation in degrees, search crop only.
        aspect: the search crop is stretched by e^U(-aspect, aspect).
        video_share: how many of the pairs come from two frames of a video.
        set_weights: how often a data set is drawn in comparison with its size; 1 where it is not named.
        negative, flip, grey, color, blur, motion_blur, low_resolution, noise, distractor, occluder, photo_fill,
            new_background: how often each of them happens.
    """

    shift: float = 1.3
    scale: float = 0.3
    template_shift: float = 0.03
    template_scale: float = 0.08
    rotation: float = 6.0
    aspect: float = 0.1
    video_share: float = 0.6
    set_weights: dict = dataclasses.field(default_factory=dict)
    negative: float = 0.06
    flip: float = 0.5
    grey: float = 0.08
    color: float = 0.8
    blur: float = 0.12
    motion_blur: float = 0.12
    low_resolution: float = 0.12
    noise: float = 0.1
    distractor: float = 0.5
    occluder: float = 0.12
    photo_fill: float = 0.5
    new_background: float = 0.15


def view_matrix(center_xy, side, out_side, angle=0.0, stretch=1.0, flip=False):
    """Affine map (2, 3) from source pixels to a crop of `out_side` pixels that shows `side` source pixels.

    angle in radians; stretch > 1 makes things wider and flatter in the crop; flip mirrors left and right.
    """
    scale = out_side / side
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = np.diag([scale * stretch * (-1 if flip else 1), scale / stretch]) @ rotation
    return np.column_stack([linear, out_side / 2 - linear @ np.asarray(center_xy)])


def transform_box(matrix, box_cxcywh):
    """Bounds (cx, cy, w, h) of the ellipse inside a box after an affine map: tighter than the bounds of its corners."""
    center = matrix[:, :2] @ box_cxcywh[:2] + matrix[:, 2]
    return np.concatenate([center, np.sqrt(((matrix[:, :2] * box_cxcywh[2:]) ** 2).sum(1))])


def _warp(image, matrix, side, border=0):
    """Warp by a map of pixel edges; OpenCV counts from the centre of the first pixel instead."""
    to_centers = np.column_stack([matrix[:, :2], matrix[:, 2] + matrix[:, :2] @ [0.5, 0.5] - 0.5])
    return cv2.warpAffine(
        image, to_centers, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=border
    )


def _shrinks_much(matrix):
    return abs(np.linalg.det(matrix[:, :2])) < 0.3


class PairDataset(Dataset):
    """Pairs by number. Item `n` is a dictionary of arrays:

    template uint8 (128, 128, 3) BGR; search uint8 (256, 256, 3) BGR; template_box, search_box float32 (4,) as
    cx, cy, w, h in units of the crop's side; present bool, False where the target is not in the search crop;
    and, with a teacher, teacher_score float32 (1, 16, 16) and teacher_box float32 (4,).
    """

    def __init__(self, bank, settings, seed, length, teacher=None):
        self.bank, self.settings, self.seed, self.length = bank, settings, seed, length
        self.teacher = teacher
        if settings.negative > 0 and len(bank.tracks) < 2:
            raise InvalidSettingError(
                f"pairs.negative is {settings.negative:g} with {len(bank.tracks)} track in the shards, expected two or "
                "more tracks to show one in place of the other; add tracks or set it to 0"
            )
        numbers = np.arange(len(bank.tracks))
        video = np.array([bank.samples[track[0]].video and len(track) > 1 for track in bank.tracks])
        self._pools = []
        for pool in (numbers[video], numbers[~video]):
            weights = np.array([self._track_weight(bank.tracks[number]) for number in pool], np.float64)
            self._pools.append((pool, weights.cumsum() / max(weights.sum(), 1e-12)))

    def _track_weight(self, track):
        return len(track) * self.settings.set_weights.get(self.bank.samples[track[0]].set_name, 1.0)

    def __len__(self):
        return self.length

    def __getitem__(self, number):
        rng = np.random.default_rng((self.seed, number))
        first, second = self._draw_samples(rng)
        flip = rng.random() < self.settings.flip
        template, template_box = self._template(rng, first, flip)
        present = rng.random() >= self.settings.negative
        search, search_box = self._search(rng, second if present else self._other_target(rng, second), flip)
        if rng.random() < self.settings.grey:
            template, search = (
                cv2.merge([cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)] * 3) for image in (template, search)
            )
        item = {
            "template": template,
            "search": search,
            "template_box": template_box.astype(np.float32),
            "search_box": search_box.astype(np.float32),
            "present": np.array(present),
        }
        if self.teacher is not None:
            item["teacher_score"], item["teacher_box"] = self.teacher(template, search)
        return item

    def _draw_samples(self, rng):
        """Two samples of one target: two frames of a video, or a still twice."""
        video, still = self._pools
        pool, cumulative = video if rng.random() < self.settings.video_share and len(video[0]) else still
        if not len(pool):
            pool, cumulative = video
        track = self.bank.tracks[pool[np.searchsorted(cumulative, rng.random())]]
        first, second = rng.choice(len(track), 2, replace=len(track) < 2)
        return self.bank.samples[track[first]], self.bank.samples[track[second]]

    def _other_target(self, rng, sample):
        while True:
            other = self.bank.samples[rng.integers(len(self.bank.samples))]
            if other.track != sample.track:
                return other

    def _filled(self, rng, sample):
        """The crop with its empty margin black, as at the edge of a frame, or covered by a photo."""
        image = sample.image_bgr()
        x, y, w, h = sample.valid_xywh
        height, width = image.shape[:2]
        if (x, y, w, h) != (0, 0, width, height):
            fill = np.zeros_like(image)
            if self.bank.photos and rng.random() < self.settings.photo_fill:
                fill = cv2.resize(self.bank.photo_bgr(rng.integers(len(self.bank.photos))), (width, height))
            fill[y : y + h, x : x + w] = image[y : y + h, x : x + w]
            image = fill
        return image

    def _template(self, rng, sample, flip):
        image, box = self._filled(rng, sample), xywh_to_cxcywh(sample.box_xywh)
        root = np.sqrt(box[2] * box[3])
        center = box[:2] + rng.normal(0, self.settings.template_shift, 2) * root
        side = TEMPLATE_FACTOR * root * np.exp(rng.uniform(-1, 1) * self.settings.template_scale)
        matrix = view_matrix(center, side, TEMPLATE_SIDE, flip=flip)
        crop = _warp(cv2.GaussianBlur(image, (3, 3), 0) if _shrinks_much(matrix) else image, matrix, TEMPLATE_SIDE)
        if rng.random() < self.settings.color:
            crop = _recolor(rng, crop)
        return crop, transform_box(matrix, box) / TEMPLATE_SIDE

    def _search(self, rng, sample, flip):
        settings = self.settings
        image, box = self._filled(rng, sample), xywh_to_cxcywh(sample.box_xywh)
        if sample.encoded_mask is not None and self.bank.photos and rng.random() < settings.new_background:
            image = self._on_photo(rng, image, sample.mask())
        root = np.sqrt(box[2] * box[3])
        side = SEARCH_FACTOR * root * np.exp(rng.uniform(-1, 1) * settings.scale)
        center = box[:2] + rng.uniform(-settings.shift, settings.shift, 2) * root
        angle = np.deg2rad(rng.normal(0, settings.rotation))
        stretch = np.exp(rng.uniform(-1, 1) * settings.aspect)
        matrix = view_matrix(center, side, SEARCH_SIDE, angle, stretch, flip)
        crop = _warp(cv2.GaussianBlur(image, (3, 3), 0) if _shrinks_much(matrix) else image, matrix, SEARCH_SIDE)
        target = transform_box(matrix, box)
        if self.bank.masked and rng.random() < settings.distractor:
            for _ in range(rng.integers(1, 3)):
                self._paste_other(rng, crop, target, sample, most_cover=0.15)
        if self.bank.masked and rng.random() < settings.occluder:
            self._paste_other(rng, crop, target, sample, most_cover=0.5, least_cover=0.1)
        return self._degrade(rng, crop), target / SEARCH_SIDE

    def _on_photo(self, rng, image, mask):
        height, width = image.shape[:2]
        photo = cv2.resize(self.bank.photo_bgr(rng.integers(len(self.bank.photos))), (width, height))
        return _blend(photo, image, cv2.GaussianBlur(mask, (3, 3), 0))

    def _paste_other(self, rng, crop, target, sample, most_cover, least_cover=0.0):
        """Paste another masked object where it hides a permitted share of the target; give up after a few tries."""
        if sample.encoded_mask is not None and rng.random() < 0.3:
            other = sample  # the same thing once more: the hardest distractor
        else:
            other = self.bank.samples[self.bank.masked[rng.integers(len(self.bank.masked))]]
        box = xywh_to_cxcywh(other.box_xywh)
        size = np.sqrt(target[2] * target[3]) * np.exp(rng.uniform(-0.5, 0.4))
        image, mask = other.image_bgr(), other.mask()
        if rng.random() < 0.5:
            image = _recolor(rng, image)
        x1, y1, w, h = cxcywh_to_xywh(target)
        for _ in range(5):
            place = (
                rng.uniform(0, SEARCH_SIDE, 2)
                if least_cover == 0
                else target[:2] + rng.uniform(-0.6, 0.6, 2) * target[2:]
            )
            matrix = view_matrix(
                box[:2], np.sqrt(box[2] * box[3]) * SEARCH_SIDE / size, SEARCH_SIDE, flip=rng.random() < 0.5
            )
            matrix[:, 2] += place - SEARCH_SIDE / 2
            alpha = _warp(mask, matrix, SEARCH_SIDE)
            top, left = max(int(y1), 0), max(int(x1), 0)
            inside = alpha[top : max(int(y1 + h), top + 1), left : max(int(x1 + w), left + 1)]
            cover = inside.mean() / 255 if inside.size else 0.0
            if least_cover <= cover <= most_cover:
                crop[:] = _blend(crop, _warp(image, matrix, SEARCH_SIDE), alpha)
                return

    def _degrade(self, rng, crop):
        settings = self.settings
        if rng.random() < settings.color:
            crop = _recolor(rng, crop)
        if rng.random() < settings.low_resolution:
            side = int(rng.uniform(0.3, 0.8) * SEARCH_SIDE)
            crop = cv2.resize(cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA), (SEARCH_SIDE, SEARCH_SIDE))
        if rng.random() < settings.blur:
            crop = cv2.GaussianBlur(crop, (0, 0), rng.uniform(0.6, 2.5))
        if rng.random() < settings.motion_blur:
            crop = cv2.filter2D(crop, -1, _motion_kernel(rng))
        if rng.random() < settings.noise:
            noise = rng.normal(0, rng.uniform(2, 10), crop.shape).astype(np.float32)
            crop = np.clip(crop + noise, 0, 255).astype(np.uint8)
        return crop


def _blend(below, above, alpha):
    """Lay `above` over `below` where alpha (H, W), 0..255, says so."""
    weight = cv2.merge([alpha] * 3).astype(np.float32) / 255
    return (below + (above.astype(np.float32) - below) * weight).astype(np.uint8)


def _recolor(rng, image):
    """Brightness, contrast, saturation and a colour cast, by one table per channel and one blend with grey."""
    levels = np.arange(256, dtype=np.float32)
    contrast, brightness = np.exp(rng.uniform(-0.3, 0.3)), rng.uniform(-25, 25)
    casts = np.exp(rng.uniform(-0.08, 0.08, 3))
    table = np.stack([np.clip((levels - 128) * contrast * cast + 128 + brightness, 0, 255) for cast in casts], 1)
    image = cv2.LUT(image, table[None].astype(np.uint8))
    saturation = rng.uniform(0.6, 1.3)
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    return cv2.addWeighted(image, saturation, grey, 1 - saturation, 0)


def _motion_kernel(rng):
    """A line through the middle of a square kernel, any direction, 5 to 17 pixels long, sum 1."""
    length = int(rng.integers(2, 9)) * 2 + 1
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1
    turn = cv2.getRotationMatrix2D((length // 2, length // 2), rng.uniform(0, 180), 1)
    kernel = cv2.warpAffine(kernel, turn, (length, length))
    return kernel / max(kernel.sum(), 1e-6)
